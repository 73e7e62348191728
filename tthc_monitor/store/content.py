"""Content hashes of a projection, in the version that pulls compare with."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store.canonical import content_hashes
from tthc_monitor.store.copy import copy_in, copy_out
from tthc_monitor.store.staging import wire_hash

_CHUNK = 50_000


def renew_content_hashes(connection: Connection, dossiers: str = "tthc.dossiers", among: str = "true") -> None:
    """Compute the content hashes of a projection anew, in the caller's transaction.

    Args:
        dossiers: the table.
        among: condition on its rows ``d``.
    """
    bounds = text(
        f"SELECT min(dossier_id), max(dossier_id) FROM (SELECT dossier_id, (row_number() OVER (ORDER BY dossier_id) - 1) "
        f"/ {_CHUNK} AS chunk FROM {dossiers} d WHERE {among}) chunks GROUP BY chunk ORDER BY chunk"
    )
    for first, last in connection.execute(bounds).all():
        columns = ", ".join(f"d.{name}" for name in OBSERVED_SCHEMA)
        held = copy_out(
            connection,
            f"SELECT d.dossier_id, {columns} FROM {dossiers} d "
            f"WHERE d.dossier_id BETWEEN {first} AND {last} AND ({among})",
            {"dossier_id": pl.Int64(), **OBSERVED_SCHEMA},
            exact=True,
        )
        connection.execute(
            text("CREATE TEMP TABLE renewed (dossier_id bigint PRIMARY KEY, content_hash bytea) ON COMMIT DROP")
        )
        copy_in(connection, "renewed", held.with_columns(content_hashes(held)).select("dossier_id", wire_hash()))
        connection.execute(
            text(
                f"UPDATE {dossiers} d SET content_hash = r.content_hash FROM renewed r WHERE r.dossier_id = d.dossier_id"
            )
        )
        connection.execute(text("DROP TABLE renewed"))
