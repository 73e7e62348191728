"""Runs the worked examples of a rule: the facts of a story, and whether the rule answers what the story says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rules.judge import answers, judge
from rules.model import Example, Rule
from rules.registry import KINDS
from tthc_monitor.domain.facts import DERIVED_FACTS, FACT_DEFAULTS, INSTANT_FACTS, provides_bits
from tthc_monitor.domain.records import OPTIONAL_COLUMNS
from tthc_monitor.domain.worktime import WorkCalendar

_USUAL: Mapping[str, Any] = {"kind": "dossier", "status": 4, "provides": OPTIONAL_COLUMNS, "due_watched": 1}
"""A dossier under way, of a source that fills every optional column and was watched from the start."""


def check_example(rule: Rule, example: Example, calendar: WorkCalendar) -> str | None:
    """What a rule answers otherwise than its example says; None when they agree."""
    facts = example_facts(rule, example, calendar.zone)
    answer = answers(facts, calendar, rule).iloc[0]
    if answer != example.answer:
        return f"answers {answer}, not {example.answer}"
    if example.flagged is None:
        return None
    found = judge(facts, calendar, rule)
    first = found[found["dossier_id"] == 1].iloc[0]
    for name, expected in (("starts_at", example.flagged.since), ("ends_at", example.flagged.until)):
        got = first[name]
        wanted = pd.NaT if expected is None else pd.Timestamp(expected, tz=calendar.zone)
        if not (pd.isna(got) and pd.isna(wanted)) and got != wanted:
            told = "without end" if pd.isna(got) else f"{got.tz_convert(calendar.zone):%Y-%m-%d %H:%M:%S.%f}"
            return f"{name} is {told}, not {expected or 'without end'}"
    return None


def example_facts(rule: Rule, example: Example, zone: str) -> pd.DataFrame:
    """The facts frame of an example: its dossier first, then those beside it, all of one group.

    ``provides`` is given as a list of columns. What a story tells of a request is what the source claims, unless
    ``supplement_requested_after`` or ``request_unknown`` says otherwise.

    Raises:
        ValueError: a name that is no fact, or a value that cannot be read.
    """
    rows = [example.dossier, *(one.dossier for one in example.beside for _ in range(one.times))]
    whole = [{**_USUAL, **row} for row in rows]
    for row in whole:
        row["provides"] = provides_bits(row["provides"])
        if not row.get("request_unknown"):
            row.setdefault("supplement_requested_after", row.get("supplement_requested_at"))
    unknown = {name for row in rows for name in row} - {*FACT_DEFAULTS, *DERIVED_FACTS}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: no such fact; use names of FACT_SCHEMA")
    columns: dict[str, Any] = {}
    for name, default in FACT_DEFAULTS.items():
        values = [row.get(name, default) for row in whole]
        if name in INSTANT_FACTS:
            columns[name] = _instants(name, values, zone)
        elif default is None:
            columns[name] = pd.Categorical(values, categories=sorted({value for value in values if value is not None}))
        else:
            columns[name] = np.asarray(values, dtype=np.int64)
    for name in DERIVED_FACTS:
        columns[name] = _instants(name, [row.get(name) for row in whole], zone)
    frame = pd.DataFrame(columns)
    frame["dossier_id"] = frame["observation_id"] = np.arange(1, len(rows) + 1)
    if KINDS[rule.kind].groups is not None:
        frame["group"] = np.int64(1)
    return frame


def _instants(name: str, values: list[str | None], zone: str) -> pd.DatetimeIndex:
    # The day of a number is a day, wherever it is.
    where = "UTC" if name == "number_day" else zone
    if all(value is None for value in values):
        return pd.DatetimeIndex(np.full(len(values), "NaT", dtype="datetime64[us]")).tz_localize("UTC")
    read = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601")
    return pd.DatetimeIndex(read).as_unit("us").tz_localize(where).tz_convert("UTC")
