"""Figures that others published of a period: the national portal, EMC, the one-stop system's own report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CountedBy = Literal["national_766", "ii06a"]
"""The way in which a publisher counts: index 766 (item 2.1), or form II.06a by the promise in force."""

COUNTED_BY_NAMES: Final[dict[CountedBy, str]] = {
    "national_766": "Bộ chỉ số 766, mục 2.1",
    "ii06a": "Biểu II.06a, theo ngày hẹn trả hiện hành",
}

COUNTS: Final = (
    "total_received",
    "total_on_time",
    "total_overdue",
    "received_online",
    "received_direct",
    "carried_over",
    "finished_total",
    "finished_early",
    "finished_on_time",
    "finished_late",
    "pending_total",
    "pending_in_time",
    "pending_overdue",
)
"""Counts of dossiers that may be published; those after the first three are columns (4) to (13) of form II.06a."""

DECIMALS: Final = ("ratio_percent", "score", "average_days")
"""Published figures that are no counts: percent on time, points, days."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What was published of one unit, or of one sector in it.

    Attributes:
        place: where it stands in the file, in words.
        parent_code: the unit whose figures include those of this one, when the file tells.
        counts: by name of :data:`COUNTS`; what was not published is not in it.
        decimals: by name of :data:`DECIMALS`, as decimal text with a point.
    """

    place: str
    unit_code: str
    unit_name: str | None
    parent_code: str | None
    sector_code: str | None
    counts: dict[str, int]
    decimals: dict[str, str]

    def doubts(self) -> tuple[str, ...]:
        """What in it contradicts itself, in words: it is kept as it was published all the same."""
        c = self.counts
        sums = (
            ("total_received", ("total_on_time", "total_overdue")),
            ("finished_total", ("finished_early", "finished_on_time", "finished_late")),
            ("pending_total", ("pending_in_time", "pending_overdue")),
        )
        return tuple(
            f"{self.place}: {whole} {c[whole]} is not {' + '.join(f'{name} {c[name]}' for name in parts)}"
            for whole, parts in sums
            if whole in c and all(name in c for name in parts) and c[whole] != sum(c[name] for name in parts)
        )
