"""One procedure as an official reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from tthc_monitor.domain.procedure_catalogue import Origin
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit

NO_LIMITS: Final = (
    "Chưa có thời hạn giải quyết cho thủ tục này: Cổng không ghi hoặc ghi không rõ (xem lý do bằng import --unread); "
    "có thể khai thời hạn trong tệp .yaml của cơ quan."
)
_CHANNELS: Final = {"direct": "trực tiếp", "online": "trực tuyến", "postal": "bưu chính", "kiosk": "ki-ốt"}
_UNITS: Final = {
    "working_day": "ngày làm việc", "calendar_day": "ngày", "working_hour": "giờ làm việc", "month": "tháng",
}  # fmt: skip
_ORIGINS: Final = {"office": "cơ quan", "portal": "Cổng DVC"}
_FACTS: Final = (
    ("sector", "Lĩnh vực"), ("level", "Cấp thực hiện"), ("agency", "Cơ quan thực hiện"),
    ("authority", "Cơ quan có thẩm quyền"), ("issuer", "Cơ quan ban hành"), ("decision", "Quyết định công bố"),
)  # fmt: skip
_MODELS: Final = {
    "restart": "tính lại từ đầu khi đủ hồ sơ", "pause": "trừ thời gian chờ bổ sung",
    "legacy": "hạn cũ cộng thời gian chờ, bớt một ngày",
}  # fmt: skip
_DAYS: Final = {
    "same_clock_time": "đến cùng giờ của ngày cuối", "end_of_day": "đến hết giờ làm việc của ngày cuối",
}  # fmt: skip


def heading(code: str, entry: Mapping[str, Any] | None) -> str:
    """Code, name and what the catalogue tells of it."""
    if entry is None:
        return f"{code}: chưa có trong danh mục, chỉ có thời hạn do cơ quan nhập"
    facts = [f"{label}: {entry[name]}" for name, label in _FACTS if entry[name]]
    return "\n".join([f"{code}: {entry['name']}", *facts])


def limit_table(limits: Iterable[tuple[Origin, TimeLimit]], default: ClockPolicy) -> Table:
    """Limits in force; ``default`` counts those without a policy of their own."""
    table = Table("Hình thức nộp", "Đơn vị", "Thời hạn", "Hồ sơ tiếp nhận", "Căn cứ", "Cách tính", "Nguồn")
    for origin, limit in limits:
        counted = counting(limit.policy or default) + ("" if limit.policy is not None else " (mặc định)")
        table.add_row(
            "mọi hình thức" if limit.channel is None else _CHANNELS[limit.channel],
            escape(limit.unit_code or "mọi đơn vị"),
            span(limit),
            dates(limit.valid_from, limit.valid_to),
            escape(limit.legal_basis),
            "" if limit.abolished else counted,
            _ORIGINS[origin],
        )
    return table


def span(limit: TimeLimit) -> str:
    """How long the limit is."""
    if limit.abolished:
        return "thủ tục đã bãi bỏ"
    text = "trong ngày" if limit.amount is None else f"{_number(limit.amount)} {_UNITS[limit.unit or '']}"
    extra = limit.extra_working_days
    return text + (f", vùng khó khăn thêm {_number(extra)} ngày làm việc" if extra else "")


def dates(valid_from: dt.date | None, valid_to: dt.date | None) -> str:
    """From which day of reception to which, the last one included."""
    first = f"từ {valid_from:%d/%m/%Y}" if valid_from else ""
    last = f"đến hết {valid_to - dt.timedelta(days=1):%d/%m/%Y}" if valid_to else ""
    return " ".join(part for part in (first, last) if part) or "mọi thời gian"


def counting(policy: ClockPolicy) -> str:
    """How a limit is counted, in words."""
    if policy.working_day == "hours":
        days = f"mỗi ngày {_number(policy.hours_per_day)} giờ làm việc"
    else:
        days = _DAYS[policy.working_day]
    supplement = _MODELS[policy.clock_model] if "supplement" in policy.pauses else "vẫn tính thời gian chờ"
    parts = [f"bổ sung: {supplement}", days]
    if policy.outside_hours == "next_day":
        parts.append("nhận ngoài giờ tính từ ngày làm việc sau")
    if policy.cutoff == "last_hour":
        parts.append("nhận trong giờ cuối tính từ ngày làm việc sau")
    elif policy.cutoff is not None:
        parts.append(f"nhận từ {policy.cutoff} tính từ ngày làm việc sau")
    if policy.day_zero == "counted":
        parts.append("tính cả ngày nhận")
    if "financial_obligation" in policy.pauses:
        parts.append("ngừng tính khi chờ nghĩa vụ tài chính")
    if not policy.honour_postmark:
        parts.append("không xét ngày dấu bưu điện")
    return "; ".join(parts)


def _number(value: float) -> str:
    return f"{value:g}".replace(".", ",")
