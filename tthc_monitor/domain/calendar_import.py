"""Days off and worked days from a table (``date,kind,name,source,status``), set against a calendar.

The table is what people make of a decision about days off. What it says and the calendar does not is added; what both
say is left as the calendar has it; what they say otherwise is an error, for a person must decide which is right.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final, Literal

from tthc_monitor.domain.calendars import CalendarSpec, week_on, weekday
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.worktime import HORIZON

COLUMNS: Final = ("date", "kind", "name", "source", "status")
_KINDS: Final[dict[str, Literal["off", "work"]]] = {"off": "off", "work": "work", "working": "work"}
_EXCHANGED = re.compile(r"thay cho (?:ngày )?(\d{1,2})/(\d{1,2})/(\d{4})")


@dataclass(frozen=True)
class ImportedDay:
    """One row of the table."""

    date: dt.date
    kind: Literal["off", "work"]
    name: str
    document: str
    remark: str
    """How sure the table is of it (its column ``status``); kept as a comment."""
    line: int


@dataclass(frozen=True)
class Comparison:
    """What a table says beside what a calendar has."""

    added: tuple[ImportedDay, ...]
    same: tuple[ImportedDay, ...]
    otherwise: tuple[ImportedDay, ...]
    """On these days both agree that they are off, or worked, but name or document differ."""


def read_days(text: str, file: str, document: str | None = None) -> tuple[ImportedDay, ...]:
    """Rows of a table, in order of days.

    Args:
        document: what all rows rest on, in place of their own column ``source``.

    Raises:
        ConfigError: every problem of the table at once, each with its line.
    """
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in COLUMNS[:3] if name not in (reader.fieldnames or ())]
    if missing:
        message = f"column '{missing[0]}' is missing; give the columns {', '.join(COLUMNS)} in the first line"
        raise ConfigError([Problem(file, 1, message)])
    found: dict[dt.date, ImportedDay] = {}
    problems: list[Problem] = []
    for row in reader:
        line = reader.line_num
        values = {name: (row.get(name) or "").strip() for name in COLUMNS}
        wrong = list(_wrong(values, document))
        problems += [Problem(file, line, message) for message in wrong]
        if wrong:
            continue
        day = dt.date.fromisoformat(values["date"])
        if day in found:
            problems.append(
                Problem(file, line, f"{day} stands already on line {found[day].line}; remove one of the two")
            )
            continue
        kind = _KINDS[values["kind"].lower()]
        found[day] = ImportedDay(day, kind, values["name"], document or values["source"], values["status"], line)
    if problems:
        raise ConfigError(problems)
    return tuple(found[day] for day in sorted(found))


def _wrong(values: dict[str, str], document: str | None) -> Iterator[str]:
    try:
        day = dt.date.fromisoformat(values["date"])
        if not HORIZON[0] <= day < HORIZON[1]:
            yield f"{day} is no day from {HORIZON[0]} to before {HORIZON[1]}; correct the year"
    except ValueError:
        yield f"date '{values['date']}' is no day; write it as 2026-01-31"
    if values["kind"].lower() not in _KINDS:
        yield f"kind '{values['kind']}' is unknown; write off or work"
    if not values["name"]:
        yield "the day has no name; write what it is"
    if not (document or values["source"]):
        yield "no document stands behind the day; write it in column source, or give it with --by"


def compare(spec: CalendarSpec, days: Sequence[ImportedDay], file: str) -> Comparison:
    """Sort the rows by what the calendar of the office at large says about their days.

    Raises:
        ConfigError: every contradiction at once, each with its line in the table.
    """
    special = {date: (day, bool(spec.hours_of(day, None))) for date, (day, _) in spec.special_days_of(None).items()}
    off = {date for date, (_, worked) in special.items() if not worked} | {
        day.date for day in days if day.kind == "off"
    }
    parts: dict[str, list[ImportedDay]] = {"added": [], "same": [], "otherwise": []}
    problems: list[Problem] = []
    for day in days:
        usual = week_on(spec.weeks_of(None), day.date).get(weekday(day.date))
        exchanged = _EXCHANGED.search(day.name)
        if day.date in special:
            known, worked = special[day.date]
            if worked != (day.kind == "work"):
                has, says = ("worked", "off") if worked else ("off", "worked")
                message = f"{day.date} is {has} in the calendar ({known.name}, {known.document}) and {says} here"
                problems.append(Problem(file, day.line, f"{message}; correct the one that is wrong"))
                continue
            alike = (known.name, known.document) == (day.name, day.document)
            parts["same" if alike else "otherwise"].append(day)
        elif day.kind == "work" and usual:
            message = f"{day.date} is a working day of every week; remove the row"
            problems.append(Problem(file, day.line, message))
        else:
            parts["added"].append(day)
        if day.kind == "work" and exchanged and not _is_off(exchanged, off):
            message = f"{day.date} is worked in exchange for {exchanged[0][-10:]}, which is not off; add that day"
            problems.append(Problem(file, day.line, message))
    if problems:
        raise ConfigError(problems)
    return Comparison(*(tuple(parts[name]) for name in ("added", "same", "otherwise")))


def _is_off(written: re.Match[str], off: set[dt.date]) -> bool:
    try:
        return dt.date(int(written[3]), int(written[2]), int(written[1])) in off
    except ValueError:
        return False
