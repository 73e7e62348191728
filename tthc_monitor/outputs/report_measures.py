"""What an index can be measured by: for each measure how many count as good, of how many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_apologies import Apologies
from tthc_monitor.outputs.report_causes import Causes
from tthc_monitor.outputs.report_index_items import Measure

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_APPLIED: Final = """
SELECT EXISTS (SELECT FROM audit.evaluations e WHERE e.evaluation_id = last.id)
       AND NOT EXISTS (
           SELECT FROM unnest(%(kinds)s::text[]) AS needed (kind), audit.evaluations e
           WHERE e.evaluation_id >= last.id AND NOT EXISTS (
               SELECT FROM audit.rules r WHERE r.kind = needed.kind AND r.rule_version_id = ANY (e.rule_version_ids))
       ) AS applied
FROM (SELECT coalesce(max(f.evaluation_id) FILTER (WHERE f.finished_at IS NOT NULL), max(f.evaluation_id)) AS id
      FROM audit.evaluations f) last
"""
_PROGRESS: Final = """
SELECT sum(p.total_on_time) AS good, sum(p.total_received) AS every,
       audit.score_766(sum(p.total_on_time), sum(p.total_received)) AS points
FROM audit.progress_766(%(start)s, %(end)s) p
WHERE %(units)s::text[] IS NULL OR p.unit_code = ANY(%(units)s::text[])
"""
_PETITIONS: Final = """
SELECT sum(p.handled_on_time) AS good, sum(p.handled_on_time + p.handled_late + p.open_late) AS every
FROM audit.petition_shares(%(start)s, %(end)s) p
WHERE %(units)s::text[] IS NULL OR p.unit_code = ANY(%(units)s::text[])
"""
_KINDS: Final[Mapping[Measure, tuple[str, ...]]] = {
    "progress_766": ("late_766", "cannot_tell_766"),
    "petitions_on_time": ("petition_handled_late",),
}
NOT_APPLIED: Final = "chưa tính: quy tắc của cách tính này chưa được áp dụng"

MEANINGS: Final[Mapping[Measure, tuple[str, str]]] = {
    "on_time_percent": ("(trước hạn + đúng hạn) / đã giải quyết có hạn", "hồ sơ đúng hạn"),
    "pending_in_time_percent": ("trong hạn / đang giải quyết có hạn", "hồ sơ trong hạn"),
    "online_percent": ("trực tuyến / tiếp nhận mới", "hồ sơ trực tuyến"),
    "progress_766": ("đúng hạn, trong hạn / tổng số, theo Bộ chỉ số 766 mục 2.1", "hồ sơ đúng hạn"),
    "petitions_on_time": ("xử lý đúng hạn / (đã xử lý + đang xử lý đã chậm)", "phản ánh đúng hạn"),
    "apology_share": ("đã có văn bản xin lỗi / hồ sơ quá hạn phải xin lỗi", "văn bản xin lỗi"),
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
    """The value of a measure in the period and the units of a report."""
    kinds = _KINDS.get(name)
    if kinds and not _applied(reading, kinds):
        return Measured(0, 0, why=NOT_APPLIED)
    return _MEASURES[name](reading)


def _applied(reading: Reading, kinds: tuple[str, ...]) -> bool:
    found = read_frame(reading.connection, _APPLIED, {"kinds": list(kinds)})["applied"]
    return bool(found.iloc[0])


def _of_figures(good: tuple[str, ...], bad: tuple[str, ...]) -> Callable[[Reading], Measured]:
    def counted(reading: Reading) -> Measured:
        one, other = (int(reading.figures[list(names)].to_numpy().sum()) for names in (good, bad))
        return Measured(one, one + other)

    return counted


def _asked(query: str, values: Callable[[Reading], Mapping[str, Any]]) -> Callable[[Reading], Measured]:
    def counted(reading: Reading) -> Measured:
        row = read_frame(reading.connection, query, values(reading)).iloc[0].to_dict()
        good, every = (
            0 if row[name] != row[name] or row[name] is None else int(row[name]) for name in ("good", "every")
        )
        points = row.get("points")
        return Measured(good, every, None if pd.isna(points) else Decimal(str(points)))

    return counted


def _apologies(reading: Reading) -> Measured:
    found = apologies_of(reading)
    if found is None or "apology_missing" not in found.applied:
        return Measured(0, 0, why=NOT_APPLIED)
    return Measured(found.total.get("sent", 0), found.total.get("owed", 0))


def apologies_of(reading: Reading) -> Apologies | None:
    """What the topic about causes found of letters of apology."""
    return next((topic.apologies for topic in reading.found if isinstance(topic, Causes)), None)


_MEASURES: Final[Mapping[Measure, Callable[[Reading], Measured]]] = {
    "on_time_percent": _of_figures(("finished_early", "finished_on_time"), ("finished_late",)),
    "pending_in_time_percent": _of_figures(("pending_in_time",), ("pending_overdue",)),
    "online_percent": _of_figures(("received_online",), ("received_direct",)),
    "progress_766": _asked(_PROGRESS, lambda reading: reading.values),
    "petitions_on_time": _asked(_PETITIONS, lambda reading: reading.values),
    "apology_share": _apologies,
}
