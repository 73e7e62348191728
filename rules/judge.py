"""Applies rules to facts: findings, whom a rule is about, and the four answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import pandas as pd

from rules.model import Rule
from rules.registry import KINDS
from tthc_monitor.domain.records import KINDS as DOSSIER_KINDS
from tthc_monitor.domain.worktime import WorkCalendar

ENGINE_VERSION = "3"
"""Raised when the same rule, calendar and facts would give another verdict than before."""


_EVERY_KIND: Final = frozenset(DOSSIER_KINDS)


def facts_read(rules: Iterable[Rule]) -> frozenset[str]:
    """Facts that judging by these rules reads, derived ones among them: findings on these are those on all facts."""
    return frozenset({"dossier_id"}).union(*(KINDS[rule.kind].reads | _scoped_by(rule) for rule in rules))


def judge(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.DataFrame:
    """Findings of one rule: dossier_id, starts_at, ends_at (NaT: without end) and the evidence columns. Pure.

    Args:
        facts: columns of :data:`tthc_monitor.domain.facts.FACT_SCHEMA`, at least those of :func:`facts_read`; one row a
            dossier.
    """
    return _judged(facts, _scoped(facts, calendar, rule), calendar, rule)


def judge_each(
    facts: pd.DataFrame, calendar: WorkCalendar, rules: Iterable[Rule]
) -> Iterator[tuple[Rule, pd.DataFrame]]:
    """Findings of several rules, those without any left out; rules of one scope come together. Pure."""
    # Most rules have one of a few scopes, and choosing rows costs more than many a rule does.
    alike: dict[tuple[object, ...], list[Rule]] = {}
    for rule in rules:
        alike.setdefault((rule.applies_to, rule.effective_from, rule.effective_to), []).append(rule)
    for some in alike.values():
        scoped = _scoped(facts, calendar, some[0])
        if scoped.empty:
            continue
        for rule in some:
            found = _judged(facts, scoped, calendar, rule)
            if not found.empty:
                yield rule, found


def _judged(facts: pd.DataFrame, scoped: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.DataFrame:
    kind = KINDS[rule.kind]
    if not kind.findings_scoped:
        return kind.judge(scoped, calendar, rule)
    found = kind.judge(facts, calendar, rule)
    return found[found["dossier_id"].isin(scoped["dossier_id"])]


def _scoped(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.DataFrame:
    chosen = in_scope(facts, calendar, rule)
    return facts if chosen.all() else facts[chosen]


def in_scope(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.Series:
    """Which rows a rule is about: by kind, procedure, sector, unit and the date of reception."""
    scope = rule.applies_to
    chosen = pd.Series(data=True, index=facts.index)
    if _EVERY_KIND - {*scope.kinds}:
        chosen &= facts["kind"].isin(scope.kinds)
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


def _scoped_by(rule: Rule) -> set[str]:
    """Facts that :func:`in_scope` looks at."""
    scope = rule.applies_to
    looked_at = {
        "kind": _EVERY_KIND - {*scope.kinds},
        "procedure_code": scope.procedures or scope.except_procedures,
        "sector_code": scope.sectors,
        "unit_code": scope.units or scope.except_units,
        "received_at": rule.effective_from or rule.effective_to,
    }
    return {name for name, limits in looked_at.items() if limits}


def answers(facts: pd.DataFrame, calendar: WorkCalendar, rule: Rule) -> pd.Series:
    """What a rule answers for each row: ``flagged``, ``clear``, ``not_applicable`` or ``cannot_tell``. Pure."""
    kind = KINDS[rule.kind]
    result = pd.Series("clear", index=facts.index)
    result[~kind.told(facts, rule)] = "cannot_tell"
    if kind.unsure is not None:
        result[kind.unsure(facts, calendar, rule)] = "cannot_tell"
    result[~(in_scope(facts, calendar, rule) & kind.applies(facts, rule))] = "not_applicable"
    result[facts["dossier_id"].isin(judge(facts, calendar, rule)["dossier_id"])] = "flagged"
    return result
