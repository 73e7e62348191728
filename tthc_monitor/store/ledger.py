"""The ledger: what was seen, in the order it was seen, never changed.

A pull streams its records into a staging table that only its own connection sees. When the whole pull is in and found
sound, one transaction compares it with the projection, appends an observation for each dossier that is new or
different, moves the projection, adds one link to the hash chain and stores the source's cursor. A run that dies before
that leaves nothing; one that dies after it has left all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import NAME_SCHEMA, OBSERVED_SCHEMA
from tthc_monitor.domain.statuses import ENDED, Status
from tthc_monitor.store.copy import copy_in

APPEND_LOCK = 7_411_002
"""Advisory lock under which the chain grows: one writer at a time, whatever the number of sources."""

GENESIS = bytes(32)
"""``previous_hash`` of the first link."""

_FIELD, _RECORD = "\x1f", "\x1e"
_COLUMNS = ", ".join(OBSERVED_SCHEMA)
_ENDED = ", ".join(str(int(status)) for status in sorted(ENDED))
_SUPPLEMENT = int(Status.SUPPLEMENT_REQUESTED)


def content_hashes(records: pl.DataFrame) -> pl.Series:
    """SHA-256 of each record's canonical text, as PostgreSQL bytea literals.

    The canonical text is the observed columns in their order, separated by U+001F: texts as they are, instants as
    microseconds since 1970 UTC, numbers in decimal, null as nothing. Records therefore may not contain U+001E or U+001F.
    """
    canonical = records.select(list(OBSERVED_SCHEMA)).with_columns(pl.col(pl.Datetime).to_physical())
    buffer = BytesIO()
    canonical.write_csv(
        buffer, include_header=False, separator=_FIELD, line_terminator=_RECORD, quote_style="never", null_value=""
    )
    lines = buffer.getvalue().split(_RECORD.encode())
    return pl.Series("content_hash", ["\\x" + sha256(line).hexdigest() for line in lines[: records.height]])


def strip_control_characters(records: pl.DataFrame) -> pl.DataFrame:
    """Replace control characters in texts by a space: the hash's canonical text separates by two of them."""
    return records.with_columns(pl.col(pl.String).str.replace_all(r"[\x00-\x1f]", " "))


@dataclass(frozen=True)
class Staged:
    """What a staging table holds before it is judged."""

    rows: int
    repeated: int


@dataclass(frozen=True)
class Appended:
    """What one pull added to the ledger. ``batch_id`` is None when nothing had changed."""

    batch_id: int | None
    new: int
    changed: int


def create_staging(connection: Connection) -> None:
    """Make this connection's staging table; it vanishes with the connection."""
    connection.execute(
        text(
            "CREATE TEMP TABLE staging AS SELECT 0::bigint AS position, "
            f"{_COLUMNS}, content_hash FROM tthc.observations WITH NO DATA"
        )
    )
    names = ", ".join(f"{name} text" for name in NAME_SCHEMA)
    connection.execute(text(f"CREATE TEMP TABLE staging_names (unit_code text, procedure_code text, sector_code text, {names})"))


def stage(connection: Connection, records: pl.DataFrame, position: int) -> None:
    """Append canonical records to the staging table; ``position`` is the number of records staged before."""
    clean = strip_control_characters(records)
    staged = clean.select(list(OBSERVED_SCHEMA)).with_columns(content_hashes(clean)).with_row_index("position", offset=position)
    copy_in(connection, "staging", staged)
    names = clean.select("unit_code", "procedure_code", "sector_code", *NAME_SCHEMA).unique()
    copy_in(connection, "staging_names", names)


def drop_repeated(connection: Connection) -> tuple[int, list[str]]:
    """Keep the last record of each source key.

    Returns:
        the number of records dropped, and the keys of those that differed from the record kept.
    """
    connection.execute(text("ANALYZE staging (source_key)"))
    connection.execute(
        text(
            "CREATE TEMP TABLE repeated AS SELECT source_key, max(position) AS kept FROM staging "
            "GROUP BY source_key HAVING count(*) > 1"
        )
    )
    differing = connection.execute(
        text(
            "SELECT DISTINCT s.source_key FROM staging s JOIN repeated r USING (source_key) "
            "JOIN staging k ON k.source_key = r.source_key AND k.position = r.kept "
            "WHERE s.content_hash <> k.content_hash ORDER BY 1"
        )
    ).scalars()
    keys = list(differing)
    dropped = connection.execute(
        text("DELETE FROM staging s USING repeated r WHERE s.source_key = r.source_key AND s.position < r.kept")
    ).rowcount
    connection.execute(text("DROP TABLE repeated"))
    return dropped, keys


def append(
    connection: Connection, *, run_id: int, source_id: int, seen_at: datetime, cursor: Mapping[str, Any] | None
) -> Appended:
    """Move the staged records into the ledger and the projection, in the caller's transaction.

    Dossiers whose content is the one already held add nothing.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPEND_LOCK})
    parameters = {"source": source_id, "seen": seen_at, "run": run_id}
    _learn_names(connection, seen_at)
    first = connection.scalar(text("SELECT nextval('tthc.observation_ids')"))
    connection.execute(
        text(
            f"""
            INSERT INTO tthc.observations (observation_id, dossier_id, source_id, seen_at, {_COLUMNS}, content_hash)
            SELECT nextval('tthc.observation_ids'), coalesce(d.dossier_id, nextval('tthc.dossier_ids')),
                   :source, :seen, {", ".join(f"s.{name}" for name in OBSERVED_SCHEMA)}, s.content_hash
            FROM staging s
            LEFT JOIN tthc.dossiers d ON d.source_id = :source AND d.source_key = s.source_key
            WHERE d.dossier_id IS NULL OR d.content_hash <> s.content_hash
            """
        ),
        parameters,
    )
    last = connection.scalar(text("SELECT last_value FROM tthc.observation_ids"))
    appended = Appended(None, 0, 0)
    if last > first:
        appended = _project(connection, first + 1, last, parameters)
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (:batch)"), {"batch": appended.batch_id})
    if cursor is not None:
        connection.execute(
            text("UPDATE tthc.sources SET cursor = CAST(:cursor AS jsonb) WHERE source_id = :source"),
            {"cursor": json.dumps(cursor), "source": source_id},
        )
    return appended


def _project(connection: Connection, first: int, last: int, parameters: Mapping[str, Any]) -> Appended:
    updates = ", ".join(f"{name} = excluded.{name}" for name in OBSERVED_SCHEMA if name != "source_key")
    known = connection.scalar(text("SELECT coalesce(max(dossier_id), 0) FROM tthc.dossiers"))
    written = connection.execute(
        text(
            f"""
            INSERT INTO tthc.dossiers AS held
                (dossier_id, source_id, observation_id, first_seen_at, changed_at, status_seen_at, end_seen_at,
                 due_first, supplement_seen_at, {_COLUMNS}, content_hash)
            SELECT dossier_id, source_id, observation_id, seen_at, seen_at, seen_at,
                   CASE WHEN status IN ({_ENDED}) OR finished_at IS NOT NULL THEN seen_at END,
                   coalesce(due_original, due_current), CASE WHEN status = {_SUPPLEMENT} THEN seen_at END,
                   {_COLUMNS}, content_hash
            FROM tthc.observations WHERE observation_id BETWEEN :first AND :last
            ON CONFLICT (source_id, source_key) DO UPDATE SET
                observation_id = excluded.observation_id, changed_at = excluded.changed_at,
                status_seen_at = CASE WHEN held.status IS NOT DISTINCT FROM excluded.status
                                      THEN held.status_seen_at ELSE excluded.status_seen_at END,
                end_seen_at = CASE WHEN excluded.end_seen_at IS NOT NULL
                                   THEN coalesce(held.end_seen_at, excluded.end_seen_at) END,
                supplement_seen_at = CASE WHEN excluded.status = {_SUPPLEMENT} AND held.status IS DISTINCT FROM {_SUPPLEMENT}
                                          THEN excluded.changed_at ELSE held.supplement_seen_at END,
                supplement_left_at = CASE WHEN excluded.status = {_SUPPLEMENT} THEN NULL
                                          WHEN held.status = {_SUPPLEMENT} THEN excluded.changed_at
                                          ELSE held.supplement_left_at END,
                due_first = coalesce(excluded.due_original, held.due_first, excluded.due_current),
                {updates}, content_hash = excluded.content_hash
            """
        ),
        {"first": first, "last": last},
    ).rowcount
    new = connection.scalar(
        text("SELECT count(*) FROM tthc.dossiers WHERE dossier_id > :known"), {"known": known}
    )
    batch_id = _link(connection, first, last, written, parameters)
    return Appended(batch_id, new or 0, written - (new or 0))


def _link(connection: Connection, first: int, last: int, rows: int, parameters: Mapping[str, Any]) -> int:
    """Add a link to the chain: SHA-256 over the previous link, the source, the time seen and the rows' hashes."""
    previous = connection.scalar(
        text("SELECT chain_hash FROM tthc.observation_batches ORDER BY batch_id DESC LIMIT 1")
    )
    batch_id: int = connection.execute(
        text(
            """
            WITH rows AS (
                SELECT sha256(string_agg(content_hash, ''::bytea ORDER BY observation_id)) AS hash
                FROM tthc.observations WHERE observation_id BETWEEN :first AND :last
            )
            INSERT INTO tthc.observation_batches
                (run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, rows_hash,
                 previous_hash, chain_hash)
            SELECT :run, :source, :seen, :first, :last, :rows, hash, :previous,
                   sha256(:previous || convert_to(format('%s|%s|%s|%s|', CAST(:source AS smallint),
                          CAST(date_part('epoch', CAST(:seen AS timestamptz)) * 1000000 AS bigint),
                          CAST(:first AS bigint), CAST(:rows AS bigint)), 'UTF8') || hash)
            FROM rows RETURNING batch_id
            """
        ),
        {**parameters, "first": first, "last": last, "rows": rows, "previous": previous or GENESIS},
    ).scalar_one()
    return batch_id


def _learn_names(connection: Connection, seen_at: datetime) -> None:
    """Fill the catalogues; a name given later replaces an older one, a missing name never erases one."""
    for table, code, extra in (
        ("sectors", "sector_code", ""),
        ("procedures", "procedure_code", "sector_code"),
        ("units", "unit_code", ""),
    ):
        name = code.replace("_code", "_name")
        columns = ", ".join(filter(None, (code, "name", extra)))
        picked = ", ".join(f"max({column})" for column in filter(None, (name, extra)))
        update = ", ".join(f"{c} = coalesce(excluded.{c}, held.{c})" for c in filter(None, ("name", extra)))
        changed = " OR ".join(f"held.{c} IS DISTINCT FROM coalesce(excluded.{c}, held.{c})" for c in filter(None, ("name", extra)))
        connection.execute(
            text(
                f"INSERT INTO tthc.{table} AS held ({columns}, first_seen_at) "
                f"SELECT {code}, {picked}, :seen FROM staging_names WHERE {code} IS NOT NULL GROUP BY {code} "
                f"ON CONFLICT ({code}) DO UPDATE SET {update} WHERE {changed}"
            ),
            {"seen": seen_at},
        )
