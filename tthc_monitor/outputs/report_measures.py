"""What an index can be measured by: for each measure how many count as good, of how many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

import pandas as pd

from tthc_monitor.outputs.delays import read_applied
from tthc_monitor.outputs.report_apologies import Apologies
from tthc_monitor.outputs.report_causes import Causes
from tthc_monitor.outputs.report_index_items import Measure
from tthc_monitor.outputs.report_petitions import Petitions
from tthc_monitor.outputs.report_progress import Progress

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

Found = TypeVar("Found")

NOT_APPLIED: Final = "chưa tính: quy tắc của cách tính này chưa được áp dụng"

MEANINGS: Final[Mapping[Measure, tuple[str, str]]] = {
    "on_time_percent": ("(trước hạn + đúng hạn) / đã giải quyết có hạn", "hồ sơ đúng hạn"),
    "pending_in_time_percent": ("trong hạn / đang giải quyết có hạn", "hồ sơ trong hạn"),
    "online_percent": ("trực tuyến / tiếp nhận mới", "hồ sơ trực tuyến"),
    "progress_766": ("đúng hạn, trong hạn / hồ sơ tiếp nhận, xử lý trong kỳ, theo Bộ chỉ số 766", "hồ sơ đúng hạn"),
    "petitions_on_time": ("xử lý đúng hạn / (đã xử lý + đang xử lý đã chậm)", "phản ánh đúng hạn"),
    "apology_share": ("đã có văn bản xin lỗi / hồ sơ quá hạn xác định được phải xin lỗi", "văn bản xin lỗi"),
}
"""Of each measure its formula, and what is counted as good."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``good`` of ``every``; ``points`` where the index says how they follow from it; ``why`` there is no value."""

    good: int
    every: int
    points: Decimal | None = None
    why: str = ""

    def reaches(self, target: Decimal) -> bool | None:
        """Whether it is at least so many percent, before any rounding; None without a denominator."""
        return 100 * self.good >= target * self.every if self.every else None

    def missing(self, target: Decimal) -> int:
        """How many more would have to be good."""
        return max(math.ceil(target * self.every / 100) - self.good, 0)


def measure(reading: Reading, name: Measure) -> Measured:
    """The value of a measure in the period and the units of a report; what other sections tell is told here as there."""
    return _MEASURES[name](reading)


def _of_figures(good: tuple[str, ...], bad: tuple[str, ...]) -> Callable[[Reading], Measured]:
    def counted(reading: Reading) -> Measured:
        one, other = (int(reading.figures[list(names)].to_numpy().sum()) for names in (good, bad))
        return Measured(one, one + other)

    return counted


def _progress(reading: Reading) -> Measured:
    found = _found(reading, Progress)
    if found is None or not found.applied:
        return Measured(0, 0, why=NOT_APPLIED)
    if found.total is None:
        return Measured(0, 0)
    score = found.total["score"]
    points = None if pd.isna(score) else Decimal(str(score))
    return Measured(int(found.total["on_time"]), int(found.total["received"]), points)


def _petitions(reading: Reading) -> Measured:
    found = _found(reading, Petitions)
    if found is None or "petition_handled_late" not in set(read_applied(reading)["kind"]):
        return Measured(0, 0, why=NOT_APPLIED)
    total = found.total or {"handled_on_time": 0, "denominator": 0}
    return Measured(int(total["handled_on_time"]), int(total["denominator"]))


def _apologies(reading: Reading) -> Measured:
    found = apologies_of(reading)
    if found is None or "apology_missing" not in found.applied:
        return Measured(0, 0, why=NOT_APPLIED)
    return Measured(found.total.get("sent", 0), found.total.get("owed", 0))


def apologies_of(reading: Reading) -> Apologies | None:
    """What the topic about causes found of letters of apology."""
    causes = _found(reading, Causes)
    return None if causes is None else causes.apologies


def _found(reading: Reading, kind: type[Found]) -> Found | None:
    return next((topic for topic in reading.found if isinstance(topic, kind)), None)


_MEASURES: Final[Mapping[Measure, Callable[[Reading], Measured]]] = {
    "on_time_percent": _of_figures(("finished_early", "finished_on_time"), ("finished_late",)),
    "pending_in_time_percent": _of_figures(("pending_in_time",), ("pending_overdue",)),
    "online_percent": _of_figures(("received_online",), ("received_direct",)),
    "progress_766": _progress,
    "petitions_on_time": _petitions,
    "apology_share": _apologies,
}
