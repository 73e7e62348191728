"""The words in which an explanation names facts, evidence and verdicts to an official."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tthc_monitor.domain.statuses import STATUS_LABELS
from tthc_monitor.outputs import wording

VERDICT_WORDS: Final[Mapping[str, str]] = {
    "late": "ĐÃ KẾT THÚC, TRỄ HẠN",
    "on_time": "ĐÃ KẾT THÚC, ĐÚNG HẠN",
    "open_overdue": "ĐANG XỬ LÝ, QUÁ HẠN",
    "open_in_time": "ĐANG XỬ LÝ, CÒN TRONG HẠN",
    "cannot_tell": "CHƯA XÁC ĐỊNH ĐƯỢC",
    "not_received": "CHƯA ĐƯỢC TIẾP NHẬN",
}

SEVERITY_WORDS: Final = {"info": "thông tin", "warning": "cảnh báo", "critical": "nghiêm trọng"}
WEEKDAYS: Final = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")

FIELDS: Final = {
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
    "submitted_at": "nộp hồ sơ",
    "transferred_at": "chuyển hồ sơ",
    "result_at": "ngày văn bản kết quả",
    "published_at": "công khai kết quả",
    "step_code": "mã bước",
    "step_unit_code": "đơn vị giữ bước",
    "step_due_at": "hạn của bước",
    "consulted_unit_code": "cơ quan được lấy ý kiến",
    "consulted_due_at": "hạn trả lời ý kiến",
    "consulted_answered_at": "trả lời ý kiến",
    "step_name": "bước xử lý",
    "apology_at": "thư xin lỗi",
    "stop_requested_at": "đề nghị dừng",
}
"""Fields of a record that an explanation shows."""

EVIDENCE: Final = {
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
    "counted": "căn cứ xác định quá hạn",
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
    "missing_count": "số lượng số bị thiếu",
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
    "source_says": "hệ thống nguồn kết luận",
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
    "we_say": "hệ thống theo dõi kết luận",
    "what": "hành vi",
    "within_working_hours": "nhắc trước (giờ làm việc)",
    "working_days": "thời hạn (ngày làm việc)",
    "working_hours": "thời hạn (giờ làm việc)",
}
"""Evidence; every name that a kind of rule gives stands here."""

WORDS: Final = {
    "on_time": "đúng hạn",
    "late": "trễ hạn",
    "due_original": "ngày hẹn trả đầu tiên",
    "due_current": "ngày hẹn trả",
    "due_lawful": "thời hạn tối đa theo quy định",
    "end": "thời điểm kết thúc",
    "wait": "thời gian chờ người dân bổ sung",
    "limit": "ngày hẹn trả và thời hạn của thủ tục",
    "status": "trạng thái đã đối chiếu",
    "request": "thời điểm yêu cầu bổ sung",
    "returned": "trả lại hoặc dừng",
    "supplement_requested": "yêu cầu bổ sung",
    "received_later": "tiếp nhận sau ngày trong mã",
    "received_earlier": "tiếp nhận trước ngày trong mã",
    "promise": "ngày hẹn trả",
    "lawful_limit": "thời hạn tối đa của thủ tục (không có ngày hẹn)",
    "second_supplement": "yêu cầu bổ sung quá một lần",
}
"""Codes that stand as values in evidence."""

_END_OF_DAY: Final = frozenset({"due_at", "allowed_until", "due_lawful", "lawful_due_at"})
"""Instants up to which something may be done: at 00:00 the day before them is meant, to its end."""

_NOTHING: Final = {"excused": 0, "requests": 0, "subtracted_seconds": 0, "reappointments": -1}
"""Values that say nothing."""

_OF_PROMISE: Final = frozenset(
    {
        "returned", "refused", "withdrawn", "stopped", "vanished", "number_gap", "refiled", "consulted_late",
        "finish_backdated", "reappointed_again", "bulk_closing", "due_moved_without_apology",
        "stopped_without_request", "steps_within_minutes",
    }
)  # fmt: skip
"""Rules in whose findings ``due_at`` is the dossier's promise, told beside what was found."""

_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})")


def evidence_words(rule_code: str, evidence: Mapping[str, Any], names: Mapping[str, str], zone: str) -> str:
    """Evidence as ``name = value`` pairs; what is unknown, says nothing or repeats the due instant is left out.

    Args:
        names: names of the units, and codes of the dossiers (as ``dossier 12``), that evidence names by code or number.
    """
    shown = dict(evidence)
    if rule_code == "step_overdue":
        shown.pop("due_at", None)
    if shown.get("promised_at") == shown.get("due_at"):
        shown.pop("promised_at", None)
    told = []
    for name, value in shown.items():
        if value is None or (name in _NOTHING and _NOTHING[name] == value):
            continue
        label = "ngày hẹn trả của hồ sơ" if name == "due_at" and rule_code in _OF_PROMISE else EVIDENCE.get(name, name)
        told.append(f"{label} = {value_words(name, value, names, zone)}")
    return "; ".join(told)


def value_words(name: str, value: Any, names: Mapping[str, str], zone: str) -> str:
    """One value as an official reads it."""
    if value is None:
        return "trống"
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return until_words(value, zone) if name in _END_OF_DAY else instant_words(value, zone)
    if name.endswith("_seconds"):
        return duration(float(value)) if value else "ngoài giờ làm việc"
    if name == "status":
        return STATUS_LABELS.get(value, "chưa được đối chiếu")
    if name.endswith("dossier_id"):
        return names.get(f"dossier {value}", str(value))
    if name == "days":
        return str(abs(value))
    if isinstance(value, float):
        return wording.decimal(value)
    text = str(value)
    return f"{names[text]} ({text})" if text in names else WORDS.get(text, text)


def instant_words(value: datetime | None, zone: str) -> str:
    """An instant: ``16:22:52 Thứ Ba 04/08/2026``, seconds only where there are any."""
    if value is None:
        return "không có"
    local = value.astimezone(ZoneInfo(zone))
    clock = f"{local:%H:%M:%S}" if local.second or local.microsecond else f"{local:%H:%M}"
    return f"{clock} {WEEKDAYS[local.weekday()]} {wording.day(local.date())}"


def until_words(value: datetime | None, zone: str) -> str:
    """An instant up to which something may be done: midnight reads ``hết ngày 26/10/2026``."""
    if value is None:
        return "không có"
    local = value.astimezone(ZoneInfo(zone))
    if (local.hour, local.minute, local.second, local.microsecond) != (0, 0, 0, 0):
        return instant_words(value, zone)
    last = local - timedelta(days=1)
    return f"hết ngày {WEEKDAYS[last.weekday()]} {wording.day(last.date())}"


def duration(seconds: float) -> str:
    """A span: ``12 giờ 30 phút``; seconds only where there are any."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{wording.number(hours)} giờ"] if hours else []
    parts += [f"{minutes} phút"] if minutes else []
    parts += [f"{left} giây"] if left else []
    return " ".join(parts) or "0 phút"
