"""A reform as a table: one CSV row per pair of an old unit and a new one that took it over, or a part of it, on a day.

Tables of mergers that circulate have this form. A code that stands on both sides goes on: it gets a new version on
that day. What was known of other days stays.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.unit_checks import Item
from tthc_monitor.domain.units import KIND_NAMES, Succession, UnitKind, UnitRegister, UnitVersion

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "from_code": ("old_ward_code", "old_code", "old_unit_code", "from_code"),
    "from_name": ("old_ward", "old_name", "old_unit_name", "from_name"),
    "from_kind": ("old_kind", "from_kind"),
    "from_parent": ("old_parent_code", "from_parent_code"),
    "to_code": ("new_ward_code", "new_code", "new_unit_code", "to_code"),
    "to_name": ("new_ward", "new_name", "new_unit_name", "to_name"),
    "to_kind": ("new_kind", "to_kind"),
    "to_parent": ("new_parent_code", "to_parent_code"),
    "on": ("on", "date"),
    "share": ("share",),
    "sectors": ("sector_codes", "sectors"),
    "procedures": ("procedure_codes", "procedures"),
    "document": ("document",),
}
"""What each column may be called. Several sectors or procedures of one row are parted by blanks."""
_REQUIRED: Final = ("from_code", "from_name", "to_code", "to_name")
_PREFIXES: Final[Sequence[tuple[str, UnitKind]]] = (
    ("xã ", "commune"),
    ("phường ", "ward"),
    ("đặc khu ", "special_zone"),
    ("thị trấn ", "commune"),
    ("quận ", "district"),
    ("huyện ", "district"),
    ("thị xã ", "district"),
    ("tỉnh ", "province"),
    ("sở ", "department"),
    ("chi nhánh ", "branch"),
    ("trung tâm phục vụ hành chính công ", "one_stop_centre"),
)


@dataclass(frozen=True)
class _Unit:
    """One side of a row."""

    code: str
    name: str
    kind: UnitKind | None
    parent: str | None


@dataclass
class _Table:
    """What the rows say, and what is wrong with them."""

    file: str
    successions: dict[Succession, int] = field(default_factory=dict)
    old: dict[tuple[str, date], tuple[_Unit, int]] = field(default_factory=dict)
    new: dict[tuple[str, date], tuple[_Unit, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def say(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.file, line, message))


def unread_columns(text: str) -> Sequence[str]:
    """Columns of a table that say nothing to us, in their order."""
    _, header = next(_rows(text), (1, []))
    return [name for name in header if not any(name.strip().lower() in names for names in COLUMNS.values())]


def changed(
    known: UnitRegister, text: str, file: str, *, on: date | None = None, document: str | None = None
) -> tuple[UnitRegister, Mapping[Item, int]]:
    """What is known once the table is taken over, and the lines of its entries; not yet checked as a whole.

    Args:
        on: day of the rows that name none.
        document: decision behind the rows that name none.

    Raises:
        ConfigError: a column or a value is missing or wrong; every problem at once, by line.
    """
    table = _read(text, file, on, document)
    if table.problems:
        raise ConfigError(table.problems)
    versions = {code: list(known.versions_of(code)) for code in known.codes}
    lines: dict[Item, int] = dict(table.successions.items())
    for day in sorted({day for _, day in (*table.old, *table.new)}):
        for (code, on_day), (unit, line) in table.old.items():
            if on_day == day:
                versions[code] = _ended(versions.get(code, ()), unit, day)
                lines[versions[code][-1]] = line
        for (code, on_day), (unit, line) in table.new.items():
            if on_day == day:
                begun = _begun(versions.get(code, ()), known, unit, day)
                lines.update((one, line) for one in begun if one.first == day)
                versions[code] = begun
    days = {(one.from_code, one.on) for one in table.successions}
    kept = [one for one in known.successions if (one.from_code, one.on) not in days]
    return UnitRegister([one for held in versions.values() for one in held], [*kept, *table.successions]), lines


def _ended(held: Sequence[UnitVersion], unit: _Unit, day: date) -> list[UnitVersion]:
    """Versions of a unit that ends on a day, for all that this side of a row tells."""
    earlier = [one for one in held if one.first < day]
    last = earlier.pop() if earlier else None
    name, kind, parent = _looks(last, unit)
    return [*earlier, UnitVersion(unit.code, name, kind, parent, last.valid_from if last else None, day)]


def _begun(held: Sequence[UnitVersion], known: UnitRegister, unit: _Unit, day: date) -> list[UnitVersion]:
    """Versions of a unit that has a name from a day on; one that has it already stays as it is."""
    earlier = [one for one in held if one.first < day]
    # What was known of later days may have been cut off when the other side of the table ended the unit.
    later = [one for one in known.versions_of(unit.code) if one.first > day]
    last = earlier[-1] if earlier else None
    present = known.version_on(unit.code, day)
    if last is not None and last.end > day:
        if (last.name, last.kind, last.parent_code) == _looks(last, unit):
            return [*earlier, *later]
        earlier[-1] = UnitVersion(unit.code, last.name, last.kind, last.parent_code, last.valid_from, day)
        present = last
    name, kind, parent = _looks(present or last, unit)
    return [*earlier, UnitVersion(unit.code, name, kind, parent, day, present.valid_to if present else None), *later]


def _looks(known: UnitVersion | None, unit: _Unit) -> tuple[str, UnitKind, str | None]:
    """Name, kind and parent: what the row says, else what was known, else what the name begins with."""
    begins = next((kind for prefix, kind in _PREFIXES if unit.name.lower().startswith(prefix)), None)
    kind = unit.kind or begins or (known.kind if known else "other")
    return unit.name, kind, unit.parent or (known.parent_code if known else None)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their last line."""
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ConfigError(f"line {reader.line_num} is not CSV: {error}; check that it is the right file") from None


def _read(text: str, file: str, on: date | None, document: str | None) -> _Table:
    rows = _rows(text)
    header = [name.strip().lower() for name in next(rows, (1, []))[1]]
    places = {part: header.index(name) for part, names in COLUMNS.items() for name in names if name in header}
    table = _Table(file)
    for part in _REQUIRED:
        if part not in places:
            table.say(1, f"there is no column for {part}; name one of the columns {', '.join(COLUMNS[part])}")
    if "on" not in places and on is None:
        table.say(1, "no column tells the day of the succession; add a column 'on', or give --on 2025-07-01")
    if "document" not in places and document is None:
        table.say(1, "no column names the decision; add a column 'document', or give --document")
    if table.problems:
        return table
    for line, row in rows:
        if any(cell.strip() for cell in row):
            cells = {part: row[place].strip() if place < len(row) else "" for part, place in places.items()}
            _take(table, cells, line, on, document)
    if not table.successions and not table.problems:
        table.say(1, "the table has no rows; check that it is the right file")
    return table


def _take(table: _Table, cells: Mapping[str, str], line: int, on: date | None, document: str | None) -> None:
    before = len(table.problems)
    for part in _REQUIRED:
        if not cells[part]:
            table.say(line, f"{part} is empty; fill it in, or remove the row")
    old, new = _side(table, "from", cells, line), _side(table, "to", cells, line)
    day, share = on, None
    try:
        day = date.fromisoformat(cells["on"]) if cells.get("on") else on
    except ValueError:
        table.say(line, f"'{cells['on']}' is not a day; write it as 2025-07-01")
    try:
        share = float(cells["share"]) if cells.get("share") else None
    except ValueError:
        table.say(line, f"share '{cells['share']}' is not a number; write 25 % as 0.25")
    source = cells.get("document") or document
    if len(table.problems) == before and day is None:
        table.say(line, "the row tells no day; fill in its column, or give --on")
    if len(table.problems) == before and source is None:
        table.say(line, "the row names no decision; fill in its column, or give --document")
    if len(table.problems) > before or day is None or source is None:
        return
    _note(table, table.old, old, day, line)
    _note(table, table.new, new, day, line)
    scopes = (tuple(sorted(set(cells.get(part, "").split()))) for part in ("sectors", "procedures"))
    found = Succession(old.code, new.code, day, source, share, *scopes)
    if found in table.successions:
        table.say(line, f"this pair stands already on line {table.successions[found]}; remove one of the two")
    table.successions.setdefault(found, line)


def _side(table: _Table, side: str, cells: Mapping[str, str], line: int) -> _Unit:
    written = cells.get(f"{side}_kind") or None
    kind = next((one for one in KIND_NAMES if one == written), None)
    if written is not None and kind is None:
        table.say(line, f"'{written}' is not a kind of unit; use one of {', '.join(KIND_NAMES)}")
    return _Unit(cells[f"{side}_code"], cells[f"{side}_name"], kind, cells.get(f"{side}_parent") or None)


def _note(table: _Table, units: dict[tuple[str, date], tuple[_Unit, int]], unit: _Unit, day: date, line: int) -> None:
    held, first = units.setdefault((unit.code, day), (unit, line))
    if held != unit:
        table.say(line, f"unit {unit.code} is described otherwise on line {first}; correct one of the two")
