"""Report periods: the calendar month of the national portal, and the month of NĐ 09/2019/NĐ-CP.

The law counts a reporting month from the 15th of the month before to the 14th (NĐ 09/2019 Art. 12); the national
portal's statistics use calendar months. Both are half-open ranges of instants, in the zone in which the days are meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tthc_monitor.domain.errors import ConfigError

PeriodKind = Literal["calendar_month", "nd09_month"]
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_FIRST_YEAR, _LAST_YEAR = 2000, 2060


@dataclass(frozen=True, slots=True)
class Period:
    """A range of instants ``[start, end)``, in UTC, with the name that people know it by.

    Attributes:
        start: first instant of the period.
        end: first instant after it.
        label: its Vietnamese name, ``tháng 10 năm 2026``.
        kind: how its first and last day follow from the month.
        month: the reporting month as ``YYYY-MM``.
        zone: IANA name of the zone in which its days begin.
    """

    start: datetime
    end: datetime
    label: str
    kind: PeriodKind
    month: str
    zone: str

    @property
    def first_day(self) -> date:
        """The first local day."""
        return self.start.astimezone(ZoneInfo(self.zone)).date()

    @property
    def last_day(self) -> date:
        """The last local day (the period's end is the midnight after it)."""
        return self.end.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1)


def calendar_month(month: str, zone: str) -> Period:
    """The calendar month ``"2026-10"``: from its first day to its last.

    Raises:
        ConfigError: the month or the zone cannot be read.
    """
    first = _first_of(month)
    return _period("calendar_month", month, zone, first, _next_month(first), month_label(first))


def nd09_month(month: str, zone: str) -> Period:
    """The reporting month of NĐ 09/2019 Art. 12: from the 15th of the month before to the 14th of ``month``.

    Raises:
        ConfigError: the month or the zone cannot be read.
    """
    first = _first_of(month)
    start = (first - timedelta(days=1)).replace(day=15)
    return _period("nd09_month", month, zone, start, first.replace(day=15), month_label(first))


_MAKERS: Final[dict[PeriodKind, Callable[[str, str], Period]]] = {
    "calendar_month": calendar_month,
    "nd09_month": nd09_month,
}


def previous_period(period: Period) -> Period:
    """The period of the same kind that ends where this one starts.

    Raises:
        ConfigError: it lies before the years that are known.
    """
    before = _first_of(period.month) - timedelta(days=1)
    return _MAKERS[period.kind](f"{before:%Y-%m}", period.zone)


def month_label(day: date) -> str:
    """The month of a day in official wording: January and February with a leading 0 (NĐ 30/2020 Annex I)."""
    number = f"{day.month:02d}" if day.month < 3 else str(day.month)
    return f"tháng {number} năm {day.year}"


def _first_of(month: str) -> date:
    found = _MONTH.fullmatch(month)
    if found is None or not 1 <= int(found[2]) <= 12:
        raise ConfigError(f"'{month}' is not a month; write it as YYYY-MM, for example 2026-10")
    if not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        raise ConfigError(f"the year of '{month}' is out of range; give one from {_FIRST_YEAR} to {_LAST_YEAR}")
    return date(int(found[1]), int(found[2]), 1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _period(kind: PeriodKind, month: str, zone: str, first: date, after: date, label: str) -> Period:
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"'{zone}' is not a time zone; give an IANA name, for example Asia/Ho_Chi_Minh") from None
    start, end = (datetime.combine(day, time(), local).astimezone(UTC) for day in (first, after))
    return Period(start, end, label, kind, month, zone)
