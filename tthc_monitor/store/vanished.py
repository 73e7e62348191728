"""Dossiers that a source no longer lists although, for all we know, they are open.

One miss may be chance: a page that moved while it was read. Missed by two good pulls in a row that listed all open
dossiers, at least :data:`BETWEEN_MISSES` apart, and given by none between, a dossier has vanished, unless there is a
plainer reason: its number lives on under another key, or nobody mapped the status it was last seen in, so that the source
may not have been asked for it. Where the source can be asked for single dossiers, it is, before. When a large part is
missing at once, or nothing open is listed at all, the pull is not believed. A listing tells nothing of what was learnt
after the instant as of which it is; and where what is asked for was changed, what that leaves out has not vanished.

What becomes of a dossier here no observation tells, so each step is an event in the ledger, from which the projection can
be rebuilt: ``missed`` (with the instant as of which the pull told), ``left_out``, ``listed`` again, ``vanished``, ``back``.

What a pull gave is read from the view ``listed`` of :mod:`tthc_monitor.store.staging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import Reject
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.ledger import Seen, add_events

TOO_MANY = 20
TOO_LARGE_SHARE = 0.2
"""More than so many, and more than this share of a source's open dossiers: missing at once they are not believed."""

BETWEEN_MISSES = timedelta(hours=1)
"""A source that answers with less than it has for a while must not make dossiers vanish."""

_UNLISTED = """
    CREATE TEMP TABLE unlisted ON COMMIT DROP AS
    SELECT d.dossier_id FROM tthc.dossiers d
    WHERE d.source_id = :source AND d.end_seen_at IS NULL AND d.changed_at <= :at
      AND NOT EXISTS (SELECT FROM listed l WHERE l.source_key = d.source_key)
"""
_LIVES_ON = """
    CREATE TEMP TABLE lives_on ON COMMIT DROP AS
    SELECT DISTINCT d.dossier_id
    FROM unlisted u JOIN tthc.dossiers d USING (dossier_id)
    JOIN tthc.dossiers e ON e.source_id = :source AND e.code = d.code AND e.dossier_id <> d.dossier_id
    WHERE NOT EXISTS (SELECT FROM unlisted o WHERE o.dossier_id = e.dossier_id)
      AND (e.observation_id > d.observation_id OR EXISTS (SELECT FROM listed l WHERE l.source_key = e.source_key))
"""
# Missing are those that tell something: not yet vanished, in a status that is asked for, gone with their number, and not
# left out by what the source is asked for now, which the table of the missing says by infinity.
_TELLS = "d.vanished_seen_at IS NULL AND d.status IS NOT NULL"
_COUNT = """
    SELECT count(*) FILTER (WHERE u.dossier_id IS NOT NULL AND l.dossier_id IS NULL), count(*)
    FROM tthc.dossiers d LEFT JOIN unlisted u USING (dossier_id) LEFT JOIN lives_on l USING (dossier_id)
    LEFT JOIN tthc.missing m ON m.dossier_id = u.dossier_id
    WHERE m.first_missed_at IS DISTINCT FROM 'infinity' AND d.source_id = :source AND d.end_seen_at IS NULL AND d.status IS NOT NULL
      AND (d.vanished_seen_at IS NULL OR u.dossier_id IS NULL OR l.dossier_id IS NOT NULL)
"""
_AGAIN = f"""
    SELECT d.source_key FROM unlisted u JOIN tthc.missing m USING (dossier_id) JOIN tthc.dossiers d USING (dossier_id)
    WHERE {_TELLS} AND m.first_missed_at <= :before
      AND NOT EXISTS (SELECT FROM lives_on l WHERE l.dossier_id = d.dossier_id)
    ORDER BY m.first_missed_at, d.source_key
"""
_CLEARED = """
    cleared AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = NULL FROM ({back}) b
        WHERE b.dossier_id = d.dossier_id AND d.vanished_seen_at IS NOT NULL RETURNING d.dossier_id
    ), noted AS (
        INSERT INTO happened
        SELECT dossier_id, 'listed' FROM back UNION ALL SELECT dossier_id, 'back' FROM cleared
    )
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM cleared ON CONFLICT DO NOTHING
"""
_BACK = f"""
    WITH back AS (
        DELETE FROM tthc.missing m USING tthc.dossiers d
        WHERE d.dossier_id = m.dossier_id AND d.source_id = :source AND (d.changed_at <= :at OR d.end_seen_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM unlisted u WHERE u.dossier_id = m.dossier_id)
        RETURNING m.dossier_id
    ), {_CLEARED.format(back="SELECT dossier_id FROM back UNION SELECT dossier_id FROM lives_on")}
"""
_ANY_MISSING = """
    SELECT EXISTS (SELECT FROM tthc.missing m JOIN tthc.dossiers d USING (dossier_id) WHERE d.source_id = :source)
"""
_GIVEN = f"""
    WITH back AS (
        DELETE FROM tthc.missing m USING tthc.dossiers d
        WHERE d.dossier_id = m.dossier_id AND d.source_id = :source
          AND EXISTS (SELECT FROM listed l WHERE l.source_key = d.source_key)
        RETURNING m.dossier_id
    ), {_CLEARED.format(back="SELECT dossier_id FROM back")}
"""
_GONE = f"""
    WITH gone AS (
        UPDATE tthc.dossiers d SET vanished_seen_at = :seen
        FROM unlisted u JOIN tthc.missing m USING (dossier_id)
        WHERE u.dossier_id = d.dossier_id AND {_TELLS} AND m.first_missed_at <= :before
          AND NOT EXISTS (SELECT FROM lives_on l WHERE l.dossier_id = d.dossier_id) AND {{looked}}
        RETURNING d.dossier_id
    ), noted AS (INSERT INTO happened SELECT dossier_id, 'vanished' FROM gone)
    INSERT INTO tthc.pending_dossiers SELECT dossier_id FROM gone ON CONFLICT DO NOTHING
"""
_LOOKED = "EXISTS (SELECT FROM absent a WHERE a.source_key = d.source_key)"
_MISSED = """
    WITH missed AS (
        INSERT INTO tthc.missing SELECT dossier_id, :at FROM unlisted ON CONFLICT DO NOTHING RETURNING dossier_id
    )
    INSERT INTO happened SELECT dossier_id, 'missed' FROM missed
"""
_ANY_OPEN = "SELECT EXISTS (SELECT FROM listed WHERE is_open)"
_LEFT_OUT = """
    WITH left_out AS (
        INSERT INTO tthc.missing SELECT u.dossier_id, 'infinity' FROM unlisted u
        ON CONFLICT (dossier_id) DO UPDATE SET first_missed_at = 'infinity' RETURNING dossier_id
    )
    INSERT INTO happened SELECT dossier_id, 'left_out' FROM left_out
"""


@dataclass(frozen=True)
class Marked:
    """What became of what is missing.

    ``doubt``
        why the pull is not believed to have listed every open dossier, and none was marked; None when it is.
    ``unsure``
        dossiers missed again that may be among the rows that could not be read, so that they have not vanished.
    """

    doubt: Reject | None
    unsure: int = 0


@dataclass(frozen=True)
class Missing:
    """What a pull that listed all open dossiers did not give.

    ``count`` / ``of``
        open dossiers that are missing, among those that were to be listed.
    ``again``
        keys of those that were missing before, long enough ago: they would count as vanished now.
    ``doubt``
        why the pull is not believed to have listed all; None when it is.
    """

    count: int
    of: int
    again: Sequence[str]
    doubt: str | None


def find_missing(connection: Connection, source_id: int, at: datetime) -> Missing:
    """Compare the open dossiers of a source with what the pull has given, in the caller's transaction.

    Args:
        at: the instant as of which the pull listed what is open.
    """
    values = {"source": source_id, "at": at, "before": at - BETWEEN_MISSES}
    for query in (_UNLISTED, "ANALYZE unlisted", _LIVES_ON, "ANALYZE lives_on"):
        connection.execute(text(query), values)
    count, of = connection.execute(text(_COUNT), values).one()
    doubt = None
    if count and not connection.scalar(text(_ANY_OPEN)):
        doubt = (
            f"{count} of {of} open dossiers were not listed by this pull, which listed no open dossier at all: none is "
            "marked as vanished; look whether the source has lost its data, or the account its rights"
        )
    elif count > TOO_MANY and count > TOO_LARGE_SHARE * of:
        doubt = (
            f"{count} of {of} open dossiers were not listed by this pull, too many at once to believe that they are "
            "gone: none is marked as vanished; look whether the account's rights, the agencies or files asked for, or "
            "the keys of the source have changed"
        )
    return Missing(count, of, list(connection.execute(text(_AGAIN), values).scalars()), doubt)


def mark_given(connection: Connection, seen: Seen) -> None:
    """Dossiers that the pull gave are not missing, whether it listed all or not.

    To be called when what was given tells the state as of the last listing or later: else it proves nothing against that.
    What changes is put among ``pending_dossiers``, since no observation need tell of it.
    """
    values = {"source": seen.source_id}
    if connection.scalar(text(_ANY_MISSING), values):
        connection.execute(text(_GIVEN), values)
        add_events(connection, seen, None)


def mark_vanished(
    connection: Connection,
    seen: Seen,
    at: datetime,
    location: str,
    *,
    all_read: bool,
    absent: Sequence[str] | None = None,
) -> Marked:
    """Note what is missing and what has vanished, after :func:`tthc_monitor.store.ledger.append`.

    To be called for a pull that listed every open dossier. What changes is put among ``pending_dossiers``, since no
    observation tells of it.

    Args:
        at: the instant as of which the pull listed what is open.
        location: what a reject names.
        all_read: False when records were rejected: a dossier not given may be one of them, so none counts as vanished
            unless the source was asked for it directly.
        absent: keys for which the source was asked directly and gave nothing; only they may vanish. None: the source
            cannot be asked.
    """
    values = {"source": seen.source_id, "seen": seen.at, "at": at, "before": at - BETWEEN_MISSES}
    missing = find_missing(connection, seen.source_id, at)
    if missing.doubt is not None:
        return Marked(Reject(location, None, "source_key", missing.doubt, None))
    connection.execute(text(_BACK), values)
    sure = all_read or absent is not None
    if missing.again and sure:
        if absent is not None:
            connection.execute(text("CREATE TEMP TABLE absent (source_key text) ON COMMIT DROP"))
            copy_in(connection, "absent", pl.DataFrame({"source_key": absent}, schema={"source_key": pl.String()}))
        connection.execute(text(_GONE.format(looked="true" if absent is None else _LOOKED)), values)
    connection.execute(text(_MISSED), values)
    add_events(connection, seen, at)
    return Marked(None, 0 if sure else len(missing.again))


def leave_out(connection: Connection, seen: Seen, at: datetime) -> int:
    """Note that what is not listed is left out by what the source is asked for since this pull, so that it never vanishes.

    To be called in place of :func:`mark_vanished` for the first listing after that was changed. A dossier that is given
    again is like any other.

    Returns:
        how many open dossiers are left out.
    """
    values = {"source": seen.source_id, "at": at}
    find_missing(connection, seen.source_id, at)
    connection.execute(text(_BACK), values)
    left_out = connection.execute(text(_LEFT_OUT)).rowcount
    add_events(connection, seen, at)
    return left_out


def unsure(count: int, unreadable: int) -> str:
    """What to tell of dossiers that were missed again by a pull of which not every row could be read."""
    return (
        f"{count} dossiers were missed again, but may be among the {unreadable} rows that could not be read, so none has "
        "vanished; look at the rejects and mend the mapping or the source"
    )
