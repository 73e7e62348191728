"""An explanation as a text that an official reads and adds up, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tthc_monitor.explanation_words import (
    FIELDS,
    SEVERITY_WORDS,
    VERDICT_WORDS,
    WEEKDAYS,
    duration,
    evidence_words,
    instant_words,
    until_words,
    value_words,
)
from tthc_monitor.outputs import wording

if TYPE_CHECKING:
    from tthc_monitor.domain.calendar_evidence import Crossing
    from tthc_monitor.domain.time_ledger import Line, TimeLedger
    from tthc_monitor.explain import Explanation, Finding

_ALIKE = 6
"""Days in a row with the same hours beyond which only the first two and the last are written out."""


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Plain JSON values: instants as ISO 8601 with their offset, spans in seconds."""
    told: dict[str, Any] = _plain(explanation)
    ledger = explanation.ledger
    if ledger is not None:
        told["ledger"] |= {"counted_seconds": ledger.counted_seconds, "paused_seconds": ledger.paused_seconds}
    return told | {"late_working_seconds": explanation.late_seconds}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in asdict(value).items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def as_text(explanation: Explanation) -> str:
    """The explanation in Vietnamese: the conclusion, and five numbered parts."""
    parts = (
        _head(explanation),
        _milestones(explanation),
        _ledger(explanation),
        _lawful(explanation),
        _findings(explanation),
        _records(explanation),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(told: Explanation) -> list[str]:
    dossier = told.dossier
    petition = dossier["kind"] == "petition"
    name = dossier["procedure_name"] or "(chưa rõ tên thủ tục)"
    lines = [f"{'PHẢN ÁNH, KIẾN NGHỊ' if petition else 'HỒ SƠ'} {dossier['code'] or dossier['source_key']}"]
    if not petition or dossier["procedure_code"]:
        lines.append(f"Thủ tục:     {name} ({dossier['procedure_code'] or 'không có mã'})")
    lines += [
        f"Đơn vị:      {wording.unit_label(dossier['unit_code'], dossier['unit_name'])}",
        f"Trạng thái:  {dossier['status_name'] or dossier['source_status'] or 'chưa rõ'}",
        f"Nguồn:       {dossier['source']}, khóa {dossier['source_key']}",
    ]
    gone = next((one for one in told.findings if one.rule_code == "vanished"), None)
    if gone is not None:
        lines.append(f"Lưu ý:       nguồn không còn liệt kê từ {instant_words(gone.starts_at, told.zone)}")
    return [*lines, "", f"KẾT LUẬN tại {wording.instant(told.as_of, told.zone)}: {_verdict(told)}"]


def _verdict(told: Explanation) -> str:
    if told.verdict == "not_received" and told.dossier["ended_at"] is not None:
        return "ĐÃ KẾT THÚC, KHÔNG GHI NGÀY TIẾP NHẬN"
    words = VERDICT_WORDS[told.verdict]
    if told.verdict == "cannot_tell":
        why = [one.title for one in told.findings if one.verdict == "cannot_tell" and _is_on(one, told.as_of)]
        return words + (f", vì: {'; '.join(why)}" if why else ", vì vừa ghi nhận, chưa đánh giá")
    late = told.late_seconds
    if late:
        return f"{words} {duration(late)} làm việc"
    if late is not None and told.due_at is not None:
        until = min(told.dossier["ended_at"] or told.as_of, told.as_of)
        return f"{words} {duration((until - told.due_at).total_seconds())}, ngoài giờ làm việc"
    return words


def _is_on(finding: Finding, at: datetime) -> bool:
    return finding.starts_at <= at and (finding.ends_at is None or finding.ends_at > at)


def _milestones(told: Explanation) -> list[str]:
    dossier = told.dossier
    lines = ["1. CÁC MỐC THỜI GIAN"]
    for label, value, words in (
        ("Nộp", dossier["submitted_at"], instant_words),
        ("Tiếp nhận", dossier["received_at"], instant_words),
        ("Hẹn trả lần đầu", dossier["due_original"], instant_words),
        ("Ngày hẹn trả hiện tại", dossier["due_current"], instant_words),
        ("Hạn dùng để kết luận", told.due_at, instant_words),
        ("Kết thúc xử lý", dossier["ended_at"], instant_words),
    ):
        if value is not None or label in ("Tiếp nhận", "Ngày hẹn trả hiện tại"):
            lines.append(f"   {label + ':':24} {words(value, told.zone)}")
    if told.due_at is not None and told.due_at != dossier["due_current"]:
        lines.append("   (Hạn dùng để kết luận đã cộng thời gian chờ công dân bổ sung hồ sơ.)")
    return lines


def _ledger(told: Explanation) -> list[str]:
    lines = ["2. SỔ TÍNH THỜI GIAN LÀM VIỆC"]
    ledger = told.ledger
    if ledger is None:
        return [*lines, "   Chưa có thời gian nào để tính."]
    total = 0.0
    before, after = _parted(ledger.lines, told.due_at)
    for part in (before, after):
        rows: list[tuple[str, str]] = []
        for (day, kind, reason), group in groupby(part, lambda line: (line.start.date(), line.kind, line.reason)):
            pieces = list(group)
            seconds = sum(piece.seconds for piece in pieces)
            total += seconds if kind == "counted" else 0
            hours = ", ".join(_hours(piece) for piece in pieces)
            counted = f"{duration(seconds):>20}  cộng dồn {duration(total)}"
            told_as = counted if kind == "counted" else f"KHÔNG TÍNH: {reason}"
            rows.append(
                (f"{hours} {reason}", f"   {WEEKDAYS[day.weekday()]:8} {wording.day(day)}  {hours:34} {told_as}")
            )
        lines += _shortened(rows)
        if part is before and told.due_at is not None:
            lines.append(_due_line(told, told.due_at, ledger))
    lines.append(f"   Tổng thời gian tính: {duration(ledger.counted_seconds)}{_sums(told, ledger)}")
    lines += ["   Ngày nghỉ, ngày làm bù trong khoảng này:"] if ledger.special_days else []
    return lines + [f"   - {_special(day)}" for day in ledger.special_days]


def _shortened(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Days of the same hours, many in a row, by the first two and the last."""
    for _, group in groupby(rows, lambda row: row[0]):
        lines = [line for _, line in group]
        if len(lines) > _ALIKE:
            yield from lines[:2]
            yield f"   …        ({len(lines) - 3} ngày làm việc như trên)"
            yield lines[-1]
        else:
            yield from lines


def _due_line(told: Explanation, due: datetime, ledger: TimeLedger) -> str:
    if due >= ledger.end:
        return f"   (chưa đến hạn, hạn là {until_words(due, told.zone)})"
    return f"   ------ hạn: {until_words(due, told.zone)} ------"


def _parted(lines: Sequence[Line], due: datetime | None) -> tuple[list[Line], list[Line]]:
    """The lines until the due instant, and those after it."""
    if due is None:
        return list(lines), []
    before = [replace(line, end=min(line.end, due.astimezone(line.end.tzinfo))) for line in lines if line.start < due]
    after = [
        replace(line, start=max(line.start, due.astimezone(line.start.tzinfo))) for line in lines if line.end > due
    ]
    return before, after


def _sums(told: Explanation, ledger: TimeLedger) -> str:
    parts = []
    if ledger.paused_seconds:
        parts.append(f"không tính {duration(ledger.paused_seconds)}")
    if told.late_seconds is not None:
        parts.append(
            f"trước hạn {duration(ledger.counted_seconds - told.late_seconds)}, sau hạn {duration(told.late_seconds)}"
        )
    return f" ({'; '.join(parts)})" if parts else ""


def _hours(line: Line) -> str:
    def clock(at: datetime) -> str:
        return f"{at:%H:%M:%S}" if at.second or at.microsecond else f"{at:%H:%M}"

    return f"{clock(line.start)}–{clock(line.end)}"


def _special(day: Crossing) -> str:
    if day.kind == "weekly_rest":
        return f"{day.days} ngày nghỉ hằng tuần"
    what = {"off": "nghỉ", "worked": "làm việc", "hours": "giờ làm việc riêng"}[day.kind]
    hours = f" {', '.join('–'.join(pair) for pair in day.hours)}" if day.hours else ""
    when = f"{WEEKDAYS[day.first_day.weekday()]} {wording.day(day.first_day)}"
    basis = f"; căn cứ: {day.document}" if day.document else ""
    return f"{when}: {what}{hours} – {day.name or 'không ghi lý do'}{basis}"


def _lawful(told: Explanation) -> list[str]:
    lines = ["3. THỜI HẠN THEO QUY ĐỊNH"]
    if not told.lawful:
        return [*lines, "   Chưa có thời hạn nào của thủ tục này trong danh mục."]
    days = [
        step.at.astimezone(ZoneInfo(told.zone)).date()
        for step in told.lawful
        if step.code == "workday" and step.at is not None
    ]
    told_days, source = False, ""
    for step in told.lawful:
        if step.code == "workday":
            if not told_days and len(days) > 1:
                lines.append(f"   - Các ngày đi qua: {', '.join(wording.day(day) for day in days)}")
            told_days = True
            continue
        basis = f" [{step.source}]" if step.source and step.source != source else ""
        source = step.source or source
        lines.append(f"   - {step.text}{basis}")
    return lines


def _findings(told: Explanation) -> list[str]:
    lines = ["4. CÁC PHÁT HIỆN"]
    for title, chosen in (
        ("Đang có", [one for one in told.findings if _is_on(one, told.as_of)]),
        ("Đã qua", [one for one in told.findings if one.ends_at is not None and one.ends_at <= told.as_of]),
        ("Sẽ đến", [one for one in told.findings if one.starts_at > told.as_of]),
    ):
        if chosen:
            lines.append(f"   {title}:")
            lines += [line for finding in chosen for line in _finding(finding, told)]
    if not told.findings:
        lines.append("   Không có.")
    if told.unanswered:
        titles = "; ".join(sorted(told.unanswered.values()))
        lines.append(f"   Chưa đủ dữ liệu để trả lời {len(told.unanswered)} quy tắc: {titles}.")
    return lines


def _finding(finding: Finding, told: Explanation) -> Iterator[str]:
    span = f"từ {instant_words(finding.starts_at, told.zone)}"
    span += f" đến {instant_words(finding.ends_at, told.zone)}" if finding.ends_at else ""
    yield f"   • {finding.title} [{finding.rule_code}, {SEVERITY_WORDS[finding.severity]}]"
    yield f"       {span}"
    yield f"       Căn cứ: {finding.legal_basis}"
    evidence = evidence_words(finding.rule_code, finding.evidence, told.names, told.zone)
    if evidence:
        yield f"       Chứng cứ: {evidence}"
    yield (
        f"       Quy tắc bản số {finding.rule_version_id}, lịch bản số {finding.calendar_version_id}, bộ máy bản "
        f"{finding.engine_version}, ghi nhận số {finding.observation_id}, kết luận lúc "
        f"{instant_words(finding.believed_from, told.zone)}"
    )


def _records(told: Explanation) -> list[str]:
    lines = ["5. NHỮNG LẦN GHI NHẬN HỒ SƠ THAY ĐỔI"]
    for record in told.records:
        changes = "; ".join(
            f"{FIELDS[name]}: {value_words(name, value, told.names, told.zone)}"
            for name, value in record.changed.items()
            if not (name == "source_status" and value == told.dossier["status_name"])
        )
        seen = instant_words(record.seen_at, told.zone)
        lines.append(f"   - số {record.observation_id}, thấy lúc {seen}: {changes or 'các trường khác'}")
    return lines
