"""Report periods: month, quarter, half year and year, by the calendar or by NĐ 09/2019/NĐ-CP.

The law counts a reporting month from the 15th of the month before to the 14th (NĐ 09/2019 Art. 12), and longer periods from
the first of their months to the last: a year runs from 15 December to 14 December. The national portal's statistics use
calendar periods. All are half-open ranges of instants, in the zone in which the days are meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tthc_monitor.domain.errors import ConfigError

Reckoning = Literal["calendar", "nd09"]
"""Whole calendar months, or months from the 15th to the 14th by NĐ 09/2019."""
PeriodKind = Literal[
    "calendar_month",
    "calendar_quarter",
    "calendar_half",
    "calendar_year",
    "nd09_month",
    "nd09_quarter",
    "nd09_half",
    "nd09_year",
]
_Length = Literal["month", "quarter", "half", "year"]

_MONTHS: Final[dict[_Length, int]] = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_WRITTEN: Final[dict[_Length, re.Pattern[str]]] = {
    "month": re.compile(r"(\d{4})-(\d{2})"),
    "quarter": re.compile(r"(\d{4})-Q(\d)"),
    "half": re.compile(r"(\d{4})-H(\d)"),
    "year": re.compile(r"(\d{4})()"),
}
_KINDS: Final[dict[tuple[Reckoning, _Length], PeriodKind]] = {
    ("calendar", "month"): "calendar_month",
    ("calendar", "quarter"): "calendar_quarter",
    ("calendar", "half"): "calendar_half",
    ("calendar", "year"): "calendar_year",
    ("nd09", "month"): "nd09_month",
    ("nd09", "quarter"): "nd09_quarter",
    ("nd09", "half"): "nd09_half",
    ("nd09", "year"): "nd09_year",
}
_ROMAN: Final = ("I", "II", "III", "IV")
_FIRST_YEAR, _LAST_YEAR = 2000, 2060
_FIRST_DAY_ND09: Final = 15


@dataclass(frozen=True, slots=True)
class Period:
    """A range of instants ``[start, end)``, in UTC, with the name that people know it by.

    Attributes:
        start: first instant of the period.
        end: first instant after it.
        label: its Vietnamese name, ``tháng 10 năm 2026``, ``quý IV năm 2026``.
        kind: its length, and how its first and last day follow from its months.
        name: as it is written, ``2026-10``, ``2026-Q4``, ``2026-H1``, ``2026``.
        zone: IANA name of the zone in which its days begin.
    """

    start: datetime
    end: datetime
    label: str
    kind: PeriodKind
    name: str
    zone: str

    @property
    def first_day(self) -> date:
        """The first local day."""
        return self.start.astimezone(ZoneInfo(self.zone)).date()

    @property
    def last_day(self) -> date:
        """The last local day (the period's end is the midnight after it)."""
        return self.end.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1)

    @property
    def reckoning(self) -> Reckoning:
        """How its days are reckoned."""
        return next(reckoning for (reckoning, _), kind in _KINDS.items() if kind == self.kind)

    @property
    def months(self) -> int:
        """How many months it has."""
        return _MONTHS[_length(self.kind)]


def report_period(name: str, reckoning: Reckoning, zone: str) -> Period:
    """The period of a name: ``2026-10``, ``2026-Q4``, ``2026-H1`` or ``2026``.

    Raises:
        ConfigError: the name or the zone cannot be read.
    """
    for length, pattern in _WRITTEN.items():
        found = pattern.fullmatch(name)
        if found is None:
            continue
        place = int(found[2] or 1)
        if not 1 <= place <= 12 // _MONTHS[length]:
            break
        if not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
            raise ConfigError(f"the year of '{name}' is out of range; give one from {_FIRST_YEAR} to {_LAST_YEAR}")
        return _made(reckoning, length, int(found[1]) * 12 + (place - 1) * _MONTHS[length], zone)
    raise ConfigError(
        f"'{name}' is not a report period; write a month as YYYY-MM, for example 2026-10, a quarter as 2026-Q4, a half "
        "year as 2026-H1, a year as 2026"
    )


def calendar_month(name: str, zone: str) -> Period:
    """The calendar month ``"2026-10"``: from its first day to its last.

    Raises:
        ConfigError: the month or the zone cannot be read.
    """
    return _month(name, "calendar", zone)


def nd09_month(name: str, zone: str) -> Period:
    """The reporting month of NĐ 09/2019 Art. 12: from the 15th of the month before to the 14th of the month named.

    Raises:
        ConfigError: the month or the zone cannot be read.
    """
    return _month(name, "nd09", zone)


def previous_period(period: Period) -> Period:
    """The period of the same kind that ends where this one starts."""
    return _moved(period, -period.months)


def same_period_last_year(period: Period) -> Period:
    """The period of the same kind twelve months earlier."""
    return _moved(period, -12)


def last_months(period: Period, count: int) -> tuple[Period, ...]:
    """The months, reckoned alike, that end with the last month of a period; the earliest first."""
    last = _index(period) + period.months
    return tuple(_made(period.reckoning, "month", index, period.zone) for index in range(last - count, last))


def last_ended_month(reckoning: Reckoning, now: datetime, zone: str) -> Period:
    """The newest month that has ended by an aware instant."""
    local = now.astimezone(_zone(zone))
    index = local.year * 12 + local.month - 1
    ended = _made(reckoning, "month", index, zone)
    return ended if ended.end <= now else previous_period(ended)


def month_label(day: date) -> str:
    """The month of a day in official wording: January and February with a leading 0 (NĐ 30/2020 Annex I)."""
    number = f"{day.month:02d}" if day.month < 3 else str(day.month)
    return f"tháng {number} năm {day.year}"


def _month(name: str, reckoning: Reckoning, zone: str) -> Period:
    if _WRITTEN["month"].fullmatch(name) is None:
        raise ConfigError(f"'{name}' is not a month; write it as YYYY-MM, for example 2026-10")
    return report_period(name, reckoning, zone)


def _moved(period: Period, months: int) -> Period:
    return _made(period.reckoning, _length(period.kind), _index(period) + months, period.zone)


def _index(period: Period) -> int:
    """The months before the first month that gives a period its name, since the year 0."""
    last = period.last_day
    return last.year * 12 + last.month - period.months


def _length(kind: PeriodKind) -> _Length:
    return next(length for (_, length), found in _KINDS.items() if found == kind)


def _made(reckoning: Reckoning, length: _Length, index: int, zone: str) -> Period:
    """The period whose first month has so many months before it since the year 0."""
    local = _zone(zone)
    year, place = index // 12, index % 12 // _MONTHS[length]
    start, end = (
        datetime.combine(_first_day(reckoning, at), time(), local).astimezone(UTC)
        for at in (index, index + _MONTHS[length])
    )
    names = {"month": f"-{place + 1:02d}", "quarter": f"-Q{place + 1}", "half": f"-H{place + 1}", "year": ""}
    labels = {
        "month": month_label(date(year, index % 12 + 1, 1)),
        "quarter": f"quý {_ROMAN[place % 4]} năm {year}",
        "half": f"06 tháng {'cuối' if place else 'đầu'} năm {year}",
        "year": f"năm {year}",
    }
    return Period(start, end, labels[length], _KINDS[reckoning, length], f"{year}{names[length]}", zone)


def _first_day(reckoning: Reckoning, index: int) -> date:
    first = date(index // 12, index % 12 + 1, 1)
    return first if reckoning == "calendar" else (first - timedelta(days=1)).replace(day=_FIRST_DAY_ND09)


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"'{zone}' is not a time zone; give an IANA name, for example Asia/Ho_Chi_Minh") from None
