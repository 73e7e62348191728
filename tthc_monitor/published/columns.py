"""What the columns of published figures are called: in English, by the national portal, and in Vietnamese reports."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tthc_monitor.domain.published import COUNTS, DECIMALS

UNIT: Final = "unit_code"

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    UNIT: ("departmentCode", "Mã đơn vị", "Mã cơ quan", "Mã ĐV"),
    "unit_name": ("departmentName", "Tên đơn vị", "Đơn vị", "Tên cơ quan", "Cơ quan"),
    "parent_code": ("parentCode", "Mã đơn vị cấp trên", "Mã cấp trên"),
    "sector_code": ("sectorCode", "Mã lĩnh vực"),
    "total_received": (
        "totalReceived",
        "Tổng số hồ sơ",
        "Tổng số tiếp nhận",
        "Tổng tiếp nhận",
        "Số hồ sơ tiếp nhận",
        "(3)",
    ),
    "total_on_time": ("totalOnTime", "Đúng hạn", "Tổng số đúng hạn", "Số hồ sơ đúng hạn"),
    "total_overdue": ("totalOverdue", "Quá hạn", "Tổng số quá hạn", "Trễ hạn", "Số hồ sơ quá hạn"),
    "received_online": ("Tiếp nhận trực tuyến", "Trực tuyến", "(4)"),
    "received_direct": ("Tiếp nhận trực tiếp, bưu chính", "Trực tiếp, dịch vụ bưu chính", "Trực tiếp", "(5)"),
    "carried_over": ("Từ kỳ trước", "Tồn kỳ trước", "Kỳ trước chuyển sang", "(6)"),
    "finished_total": ("Đã giải quyết", "Tổng số đã giải quyết", "(7)"),
    "finished_early": ("Đã giải quyết trước hạn", "Trước hạn", "(8)"),
    "finished_on_time": ("Đã giải quyết đúng hạn", "(9)"),
    "finished_late": ("Đã giải quyết quá hạn", "Đã giải quyết trễ hạn", "(10)"),
    "pending_total": ("Đang giải quyết", "Tổng số đang giải quyết", "(11)"),
    "pending_in_time": ("Đang giải quyết trong hạn", "Trong hạn", "(12)"),
    "pending_overdue": ("Đang giải quyết quá hạn", "(13)"),
    "ratio_percent": ("ratio", "Tỷ lệ", "Tỷ lệ đúng hạn", "Tỷ lệ đúng hạn (%)"),
    "score": ("totalScore", "Điểm", "Điểm số"),
    "average_days": ("avgProcessingDays", "Số ngày trung bình", "Thời gian giải quyết trung bình"),
}
"""Each figure by its own name, the portal's, and the Vietnamese ones; compared without case, accents and signs."""

_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,\s])\d{3})(?:\1\d{3})*")
_DECIMAL: Final = re.compile(r"\d+(?:[.,]\d+)?")


def plain(name: str) -> str:
    """A column's name as it is compared: small letters and digits only, (7) as it is."""
    bare = unicodedata.normalize("NFD", name.strip().casefold().replace("đ", "d"))
    if re.fullmatch(r"\(\d+\)", bare):
        return bare
    return "".join(letter for letter in bare if letter.isascii() and letter.isalnum())


_KNOWN: Final = {plain(name): figure for figure, names in _NAMES.items() for name in (figure, *names)}


def figure_of(name: str) -> str | None:
    """The figure that a column of this name holds; None when it is none of ours."""
    return _KNOWN.get(plain(name))


def listed() -> Iterable[tuple[str, str]]:
    """Each column and the names that it may have, for messages and the template."""
    return ((figure, ", ".join(names)) for figure, names in _NAMES.items())


def has_figures(found: Iterable[str]) -> bool:
    """Whether there is a count or another figure among these columns."""
    return any(name in COUNTS or name in DECIMALS for name in found)


def read_count(written: str) -> int:
    """A count, plain or in groups of three: ``1065150``, ``1.065.150``, ``1 065 150``.

    Raises:
        ValueError: it is no whole number of dossiers; the message says what to do.
    """
    text = _trimmed(written)
    if _GROUPED.fullmatch(text):
        text = re.sub(r"[.,\s]", "", text)
    if not re.fullmatch(r"\d{1,15}", text):
        raise ValueError(f"'{text[:40]}' is no number of dossiers; write digits only, such as 1065150")
    return int(text)


def read_decimal(written: str) -> str:
    """A figure with decimals, with a comma or a point, perhaps with a percent sign: as decimal text with a point.

    Raises:
        ValueError: it is no number; the message says what to do.
    """
    text = _trimmed(written).removesuffix("%").strip()
    if not _DECIMAL.fullmatch(text) or len(text) > 30:
        raise ValueError(f"'{text[:40]}' is no number; write for example 74,04")
    return text.replace(",", ".")


def _trimmed(written: str) -> str:
    return " ".join(written.replace("\u00a0", " ").replace("\u202f", " ").split())
