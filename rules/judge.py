"""Applies rules to facts: which function judges which kind, and whom a rule is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from rules.kinds.lateness import due_soon, finished_late, overdue
from rules.kinds.sent_back import returned, supplement_requested
from rules.kinds.unknown import cannot_tell
from rules.model import Rule
from tthc_monitor.domain.worktime import WorkCalendar

ENGINE_VERSION = "1"
"""Raised when the same rule, calendar and facts would give another verdict than before."""

KINDS: Mapping[str, Callable[[pd.DataFrame, WorkCalendar, Any], pd.DataFrame]] = {
    "due_soon": due_soon,
    "overdue": overdue,
    "finished_late": finished_late,
    "returned": returned,
    "supplement_requested": supplement_requested,
    "cannot_tell": cannot_tell,
}


def judge(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.DataFrame:
    """Findings of one rule: dossier_id, starts_at, ends_at (NaT: without end) and the evidence columns. Pure.

    Args:
        facts: columns of :data:`tthc_monitor.domain.facts.FACT_SCHEMA`, one row a dossier.
    """
    return KINDS[rule.kind](facts[in_scope(facts, calendar, rule)], calendar, rule)


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
