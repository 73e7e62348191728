"""An evaluation: dossiers that changed → facts → rules → flags.

What it costs depends on what changed, not on what is held; time passing costs nothing, because a flag is an interval
whose start may lie in the future. When rules, calendar or engine are not those of the last evaluation, all dossiers are
judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
import polars as pl
import structlog
from sqlalchemy import Engine, text

from rules.judge import ENGINE_VERSION, judge
from rules.kinds.intervals import FINDING_COLUMNS
from rules.loader import ruleset_fingerprint
from rules.model import Rule
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.store import judgements
from tthc_monitor.store.database import transaction

log = structlog.get_logger(__name__)

_WORKERS = 2
"""Chunks judged at once: while one waits for the database, another computes."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation did."""

    dossiers: int = 0
    opened: int = 0
    closed: int = 0
    everything: bool = False


def evaluate(
    engine: Engine,
    rules: Sequence[Rule],
    calendar: CalendarSpec,
    *,
    now: Callable[[], datetime],
    everything: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Evaluated:
    """Judge what waits to be judged.

    Each chunk of dossiers is its own transaction, so a killed evaluation goes on where it stopped.

    Args:
        everything: judge all dossiers even when rules and calendar are those of the last evaluation.
        progress: told how many dossiers were judged with each chunk.
    """
    compiled = calendar.compile()
    with transaction(engine) as connection:
        version_ids = {
            rule.code: judgements.register_rule(connection, rule.model_dump(mode="json"), rule.fingerprint(), now())
            for rule in rules
        }
        by = judgements.JudgedBy(
            ruleset_fingerprint(rules),
            judgements.register_calendar(
                connection, calendar.name, compiled.fingerprint, calendar.model_dump(mode="json"), now()
            ),
            ENGINE_VERSION,
        )
        # A killed evaluation may have left flags of other rules behind.
        others = judgements.judged_by_since(connection) - {by}
        batches = judgements.pending_batches(connection)
    everything = everything or bool(others)
    if not everything and not batches:
        return Evaluated()
    with transaction(engine) as lock:
        # Waiting for another evaluation is no fault, however long it takes.
        lock.execute(text("SET LOCAL lock_timeout = 0"))
        lock.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": judgements.EVALUATION_LOCK})
        with transaction(engine) as connection:
            batches = judgements.pending_batches(connection)
            reason = "changed rules, calendar or engine" if everything else "changed dossiers"
            evaluation_id = judgements.open_evaluation(connection, now(), reason, by)
            work = _work(batches, list(judgements.all_chunks(connection)) if everything else None)

        def judge_chunk(query: str) -> Evaluated:
            return _judge_chunk(engine, query, rules, version_ids, compiled, evaluation_id, now())

        total = Evaluated(everything=everything)
        with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="judge") as pool:
            for queries, finished in work:
                for done in pool.map(judge_chunk, queries):
                    total = replace(
                        total,
                        dossiers=total.dossiers + done.dossiers,
                        opened=total.opened + done.opened,
                        closed=total.closed + done.closed,
                    )
                    if progress is not None:
                        progress(done.dossiers)
                with transaction(engine) as connection:
                    for batch in finished:
                        judgements.done(connection, batch)
        with transaction(engine) as connection:
            judgements.close_evaluation(connection, evaluation_id, now(), total.dossiers, total.opened, total.closed)
    log.info("evaluated", evaluation_id=evaluation_id, **asdict(total))
    return total


def _work(
    batches: Sequence[judgements.PendingBatch], everything: Sequence[str] | None
) -> Iterator[tuple[Sequence[str], Sequence[judgements.PendingBatch]]]:
    """Groups of queries that name no dossier twice, each with the batches that are done once all are committed."""
    if everything is not None:
        yield everything, batches
    else:
        for batch in batches:
            yield list(judgements.batch_chunks(batch)), [batch]


def _judge_chunk(
    engine: Engine,
    query: str,
    rules: Sequence[Rule],
    version_ids: Mapping[str, int],
    calendar: WorkCalendar,
    evaluation_id: int,
    at: datetime,
) -> Evaluated:
    with transaction(engine) as connection:
        facts = judgements.load_facts(connection, query)
        flags = judge_all(facts, rules, version_ids, calendar)
        opened, closed = judgements.replace_flags(connection, flags, evaluation_id, at)
    return Evaluated(facts.height, opened, closed)


def judge_all(
    facts: pl.DataFrame, rules: Sequence[Rule], version_ids: Mapping[str, int], calendar: WorkCalendar
) -> pl.DataFrame:
    """Flags of all rules on these facts, in the shape of :data:`judgements.FLAG_SCHEMA`. Pure."""
    frame = facts_frame(facts)
    described = facts.select("dossier_id", "observation_id", "unit_code", "procedure_code")
    found = [pl.DataFrame(schema=dict(judgements.FLAG_SCHEMA))]
    for rule in rules:
        findings = judge(frame, calendar, rule)
        if not findings.empty:
            flags = _to_polars(findings).with_columns(
                pl.lit(version_ids[rule.code], dtype=pl.Int32()).alias("rule_version_id")
            )
            found.append(flags.join(described, on="dossier_id", how="left").select(list(judgements.FLAG_SCHEMA)))
    return pl.concat(found)


def _to_polars(findings: pd.DataFrame) -> pl.DataFrame:
    columns: dict[str, Any] = {}
    for name in findings.columns:
        values = findings[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            columns[name] = pl.Series(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()).dt.replace_time_zone(
                "UTC"
            )
        else:
            columns[name] = pl.Series(values.to_numpy(), nan_to_null=True)
    frame = pl.DataFrame(columns).with_columns(pl.col("starts_at", "ends_at").dt.cast_time_unit("us"))
    evidence = [name for name in frame.columns if name not in FINDING_COLUMNS]
    readable = frame.select(pl.col(evidence)).with_columns(pl.col(pl.Datetime).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    return frame.select(list(FINDING_COLUMNS)).with_columns(
        readable.select(pl.struct(evidence).struct.json_encode()).to_series().alias("evidence")
    )
