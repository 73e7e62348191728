"""Figures that others published, kept as they came: each import is a version, and none is ever changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period
from tthc_monitor.domain.published import COUNTS, DECIMALS, CountedBy, PublishedRow

_CODES = ("place", "unit_code", "unit_name", "parent_code", "sector_code")
_COLUMNS = (*_CODES, *COUNTS, *DECIMALS)
_ADD = (
    f"INSERT INTO tthc.published_figures (published_import_id, {', '.join(_COLUMNS)}) "
    f"VALUES (:id, {', '.join(f'CAST(:{name} AS numeric)' if name in DECIMALS else f':{name}' for name in _COLUMNS)})"
)
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class PublishedImport:
    """One import.

    Attributes:
        version: which import of this publisher and period it was, from 1; the newest is ``in_force``.
        index_source: generation of the portal or system; figures of two are no series.
    """

    publisher: str
    counted_by: CountedBy
    month: str
    kind: str
    from_at: datetime
    to_at: datetime
    version: int
    in_force: bool
    index_source: str
    file: str
    rows: int
    imported_at: datetime
    imported_by: str


def save_published(
    connection: Connection,
    rows: Sequence[PublishedRow],
    period: Period,
    *,
    publisher: str,
    counted_by: CountedBy,
    index_source: str,
    file: str,
    content: bytes,
    by: str,
    now: datetime,
) -> int:
    """Keep the rows of one file, all of them, as the newest version of what this publisher said of a period.

    Args:
        file, content: where they come from; the content's hash is kept.

    Returns:
        the version, from 1.

    Raises:
        ConfigError: nobody is named as the publisher or as who imports, or a name is too long.
    """
    publisher, by = " ".join(publisher.split()), by.strip()
    if not publisher or len(publisher) > _LONGEST_NAME:
        raise ConfigError("figures are published by somebody; name the portal or system with --source, shortly")
    if not by:
        raise ConfigError("figures are imported by somebody; give the name with --by")
    values: dict[str, Any] = {
        "publisher": publisher,
        "counted_by": counted_by,
        "start": period.start,
        "end": period.end,
        "zone": period.zone,
        "month": period.name,
        "kind": period.kind,
        "index_source": " ".join(index_source.split()),
        "file": file,
        "hash": sha256(content).digest(),
        "rows": len(rows),
        "now": now,
        "by": by,
    }
    number = connection.scalar(
        text(
            "INSERT INTO tthc.published_imports (publisher, counted_by, from_at, to_at, zone, month, kind, index_source, "
            "file, file_hash, row_count, imported_at, imported_by) VALUES (:publisher, :counted_by, :start, :end, :zone, "
            ":month, :kind, :index_source, :file, :hash, :rows, :now, :by) RETURNING published_import_id"
        ),
        values,
    )
    connection.execute(text(_ADD), [_values(row) | {"id": number} for row in rows])
    return int(
        connection.execute(
            text("SELECT version FROM audit.published_imports WHERE published_import_id = :id"), {"id": number}
        ).scalar_one()
    )


def _values(row: PublishedRow) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(row, name) for name in _CODES}
    return told | {name: row.counts.get(name) for name in COUNTS} | {name: row.decimals.get(name) for name in DECIMALS}


def read_imports(connection: Connection) -> tuple[PublishedImport, ...]:
    """Every import, the newest period first, of each publisher the newest version first."""
    found = connection.execute(
        text(
            "SELECT publisher, counted_by, month, kind, from_at, to_at, version, in_force, index_source, file, row_count, "
            "imported_at, imported_by FROM audit.published_imports ORDER BY from_at DESC, publisher, version DESC"
        )
    )
    return tuple(PublishedImport(*row) for row in found)


def unknown_units(connection: Connection, codes: Sequence[str]) -> list[str]:
    """Those of these codes that neither a source nor the register of units knows, in order."""
    query = text(
        "SELECT c.code FROM unnest(CAST(:codes AS text[])) c (code) "
        "WHERE NOT EXISTS (SELECT FROM audit.units u WHERE u.unit_code = c.code) "
        "AND NOT EXISTS (SELECT FROM audit.unit_versions v WHERE v.unit_code = c.code AND v.known_to IS NULL) ORDER BY 1"
    )
    return list(connection.execute(query, {"codes": list(codes)}).scalars())
