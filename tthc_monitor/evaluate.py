"""An evaluation: dossiers that changed → facts → rules → flags.

What it costs depends on what changed, not on what is held; time passing costs nothing, because a flag is an interval
whose start may lie in the future. When rules, calendar, limits or engine are not those of the last evaluation, what the
difference can touch is judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

import polars as pl
import structlog
from sqlalchemy import Connection, Engine, text

from rules.grounds import Grounds, derived, facts_needed, judge_all, judge_derived, judge_groups
from rules.model import Rule
from rules.registry import KINDS
from tthc_monitor.domain.facts import DERIVED_FROM, facts_frame
from tthc_monitor.findings import DESCRIBED, flags_of
from tthc_monitor.store import grounds as versions
from tthc_monitor.store import groups, judgements, lawful_dues, runs, selection
from tthc_monitor.store.database import transaction
from tthc_monitor.store.flags import EVALUATION_LOCK, replace_flags
from tthc_monitor.store.procedures import sectors_of_procedures
from tthc_monitor.tally import READ, Noted, Tally
from tthc_monitor.workload import Pass, Workload, anything_due, known, register, workload

log = structlog.get_logger(__name__)

_DOSSIERS_OF: Final[Mapping[str, Literal["judged", "all"]]] = {"touched": "judged", "all": "all"}

_WORKERS = 2
"""Chunks judged at once: while one waits for the database, another computes."""

_OPEN_BY: Final = ("ended_at", "end_seen_at")
_STILL_OPEN: Final = pl.col("end_seen_at").is_null() | (pl.col("ended_at") > pl.col("end_seen_at"))
"""As :data:`tthc_monitor.store.open_findings.STILL_OPEN`."""

_MEMBERS = 5 * selection.CHUNK
"""Members of groups judged at once: few of their facts are read."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation did. ``dossiers`` counts one judged in two passes twice."""

    dossiers: int = 0
    opened: int = 0
    closed: int = 0
    everything: bool = False

    def __add__(self, other: Evaluated) -> Evaluated:
        return Evaluated(
            self.dossiers + other.dossiers,
            self.opened + other.opened,
            self.closed + other.closed,
            self.everything or other.everything,
        )


@dataclass(frozen=True)
class Order:
    """Who asked for a recompute, and why."""

    person: str
    reason: str


def evaluate(
    engine: Engine,
    grounds: Grounds,
    *,
    now: Callable[[], datetime],
    everything: bool = False,
    order: Order | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluated:
    """Judge what waits to be judged.

    Each chunk of dossiers is its own transaction, so a killed evaluation goes on where it stopped.

    Args:
        everything: judge all dossiers even when nothing differs from the last evaluation.
        order: of a recompute; it is recorded even when nothing had to be judged.
        progress: told how many dossiers were judged with each chunk.
    """
    asked = everything or order is not None
    with transaction(engine) as connection:
        held = None if asked else known(connection, grounds)
        if held is not None and not anything_due(connection, held):
            return Evaluated()
        by, ids = register(connection, grounds, now())
        if not asked and not anything_due(connection, by):
            return Evaluated()
    with transaction(engine) as lock:
        # Waiting for another evaluation is no fault, however long it takes.
        lock.execute(text("SET LOCAL lock_timeout = 0"))
        lock.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": EVALUATION_LOCK})
        with transaction(engine) as connection:
            work = workload(connection, grounds, by, everything=everything)
            reason = f"{order.reason} ({work.reason})" if order else work.reason
            tally = Tally(sectors_of_procedures(connection))
            evaluation_id = versions.open_evaluation(connection, now(), reason, order.person if order else None, by)
        total = _Judge(engine, grounds, ids, evaluation_id, now, progress, tally).run(work)
        with transaction(engine) as connection:
            versions.close_evaluation(connection, evaluation_id, now(), total.dossiers, total.opened, total.closed)
    log.info("evaluated", evaluation_id=evaluation_id, reason=reason, **asdict(total))
    return total


@dataclass(frozen=True)
class _Judge:
    engine: Engine
    grounds: Grounds
    ids: Mapping[str, int]
    evaluation_id: int
    now: Callable[[], datetime]
    progress: Callable[[int], None] | None
    tally: Tally

    def run(self, work: Workload) -> Evaluated:
        total = Evaluated(everything=work.everything)
        with transaction(self.engine) as connection:
            groups.make_lookups(connection, {grouping for one in work.passes for grouping, _ in _groupings(one)})
        with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="judge") as pool:
            for one in work.passes:
                # Groups first: they take long, and need nothing of what is judged dossier by dossier.
                grouped = [pool.submit(self.groups, one, grouping, rules) for grouping, rules in _groupings(one)]
                for judged in pool.map(lambda query, one=one: self.chunk(query, one), one.queries):
                    total += judged
                    if self.progress is not None:
                        self.progress(judged.dossiers)
                total = sum((future.result() for future in grouped), total)
                with transaction(self.engine) as connection:
                    for batch in one.finished:
                        selection.done(connection, batch)
                    if one.finished:
                        self.tally.write(connection, runs.source_names(connection))
        return total

    def chunk(self, query: str, one: Pass) -> Evaluated:
        """Dossiers of one query, each judged by itself."""
        with transaction(self.engine) as connection:
            # A pass of some rules only leaves limits and waits as they were.
            settles_dues = one.rules == self.grounds.single_rules
            needed = {*DESCRIBED, *facts_needed(one.rules), *(DERIVED_FROM if settles_dues else ()), *_OPEN_BY}
            counted = [batch.batch_id for batch in one.counted]
            facts = judgements.load_facts(
                connection, query, needed | (READ if counted else set()), settled=one.settled, seen_to_end_in=counted
            )
            dossiers = facts.height
            dues = lawful_dues.none()
            frame = facts_frame(facts)
            noted = Noted()
            if settles_dues and self.grounds.limits.limits:
                frame = derived(frame, self.grounds)
                findings = judge_derived(frame, self.grounds, one.rules)
                dues = lawful_dues.known(frame)
            else:
                findings = judge_all(frame, self.grounds, one.rules)
            flags = flags_of(noted.passing(findings), facts, self.ids)
            if counted:
                self.tally.count(frame, facts["ended_in"].fill_null(0).to_numpy(), noted, self.grounds)
            still_open = facts.filter(_STILL_OPEN)["dossier_id"].to_list()
            del facts, findings, frame  # what is held while the database works, every worker holds
            opened, closed = replace_flags(
                connection, flags, one.codes, self.evaluation_id, self.now(), open_dossiers=still_open
            )
            if settles_dues:
                lawful_dues.replace(connection, dues, self.evaluation_id)
        return Evaluated(dossiers, opened, closed)

    def groups(self, one: Pass, grouping: str, rules: tuple[Rule, ...]) -> Evaluated:
        """Whole groups, those that the pass touches or all there are."""
        zone = self.grounds.calendars.zone
        codes = {rule.code for rule in rules}
        with transaction(self.engine) as connection:
            if one.groups == "all":
                smallest = min(KINDS[rule.kind].smallest_group(rule) for rule in rules)
                groups.all_of(connection, grouping, zone, smallest)
            else:
                judgements.remember(connection, " UNION ".join(one.queries))
                groups.touched(connection, grouping, zone)
            found = [
                self._group_flags(connection, first, last, rules) for first, last in groups.bounds(connection, _MEMBERS)
            ]
            flags = pl.concat(found) if found else flags_of([], None, self.ids)
            of = _DOSSIERS_OF[one.groups]
            opened, closed = replace_flags(connection, flags, codes, self.evaluation_id, self.now(), of=of)
        return Evaluated(0, opened, closed)

    def _group_flags(self, connection: Connection, first: int, last: int, rules: tuple[Rule, ...]) -> pl.DataFrame:
        facts = judgements.load_members(connection, first, last, {*DESCRIBED, *facts_needed(rules)})
        frame = facts_frame(facts).assign(group=facts["group"].to_numpy())
        return flags_of(judge_groups(frame, self.grounds, rules), facts, self.ids)


def _groupings(one: Pass) -> list[tuple[str, tuple[Rule, ...]]]:
    """The groupings of a pass, each with its rules."""
    of = {rule.code: str(KINDS[rule.kind].groups) for rule in one.group_rules}
    return [
        (grouping, tuple(rule for rule in one.group_rules if of[rule.code] == grouping))
        for grouping in sorted(set(of.values()), reverse=True)
    ]
