"""Facts out: what rules may know of the dossiers that are to be judged."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.dossier_numbers import number_day, number_serial
from tthc_monitor.domain.facts import FACT_SCHEMA
from tthc_monitor.domain.records import OPTIONAL_COLUMNS
from tthc_monitor.domain.statuses import Status
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.spells import completed, requested

_OPTIONAL = ", ".join(f"'{name}'" for name in OPTIONAL_COLUMNS)
_FACTS = f"""
    SELECT d.dossier_id, d.observation_id, d.kind, d.procedure_code, d.sector_code, d.unit_code,
           d.receiving_unit_code, d.channel,
           CASE WHEN d.status IS NULL AND d.source_status IS NOT NULL THEN 0 ELSE d.status END,
           d.submitted_at, d.postmarked_at, d.received_at, d.competent_received_at, d.transferred_at,
           d.due_first, d.due_current, coalesce(d.finished_at, d.delivered_at), d.end_seen_at, d.result_at, d.published_at,
           {requested("supplement")}, coalesce(d.supplement_requested_at, d.supplement_unseen_at), w.completed_at,
           CASE WHEN d.supplement_spells > 0 THEN greatest(d.supplement_count, d.supplement_spells)
                ELSE d.supplement_count END,
           (d.supplement_requested_at IS NULL AND d.supplement_seen_at = d.first_seen_at)::int,
           ({requested("supplement")} IS NOT NULL AND w.completed_at IS NULL AND d.status IN (9, 10))::int,
           CASE WHEN NOT isempty(d.earlier_waits)
                THEN (SELECT json_agg(json_build_array(date_part('epoch', lower(r)), date_part('epoch', upper(r))) ORDER BY r)
                      FROM unnest(d.earlier_waits) r)::text END,
           {requested("obligation")}, {completed("obligation", Status.FINANCIAL_OBLIGATION)}, d.stop_requested_at, d.apology_at, d.reappointment_count,
           d.step_unit_code, d.step_started_at, d.step_due_at,
           d.consulted_unit_code, d.consulted_at, d.consulted_due_at, d.consulted_answered_at,
           d.steps_done, d.first_step_at, d.last_step_at,
           CASE d.source_verdict WHEN 'on_time' THEN 1 WHEN 'late' THEN 2 ELSE 0 END,
           d.code,
           d.first_seen_at, d.underway_seen_at, d.open_seen_at,
           d.due_previous, d.due_unmoved_at, d.due_moved_at, d.due_moves,
           ((d.due_original IS NOT NULL OR d.first_seen_at <= d.received_at + interval '24 hours') IS TRUE)::int,
           d.vanished_seen_at, s.bits
    FROM tthc.dossiers d
    JOIN (
        SELECT source_id, coalesce(sum(1::bigint << array_position(ARRAY[{_OPTIONAL}], filled.name) - 1), 0) AS bits
        FROM tthc.sources LEFT JOIN unnest(provides) filled (name) ON true GROUP BY source_id
    ) s USING (source_id)
    CROSS JOIN LATERAL (SELECT {completed("supplement", Status.SUPPLEMENT_REQUESTED)} AS completed_at) w
"""
_LOADED = {
    "code" if name == "number_day" else name: pl.String() if name == "number_day" else dtype
    for name, dtype in FACT_SCHEMA.items()
    if name != "number_serial"
}
"""What the query gives: the facts, with the dossier's number as it is in place of what is read from it."""


def remember(connection: Connection, dossiers: str) -> None:
    """Put the dossiers that a query names into the temporary table ``judged``."""
    connection.execute(text("DROP TABLE IF EXISTS judged"))
    connection.execute(text(f"CREATE TEMP TABLE judged ON COMMIT DROP AS {dossiers}"))
    connection.execute(text("ANALYZE judged"))


def judged_range(connection: Connection) -> tuple[int, int]:
    """Lowest and highest id in ``judged``; (0, -1) when it is empty."""
    query = text("SELECT coalesce(min(dossier_id), 0), coalesce(max(dossier_id), -1) FROM judged")
    low, high = connection.execute(query).one()
    return int(low), int(high)


def load_facts(connection: Connection, dossiers: str, *, settled: bool = False) -> pl.DataFrame:
    """Facts of the dossiers that a query names, which are remembered as ``judged``.

    Args:
        settled: take them off the list of those that wait, in this transaction, before they are read: what changes
            after that waits for us and is judged next time.
    """
    remember(connection, dossiers)
    if settled:
        connection.execute(
            text("DELETE FROM tthc.pending_dossiers USING judged WHERE judged.dossier_id = pending_dossiers.dossier_id")
        )
    low, high = judged_range(connection)
    # The range keeps the server from walking an index from its beginning.
    judged = f"{_FACTS} JOIN judged USING (dossier_id) WHERE d.dossier_id BETWEEN {low} AND {high}"
    return _facts(copy_out(connection, judged, _LOADED), FACT_SCHEMA)


def load_members(
    connection: Connection, first: int, last: int, facts: Collection[str] = tuple(FACT_SCHEMA)
) -> pl.DataFrame:
    """Facts of the dossiers in the temporary table ``members``, of groups ``first`` to ``last``, with their group.

    Args:
        facts: which ones; few are much faster than all.
    """
    every = (
        f'{_FACTS} JOIN members m ON m.dossier_id = d.dossier_id AND m."group" BETWEEN {first:d} AND {last:d}'.replace(
            "s.bits", 's.bits, m."group"', 1
        )
    )
    wanted = {"code" if name in ("number_day", "number_serial") else name for name in facts}
    schema = {
        name: dtype for name, dtype in {**_LOADED, "member_of": pl.Int64()}.items() if name in {*wanted, "member_of"}
    }
    query = f"SELECT {', '.join(schema)} FROM ({every}) every ({', '.join(_LOADED)}, member_of)"
    chosen = [name for name in FACT_SCHEMA if name in facts]
    return _facts(copy_out(connection, query, schema), chosen, "member_of").rename({"member_of": "group"})


def _facts(loaded: pl.DataFrame, facts: Collection[str], *others: str) -> pl.DataFrame:
    if "code" in loaded.columns:
        loaded = loaded.with_columns(number_day("code"), number_serial("code"))
    return loaded.select(*facts, *others)
