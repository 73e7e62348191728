"""Who is responsible for which unit, as an office keeps it: a table that is read for each report and stored nowhere.

Columns: ``unit_code``, ``title``, and where known ``name``, ``since`` and ``until`` (first and last day, ``2026-01-31`` or
``31/01/2026``); commas or semicolons between them, as spreadsheets save it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Final

from tthc_monitor.domain.errors import ConfigError, Problem

_NEEDED: Final = ("unit_code", "title")
_COLUMNS: Final = (*_NEEDED, "name", "since", "until")
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Head:
    """One row: who heads a unit from ``since`` to ``until``, both days included; None has no end."""

    unit_code: str
    title: str
    name: str
    since: date | None
    until: date | None
    line: int

    def on(self, day: date) -> bool:
        """Whether it holds on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    @property
    def label(self) -> str:
        """Title and name as they are printed."""
        return f"{self.title} {self.name}".strip()


def read_heads(path: Path) -> tuple[Head, ...]:
    """The rows of a file.

    Raises:
        ConfigError: it cannot be read, or has errors: all of them, each with its line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"report.heads_file {path} cannot be read: {error.strerror}; correct the path, or remove the setting"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"report.heads_file {path} is not UTF-8; save it as “CSV UTF-8”") from None
    return parse_heads(text, str(path))


def parse_heads(text: str, file: str) -> tuple[Head, ...]:
    """The rows of a table, in their order.

    Raises:
        ConfigError: every problem of the table at once, each with its line.
    """
    first = text.partition("\n")[0]
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    problems: list[Problem] = []
    found: list[Head] = []
    try:
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            message = f"column '{missing[0]}' is missing; give the columns {', '.join(_COLUMNS)} in the first line"
            raise ConfigError([Problem(file, 1, message)])
        reader.fieldnames = names
        for row in reader:
            # A row of more cells than columns has the rest as a list under None.
            values = {name: (row.get(name) or "").strip() for name in _COLUMNS}
            if not any(values.values()):
                continue
            wrong = list(_wrong(values, too_long=None in row))
            problems += [Problem(file, reader.line_num, message) for message in wrong]
            if not wrong:
                found.append(
                    Head(
                        values["unit_code"],
                        values["title"],
                        values["name"],
                        _day(values["since"]),
                        _day(values["until"]),
                        reader.line_num,
                    )
                )
    except csv.Error as error:
        raise ConfigError([Problem(file, reader.line_num, f"not a table: {error}; save it as CSV again")]) from None
    problems += _at_the_same_time(found, file)
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0))
    return tuple(found)


def _wrong(values: dict[str, str], *, too_long: bool) -> Iterator[str]:
    if too_long:
        yield "more cells than columns; put a text with a comma in quotes"
    for name in _NEEDED:
        if not values[name]:
            yield f"'{name}' is empty; fill it in, or remove the row"
    for name in ("title", "name"):
        if len(values[name]) > _LONGEST:
            yield f"'{name}' has more than {_LONGEST} characters; shorten it"
    days = {}
    for name in ("since", "until"):
        try:
            days[name] = _day(values[name])
        except ValueError:
            yield f"{name} '{values[name]}' is no day; write it as 2026-01-31 or 31/01/2026"
    since, until = days.get("since"), days.get("until")
    if since and until and until < since:
        yield f"until {until} lies before since {since}; correct one of the two"


def _day(written: str) -> date | None:
    if not written:
        return None
    if "/" in written:
        day, month, year = (int(part) for part in written.split("/"))
        return date(year, month, day)
    return date.fromisoformat(written)


def _at_the_same_time(heads: Sequence[Head], file: str) -> Iterator[Problem]:
    of_unit: dict[str, list[Head]] = {}
    for head in sorted(heads, key=lambda head: (head.since or date.min, head.line)):
        for other in of_unit.setdefault(head.unit_code, []):
            if other.until is None or (head.since or date.min) <= other.until:
                first, second = sorted((other.line, head.line))
                message = (
                    f"unit {head.unit_code} has a head on these days already, on line {first}; "
                    "give the earlier one an 'until' before the later one's 'since'"
                )
                yield Problem(file, second, message)
                break
        of_unit[head.unit_code].append(head)
