"""The columns of form II.06a from the counts of ``audit.figures``, and the equalities that they must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

COUNTS: Final = (
    "received_online",
    "received_direct",
    "carried_over",
    "finished_early",
    "finished_on_time",
    "finished_late",
    "finished_unknown",
    "pending_in_time",
    "pending_overdue",
    "pending_unknown",
)
"""The counts of ``audit.figures``: each dossier of the period stands in one of the first three and one of the rest."""

CARRIED_OVER: Final = "(6) kỳ này = (11) kỳ trước"
"""The equality of two periods; it may fail when one of them was frozen and data changed afterwards."""


@dataclass(frozen=True, slots=True)
class Check:
    """One equality that the form demands, held on every row; the two sides are those of the grand total."""

    name: str
    left: int
    right: int
    failing_rows: int

    @property
    def passed(self) -> bool:
        """Whether it holds on every row."""
        return self.failing_rows == 0 and self.left == self.right


def form_columns(counts: pd.DataFrame) -> pd.DataFrame:
    """Columns (3) to (13) of the form and the two of unknown due dates (14), (15), from :data:`COUNTS`, row by row.

    Totals (7) and (11) contain what stands in (14) and (15).
    """
    c = counts
    return pd.DataFrame(
        {
            3: c["received_online"] + c["received_direct"] + c["carried_over"],
            4: c["received_online"],
            5: c["received_direct"],
            6: c["carried_over"],
            7: c["finished_early"] + c["finished_on_time"] + c["finished_late"] + c["finished_unknown"],
            8: c["finished_early"],
            9: c["finished_on_time"],
            10: c["finished_late"],
            11: c["pending_in_time"] + c["pending_overdue"] + c["pending_unknown"],
            12: c["pending_in_time"],
            13: c["pending_overdue"],
            14: c["finished_unknown"],
            15: c["pending_unknown"],
        }
    ).astype("int64")


def form_checks(figures: pd.DataFrame, before: pd.DataFrame) -> tuple[Check, ...]:
    """The equalities of the form on every row, and that what was pending came over from the period before."""
    rows = form_columns(figures)

    def check(name: str, left: pd.Series, right: pd.Series) -> Check:
        return Check(name, int(left.sum()), int(right.sum()), int((left != right).sum()))

    carried = figures.groupby("unit_code")["carried_over"].sum()
    pending = form_columns(before)[11].groupby(before["unit_code"]).sum()
    carried, pending = carried.align(pending, fill_value=0)
    return (
        check("(3) = (4) + (5) + (6)", rows[3], rows[4] + rows[5] + rows[6]),
        check("(7) = (8) + (9) + (10) + (14)", rows[7], rows[8] + rows[9] + rows[10] + rows[14]),
        check("(11) = (12) + (13) + (15)", rows[11], rows[12] + rows[13] + rows[15]),
        check("(3) = (7) + (11)", rows[3], rows[7] + rows[11]),
        check(CARRIED_OVER, carried, pending),
    )
