"""What a digest says of its figures, in the register of the Government Office's letters about late dossiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.digest_cut import LISTS, Cut
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.digest_rules import INTEGRITY, OVERDUE
from tthc_monitor.outputs.digest_sections import late_answer
from tthc_monitor.outputs.digest_trend import MEASURES

STALE_AFTER: Final = timedelta(hours=24)
"""A source without a good pull for longer than this is named at the head of the digest."""

NOT_WATCHED: Final = "không theo dõi"
"""What stands for a figure that no rule in force counts."""

CANNOT_TELL: Final = "chưa xác định được"

_LABELS: Final = {
    "acknowledged_late": ("chậm tiếp nhận", "red"),
    OVERDUE: ("quá hạn đang xử lý", "red"),
    "due_today": ("đến hạn hôm nay", "amber"),
    "apology_missing": ("thiếu văn bản xin lỗi", "red"),
}
_NAMES: Final = {
    **{key: label for key, (label, _) in _LABELS.items()},
    "due_soon": "sắp đến hạn",
    "due_soon_24h": "sắp đến hạn (mức sớm)",
    "waiting_long": "chờ công dân bổ sung lâu",
    "returned": "trả lại, từ chối, dừng xử lý",
    INTEGRITY: "dấu hiệu cần kiểm tra",
}
_NAMED: Final = 5
"""Codes of units that a warning names."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One of the four figures at the head.

    Attributes:
        value: None: nobody can tell, as ``instead`` says.
        previous: the last working day, at the same time of day.
        week: five working days before.
        unknown: of how many dossiers besides nobody can tell.
    """

    key: str
    label: str
    tone: str
    value: int | None
    instead: str
    previous: int
    week: int
    unknown: int = 0

    @property
    def note(self) -> str:
        """What it is compared with, in words."""
        if self.value is None:
            return ""
        besides = f"{wording.number(self.unknown)} {CANNOT_TELL}, " if self.unknown else ""
        return f"{besides}hôm trước {_against(self.value, self.previous)}, tuần trước {_against(self.value, self.week)}"


def _against(value: int, before: int) -> str:
    moved = "=" if value == before else f"{'▲' if value > before else '▼'}{wording.number(abs(value - before))}"
    return f"{wording.number(before)} ({moved})"


def counters_of(facts: DigestFacts, cut: Cut) -> tuple[Counter, ...]:
    """The four figures, in the order of the Government Office's letters."""
    found = []
    for key in MEASURES:
        label, tone = _LABELS[key]
        value = cut.counts.get(key)
        instead = "" if value is not None else NOT_WATCHED if facts.rules.any else wording.NO_DATA
        unknown = cut.counts.get("apology_unknown", 0) if key == "apology_missing" else 0
        if value == 0 and unknown == cut.counts.get(OVERDUE, 0) > 0:
            value, instead, unknown = None, CANNOT_TELL, 0
        before, week = cut.at(key, cut.moments.previous), cut.at(key, cut.moments.week)
        found.append(Counter(key, label, tone, value, instead, before, week, unknown))
    return tuple(found)


def in_short(counts: Mapping[str, int]) -> str:
    """The four figures of a digest in a line; empty when it told none of them."""
    told = (f"{wording.number(counts[key])} {_LABELS[key][0]}" for key in MEASURES if key in counts)
    return "; ".join(told)


def lead_of(facts: DigestFacts, audience: Audience, cut: Cut) -> str:
    """The first sentence: what there is to do."""
    counts, rules = cut.counts, facts.rules
    at = wording.instant(facts.now, facts.zone)
    if not counts:
        return f"Tính đến {at}, chưa có kết quả đánh giá hồ sơ nào."
    who = "đơn vị" if audience.units is not None and len(cut.units) == 1 else "các đơn vị"
    late = counts.get(OVERDUE, 0)
    parts = []
    if late:
        new = f" (mới phát sinh {wording.number(counts['new_overdue'])})" if counts["new_overdue"] else ""
        parts.append(f"{wording.number(late)} hồ sơ quá hạn đang xử lý{new}{_among(counts)}")
    if counts.get("due_today"):
        parts.append(f"{wording.number(counts['due_today'])} hồ sơ đến hạn trong ngày")
    if counts.get("acknowledged_late"):
        parts.append(f"{wording.number(counts['acknowledged_late'])} {late_answer(rules)}")
    if not parts:
        return f"Tính đến {at}, {who} không có hồ sơ quá hạn đang xử lý, không có hồ sơ đến hạn trong ngày."
    asked = "rà soát, xử lý dứt điểm"
    if counts.get("apology_missing"):
        asked += " và gửi văn bản xin lỗi, hẹn lại ngày trả kết quả"
    return f"Tính đến {at}, {who} còn {'; '.join(parts)}. Đề nghị {asked} đối với các hồ sơ nêu dưới đây."


def _among(counts: Mapping[str, int]) -> str:
    """What is said of the overdue dossiers' apologies."""
    told = {"apology_missing": "chưa có văn bản xin lỗi", "apology_unknown": f"{CANNOT_TELL} việc xin lỗi"}
    among = [f"{wording.number(counts[key])} hồ sơ {words}" for key, words in told.items() if counts.get(key)]
    return f", trong đó {', '.join(among)}" if among else ""


def standing_of(counts: Mapping[str, int]) -> str:
    """The second sentence: what is being worked on, and of what nobody can tell whether it is in time."""
    if not counts:
        return ""
    line = f"Đang giải quyết {wording.number(counts['open'])} hồ sơ"
    more = []
    if counts.get("supplement_requested"):
        more.append(f"{wording.number(counts['supplement_requested'])} hồ sơ đang chờ công dân bổ sung")
    if counts["cannot_tell"]:
        more.append(f"{wording.number(counts['cannot_tell'])} hồ sơ chưa xác định hạn (không tính là đúng hạn)")
    return f"{line}, trong đó {', '.join(more)}." if more else f"{line}."


def warnings_of(facts: DigestFacts, audience: Audience, cut: Cut) -> tuple[str, ...]:
    """What keeps the figures from being complete, in Vietnamese."""
    return (
        *_stale_sources(facts),
        *_wrong_units(facts, audience),
        *([_unjudged(facts.unjudged)] if facts.unjudged else []),
        *_without_unit(audience, cut),
    )


def _unjudged(count: int) -> str:
    return (
        f"{wording.number(count)} lượt ghi nhận mới chưa được đánh giá; hồ sơ trong đó tạm tính là chưa xác định hạn."
    )


def _stale_sources(facts: DigestFacts) -> list[str]:
    if not facts.sources:
        return ["Chưa lấy dữ liệu từ nguồn nào."]
    lines = []
    for name, last in facts.sources:
        if last is None:
            lines.append(f"Nguồn “{name}” chưa lấy được dữ liệu lần nào.")
        elif facts.now - last > STALE_AFTER:
            when = wording.instant(last, facts.zone)
            lines.append(f"Nguồn “{name}” chưa lấy được dữ liệu mới từ {when}; số liệu dưới đây có thể đã cũ.")
    return lines


def _wrong_units(facts: DigestFacts, audience: Audience) -> list[str]:
    """Codes that nobody knows, and an audience of units of which no source tells anything."""
    if audience.units is None:
        return []
    if not audience.units:
        return ["Người nhận chưa được gán đơn vị nào nên bản tin không có số liệu; đề nghị kiểm tra cấu hình."]
    unknown = sorted(audience.units - facts.told - facts.described.keys())
    if unknown:
        return [f"Chưa có dữ liệu của đơn vị {_enumerated(unknown)}; đề nghị kiểm tra mã đơn vị."]
    if not audience.units & facts.told:
        return [f"Chưa nguồn nào có dữ liệu của đơn vị {_enumerated(sorted(audience.units))}."]
    return []


def _enumerated(codes: list[str]) -> str:
    more = f" và {len(codes) - _NAMED} đơn vị khác" if len(codes) > _NAMED else ""
    return ", ".join(codes[:_NAMED]) + more


def _without_unit(audience: Audience, cut: Cut) -> list[str]:
    if audience.units is not None:
        return []
    nobody = next((row for row in cut.units if not row.code), None)
    if nobody is None or not nobody.open:
        return []
    return [
        f"{wording.number(nobody.open)} hồ sơ đang giải quyết không ghi đơn vị nên không có trong thư của đơn vị nào."
    ]


def notes_of(facts: DigestFacts, audience: Audience, cut: Cut, *, shown: bool) -> tuple[str, ...]:
    """How to read the figures, for the foot of the mail.

    Args:
        shown: False: the mail has no figures that are compared with those of other days.
    """
    rules, counts = facts.rules, cut.counts
    since = wording.day(cut.moments.since.date())
    notes = []
    if shown:
        notes.append(
            f"“Hôm trước” là ngày làm việc liền trước ({wording.day(cut.moments.previous.date())}), “tuần trước” là 05 ngày làm "
            f"việc trước ({wording.day(cut.moments.week.date())}), cùng giờ này; “mới phát sinh” tính từ ngày {since}. Số ngày "
            "trễ là ngày làm việc theo lịch của đơn vị."
        )
    other = []
    if counts.get("acknowledged_late_before"):
        other.append(f"{wording.number(counts['acknowledged_late_before'])} hồ sơ đã tiếp nhận nhưng chậm")
    if counts.get("apology_missing_before"):
        other.append(
            f"{wording.number(counts['apology_missing_before'])} hồ sơ đã xin lỗi muộn hoặc đã được hẹn lại mà không xin lỗi "
            "đúng hạn"
        )
    if other:
        notes.append(f"Không tính vào bốn con số trên: {' và '.join(other)}, vẫn đang giải quyết.")
    if counts.get("apology_unknown"):
        notes.append(
            f"{wording.number(counts['apology_unknown'])} hồ sơ quá hạn {CANNOT_TELL} việc xin lỗi: nguồn không ghi văn bản xin "
            "lỗi, hoặc không rõ ngày hẹn đầu tiên, số lần hẹn lại, thời gian chờ nghĩa vụ tài chính."
        )
    off = [_NAMES[key] for key in (*MEASURES, *LISTS) if key in _NAMES and not rules.watches(key)]
    off = [name for name in dict.fromkeys(off) if audience.role == "inspector" or name != _NAMES[INTEGRITY]]
    if off and rules.any:
        notes.append(f"Không theo dõi vì quy tắc không được bật: {', '.join(off)}.")
    if audience.units is None:
        notes.append("Bản tin này gồm mọi đơn vị vì người nhận không gắn với đơn vị nào.")
    return tuple(notes)


def subject_of(heading: str, day: str, counters: tuple[Counter, ...], *, nothing: bool) -> str:
    """The worst first, and short; phones show forty characters."""
    values = {one.key: one.value or 0 for one in counters}
    names = {
        OVERDUE: "hồ sơ quá hạn",
        "apology_missing": "chưa xin lỗi",
        "acknowledged_late": "chậm tiếp nhận",
        "due_today": "đến hạn hôm nay",
    }
    parts = [f"{wording.number(values[key])} {name}" for key, name in names.items() if values[key]]
    if not parts:
        parts = ["không có hồ sơ cần xử lý" if nothing else "không có hồ sơ quá hạn"]
    if all(one.value is None for one in counters):
        parts = [wording.NO_DATA]
    return f"[TTHC] {', '.join(parts)} – {heading}, {day}"
