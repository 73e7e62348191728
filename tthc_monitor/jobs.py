"""The jobs of the service: name, when, and what. A run claims its slot first, so any number of processes may try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from tthc_monitor import ingest, outbox
from tthc_monitor.domain.errors import TthcError
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.evaluate import evaluate
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.settings import SourceSettings
from tthc_monitor.store import job_runs
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import Totals

log = structlog.get_logger(__name__)


class Schedule(Protocol):
    """Tells the newest slot that has come; None when none has."""

    def slot(self, now: datetime) -> datetime | None:
        """The newest slot that has come by an instant."""
        ...


@dataclass(frozen=True)
class Every:
    """A slot at each whole multiple of a period since 1970."""

    period: timedelta

    def slot(self, now: datetime) -> datetime:
        """The last whole multiple of the period."""
        seconds = self.period.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)

    def __str__(self) -> str:
        return f"every {self.period}"


@dataclass(frozen=True)
class OnWorkingDays:
    """A slot at a local time of each working day; one missed is made up until midnight, then it has passed."""

    at: time
    calendar: WorkCalendar

    def slot(self, now: datetime) -> datetime | None:
        """Today's, once its time has come on a working day."""
        local = now.astimezone(ZoneInfo(self.calendar.zone))
        if not self.calendar.is_workday(local.date()) or local.time() < self.at:
            return None
        return datetime.combine(local.date(), self.at, ZoneInfo(self.calendar.zone))

    def __str__(self) -> str:
        return f"working days at {self.at:%H:%M}"


@dataclass(frozen=True)
class Monthly:
    """A slot at a local time on one day of each month; one missed is made up until the next."""

    day: int
    at: time
    zone: str

    def slot(self, now: datetime) -> datetime:
        """This month's once it has come, else last month's."""
        local = now.astimezone(ZoneInfo(self.zone))
        slot = datetime.combine(date(local.year, local.month, self.day), self.at, ZoneInfo(self.zone))
        if slot > local:
            before = date(local.year, local.month, 1) - timedelta(days=1)
            slot = datetime.combine(before.replace(day=self.day), self.at, ZoneInfo(self.zone))
        return slot

    def __str__(self) -> str:
        return f"day {self.day} of the month at {self.at:%H:%M}"


@dataclass(frozen=True)
class Job:
    """Something to do in each slot of a schedule. ``lease``: after this a run that has not ended counts as dead."""

    name: str
    schedule: Schedule
    run: Callable[[Installation], None]
    lease: timedelta


def all_jobs(installation: Installation) -> list[Job]:
    """The jobs that the settings ask for."""
    settings = installation.settings
    jobs = [
        Job(f"pull:{source.name}", Every(source.every), _pull_job(source), timedelta(hours=6))
        for source in settings.sources
    ]
    jobs.append(Job("evaluate", Every(timedelta(seconds=30)), refresh, timedelta(hours=2)))
    jobs.append(Job("snapshot", Every(timedelta(minutes=1)), snapshot, timedelta(minutes=10)))
    if settings.digest.transport != "none" and settings.digest.recipients:
        at = time.fromisoformat(settings.digest.at)
        jobs.append(
            Job("digest", OnWorkingDays(at, settings.calendar.compile()), outbox.send_digests, timedelta(hours=1))
        )
    report = Monthly(settings.report.day, time.fromisoformat(settings.report.at), settings.zone)
    jobs.append(Job("report", report, outbox.write_last_months_report, timedelta(hours=1)))
    return jobs


def run_if_due(installation: Installation, job: Job) -> bool:
    """Run a job when its newest slot is nobody's yet. True when it ran, whatever came of it.

    What goes wrong is recorded with the run and logged; the next slot tries again.
    """
    now = installation.now()
    slot = job.schedule.slot(now)
    if slot is None:
        return False
    with transaction(installation.engine) as connection:
        if job_runs.is_taken(connection, job.name, slot, now):
            return False
        if not job_runs.claim(connection, job.name, slot, now, job.lease):
            return False
    error: str | None = None
    try:
        job.run(installation)
    except TthcError as failure:
        error = str(failure)
        log.warning("job_failed", job=job.name, error=error)
    except Exception as failure:
        # A job must not take the service down; the run is recorded as failed and an alert can see it.
        error = f"{type(failure).__name__}: {failure}"
        log.exception("job_failed", job=job.name)
    with transaction(installation.engine) as connection:
        job_runs.finish(connection, job.name, slot, installation.now(), error)
    return True


def _pull_job(source: SourceSettings) -> Callable[[Installation], None]:
    def run(installation: Installation) -> None:
        pull_source(installation, source)

    return run


def pull_source(installation: Installation, source: SourceSettings, progress: ingest.Progress | None = None) -> Totals:
    """Pull one source, judge what changed, renew the metrics.

    Raises:
        TthcError: the pull failed; what is held stays.
    """
    totals = ingest.pull(
        installation.engine,
        source.name,
        source.kind,
        installation.connector(source),
        now=installation.now,
        assertions=ingest.Assertions(source.max_reject_share, source.min_rows),
        progress=progress,
    )
    refresh(installation)
    return totals


def refresh(installation: Installation) -> None:
    """Judge what waits to be judged; renew the metrics when anything did."""
    done = evaluate(installation.engine, installation.rules, installation.settings.calendar, now=installation.now)
    if done.dossiers:
        snapshot(installation)


def snapshot(installation: Installation) -> None:
    """Renew the small table that the metrics are read from; time alone moves dossiers from due soon to overdue."""
    with transaction(installation.engine) as connection:
        take_snapshot(connection, installation.now())
