"""The lists of a digest as they are read in a mail: titles, and the first rows in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.digest_cut import Cut
from tthc_monitor.outputs.digest_facts import COUNTED_FROM, DigestFacts
from tthc_monitor.outputs.digest_places import UNKNOWN
from tthc_monitor.outputs.digest_rules import INTEGRITY, OVERDUE, RulesInForce

_LONGEST: Final = 110
"""Characters of a procedure's name that a mail shows; the attachment has all."""

_ELSEWHERE: Final = frozenset({"acknowledged_late", "waiting_long"})
"""Lists of what nobody in the office is working on; that no step is known says nothing of these."""

_TONES: Final = {
    "apology_missing": "red",
    OVERDUE: "red",
    "petitions_overdue": "red",
    "acknowledged_late": "red",
    "due_today": "amber",
    INTEGRITY: "amber",
}
_COUNTED_AS: Final = {
    **dict.fromkeys(("apology_missing", OVERDUE, "petitions_overdue"), "Trễ"),
    "acknowledged_late": "Chậm",
    "waiting_long": "Đã chờ",
}
_SHOWN: Final = [
    *("rule_version_id", "unit_code", "unit_name", "code", "procedure", "place", "status", "days"),
    *("since", "submitted_at", "requested_at", "due_at"),
]
_INSTANTS: Final = {
    "acknowledged_late": ("Nộp lúc", "submitted_at"),
    "waiting_long": ("Yêu cầu", "requested_at"),
    "returned": ("Lúc", "since"),
    INTEGRITY: ("Xảy ra", "since"),
}
"""What is said of when, where it is not the promise."""


@dataclass(frozen=True, slots=True)
class Row:
    """One dossier in a list: what it is, when it counts from, and how urgent that is."""

    code: str
    procedure: str
    detail: str
    when: str
    badge: str


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the digest, the worst first, cut at the wanted number of rows.

    Attributes:
        tone: ``red``, ``amber`` or ``blue``.
        sheet: of the attachment, which has all rows.
    """

    key: str
    title: str
    total: int
    rows: tuple[Row, ...]
    tone: str
    sheet: str

    @property
    def more(self) -> int:
        """How many dossiers are not shown."""
        return self.total - len(self.rows)


def sections_of(facts: DigestFacts, cut: Cut, max_rows: int) -> tuple[Section, ...]:
    """The lists that have rows. What lacks an apology stands first, and not again among the other overdue ones."""
    lists: dict[str, pd.DataFrame] = dict(cut.lists)
    late = lists.pop(OVERDUE, None)
    if late is not None:
        lacking = late["apology"] == "missing"
        lists = {"apology_missing": late[lacking], OVERDUE: late[~lacking]} | lists
    several = len(cut.units) > 1
    found = []
    for key, rows in lists.items():
        if len(rows):
            title = _title(key, facts, cut, len(lists.get("apology_missing", ())) > 0)
            shown = tuple(
                _row(facts, key, record, several) for record in rows[_SHOWN].head(max_rows).to_dict("records")
            )
            found.append(Section(key, title, len(rows), shown, _TONES.get(key, "blue"), sheet_name(key, facts.rules)))
    return tuple(found)


def sheet_name(key: str, rules: RulesInForce) -> str:
    """Name of the sheet that has all rows of a list."""
    if key in ("due_soon", "due_soon_24h"):
        return f"Đến hạn trong {rules.hours(key, 'within_working_hours')}"
    names = {
        "apology_missing": "Quá hạn",
        OVERDUE: "Quá hạn",
        "due_today": "Đến hạn hôm nay",
        "acknowledged_late": "Chậm tiếp nhận",
        "waiting_long": "Chờ bổ sung lâu",
        "returned": "Trả lại, từ chối, dừng",
        "petitions_overdue": "Phản ánh quá hạn",
        INTEGRITY: "Dấu hiệu cần kiểm tra",
    }
    return names[key]


def late_answer(rules: RulesInForce) -> str:
    """What is late to be received, in words."""
    online = list(rules.definitions["acknowledged_late"].get("channels", ())) == ["online"]
    hours = rules.hours("acknowledged_late", "working_hours")
    return f"hồ sơ {'trực tuyến ' if online else ''}quá {hours} làm việc chưa tiếp nhận"


def _title(key: str, facts: DigestFacts, cut: Cut, after_others: bool) -> str:
    rules, since = facts.rules, wording.day(cut.moments.since.date())
    match key:
        case "apology_missing":
            return "Quá hạn, chưa có văn bản xin lỗi"
        case "overdue":
            return "Quá hạn đang xử lý, các hồ sơ khác" if after_others else "Quá hạn đang xử lý"
        case "due_today":
            return "Đến hạn hôm nay"
        case "due_soon" | "due_soon_24h":
            return f"Đến hạn trong {rules.hours(key, 'within_working_hours')} làm việc, sau hôm nay"
        case "acknowledged_late":
            return f"Chậm tiếp nhận: {late_answer(rules)}"
        case "waiting_long":
            return f"Chờ công dân bổ sung quá {rules.days(key, 'working_days')} làm việc"
        case "returned":
            return f"Trả lại, từ chối, dừng xử lý từ ngày {since}"
        case "petitions_overdue":
            return "Phản ánh, kiến nghị quá hạn"
        case _:
            return f"Dấu hiệu cần kiểm tra, phát hiện từ ngày {since} (lúc xảy ra ghi ở từng dòng)"


def _row(facts: DigestFacts, key: str, record: Mapping[Any, Any], several: bool) -> Row:
    parts = [facts.rules.titles[record["rule_version_id"]]] if key == INTEGRITY else []
    if key not in ("returned", INTEGRITY) and (key not in _ELSEWHERE or record["place"] != UNKNOWN):
        parts.append(record["place"])
    if several:
        parts.append(unit_of(record))
    label, column = _INSTANTS.get(key, ("Hẹn trả", "due_at"))
    instant = record[column]
    when = f"{label} {wording.short_instant(instant.to_pydatetime(), facts.zone)}" if pd.notna(instant) else ""
    procedure = record["procedure"] if isinstance(record["procedure"], str) else "Chưa rõ thủ tục"
    return Row(record["code"], _short(procedure), " · ".join(filter(None, parts)), when, _badge(key, record))


def unit_of(record: Mapping[Any, Any]) -> str:
    """What the unit of a row is called."""
    name = record["unit_name"]
    return wording.unit_label(record["unit_code"], name if isinstance(name, str) else None)


def _badge(key: str, record: Mapping[Any, Any]) -> str:
    if key in COUNTED_FROM and pd.isna(record[COUNTED_FROM[key]]):
        return f"{_COUNTED_AS[key]} không rõ từ ngày nào"
    days = wording.working_days(int(record["days"]))
    match key:
        case "apology_missing" | "overdue" | "petitions_overdue" | "acknowledged_late" | "waiting_long":
            return f"{_COUNTED_AS[key]} {days}"
        case "returned":
            return record["status"] if isinstance(record["status"], str) else ""
        case _:
            return ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
