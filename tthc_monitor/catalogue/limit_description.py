"""Whether the description beside a limit bears it out.

The table's cell is the published limit; the description tells how it comes about. Where they contradict each other, a
dossier could be called late against the law, so such a limit is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tthc_monitor.catalogue.limit_reasons import Reason
from tthc_monitor.domain.time_limits import LimitUnit

# "QH13 ngày 16/6/2014" is the number of a law and a date; "làm v\w+c" covers the portal's misspellings.
_SPAN: Final = re.compile(
    r"(?<![\d.,/A-ZĐ])(?P<amount>\d+(?:[.,]\d)?)\s*(?:\([^)]{1,30}\)\s*)?"
    r"(?P<unit>(?i:ngày|giờ|tháng))(?P<working>\s*\(?(?i:làm)\s+v\w+c)?(?!\s*\d+/)"
)
_EXTENSION: Final = re.compile(
    r"(?:kéo dài|tăng thêm|cộng thêm|thêm không quá|gia hạn thêm|gia hạn[^.;]{0,30}không quá)"
    r"[^.;]{0,40}?\d+\s*(?:\([^)]{1,30}\)\s*)?(?:ngày|tháng|giờ)",
    re.IGNORECASE,
)
_KINDS: Final[dict[tuple[str, bool], LimitUnit | None]] = {
    ("ngày", True): "working_day", ("ngày", False): "calendar_day",
    ("giờ", True): "working_hour", ("giờ", False): None,
    ("tháng", False): "month", ("tháng", True): None,
}  # fmt: skip
_DAYS: Final[frozenset[LimitUnit]] = frozenset({"working_day", "calendar_day"})


def _spans(description: str) -> list[tuple[float, LimitUnit | None]]:
    return [
        (float(match["amount"].replace(",", ".")), _KINDS[match["unit"].lower(), bool(match["working"])])
        for match in _SPAN.finditer(description)
    ]


def states_working_hours(amount: float, description: str) -> bool:
    """Whether the description says that so many hours are working hours, and nowhere leaves it open."""
    kinds = {bool(match["working"]) for match in _SPAN.finditer(description)
             if match["unit"].lower() == "giờ" and float(match["amount"].replace(",", ".")) == amount}  # fmt: skip
    return kinds == {True}


def contradiction(amount: float, unit: LimitUnit, description: str) -> Reason | None:
    """What in a description speaks against a limit of the table, if anything.

    The same span among shorter ones (cases of less work) bears it out, and so do steps that add up to it; the same
    number with the other kind of day does not.
    """
    comparable = _DAYS if unit in _DAYS else {unit}
    spans = [(size, kind) for size, kind in _spans(description) if kind in comparable]
    same = [size for size, kind in spans if kind == unit]
    others = [size for size, kind in spans if kind != unit]
    sizes = [*same, *others]
    if amount in others:
        return "description_other_unit"
    if spans and not _adds_up(same, amount):
        if _adds_up(sizes, amount):
            return "description_other_unit"
        if max(sizes) < amount:
            return "description_other_amount"
    if max(sizes, default=0.0) > amount:
        return "description_longer"
    return "may_be_extended" if _EXTENSION.search(description) else None


def _adds_up(sizes: Iterable[float], total: float) -> bool:
    """Whether some of the sizes add up to the total."""
    sums = {0.0}
    for size in sizes:
        sums |= {known + size for known in sums if known + size <= total}
    return total in sums
