"""Facts out: what rules may know of the dossiers that are to be judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.dossier_numbers import number_day, number_serial
from tthc_monitor.domain.facts import FACT_SCHEMA
from tthc_monitor.domain.records import OPTIONAL_COLUMNS
from tthc_monitor.domain.statuses import Status
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.projection import LIVE, Tables
from tthc_monitor.store.spells import completed, requested

SPARSE = 4
"""Of so many dossiers at most one is touched: it costs less to name those, or to look them up one by one, than to read all."""

_OPTIONAL = ", ".join(f"'{name}'" for name in OPTIONAL_COLUMNS)
_COMPUTED = {
    "status": "CASE WHEN d.status IS NULL AND d.source_status IS NOT NULL THEN 0 ELSE d.status END",
    "due_original": "d.due_first",
    "ended_at": "coalesce(d.finished_at, d.delivered_at)",
    "supplement_requested_at": requested("supplement"),
    "supplement_requested_after": "coalesce(d.supplement_requested_at, d.supplement_unseen_at)",
    "supplement_completed_at": "w.completed_at",
    "supplement_count": "CASE WHEN d.supplement_spells > 0 THEN greatest(d.supplement_count, d.supplement_spells) "
    "ELSE d.supplement_count END",
    "request_unknown": "(d.supplement_requested_at IS NULL AND d.supplement_seen_at = d.first_seen_at)::int",
    "answer_unknown": f"({requested('supplement')} IS NOT NULL AND w.completed_at IS NULL AND d.status IN (9, 10))::int",
    "earlier_waits": "CASE WHEN NOT isempty(d.earlier_waits) THEN ("
    "SELECT json_agg(json_build_array(date_part('epoch', lower(r)), date_part('epoch', upper(r))) ORDER BY r) "
    "FROM unnest(d.earlier_waits) r)::text END",
    "obligation_requested_at": requested("obligation"),
    "obligation_completed_at": completed("obligation", Status.FINANCIAL_OBLIGATION),
    "source_verdict": "CASE d.source_verdict WHEN 'on_time' THEN 1 WHEN 'late' THEN 2 ELSE 0 END",
    "due_watched": "((d.due_original IS NOT NULL OR d.first_seen_at <= d.received_at + interval '24 hours') IS TRUE)::int",
    "provides": "s.bits",
}
"""Facts that are more than a column of the projection, as SQL over :data:`_FROM`."""
_FROM = f"""
    {{dossiers}} d
    JOIN (
        SELECT source_id, coalesce(sum(1::bigint << array_position(ARRAY[{_OPTIONAL}], filled.name) - 1), 0) AS bits
        FROM tthc.sources LEFT JOIN unnest(provides) filled (name) ON true GROUP BY source_id
    ) s USING (source_id)
    CROSS JOIN LATERAL (SELECT {completed("supplement", Status.SUPPLEMENT_REQUESTED)} AS completed_at) w
"""
_IN_THE_NUMBER = frozenset({"number_day", "number_serial"})
"""Facts that are read from the dossier's number once it is here."""


def remember(connection: Connection, dossiers: str, *, erased: bool = False) -> None:
    """Put the dossiers that a query names into the temporary table ``judged``.

    Args:
        erased: those too whose details are erased. They are not judged again: what they were judged by is gone in part.
    """
    connection.execute(text("DROP TABLE IF EXISTS judged"))
    connection.execute(text(f"CREATE TEMP TABLE judged ON COMMIT DROP AS {dossiers}"))
    if not erased:
        connection.execute(text("DELETE FROM judged USING tthc.erased e WHERE e.dossier_id = judged.dossier_id"))
    connection.execute(text("ANALYZE judged"))


def judged_range(connection: Connection) -> tuple[int, int, int]:
    """Lowest and highest id in ``judged``, 0 and -1 when it is empty; and how many ids it has."""
    query = text("SELECT coalesce(min(dossier_id), 0), coalesce(max(dossier_id), -1), count(*) FROM judged")
    low, high, count = connection.execute(query).one()
    return int(low), int(high), int(count)


def load_facts(
    connection: Connection,
    dossiers: str,
    facts: Collection[str] = tuple(FACT_SCHEMA),
    *,
    settled: bool = False,
    of: Tables = LIVE,
    erased: bool = False,
    seen_to_end_in: Sequence[int] = (),
) -> pl.DataFrame:
    """Facts of the dossiers that a query names, which are remembered as ``judged``.

    Args:
        facts: which ones; few are much faster than all.
        settled: take them off the list of those that wait, in this transaction, before they are read: what changes
            after that waits for us and is judged next time.
        of: the projection that tells them.
        erased: of those too whose details are erased; see :func:`remember`.
        seen_to_end_in: batches; where any are given there is one more column, ``ended_in``: the number of the source of
            each dossier that was first seen ended in one of them, else null.
    """
    remember(connection, dossiers, erased=erased)
    if settled:
        connection.execute(
            text("DELETE FROM tthc.pending_dossiers USING judged WHERE judged.dossier_id = pending_dossiers.dossier_id")
        )
    low, high, _ = judged_range(connection)
    # The range keeps the server from walking an index from its beginning.
    judged = f"{_FROM.format(dossiers=of.dossiers)} JOIN judged USING (dossier_id) WHERE d.dossier_id BETWEEN {low} AND {high}"
    if not seen_to_end_in:
        return _load(connection, judged, facts, {})
    batches = ", ".join(str(int(batch)) for batch in seen_to_end_in)
    ended = (
        "CASE WHEN (d.source_id, d.end_seen_at) IN (SELECT b.source_id, b.seen_at FROM tthc.observation_batches b "
        f"WHERE b.batch_id = ANY(ARRAY[{batches}])) THEN d.source_id END"
    )
    return _load(connection, judged, facts, {"ended_in": ended})


def load_members(
    connection: Connection,
    first: int,
    last: int,
    facts: Collection[str] = tuple(FACT_SCHEMA),
    *,
    of: Tables = LIVE,
) -> pl.DataFrame:
    """Facts of the dossiers in the temporary table ``members``, of groups ``first`` to ``last``, with their group.

    Args:
        facts: which ones.
        of: the projection that tells them.
    """
    members = f'{_FROM.format(dossiers=of.dossiers)} JOIN members m ON m.dossier_id = d.dossier_id AND m."group" BETWEEN {first:d} AND {last:d}'
    return _load(connection, members, facts, {"member_of": 'm."group"'}).rename({"member_of": "group"})


def _load(connection: Connection, dossiers: str, facts: Collection[str], others: Mapping[str, str]) -> pl.DataFrame:
    """Facts in the order of :data:`FACT_SCHEMA`, then whole numbers by the SQL of each."""
    chosen = [name for name in FACT_SCHEMA if name in facts]
    columns = {name: _COMPUTED.get(name, f"d.{name}") for name in chosen if name not in _IN_THE_NUMBER}
    schema = {name: FACT_SCHEMA[name] for name in columns}
    numbers = _IN_THE_NUMBER.intersection(chosen)
    if numbers:
        columns["code"], schema["code"] = "d.code", pl.String()
    columns |= others
    schema |= dict.fromkeys(others, pl.Int64())
    loaded = copy_out(connection, f"SELECT {', '.join(columns.values())} FROM {dossiers}", schema)
    read = {"number_day": number_day, "number_serial": number_serial}
    return loaded.with_columns(read[name]("code") for name in sorted(numbers)).select(*chosen, *others)
