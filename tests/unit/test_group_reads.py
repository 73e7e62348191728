"""Kinds about groups read the facts that they name, and no others: an evaluation loads nothing else for them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rules.examples import example_facts
from rules.judge import SCOPED_BY, judge
from rules.loader import load_packs
from rules.model import Rule
from rules.registry import KINDS
from tests.unit.pack_facts import calendar
from tthc_monitor.domain.facts import FACT_SCHEMA
from tthc_monitor.findings import DESCRIBED
from tthc_monitor.settings import RulesSettings

GROUP_RULES = [rule for rule in load_packs(RulesSettings().packs, Path()) if KINDS[rule.kind].groups]


@pytest.mark.parametrize("rule", GROUP_RULES, ids=lambda rule: rule.code)
def test_a_kind_about_groups_finds_the_same_on_the_facts_that_it_names(rule: Rule) -> None:
    named = {*SCOPED_BY, *DESCRIBED, *KINDS[rule.kind].reads}
    assert named < {*FACT_SCHEMA}, "a name that is no fact, or all of them"
    flagged = 0
    for example in rule.examples:
        facts = example_facts(rule, example, calendar().zone)
        found = judge(facts, calendar(), rule)
        pd.testing.assert_frame_equal(found, judge(facts[["group", *named]], calendar(), rule))
        flagged += len(found)
    assert flagged


@pytest.mark.parametrize("rule", GROUP_RULES, ids=lambda rule: rule.code)
def test_it_names_no_fact_that_it_does_not_read(rule: Rule) -> None:
    for name in KINDS[rule.kind].reads - {*SCOPED_BY}:
        facts = example_facts(rule, rule.examples[0], calendar().zone).drop(columns=name)
        with pytest.raises(KeyError):
            judge(facts, calendar(), rule)
