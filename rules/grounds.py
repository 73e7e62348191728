"""What a verdict rests on, and the one function that judges: live, in a dry run, for an explanation, or anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from rules.judge import facts_read, judge_each
from rules.model import Rule
from rules.registry import KINDS
from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import DERIVED_FACTS, DERIVED_FROM
from tthc_monitor.domain.lawful_due import Limits, lawful_due
from tthc_monitor.domain.worktime import WorkCalendar

Finding = tuple[Rule, pd.DataFrame]
"""A rule, and what it found (:func:`rules.kinds.intervals.findings`)."""


@dataclass(frozen=True)
class Grounds:
    """Rules, working calendars and time limits, as known at one moment."""

    rules: tuple[Rule, ...]
    calendar: CalendarSpec
    limits: Limits

    @cached_property
    def calendars(self) -> Calendars:
        """The calendar of the office at large and those of its units, compiled."""
        return self.calendar.compile_all()

    @property
    def single_rules(self) -> tuple[Rule, ...]:
        """Rules that judge a dossier by itself."""
        return tuple(rule for rule in self.rules if KINDS[rule.kind].groups is None)

    @property
    def group_rules(self) -> tuple[Rule, ...]:
        """Rules that judge whole groups of dossiers."""
        return tuple(rule for rule in self.rules if KINDS[rule.kind].groups is not None)


def facts_needed(rules: Iterable[Rule]) -> frozenset[str]:
    """Facts that :func:`judge_all` and :func:`judge_groups` have to be given for these rules."""
    read = facts_read(rules) | {"unit_code"}
    return read if read.isdisjoint(DERIVED_FACTS) else read - {*DERIVED_FACTS} | DERIVED_FROM


def judge_all(facts: pd.DataFrame, grounds: Grounds, rules: Sequence[Rule] | None = None) -> Iterator[Finding]:
    """What each rule finds on these facts, every dossier by its own unit's calendar. Pure.

    Args:
        facts: as :func:`tthc_monitor.domain.facts.facts_frame` makes them, at least those of :func:`facts_needed`.
        rules: which rules to apply; by default those that judge a dossier by itself.
    """
    rules = grounds.single_rules if rules is None else rules
    if not facts_read(rules).isdisjoint(DERIVED_FACTS):
        facts = derived(facts, grounds)
    yield from judge_derived(facts, grounds, rules)


def judge_derived(facts: pd.DataFrame, grounds: Grounds, rules: Sequence[Rule]) -> Iterator[Finding]:
    """:func:`judge_all` for facts whose derived ones are filled in (:func:`derived`), or read by none of the rules."""
    for calendar, chosen in grounds.calendars.partition(facts["unit_code"]):
        yield from judge_each(facts[chosen] if not chosen.all() else facts, calendar, rules)


def judge_groups(facts: pd.DataFrame, grounds: Grounds, rules: Sequence[Rule]) -> Iterator[Finding]:
    """What rules about groups find, by the calendar of the office at large: a group may reach over units. Pure.

    Args:
        facts: whole groups, named by an int64 column ``group``.
    """
    yield from judge_each(facts, grounds.calendars.default, rules)


def derived(facts: pd.DataFrame, grounds: Grounds) -> pd.DataFrame:
    """The facts with the derived ones filled in, every dossier by its own unit's calendar. Pure."""
    parts = grounds.calendars.partition(facts["unit_code"])
    if len(parts) == 1:
        return with_derived(facts, parts[0][0], grounds.limits)
    filled = facts.copy(deep=False)
    for calendar, chosen in parts:
        computed = lawful_due(facts[chosen], calendar, grounds.limits)
        for name in DERIVED_FACTS:
            filled.loc[chosen, name] = computed[name]
    return filled


def with_derived(facts: pd.DataFrame, calendar: WorkCalendar, limits: Limits) -> pd.DataFrame:
    """The facts with the derived ones filled in."""
    computed = lawful_due(facts, calendar, limits)
    return facts.assign(**{name: computed[name] for name in DERIVED_FACTS})
