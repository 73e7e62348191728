"""The OpenCPS connector: what is asked in which order, what is remembered, and how a page becomes records.

The server cannot be asked what changed. A run therefore lists all open dossiers, then those received, released and
delivered since the last run; once a day the ranges go back ``window_days``. The first run walks reception days from
``since`` (or from the oldest) and can be continued where it broke off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.http import Basic, HttpClient, Retries, read_secret
from connectors.opencps.history import History, as_list, read_history
from connectors.opencps.listing import OLDEST_DAY, PATH, Lister, Query
from connectors.opencps.options import OpencpsOptions
from connectors.opencps.rows import APPLICANT_HASH_COLUMN, HISTORY_COLUMNS, ROW_COLUMNS, RowReader, strip, text
from connectors.opencps.state import Run, scope_of
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Batch
from tthc_monitor.domain.statuses import ENDED

NOT_AUTHENTICATED: Final = frozenset({203, 401})
NO_HISTORY: Final = frozenset({403, 404})
_OFFICE_HOURS: Final = range(6, 19)
_OFFICE_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")


class OpencpsConnector:
    """Reads one site (groupId) of an OpenCPS v2 server."""

    Options: ClassVar[type[ConnectorOptions]] = OpencpsOptions

    def __init__(self, name: str, options: OpencpsOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._zone = ZoneInfo(options.zone)
        self._reader = RowReader(options)
        self._statuses = options.all_statuses()
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
        now = self._surroundings.now()
        run = Run.begin(cursor, self._scope, now, self._zone)
        counted = rows_listed = 0
        with self._client() as client, ThreadPoolExecutor(self._options.history_workers) as pool:
            lister = Lister(client, self._options, run.today, pool)
            for query in self._queries(run):
                total = 0
                for piece in lister.walk(query):
                    total = piece.total
                    rows = [row for row in piece.rows if self._within(row, query)]
                    rows_listed += len(rows)
                    stripped = [strip(row, self._surroundings.applicant_key) for row in rows]
                    fresh = [row for row in stripped if run.is_news(row)]
                    content: dict[str, Any] = {"data": fresh}
                    if self._options.fetch_history:
                        content["histories"] = self._histories(client, pool, run, fresh)
                    resume = None
                    if run.is_first and query.field == "Receive" and piece.complete_through is not None:
                        resume = run.unfinished(piece.complete_through)
                    if fresh or resume is not None:
                        yield Page(content, piece.location, resume, counted + total)
                counted += total
        if run.is_first and not rows_listed and not run.is_continued:
            raise self._nothing_visible()
        yield Page({"data": []}, PATH, run.finished(), counted, listed_all=True)

    def normalise(self, page: Page) -> Batch:
        """Canonical records of a page; a row with a malformed date is rejected alone."""
        packed = page.content.get("histories")
        known: dict[str, History | None] = {}
        if packed is not None:
            known = {key: None if value is None else History.unpacked(value) for key, value in packed.items()}
        return self._reader.read(as_list(page.content.get("data")), known, page.location)

    def check(self) -> list[str]:
        """Try address, credentials, site id, history and the server's time zone."""
        today = self._surroundings.now().astimezone(self._zone).date()
        with self._client() as client, ThreadPoolExecutor(1) as pool:
            rows, total = Lister(client, self._options, today, pool).first_page(Query())
            found = [f"{self._options.url} answers and accepts user {self._options.username}"]
            own = [row for row in rows if isinstance(row, dict) and self._within(row, Query())]
            if not own:
                raise self._nothing_visible()
            found.append(f"site {self._options.group_id} shows {total} dossiers to this account")
            if self._options.fetch_history:
                answer = client.get_json(f"{PATH}/{own[0].get('dossierId')}/sequences", absent=NO_HISTORY)
                found.append(
                    "the step history can be read"
                    if answer is not None
                    else "the step history of the first dossier cannot be read; supplement requests may stay unknown"
                )
        found.append(self._check_hours(own))
        return found

    def _check_hours(self, rows: list[Any]) -> str:
        moments = [moment for row in rows if (moment := self._local(row.get("receiveDate"))) is not None]
        inside = sum(moment.astimezone(_OFFICE_ZONE).hour in _OFFICE_HOURS for moment in moments)
        share = f"{inside} of {len(moments)} receptions lie between 06:00 and 19:00"
        if len(moments) >= 20 and inside < 0.8 * len(moments):
            raise PermanentSourceError(
                f"only {share} when read as {self._options.zone}: the server seems to write another time zone; "
                "set zone to the server's own (UTC, say)"
            )
        return f"{share}, so zone {self._options.zone} fits"

    @contextmanager
    def _client(self) -> Iterator[HttpClient]:
        options, base_dir = self._options, self._surroundings.base_dir
        password = read_secret("password", options.password, options.password_file, options.password_env, base_dir)
        with HttpClient(
            options.url,
            credentials=Basic(options.username, password),
            headers={"groupId": options.group_id},
            timeout_seconds=options.timeout_seconds,
            retries=Retries(attempts=options.attempts),
            ca_file=base_dir / options.ca_file if options.ca_file else None,
            not_authenticated=NOT_AUTHENTICATED,
        ) as client:
            yield client

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

    def _within(self, row: Any, query: Query) -> bool:
        """Filter again: the server's filters are text searches and may give more than was asked."""
        if not isinstance(row, dict):
            return True
        options = self._options
        return (
            (not query.statuses or row.get("dossierStatus") in query.statuses)
            and (text(row.get("groupId")) or options.group_id) == options.group_id
            and (text(row.get("systemId")) or options.system_ids[0]) in options.system_ids
            and (text(row.get("originality")) or options.originality[0]) in options.originality
            and (not options.agencies or text(row.get("govAgencyCode")) in options.agencies)
        )

    def _histories(
        self, client: HttpClient, pool: ThreadPoolExecutor, run: Run, rows: list[dict[str, Any]]
    ) -> dict[str, list[int | None] | None]:
        keyed = {key: row for row in rows if (key := text(row.get("dossierId")))}
        wanted = [key for key, row in keyed.items() if self._history_due(run, key, row)]

        def ask(key: str) -> History | None:
            answer = client.get_json(f"{PATH}/{key}/sequences", absent=NO_HISTORY)
            if answer is None:
                return None
            received = self._local(keyed[key].get("receiveDate"))
            return read_history(
                answer,
                self._options.waiting_steps,
                received_ms=None if received is None else round(received.timestamp()) * 1000,
                step=text(keyed[key].get("stepCode")),
            )

        for key, history in zip(wanted, pool.map(ask, wanted), strict=True):
            run.learn(key, history)
        old = run.today - timedelta(days=self._options.window_days + 2)
        for key, row in keyed.items():
            acted = self._local(row.get("lastActionDate"))
            if row.get("dossierStatus") in self._options.terminal_statuses and acted is not None and acted.date() < old:
                run.forget(key)
        return {key: None if (one := run.known(key)) is None else one.packed() for key in keyed}

    def _history_due(self, run: Run, key: str, row: Mapping[str, Any]) -> bool:
        acted = self._local(row.get("lastActionDate"))
        run.saw_action(acted)
        if acted is None or run.may_have_changed(acted):
            return True
        if not run.knows(key):
            return not (self._has_ended(row) and run.keep_early(key))
        known = run.known(key)
        if known is None:
            return run.is_wide
        return (text(row.get("stepCode")) in self._options.waiting_steps) != known.waits

    def _has_ended(self, row: Mapping[str, Any]) -> bool:
        codes = (text(row.get("dossierSubStatus")), text(row.get("dossierStatus")))
        return next((self._statuses[code] for code in codes if code in self._statuses), None) in ENDED

    def _local(self, value: Any) -> datetime | None:
        try:
            return datetime.strptime(str(value), "%d/%m/%Y %H:%M:%S").replace(tzinfo=self._zone)
        except ValueError:
            return None

    def _nothing_visible(self) -> PermanentSourceError:
        return PermanentSourceError(
            f"site {self._options.group_id} at {self._options.url} shows no dossier to user {self._options.username}; "
            "check group_id, agencies and the account's scope"
        )
