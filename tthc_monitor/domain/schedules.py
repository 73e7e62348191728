"""When the jobs of the service are due: each schedule tells its newest slot, and the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from tthc_monitor.domain.worktime import WorkCalendar

_LONGEST_BREAK: Final = 60
"""Days without a working day that a calendar is believed."""


class Schedule(Protocol):
    """Tells the newest slot that has come, None when none has; and the next.

    Attributes:
        made_up: what becomes of slots in which nothing ran, for people.
    """

    @property
    def made_up(self) -> str:
        """What becomes of slots in which nothing ran."""
        ...

    def slot(self, now: datetime) -> datetime | None:
        """The newest slot that has come by an instant."""
        ...

    def next_after(self, instant: datetime) -> datetime | None:
        """The first slot later than an instant; None when none is in sight."""
        ...


@dataclass(frozen=True)
class Every:
    """A slot at each whole multiple of a period since 1970."""

    period: timedelta

    def slot(self, now: datetime) -> datetime:
        """The last whole multiple of the period."""
        seconds = self.period.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)

    def next_after(self, instant: datetime) -> datetime:
        """The next whole multiple of the period."""
        seconds = self.period.total_seconds()
        return datetime.fromtimestamp((instant.timestamp() // seconds + 1) * seconds, instant.tzinfo)

    @property
    def made_up(self) -> str:
        """However many were missed, one run."""
        return "the newest only"

    def __str__(self) -> str:
        return f"every {self.period}"


@dataclass(frozen=True)
class OnAnyWorkingDay:
    """A slot at a local time of each day on which one of some calendars works; one missed is made up until midnight.

    Attributes:
        calendars: at least one, all of one zone.
    """

    at: time
    calendars: tuple[WorkCalendar, ...]

    def slot(self, now: datetime) -> datetime | None:
        """Today's, once its time has come on a day on which somebody works."""
        local = now.astimezone(self._zone)
        if local.time() < self.at or not self._is_workday(local.date()):
            return None
        return datetime.combine(local.date(), self.at, self._zone)

    def next_after(self, instant: datetime) -> datetime | None:
        """On the first day on which somebody works and its time is still to come."""
        first = instant.astimezone(self._zone).date()
        for day in (first + timedelta(days=number) for number in range(_LONGEST_BREAK)):
            slot = datetime.combine(day, self.at, self._zone)
            if slot > instant and self._is_workday(day):
                return slot
        return None

    def _is_workday(self, day: date) -> bool:
        return any(calendar.is_workday(day) for calendar in self.calendars)

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.calendars[0].zone)

    @property
    def made_up(self) -> str:
        """What was to be told in the morning is old the next day."""
        return "until midnight"

    def __str__(self) -> str:
        return f"working days at {self.at:%H:%M}"


@dataclass(frozen=True)
class Daily:
    """A slot at a local time of each day; one missed is made up until the next."""

    at: time
    zone: str

    def slot(self, now: datetime) -> datetime:
        """Today's once it has come, else yesterday's."""
        local = now.astimezone(ZoneInfo(self.zone))
        slot = datetime.combine(local.date(), self.at, ZoneInfo(self.zone))
        return slot if slot <= local else slot - timedelta(days=1)

    def next_after(self, instant: datetime) -> datetime:
        """Today's while it is to come, else tomorrow's."""
        zone = ZoneInfo(self.zone)
        today = instant.astimezone(zone).date()
        slot = datetime.combine(today, self.at, zone)
        return slot if slot > instant else datetime.combine(today + timedelta(days=1), self.at, zone)

    @property
    def made_up(self) -> str:
        """Each takes the place of the one before."""
        return "until the next"

    def __str__(self) -> str:
        return f"daily at {self.at:%H:%M}"


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

    def next_after(self, instant: datetime) -> datetime:
        """This month's while it is to come, else next month's."""
        zone = ZoneInfo(self.zone)
        local = instant.astimezone(zone)
        slot = datetime.combine(date(local.year, local.month, self.day), self.at, zone)
        if slot > instant:
            return slot
        month = date(local.year, local.month, 28) + timedelta(days=4)
        return datetime.combine(month.replace(day=self.day), self.at, zone)

    @property
    def made_up(self) -> str:
        """Each takes the place of the one before."""
        return "until the next"

    def __str__(self) -> str:
        return f"day {self.day} of the month at {self.at:%H:%M}"
