"""The waits of a dossier: for the applicant's supplements and for financial obligations, as one long table."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.worktime_arrays import Bools, PauseColumns, Times

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Waits:
    """Waits by row and start: the position of the dossier's row, from when, until when (NaT: not ended, or not known)."""

    row: Rows
    start: Times
    end: Times

    @property
    def pauses(self) -> PauseColumns:
        """The same for a calendar's call."""
        return PauseColumns(self.row, self.start, self.end)

    def of(self, rows: Rows, size: int) -> Waits:
        """The waits of some rows (positions among ``size``), by their position among these."""
        place = np.full(size, -1, dtype=np.int64)
        place[rows] = np.arange(rows.size)
        found = place[self.row]
        kept = found >= 0
        return Waits(*_sorted(found[kept], self.start[kept], self.end[kept]))

    def ranks(self) -> list[tuple[Rows, Times, Times]]:
        """The first wait of every row that has one, then the second, and so on."""
        if not self.row.size:
            return []
        rank = pd.Series(self.row).groupby(self.row).cumcount().to_numpy()
        return [(self.row[rank == k], self.start[rank == k], self.end[rank == k]) for k in range(int(rank.max()) + 1)]

    def with_others(self, others: Waits) -> Waits:
        """Both, in order."""
        return Waits(
            *_sorted(
                np.concatenate([self.row, others.row]),
                np.concatenate([self.start, others.start]),
                np.concatenate([self.end, others.end]),
            )
        )


NONE = Waits(np.empty(0, np.int64), np.empty(0, "datetime64[us]"), np.empty(0, "datetime64[us]"))


@dataclass(frozen=True)
class Supplements:
    """What is known of the waits for supplements."""

    waits: Waits
    requested_before: Bools
    """Rows whose latest request came some time before the one in ``waits``."""
    incomplete: Bools
    """Rows with more requests than waits known."""


def supplements(facts: pd.DataFrame) -> Supplements:
    """The waits for supplements. An answer that was not seen (``answer_unknown``) is a wait without a known end."""
    requested, completed = _instants(facts, "supplement_requested_at"), _instants(facts, "supplement_completed_at")
    latest = np.flatnonzero(~np.isnat(requested))
    ended = np.where(facts["answer_unknown"].to_numpy() == 1, np.datetime64("NaT"), completed)
    waits = Waits(latest, requested[latest], ended[latest]).with_others(_earlier(facts["earlier_waits"]))
    known = np.bincount(waits.row, minlength=len(facts))
    return Supplements(
        waits,
        (facts["request_unknown"].to_numpy() == 1) & ~np.isnat(requested),
        (facts["supplement_count"].to_numpy() > known)
        | ((facts["request_unknown"].to_numpy() == 1) & np.isnat(requested)),
    )


def obligations(facts: pd.DataFrame) -> Waits:
    """The latest wait for the applicant to meet a financial obligation."""
    requested, completed = _instants(facts, "obligation_requested_at"), _instants(facts, "obligation_completed_at")
    rows = np.flatnonzero(~np.isnat(requested))
    return Waits(rows, requested[rows], completed[rows])


def _earlier(column: pd.Series) -> Waits:
    """JSON lists of pairs of seconds since 1970 UTC."""
    rows = np.flatnonzero(column.notna().to_numpy())
    if not rows.size:
        return NONE
    lists = json.loads("[" + ",".join(column.iloc[rows].astype(str)) + "]")
    counts = [len(pairs) for pairs in lists]
    seconds = np.array([pair for pairs in lists for pair in pairs], dtype=np.float64).reshape(-1, 2)
    micros = np.rint(seconds * 1e6).astype(np.int64).view("datetime64[us]")
    return Waits(*_sorted(np.repeat(rows, counts), micros[:, 0], micros[:, 1]))


def _sorted(row: Rows, start: Times, end: Times) -> tuple[Rows, Times, Times]:
    order = np.lexsort((start, row))
    return row[order], start[order], end[order]


def _instants(facts: pd.DataFrame, name: str) -> Times:
    return utc(facts[name])


def utc(column: pd.Series) -> Times:
    """An instant column as ``datetime64[us]`` in UTC."""
    return np.asarray(column.dt.tz_convert("UTC").dt.tz_localize(None), dtype="datetime64[us]")
