"""By when something must have gone well again: an alarm need only compare that instant with now.

Pure: what was done and what time it is come in as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tthc_monitor.audiences import works_on
from tthc_monitor.digest_settings import DigestSettings
from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.domain.pull_plan import after_open_time
from tthc_monitor.outputs.metrics_of_operation import Morning
from tthc_monitor.running import Job
from tthc_monitor.settings import SourceSettings

NEVER_DONE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Expected by then is what never went well: overdue from the beginning, whenever that was."""

_SPARE: Final = timedelta(minutes=10)
_LONGEST_BREAK: Final = 30
"""Days without a working one that are looked back over."""


def jobs_expected_by(jobs: Sequence[Job], last_success: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """By when each job must next have run well.

    Args:
        jobs: that there are; one without a slot in sight is left out.
        last_success: the newest slot of each that was done well, or when that was; none of a job that never was.

    Returns:
        by name; in the past: it has missed a slot that it can still make up.
    """
    found = ((job, _first_missing(job, last_success.get(job.name), now)) for job in jobs)
    return {job.name: job.open_time_after(slot, job.grace) for job, slot in found if slot is not None}


def _first_missing(job: Job, done: datetime | None, now: datetime) -> datetime | None:
    """The slot that is to be done well next: the one missed, or the next to come."""
    slot = job.schedule.slot(now)
    if slot is None or (done is not None and done >= slot):
        return job.schedule.next_after(now)
    following = job.schedule.next_after(slot)
    if following is not None and following <= slot + job.grace:
        # Slots that come faster than they may be late: the newest one never would be.
        return NEVER_DONE if done is None else job.schedule.next_after(done)
    return slot


def sources_expected_by(
    sources: Sequence[SourceSettings], last_success: Mapping[str, datetime | None], now: datetime, zone: str
) -> dict[str, datetime]:
    """By when each source must next have been pulled well: twice its ``every`` and a little, outside its quiet hours.

    Args:
        last_success: when each was; None, or not there, for one that never was.
        zone: of the quiet hours.

    Returns:
        by name; in the past: the source is silent. In quiet hours none falls silent that had not before.
    """
    expected = {}
    for source in sources:
        done = last_success.get(source.name)
        expected[source.name] = (
            NEVER_DONE
            if done is None
            else after_open_time(min(done, now), 2 * source.every + _SPARE, source.quiet, zone)
        )
    return expected


def newest_morning(digest: DigestSettings, calendars: Calendars, now: datetime) -> Morning | None:
    """The newest morning on which digests were to go out, and to whom.

    Args:
        now: by then its hour has come.
    """
    local = now.astimezone(ZoneInfo(calendars.zone))
    due = local if local.time() >= time.fromisoformat(digest.at) else local - timedelta(days=1)
    for day in (due.date() - timedelta(days=number) for number in range(_LONGEST_BREAK)):
        people = {
            one.address.strip().lower()
            for one in digest.recipients
            if digest.transport_of(one) != "none" and works_on(one, calendars, day)
        }
        if people:
            return Morning(day, frozenset(people))
    return None
