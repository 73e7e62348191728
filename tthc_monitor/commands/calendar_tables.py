"""The working calendar as an official reads it: a year month by month, its special days, and what changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from rich.table import Table

from tthc_monitor.domain.calendar_variants import Calendars, Change
from tthc_monitor.domain.calendars import CalendarSpec, Hours, UnitsSpec, Week
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_segments import WEEKDAYS

DAY_NAMES: Final = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")
_REST: Final = "nghỉ"


def hours_text(hours: Sequence[tuple[str, str]]) -> str:
    """Hours of a day as "07:30–11:30, 13:30–17:00"."""
    return ", ".join(f"{opens}–{closes}" for opens, closes in sorted(hours)) or _REST


def hours_on(calendar: WorkCalendar, day: dt.date) -> str:
    """Hours of one day of a compiled calendar."""
    known, which = calendar.daily_hours
    minutes = known[which[(day - calendar.horizon[0]).days]]
    return hours_text([(f"{a // 60:02}:{a % 60:02}", f"{b // 60:02}:{b % 60:02}") for a, b in minutes])


def week_lines(spec: CalendarSpec, units: UnitsSpec | None, year: int) -> list[str]:
    """The hours of the week that hold in a year, in words; one line for each week that holds in it."""
    weeks = spec.weeks_of(units)
    lines = []
    for number, (first, week) in enumerate(weeks):
        following = weeks[number + 1][0] if number + 1 < len(weeks) else dt.date.max
        if first > dt.date(year, 12, 31) or following <= dt.date(year, 1, 1):
            continue
        since = f" từ {first:%d/%m/%Y}" if first > dt.date.min else ""
        lines.append(f"Giờ làm việc{since}: {_in_words(week)}")
    return lines


def _in_words(week: Week) -> str:
    worked: dict[str, Hours] = {str(name): hours for name, hours in week.items()}
    groups: list[tuple[list[int], str]] = []
    for number, name in enumerate(WEEKDAYS):
        hours = hours_text(worked.get(name, []))
        if groups and groups[-1][1] == hours:
            groups[-1][0].append(number)
        else:
            groups.append(([number], hours))
    return "; ".join(f"{_days_in_words(days)} {hours}" for days, hours in groups)


def _days_in_words(days: Sequence[int]) -> str:
    if len(days) > 2:
        return f"{DAY_NAMES[days[0]]} đến {DAY_NAMES[days[-1]]}"
    return ", ".join(DAY_NAMES[day] for day in days)


def months(spec: CalendarSpec, units: UnitsSpec | None, calendar: WorkCalendar, year: int) -> Table:
    """A row for each month and one for the year: working days, working hours, days off and days otherwise worked."""
    table = Table("Tháng", "Số ngày làm việc", "Số giờ làm việc", "Ngày nghỉ", "Ngày làm bù, giờ riêng")
    for column in table.columns[1:3]:
        column.justify = "right"
    special = spec.special_days_of(units)
    known, which = calendar.daily_hours
    total_days, total_minutes = 0, 0
    for month in range(1, 13):
        first = (dt.date(year, month, 1) - calendar.horizon[0]).days
        after = (dt.date(year + month // 12, month % 12 + 1, 1) - calendar.horizon[0]).days
        minutes = [sum(closes - opens for opens, closes in known[kind]) for kind in which[first:after]]
        days = [(date, day) for date, (day, _) in special.items() if (date.year, date.month) == (year, month)]
        table.add_row(
            f"{month:02}/{year}",
            str(sum(1 for one in minutes if one)),
            _number(sum(minutes)),
            ", ".join(f"{date:%d}" for date, day in days if not spec.hours_of(day, units)),
            ", ".join(f"{date:%d}" for date, day in days if spec.hours_of(day, units)),
        )
        total_days += sum(1 for one in minutes if one)
        total_minutes += sum(minutes)
    table.add_section()
    table.add_row(f"Năm {year}", str(total_days), _number(total_minutes), "", "")
    return table


def _number(minutes: int) -> str:
    return f"{minutes / 60:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def special_days(spec: CalendarSpec, units: UnitsSpec | None, year: int) -> Table:
    """A row for each day off, worked day or day with hours of its own, with its document."""
    table = Table("Ngày", "Thứ", "Loại", "Tên", "Giờ", "Văn bản", "Phạm vi")
    for date, (day, own) in spec.special_days_of(units).items():
        if date.year == year:
            hours = spec.hours_of(day, units)
            scope = units.name if own and units is not None else "chung"
            table.add_row(
                f"{date:%d/%m/%Y}", DAY_NAMES[date.weekday()], _kind(date, hours), day.name or "–",
                hours_text(hours) if hours else "–", day.document or _document(units, own), scope,
            )  # fmt: skip
    return table


def _kind(date: dt.date, hours: Sequence[tuple[str, str]]) -> str:
    if not hours:
        return "Nghỉ"
    return "Làm bù" if date.weekday() >= 5 else "Giờ riêng"


def _document(units: UnitsSpec | None, own: bool) -> str:
    return (units.document if own and units is not None else None) or "chưa ghi văn bản"


def changes(before: Calendars, after: Calendars, found: Sequence[Change]) -> Table:
    """A row for each range of days on which units work otherwise, with the hours of its first day."""
    table = Table("Đơn vị", "Từ ngày", "Đến ngày", "Số ngày khác", "Ngày đầu: đang dùng", "Ngày đầu: sẽ dùng")
    table.columns[3].justify = "right"
    for one in found:
        code = one.codes[0] if one.codes is not None else None
        if one.codes is not None:
            who = ", ".join(one.codes)
        else:
            who = f"mọi đơn vị, trừ {', '.join(one.but)}" if one.but else "mọi đơn vị"
        old = before.default if code is None else before.of_unit(code)
        new = after.default if code is None else after.of_unit(code)
        table.add_row(
            who, f"{one.first_day:%d/%m/%Y}", f"{one.last_day:%d/%m/%Y}", str(one.days),
            hours_on(old, one.first_day), hours_on(new, one.first_day),
        )  # fmt: skip
    return table
