"""The contract of connectors as tests: a plug-in derives a class from :class:`Conformance`, and pytest does the rest.

.. code-block:: python

    class TestWardBook(Conformance):
        def connector(self) -> Connector:
            return WardBook("phuong", WardBook.Options(path="so.jsonl"), surroundings(FOLDER))

The source behind the connector must hold some dossiers and stand still during a test. Nothing here needs pytest to be
imported, so that the kit comes with the program.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import polars as pl
from pydantic import ValidationError

from connectors.base import (
    Connector,
    ConnectorOptions,
    Cursor,
    LooksDirectly,
    Page,
    Receives,
    Surroundings,
)
from connectors.conformance_text import all_said_to, everything_in
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError
from tthc_monitor.domain.records import CHANNELS, KINDS, RECORD_SCHEMA, SOURCE_VERDICTS, Batch
from tthc_monitor.domain.statuses import Status

Record = dict[str, Any]
NOWHERE: Final = "no-such-dossier-7f3a"
"""A key that no source has."""


def surroundings(folder: Path | None = None, *, now: datetime | None = None) -> Surroundings:
    """What a connector needs around it in a test: a clock, a folder for relative paths, a key for applicants' hashes."""
    clock = (lambda: now) if now is not None else (lambda: datetime.now(UTC))
    return Surroundings(clock, folder or Path(), applicant_key=b"a key of tests alone", contact="tests@example.invalid")


class Conformance:
    """What holds of every connector. Derive, and give :meth:`connector`; the rest is offered.

    Attributes:
        poison: texts that stand in the source's personal fields and nowhere else; none may come through.
        secrets: passwords and tokens of the connector's settings; none may come through either.
        told_only_when_there: columns that are filled where there is something, but whose emptiness says nothing, so that
            ``provides`` leaves them out.
    """

    poison: ClassVar[Sequence[str]] = ()
    secrets: ClassVar[Sequence[str]] = ()
    told_only_when_there: ClassVar[frozenset[str]] = frozenset()

    def connector(self) -> Connector:
        """A connector anew, over a source with some dossiers, each time in the same state."""
        raise NotImplementedError

    def broken(self) -> Iterable[Connector]:
        """Connectors whose source is away, refuses, or answers rubbish; by default none are tried."""
        return ()

    # -- what it says of itself ----------------------------------------------------------------------------------

    def test_its_options_refuse_what_they_do_not_know(self) -> None:
        """A misspelt setting must not be ignored."""
        options = self.connector().Options
        _require(issubclass(options, ConnectorOptions), "Options must derive from connectors.base.ConnectorOptions")
        try:
            options.model_validate({"no_such_option": 1})
        except ValidationError as error:
            unknown = [item for item in error.errors() if item["loc"] == ("no_such_option",)]
            _require(bool(unknown), "Options accepts an unknown key; keep extra='forbid'")
        else:
            raise AssertionError("Options accepts an unknown key; keep extra='forbid'")
        options.model_json_schema()

    def test_it_provides_canonical_columns(self) -> None:
        """``provides`` names columns of the record, the key among them, and what is not named stays empty."""
        connector = self.connector()
        _require(connector.provides <= set(RECORD_SCHEMA), f"provides {set(connector.provides) - set(RECORD_SCHEMA)}")
        _require("source_key" in connector.provides, "provides lacks source_key")
        said = self.told_only_when_there
        _require(said <= set(RECORD_SCHEMA), f"told_only_when_there {sorted(said - set(RECORD_SCHEMA))} is no column")
        both = said & connector.provides
        _require(not both, f"told_only_when_there names {sorted(both)}, which provides names too")
        for batch in _batches(connector, None):
            filled = {name for name in RECORD_SCHEMA if batch.records[name].null_count() < batch.records.height}
            extra = filled - connector.provides - said
            _require(not extra, f"fills {sorted(extra)}, which provides does not name")

    def test_its_check_says_what_was_found_right(self) -> None:
        """``check`` gives lines for people, and no secrets."""
        connector = self.connector()
        lines = connector.check()
        _require(bool(lines) and all(lines), f"check gives {lines!r}; say what was found right")
        self._tells_nothing("\n".join(lines))

    # -- records -------------------------------------------------------------------------------------------------

    def test_its_records_are_canonical(self) -> None:
        """Every record has the canonical columns in order and type, a key, and values from the vocabularies."""
        seen = 0
        for batch in _batches(self.connector(), None):
            records = batch.records
            _require(dict(records.schema) == dict(RECORD_SCHEMA), f"columns {records.schema}; use records.conform")
            _require(list(records.columns) == list(RECORD_SCHEMA), "columns are out of order; use records.conform")
            seen += records.height
            for name, allowed in _VOCABULARIES.items():
                strange = set(records[name].drop_nulls()) - set(allowed)
                _require(not strange, f"{name} holds {sorted(map(str, strange))}")
            for name in ("source_key",) if batch.patch else ("source_key", "kind"):
                _require(records[name].null_count() == 0, f"{name} is empty in a record")
            empty = [
                name for name, dtype in records.schema.items() if dtype == pl.String and (records[name] == "").any()
            ]
            _require(not empty, f"{empty} hold empty texts; a missing value is null")
            _require(batch.rows_read == 0 or batch.rows_read >= records.height, "rows_read is below the records given")
        _require(seen > 0, "the source gives no dossier; put some into it")

    def test_normalise_is_pure(self) -> None:
        """The same page gives the same batch, in any order and any number of times."""
        connector = self.connector()
        pages = list(connector.fetch(None))
        first = [connector.normalise(page) for page in pages]
        again = [connector.normalise(page) for page in reversed(pages)][::-1]
        for one, other in zip(first, again, strict=True):
            _require(one.records.equals(other.records), "normalise gives other records for the same page")
            _require(one.rejects == other.rejects, "normalise gives other rejects for the same page")

    def test_its_rejects_say_where_and_why(self) -> None:
        """A reject without a place or a reason helps nobody."""
        for batch in _batches(self.connector(), None):
            for reject in batch.rejects:
                _require(bool(reject.location and reject.reason), f"{reject} has no place or no reason")

    def test_nothing_personal_comes_through(self) -> None:
        """Neither pages nor records, rejects, log lines of any level or cursors hold what stands in personal fields."""
        connector = self.connector()
        log = io.StringIO()
        with all_said_to(log):
            pages = list(connector.fetch(None))
            batches = [connector.normalise(page) for page in pages]
            if isinstance(connector, LooksDirectly):
                keys = [key for batch in batches for key in batch.records["source_key"]][:5]
                pages += connector.look(keys)
                batches += [connector.normalise(page) for page in pages[len(batches) :]]
        for told in (log.getvalue(), *pages, *batches):
            self._tells_nothing(everything_in(told))

    # -- never miss ----------------------------------------------------------------------------------------------

    def test_the_same_source_tells_the_same(self) -> None:
        """Two full fetches give the same dossiers in the same state."""
        _same(_states(self.connector(), None), _states(self.connector(), None), "a second full fetch")

    def test_from_every_cursor_on_nothing_is_missing(self) -> None:
        """What came up to a page, and what a new fetch from that page's cursor gives, are together everything."""
        connector = self.connector()
        pages = list(connector.fetch(None))
        everything = _fold(connector, pages)
        for number, page in enumerate(pages, start=1):
            if page.cursor is None:
                continue
            cursor = json.loads(json.dumps(page.cursor))
            _require(cursor == page.cursor, "a cursor is not plain JSON; it would come back as something else")
            later = self.connector()
            found = _fold(later, list(later.fetch(cursor)), _fold(connector, pages[:number]))
            _same(everything, found, f"a fetch from the cursor of page {number}")

    def test_only_the_last_page_says_that_all_open_were_listed(self) -> None:
        """Said earlier, it would be believed of a fetch that breaks off."""
        pages = list(self.connector().fetch(None))
        _require(not any(page.listed_all for page in pages[:-1]), "listed_all stands on a page that is not the last")

    def test_a_fetch_may_be_left_early(self) -> None:
        """A pull that fails half-way closes the fetch; files and connections must be given back without a word."""
        fetch = self.connector().fetch(None)
        next(iter(fetch), None)
        close = getattr(fetch, "close", None)
        if close is not None:
            close()
        _require(bool(_states(self.connector(), None)), "after a fetch that was left early nothing is given any more")

    def test_what_goes_wrong_is_of_a_known_class(self) -> None:
        """Errors tell by their class whether time or a person mends them, and hold no secret."""
        for connector in self.broken():
            try:
                for page in connector.fetch(None):
                    connector.normalise(page)
            except (TransientSourceError, PermanentSourceError, ConfigError) as error:
                self._tells_nothing(str(error))
            else:
                raise AssertionError("a broken source gives a fetch without error; raise what went wrong")
            try:
                connector.check()
            except TthcError as error:
                self._tells_nothing(str(error))

    # -- what only some offer ------------------------------------------------------------------------------------

    def test_a_direct_look_tells_what_a_fetch_tells(self) -> None:
        """Of connectors that can look: the same dossiers in the same state, and silence about what is not there."""
        connector = self.connector()
        if not isinstance(connector, LooksDirectly):
            return
        everything = _states(connector, None)
        keys = sorted(everything)[:5]
        pages = list(connector.look([*keys, NOWHERE]))
        told = {key for page in pages for key in connector.normalise(page).records["source_key"]}
        _require(told == set(keys), "a direct look gives other dossiers than it was asked for")
        before = {key: everything[key] for key in keys}
        _same(before, _fold(connector, pages, before), "a direct look")

    def test_a_body_that_is_rubbish_is_refused(self) -> None:
        """Of connectors that are sent to: a clear refusal, in the sender's form, that repeats nothing of the body."""
        connector = self.connector()
        if not isinstance(connector, Receives):
            return
        for body in (b"", b"{", b"[]", b"\xff\xfe\x00", b'{"data": "' + NOWHERE.encode() + b'"}'):
            try:
                received = connector.receive(body)
            except PermanentSourceError as error:
                _require(NOWHERE not in str(error), "the refusal repeats the body; it may hold personal data")
                json.dumps(connector.refusal(str(error)))
            else:
                _require(not received.contents, f"the body {body!r} is taken for a message")
                json.dumps(received.answer)

    def _tells_nothing(self, text: str) -> None:
        for secret in self.secrets:
            _require(secret not in text, "a secret of the settings comes through")
        for poison in self.poison:
            _require(poison not in text, "a personal field of the source comes through; drop it in fetch")


_VOCABULARIES: Final[dict[str, Sequence[Any]]] = {
    "kind": KINDS,
    "channel": CHANNELS,
    "source_verdict": SOURCE_VERDICTS,
    "status": [int(status) for status in Status],
}


def _require(holds: bool, failure: str) -> None:
    if not holds:
        raise AssertionError(failure)


def _batches(connector: Connector, cursor: Cursor | None) -> Iterator[Batch]:
    for page in connector.fetch(cursor):
        yield connector.normalise(page)


def _states(connector: Connector, cursor: Cursor | None) -> dict[str, Record]:
    return _fold(connector, list(connector.fetch(cursor)))


def _fold(connector: Connector, pages: Sequence[Page], before: dict[str, Record] | None = None) -> dict[str, Record]:
    """The last state told of each dossier; patches laid over what was told before them."""
    states = dict(before or {})
    for page in pages:
        batch = connector.normalise(page)
        for row in batch.records.iter_rows(named=True):
            told = {name: value for name, value in row.items() if value is not None or name in batch.clears}
            key = row["source_key"]
            states[key] = {**dict.fromkeys(RECORD_SCHEMA), **states.get(key, {}), **told} if batch.patch else row
    return states


def _same(expected: dict[str, Record], found: dict[str, Record], what: str) -> None:
    missing, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    _require(not missing, f"{what} misses {len(missing)} dossiers, among them {missing[:3]}")
    _require(not more, f"{what} gives {len(more)} dossiers more, among them {more[:3]}")
    for key, record in expected.items():
        differing = [name for name in RECORD_SCHEMA if record[name] != found[key][name]]
        _require(not differing, f"{what} tells {differing} of {key} otherwise")
