"""The OpenCPS connector: what is asked in which order, what is remembered, and how a page becomes records.

The server cannot be asked what changed. A run therefore lists all open dossiers, then those received, released and
delivered since the last run; once a day the ranges go back ``window_days``. The first run walks reception days from
``since`` (or from the oldest) and can be continued where it broke off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.http import Basic, HttpClient, open_client, read_secret
from connectors.opencps.answers import Row, kept_of, read_detail, text
from connectors.opencps.check import check_site, nothing_visible
from connectors.opencps.histories import Histories
from connectors.opencps.history import History
from connectors.opencps.listing import OLDEST_DAY, PATH, Lister, Piece, Query
from connectors.opencps.membership import Membership
from connectors.opencps.options import OpencpsOptions
from connectors.opencps.rows import APPLICANT_HASH_COLUMN, HISTORY_COLUMNS, NOT_IN_DETAIL, ROW_COLUMNS, RowReader
from connectors.opencps.state import Run, scope_of
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Batch

NOT_AUTHENTICATED: Final = frozenset({203, 401})
ABSENT: Final = frozenset({204, 403, 404})
"""Answers to the question for one dossier that is not there; the server has no better word for it than 403."""
_ROWS_A_PAGE: Final = 5_000
"""Rows that are normalised together where nothing but the list is read: the fixed cost of a page is many rows' worth."""
_LOOKS_A_PAGE: Final = 200


class OpencpsConnector:
    """Reads one site (groupId) of an OpenCPS v2 server."""

    Options: ClassVar[type[ConnectorOptions]] = OpencpsOptions

    def __init__(self, name: str, options: OpencpsOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._zone = ZoneInfo(options.zone)
        self._reader = RowReader(options)
        self._membership = Membership(options)
        self._scope = scope_of(options, surroundings.applicant_key)

    @property
    def provides(self) -> frozenset[str]:
        """What rows tell, and histories when they are read; the applicant's hash only when there is a key for it.

        An applicant's request to withdraw is told, but that there is none says nothing: the status ``unresolved`` is
        used for dossiers that the office itself gives back.
        """
        keyed = {APPLICANT_HASH_COLUMN} if self._surroundings.applicant_key is not None else set()
        return (
            (ROW_COLUMNS - {"stop_requested_at"})
            | keyed
            | (HISTORY_COLUMNS if self._options.fetch_history else frozenset())
        )

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of whitelisted rows with the histories of their dossiers; the last page is empty.

        Every run lists all dossiers in an open status, whatever its cursor.
        """
        run = Run.begin(cursor, self._scope, self._surroundings.now(), self._zone)
        counted = 0
        seen_any = False
        with self._session() as (client, pool):
            lister = Lister(client, self._options, run.today, pool, self._surroundings.applicant_key)
            histories = Histories(client, pool, self._options) if self._options.fetch_history else None
            for query in self._queries(run):
                total = 0
                for piece in self._gathered(lister.walk(query)):
                    total = piece.total
                    rows = piece.rows.at(self._membership.places(piece.rows.read, query.statuses))
                    seen_any = seen_any or bool(rows)
                    keys = [None if row is None else text(row.dossier_id) for row in rows.read]
                    fresh = rows.at(run.news(keys, rows.states))
                    content: dict[str, Any] = {"rows": fresh.kept}
                    if histories is not None:
                        content["histories"] = histories.news(run, [row for row in fresh.read if row is not None])
                    resume = None
                    if run.is_first and query.field == "Receive" and piece.complete_through is not None:
                        resume = run.unfinished(piece.complete_through)
                    if content["rows"] or resume is not None:
                        yield Page(content, piece.location, resume, counted + total)
                counted += total
        if run.is_first and not seen_any and not run.is_continued:
            raise nothing_visible(self._options)
        yield Page({"rows": []}, PATH, run.finished(), counted, listed_all=True)

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        """Ask for single dossiers, whatever their state. What was deleted, or is refused, is in no page.

        The server answers 403 both to a dossier that is not there and to a caller who may not see it. So where one is
        missing, a dossier that is listed is asked for too; when even that one is refused, nothing is said at all.
        """
        prefix, applicant_key = f"{self._options.group_id}/", self._surroundings.applicant_key
        numbers = iter([key.removeprefix(prefix) for key in keys if key.startswith(prefix)])
        with self._session() as (client, pool):
            histories = Histories(client, pool, self._options) if self._options.fetch_history else None
            may_look = False
            while asked := list(islice(numbers, _LOOKS_A_PAGE)):
                answers = list(pool.map(lambda number: self._detail(client, number), asked))
                rows = [row for row in answers if row is not None]
                if len(rows) < len(asked) and not may_look:
                    may_look = bool(rows) or self._can_look(client, pool)
                content: dict[str, Any] = {"rows": kept_of(rows, applicant_key), "are_details": True}
                if histories is not None:
                    content["histories"] = histories.of(rows)
                if rows:
                    yield Page(content, f"{PATH}/{asked[0]}")

    def normalise(self, page: Page) -> Batch:
        """Canonical records of a page; a row with a malformed date is rejected alone.

        What a dossier's own page does not tell, its sector, stays as it was listed.
        """
        packed = page.content.get("histories")
        known: dict[str, History | None] = {}
        if packed is not None:
            known = {key: None if value is None else History.unpacked(value) for key, value in packed.items()}
        batch = self._reader.read(page.content["rows"], known, page.location)
        if not page.content.get("are_details"):
            return batch
        read = HISTORY_COLUMNS if known and None not in known.values() else frozenset()
        return replace(batch, patch=True, clears=(ROW_COLUMNS - NOT_IN_DETAIL) | read)

    def check(self) -> list[str]:
        """Try address, credentials, site id, history, single dossiers, statuses and the server's time zone."""
        today = self._surroundings.now().astimezone(self._zone).date()
        with self._session() as (client, pool):
            return check_site(client, pool, self._options, today)

    def _gathered(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Small pieces as one, where nothing is asked between them."""
        if self._options.fetch_history:
            yield from pieces
            return
        gathered: Piece | None = None
        for piece in pieces:
            gathered = piece if gathered is None else piece.after(gathered)
            if len(gathered.rows) >= _ROWS_A_PAGE or gathered.complete_through is not None:
                yield gathered
                gathered = None
        if gathered is not None:
            yield gathered

    def _detail(self, client: HttpClient, number: str) -> Row | None:
        row: Row | None = client.get_json(f"{PATH}/{number}", absent=ABSENT, parse=read_detail)
        return row if row is not None and self._membership.is_of_site(row) else None

    def _can_look(self, client: HttpClient, pool: ThreadPoolExecutor) -> bool:
        today = self._surroundings.now().astimezone(self._zone).date()
        rows, _ = Lister(client, self._options, today, pool).first_page(Query())
        number = next((key for row in rows if row is not None and (key := text(row.dossier_id))), None)
        if number is None or self._detail(client, number) is None:
            raise PermanentSourceError(
                f"user {self._options.username} may not ask {self._options.url} for single dossiers, so whether some are "
                "gone cannot be told; ask for the right to read a dossier's details for this account"
            )
        return True

    @contextmanager
    def _session(self) -> Iterator[tuple[HttpClient, ThreadPoolExecutor]]:
        options, base_dir = self._options, self._surroundings.base_dir
        password = read_secret("password", options.password, options.password_file, options.password_env, base_dir)
        with (
            open_client(
                options,
                self._surroundings,
                options.url,
                credentials=Basic(options.username, password),
                headers={"groupId": options.group_id},
                not_authenticated=NOT_AUTHENTICATED,
            ) as client,
            ThreadPoolExecutor(options.workers) as pool,
        ):
            yield client, pool

    def _queries(self, run: Run) -> Iterator[Query]:
        options, last = self._options, run.today + timedelta(days=1)
        open_ones = Query(options.open_statuses())
        if run.is_first:
            start = run.resume_day or options.since or OLDEST_DAY
            yield Query((), "Receive", min(start, last), last)
            yield open_ones
            if options.since is None:  # whatever was received has been listed; what never was can only be refused
                refused = tuple(code for code in options.terminal_statuses if code != "done")
                yield Query(refused, "Release", OLDEST_DAY, last)
                return
            first = options.since
        else:
            yield open_ones
            first = run.changes_from(options.window_days)
            yield Query((), "Receive", first, last)
        yield Query((), "Release", first, last)
        yield Query((), "Finish", first, last)
