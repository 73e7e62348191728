"""Why dossiers were late, as people say it: kept for good, of a dossier the newest word counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, text

from tthc_monitor.domain.causes import Cause
from tthc_monitor.domain.errors import ConfigError

_FIND = """
SELECT DISTINCT w.number, d.dossier_id
FROM unnest(CAST(:numbers AS text[])) w (number)
JOIN tthc.dossiers d ON coalesce(d.code, d.source_key) = w.number AND d.kind = 'dossier'
"""
_KEEP = """
INSERT INTO tthc.assigned_causes (import_id, line, dossier_id, cause_code, cause_name, cause_class, note)
SELECT :import, r.* FROM unnest(CAST(:lines AS integer[]), CAST(:dossiers AS bigint[]), CAST(:codes AS text[]),
    CAST(:names AS text[]), CAST(:kinds AS text[]), CAST(:notes AS text[])) r
"""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What somebody says of a dossier. ``cause`` None takes back what was said before; ``line`` of the file."""

    dossier_id: int
    cause: Cause | None
    note: str
    line: int


def dossiers_by_number(connection: Connection, numbers: Collection[str]) -> dict[str, list[int]]:
    """The dossiers of each number; several sources may use one number. Those that nothing has are left out."""
    found: dict[str, list[int]] = {}
    for number, dossier in connection.execute(text(_FIND), {"numbers": sorted(numbers)}):
        found.setdefault(number, []).append(dossier)
    return found


def save_causes(
    connection: Connection, said: Sequence[Assignment], *, file: str, content: bytes, by: str, now: datetime
) -> None:
    """Keep what a file says, in the caller's transaction.

    Args:
        file, content: where it comes from; the content's hash is kept.
        by: who says it; kept for good.

    Raises:
        ConfigError: nobody is named.
    """
    if not by.strip():
        raise ConfigError("causes are assigned by somebody; give the name with --by")
    taken_back = sum(one.cause is None for one in said)
    number = connection.scalar(
        text(
            "INSERT INTO tthc.cause_imports (imported_at, imported_by, file, file_hash, assigned, withdrawn) "
            "VALUES (:now, :by, :file, :hash, :assigned, :withdrawn) RETURNING import_id"
        ),
        {
            "now": now,
            "by": by.strip(),
            "file": file,
            "hash": sha256(content).digest(),
            "assigned": len(said) - taken_back,
            "withdrawn": taken_back,
        },
    )
    connection.execute(
        text(_KEEP),
        {
            "import": number,
            "lines": [one.line for one in said],
            "dossiers": [one.dossier_id for one in said],
            "codes": [one.cause and one.cause.code for one in said],
            "names": [one.cause and one.cause.name for one in said],
            "kinds": [one.cause and one.cause.kind for one in said],
            "notes": [one.note for one in said],
        },
    )
