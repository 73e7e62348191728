"""Reads the limits of one procedure from the text of the national portal, where the cells of a table run together.

``Hình thức nộpThời gianPhí, lệ phíMô tảTrực tiếp3 Ngày làm việcMiễn phí...`` is a header and then rows of channel,
time, fee and description. Read is only what the text states: a unit is never guessed. All else is listed with a reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tthc_monitor.catalogue.limit_description import contradiction, states_working_hours
from tthc_monitor.catalogue.limit_reasons import Reason
from tthc_monitor.domain.time_limits import Channel, LimitUnit

_HEADER: Final = "Hình thức nộpThời gianPhí, lệ phíMô tả"
_CHANNELS: Final[dict[str, Channel]] = {"Trực tiếp": "direct", "Trực tuyến": "online", "Dịch vụ bưu chính": "postal"}
_UPPER: Final = "".join(chr(code) for code in range(0x41, 0x1F00) if chr(code).isupper())
# A row begins where a channel's name runs straight into a number or a capital: descriptions have a space, a colon or a
# bracket after it. A channel's name that runs into another one is the end of a description.
_NAMES: Final = "|".join(_CHANNELS)
_ROW: Final = re.compile(rf"({_NAMES})(?=\d|(?!{_NAMES})[{_UPPER}])")
_FEE: Final = r"Miễn phí|Không có thông tin|\d[\d.,]*\s*(?:Việt Nam Đồng|VNĐ|USD|EUR)"
_UNIT: Final = r"Ngày\s+làm\s+việc|Ngày|Giờ\s+làm\s+việc|Giờ|Tháng|Tuần|Năm|Phút"
_AT_MOST: Final = r"(?:(?:Không quá|Tối đa|Chậm nhất|Trong thời hạn|Trong vòng|Trong)\s+)?"
# Without a fee after it a unit may be but the beginning of a longer one.
_LIMIT: Final = re.compile(
    rf"{_AT_MOST}(?P<amount>\d[\d.,]*)\s*(?P<unit>{_UNIT})\s*(?:(?P<fee>{_FEE})|$)", re.IGNORECASE
)
_SAME_DAY: Final = re.compile(
    rf"(?:Ngay\s+)?(?:Trong|trong)\s+ngày(?:\s+làm\s+việc)?(?:\s+(?:tiếp nhận|nhận hồ sơ))?\s*(?:{_FEE}|$)"
)
_RANGE: Final = re.compile(rf"{_AT_MOST}\d+\s*(?:[-–]|đến)\s*\d+\s*(?:{_UNIT})", re.IGNORECASE)
_WORDS: Final[tuple[tuple[re.Pattern[str], Reason], ...]] = (
    (re.compile(r"Không phải trả kết quả"), "no_result"),
    (re.compile(r"Không quy định"), "not_prescribed"),
    (re.compile(rf"Không\s*(?:{_FEE}|$)"), "not_prescribed"),
    (re.compile(r"Không có thông tin|Miễn phí"), "no_information"),
)
_UNITS: Final[dict[str, LimitUnit]] = {
    "ngày làm việc": "working_day", "ngày": "calendar_day", "giờ làm việc": "working_hour", "tháng": "month",
}  # fmt: skip
_SHOWN: Final = 300


@dataclass(frozen=True)
class Reading:
    """What was read for one channel of one procedure: an amount and a unit, or the reason why there is none.

    ``channel`` is None only where the text has no table at all. ``amount`` of ``same_day`` is None. ``text`` is the
    beginning of the portal's rows of that channel, as they stand there.
    """

    procedure_code: str
    channel: Channel | None
    amount: float | None
    unit: LimitUnit | None
    reason: Reason | None
    text: str


@dataclass(frozen=True)
class _Row:
    amount: float | None
    unit: LimitUnit | None
    reason: Reason | None


def read_limits(procedure_code: str, text: str) -> list[Reading]:
    """The limits of a procedure, one reading per channel that the text names, in its order."""
    body = unicodedata.normalize("NFC", text).removeprefix(_HEADER)
    starts = list(_ROW.finditer(body))
    if not starts:
        return [Reading(procedure_code, None, None, None, "no_table", body[:_SHOWN])]
    ends = [match.start() for match in starts[1:]] + [len(body)]
    found: dict[Channel, list[tuple[_Row, str]]] = {}
    for match, end in zip(starts, ends, strict=True):
        row = _row(body[match.end() : end])
        found.setdefault(_CHANNELS[match[1]], []).append((row, body[match.start() : end]))
    return [_reading(procedure_code, channel, rows) for channel, rows in found.items()]


def _reading(procedure_code: str, channel: Channel, found: Sequence[tuple[_Row, str]]) -> Reading:
    rows = [row for row, _ in found]
    each = max(40, _SHOWN // len(found))
    text = " … ".join(" ".join(part[:each].split()) for _, part in found)
    if len({(row.amount, row.unit, row.unit is None and row.reason) for row in rows}) > 1:
        return Reading(procedure_code, channel, None, None, "several_limits", text)
    reason = next((row.reason for row in rows if row.reason is not None), None)
    if reason is not None:
        return Reading(procedure_code, channel, None, None, reason, text)
    return Reading(procedure_code, channel, rows[0].amount, rows[0].unit, None, text)


def _row(body: str) -> _Row:
    """Time and description of a row; what follows the channel's name."""
    if match := _LIMIT.match(body):
        return _amount_and_unit(match, body[match.end() :])
    if _SAME_DAY.match(body):
        return _Row(None, "same_day", None)
    if _RANGE.match(body):
        return _Row(None, None, "range")
    if re.match(r"\d", body):
        return _Row(None, None, "other_text" if re.match(rf"\d[\d.,]*\s*(?:{_UNIT})", body) else "no_unit")
    for pattern, reason in _WORDS:
        if pattern.match(body):
            return _Row(None, None, reason)
    return _Row(None, None, "other_text")


def _amount_and_unit(match: re.Match[str], description: str) -> _Row:
    unit_text = " ".join(match["unit"].lower().split())
    amount = _number(match["amount"])
    if amount is None:
        return _Row(None, None, "number_unclear")
    if unit_text == "giờ":
        if not states_working_hours(amount, description):
            return _Row(None, None, "hour_kind_unknown")
        return _Row(amount, "working_hour", contradiction(amount, "working_hour", description))
    unit = _UNITS.get(unit_text)
    if unit is None:
        return _Row(None, None, "unit_not_counted")
    if unit in {"calendar_day", "month"} and not amount.is_integer():
        return _Row(None, None, "number_unclear")
    return _Row(amount, unit, contradiction(amount, unit, description))


def _number(text: str) -> float | None:
    """A positive number with at most one comma or point before one or two decimals; thousands are not told apart."""
    if not re.fullmatch(r"\d+(?:[.,]\d{1,2})?", text):
        return None
    value = float(text.replace(",", "."))
    return value if 0 < value <= 10_000 else None
