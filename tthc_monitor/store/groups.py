"""Groups of dossiers that a rule judges together, and which of them a change touches.

A group that a dossier has left is touched too. Which one that was, the ledger knows: it keeps every earlier state.

Groups over details of dossiers (:data:`OF_DETAILS`) are no longer whole where retention has erased some: a number that is
gone would look like a gap. What began before the newest erasure's instant stands as it was judged. So does what was found
of dossiers whose applicants' hashes are now of different keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from tthc_monitor.store.projection import LIVE, Tables
from tthc_monitor.store.retention import erased_before

_ENDED: Final = "coalesce(finished_at, delivered_at)"
KEYS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "closing_day": (
        ("unit_code", f"date_trunc('day', {_ENDED}, :zone)"),
        f"unit_code IS NOT NULL AND {_ENDED} IS NOT NULL",
    ),
    "filing": (("applicant_hash", "procedure_code"), "applicant_hash IS NOT NULL AND procedure_code IS NOT NULL"),
    "number_day": (("rtrim(code, '0123456789')",), "code IS NOT NULL"),
}
"""What dossiers of one group have in common, as SQL over ``dossiers`` and ``observations`` alike; and who is in any."""

_RANGES: Final[Mapping[str, str]] = {
    "closing_day": "d.unit_code = k.key1 AND coalesce(d.finished_at, d.delivered_at) >= k.key2 "
    "AND coalesce(d.finished_at, d.delivered_at) < k.key2 + interval '1 day'",
    "filing": "d.applicant_hash = k.key1 AND d.procedure_code = k.key2",
    "number_day": "rtrim(d.code, '0123456789') = k.key1",
}
"""The members of a touched group, so that an index finds them."""

_LOOKUPS: Final[Mapping[str, str]] = {
    "closing_day": "dossiers_of_unit",
    "filing": "dossiers_filing",
    "number_day": "dossiers_number",
}
"""The index that finds the members of a group. The first finds the dossiers of a unit too."""


OF_DETAILS: Final = frozenset({"filing", "number_day"})
"""Groups by what retention erases."""

# A dossier that ended just before the instant has the number of a day on which others began just after it.
_BEGAN_BEFORE: Final = "least(d.received_at, d.submitted_at, d.first_seen_at) < :erased + interval '3 days'"
_SPARED: Final[Mapping[str, str]] = {
    "filing": f"SELECT dossier_id FROM members JOIN tthc.dossiers d USING (dossier_id) WHERE {_BEGAN_BEFORE}",
    "number_day": 'SELECT dossier_id FROM members WHERE "group" IN '
    f'(SELECT "group" FROM members JOIN tthc.dossiers d USING (dossier_id) WHERE {_BEGAN_BEFORE})',
}

# Found when both had hashes of one key; since the key was changed, one of the two is no longer listed by its source.
_OF_TWO_KEYS: Final = """
    SELECT f.dossier_id FROM tthc.flags f
    JOIN tthc.dossiers x ON x.dossier_id = f.dossier_id
    JOIN tthc.dossiers y ON y.dossier_id = CAST(f.evidence ->> 'refiled_dossier_id' AS bigint)
    WHERE f.believed_to IS NULL AND f.evidence ? 'refiled_dossier_id'
      AND regexp_replace(x.applicant_hash, '[^:]*$', '') <> regexp_replace(y.applicant_hash, '[^:]*$', '')
"""


def make_lookups(connection: Connection, groupings: Iterable[str]) -> None:
    """Make the indexes that find the members of groups, where they are not there yet.

    They are made when rules about groups are first in force: in bulk, after a first load, which takes about half of
    what it costs to keep them while a store is filled. Pulls wait meanwhile. The role need not own the table.
    """
    for grouping in sorted(groupings):
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"tthc.{_LOOKUPS[grouping]}"}) is None:
            # Waiting for a pull to end is no fault, however long it takes.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT tthc.make_group_lookup(:grouping)"), {"grouping": grouping})


def touched(connection: Connection, grouping: str, zone: str) -> int:
    """Put the dossiers of every group that the dossiers in ``judged`` are or were in into ``members`` (group, dossier_id),
    and into ``judged`` too.

    Returns:
        how many.
    """
    keys, within = KEYS[grouping]
    names = ", ".join(f"{key} AS key{number}" for number, key in enumerate(keys, start=1))
    slots = ", ".join(f"key{number}" for number in range(1, len(keys) + 1))
    _create(connection)
    connection.execute(text("DROP TABLE IF EXISTS touched_groups"))
    connection.execute(
        text(
            f"CREATE TEMP TABLE touched_groups ON COMMIT DROP AS SELECT row_number() OVER () AS number, {slots} FROM ("
            f"SELECT DISTINCT {names} FROM tthc.observations JOIN judged USING (dossier_id) WHERE {within}) keys"
        ),
        {"zone": zone},
    )
    connection.execute(text("ANALYZE touched_groups"))
    connection.execute(
        text(
            # Group by group, through the index: the server takes groups for larger than they are, and would read all.
            "INSERT INTO members SELECT k.number, d.dossier_id FROM touched_groups k CROSS JOIN LATERAL "
            f"(SELECT d.dossier_id FROM tthc.dossiers d WHERE {_RANGES[grouping]} OFFSET 0) d"
        )
    )
    _spare(connection, grouping)
    connection.execute(text("DELETE FROM judged USING spared WHERE spared.dossier_id = judged.dossier_id"))
    connection.execute(text("INSERT INTO judged SELECT dossier_id FROM members EXCEPT SELECT dossier_id FROM judged"))
    return _analysed(connection)


def all_of(connection: Connection, grouping: str, zone: str, smallest: int, of: Tables = LIVE) -> int:
    """Put the dossiers of every group of at least ``smallest`` into ``members`` (group, dossier_id).

    Those whose findings stand as they are, because retention has erased others of their groups, are put into ``spared``.

    Args:
        of: the projection that tells which dossiers there are.

    Returns:
        how many.
    """
    keys, within = KEYS[grouping]
    _create(connection)
    connection.execute(
        text(
            "INSERT INTO members SELECT number, unnest(ids) FROM ("
            "SELECT row_number() OVER () AS number, array_agg(dossier_id) AS ids "
            f"FROM {of.dossiers} WHERE {within} GROUP BY {', '.join(keys)} HAVING count(*) >= :smallest) large"
        ),
        {"zone": zone, "smallest": smallest},
    )
    erased = _spare(connection, grouping)
    if erased is not None:
        of_before = f"INSERT INTO spared SELECT d.dossier_id FROM tthc.dossiers d WHERE {_BEGAN_BEFORE}"
        connection.execute(text(of_before), {"erased": erased})
    return _analysed(connection)


def _spare(connection: Connection, grouping: str) -> datetime | None:
    """Move out of ``members``, into ``spared``, what is no longer judged anew.

    Returns:
        the instant before which dossiers ended whose details are erased; None: these groups are whole.
    """
    connection.execute(text("DROP TABLE IF EXISTS spared"))
    connection.execute(text("CREATE TEMP TABLE spared (dossier_id bigint) ON COMMIT DROP"))
    erased = erased_before(connection) if grouping in OF_DETAILS else None
    if erased is not None:
        connection.execute(text(f"INSERT INTO spared {_SPARED[grouping]}"), {"erased": erased})
    if grouping == "filing":
        connection.execute(text(f"INSERT INTO spared {_OF_TWO_KEYS}"))
    connection.execute(text("DELETE FROM members USING spared WHERE spared.dossier_id = members.dossier_id"))
    return erased


def bounds(connection: Connection, at_most: int) -> list[tuple[int, int]]:
    """Ranges of group numbers in ``members`` with about so many dossiers each, groups whole."""
    rows = connection.execute(
        text(
            'SELECT min("group"), max("group") FROM (SELECT "group", (sum(count(*)) OVER (ORDER BY "group") - 1) / :size '
            'AS chunk FROM members GROUP BY "group") g GROUP BY floor(chunk) ORDER BY 1'
        ),
        {"size": at_most},
    )
    return [(int(first), int(last)) for first, last in rows]


def _create(connection: Connection) -> None:
    connection.execute(text("DROP TABLE IF EXISTS members"))
    connection.execute(text('CREATE TEMP TABLE members ("group" bigint, dossier_id bigint) ON COMMIT DROP'))


def _analysed(connection: Connection) -> int:
    connection.execute(text("ANALYZE members"))
    found: int = connection.execute(text("SELECT count(*) FROM members")).scalar_one()
    return found
