"""The waits for the applicant that are known of a dossier, oldest first, and what they excuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rules.kinds.intervals import utc

_NEVER = np.datetime64("NaT", "us")
Instants = np.ndarray[Any, np.dtype[np.datetime64]]


@dataclass(frozen=True)
class Wait:
    """One wait of each row, ``datetime64[us]`` in UTC: NaT where the row has no such wait, or where it is not over."""

    requested: Instants
    answered: Instants


def waits(facts: pd.DataFrame) -> Sequence[Wait]:
    """The waits of each row in order; the last of the list is the latest one, and there is always that."""
    latest = Wait(utc(facts["supplement_requested_at"]), utc(facts["supplement_completed_at"]))
    pairs = _earlier(facts["earlier_waits"])
    return [*(Wait(pairs[:, number, 0], pairs[:, number, 1]) for number in range(pairs.shape[1])), latest]


def number_of_waits(facts: pd.DataFrame) -> pd.Series:
    """How many waits are known of each row."""
    known = facts["supplement_requested_at"].notna().astype(np.int64)
    several = facts["earlier_waits"].notna()
    if several.any():
        known[several] += (~np.isnat(_earlier(facts.loc[several, "earlier_waits"])[:, :, 0])).sum(axis=1)
    return known


def first_request(facts: pd.DataFrame) -> pd.Series:
    """When the applicant was first asked to supplement."""
    first = facts["supplement_requested_at"]
    several = facts["earlier_waits"].notna()
    if several.any():
        first = first.copy()
        first[several] = pd.DatetimeIndex(waits(facts[several])[0].requested).tz_localize("UTC")
    return first


def excused_moves(facts: pd.DataFrame) -> pd.Series:
    """How many moves of the promise may follow from a wait for the applicant, and are therefore no re-appointment.

    NĐ 61/2018/NĐ-CP Art. 19.4: after a supplement the limit runs anew, so the system moves the promise by itself; a
    financial obligation stops the clock where the law of the sector says so.
    """
    known = number_of_waits(facts)
    obligations = facts["obligation_requested_at"].notna().astype(np.int64)
    return known.clip(lower=facts["supplement_count"].astype(np.int64)) + obligations


def _earlier(column: pd.Series) -> Instants:
    """The earlier waits as an array: row, number of the wait, request and answer."""
    texts = column.astype("category")
    used, rows = np.unique(texts.cat.codes.to_numpy(), return_inverse=True)
    parsed: list[list[list[float | None]]] = [
        json.loads(texts.cat.categories[code]) if code >= 0 else [] for code in used
    ]
    table = np.full((len(parsed), max(map(len, parsed), default=0), 2), _NEVER)
    for number, pairs in enumerate(parsed):
        for place, (requested, answered) in enumerate(pairs):
            table[number, place] = _instant(requested), _instant(answered)
    return table[rows] if len(rows) else table.reshape(0, 0, 2)


def _instant(seconds: float | None) -> np.datetime64:
    return _NEVER if seconds is None else np.datetime64(round(seconds * 1_000_000), "us")
