"""The jobs of the service: name, when, and what. A run claims its slot first, so any number of processes may try."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import structlog
from sqlalchemy import text

from connectors.base import Connector
from tthc_monitor import ingest, judging, outbox, retention
from tthc_monitor.domain.errors import DatabaseError, DeliveryError, TransientSourceError, TthcError, recordable
from tthc_monitor.domain.pull_plan import Pause, quiet_pause, rest_pause
from tthc_monitor.domain.pull_scope import scope_of
from tthc_monitor.domain.schedules import Daily, Every, Monthly, OnWorkingDays, Schedule
from tthc_monitor.installation import Installation
from tthc_monitor.settings import SourceSettings
from tthc_monitor.store import job_runs
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import Totals, failures_in_a_row

__all__ = [
    "Daily",
    "Every",
    "Job",
    "Monthly",
    "OnWorkingDays",
    "Schedule",
    "all_jobs",
    "pause_of",
    "pull_source",
    "run_if_due",
    "take_in",
]

log = structlog.get_logger(__name__)

_BACK_OFF = timedelta(minutes=5)
"""How long after a failure that passes by itself a slot is tried again."""


def _always(_: Installation) -> bool:
    return True


@dataclass(frozen=True)
class Job:
    """Something to do in each slot of a schedule.

    Attributes:
        lease: after this a run that has not ended counts as dead.
        ready: asked before a slot is claimed; while it says no, the slot stays open.
    """

    name: str
    schedule: Schedule
    run: Callable[[Installation], None]
    lease: timedelta
    ready: Callable[[Installation], bool] = _always


def all_jobs(installation: Installation) -> list[Job]:
    """The jobs that the settings ask for."""
    settings = installation.settings
    jobs = [
        Job(f"pull:{source.name}", Every(source.every), _pull_job(source), timedelta(hours=6), _may_be_pulled(source))
        for source in settings.sources
    ]
    jobs.append(Job("evaluate", Every(timedelta(seconds=30)), judging.refresh, timedelta(hours=2)))
    jobs.append(Job("snapshot", Every(timedelta(minutes=1)), judging.snapshot, timedelta(minutes=10)))
    if settings.digest.transport != "none" and settings.digest.recipients:
        at = time.fromisoformat(settings.digest.at)
        mornings = OnWorkingDays(at, settings.calendar.compile())
        jobs.append(Job("digest", mornings, outbox.send_digests, timedelta(hours=1), all_sources_pulled))
    report = Monthly(settings.report.day, time.fromisoformat(settings.report.at), settings.zone)
    jobs.append(Job("report", report, outbox.write_last_months_report, timedelta(hours=1), all_sources_pulled))
    night = Daily(time.fromisoformat(settings.retention.at), settings.zone)
    jobs.append(Job("retention", night, retention.run, timedelta(hours=6)))
    return jobs


def all_sources_pulled(installation: Installation) -> bool:
    """Whether each source of the settings was pulled well at least once; before that, figures would be falsehoods."""
    names = {source.name for source in installation.settings.sources}
    with transaction(installation.engine) as connection:
        pulled = connection.scalars(text("SELECT DISTINCT source FROM audit.pull_runs WHERE outcome = 'ok'"))
        return names <= set(pulled)


def run_if_due(installation: Installation, job: Job) -> bool:
    """Run a job when its newest slot is nobody's yet and it is ready. True when it ran, whatever came of it.

    What goes wrong is recorded with the run and logged. What passes by itself is tried again in the same slot, anything
    else in the next. A database that cannot be asked is logged, and the next tick asks again.
    """
    try:
        claimed = _claim(installation, job)
        if claimed is None:
            return False
        _record(installation, job, claimed, _run(installation, job))
    except TthcError as failure:
        log.warning("job_not_recorded", job=job.name, error=str(failure))
        return False
    return True


@dataclass(frozen=True)
class _Claimed:
    slot: datetime
    started: datetime


def _claim(installation: Installation, job: Job) -> _Claimed | None:
    now = installation.now()
    slot = job.schedule.slot(now)
    if slot is None:
        return None
    with transaction(installation.engine) as connection:
        if job_runs.is_taken(connection, job.name, slot, now):
            return None
    if not job.ready(installation):
        log.debug("job_not_ready", job=job.name)
        return None
    with transaction(installation.engine) as connection:
        ours = job_runs.claim(connection, job.name, slot, now, job.lease)
    return _Claimed(slot, now) if ours else None


def _run(installation: Installation, job: Job) -> Exception | None:
    try:
        job.run(installation)
    except TthcError as failure:
        log.warning("job_failed", job=job.name, error=str(failure))
        return failure
    except Exception as failure:  # noqa: BLE001
        # A job must not take the service down; the run is recorded as failed and an alert can see it. The text of the
        # error is left out: it may quote a source.
        frames = traceback.format_tb(failure.__traceback__)
        log.warning("job_failed", job=job.name, error=recordable(failure), frames=frames)
        return failure
    return None


def _record(installation: Installation, job: Job, claimed: _Claimed, failure: Exception | None) -> None:
    now = installation.now()
    retry_at = now + _BACK_OFF
    slot, started, kept = claimed.slot, claimed.started, installation.settings.retention.job_runs
    with transaction(installation.engine) as connection:
        if failure is None:
            job_runs.finish(connection, job.name, slot, now, None, started=started, kept=kept)
            return
        error = recordable(failure)
        # Where the next slot comes before the back-off is over, that one tries again.
        if _passes(failure) and job.schedule.slot(retry_at) == slot:
            job_runs.give_back(connection, job.name, slot, now, error, started=started, retry_at=retry_at)
        else:
            job_runs.finish(connection, job.name, slot, now, error, started=started, kept=kept)


def _passes(failure: Exception) -> bool:
    """Whether the same try may succeed a while later."""
    if isinstance(failure, DeliveryError):
        return not failure.permanent
    return isinstance(failure, (TransientSourceError, DatabaseError))


def _pull_job(source: SourceSettings) -> Callable[[Installation], None]:
    def run(installation: Installation) -> None:
        pull_source(installation, source)

    return run


def _may_be_pulled(source: SourceSettings) -> Callable[[Installation], bool]:
    def ready(installation: Installation) -> bool:
        pause = pause_of(installation, source)
        if pause is not None:
            log.debug("pull_waits", source=source.name, reason=pause.reason, until=pause.until)
        return pause is None

    return ready


def pause_of(installation: Installation, source: SourceSettings) -> Pause | None:
    """Why the service does not pull a source now; None when it may. A pull by hand need not ask."""
    now = installation.now()
    quiet = quiet_pause(now, source.quiet, installation.settings.zone)
    if quiet is not None:
        return quiet
    with transaction(installation.engine) as connection:
        failures, failed_at = failures_in_a_row(connection, source.name)
    return rest_pause(now, source.every, failures, failed_at)


def pull_source(
    installation: Installation,
    source: SourceSettings,
    progress: ingest.Progress | None = None,
    connector: Connector | None = None,
    *,
    by_hand: bool = False,
) -> Totals:
    """Pull one source, judge what changed, renew the metrics; see :func:`take_in`.

    Raises:
        TthcError: the pull failed, and what is held stays; or it did not, but what it changed could not be judged.
    """
    totals = take_in(installation, source, progress, connector, by_hand=by_hand)
    judging.refresh(installation)
    return totals


def take_in(
    installation: Installation,
    source: SourceSettings,
    progress: ingest.Progress | None = None,
    connector: Connector | None = None,
    *,
    by_hand: bool = False,
) -> Totals:
    """Pull one source; what changed waits to be judged.

    Args:
        connector: what to pull with, a file that a person handed over, say; None: as the settings say.
        by_hand: a person asked for it: whether it fails tells nothing of how often the schedule may ask.

    Raises:
        TthcError: the pull failed; what is held stays.
    """
    installation.record_configuration()
    return ingest.pull(
        installation.engine,
        source.name,
        source.kind,
        connector or installation.connector(source),
        now=installation.now,
        assertions=source.assertions,
        progress=progress,
        by_hand=by_hand,
        scope=scope_of(source.options),
    )
