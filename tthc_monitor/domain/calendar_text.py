"""Puts days into the text of a calendar file and leaves the rest of it, comments included, as people wrote it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

import yaml

from tthc_monitor.domain.calendar_import import ImportedDay
from tthc_monitor.domain.errors import ConfigError

_INDENT: Final = "  "


def with_days(text: str, days: Sequence[ImportedDay]) -> str:
    """The text with these days added, each among its neighbours: a worked one works the hours of a Monday.

    A list on one line becomes one of a line each. The days must not stand in the text already.

    Raises:
        ConfigError: the text is no mapping.
    """
    for key, kind in (("days_off", "off"), ("overrides", "work")):
        for day in sorted((day for day in days if day.kind == kind), key=lambda day: day.date):
            text = _with_day(text, key, day)
    return text


def with_decreed_until(text: str, last_day: dt.date) -> str:
    """The text with another last decreed day."""
    line = f"decreed_until: {last_day}"
    changed, found = re.subn(r"^decreed_until:[^#\n]*?(?=\s*(#.*)?$)", line, text, count=1, flags=re.MULTILINE)
    return changed if found else f"{text.rstrip()}\n\n{line}\n"


def _with_day(text: str, key: str, day: ImportedDay) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("the calendar file is not a mapping; start from a copy of the shipped calendar")
    node = next((value for name, value in root.value if name.value == key), None)
    if node is None or not isinstance(node, yaml.SequenceNode):
        if node is not None:  # the key stands there with nothing behind it
            text = re.sub(rf"^{key}:.*\n?", "", text, count=1, flags=re.MULTILINE)
        return f"{text.rstrip()}\n\n{key}:\n{_INDENT}{_item(day)}\n"
    if node.flow_style:
        return _with_day(_in_lines(text, node), key, day) if node.value else _in_place(text, node, day)
    lines = text.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    indent = " " * (node.value[0].start_mark.column - 2)
    dated = [(_date(item), item) for item in node.value]
    before = [item for date, item in dated if date < day.date]
    same_year = [item for date, item in dated if date >= day.date and date.year == day.date.year]
    heading = ""
    if before and (_date(before[-1]).year == day.date.year or not same_year):
        position = _end_line(before[-1])
        if _date(before[-1]).year != day.date.year and re.search(r"^\s*# 20\d\d\s*$", text, flags=re.MULTILINE):
            heading = f"{indent}# {day.date.year}\n"
    else:
        position = (same_year or node.value)[0].start_mark.line
    lines.insert(position, f"{heading}{indent}{_item(day)}\n")
    return "".join(lines)


def _item(day: ImportedDay) -> str:
    hours = ", like: mon" if day.kind == "work" else ""
    remark = f"  # {' '.join(day.remark.split())}" if day.remark else ""
    return f"- {{date: {day.date}, name: {_quoted(day.name)}, document: {_quoted(day.document)}{hours}}}{remark}"


def _quoted(text: str) -> str:
    dumped: str = yaml.safe_dump(text, allow_unicode=True, default_style='"', width=10_000)
    return dumped.strip()


def _date(item: yaml.Node) -> dt.date:
    if isinstance(item, yaml.MappingNode):
        item = next(value for name, value in item.value if name.value == "date")
    return dt.date.fromisoformat(item.value)


def _end_line(item: yaml.Node) -> int:
    # A block ends where the next thing begins, after blank lines and comments; its last value does not.
    if isinstance(item, yaml.MappingNode | yaml.SequenceNode) and not item.flow_style and item.value:
        last = item.value[-1]
        return _end_line(last[1] if isinstance(last, tuple) else last)
    return int(item.end_mark.line) + 1


def _in_lines(text: str, node: yaml.SequenceNode) -> str:
    items = [text[item.start_mark.index : item.end_mark.index] for item in node.value]
    block = "".join(f"\n{_INDENT}- {' '.join(item.split())}" for item in items)
    return text[: node.start_mark.index].rstrip(" ") + block + text[node.end_mark.index :]


def _in_place(text: str, node: yaml.SequenceNode, day: ImportedDay) -> str:
    return text[: node.start_mark.index].rstrip(" ") + f"\n{_INDENT}{_item(day)}" + text[node.end_mark.index :]
