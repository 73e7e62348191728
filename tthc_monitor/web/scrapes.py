"""Answers scrapes: those that come at once share one reading, which began after all of them had come.

Readings have a thread of their own, so that neither pages keep scrapes waiting nor scrapes those who send to us. Limits
of statements are kept by the server, and one that stands still keeps none: then scrapes are told so without the reading.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tthc_monitor.domain.calendar_decreed import decreed_until
from tthc_monitor.expectations import jobs_expected_by, newest_morning, sources_expected_by
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import all_jobs
from tthc_monitor.outputs.metrics import CONTENT_TYPE, Expectations, Exposition, Rendered, ScrapeSettings

_PATIENCE_SECONDS: Final = 8.0
"""So long a scrape waits for its reading; Prometheus waits for ten seconds."""


def scrape_settings(installation: Installation) -> ScrapeSettings:
    """What the settings of an installation have to tell to a scrape."""
    settings = installation.settings
    jobs = all_jobs(installation)
    expectations = Expectations(
        partial(jobs_expected_by, jobs),
        lambda last_success, now: sources_expected_by(settings.sources, last_success, now, settings.zone),
        partial(newest_morning, settings.digest, installation.calendars),
        sorted({settings.digest.transport_of(one) for one in settings.digest.recipients} - {"none"}),
    )
    return ScrapeSettings(
        calendars=installation.calendars,
        max_series=settings.serve.max_series,
        decreed_until=decreed_until(settings.calendar),
        objective=settings.monitoring.on_time_objective,
        overdue_limit_days=settings.monitoring.overdue_limit_days,
        public_url=settings.serve.address,
        now=installation.now,
        expectations=expectations,
    )


class Scrapes:
    """Answers requests for the metrics, all of one event loop."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._running: asyncio.Task[Rendered] | None = None
        self._next: asyncio.Task[Rendered] | None = None
        self._began = 0.0

    async def answer(self, request: Request) -> Response:
        """The metrics as of a reading that begins now, or when the one under way is over; compressed for who takes it."""
        rendered = await self._rendered()
        headers = {"Vary": "Accept-Encoding"}
        if takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(rendered.packed, media_type=CONTENT_TYPE, headers=headers | {"Content-Encoding": "gzip"})
        return Response(rendered.plain, media_type=CONTENT_TYPE, headers=headers)

    async def _rendered(self) -> Rendered:
        loop = asyncio.get_running_loop()
        came = loop.time()
        if self._running is not None and not self._running.done() and came - self._began >= _PATIENCE_SECONDS:
            # Nobody else waits for what hangs; once it is over, the next scrape begins a new one.
            return self._exposition.unanswered(0.0)
        if self._next is None:
            self._next = asyncio.create_task(self._read(self._running))
        reading = self._next
        # Whoever goes away, or waits no longer, leaves the reading to the others.
        await asyncio.wait([reading], timeout=_PATIENCE_SECONDS)
        return reading.result() if reading.done() else self._exposition.unanswered(loop.time() - came)

    async def _read(self, before: asyncio.Task[Rendered] | None) -> Rendered:
        if before is not None and not before.done():
            await asyncio.wait([before])
        # Who comes from here on waits for the next one.
        self._running, self._next = self._next, None
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        return await loop.run_in_executor(self._thread, self._exposition.read)


def takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip: named, or by ``*``, and not with a weight of 0."""
    weights = {}
    for part in accepted.lower().split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        weight = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
