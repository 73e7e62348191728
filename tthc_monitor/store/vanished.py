"""Dossiers that a source no longer lists although, for all we know, they are open.

One miss may be chance: a page that moved while it was read. Missed by two good pulls in a row, a dossier has vanished,
unless there is a plainer reason: its number lives on under another key, or nobody mapped the status it was last seen in,
so that the source may not have been asked for it. When a large part is missing at once, the pull is not believed at all.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from tthc_monitor.domain.records import Reject

TOO_MANY = 20
TOO_LARGE_SHARE = 0.2
"""More than so many, and more than this share of a source's open dossiers: missing at once they are not believed."""

_UNLISTED = """
    CREATE TEMP TABLE unlisted ON COMMIT DROP AS
    SELECT d.dossier_id FROM tthc.dossiers d
    WHERE d.source_id = :source AND d.end_seen_at IS NULL
      AND NOT EXISTS (SELECT FROM staging s WHERE s.source_key = d.source_key)
"""
_LIVES_ON = """
    CREATE TEMP TABLE lives_on ON COMMIT DROP AS
    SELECT DISTINCT d.dossier_id
    FROM unlisted u JOIN tthc.dossiers d USING (dossier_id)
    JOIN tthc.dossiers e ON e.source_id = :source AND e.code = d.code AND e.dossier_id <> d.dossier_id
    WHERE NOT EXISTS (SELECT FROM unlisted o WHERE o.dossier_id = e.dossier_id)
      AND (e.observation_id > d.observation_id OR EXISTS (SELECT FROM staging s WHERE s.source_key = e.source_key))
"""
# Missing are those that tell something: not yet vanished, in a status that is asked for, gone with their number.
_COUNT = """
    SELECT count(*) FILTER (WHERE u.dossier_id IS NOT NULL AND l.dossier_id IS NULL), count(*)
    FROM tthc.dossiers d LEFT JOIN unlisted u USING (dossier_id) LEFT JOIN lives_on l USING (dossier_id)
    WHERE d.source_id = :source AND d.end_seen_at IS NULL AND d.vanished_seen_at IS NULL AND d.status IS NOT NULL
"""
_BACK = """
    WITH back AS (
        DELETE FROM tthc.missing m USING tthc.dossiers d
        WHERE d.dossier_id = m.dossier_id AND d.source_id = :source
          AND NOT EXISTS (SELECT FROM unlisted u WHERE u.dossier_id = m.dossier_id)
        RETURNING m.dossier_id
    ), cleared AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = NULL
        FROM (SELECT dossier_id FROM back UNION SELECT dossier_id FROM lives_on) b
        WHERE b.dossier_id = d.dossier_id AND d.vanished_seen_at IS NOT NULL RETURNING d.dossier_id
    )
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM cleared ON CONFLICT DO NOTHING
"""
_GONE = """
    WITH gone AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = :seen
        FROM unlisted u JOIN tthc.missing m USING (dossier_id)
        WHERE u.dossier_id = d.dossier_id AND d.vanished_seen_at IS NULL AND d.status IS NOT NULL
          AND NOT EXISTS (SELECT FROM lives_on l WHERE l.dossier_id = d.dossier_id)
        RETURNING d.dossier_id
    )
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM gone ON CONFLICT DO NOTHING
"""
_MISSED = "INSERT INTO tthc.missing SELECT dossier_id, :seen FROM unlisted ON CONFLICT DO NOTHING"


def mark_vanished(
    connection: Connection, source_id: int, seen_at: datetime, location: str, *, all_read: bool
) -> Reject | None:
    """Compare the open dossiers of a source with the keys staged, after :func:`tthc_monitor.store.ledger.append`.

    To be called for a pull that listed every open dossier. What changes is put among ``pending_dossiers``, since no
    observation tells of it.

    Args:
        location: what a reject names.
        all_read: False when records were rejected: a dossier not staged may be one of them, so none counts as vanished.

    Returns:
        why the pull is not believed to have listed every open dossier, and none was marked; None when it is.
    """
    values = {"source": source_id, "seen": seen_at}
    for query in (_UNLISTED, "ANALYZE unlisted", _LIVES_ON, "ANALYZE lives_on"):
        connection.execute(text(query), values if ":source" in query else {})
    connection.execute(text(_BACK), values)
    missing, of = connection.execute(text(_COUNT), values).one()
    if missing > TOO_MANY and missing > TOO_LARGE_SHARE * of:
        reason = (
            f"{missing} of {of} open dossiers were not listed by this pull, too many at once to believe that they are "
            "gone: none is marked as vanished; look whether the account's rights, the agencies or files asked for, or "
            "the keys of the source have changed"
        )
        return Reject(location, None, "source_key", reason, None)
    if all_read:
        connection.execute(text(_GONE), values)
    connection.execute(text(_MISSED), values)
    return None
