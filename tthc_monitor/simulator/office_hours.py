"""Office time of the simulated province as one number, so that scripts are plain sums.

The coordinate counts office minutes: 450 a working day, 07:30-11:30 and 13:30-17:00 Viet Nam time, Monday to Friday
and the Saturdays worked in the place of another day. This is scenery for the demo; lateness is judged elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tthc_monitor.simulator.catalogue import DAYS_OFF, DAYS_WORKED

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY_MINUTES = 450
_MORNING = 240


def is_working(day: date) -> bool:
    """Whether the offices are open on a day."""
    return day in DAYS_WORKED or (day.weekday() < 5 and day not in DAYS_OFF)


class OfficeTime:
    """Turns coordinates into instants, over a table of working days around a first day."""

    def __init__(self, first: date, days: int) -> None:
        self._days = [day for n in range(days) if is_working(day := first + timedelta(days=n))]

    def start_of(self, day: date) -> float:
        """The coordinate at which a day, or the next working day, begins."""
        return bisect_left(self._days, day) * float(DAY_MINUTES)

    def instant(self, minute: float) -> datetime:
        """The instant (UTC, whole seconds) at a coordinate.

        Raises:
            IndexError: the coordinate lies outside the table.
        """
        number, rest = divmod(minute, DAY_MINUTES)
        if number < 0:
            raise IndexError("before the first day of the table")
        opening = time(7, 30) if rest < _MORNING else time(13, 30)
        into = rest if rest < _MORNING else rest - _MORNING
        local = datetime.combine(self._days[int(number)], opening, ZONE) + timedelta(seconds=int(into * 60))
        return local.astimezone(UTC)
