"""What the ledger alone tells, beside what is held: the projection folded anew, and its flags judged anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy import Connection, Engine, text

from rules.grounds import Grounds, facts_needed, judge_all, judge_groups
from rules.registry import KINDS
from tthc_monitor.domain.errors import ConfigError, DatabaseError
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.evaluate import evaluate
from tthc_monitor.findings import DESCRIBED, flags_of
from tthc_monitor.store import grounds as versions
from tthc_monitor.store import groups, judgements, replays, selection
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import session, transaction
from tthc_monitor.store.flags import EVALUATION_LOCK, FLAG_SCHEMA, replace_flags
from tthc_monitor.store.ledger import APPEND_LOCK
from tthc_monitor.store.replay import REPLAYED, Difference, adopt, differences, dump, replay
from tthc_monitor.workload import anything_due, register

Progress = Callable[[str, int, int | None], None]
"""Told what goes on (``folding`` or ``judging``), how many rows are through, and of how many when that is known."""

SHOWN: Final = 20
"""Differences that are told one by one."""

_MEMBERS = 5 * selection.CHUNK
_TRIES = 3


@dataclass(frozen=True)
class Checked:
    """What comparing has found.

    ``links`` / ``dossiers`` / ``flags``
        the number of the last link, how many dossiers and standing flags the ledger tells.
    ``projection``
        rows that differ; at most :data:`SHOWN`.
    ``flags_differing``
        standing flags that are not what judging the ledger's dossiers gives, or are missing, as text; likewise.
    """

    links: int
    dossiers: int
    flags: int
    projection: tuple[Difference, ...]
    flags_differing: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.projection and not self.flags_differing


def check(
    engine: Engine,
    grounds: Grounds,
    *,
    now: Callable[[], datetime],
    progress: Progress | None = None,
    compared: Callable[[Connection], None] | None = None,
) -> Checked:
    """Compare the projection and the flags that stand with what the ledger tells; nothing is changed but what waits
    to be judged, which is judged first. Pulls may go on meanwhile.

    Args:
        compared: called in the transaction in which both are at hand.

    Raises:
        DatabaseError: pulls or other evaluations left no moment at which nothing waited to be judged.
    """
    for _ in range(_TRIES):
        evaluate(engine, grounds, now=now)
        with _snapshot(engine) as connection:
            by, ids = register(connection, grounds, now())
            if anything_due(connection, by):
                continue
            link = replay(connection, progress=_part("folding", progress))
            projection = differences(connection, SHOWN)
            judge_replayed(connection, grounds, ids, progress)
            flags = _flag_differences(connection)
            if compared is not None:
                compared(connection)
            counted = connection.execute(
                text(f"SELECT (SELECT count(*) FROM {REPLAYED.dossiers}), (SELECT count(*) FROM {replays.REJUDGED})")
            ).one()
            return Checked(link, counted[0], counted[1], tuple(projection), tuple(flags))
    raise DatabaseError("new observations kept coming while everything was judged; try again when fewer pulls run")


def rebuild(
    owner: Engine, grounds: Grounds, *, now: Callable[[], datetime], progress: Progress | None = None
) -> Checked:
    """Put what the ledger tells in the place of the projection, and judge everything anew.

    Args:
        owner: an engine whose role owns the tables.

    Returns:
        what differed before; what is held afterwards is what the ledger tells.
    """
    with transaction(owner) as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        for lock in (EVALUATION_LOCK, APPEND_LOCK):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        link = replay(connection, progress=_part("folding", progress))
        differed = differences(connection, SHOWN)
        dossiers = adopt(connection) if differed else 0
    judged = evaluate(owner, grounds, now=now, everything=True, progress=_judged(progress))
    _judge_erased(owner, grounds, now())
    return Checked(link, dossiers, judged.opened, tuple(differed), ())


def _judge_erased(owner: Engine, grounds: Grounds, at: datetime) -> None:
    """Judge dossiers whose details are erased and which have no flags, as on a server that was given the ledger alone.

    Rules about groups need the details; of those, nothing is found any more.
    """
    with transaction(owner) as connection:
        by, ids = register(connection, grounds, at)
        unjudged = (
            "SELECT dossier_id FROM tthc.erased e WHERE NOT EXISTS "
            "(SELECT FROM tthc.flags f WHERE f.dossier_id = e.dossier_id)"
        )
        facts = judgements.load_facts(
            connection, unjudged, {*DESCRIBED, *facts_needed(grounds.single_rules)}, erased=True
        )
        if not facts.height:
            return
        flags = flags_of(judge_all(facts_frame(facts), grounds), facts, ids)
        codes = {rule.code for rule in grounds.single_rules}
        evaluation_id = versions.open_evaluation(connection, at, "dossiers whose details are erased", None, by)
        opened, closed = replace_flags(connection, flags, codes, evaluation_id, at)
        versions.close_evaluation(connection, evaluation_id, at, facts.height, opened, closed)


@dataclass(frozen=True)
class Replayed:
    """A replay that was kept: its number, and how many dossiers and flags it has."""

    replay_id: int
    dossiers: int
    flags: int


def keep_replay(
    engine: Engine,
    grounds: Grounds,
    seen_at: datetime,
    person: str,
    *,
    now: Callable[[], datetime],
    progress: Progress | None = None,
) -> Replayed:
    """Judge what was known at an instant by the rules, calendar and limits of now, and keep the flags for auditors.

    Args:
        seen_at: what was seen by then counts.
        person: who asked.
    """
    with _snapshot(engine) as connection:
        by, ids = register(connection, grounds, now())
        link = replay(connection, seen_at, _part("folding", progress))
        dossiers = judge_replayed(connection, grounds, ids, progress)
        replay_id, flags = replays.keep(connection, seen_at, now(), person, link, dossiers, by)
        connection.commit()
    return Replayed(replay_id, dossiers, flags)


def judge_replayed(
    connection: Connection, grounds: Grounds, ids: Mapping[str, int], progress: Progress | None = None
) -> int:
    """Judge the dossiers that were replayed into :data:`replays.REJUDGED`; returns their number."""
    replays.create_rejudged(connection)
    single = grounds.single_rules
    needed = {*DESCRIBED, *facts_needed(single)}
    dossiers = 0
    for query in list(selection.of_all(connection, REPLAYED)):
        facts = judgements.load_facts(connection, query, needed, of=REPLAYED)
        _keep(connection, flags_of(judge_all(facts_frame(facts), grounds, single), facts, ids))
        dossiers += facts.height
        if progress is not None:
            progress("judging", dossiers, None)
    for grouping in sorted({str(KINDS[rule.kind].groups) for rule in grounds.group_rules}):
        rules = tuple(rule for rule in grounds.group_rules if KINDS[rule.kind].groups == grouping)
        smallest = min(KINDS[rule.kind].smallest_group(rule) for rule in rules)
        groups.all_of(connection, grouping, grounds.calendars.zone, smallest, REPLAYED)
        replays.exempt_spared(connection, [ids[rule.code] for rule in rules])
        for first, last in groups.bounds(connection, _MEMBERS):
            members = {*DESCRIBED, *facts_needed(rules)}
            facts = judgements.load_members(connection, first, last, members, of=REPLAYED)
            frame = facts_frame(facts).assign(group=facts["group"].to_numpy())
            _keep(connection, flags_of(judge_groups(frame, grounds, rules), facts, ids))
    return dossiers


def _keep(connection: Connection, flags: pl.DataFrame) -> None:
    ends_at = pl.col("ends_at").dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00").fill_null("infinity")
    copy_in(connection, replays.REJUDGED, flags.select(list(FLAG_SCHEMA)).with_columns(ends_at))


def _flag_differences(connection: Connection) -> list[str]:
    return [
        f"{where}: dossier {dossier_id}, rule version {version}, from {starts_at:%Y-%m-%dT%H:%M:%SZ}"
        for where, dossier_id, version, starts_at in replays.differing_flags(connection, SHOWN)
    ]


def dump_to(folder: Path) -> Callable[[Connection], None]:
    """What to hand to :func:`check` so that both sides are written as canonical text, a folder each."""

    def write(connection: Connection) -> None:
        ordered = "SELECT * FROM {} ORDER BY dossier_id"
        sides = {
            "held": (ordered.format("tthc.dossiers"), ordered.format("tthc.missing"), replays.STANDING),
            "rebuilt": (ordered.format(REPLAYED.dossiers), ordered.format(REPLAYED.missing), replays.JUDGED),
        }
        for side, (dossiers, missing, flags) in sides.items():
            queries = {"dossiers": dossiers, "missing": missing, "flags": f"{flags} {replays.IN_ORDER}"}
            try:
                (folder / side).mkdir(parents=True, exist_ok=True)
                for name, query in queries.items():
                    (folder / side / f"{name}.txt").write_bytes(dump(connection, query))
            except OSError as error:
                raise ConfigError(
                    f"--dump {folder} cannot be written: {error.strerror}; choose another folder"
                ) from None

    return write


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one moment of the database; what is not committed in it is forgotten."""
    with session(engine) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        try:
            yield connection
        finally:
            if not connection.invalidated:
                connection.rollback()


def _part(what: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)


def _judged(progress: Progress | None) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def judged(dossiers: int) -> None:
        nonlocal done
        done += dossiers
        progress("judging", done, None)

    return judged
