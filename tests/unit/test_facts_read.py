"""A kind reads the facts that it names and no others: an evaluation loads nothing else for it."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, get_args

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.examples import example_facts
from rules.grounds import Grounds, facts_needed, judge_all, with_derived
from rules.judge import facts_read, judge
from rules.kinds.kind import Kind
from rules.loader import load_packs
from rules.model import Rule
from rules.registry import KINDS
from tests.unit.judged import CALENDAR, rule, shipped
from tests.unit.pack_facts import calendar
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import DERIVED_FACTS, DERIVED_FROM, FACT_SCHEMA, facts_frame
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.settings import RulesSettings

NAMES = frozenset({*FACT_SCHEMA, *DERIVED_FACTS})
RULES = load_packs(RulesSettings().packs, Path())
OURS = ("rules.", "tthc_monitor.domain.")
ROWS = 150
TEXTS = {
    "kind": ("dossier", "petition"),
    "procedure_code": ("1.000001", "1.000002", None),
    "channel": ("online", "direct", "postal", None),
    "applicant_hash": ("a", "b", None),
}
UNITS = ("H99.01", "H99.02", "H99.02.01", None)


def written(function: Callable[..., Any], seen: set[object]) -> set[str]:
    """Names of facts that a function, or one of ours that it calls, writes as a text."""
    if function in seen:
        return set()
    seen.add(function)
    nodes = list(ast.walk(ast.parse(inspect.getsource(function))))
    found = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)} & NAMES
    local = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for name in {node.id for node in nodes if isinstance(node, ast.Name)} - local:
        called = function.__globals__.get(name)
        if isinstance(called, FunctionType) and called.__module__.startswith(OURS):
            found |= written(called, seen)
    return found


def named_by_parameters(kind: Kind) -> set[str]:
    """Names of facts that a rule of the kind may give, as ``against`` does."""

    def texts(annotation: Any) -> Iterator[str]:
        for one in get_args(annotation):
            yield from [one] if isinstance(one, str) else texts(one)

    return {name for field in kind.model.model_fields.values() for name in texts(field.annotation)} & NAMES


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_names_every_fact_that_its_code_writes_and_no_other(name: str) -> None:
    kind = KINDS[name]
    assert kind.reads == (written(kind.judge, set()) | named_by_parameters(kind)) - {"dossier_id"}


@pytest.mark.parametrize("of", RULES, ids=lambda of: of.code)
def test_a_rule_finds_the_same_on_the_facts_that_it_reads(of: Rule) -> None:
    flagged = 0
    for example in of.examples:
        facts = example_facts(of, example, calendar().zone)
        found = judge(facts, calendar(), of)
        pd.testing.assert_frame_equal(found, judge(_only(facts, facts_read([of])), calendar(), of))
        flagged += len(found)
    assert flagged


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_it_finds_the_same_whatever_the_facts_are(seed: int) -> None:
    facts = made_up(seed)
    for of in RULES:
        found, expected = judge(_only(facts, facts_read([of])), CALENDAR, of), judge(facts, CALENDAR, of)
        pd.testing.assert_frame_equal(found, expected)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_derived_facts_are_the_same_on_the_facts_they_are_derived_from(seed: int) -> None:
    facts = made_up(seed).drop(columns=list(DERIVED_FACTS))
    derived = list(DERIVED_FACTS)
    on_all = with_derived(facts, CALENDAR, _grounds().limits)[derived]
    assert on_all["due_lawful"].notna().any()
    pd.testing.assert_frame_equal(
        on_all, with_derived(_only(facts, DERIVED_FROM), CALENDAR, _grounds().limits)[derived]
    )


@pytest.mark.parametrize("name", sorted(DERIVED_FROM))
def test_derived_facts_rest_on_each_of_them(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        with_derived(made_up(1).drop(columns=name), CALENDAR, _grounds().limits)


@pytest.mark.parametrize("codes", [(), ("overdue",), ("overdue", "over_lawful_limit"), tuple(of.code for of in RULES)])
def test_all_rules_together_find_the_same_on_the_facts_they_need(codes: tuple[str, ...]) -> None:
    facts, grounds = made_up(1), _grounds()
    rules = [of for of in grounds.single_rules if of.code in codes]
    assert facts_needed(rules).isdisjoint(DERIVED_FACTS)
    found = {of.code: one for of, one in judge_all(_only(facts, facts_needed(rules)), grounds, rules)}
    expected = {of.code: one for of, one in judge_all(facts, grounds, rules)}
    assert found.keys() == expected.keys() and len(found) >= len(rules) / 2
    for code, one in found.items():
        pd.testing.assert_frame_equal(one, expected[code])


def test_what_derived_facts_rest_on_is_needed_by_rules_that_read_them_alone() -> None:
    by_code = {of.code: of for of in RULES}
    assert facts_needed([by_code["overdue"], by_code["over_lawful_limit"]]) >= DERIVED_FROM
    assert "channel" not in facts_needed([by_code["overdue"]])


def test_kinds_about_groups_read_no_derived_fact() -> None:
    assert all(kind.reads.isdisjoint(DERIVED_FACTS) for kind in KINDS.values() if kind.groups is not None)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"applies_to": {"kinds": ["dossier"]}}, "kind"),
        ({"applies_to": {"procedures": ["1.000001"]}}, "procedure_code"),
        ({"applies_to": {"except_procedures": ["1.000001"]}}, "procedure_code"),
        ({"applies_to": {"sectors": ["L01"]}}, "sector_code"),
        ({"applies_to": {"units": ["H99.01"]}}, "unit_code"),
        ({"applies_to": {"except_units": ["H99.01"]}}, "unit_code"),
        ({"effective_from": "2026-04-01"}, "received_at"),
        ({"effective_to": "2026-04-01"}, "received_at"),
    ],
)
def test_what_a_scope_looks_at_is_read_too(limits: dict[str, Any], name: str) -> None:
    everywhere, limited = (rule("vanished", **more) for more in ({}, limits))
    assert facts_read([limited]) - facts_read([everywhere]) == {name}
    facts = made_up(2)
    found = judge(_only(facts, facts_read([limited])), CALENDAR, limited)
    pd.testing.assert_frame_equal(found, judge(facts, CALENDAR, limited))
    assert 0 < len(found) < len(judge(facts, CALENDAR, everywhere))


def test_the_official_rules_read_a_third_of_the_facts() -> None:
    assert len(facts_needed(list(shipped("core").values()))) <= len(FACT_SCHEMA) / 3


def made_up(seed: int) -> pd.DataFrame:
    """Dossiers with any of their facts missing; groups of a few. A completion lies after its request, as ever."""
    rng = np.random.default_rng(seed)
    columns: dict[str, pl.Series] = {}
    for name, dtype in FACT_SCHEMA.items():
        if isinstance(dtype, pl.Datetime):
            columns[name] = _instants(rng, 0.6)
        elif name.endswith("unit_code"):
            columns[name] = pl.Series(rng.choice(np.array(UNITS, dtype=object), ROWS).tolist(), dtype=pl.String())
        elif isinstance(dtype, pl.String):
            values = np.array(TEXTS.get(name, ("L01", None)), dtype=object)
            columns[name] = pl.Series(rng.choice(values, ROWS).tolist(), dtype=pl.String())
        else:
            low, high = {"provides": (0, 1 << 25), "status": (-1, 11)}.get(name, (0, 2 if "_un" in name else 4))
            columns[name] = pl.Series(rng.integers(low, high, ROWS)).cast(dtype)
    requested = columns["supplement_requested_at"]
    columns["supplement_completed_at"] = requested + _spans(rng, 0.7)
    columns["supplement_requested_after"] = requested - _spans(rng, 0.7)
    columns["earlier_waits"] = pl.Series([_earlier(rng, one) for one in requested], dtype=pl.String())
    columns["number_day"] = columns["number_day"].dt.truncate("1d")
    columns["dossier_id"] = columns["observation_id"] = pl.Series(range(1, ROWS + 1))
    frame = facts_frame(pl.DataFrame(columns, schema=dict(FACT_SCHEMA)))
    for name in DERIVED_FACTS:
        frame[name] = pd.DatetimeIndex(_instants(rng, 0.6).to_numpy()).tz_localize("UTC")
    return frame.assign(group=rng.integers(0, 20, ROWS))


def _instants(rng: np.random.Generator, known: float) -> pl.Series:
    minutes = np.datetime64("2026-03-02T00:00", "us") + rng.integers(0, 60 * 1440, ROWS) * np.timedelta64(
        60_000_000, "us"
    )
    series = pl.Series(np.where(rng.random(ROWS) < known, minutes, np.datetime64("NaT")))
    return series.dt.replace_time_zone("UTC")


def _spans(rng: np.random.Generator, known: float) -> pl.Series:
    hours = rng.integers(1, 300, ROWS) * np.timedelta64(3_600_000_000, "us")
    return pl.Series(np.where(rng.random(ROWS) < known, hours, np.timedelta64("NaT")))


def _earlier(rng: np.random.Generator, requested: Any) -> str | None:
    if requested is None or rng.random() < 0.5:
        return None
    first, second = sorted(requested.timestamp() - rng.integers(1, 500, 2) * 3600)
    return json.dumps([[first, second + 1]])


def _only(facts: pd.DataFrame, names: frozenset[str]) -> pd.DataFrame:
    return facts[[name for name in facts.columns if name in names or name == "group"]]


def _grounds() -> Grounds:
    week = {day: [["07:30", "11:30"], ["13:30", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    spec = CalendarSpec.model_validate({"name": "a", "zone": CALENDAR.zone, "week": week})
    limit = TimeLimit(procedure_code="1.000001", amount=5, unit="working_day", legal_basis="made up")
    return Grounds(RULES, spec, Limits([limit], ClockPolicy()))
