"""An explanation as a text that an official reads and adds up, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tthc_monitor.domain.statuses import STATUS_LABELS
from tthc_monitor.outputs import wording

if TYPE_CHECKING:
    from tthc_monitor.domain.calendar_evidence import Crossing
    from tthc_monitor.domain.time_ledger import Line, TimeLedger
    from tthc_monitor.explain import Explanation, Finding

VERDICT_WORDS: Final[Mapping[str, str]] = {
    "late": "ĐÃ KẾT THÚC, TRỄ HẠN",
    "on_time": "ĐÃ KẾT THÚC, ĐÚNG HẠN",
    "open_overdue": "ĐANG XỬ LÝ, QUÁ HẠN",
    "open_in_time": "ĐANG XỬ LÝ, CÒN TRONG HẠN",
    "cannot_tell": "CHƯA XÁC ĐỊNH ĐƯỢC",
    "not_received": "CHƯA ĐƯỢC TIẾP NHẬN",
}
SEVERITY_WORDS: Final = {"info": "thông tin", "warning": "cảnh báo", "critical": "nghiêm trọng"}
_WEEKDAYS: Final = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")
_FIELDS: Final = {
    "status": "trạng thái",
    "source_status": "trạng thái ở hệ thống nguồn",
    "unit_code": "đơn vị",
    "received_at": "ngày tiếp nhận",
    "competent_received_at": "cơ quan có thẩm quyền nhận",
    "due_original": "hẹn trả lần đầu",
    "due_current": "ngày hẹn trả",
    "finished_at": "kết thúc xử lý",
    "delivered_at": "trả kết quả",
    "supplement_requested_at": "yêu cầu bổ sung",
    "supplement_completed_at": "bổ sung xong",
    "supplement_count": "số lần yêu cầu bổ sung",
    "step_code": "mã bước",
    "step_name": "bước xử lý",
    "apology_at": "thư xin lỗi",
    "stop_requested_at": "đề nghị dừng",
}
_EVIDENCE: Final = {
    "acknowledged_at": "trả lời tiếp nhận",
    "after_working_days": "bậc trễ (ngày làm việc)",
    "against": "so với",
    "allowed_until": "chậm nhất phải làm",
    "apology_at": "văn bản xin lỗi",
    "burst_count": "số hồ sơ kết thúc cùng lúc",
    "burst_from": "kết thúc cùng lúc từ",
    "burst_to": "kết thúc cùng lúc đến",
    "clock_started_at": "bắt đầu tính thời hạn",
    "closed_at": "bị đóng lúc",
    "consulted_answered_at": "cơ quan phối hợp trả lời",
    "consulted_due_at": "hạn của cơ quan phối hợp",
    "consulted_late_working_seconds": "cơ quan phối hợp chậm (giờ làm việc)",
    "counted": "cách tính",
    "counted_from_at": "tính từ",
    "cutoff": "mốc chuyển trong ngày",
    "days": "lệch (ngày)",
    "days_beyond": "dài hơn (ngày)",
    "direction": "hướng lệch",
    "done_at": "đã làm lúc",
    "due_at": "hạn",
    "due_current": "ngày hẹn hiện tại",
    "due_lawful": "hạn theo quy định",
    "due_moved_at": "thấy ngày hẹn đã đổi",
    "due_original": "ngày hẹn đầu tiên",
    "due_previous": "ngày hẹn trước khi đổi",
    "due_unmoved_at": "lần cuối thấy ngày hẹn chưa đổi",
    "end_seen_at": "lần đầu thấy đã kết thúc",
    "ended_at": "kết thúc",
    "ended_that_day": "số hồ sơ kết thúc trong ngày",
    "excused": "số lần đổi do chờ người nộp",
    "first_step_at": "bước đầu đóng lúc",
    "idle_working_seconds": "thời gian không có bước nào (giờ làm việc)",
    "last_step_at": "bước cuối đóng lúc",
    "late_seconds": "trễ (theo đồng hồ)",
    "late_working_seconds": "trễ (giờ làm việc)",
    "latest_request_at": "yêu cầu gần nhất",
    "lawful_due_at": "hạn theo quy định",
    "missing": "thiếu",
    "missing_from": "thiếu từ số",
    "missing_to": "thiếu đến số",
    "moves": "số lần đổi ngày hẹn",
    "number_date": "ngày trong mã hồ sơ",
    "number_serial": "số thứ tự trong mã hồ sơ",
    "open_seen_at": "lần cuối thấy đang xử lý",
    "promised_at": "ngày hẹn",
    "reappointments": "số lần hẹn lại do nguồn ghi",
    "received_at": "tiếp nhận",
    "refiled_at": "nộp lại lúc",
    "refiled_dossier_id": "hồ sơ nộp lại số",
    "requested_at": "yêu cầu bổ sung",
    "requests": "số lần yêu cầu bổ sung",
    "result_at": "ngày văn bản kết quả",
    "sent_back_at": "trả lại lúc",
    "source_says": "hệ thống nguồn ghi",
    "status": "trạng thái",
    "step_due_at": "hạn của bước",
    "step_started_at": "bước bắt đầu",
    "step_unit_code": "đơn vị giữ bước",
    "steps_done": "số bước",
    "steps_seconds": "các bước kéo dài",
    "submitted_at": "nộp",
    "subtracted_seconds": "thời gian đã trừ",
    "transferred_at": "chuyển",
    "underway_seen_at": "lần đầu thấy đang xử lý",
    "unit": "đơn vị",
    "vanished_seen_at": "không còn thấy từ",
    "we_say": "tính ra",
    "what": "việc",
    "within_working_hours": "nhắc trước (giờ làm việc)",
    "working_days": "thời hạn (ngày làm việc)",
    "working_hours": "thời hạn (giờ làm việc)",
}
"""Evidence in the words of an official; every name that a kind of rule gives stands here."""
_WORDS: Final = {
    "on_time": "đúng hạn",
    "late": "trễ hạn",
    "due_original": "ngày hẹn đầu tiên",
    "due_current": "ngày hẹn trả",
    "due_lawful": "hạn theo quy định",
    "end": "thời điểm kết thúc",
    "wait": "thời gian chờ công dân",
    "returned": "trả lại, từ chối",
    "supplement_requested": "yêu cầu bổ sung",
    "received_later": "tiếp nhận muộn hơn",
    "received_earlier": "tiếp nhận sớm hơn",
    "promise": "theo ngày hẹn trả",
    "lawful_limit": "theo thời hạn của thủ tục",
    "limit": "thời hạn của thủ tục",
    "status": "trạng thái đã đối chiếu",
    "second_supplement": "yêu cầu bổ sung quá một lần",
}


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
    """The explanation in Vietnamese, in six parts."""
    parts = (
        _head(explanation),
        _reckoning(explanation),
        _ledger(explanation),
        _lawful(explanation),
        _findings(explanation),
        _records(explanation),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(told: Explanation) -> list[str]:
    dossier = told.dossier
    words = VERDICT_WORDS[told.verdict]
    late = told.late_seconds
    if late is not None:
        words += f" {duration(late)} làm việc"
    name = dossier["procedure_name"] or "(chưa rõ tên thủ tục)"
    return [
        f"HỒ SƠ {dossier['code'] or dossier['source_key']}",
        f"Thủ tục:     {name} ({dossier['procedure_code'] or 'không có mã'})",
        f"Đơn vị:      {wording.unit_label(dossier['unit_code'], dossier['unit_name'])}",
        f"Trạng thái:  {dossier['status_name'] or dossier['source_status'] or 'chưa rõ'}",
        f"Nguồn:       {dossier['source']}, khóa {dossier['source_key']}",
        "",
        f"KẾT LUẬN tại {wording.instant(told.as_of, told.zone)}: {words}",
    ]


def _reckoning(told: Explanation) -> list[str]:
    dossier = told.dossier
    lines = ["1. CÁC MỐC THỜI GIAN"]
    for label, value in (
        ("Tiếp nhận", dossier["received_at"]),
        ("Hẹn trả lần đầu", dossier["due_original"]),
        ("Ngày hẹn trả hiện tại", dossier["due_current"]),
        ("Hạn dùng để kết luận", told.due_at),
        ("Kết thúc xử lý", dossier["ended_at"]),
    ):
        lines.append(f"   {label + ':':24} {_at(value, told.zone)}")
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
        for (day, kind, reason), group in groupby(part, lambda line: (line.start.date(), line.kind, line.reason)):
            pieces = list(group)
            seconds = sum(piece.seconds for piece in pieces)
            total += seconds if kind == "counted" else 0
            hours = ", ".join(_hours(piece) for piece in pieces)
            told_as = (
                f"{duration(seconds):>20}  cộng dồn {duration(total)}" if kind == "counted" else f"KHÔNG TÍNH: {reason}"
            )
            lines.append(f"   {_WEEKDAYS[day.weekday()]:8} {wording.day(day)}  {hours:34} {told_as}")
        if part is before and told.due_at is not None:
            lines.append(f"   ------ hạn: {_at(told.due_at, told.zone)} ------")
    lines.append(f"   Tổng thời gian tính: {duration(ledger.counted_seconds)}" + _sums(told, ledger))
    lines += ["   Ngày nghỉ, ngày làm bù trong khoảng này:"] if ledger.special_days else []
    lines += [f"   - {_special(day)}" for day in ledger.special_days]
    return lines


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
    basis = f"; căn cứ: {day.document}" if day.document else ""
    return f"{_WEEKDAYS[day.first_day.weekday()]} {wording.day(day.first_day)}: {what}{hours} – {day.name or 'không ghi lý do'}{basis}"


def _lawful(told: Explanation) -> list[str]:
    lines = ["3. THỜI HẠN THEO QUY ĐỊNH"]
    if not told.lawful:
        return [*lines, "   Chưa có thời hạn nào của thủ tục này trong danh mục."]
    days = [step for step in told.lawful if step.code == "workday"]
    for step in told.lawful:
        if step.code != "workday":
            basis = f" [{step.source}]" if step.source else ""
            lines.append(f"   - {step.text}{basis}")
        elif step is days[0]:
            lines.append(
                f"   - Các ngày được tính: {', '.join(wording.day(one.at.astimezone(ZoneInfo(told.zone)).date()) for one in days if one.at)}"
            )
    return lines


def _findings(told: Explanation) -> list[str]:
    lines = ["4. CÁC PHÁT HIỆN ĐANG CÓ HIỆU LỰC"]
    if not told.findings:
        lines.append("   Không có.")
    for finding in told.findings:
        lines += _finding(finding, told)
    if told.unanswered:
        lines.append("   Chưa đủ dữ liệu để trả lời:")
        lines += [f"   - {title} ({code})" for code, title in sorted(told.unanswered.items())]
    return lines


def _finding(finding: Finding, told: Explanation) -> Iterator[str]:
    span = f"từ {_at(finding.starts_at, told.zone)}"
    span += f" đến {_at(finding.ends_at, told.zone)}" if finding.ends_at else ""
    if finding.starts_at > told.as_of:
        span += " (chưa tới)"
    elif finding.ends_at is not None and finding.ends_at <= told.as_of:
        span += " (đã qua)"
    yield f"   • {finding.title} [{finding.rule_code}, {SEVERITY_WORDS[finding.severity]}]"
    yield f"       {span}"
    yield f"       Căn cứ: {finding.legal_basis}"
    evidence = "; ".join(
        f"{_EVIDENCE.get(name, name)} = {_value(name, value, told.zone)}"
        for name, value in finding.evidence.items()
        if value is not None
    )
    if evidence:
        yield f"       Chứng cứ: {evidence}"
    yield (
        f"       Quy tắc bản số {finding.rule_version_id}, lịch bản số {finding.calendar_version_id}, bộ máy bản "
        f"{finding.engine_version}, ghi nhận số {finding.observation_id}, kết luận lúc {_at(finding.believed_from, told.zone)}"
    )


def _records(told: Explanation) -> list[str]:
    lines = ["5. NHỮNG LẦN GHI NHẬN HỒ SƠ THAY ĐỔI"]
    for record in told.records:
        changes = "; ".join(
            f"{_FIELDS[name]}: {_field(name, value, told.zone)}" for name, value in record.changed.items()
        )
        lines.append(
            f"   - số {record.observation_id}, thấy lúc {_at(record.seen_at, told.zone)}: {changes or 'các trường khác'}"
        )
    return lines


def _field(name: str, value: Any, zone: str) -> str:
    return _value(name, value, zone)


def _value(name: str, value: Any, zone: str) -> str:
    if value is None:
        return "trống"
    if isinstance(value, datetime):
        return _at(value, zone)
    if isinstance(value, str) and name.endswith("_at"):
        return _at(datetime.fromisoformat(value), zone)
    if name.endswith("_seconds"):
        return duration(float(value))
    if name == "status":
        return STATUS_LABELS.get(value, "chưa được đối chiếu")
    if isinstance(value, float):
        return wording.decimal(value)
    return _WORDS.get(str(value), str(value))


def _at(value: datetime | None, zone: str) -> str:
    if value is None:
        return "không có"
    local = value.astimezone(ZoneInfo(zone))
    clock = f"{local:%H:%M:%S}" if local.second or local.microsecond else f"{local:%H:%M}"
    return f"{clock} {_WEEKDAYS[local.weekday()]} {wording.day(local.date())}"


def duration(seconds: float) -> str:
    """A span: ``12 giờ 30 phút``; seconds only where there are any."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{wording.number(hours)} giờ"] if hours else []
    parts += [f"{minutes} phút"] if minutes else []
    parts += [f"{left} giây"] if left else []
    return " ".join(parts) or "0 phút"
