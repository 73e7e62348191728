"""Facts written as an official would say them: local times of the shipped calendar, and what differs from usual."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from rules.judge import answers, judge
from rules.loader import parse_pack
from rules.model import Rule
from rules.registry import Pack
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import DERIVED_FACTS, FACT_DEFAULTS, FACT_SCHEMA, facts_frame, provides_bits
from tthc_monitor.domain.records import INSTANT, OPTIONAL_COLUMNS
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
RULES = Path(__file__).parents[2] / "rules"
ALL = provides_bits(OPTIONAL_COLUMNS)
Span = tuple[str, str | None] | None


@cache
def calendar() -> WorkCalendar:
    """The shipped calendar."""
    text = (RULES / "calendars/vn.yaml").read_text(encoding="utf-8")
    return validate(CalendarSpec, parse_yaml(text, "vn.yaml")).compile()


@cache
def pack(name: str) -> dict[str, Rule]:
    """The rules of a shipped pack by code."""
    rules = parse_pack((RULES / f"packs/{name}.yaml").read_text(encoding="utf-8"), name)
    return {rule.code: rule for rule in rules}


def changed(rule: Rule, **fields: Any) -> Rule:
    """A rule with other parameters, read as a pack is."""
    made = {**rule.model_dump(mode="json"), **fields}
    return Pack.model_validate({"pack": "own", "rules": [made]}).rules[0]


def at(text: str, zone: Any = ZONE) -> datetime:
    """A local instant: "2026-10-05", or with a time of day."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def facts(*rows: dict[str, Any], **usual: Any) -> pd.DataFrame:
    """A facts frame; texts in instant columns are local times. A row's ``group`` becomes the column of its group."""
    full = []
    for number, row in enumerate(rows, start=1):
        one = {"kind": "dossier", "status": 4, "provides": ALL, "due_watched": 1, "dossier_id": number, **usual, **row}
        one["observation_id"] = one["dossier_id"]
        if not one.get("request_unknown"):
            one.setdefault("supplement_requested_after", one.get("supplement_requested_at"))
        for name, value in one.items():
            if isinstance(value, str) and name in DERIVED_FACTS | FACT_SCHEMA.keys() and _is_instant(name):
                one[name] = at(value, ZoneInfo("UTC") if name == "number_day" else ZONE)
        full.append(one)
    columns = {name: [one.get(name, default) for one in full] for name, default in FACT_DEFAULTS.items()}
    frame = facts_frame(pl.DataFrame(columns, schema=dict(FACT_SCHEMA)))
    for name in DERIVED_FACTS:
        values = pl.Series([one.get(name) for one in full], dtype=INSTANT).to_numpy()
        frame[name] = pd.DatetimeIndex(values).tz_localize("UTC")
    if any("group" in one for one in full):
        frame["group"] = pd.Series([one.get("group", 1) for one in full], dtype="int64")
    return frame


def _is_instant(name: str) -> bool:
    return name in DERIVED_FACTS or FACT_SCHEMA[name] == INSTANT


def spans(rule: Rule, frame: pd.DataFrame) -> list[Span]:
    """What a rule finds on each row, as local times; None where nothing."""
    found: dict[int, Span] = {}
    for row in judge(frame, calendar(), rule).itertuples():
        assert row.dossier_id not in found, "one finding a dossier"
        found[row.dossier_id] = (_local(row.starts_at), None if pd.isna(row.ends_at) else _local(row.ends_at))
    return [found.get(number) for number in frame["dossier_id"]]


def span(rule: Rule, **row: Any) -> Span:
    """What a rule finds on one dossier."""
    return spans(rule, facts(row))[0]


def answer(rule: Rule, **row: Any) -> str:
    """What a rule answers for one dossier."""
    return str(answers(facts(row), calendar(), rule).iloc[0])


def evidence(rule: Rule, **row: Any) -> dict[str, Any]:
    """The finding on one dossier, its instants as local times."""
    (found,) = judge(facts(row), calendar(), rule).to_dict("records")
    return {
        name: _local(value) if isinstance(value, pd.Timestamp) else None if pd.isna(value) else value
        for name, value in found.items()
    }


def _local(value: pd.Timestamp) -> str:
    text = f"{value.tz_convert(ZONE):%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000")
    return text.removesuffix(":00")
