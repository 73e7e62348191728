"""The ``rest`` connector: asks for the list that the settings describe, and maps its records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.http import Answer, HttpClient, open_client
from connectors.mapping_engine import Mapped, Mapper
from connectors.rest.cells import Cells, record_list
from connectors.rest.details import ABSENT, Prepares, path_of, with_details
from connectors.rest.expressions import ExpressionError, reader
from connectors.rest.options import Changes, RestOptions
from connectors.rest.paging import Ask
from connectors.rest.walk import Piece, Send, Shape, Walk, gathered
from connectors.sweeping import ChangesOptions, SweepPlan, scope_of
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.records import Batch

NOT_CONTENT: Final = frozenset(
    {"url", "auth", "paging", "steady", "total", "total_header", "look", "timeout_seconds", "attempts"}
    | {"workers", "requests_per_second", "max_answer_megabytes", "ca_file", "proxy", "proxy_username"}
    | {"proxy_password", "proxy_password_file", "proxy_password_env"}
)
"""Settings that decide how is asked, not what comes; of the address only the host does, and headers may name an office."""


class RestConnector:
    """Reads one list of a JSON interface; only what the mapping names leaves an answer.

    Where the settings tell how to ask for one dossier, it also offers ``look`` (see
    :class:`~connectors.base.LooksDirectly`).
    """

    Options: ClassVar[type[ConnectorOptions]] = RestOptions

    def __init__(self, name: str, options: RestOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._mapper = Mapper(options, surroundings.applicant_key)
        self._cells = Cells(options.source_columns, _silent(options, surroundings.applicant_key))
        self._shape = Shape(options.records, options.total, options.total_header)
        self._zone = ZoneInfo(options.zone or "UTC")
        if options.look is not None:
            self.look = self._look

    @property
    def provides(self) -> frozenset[str]:
        """The columns that the mapping fills."""
        return self._mapper.provides

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """The list page by page; with ``changes``, what changed since the cursor, and now and then everything.

        A list that comes in one answer is not given again while the source says that it is as it was.

        Raises:
            TransientSourceError: the source failed in a way that passes.
            PermanentSourceError: it refuses, ignores the paging, cuts the list, or answers in another shape.
            ConfigError: a secret cannot be read.
        """
        options, now = self._options, self._surroundings.now()
        changes = options.changes or ChangesOptions()
        plan = SweepPlan.begin(
            cursor,
            scope=scope_of(
                options, self._surroundings.applicant_key, beside=NOT_CONTENT, host=urlsplit(options.url).hostname
            ),
            now=now,
            sweep_every=changes.sweep_every,
            overlap=changes.overlap,
        )
        if not isinstance(changes, Changes):
            known = {} if plan.is_sweep or cursor is None else cursor.get("validators", {})
            yield from self._pages({}, plan.finished(now), swept=True, known=known)
            return
        asked: dict[str, str | int] = {}
        if isinstance(plan.since, datetime):
            asked = {**changes.params, changes.from_param: changes.written_start(plan.since, self._zone)}
            if changes.to_param is not None:
                asked[changes.to_param] = changes.written(now, self._zone)
        yield from self._pages(asked, plan.finished(now), swept=plan.is_sweep)

    def normalise(self, page: Page) -> Batch:
        """Turn a page into canonical records and rejects; see :mod:`connectors.mapping_engine` for the rules."""
        return self.map(page).batch

    def map(self, page: Page) -> Mapped:
        """As :meth:`normalise`, with the counts of unknown codes."""
        return self._mapper.apply(page.content)

    def check(self) -> list[str]:
        """Ask for the first page, and map its records; nothing is kept.

        Raises:
            TthcError: the first thing that is wrong, with what to do; ConfigError when no record of it can be read.
        """
        options = self._options
        with self._client() as client:
            piece, answer = self._walk(self._sender(client, {}), None, self._prepares(client, None)).first()
            base = _address(options)
            following = options.paging.following(options.paging.first_ask(), answer, piece.given, base)
        lines = [f"{options.url} answers" + ("" if options.auth is None else " and accepts the credentials")]
        counted = "" if piece.total is None else f" of {piece.total}"
        lines.append(f"the first page gives {piece.given}{counted} records, and {_more(following)}")
        return lines + first_rows(self._mapper, piece)

    def _pages(
        self,
        asked: Mapping[str, str | int],
        cursor: Cursor | None,
        *,
        swept: bool,
        known: Mapping[str, str] | None = None,
    ) -> Iterator[Page]:
        """Pages, the last with the cursor; ``swept``: everything is asked for; ``known`` are validators of a whole list that may still be as it was."""
        waiting: Page | None = None
        with self._client() as client, ThreadPoolExecutor(self._options.workers) as pool:
            send = self._sender(client, asked)
            if known is not None:
                whole = self._whole(client, known)
                if whole is not None and whole.unmodified:
                    return
                if whole is not None:
                    send = _first(whole, send)
                cursor = {**(cursor or {}), "validators": whole.validators} if whole and whole.validators else None
            walk = self._walk(send, pool, self._prepares(client, pool), thorough=swept)
            for piece in gathered(walk.pieces()):
                if waiting is not None:
                    yield waiting
                waiting = Page(self._mapper.veiled(piece.table), piece.table.location, total=piece.total)
        if waiting is not None:
            listed_all = swept and self._options.lists_all_open
            yield replace(waiting, cursor=cursor, listed_all=listed_all, gave_all=swept)

    def _whole(self, client: HttpClient, known: Mapping[str, str]) -> Answer | None:
        """The answer that is the whole list, empty while it is as it was; None where there are pages."""
        options = self._options
        if options.paging.by != "none" or options.method != "GET":
            return None
        return client.get(options.path, options.params, validators=known)

    def _sender(self, client: HttpClient, asked: Mapping[str, str | int]) -> Send:
        options = self._options

        def send(ask: Ask) -> Answer:
            changing = {**asked, **dict(ask.params)}
            if options.method == "POST":
                query = f"?{urlencode(options.params)}" if options.params else ""
                return Answer(client.post_json(options.path + query, filled(options.body or {}, changing)))
            if ask.url is not None:
                return client.get(ask.url)
            return client.get(options.path, {**options.params, **changing})

        return send

    def _prepares(self, client: HttpClient, pool: ThreadPoolExecutor | None) -> Prepares | None:
        detail = self._options.detail
        return None if detail is None else with_details(client, detail, self._options.params, pool)

    def _walk(
        self, send: Send, pool: ThreadPoolExecutor | None, prepare: Prepares | None, *, thorough: bool = False
    ) -> Walk:
        options = self._options
        return Walk(
            send,
            options.paging,
            self._shape,
            self._cells,
            place=f"/{options.path.lstrip('/')}",
            key_columns=options.columns["source_key"].sources,
            base=_address(options),
            steady=options.steady,
            pool=pool,
            workers=options.workers,
            prepare=prepare,
            thorough=thorough,
        )

    def _look(self, keys: Sequence[str]) -> Iterator[Page]:
        """Ask for single dossiers; a source that answers 404 or 410, or with nothing, does not have one."""
        look = self._options.look
        assert look is not None
        records = reader(look.records)
        with self._client() as client:
            prepare = self._prepares(client, None)
            for key in keys:
                content = client.get_json(path_of(look.path, key), self._options.params, absent=ABSENT)
                if content is None:
                    continue
                try:
                    found = records(content)
                except ExpressionError as error:
                    raise PermanentSourceError(str(error)) from None
                rows = [found] if isinstance(found, dict) else record_list(found, look.records)
                if rows:
                    rows = rows if prepare is None else prepare(rows)
                    location = f"/{look.path.lstrip('/')}"
                    yield Page(self._mapper.veiled(self._cells.table(rows, location)), location)

    @contextmanager
    def _client(self) -> Iterator[HttpClient]:
        options, surroundings = self._options, self._surroundings
        credentials = None if options.auth is None else options.auth.credentials(surroundings.base_dir)
        with open_client(
            options, surroundings, options.url, credentials=credentials, headers=options.headers
        ) as client:
            yield client


def _first(answer: Answer, send: Send) -> Send:
    """Gives an answer that is there already to the first question, and asks the others."""
    ready = [answer]
    return lambda ask: ready.pop() if ready else send(ask)


def filled(body: Mapping[str, Any], changing: Mapping[str, str | int]) -> dict[str, Any]:
    """A copy of a body with parameters put into it; a name with dots means objects within objects."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    for name, value in changing.items():
        *outer, last = name.split(".")
        place = copy
        for part in outer:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[last] = value
    return copy


def first_rows(mapper: Mapper, piece: Piece) -> list[str]:
    """What a check says of the rows of a first page.

    Raises:
        ConfigError: there are rows, and none can be read.
    """
    mapped = mapper.apply(piece.table)
    if mapped.rows_read and not mapped.records.height:
        first = mapped.rejects[0]
        column = f", {first.column}" if first.column else ""
        raise ConfigError(f"{first.location}, record {first.row}{column}: {first.reason} (no row could be read)")
    lines = [f"{mapped.records.height} of these {mapped.rows_read} records can be read"] if mapped.rows_read else []
    lines += [f"record {r.row} would be refused: {r.column or 'all of it'} {r.reason}" for r in mapped.rejects[:3]]
    frame = piece.table.frame
    if frame.height:
        empty = [name for name in frame.columns if frame[name].null_count() == frame.height]
        lines += [f"'{name}' finds nothing in any of these records; see that this is right" for name in empty]
    return lines + [
        f"{field} does not know '{value[:80]}' ({rows} of these records)"
        for (field, value), rows in mapped.unknown.items()
    ]


def _more(following: Ask | None) -> str:
    return "there are no more" if following is None else "leads on to the next"


def _address(options: RestOptions) -> str:
    return f"{options.url}/{options.path.lstrip('/')}"


def _silent(options: RestOptions, applicant_key: bytes | None) -> frozenset[str]:
    """Expressions that only the applicant's hash would need, when there is no key for it."""
    if applicant_key is not None:
        return frozenset()
    used = {item for name, spec in options.columns.items() if name != "applicant_hash" for item in spec.sources}
    return frozenset(set(options.source_columns) - used)
