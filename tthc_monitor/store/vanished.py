"""Dossiers that a source no longer lists although, for all we know, they are open.

One miss may be chance: a page that moved while it was read. Missed by two good pulls in a row, a dossier has vanished.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

_UNLISTED = """
    CREATE TEMP TABLE unlisted ON COMMIT DROP AS
    SELECT d.dossier_id FROM tthc.dossiers d
    WHERE d.source_id = :source AND d.end_seen_at IS NULL
      AND NOT EXISTS (SELECT FROM staging s WHERE s.source_key = d.source_key)
"""
_BACK = """
    WITH back AS (
        DELETE FROM tthc.missing m USING tthc.dossiers d
        WHERE d.dossier_id = m.dossier_id AND d.source_id = :source
          AND NOT EXISTS (SELECT FROM unlisted u WHERE u.dossier_id = m.dossier_id)
        RETURNING m.dossier_id
    ), cleared AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = NULL FROM back
        WHERE back.dossier_id = d.dossier_id AND d.vanished_seen_at IS NOT NULL RETURNING d.dossier_id
    )
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM cleared ON CONFLICT DO NOTHING
"""
_GONE = """
    WITH gone AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = :seen
        FROM unlisted u JOIN tthc.missing m USING (dossier_id)
        WHERE u.dossier_id = d.dossier_id AND d.vanished_seen_at IS NULL RETURNING d.dossier_id
    )
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM gone ON CONFLICT DO NOTHING
"""
_MISSED = "INSERT INTO tthc.missing SELECT dossier_id, :seen FROM unlisted ON CONFLICT DO NOTHING"


def mark_vanished(connection: Connection, source_id: int, seen_at: datetime, *, all_read: bool) -> None:
    """Compare the open dossiers of a source with the keys staged, after :func:`tthc_monitor.store.ledger.append`.

    To be called for a pull that listed every open dossier. What changes is put among ``pending_dossiers``, since no
    observation tells of it.

    Args:
        all_read: False when records were rejected: a dossier not staged may be one of them, so none counts as vanished.
    """
    values = {"source": source_id, "seen": seen_at}
    connection.execute(text(_UNLISTED), values)
    connection.execute(text("ANALYZE unlisted"))
    connection.execute(text(_BACK), values)
    if all_read:
        connection.execute(text(_GONE), values)
    connection.execute(text(_MISSED), values)
