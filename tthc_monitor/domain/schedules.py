"""When the jobs of the service are due: each schedule tells its newest slot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from tthc_monitor.domain.worktime import WorkCalendar


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
class Daily:
    """A slot at a local time of each day; one missed is made up until the next."""

    at: time
    zone: str

    def slot(self, now: datetime) -> datetime:
        """Today's once it has come, else yesterday's."""
        local = now.astimezone(ZoneInfo(self.zone))
        slot = datetime.combine(local.date(), self.at, ZoneInfo(self.zone))
        return slot if slot <= local else slot - timedelta(days=1)

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

    def __str__(self) -> str:
        return f"day {self.day} of the month at {self.at:%H:%M}"
