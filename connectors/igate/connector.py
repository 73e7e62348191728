"""The iGate connector: what is asked in which order, what is remembered, and how a page becomes records.

The search finds dossiers by status and by acceptance; it cannot be asked what changed. A run therefore lists all in an
open status, then those accepted since the last run, whatever their status; and once a day the acceptances of the whole
window, and what ended without one. A dossier that was open and is no longer listed is asked for again by the instant of its acceptance, so that its
end is known with the next run. The interface offers no way to ask for one dossier by its code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.http import Answer, HttpClient, open_client
from connectors.igate.options import IgateOptions
from connectors.igate.rows import flat
from connectors.igate.watch import Watch
from connectors.mapping_engine import Mapped, Mapper
from connectors.rest.cells import Cells
from connectors.rest.connector import first_rows
from connectors.rest.expressions import reader
from connectors.rest.paging import Ask
from connectors.rest.walk import Piece, Shape, Walk, gathered
from connectors.sweeping import SweepPlan, scope_of
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Batch
from tthc_monitor.domain.statuses import STATUS_LABELS, Status

NOT_CONTENT: Final = frozenset(
    {"url", "auth", "spec", "page_size", "window_days", "query_dates", "timeout_seconds", "attempts", "workers"}
    | {"requests_per_second", "max_answer_megabytes", "ca_file", "proxy", "proxy_username", "proxy_password"}
    | {"proxy_password_file", "proxy_password_env", "overlap", "sweep_every"}
)
"""Settings that decide how is asked, not what comes."""

_ORDER: Final = {"sort": "acceptedDate,asc"}
_WITHOUT_ACCEPTANCE: Final = (Status.REFUSED, Status.WITHDRAWN, Status.STOPPED)
"""Ends that a dossier may come to before it is accepted, where no question by acceptance finds it."""


class IgateConnector:
    """Reads the dossiers of one iGate."""

    Options: ClassVar[type[ConnectorOptions]] = IgateOptions

    def __init__(self, name: str, options: IgateOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._zone = ZoneInfo(options.zone)
        self._known = options.known_statuses()
        self._unit_codes = None if options.unit_codes is None else re.compile(options.unit_codes)
        with_key = options.applicant is not None and surroundings.applicant_key is not None
        self._applicant = reader(options.applicant) if options.applicant is not None and with_key else None
        self._mapper = Mapper(options.mapping(), surroundings.applicant_key)
        self._cells = Cells(options.mapping().source_columns)
        self._scope = scope_of(
            options, surroundings.applicant_key, beside=NOT_CONTENT, host=urlsplit(options.url).hostname
        )

    @property
    def provides(self) -> frozenset[str]:
        """What the records tell; the applicant's hash only when it is mapped and there is a key for it."""
        return self._mapper.provides

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of the kept fields; the last one is empty."""
        options, now = self._options, self._surroundings.now()
        plan = SweepPlan.begin(
            cursor, scope=self._scope, now=now, sweep_every=options.sweep_every, overlap=options.overlap
        )
        watch = Watch(cursor, self._known)
        with self._client() as client, ThreadPoolExecutor(options.workers) as pool:
            for question in self._questions(plan):
                yield from self._pages(client, pool, question, watch)
            for first, last in watch.left():
                question = {"accepted-from": self._written(first), "accepted-to": self._written(last)}
                yield from self._pages(client, pool, question, watch)
        place = f"/{options.path}"
        yield Page(
            self._cells.table([], place),
            place,
            {**plan.finished(now), **watch.to_keep(swept=plan.is_sweep)},
            listed_all=self._lists_all(plan, watch),
            gave_all=self._accepted_from(plan) is None,
        )

    def normalise(self, page: Page) -> Batch:
        """Canonical records of a page; a record with a malformed date is rejected alone."""
        return self.map(page).batch

    def map(self, page: Page) -> Mapped:
        """As :meth:`normalise`, with the counts of unknown codes."""
        return self._mapper.apply(page.content)

    def check(self) -> list[str]:
        """Try address and credentials, map the first records, and tell which statuses they have."""
        options = self._options
        with self._client() as client:
            piece, _ = self._walk(client, None, {}, None).first()
        if not piece.given:
            raise PermanentSourceError(
                f"{options.url} shows no dossier to client {options.auth.client_id}; check the rights of the account"
            )
        counted = "" if piece.total is None else f" of {piece.total}"
        lines = [
            f"{options.url} answers and accepts client {options.auth.client_id}",
            f"the first page gives {piece.given}{counted} dossiers",
            *first_rows(self._mapper, piece),
            *self._statuses_met(piece),
        ]
        if not options.open_numbers():
            lines.append("no open status is named under statuses, so every run lists everything; name them")
        unasked = [f"{status:d} ({STATUS_LABELS[status]})" for status in self._unasked_ends()]
        if options.window_days is not None and unasked:
            lines.append(
                f"statuses has no number that is {', '.join(unasked)}: a dossier that ends so before it is accepted is not "
                "found by a sweep of window_days; add the numbers, if there are any"
            )
        return lines

    def _statuses_met(self, piece: Piece) -> Iterator[str]:
        pairs = piece.table.frame.select("status", "source_status").drop_nulls().unique(maintain_order=True)
        for status, shown in pairs.rows():
            national = self._known.get(status.lower())
            read = "is not known; add its number to statuses" if national is None else f"is read as {national}"
            yield f"dossierStatus '{shown[:80]}' {read}"

    def _questions(self, plan: SweepPlan) -> Iterator[Mapping[str, str]]:
        options = self._options
        accepted_from = self._accepted_from(plan)
        if accepted_from is None:
            yield dict(_ORDER)
            return
        if options.open_numbers():
            yield {"dossier-status": ",".join(options.open_numbers()), **_ORDER}
        yield {"accepted-from": self._written(accepted_from), **_ORDER}
        ended = [key for key, value in options.statuses.items() if Status(value) in _WITHOUT_ACCEPTANCE]
        if plan.is_sweep and ended:
            yield {"dossier-status": ",".join(ended), **_ORDER}

    def _accepted_from(self, plan: SweepPlan) -> datetime | None:
        """The acceptance from which dossiers of every status are listed; None: all there are."""
        options = self._options
        if isinstance(plan.since, datetime) and options.open_numbers():
            return plan.since
        starts = []
        if options.since is not None:
            starts.append(datetime.combine(options.since, datetime.min.time(), self._zone))
        if options.window_days is not None and not plan.is_first and options.open_numbers():
            starts.append(plan.begun - timedelta(days=options.window_days))
        return max(starts, default=None)

    def _lists_all(self, plan: SweepPlan, watch: Watch) -> bool:
        """Whether every open dossier was given: certain of everything, else if nothing known is missing.

        In a sweep what is missing was asked for by its acceptance; what has none, by every end that comes without one,
        as far as their numbers are known.
        """
        if self._accepted_from(plan) is None:
            return True
        if not self._options.open_numbers():
            return False
        if plan.is_sweep:
            return not watch.never_accepted or not self._unasked_ends()
        return not watch.missing

    def _unasked_ends(self) -> list[Status]:
        """Ends without acceptance that no question can be asked for, because their number is not known."""
        return [status for status in _WITHOUT_ACCEPTANCE if status not in self._options.statuses.values()]

    def _pages(
        self, client: HttpClient, pool: ThreadPoolExecutor, question: Mapping[str, str], watch: Watch
    ) -> Iterator[Page]:
        for piece in gathered(self._walk(client, pool, question, watch).pieces()):
            if piece.table.frame.height or piece.table.broken:
                yield Page(self._mapper.veiled(piece.table), piece.table.location, total=piece.total)

    def _walk(
        self, client: HttpClient, pool: ThreadPoolExecutor | None, question: Mapping[str, str], watch: Watch | None
    ) -> Walk:
        options = self._options

        def send(ask: Ask) -> Answer:
            return client.get(options.path, {"spec": options.spec, **question, **dict(ask.params)})

        def prepare(records: list[Any]) -> list[Any]:
            found = [flat(record, self._known, self._unit_codes, self._applicant) for record in records]
            if options.agencies:
                found = [one for one in found if not isinstance(one, dict) or one["unit_code"] in options.agencies]
            if watch is not None:
                watch.saw(records)
                watch.kept(found)
            return found

        return Walk(
            send,
            options.paging,
            Shape("content", "totalElements" if options.spec == "page" else None),
            self._cells,
            place=f"/{options.path} {' '.join(f'{name}={value}' for name, value in question.items())}".strip(),
            key_columns=("code",),
            pool=pool,
            workers=options.workers,
            prepare=prepare,
        )

    def _written(self, instant: datetime) -> str:
        return instant.astimezone(self._zone).strftime(self._options.query_dates)

    @contextmanager
    def _client(self) -> Iterator[HttpClient]:
        options, surroundings = self._options, self._surroundings
        credentials = options.auth.credentials(surroundings.base_dir)
        with open_client(options, surroundings, options.url, credentials=credentials) as client:
            yield client
