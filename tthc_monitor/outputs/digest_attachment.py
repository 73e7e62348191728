"""All rows behind a digest as a workbook: one sheet per list, with filters, for whoever works through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest_cut import Cut
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.digest_rules import RulesInForce
from tthc_monitor.outputs.digest_sections import sheet_name
from tthc_monitor.outputs.plain_workbook import (
    EMPTY_CELL,
    MIME,
    Sheet,
    instant_cell,
    row_of,
    text_cell,
    whole_cell,
    workbook,
)

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
    return [_APOLOGIES[known] for known in rows["apology"]]


def _waited(rows: pd.DataFrame) -> Sequence[Any]:
    return rows["days"].astype(object).where(rows["requested_at"].notna(), "Không rõ từ ngày nào").tolist()


_APOLOGIES: Final = {
    "missing": "Chưa có",
    "late": "Có, muộn",
    "in_time": "Có, đúng hạn",
    "unknown": "Chưa xác định được",
}
_WHICH: Final = (_Column("Mã hồ sơ", 26, "text", _of("code")), _Column("Đơn vị", 36, "text", _unit))
_WHAT: Final = (
    _Column("Lĩnh vực", 30, "text", _of("sector_name")),
    _Column("Mã TTHC", 13, "text", _of("procedure_code")),
    _Column("Thủ tục hành chính", 62, "text", _of("procedure")),
)
_RECEIVED: Final = _Column("Tiếp nhận", 18, "instant", _of("received_at"))
_DUE: Final = _Column("Hẹn trả", 18, "instant", _of("due_at"))
_PLACE: Final = _Column("Bước, nơi đang xử lý", 40, "text", _of("place"))


def _days(title: str) -> _Column:
    return _Column(title, 12, "whole", _of("days"))


def _columns(key: str, rules: RulesInForce) -> tuple[_Column, ...]:
    match key:
        case "overdue":
            apology = (_Column("Văn bản xin lỗi", 20, "text", _apology),) if rules.watches("apology_missing") else ()
            return (*_WHICH, _days("Số ngày làm việc trễ"), *apology, _DUE, _PLACE, *_WHAT, _RECEIVED)
        case "petitions_overdue":
            return (*_WHICH, _days("Số ngày làm việc trễ"), _DUE, _PLACE, *_WHAT, _RECEIVED)
        case "acknowledged_late":
            submitted = _Column("Nộp lúc", 18, "instant", _of("submitted_at"))
            by = _Column("Hạn tiếp nhận", 18, "instant", _of("since"))
            return (*_WHICH, _days("Số ngày làm việc chậm"), submitted, by, *_WHAT)
        case "waiting_long":
            asked = _Column("Yêu cầu bổ sung lúc", 18, "instant", _of("requested_at"))
            days = _Column("Số ngày làm việc đã chờ", 12, "whole", _waited)
            return (*_WHICH, days, asked, _DUE, *_WHAT, _RECEIVED)
        case "returned":
            status = _Column("Tình trạng", 24, "text", _of("status"))
            return (*_WHICH, status, _Column("Lúc", 18, "instant", _of("since")), _DUE, *_WHAT, _RECEIVED)
        case "integrity":
            sign = _Column(
                "Dấu hiệu", 52, "text", lambda rows: rows["rule_version_id"].map(dict(rules.titles)).tolist()
            )
            since = _Column("Xảy ra lúc", 18, "instant", _of("since"))
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
    at = f"Tính đến {wording.instant(facts.now, facts.zone)}"
    sheets = []
    for key, rows in lists.items():
        name = sheet_name(key, facts.rules)
        headings = [(column.title, column.width) for column in _columns(key, facts.rules)]
        written = _written(facts, key)[rows.index.to_numpy()].tolist()
        sheets.append(Sheet(name, f"{name}: {wording.number(len(rows))}", at, headings, written))
    if len(cut.units) > 1:
        sheets.append(_of_units(cut, at))
    local = facts.now.astimezone(ZoneInfo(facts.zone))
    content = workbook(sheets, "Hồ sơ cần xử lý", facts.now.astimezone(UTC))
    return Attachment(f"ho-so-can-xu-ly-{local:%Y-%m-%d}.xlsx", content, MIME)


def _written(facts: DigestFacts, key: str) -> npt.NDArray[np.object_]:
    """The written rows of one list, at the positions that they have in the facts; written once for all scopes."""
    made = ("rows", key)
    if made not in facts.made:
        rows = facts.attention[facts.attention["list"] == key]
        written = np.empty(len(facts.attention), dtype=object)
        cells = [_cells(column, rows, facts.zone) for column in _columns(key, facts.rules)]
        written[rows.index.to_numpy()] = [row_of(row) for row in zip(*cells, strict=True)]
        facts.made[made] = written
    found: npt.NDArray[np.object_] = facts.made[made]
    return found


def _cells(column: _Column, rows: pd.DataFrame, zone: str) -> list[str]:
    values = column.values(rows)
    if column.kind == "text":
        # Units, procedures and steps come again and again.
        known = {value: text_cell(value) if isinstance(value, str) else EMPTY_CELL for value in set(values)}
        return [known[value] for value in values]
    if column.kind == "whole":
        return [text_cell(value) if isinstance(value, str) else whole_cell(value) for value in values]
    return _instants(values, zone)


def _instants(instants: Sequence[Any], zone: str) -> list[str]:
    """Instants as Excel counts days, in the zone; those that it does not know as texts."""
    column = pd.Series(pd.to_datetime(pd.Series(instants, dtype=object), utc=True).astype("datetime64[us, UTC]"))
    local = column.dt.tz_convert(zone).dt.tz_localize(None).to_numpy().astype(np.int64)
    days = (local / _DAY + _EXCEL_1970).tolist()
    return [
        EMPTY_CELL if missing else instant_cell(day) if day >= _FIRST_EXCEL else _early(instant, zone)
        for day, missing, instant in zip(days, column.isna().tolist(), instants, strict=True)
    ]


def _early(instant: Any, zone: str) -> str:
    return text_cell(wording.short_instant(pd.Timestamp(instant).to_pydatetime(), zone))


def _of_units(cut: Cut, line: str) -> Sheet:
    titles = {
        "overdue": "Quá hạn đang xử lý",
        "apology_missing": "Thiếu văn bản xin lỗi",
        "apology_unknown": "Chưa xác định được việc xin lỗi",
        "due_today": "Đến hạn hôm nay",
        "acknowledged_late": "Chậm tiếp nhận",
        "open": "Đang giải quyết",
        "cannot_tell": "Chưa xác định hạn",
    }
    rows = []
    for unit in cut.units:
        figures = [getattr(unit, name) for name in titles]
        counted = {
            name: EMPTY_CELL if figure is None else whole_cell(figure)
            for name, figure in zip(titles, figures, strict=True)
        }
        if unit.apology_missing == 0 and unit.apology_unknown:
            # 0 would say that none is missing.
            counted["apology_missing"] = text_cell("Chưa xác định được")
        rows.append(row_of([text_cell(unit.code), text_cell(unit.name), *counted.values()]))
    headings = [("Mã đơn vị", 16.0), ("Đơn vị", 44.0), *((title, 14.0) for title in titles.values())]
    return Sheet("Theo đơn vị", f"Theo đơn vị: {wording.number(len(rows))}", line, headings, rows)
