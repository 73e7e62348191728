"""Applies rules to facts: findings, whom a rule is about, and the four answers."""

from __future__ import annotations

import pandas as pd

from rules.model import Rule
from rules.registry import KINDS
from tthc_monitor.domain.worktime import WorkCalendar

ENGINE_VERSION = "2"
"""Raised when the same rule, calendar and facts would give another verdict than before."""


def judge(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.DataFrame:
    """Findings of one rule: dossier_id, starts_at, ends_at (NaT: without end) and the evidence columns. Pure.

    Args:
        facts: columns of :data:`tthc_monitor.domain.facts.FACT_SCHEMA`, one row a dossier.
    """
    return KINDS[rule.kind].judge(facts[in_scope(facts, calendar, rule)], calendar, rule)


def in_scope(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.Series:
    """Which rows a rule is about: by kind, procedure, sector, unit and the date of reception."""
    scope = rule.applies_to
    chosen = facts["kind"].isin(scope.kinds)
    for column, wanted in (
        ("procedure_code", scope.procedures),
        ("sector_code", scope.sectors),
        ("unit_code", scope.units),
    ):
        if wanted:
            chosen &= facts[column].isin(wanted)
    for column, unwanted in (("procedure_code", scope.except_procedures), ("unit_code", scope.except_units)):
        if unwanted:
            chosen &= ~facts[column].isin(unwanted)
    zone = str(calendar.zone)
    if rule.effective_from is not None:
        chosen &= facts["received_at"] >= pd.Timestamp(rule.effective_from, tz=zone)
    if rule.effective_to is not None:
        chosen &= facts["received_at"] < pd.Timestamp(rule.effective_to, tz=zone)
    return chosen


def answers(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.Series:
    """What a rule answers for each row: ``flagged``, ``clear``, ``not_applicable`` or ``cannot_tell``. Pure."""
    kind = KINDS[rule.kind]
    result = pd.Series("clear", index=facts.index)
    result[~kind.told(facts, rule)] = "cannot_tell"
    result[~(in_scope(facts, calendar, rule) & kind.applies(facts, rule))] = "not_applicable"
    result[facts["dossier_id"].isin(judge(facts, calendar, rule)["dossier_id"])] = "flagged"
    return result
