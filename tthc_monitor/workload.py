"""What an evaluation has to judge: what changed, and what a change of rules, calendar or limits can touch.

A dossier's findings rest on its facts, the rules, its unit's working days within its life, and the limits of its
procedure. What touches none of these cannot change them, so it is not judged again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from sqlalchemy import Connection

from rules.grounds import Grounds
from rules.judge import ENGINE_VERSION
from rules.loader import ruleset_fingerprint
from rules.model import Rule
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.limit_definition import limit_definition, limits_defined
from tthc_monitor.store import grounds as versions
from tthc_monitor.store import selection
from tthc_monitor.store.calendars import calendars_without_segments, keep_segments


@dataclass(frozen=True)
class Pass:
    """Rules over a selection of dossiers.

    Attributes:
        queries: of :mod:`tthc_monitor.store.selection`.
        rules: to apply, dossier by dossier.
        codes: whose flags the pass replaces: the rules applied, and those no longer in force.
        group_rules: to apply to groups.
        groups: which groups: those of the selected dossiers, or all.
        counted: batches whose dossiers it judges; those of them that were seen to end there are counted.
        finished: batches that are done with this pass.
        settled: whether dossiers judged in it wait no more.
    """

    queries: Sequence[str]
    rules: tuple[Rule, ...]
    codes: AbstractSet[str]
    group_rules: tuple[Rule, ...]
    groups: Literal["touched", "all"]
    counted: Sequence[selection.PendingBatch] = ()
    finished: Sequence[selection.PendingBatch] = ()
    settled: bool = False


@dataclass(frozen=True)
class Workload:
    """All passes of an evaluation, and why."""

    reason: str
    passes: Sequence[Pass] = field(default=())
    everything: bool = False
    changed: bool = False
    """The grounds differ from the last evaluation's, though no dossier may be touched by that."""


def known(connection: Connection, grounds: Grounds) -> versions.JudgedBy | None:
    """The versions of these grounds, in one statement; None when one of them has none yet."""
    return versions.known_versions(
        connection,
        ruleset_fingerprint(grounds.rules),
        [rule.fingerprint() for rule in grounds.rules],
        _fingerprint(grounds.calendar),
        grounds.limits.fingerprint,
        ENGINE_VERSION,
    )


def register(connection: Connection, grounds: Grounds, at: datetime) -> tuple[versions.JudgedBy, dict[str, int]]:
    """The versions of these grounds, given on first use; and the version number of each rule by its code."""
    ids = {
        rule.code: versions.register_rule(connection, rule.model_dump(mode="json"), rule.fingerprint(), at)
        for rule in grounds.rules
    }
    calendar = versions.register_calendar(
        connection,
        grounds.calendar.name,
        _fingerprint(grounds.calendar),
        grounds.calendar.model_dump(mode="json"),
        at,
    )
    keep_segments(connection, calendar, grounds.calendars)
    for version, held in calendars_without_segments(connection):
        # Flags of an older version of the program stand by a calendar that it did not keep compiled.
        with suppress(ValueError):
            keep_segments(connection, version, CalendarSpec.model_validate(held).compile_all())
    limits = versions.register_limits(connection, grounds.limits.fingerprint, limit_definition(grounds.limits), at)
    by = versions.JudgedBy(
        ruleset_fingerprint(grounds.rules), tuple(sorted(ids.values())), calendar, limits, ENGINE_VERSION
    )
    return by, ids


def anything_due(connection: Connection, by: versions.JudgedBy) -> bool:
    """Whether anything has to be judged, or was judged by other grounds; costs the same however much there is."""
    return bool(
        versions.judged_by_since(connection) - {by}
        or selection.pending_batches(connection)
        or selection.of_waiting(connection)
    )


def workload(connection: Connection, grounds: Grounds, by: versions.JudgedBy, *, everything: bool) -> Workload:
    """What is to be judged now."""
    # A killed evaluation may have left flags of other grounds behind.
    others = versions.judged_by_since(connection) - {by}
    batches = selection.pending_batches(connection)
    single, grouped = grounds.single_rules, grounds.group_rules
    codes = versions.all_codes(connection) - {rule.code for rule in grouped}
    reasons: list[str] = []
    passes: list[Pass] = []
    for other in others:
        change = None if everything else _change(connection, grounds, by, other)
        if change is None:
            everything = True
            break
        reasons += change.reasons
        if change.codes:
            applied = tuple(rule for rule in single if rule.code in change.codes)
            groups = tuple(rule for rule in grouped if rule.code in change.codes)
            queries = list(selection.of_all(connection)) if change.codes & codes else []
            passes.append(Pass(queries, applied, change.codes & codes, groups, "all"))
        queries = selection.where(connection, change.conditions)
        if queries:
            passes.append(Pass(queries, single, codes, (), "touched"))
        if change.groups:
            # Groups go by the calendar of the office at large, whatever calendar their members' units have.
            passes.append(Pass([], (), frozenset(), grouped, "all"))
    if everything:
        every = Pass(list(selection.of_all(connection)), single, codes, grouped, "all", batches, batches, settled=True)
        return Workload(
            "everything: " + (", ".join(reasons) or "asked for, or a new engine"),
            [every],
            everything=True,
            changed=True,
        )
    if waiting := selection.of_waiting(connection):
        passes.append(Pass(waiting, single, codes, (), "touched", settled=True))
    large = [batch for batch in batches if batch.rows > selection.CHUNK]
    for batch in large:
        # All groups are judged once, with the last large batch; until then none of them is done.
        last = batch is large[-1]
        queries = list(selection.of_batch(batch))
        passes.append(Pass(queries, single, codes, grouped if last else (), "all", [batch], large if last else ()))
    passes += [
        Pass([selection.of_batches(several)], single, codes, grouped, "touched", several, several)
        for several in _together([batch for batch in batches if batch not in large])
    ]
    return Workload(", ".join(reasons) or "changed dossiers", passes, changed=bool(others))


def _together(batches: Sequence[selection.PendingBatch]) -> Iterator[Sequence[selection.PendingBatch]]:
    """Small batches that one chunk holds: many sources bring many of them."""
    held: list[selection.PendingBatch] = []
    for batch in batches:
        if held and sum(one.rows for one in held) + batch.rows > selection.CHUNK:
            yield held
            held = []
        held.append(batch)
    if held:
        yield held


@dataclass(frozen=True)
class Change:
    """How two sets of grounds differ: which rules, and which dossiers the rest can touch (SQL conditions).

    ``groups``: whether rules about groups are concerned, which go by the calendar of the office at large and by no limit.
    """

    codes: AbstractSet[str]
    conditions: Sequence[str]
    reasons: Sequence[str]
    groups: bool


def difference(before: Grounds, after: Grounds) -> Change | None:
    """What differs between two sets of grounds; None when anything may."""
    rules = {(rule.code, rule.fingerprint()) for rule in before.rules} ^ {
        (rule.code, rule.fingerprint()) for rule in after.rules
    }
    return _difference({code for code, _ in rules}, before.calendar, before.limits, after)


def _difference(codes: AbstractSet[str], calendar: CalendarSpec, limits: Limits, after: Grounds) -> Change | None:
    old, new = calendar.compile_all(), after.calendars
    procedures = after.limits.procedures_differing(limits)
    if old.zone != new.zone or procedures is None:
        return None
    changes = old.changes(new)
    days = [
        selection.lived_through(change.first_day, change.last_day, new.zone, change.codes, change.but, reach(after))
        for change in changes
    ]
    conditions = [*days, *([selection.in_procedures(sorted(procedures))] if procedures else [])]
    reasons = [
        *([f"changed rules {', '.join(sorted(codes))}"] if codes else []),
        *(["changed calendar"] if days else []),
        *(["changed time limits"] if procedures else []),
    ]
    return Change(codes, conditions, reasons, any(change.codes is None for change in changes))


def _change(connection: Connection, grounds: Grounds, by: versions.JudgedBy, other: versions.JudgedBy) -> Change | None:
    """What differs from the grounds of an earlier evaluation; None when anything may."""
    if other.engine_version != by.engine_version or not other.rule_version_ids or other.limit_version_id is None:
        return None
    differing = set(by.rule_version_ids) ^ set(other.rule_version_ids)
    codes = versions.codes_of(connection, sorted(differing))
    calendar, limits = grounds.calendar, grounds.limits
    try:
        if other.calendar_version_id != by.calendar_version_id:
            held = versions.definition(connection, "calendar", other.calendar_version_id)
            calendar = CalendarSpec.model_validate(held)
        if other.limit_version_id != by.limit_version_id:
            limits = limits_defined(versions.definition(connection, "limit", other.limit_version_id))
    except ValueError:
        return None  # written by a version of the program whose definitions this one does not read
    return _difference(codes, calendar, limits, grounds)


def reach(grounds: Grounds) -> timedelta:
    """How long after a dossier's last instant a finding about it may begin: by the longest term that a rule sets.

    Twice as many days as it has working days, and a month for Tết and other holidays.
    """
    terms = [
        float(value)
        for rule in grounds.rules
        for name, value in rule
        if name.endswith("working_days") and isinstance(value, int | float)
    ]
    return timedelta(days=30 + 2 * max([15.0, *terms]))


def _fingerprint(calendar: CalendarSpec) -> str:
    """SHA-256 of all that the calendar says, names and documents of days included: they are evidence too."""
    return sha256(json.dumps(calendar.model_dump(mode="json"), sort_keys=True, ensure_ascii=False).encode()).hexdigest()
