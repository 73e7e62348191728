"""Until when the State's decisions about days off are known, and the warning before that day.

Decisions appear late in the year before, and now and then a few days before the day itself (CV 12729/VPCP-KGVX of
25/12/2025 for 02/01/2026); a due date beyond what is decreed may move.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from tthc_monitor.domain.calendars import CalendarSpec

WARN_DAYS: Final = 60
"""With fewer days left than this the program warns."""


def decreed_until(spec: CalendarSpec) -> dt.datetime | None:
    """The instant at which the last decreed day ends; None when the calendar does not say."""
    if spec.decreed_until is None:
        return None
    end = spec.decreed_until + dt.timedelta(days=1)
    return dt.datetime.combine(end, dt.time(), ZoneInfo(spec.zone)).astimezone(dt.UTC)


def warnings(spec: CalendarSpec, today: dt.date) -> list[str]:
    """What somebody should do about the calendar soon; empty when nothing is to do. ``today`` is local to its zone."""
    if spec.decreed_until is None:
        return [
            f"calendar '{spec.name}' does not say until when its days off are decreed, so nobody is warned when they "
            "run out; add decreed_until: with the last such day"
        ]
    left = (spec.decreed_until - today).days
    if left >= WARN_DAYS:
        return []
    passed = f"passed {-left} days ago" if left < 0 else f"comes in {left} days"
    return [
        f"calendar '{spec.name}' is decreed until {spec.decreed_until}, which {passed}; add the days off of the next "
        "year with tthc-monitor calendar import, and move decreed_until"
    ]
