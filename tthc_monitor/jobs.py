"""The jobs of the service: name, when, and what; and the pulls, which people ask for too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Final

import structlog
from sqlalchemy import text

from connectors.base import Connector
from tthc_monitor import ingest, judging, ledger_check, outbox_digest, outbox_report, retention
from tthc_monitor.audiences import calendars_of
from tthc_monitor.domain.pull_plan import Pause, after_open_time, quiet_pause, rest_pause
from tthc_monitor.domain.pull_scope import scope_of
from tthc_monitor.domain.schedules import Daily, Every, Monthly, OnAnyWorkingDay, Schedule
from tthc_monitor.installation import Installation
from tthc_monitor.running import Job, run_if_due, run_now
from tthc_monitor.settings import SourceSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import Totals, failures_in_a_row

__all__ = [
    "Daily",
    "Every",
    "Job",
    "Monthly",
    "OnAnyWorkingDay",
    "Schedule",
    "all_jobs",
    "pause_of",
    "pull_source",
    "run_if_due",
    "run_now",
    "take_in",
]

log = structlog.get_logger(__name__)

_PATIENCE: Final = timedelta(minutes=30)
"""So long digest and report wait for a source that was never pulled well, from their slot and from its first try on."""

_SILENT = """
SELECT name, (SELECT min(started_at) FROM tthc.job_runs WHERE job = 'pull:' || name) AS tried
FROM unnest(CAST(:names AS text[])) AS name
WHERE NOT EXISTS (SELECT FROM audit.pull_runs WHERE source = name AND outcome = 'ok')
ORDER BY name
"""


def all_jobs(installation: Installation) -> list[Job]:
    """The jobs that the settings ask for."""
    settings = installation.settings
    zone = settings.zone
    jobs = [_pull_job(source, zone) for source in settings.sources]
    minutes = timedelta(minutes=10)
    jobs.append(Job("evaluate", Every(timedelta(seconds=30)), judging.refresh, grace=minutes))
    jobs.append(Job("snapshot", Every(timedelta(minutes=1)), judging.snapshot, grace=minutes))
    if settings.digest.transport != "none" and settings.digest.recipients:
        mornings = OnAnyWorkingDay(
            time.fromisoformat(settings.digest.at), calendars_of(settings.digest.recipients, installation.calendars)
        )
        # Two tries more than it waits for sources.
        jobs.append(
            Job("digest", mornings, outbox_digest.send_digests, ready=sources_told, grace=_PATIENCE + 2 * minutes)
        )
    hours = timedelta(hours=2)
    jobs.append(
        Job(
            "report",
            outbox_report.report_schedule(settings),
            outbox_report.write_last_months_report,
            ready=sources_told,
            grace=hours,
        )
    )
    night = Daily(time.fromisoformat(settings.retention.at), zone)
    jobs.append(Job("retention", night, retention.run, grace=3 * hours))
    jobs.append(
        Job("verify", Daily(time.fromisoformat(settings.ledger.check_at), zone), ledger_check.run, grace=3 * hours)
    )
    return jobs


def sources_told(installation: Installation, slot: datetime) -> bool:
    """Whether what goes out in a slot need not wait for a source that has told nothing yet.

    Before each source was pulled well once, figures would be falsehoods; but a source that does not answer, though it was
    tried long enough, must not keep the others' figures back. It is named in the log.
    """
    now = installation.now()
    names = [source.name for source in installation.settings.sources]
    with transaction(installation.engine) as connection:
        silent = connection.execute(text(_SILENT), {"names": names}).all()
    if not silent:
        return True
    if now < slot + _PATIENCE or any(one.tried is None or now < one.tried + _PATIENCE for one in silent):
        return False
    log.warning("without_sources", sources=[one.name for one in silent], slot=slot.isoformat())
    return True


def _pull_job(source: SourceSettings, zone: str) -> Job:
    def run(installation: Installation) -> None:
        pull_source(installation, source)

    def open_time_after(instant: datetime, duration: timedelta) -> datetime:
        return after_open_time(instant, duration, source.quiet, zone)

    return Job(
        f"pull:{source.name}",
        Every(source.every),
        run,
        ready=_may_be_pulled(source),
        grace=max(source.every, timedelta(minutes=10)) + timedelta(minutes=10),
        open_time_after=open_time_after,
    )


def _may_be_pulled(source: SourceSettings) -> Callable[[Installation, datetime], bool]:
    def ready(installation: Installation, _slot: datetime) -> bool:
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
        check=installation.stop.check,
    )
