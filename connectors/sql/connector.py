"""The ``sql`` connector: pages of a query in the order of its key, changes since the last fetch, direct looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.mapping_engine import EXCERPT, Mapped, Mapper
from connectors.raw_table import RawTable, clean_header
from connectors.sql.address import find_address
from connectors.sql.cells import table_of
from connectors.sql.flavour import Kind
from connectors.sql.keys import forms
from connectors.sql.matching import matched
from connectors.sql.options import BESIDE, SqlOptions
from connectors.sql.query import checked_query
from connectors.sql.session import Session, open_session
from connectors.sql.statements import Column, Statements
from connectors.sweeping import SweepPlan, scope_of
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError
from tthc_monitor.domain.records import Batch, Reject

LOCATION: Final = "query"
_NAMING: Final = ("source_key", "code")
"""Fields that name a dossier to people: key columns that are read into them may stand in a reject."""
_LOOK_KEYS: Final = 300
_CHECK_ROWS: Final = 200
_FEW: Final = 10
"""So many rows may come and go while the rows are read without a snapshot, or a hundredth of them."""
_MANY: Final = 1_000
"""So many rows beside twice those counted are certainly the same ones again."""


@dataclass(frozen=True)
class _Rows:
    """Rows of one question; ``keys`` tell people which they are, where the key is a column that may be shown."""

    table: RawTable
    first_row: int
    keys: Sequence[str]


class SqlConnector:
    """Reads a database by the query of its options; of the query's columns only mapped ones are asked for."""

    Options: ClassVar[type[ConnectorOptions]] = SqlOptions

    def __init__(self, name: str, options: SqlOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._mapper = Mapper(options, surroundings.applicant_key)
        self._zone = ZoneInfo(options.zone or "UTC")

    @property
    def provides(self) -> frozenset[str]:
        """The columns that the mapping fills."""
        return self._mapper.provides

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Give the query's rows in the order of the key: those changed since the cursor, or all when a sweep is due.

        All pages of a fetch tell one state where the server has snapshots: that of the server's clock from before the
        first question, or of how far a standby had come then. The cursor, on the last page, is that instant.

        Raises:
            TransientSourceError: the server is away, too busy, or stopped a question.
            PermanentSourceError: it refuses us, or the key does not identify its rows.
            ConfigError: the driver is missing, or query, key, cursor or mapping do not fit each other.
        """
        options = self._options
        with self._session() as (session, statements):
            plan = SweepPlan.begin(
                cursor if options.cursor is not None else None,
                scope=scope_of(options, self._surroundings.applicant_key, beside=BESIDE),
                now=self._surroundings.now(),
                sweep_every=options.sweep_every,
                overlap=options.overlap,
                clock=session.snapshot.now,
            )
            since = plan.since
            assert since is None or not isinstance(since, (int, str))
            total = _counted(session, statements, since)
            upto = None if options.cursor is None else plan.finished(session.snapshot.now)
            read, after = 0, None
            while True:
                rows = session.ask(statements.page(since, after, options.page_rows))
                page = self._page(rows, statements, read + 1, total, session.snapshot.now)
                read += len(rows)
                if len(rows) < options.page_rows:
                    break
                if read > total + (0 if session.snapshot.consistent else total + _MANY):
                    # Rows come again and again; without this it would never end.
                    raise _other_than_counted(session, read, total)
                after = rows[-1][len(statements.wanted) :]
                yield page
            _all_given(session, statements, since, read, total)
            swept = plan.is_sweep
            yield replace(page, cursor=upto, listed_all=options.lists_all_open and swept, gave_all=swept)

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        """Ask for dossiers by their source keys, a few hundred at a time.

        Raises:
            TransientSourceError: see :meth:`fetch`.
            PermanentSourceError: see :meth:`fetch`.
            ConfigError: see :meth:`fetch`.
        """
        with self._session() as (session, statements):
            for first in range(0, len(keys), _LOOK_KEYS):
                missing = list(keys[first : first + _LOOK_KEYS])
                for trimmed in (False, True):
                    wanted = self._wanted(missing, statements, texts_only=trimmed)
                    if not wanted:
                        continue
                    rows = session.ask(statements.among(wanted, trimmed=trimmed))
                    page = self._page(rows, statements, 1, None, session.snapshot.now)
                    yield page
                    given = set(self.normalise(page).records["source_key"])
                    missing = [key for key in missing if key not in given]

    def normalise(self, page: Page) -> Batch:
        """Turn a page into canonical records and rejects; see :mod:`connectors.mapping_engine` for the rules."""
        return self.map(page).batch

    def map(self, page: Page) -> Mapped:
        """As :meth:`normalise`, with the counts of unknown codes."""
        rows: _Rows = page.content
        mapped = self._mapper.apply(rows.table)
        if not rows.keys:
            return mapped
        return replace(mapped, rejects=tuple(_located(item, rows) for item in mapped.rejects))

    def check(self) -> list[str]:
        """Connect, look at the account's rights, run the query for some rows and map them; nothing is kept.

        Raises:
            TthcError: the first thing that is wrong, with what to do; ConfigError when no row of a sample can be read.
        """
        with self._session() as (session, statements):
            lines = [
                f"{session.address.shown}: connected, its clock shows {session.snapshot.now.astimezone(UTC):%FT%TZ}"
            ]
            if not session.snapshot.consistent:
                lines.append(
                    "the database allows no snapshots: rows that change during a pull are read as they are by then "
                    "(ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON would mend it)"
                )
            rights = session.rights()
            lines.append(
                f"warning: the account may change {', '.join(rights[:8])}; give it the right to SELECT only"
                if rights
                else "the account can only read"
            )
            total = _counted(session, statements, None)
            rows = session.ask(statements.page(None, None, _CHECK_ROWS))
        columns = ", ".join(self._mapper.source_columns)
        lines.append(f"{total} rows; {len(self._mapper.source_columns)} columns matched: {columns}")
        mapped = self.map(self._page(rows, statements, 1, total, session.snapshot.now))
        if mapped.rows_read and not mapped.records.height:
            first = mapped.rejects[0]
            column = f", column {first.column}" if first.column else ""
            raise ConfigError(f"{first.location}, row {first.row}{column}: {first.reason} (no row could be read)")
        lines.append(f"{mapped.records.height} of the first {mapped.rows_read} rows can be read")
        lines += [
            f"{item.location}, row {item.row}, would be refused: {item.column}: {item.reason}"
            for item in mapped.rejects[:3]
        ]
        lines += [
            f"{field} does not know '{value[:80]}' ({count} of these rows)"
            for (field, value), count in mapped.unknown.items()
        ]
        return lines

    # -- the source ----------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[tuple[Session, Statements]]:
        options = self._options
        address = find_address(
            options.url,
            options.url_file,
            options.url_env,
            options.password,
            options.password_file,
            options.password_env,
            self._surroundings.base_dir,
        )
        try:
            query = checked_query(options.query, address.flavour)
        except ValueError as error:
            raise ConfigError(f"query {error}") from None
        with open_session(address, self._zone, options.statement_timeout) as session:
            yield session, matched(session, query, options, self._mapper.source_columns)

    def _page(
        self,
        rows: Sequence[Sequence[Any]],
        statements: Statements,
        first_row: int,
        total: int | None,
        as_of: datetime,
    ) -> Page:
        table = table_of(
            rows,
            list(zip(self._mapper.source_columns, statements.wanted, strict=True)),
            location=LOCATION,
            first_row=first_row,
            zone=self._zone,
            null_values=self._options.null_values,
        )
        shown = {clean_header(name) for field in _NAMING for name in self._sources(field)}
        named = {
            item.name
            for name, item in zip(self._mapper.source_columns, statements.wanted, strict=True)
            if name in shown
        }
        known = all(item.name in named for item in statements.key)
        keys = [_shown(row[len(statements.wanted) :]) for row in rows] if known else []
        return Page(_Rows(self._mapper.veiled(table), first_row, keys), LOCATION, total=total, as_of=as_of)

    def _sources(self, field: str) -> Sequence[str]:
        spec = self._options.columns.get(field)
        return () if spec is None else spec.sources

    def _wanted(
        self, keys: Sequence[str], statements: Statements, *, texts_only: bool
    ) -> list[tuple[Column, Sequence[Any]]]:
        """What to look for in which columns, for dossiers with these keys."""
        names = {clean_header(name) for name in self._sources("source_key")}
        found: list[tuple[Column, Sequence[Any]]] = []
        for name, item in zip(self._mapper.source_columns, statements.wanted, strict=True):
            if name in names and not (texts_only and item.kind is not Kind.TEXT):
                values = [value for key in keys for value in forms(key, item.kind)]
                if values:
                    found.append((item, values))
        return found


def _counted(session: Session, statements: Statements, since: Any) -> int:
    """How many rows a fetch has; each must have a key of its own.

    Raises:
        PermanentSourceError: two rows share a key, or a key is incomplete.
    """
    [(total, most, incomplete)] = session.ask(statements.count(since))
    names = ", ".join(item.name for item in statements.key)
    if incomplete is not None and int(incomplete):
        raise PermanentSourceError(
            f"the key ({names}) is empty in some row of the query; name columns that are never empty, or leave such rows out"
        )
    if most is not None and int(most) > 1:
        raise PermanentSourceError(
            f"the key ({names}) does not identify the rows: {int(most)} rows share one; add a column to 'key', or correct "
            "the query (a join that repeats rows, say)"
        )
    return int(total or 0)


def _all_given(session: Session, statements: Statements, since: datetime | None, read: int, total: int) -> None:
    """Compare what was read with what was counted; without a snapshot rows come and go between the two.

    Then it is counted once more, and a few rows more or less are believed where the two counts differ.

    Raises:
        TransientSourceError: more or fewer came than can be.
    """
    counts, few = (total, total), 0
    if not session.snapshot.consistent:
        counts = (total, _counted(session, statements, since))
        few = 0 if counts[0] == counts[1] else max(_FEW, total // 100)
    if not min(counts) - few <= read <= max(counts) + few:
        raise _other_than_counted(session, read, total)


def _other_than_counted(session: Session, read: int, total: int) -> TransientSourceError:
    return TransientSourceError(
        f"{session.address.shown} gave {read} rows where it had counted {total}; it is tried again. If it goes on, name "
        "columns in 'key' that the server orders as it compares them"
    )


def _shown(key: Sequence[Any]) -> str:
    texts = (item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in key)
    return " / ".join(text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:EXCERPT] for text in texts)


def _located(reject: Reject, rows: _Rows) -> Reject:
    if reject.row is None:
        return reject
    return replace(reject, location=f"{reject.location}, {rows.keys[reject.row - rows.first_row]}")
