"""A pull that writes nothing: everything is asked, read and compared as in a real one, then forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, Engine, text

from connectors.base import Connector
from tthc_monitor.domain.errors import DataAssertionError
from tthc_monitor.domain.pull_assertions import Assertions
from tthc_monitor.domain.records import OBSERVED_SCHEMA, Reject
from tthc_monitor.intake import Intake, Progress
from tthc_monitor.store import runs, staging
from tthc_monitor.store.database import session
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.vanished import find_missing, unsure


@dataclass(frozen=True)
class Change:
    """What a pull would change of a dossier: by column, the value held and the value told."""

    source_key: str
    code: str | None
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Rehearsal:
    """What a pull would do.

    ``totals``
        as of a real pull, dossiers told in several rounds counted once.
    ``unchanged``
        dossiers told as they are held already.
    ``failed``
        the assertion by which the pull would fail, and keep nothing of its last round; None: it would not.
    ``missing`` / ``vanished``
        open dossiers that the source, asked for all, does not list; and those of them that would count as vanished now.
    ``note``
        why what is missing would not be believed, or could not be asked for; None: no reason.
    ``rejects`` / ``unknown``
        what cannot be read; rows by column and code, of codes that are not mapped.
    ``changed`` / ``new``
        the first dossiers that would change, and those that are new with the columns that are filled.
    """

    totals: runs.Totals
    unchanged: int
    failed: str | None
    missing: int
    vanished: int
    note: str | None
    rejects: Sequence[Reject]
    unknown: Mapping[tuple[str, str], int]
    changed: Sequence[Change]
    new: Sequence[Mapping[str, Any]]


def rehearse(
    engine: Engine,
    name: str,
    connector: Connector,
    *,
    now: Callable[[], datetime],
    assertions: Assertions | None = None,
    progress: Progress | None = None,
    examples: int = 20,
) -> Rehearsal:
    """Pull one source and change nothing: not the source's cursor, not the inbox, no table and no sequence.

    Args:
        examples: how many changed and how many new dossiers are told in full.

    Raises:
        TthcError: the source could not be asked.
    """
    assertions = assertions or Assertions()
    with session(engine) as work:
        try:
            with Spool(keeps_rounds=True) as spool:
                return _rehearse(
                    work, spool, runs.find_source(work, name), connector, now(), assertions, progress, examples
                )
        finally:
            if not work.invalidated:
                work.rollback()
                work.execute(text("DISCARD TEMP"))
                work.commit()


def _rehearse(
    work: Connection,
    spool: Spool,
    source: runs.Source,
    connector: Connector,
    started_at: datetime,
    assertions: Assertions,
    progress: Progress | None,
    examples: int,
) -> Rehearsal:
    before = runs.volumes_before(work, source.source_id)
    intake = Intake(work, spool, connector, source.source_id, assertions.min_fill)
    failed: str | None = None
    for _ in intake.rounds(source.cursor, progress):
        intake.end_round(source.name)
        staging.end_round(work, spool)
        intake.totals.rounds += 1
        work.commit()
    intake.end_round(source.name)
    intake.count()
    work.commit()
    try:
        assertions.check(intake.volume, before, full=intake.gave_all, listed_all=intake.listed_all)
    except DataAssertionError as error:
        failed = str(error)
    missing, vanished, note = (
        _missing(work, intake, source, intake.told_at(started_at)) if intake.listed_all else (0, 0, None)
    )
    intake.totals.rounds += 1
    unchanged = _compare(work, source, intake.totals)
    changed, new = _examples(work, spool, source, examples)
    return Rehearsal(
        intake.totals, unchanged, failed, missing, vanished, note, intake.rejects, intake.unknown, changed, new
    )


def _missing(work: Connection, intake: Intake, source: runs.Source, at: datetime) -> tuple[int, int, str | None]:
    absent, note = intake.look_directly(at, source.name)
    found = find_missing(work, source.source_id, at)
    work.rollback()
    again = found.again if absent is None else [key for key in found.again if key in set(absent)]
    if absent is None and intake.volume.unreadable and again and found.doubt is None:
        again, note = [], unsure(len(again), intake.volume.unreadable)
    elif found.doubt is not None:
        again = []
    return found.count, len(again), found.doubt or note


def _compare(work: Connection, source: runs.Source, totals: runs.Totals) -> int:
    work.execute(
        text(
            "CREATE TEMP TABLE compared AS SELECT DISTINCT ON (g.source_key) g.position, g.source_key, "
            "d.dossier_id IS NULL AS is_new, d.content_hash IS NOT DISTINCT FROM g.content_hash AS is_same "
            "FROM (SELECT * FROM staging UNION ALL SELECT * FROM told) g "
            "LEFT JOIN tthc.dossiers d ON d.source_id = :source AND d.source_key = g.source_key "
            "ORDER BY g.source_key, g.position DESC"
        ),
        {"source": source.source_id},
    )
    row = work.execute(
        text(
            "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new AND NOT is_same), "
            "count(*) FILTER (WHERE is_same) FROM compared"
        )
    ).one()
    totals.dossiers_new, totals.dossiers_changed = row[0], row[1]
    unchanged: int = row[2]
    return unchanged


def _examples(
    work: Connection, spool: Spool, source: runs.Source, examples: int
) -> tuple[list[Change], list[Mapping[str, Any]]]:
    def told(condition: str) -> pl.DataFrame:
        positions = work.execute(
            text(f"SELECT position FROM compared WHERE {condition} ORDER BY position LIMIT :examples"),
            {"examples": examples},
        ).scalars()
        return spool.take(list(positions)).select(list(OBSERVED_SCHEMA))

    after = told("NOT is_new AND NOT is_same")
    held = {
        row["source_key"]: row for row in staging.held_records(work, source.source_id, after["source_key"]).to_dicts()
    }
    changed = [_change(held[row["source_key"]], row) for row in after.to_dicts()]
    new: list[Mapping[str, Any]] = [
        {name: value for name, value in row.items() if value is not None} for row in told("is_new").to_dicts()
    ]
    return changed, new


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    fields = {name: (before[name], after[name]) for name in OBSERVED_SCHEMA if before[name] != after[name]}
    return Change(after["source_key"], after["code"], fields)
