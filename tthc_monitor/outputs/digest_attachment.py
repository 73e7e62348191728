"""All rows behind a digest as a workbook: one sheet per list, with filters, for whoever works through it.

Texts of a source are text cells, never formulas; codes keep their zeros. The same facts give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest_cut import Cut
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.digest_sections import sheet_name

MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_HEAD: Final = 2
"""Row of the column headings, below a title and a line about it."""
_LONGEST_CELL: Final = 32_767
_DAY: Final = 86_400_000_000
_EXCEL_1970: Final = 25_569
_FIRST_EXCEL: Final = 61
"""Excel counts a day that 1900 did not have; instants before March of that year are texts."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    mime: str


@dataclass(frozen=True)
class _Column:
    title: str
    width: float
    kind: str
    values: Callable[[pd.DataFrame], Sequence[Any]]


def _of(name: str) -> Callable[[pd.DataFrame], Sequence[Any]]:
    return lambda rows: rows[name].tolist()


def _unit(rows: pd.DataFrame) -> Sequence[Any]:
    return rows["unit_name"].where(rows["unit_name"].notna(), rows["unit_code"]).replace("", "Chưa rõ đơn vị").tolist()


def _apology(rows: pd.DataFrame) -> Sequence[Any]:
    return ["Chưa có" if missing else "" for missing in rows["apology_missing"]]


_WHICH: Final = (_Column("Mã hồ sơ", 26, "text", _of("code")), _Column("Đơn vị", 30, "text", _unit))
_WHAT: Final = (
    _Column("Lĩnh vực", 24, "text", _of("sector_name")),
    _Column("Mã TTHC", 13, "text", _of("procedure_code")),
    _Column("Thủ tục hành chính", 52, "text", _of("procedure")),
)
_RECEIVED: Final = _Column("Tiếp nhận", 17, "instant", _of("received_at"))
_DUE: Final = _Column("Hẹn trả", 17, "instant", _of("due_at"))
_PLACE: Final = _Column("Bước, nơi đang xử lý", 40, "text", _of("place"))


def _days(title: str) -> _Column:
    return _Column(title, 12, "whole", _of("days"))


def _columns(key: str, titles: Mapping[int, str]) -> tuple[_Column, ...]:
    match key:
        case "overdue":
            apology = _Column("Văn bản xin lỗi", 14, "text", _apology)
            return (*_WHICH, _days("Số ngày làm việc trễ"), apology, _DUE, _PLACE, *_WHAT, _RECEIVED)
        case "petitions_overdue":
            return (*_WHICH, _days("Số ngày làm việc trễ"), _DUE, _PLACE, *_WHAT, _RECEIVED)
        case "acknowledged_late":
            submitted = _Column("Nộp lúc", 17, "instant", _of("submitted_at"))
            by = _Column("Hạn tiếp nhận", 17, "instant", _of("since"))
            return (*_WHICH, _days("Số ngày làm việc chậm"), submitted, by, *_WHAT)
        case "waiting_long":
            asked = _Column("Yêu cầu bổ sung lúc", 17, "instant", _of("requested_at"))
            return (*_WHICH, _days("Số ngày làm việc đã chờ"), asked, _DUE, *_WHAT, _RECEIVED)
        case "returned":
            status = _Column("Tình trạng", 24, "text", _of("status"))
            return (*_WHICH, status, _Column("Lúc", 17, "instant", _of("since")), _DUE, *_WHAT, _RECEIVED)
        case "integrity":
            sign = _Column("Dấu hiệu", 52, "text", lambda rows: rows["rule_version_id"].map(dict(titles)).tolist())
            since = _Column("Ghi nhận từ", 17, "instant", _of("since"))
            return (*_WHICH, sign, since, _Column("Tình trạng", 22, "text", _of("status")), *_WHAT, _RECEIVED, _DUE)
        case _:
            return (*_WHICH, _DUE, _PLACE, *_WHAT, _RECEIVED)


def workbook_of(facts: DigestFacts, cut: Cut) -> tuple[Attachment, ...]:
    """The workbook of one scope; nothing where no list has rows. Made once for all recipients of the same scope."""
    key = ("workbook", cut.key)
    if key not in facts.made:
        full = {name: rows for name, rows in cut.lists.items() if len(rows)}
        facts.made[key] = (_attachment(facts, cut, full),) if full else ()
    found: tuple[Attachment, ...] = facts.made[key]
    return found


def _attachment(facts: DigestFacts, cut: Cut, lists: Mapping[str, pd.DataFrame]) -> Attachment:
    local = facts.now.astimezone(ZoneInfo(facts.zone))
    content = BytesIO()
    # A row leaves the memory when the next begins.
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False,
    }  # fmt: skip
    workbook = xlsxwriter.Workbook(content, options)
    # Else each run would give other bytes.
    workbook.set_properties(
        {"title": "Hồ sơ cần xử lý", "author": "tthc-monitor", "created": local.replace(tzinfo=None)}
    )
    formats = _Formats(workbook)
    at = f"Tính đến {wording.instant(facts.now, facts.zone)}"
    for key, rows in lists.items():
        sheet = workbook.add_worksheet(sheet_name(key, facts.rules)[:31])
        columns = _columns(key, facts.rules.titles)
        cells = [(column, column.values(rows)) for column in columns]
        _write(sheet, formats, f"{sheet.get_name()}: {wording.number(len(rows))}", at, cells, facts.zone)
    if len(cut.units) > 1:
        sheet = workbook.add_worksheet("Theo đơn vị")
        _write(sheet, formats, f"Theo đơn vị: {wording.number(len(cut.units))}", at, _of_units(cut), facts.zone)
    workbook.close()
    return Attachment(f"ho-so-can-xu-ly-{local:%Y-%m-%d}.xlsx", content.getvalue(), MIME)


def _of_units(cut: Cut) -> list[tuple[_Column, Sequence[Any]]]:
    titles = {
        "overdue": "Quá hạn đang xử lý",
        "apology_missing": "Thiếu văn bản xin lỗi",
        "due_today": "Đến hạn hôm nay",
        "acknowledged_late": "Chậm tiếp nhận",
        "open": "Đang giải quyết",
        "cannot_tell": "Chưa xác định hạn",
    }
    columns = [
        ("Mã đơn vị", 16.0, "text", [row.code for row in cut.units]),
        ("Đơn vị", 44.0, "text", [row.name for row in cut.units]),
        *((title, 14.0, "whole", [getattr(row, name) for row in cut.units]) for name, title in titles.items()),
    ]
    return [(_Column(title, width, kind, list), values) for title, width, kind, values in columns]


class _Formats:
    """Cell formats, made once per workbook."""

    def __init__(self, workbook: Workbook) -> None:
        font = {"font_name": "Times New Roman", "font_size": 12, "valign": "top"}
        self.title = workbook.add_format({**font, "bold": True, "font_size": 14})
        self.line = workbook.add_format({**font, "italic": True})
        self.head = workbook.add_format(
            {**font, "bold": True, "text_wrap": True, "bottom": 1, "bg_color": "#DCE6F1", "valign": "vcenter"}
        )
        self.cells: Mapping[str, Format] = {
            "text": workbook.add_format({**font, "num_format": "@"}),
            "whole": workbook.add_format({**font, "num_format": "#,##0"}),
            "instant": workbook.add_format({**font, "num_format": "hh:mm dd/mm/yyyy", "align": "left"}),
        }


def _write(
    sheet: Worksheet,
    formats: _Formats,
    title: str,
    line: str,
    columns: Sequence[tuple[_Column, Sequence[Any]]],
    zone: str,
) -> None:
    """A title, frozen headings with a filter, and the rows."""
    for position, (column, _) in enumerate(columns):
        sheet.set_column(position, position, column.width)
    sheet.write_string(0, 0, title, formats.title)
    sheet.write_string(1, 0, line, formats.line)
    sheet.set_row(_HEAD, 34)
    for position, (column, _) in enumerate(columns):
        sheet.write_string(_HEAD, position, column.title, formats.head)
    values = [_serials(found, zone) if column.kind == "instant" else found for column, found in columns]
    styles = [formats.cells[column.kind] for column, _ in columns]
    for row, cells in enumerate(zip(*values, strict=True), start=_HEAD + 1):
        for position, value in enumerate(cells):
            if isinstance(value, str):
                sheet.write_string(row, position, value[:_LONGEST_CELL], styles[position])
            elif value is not None and not math.isnan(value):
                sheet.write_number(row, position, value, styles[position])
    last = _HEAD + len(values[0])
    sheet.freeze_panes(_HEAD + 1, 1)
    sheet.autofilter(_HEAD, 0, last, len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEAD)


def _serials(instants: Sequence[Any], zone: str) -> list[float | str | None]:
    """Instants as Excel counts days, in the zone; those that it does not know as texts."""
    column = pd.Series(pd.to_datetime(pd.Series(instants, dtype=object), utc=True).astype("datetime64[us, UTC]"))
    local = column.dt.tz_convert(zone).dt.tz_localize(None).to_numpy().astype(np.int64)
    days = (local / _DAY + _EXCEL_1970).tolist()
    return [
        None if missing else day if day >= _FIRST_EXCEL else _early(instant, zone)
        for day, missing, instant in zip(days, column.isna().tolist(), instants, strict=True)
    ]


def _early(instant: datetime, zone: str) -> str:
    return wording.short_instant(pd.Timestamp(instant).to_pydatetime(), zone)
