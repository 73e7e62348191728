"""When a source may be pulled: not in its quiet hours, and after failures in a row only when it has rested.

Pure: what was tried before and what time it is come in as arguments, so that all processes decide alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

FAILURES_BORNE: Final = 3
"""So many failed pulls in a row change nothing yet."""

LONGEST_REST: Final = timedelta(hours=1)


@dataclass(frozen=True)
class QuietHours:
    """A part of every day, in local time, from ``start`` up to but not at ``end``; past midnight where ``end`` is earlier."""

    start: time
    end: time

    def until(self, local: datetime) -> datetime | None:
        """When the quiet hours in which an aware local time lies are over; None when it lies in none."""
        now = local.time()
        if self.start < self.end:
            return _at(local, self.end) if self.start <= now < self.end else None
        if now >= self.start:
            return _at(local, self.end, days=1)
        return _at(local, self.end) if now < self.end else None

    def next_start(self, local: datetime) -> datetime:
        """When they begin next, later than an aware local time."""
        today = _at(local, self.start)
        return today if today > local else _at(local, self.start, days=1)


@dataclass(frozen=True)
class Pause:
    """Why a source is not pulled now, and until when."""

    until: datetime
    reason: Literal["quiet hours", "failures"]


def quiet_pause(now: datetime, quiet: Sequence[QuietHours], zone: str) -> Pause | None:
    """The pause for quiet hours in which an instant lies; those that follow on each other are one."""
    until = now
    for _ in range(len(quiet) + 1):
        ends = [end for hours in quiet if (end := hours.until(until.astimezone(ZoneInfo(zone)))) is not None]
        if not ends:
            break
        until = max(ends).astimezone(now.tzinfo)
    return None if until == now else Pause(until, "quiet hours")


def after_open_time(start: datetime, duration: timedelta, quiet: Sequence[QuietHours], zone: str) -> datetime:
    """The instant by which so much time outside the quiet hours has passed since another."""
    local = ZoneInfo(zone)
    while True:
        pause = quiet_pause(start, quiet, zone)
        start = start if pause is None else pause.until
        begins = [hours.next_start(start.astimezone(local)) for hours in quiet]
        open_until = min(begins, default=None)
        if open_until is None or start + duration <= open_until:
            return start + duration
        duration -= open_until - start
        start = open_until.astimezone(start.tzinfo)


def rest_after(failures: int, every: timedelta) -> timedelta:
    """How long a source rests after so many failed pulls in a row: from ``every`` on twice as long each time, to an hour."""
    if failures < FAILURES_BORNE:
        return timedelta(0)
    doublings = min(failures - FAILURES_BORNE, 20)
    return min(every * (1 << doublings), LONGEST_REST)


def rest_pause(now: datetime, every: timedelta, failures: int, failed_at: datetime | None) -> Pause | None:
    """The pause after ``failures`` failed pulls in a row of which the last ended at ``failed_at``."""
    if failed_at is None:
        return None
    until = failed_at + rest_after(failures, every)
    # A clock that was set back must not make it rest for longer than it ever would.
    return Pause(until, "failures") if now < until <= now + LONGEST_REST else None


def _at(local: datetime, clock: time, days: int = 0) -> datetime:
    return datetime.combine(local.date() + timedelta(days=days), clock, local.tzinfo)
