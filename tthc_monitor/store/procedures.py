"""The dated catalogue of procedures, and what the commands show of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, RowMapping, text

from tthc_monitor.domain.procedure_catalogue import ProcedureEntry
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.time_limits import Changes

_FIELDS: Final = tuple(field.name for field in fields(ProcedureEntry))
_LIKE: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def sectors_of_procedures(connection: Connection) -> dict[str, str]:
    """The sector of each procedure of which one is known, as sources tell them."""
    rows = connection.execute(
        text("SELECT procedure_code, sector_code FROM tthc.procedures WHERE sector_code IS NOT NULL")
    )
    return dict(rows.all())


def record_procedures(connection: Connection, entries: Sequence[ProcedureEntry], at: datetime, by: str) -> Changes:
    """Keep what a file says about procedures; what it does not tell stays as known, and other procedures stay.

    Committed by the caller.
    """
    connection.execute(text("SELECT tthc.lock_for_import('procedure_catalogue')"))
    columns = ", ".join(_FIELDS)
    connection.execute(
        text(
            f"CREATE TEMP TABLE given_procedures ON COMMIT DROP AS SELECT {columns} FROM tthc.procedure_catalogue WITH NO DATA"
        )
    )
    frame = pl.DataFrame([astuple(entry) for entry in entries], schema=dict.fromkeys(_FIELDS, pl.String), orient="row")
    copy_in(connection, "given_procedures", frame)
    told = ", ".join(f"{name} = coalesce(n.{name}, h.{name})" for name in _FIELDS[1:])
    held = "tthc.procedure_catalogue h WHERE h.procedure_code = n.procedure_code AND h.known_to IS NULL"
    connection.execute(
        text(
            f"UPDATE given_procedures n SET {told} FROM {held}"  # so that nothing is forgotten
        )
    )
    same = " AND ".join(f"h.{name} IS NOT DISTINCT FROM n.{name}" for name in _FIELDS[1:])
    closed = connection.execute(
        text(
            "UPDATE tthc.procedure_catalogue h SET known_to = :at FROM given_procedures n "
            f"WHERE h.procedure_code = n.procedure_code AND h.known_to IS NULL AND NOT ({same})"
        ),
        {"at": at},
    ).rowcount
    added = connection.execute(
        text(
            f"INSERT INTO tthc.procedure_catalogue ({columns}, known_from, imported_by) "
            f"SELECT {columns}, :at, :by FROM given_procedures n WHERE NOT EXISTS (SELECT FROM {held})"
        ),
        {"at": at, "by": by},
    ).rowcount
    connection.execute(text("DROP TABLE given_procedures"))
    return Changes(added, closed, len(entries) - added)


def search_procedures(connection: Connection, search: str, limit: int) -> list[RowMapping]:
    """Procedures of the catalogue whose code, name or sector contains a text, with the number of limits held."""
    query = (
        "SELECT p.procedure_code, p.name, p.sector, p.level, count(t.limit_id) AS limits "
        "FROM tthc.procedure_catalogue p LEFT JOIN tthc.time_limits t "
        "ON t.procedure_code = p.procedure_code AND t.known_to IS NULL "
        "WHERE p.known_to IS NULL AND concat_ws(' ', p.procedure_code, p.name, p.sector) ILIKE :pattern "
        "GROUP BY 1, 2, 3, 4 "
        "UNION ALL "  # an office's own procedures that no catalogue lists
        "SELECT t.procedure_code, NULL, NULL, NULL, count(*) FROM tthc.time_limits t "
        "WHERE t.known_to IS NULL AND t.procedure_code ILIKE :pattern AND NOT EXISTS (SELECT FROM "
        "tthc.procedure_catalogue p WHERE p.procedure_code = t.procedure_code AND p.known_to IS NULL) "
        "GROUP BY 1 ORDER BY 1 LIMIT :limit"
    )
    pattern = f"%{search.translate(_LIKE)}%"
    return list(connection.execute(text(query), {"pattern": pattern, "limit": limit}).mappings())


def procedure(connection: Connection, code: str) -> dict[str, Any] | None:
    """What the catalogue holds about a procedure; None when it does not list it."""
    query = "SELECT * FROM tthc.procedure_catalogue WHERE known_to IS NULL AND procedure_code = :code"
    row = connection.execute(text(query), {"code": code}).mappings().one_or_none()
    return None if row is None else dict(row)
