"""A whole report as one JSON file: what it is about, what its figures stand on, its checks and every table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_cells import column_values
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.whole_file import write_whole

FORMAT: Final = "tthc-monitor.report"
VERSION: Final = 1
"""Raised when what a reader knows would be read wrongly; new parts, tables and columns do not raise it."""


def write_json(report: MonthlyReport, tables: Sequence[Table], path: Path) -> Path:
    """Write the file; a reader never sees half of it. A row of a table stands on a line of its own.

    Returns:
        ``path``.

    Raises:
        DeliveryError: the folder cannot be written.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_lines(report, tables))

    return write_whole(path, write)


def _lines(report: MonthlyReport, tables: Sequence[Table]) -> Iterator[str]:
    yield "{\n"
    for name, value in _about(report).items():
        yield f' "{name}": {_text(value)},\n'
    yield ' "tables": ['
    for number, table in enumerate(tables):
        yield from _table_lines(table, report.period.zone, "" if number == 0 else ",")
    yield "\n ]\n}\n"


def _table_lines(table: Table, zone: str, before: str) -> Iterator[str]:
    columns = [{"name": one.name, "title": one.title, "kind": one.kind} for one in table.columns]
    head = {
        "key": table.key,
        "title": table.title,
        "standing": table.standing or None,
        "notes": list(table.notes),
        "columns": columns,
    }
    yield f'{before}\n  {_text(head)[:-1]}, "rows": ['
    names = [column.name for column in table.columns]
    values = (_plain(column_values(table, column, zone), column.kind) for column in table.columns)
    for number, row in enumerate(zip(*values, strict=True)):
        yield f"{',' if number else ''}\n   {_text(dict(zip(names, row, strict=True)))}"
    yield "\n  ]}" if len(table.rows) else "]}"


def _plain(values: list[Any], kind: str) -> list[Any]:
    make = _WRITTEN.get(kind)
    return values if make is None else [None if value is None else make(value) for value in values]


_WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "day": lambda value: value.isoformat(),
    "instant": lambda value: value.isoformat(),
}


def _about(report: MonthlyReport) -> Mapping[str, Any]:
    period, head = report.period, report.ledger_head

    def local(instant: datetime) -> str:
        return instant.astimezone(ZoneInfo(period.zone)).isoformat()

    return {
        "format": FORMAT,
        "version": VERSION,
        "office": report.reporting_unit,
        "period": {
            "name": period.name,
            "label": period.label,
            "kind": period.kind,
            "first_day": period.first_day.isoformat(),
            "last_day": period.last_day.isoformat(),
            "from": local(period.start),
            "to": local(period.end),
            "zone": period.zone,
        },
        "scope": list(report.scope),
        "scope_notes": list(report.unit_notes),
        "as_of": local(report.as_of),
        "period_has_ended": not report.clipped,
        "frozen": report.frozen and {"at": local(report.frozen.at), "by": report.frozen.person},
        "issued": report.paper
        and {
            "number": report.paper.number or None,
            "at": local(report.paper.at),
            "is_this_report": report.paper.is_this,
            "previous_digest": report.paper.previous_digest,
            "digest": report.paper.digest,
        },
        "ledger_head": head and {"link": head.link, "day": head.day.isoformat(), "hash": head.digits},
        "checks": [
            {
                "name": check.name,
                "left": check.left,
                "right": check.right,
                "failing_rows": check.failing_rows,
                "passed": check.passed,
            }
            for check in report.checks
        ],
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
