"""What a batch's dossiers that were seen to end count for: finished, late, returned, and how long they took.

A dossier counts with the batch in which we first saw it ended, and its batch is taken off the list of those to judge in
the transaction that adds the counts: an evaluation that is killed before that counts nothing, and the next one all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
from sqlalchemy import Connection

from rules.grounds import Finding, Grounds
from rules.kinds.intervals import answerable, utc
from rules.kinds.promise import due_instant
from rules.kinds.reads import PROMISE
from rules.kinds.waits import waits
from tthc_monitor.domain.worktime import PauseColumns, WorkCalendar
from tthc_monitor.store import totals
from tthc_monitor.store.totals import BOUNDS, PROCESSING, SUM, USED

READ: Final = PROMISE | {
    "kind",
    "unit_code",
    "procedure_code",
    "sector_code",
    "received_at",
    "ended_at",
    "source_verdict",
}
"""Facts that :meth:`Tally.count` reads."""

_COUNTS = ("finished", "finished_late", "finished_cannot_tell", "returned")
_ON_TIME, _LATE = 1, 2
Floats = npt.NDArray[np.float64]


@dataclass
class Noted:
    """The dossiers of which rules found what decides how they count."""

    found: dict[str, list[npt.NDArray[np.int64]]] = field(default_factory=dict)

    def passing(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings as they come, looked at on their way."""
        for rule, frame in findings:
            if rule.verdict is not None or rule.code == "returned":
                self.found.setdefault(rule.verdict or rule.code, []).append(frame["dossier_id"].to_numpy())
            yield rule, frame

    def of(self, what: str, dossiers: pd.Series) -> npt.NDArray[np.bool_]:
        """Of which dossiers a verdict, or the rule ``returned``, was found."""
        found = self.found.get(what)
        return np.zeros(len(dossiers), np.bool_) if found is None else dossiers.isin(np.concatenate(found)).to_numpy()


@dataclass
class Tally:
    """Counts of an evaluation that are not written yet.

    Attributes:
        sectors: sector of a procedure, for dossiers whose source tells none.
    """

    sectors: Mapping[str, str]
    _pairs: list[pl.DataFrame] = field(default_factory=list)
    _mismatches: list[pl.DataFrame] = field(default_factory=list)
    _times: list[pl.DataFrame] = field(default_factory=list)

    def count(self, facts: pd.DataFrame, ended_in: npt.NDArray[np.int64], noted: Noted, grounds: Grounds) -> None:
        """Count the dossiers that were seen to end.

        Args:
            facts: at least :data:`READ`.
            ended_in: the source in whose batch each was seen to end; 0 for all that are not counted now.
        """
        chosen = (ended_in > 0) & (facts["kind"] == "dossier").to_numpy()
        if not chosen.any():
            return
        some = facts.loc[chosen, ["dossier_id", *sorted(READ)]]
        received = some["received_at"].notna().to_numpy()
        late = noted.of("late", some["dossier_id"]) & received
        unknown = noted.of("cannot_tell", some["dossier_id"]) & received & ~late
        frame = pl.DataFrame(
            {
                "unit_code": _texts(some["unit_code"]),
                "procedure_code": _texts(some["procedure_code"]),
                "source": ended_in[chosen],
                "finished": received,
                "finished_late": late,
                "finished_cannot_tell": unknown,
                "returned": noted.of("returned", some["dossier_id"]),
                "differs": received & ~unknown & (some["source_verdict"].to_numpy() == np.where(late, _ON_TIME, _LATE)),
            }
        )
        # Codes are texts of their own and few; the frames added here are small.
        self._pairs.append(frame.group_by("unit_code", "procedure_code").agg(pl.col(_COUNTS).sum()))
        self._mismatches.append(frame.filter("differs").group_by("source").len("count"))
        for calendar, rows in grounds.calendars.partition(some["unit_code"]):
            self._times.extend(self._histograms(some[rows] if not rows.all() else some, calendar, grounds))

    def write(self, connection: Connection, sources: Mapping[int, str]) -> None:
        """Add what was counted to the totals, and begin anew.

        Args:
            sources: name of each by its number.
        """
        if self._pairs:
            pairs = pl.concat(self._pairs).group_by("unit_code", "procedure_code").agg(pl.col(_COUNTS).sum())
            told = pairs.filter((pl.col("finished") > 0) | (pl.col("returned") > 0)).sort("unit_code", "procedure_code")
            totals.add_procedures(connection, told)
            units = pairs.group_by("unit_code").agg(pl.col(_COUNTS).sum())
            totals.add_all(
                connection,
                ((f"tthc_dossiers_{name}_total", [unit], count) for name in _COUNTS for unit, count in units.select("unit_code", name).iter_rows()),
            )  # fmt: skip
            differing = pl.concat(self._mismatches).group_by("source").sum()
            totals.add_all(
                connection,
                (("tthc_source_verdict_mismatches_total", [sources[one]], n) for one, n in differing.iter_rows()),
            )
        if self._times:
            times = pl.concat(self._times).group_by("metric", "sector", "bound").sum()
            totals.add_all(
                connection, ((metric, [sector, bound], by) for metric, sector, bound, by in times.iter_rows())
            )
        self._pairs, self._mismatches, self._times = [], [], []

    def _histograms(self, facts: pd.DataFrame, calendar: WorkCalendar, grounds: Grounds) -> Iterator[pl.DataFrame]:
        sectors = _texts(facts["sector_code"])
        own = pl.Series(_texts(facts["procedure_code"])).replace_strict(
            self.sectors, default="", return_dtype=pl.String()
        )
        sectors = pl.select(pl.when(sectors == "").then(own).otherwise(sectors)).to_series()
        used, allowed = _times(facts, calendar, grounds)
        ratios = np.divide(used, allowed, out=np.full(len(used), np.nan), where=allowed > 0)
        for metric, values in ((PROCESSING, used), (USED, ratios)):
            known = ~np.isnan(values)
            if known.any():
                yield _buckets(metric, BOUNDS[metric], sectors.filter(pl.Series(known)), values[known])


def _texts(column: pd.Series) -> pl.Series:
    """A categorical column as texts, none as an empty one."""
    names = pl.Series([*column.cat.categories, ""], dtype=pl.String())
    codes = column.cat.codes.to_numpy().astype(np.int64)
    return names.gather(pl.Series(np.where(codes < 0, len(names) - 1, codes)))


def _times(facts: pd.DataFrame, calendar: WorkCalendar, grounds: Grounds) -> tuple[Floats, Floats]:
    """Working seconds used and allowed, waits for the applicant taken out where they stop the office's clock.

    NaN where reception or end is not told or lies where no calendar reaches; and of what was allowed, without a promise.
    """
    clock: Any = next((getattr(rule, "clock_while_waiting", "stopped") for rule in grounds.rules if rule.verdict == "late"), "stopped")  # fmt: skip
    start, end = facts["received_at"], facts["ended_at"]
    known = (answerable(start) & answerable(end) & (end >= start)).to_numpy()
    used, allowed = np.full(len(facts), np.nan), np.full(len(facts), np.nan)
    some = facts[known] if not known.all() else facts
    due = due_instant(some, calendar, some["due_current"], clock)
    promised = answerable(due).to_numpy()
    starts, ends, dues = utc(some["received_at"]), utc(some["ended_at"]), utc(due)
    pauses = _pauses(some, dues) if clock == "stopped" else ()
    used[known] = calendar.elapsed(starts, ends, pauses)
    allowed[np.flatnonzero(known)[promised]] = calendar.elapsed(starts, np.where(promised, dues, starts), pauses)[
        promised
    ]
    return used, allowed


def _pauses(facts: pd.DataFrame, due: npt.NDArray[np.datetime64]) -> PauseColumns | tuple[()]:
    """The waits that began before the dossier was late, by position."""
    rows = np.flatnonzero((facts["supplement_requested_at"].notna() | facts["earlier_waits"].notna()).to_numpy())
    if not rows.size:
        return ()
    found = [(rows, wait.requested, wait.answered) for wait in waits(facts.iloc[rows])]
    row, requested, answered = (np.concatenate(columns) for columns in zip(*found, strict=True))
    counts = ~np.isnat(requested) & ~(requested >= due[row])
    return PauseColumns(row[counts], requested[counts], answered[counts]) if counts.any() else ()


def _buckets(metric: str, bounds: Sequence[float], sectors: pl.Series, values: Floats) -> pl.DataFrame:
    """How many values fall into each bucket (the rest into +Inf), and their sum, sector by sector."""
    names = pl.Series([*(str(float(bound)) for bound in bounds), "+Inf"])
    places = pl.Series(np.searchsorted(np.asarray(bounds), values, side="left"))
    frame = pl.DataFrame({"sector": sectors, "bound": names.gather(places), "value": values})
    counted = frame.group_by("sector", "bound").agg(pl.len().cast(pl.Float64()).alias("value"))
    summed = frame.group_by("sector").agg(pl.lit(SUM).alias("bound"), pl.col("value").sum())
    return pl.concat([counted, summed]).select(pl.lit(metric).alias("metric"), "sector", "bound", "value")
