"""The facts of all digests, cut to what one audience may and must know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.digest_facts import DigestFacts
from tthc_monitor.outputs.digest_rules import INTEGRITY, OVERDUE
from tthc_monitor.outputs.digest_trend import MEASURES, Moments, summed

LISTS: Final = (
    *(OVERDUE, "acknowledged_late", "due_today", "due_soon", "due_soon_24h", "waiting_long", "returned"),
    *("petitions_overdue", INTEGRITY),
)
"""Lists of a digest, in the order in which they ask for work."""

_RULE_OF: Final = {"petitions_overdue": OVERDUE}
_COUNTED: Final = (*LISTS, "supplement_requested", "acknowledged_late_before", "apology_missing_before")
_UNIT_FIGURES: Final = ("overdue", "apology_missing", "due_today", "acknowledged_late")


@dataclass(frozen=True, slots=True)
class UnitRow:
    """Counts of one unit; None: no rule in force counts it. Of ``apology_unknown`` overdue dossiers nobody can tell whether an
    apology is missing.
    """

    code: str
    name: str
    open: int
    cannot_tell: int
    apology_unknown: int
    overdue: int | None
    apology_missing: int | None
    due_today: int | None
    acknowledged_late: int | None

    @property
    def urgency(self) -> tuple[int, int, int, int]:
        """The greater, the more there is to do."""
        return (self.overdue or 0, self.apology_missing or 0, self.acknowledged_late or 0, self.due_today or 0)


@dataclass(frozen=True)
class Cut:
    """What one scope has.

    Attributes:
        key: of the scope; equal scopes have equal keys.
        lists: all rows of each list that is watched, the worst first.
        counts: figures by name; one that no rule in force counts is missing.
        units: all units of the scope, the worst first.
        moments: what yesterday and last week are.
        moved: the four measures (rows) at past instants (columns).
    """

    key: tuple[Any, ...]
    lists: Mapping[str, pd.DataFrame]
    counts: Mapping[str, int]
    units: tuple[UnitRow, ...]
    moments: Moments
    moved: pd.DataFrame

    def at(self, measure: str, instant: datetime) -> int:
        """A measure at a past instant."""
        return int(self.moved[instant][measure]) if instant in self.moved.columns else 0


def cut_to(facts: DigestFacts, audience: Audience) -> Cut:
    """Cut the facts to an audience's units and sectors; integrity findings are for inspectors.

    What is cut for one scope is kept for others of the same.
    """
    key = (audience.units, audience.sectors, audience.role == "inspector")
    if key not in facts.made:
        facts.made[key] = _cut(facts, audience, key)
    found: Cut = facts.made[key]
    return found


def _cut(facts: DigestFacts, audience: Audience, key: tuple[Any, ...]) -> Cut:
    rows, open_dossiers, moved = facts.attention, facts.units, facts.movement.counts
    if audience.units is not None:
        rows = _of_units(facts, "attention", rows, audience.units)
        open_dossiers = _of_units(facts, "units", open_dossiers, audience.units)
        moved = _of_units(facts, "movement", moved, audience.units)
    if audience.sectors is not None:
        rows = rows[rows["sector_code"].isin(audience.sectors)]
        left_out = ~open_dossiers["sector_code"].isin(audience.sectors)
        # A unit stays, with nothing to do.
        open_dossiers = open_dossiers.assign(
            open=open_dossiers["open"].mask(left_out, 0), cannot_tell=open_dossiers["cannot_tell"].mask(left_out, 0)
        )
    by_list = dict(iter(rows.groupby("list", sort=False)))
    nothing = rows.iloc[:0]
    watched = [one for one in LISTS if facts.rules.watches(_RULE_OF.get(one, one))]
    if audience.role != "inspector":
        watched = [one for one in watched if one != INTEGRITY]
    moments = facts.moments_of(audience.units)
    lists = {one: by_list.get(one, nothing) for one in watched}
    if "returned" in lists:
        lists["returned"] = lists["returned"][lists["returned"]["since"] >= moments.since]
    counts = _counts(facts, {**by_list, **lists}, watched, open_dossiers)
    if OVERDUE in lists:
        counts["new_overdue"] = int((lists[OVERDUE]["since"] >= moments.since).sum())
        if facts.rules.watches("apology_missing"):
            counts["apology_unknown"] = int((lists[OVERDUE]["apology"] == "unknown").sum())
    return Cut(
        key,
        _without_repeats(lists),
        counts,
        _units(facts, rows, open_dossiers),
        moments,
        summed(moved, audience.sectors),
    )


def _of_units(facts: DigestFacts, name: str, frame: pd.DataFrame, units: Collection[str]) -> pd.DataFrame:
    """The rows of some units, in their order. Where those of each unit are is looked up once for all audiences."""
    made = ("of units", name)
    if made not in facts.made:
        facts.made[made] = frame.groupby("unit_code").indices
    places: Mapping[str, npt.NDArray[np.intp]] = facts.made[made]
    found = [places[unit] for unit in units if unit in places]
    return frame.take(np.sort(np.concatenate(found)) if found else [])


def _without_repeats(lists: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Each dossier that comes due stands in the most urgent list only."""
    told: set[int] = set()
    for key in ("due_today", "due_soon", "due_soon_24h"):
        if key in lists:
            lists[key] = lists[key][~lists[key]["dossier_id"].isin(told)]
            told.update(lists[key]["dossier_id"])
    return lists


def _counts(
    facts: DigestFacts, by_list: Mapping[Any, pd.DataFrame], watched: list[str], open_dossiers: pd.DataFrame
) -> dict[str, int]:
    if not facts.rules.any:
        return {}
    sizes = {str(key): len(rows) for key, rows in by_list.items()}
    counts = {key: sizes.get(key, 0) for key in _COUNTED if key in watched or key not in LISTS}
    counts |= {name: int(open_dossiers[name].sum()) for name in ("open", "cannot_tell")}
    if facts.rules.watches("apology_missing"):
        counts["apology_missing"] = sizes.get("apology_missing", 0)
    return {
        key: count
        for key, count in counts.items()
        if facts.rules.watches(key.removesuffix("_before")) or key not in (*MEASURES, "supplement_requested")
    }


def _units(facts: DigestFacts, rows: pd.DataFrame, open_dossiers: pd.DataFrame) -> tuple[UnitRow, ...]:
    sums = open_dossiers.groupby("unit_code")[["open", "cannot_tell"]].sum().to_dict("index")
    names = dict(open_dossiers[["unit_code", "unit_name"]].itertuples(index=False, name=None))
    sizes = rows.groupby(["unit_code", "list"]).size()
    counted: dict[Any, int] = {key: int(size) for key, size in sizes.items()}
    watched = {key: facts.rules.watches(key) for key in _UNIT_FIGURES}
    untold = rows.loc[(rows["list"] == OVERDUE) & (rows["apology"] == "unknown"), "unit_code"].value_counts().to_dict()
    found = []
    for code in {*sums, *rows["unit_code"].unique()}:
        name = names.get(code)
        label = wording.unit_label(code, name if isinstance(name, str) else facts.described.get(code))
        figures = [counted.get((code, key), 0) if watched[key] else None for key in _UNIT_FIGURES]
        opened, unknown = (int(sums.get(code, {}).get(column, 0)) for column in ("open", "cannot_tell"))
        apologies = untold.get(code, 0) if watched["apology_missing"] else 0
        found.append(UnitRow(str(code), label, opened, unknown, int(apologies), *figures))
    return tuple(sorted(found, key=lambda row: ([-figure for figure in row.urgency], -row.open, row.name)))
