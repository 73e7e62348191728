"""The projection as the ledger alone tells it: folded anew, link by link, beside the live one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Final

from sqlalchemy import Connection, text

from tthc_monitor.store.content import renew_content_hashes
from tthc_monitor.store.database import raw_cursor
from tthc_monitor.store.projection import Asked, Part, Tables, fold, make_number_lookup

REPLAYED: Final = Tables("pg_temp.replayed_dossiers", "pg_temp.replayed_missing")

_UNKNOWN_BEFORE: Final = (
    "asked_at", "open_seen_at", "due_unmoved_at", "supplement_unseen_at", "earlier_waits", "vanished_seen_at",
)  # fmt: skip
"""Columns that links of version 1 do not tell: they did not keep when the source was asked, nor what it did not list."""

_EVENTS: Final = {
    "missed": "INSERT INTO {missing} SELECT dossier_id, :asked FROM {events} ON CONFLICT DO NOTHING",
    "left_out": "INSERT INTO {missing} SELECT dossier_id, 'infinity' FROM {events} "
    "ON CONFLICT (dossier_id) DO UPDATE SET first_missed_at = 'infinity'",
    "listed": "DELETE FROM {missing} m USING {events} WHERE e.dossier_id = m.dossier_id",
    "vanished": "UPDATE {dossiers} d SET vanished_seen_at = :seen FROM {events} WHERE e.dossier_id = d.dossier_id",
    "back": "UPDATE {dossiers} d SET vanished_seen_at = NULL FROM {events} WHERE e.dossier_id = d.dossier_id",
}
"""What each event does to a projection; ``erased`` does nothing, since the observations tell it themselves."""


@dataclass(frozen=True)
class _Link:
    batch_id: int
    kind: str
    version: int
    source_id: int
    seen_at: datetime
    first: int | None
    last: int | None
    rows: int
    asked_at: datetime | None
    unchanged_at: datetime | None
    held_until: int | None


def replay(
    connection: Connection, until: datetime | None = None, progress: Callable[[int, int], None] | None = None
) -> int:
    """Fold the ledger into the temporary tables of :data:`REPLAYED`, which last as long as the transaction.

    Args:
        until: fold only what was seen by then; None: everything.
        progress: told how many observations and events were folded, and of how many.

    Returns:
        the number of the last link that was folded; 0 when there is none.
    """
    for name in ("dossiers", "missing"):
        # Only the key: erased dossiers of a source share an empty one until the end.
        connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.replayed_{name}"))
        connection.execute(
            text(
                f"CREATE TEMP TABLE replayed_{name} (LIKE tthc.{name} INCLUDING DEFAULTS, PRIMARY KEY (dossier_id)) "
                "ON COMMIT DROP"
            )
        )
    links = list(_links(connection, until))
    total, done = sum(link.rows for link in links), 0
    for link in links:
        if link.kind == "observations":
            _fold(connection, link)
        else:
            _apply_events(connection, link)
        before, done = done, done + link.rows
        if done // 100_000 > before // 100_000:
            connection.execute(text("ANALYZE pg_temp.replayed_dossiers (dossier_id)"))
        if progress is not None:
            progress(done, total)
    _finish(connection, links)
    return links[-1].batch_id if links else 0


def _links(connection: Connection, until: datetime | None) -> Iterator[_Link]:
    rows = connection.execute(
        text(
            "SELECT batch_id, kind, version, source_id, seen_at, first_observation_id, last_observation_id, row_count, "
            "asked_at, unchanged_at, held_until FROM tthc.observation_batches "
            "WHERE CAST(:until AS timestamptz) IS NULL OR seen_at <= :until ORDER BY batch_id"
        ),
        {"until": until},
    )
    for row in rows:
        yield _Link(*row)


def _fold(connection: Connection, link: _Link) -> None:
    assert link.first is not None
    assert link.last is not None
    asked_at = link.seen_at if link.version == 1 else link.asked_at
    asked = Asked(asked_at, link.unchanged_at, link.held_until)
    fold(connection, Part(link.first, link.last, link.seen_at), asked, into=REPLAYED)


def _apply_events(connection: Connection, link: _Link) -> None:
    kinds = connection.execute(
        text("SELECT DISTINCT event FROM tthc.ledger_events WHERE batch_id = :link"), {"link": link.batch_id}
    ).scalars()
    for kind in sorted(kinds):
        if kind not in _EVENTS:
            continue
        events = f"(SELECT dossier_id FROM tthc.ledger_events WHERE batch_id = {link.batch_id} AND event = '{kind}') e"
        statement = _EVENTS[kind].format(events=events, dossiers=REPLAYED.dossiers, missing=REPLAYED.missing)
        connection.execute(text(statement), {"asked": link.asked_at, "seen": link.seen_at})


def _finish(connection: Connection, links: list[_Link]) -> None:
    # Of erased dossiers the ledger keeps no key; the projection holds this in its place.
    connection.execute(
        text(
            f"UPDATE {REPLAYED.dossiers} SET source_key = 'erased:' || dossier_id WHERE source_key = ''".replace(
                ":", "\\:"
            )
        )
    )
    if any(link.version == 1 for link in links):
        # Pulls compare with hashes of version 2.
        first = "SELECT min(first_observation_id) FROM tthc.observation_batches WHERE version > 1"
        renew_content_hashes(
            connection, REPLAYED.dossiers, f"d.observation_id < coalesce(({first}), 9223372036854775807)"
        )
    connection.execute(text("ANALYZE pg_temp.replayed_dossiers"))


@dataclass(frozen=True)
class Difference:
    """A row that the live store and the ledger tell differently: what it is about, and the columns that differ."""

    table: str
    key: str
    columns: tuple[str, ...]


def differences(connection: Connection, limit: int) -> list[Difference]:
    """Where the live projection is not the one replayed; at most ``limit`` rows."""
    return [
        *_table_differences(connection, "dossiers", REPLAYED.dossiers, limit),
        *_table_differences(connection, "missing", REPLAYED.missing, limit),
    ][:limit]


def columns_of(connection: Connection, table: str) -> list[str]:
    """The columns of a table of ours, in their order."""
    query = text(
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum"
    )
    return list(connection.execute(query, {"table": table}).scalars())


def _table_differences(connection: Connection, name: str, replayed: str, limit: int) -> Iterator[Difference]:
    columns = [column for column in columns_of(connection, f"tthc.{name}") if column != "dossier_id"]
    unknown = "false"
    if name == "dossiers":
        unknown = (
            "EXISTS (SELECT FROM tthc.observations o JOIN tthc.observation_batches b ON b.version = 1 "
            "AND o.observation_id BETWEEN b.first_observation_id AND b.last_observation_id AND o.seen_at = b.seen_at "
            "WHERE o.dossier_id = l.dossier_id)"
        )
    differs = ", ".join(
        f"CASE WHEN l.{column} IS DISTINCT FROM r.{column}"
        f"{f' AND NOT {unknown}' if column in _UNKNOWN_BEFORE else ''} THEN '{column}' END"
        for column in columns
    )
    query = text(
        f"SELECT key, differing FROM (SELECT coalesce(l.dossier_id, r.dossier_id) AS key, CASE "
        f"WHEN l.dossier_id IS NULL THEN '{{only in the ledger}}' WHEN r.dossier_id IS NULL THEN '{{not in the ledger}}' "
        f"ELSE array_remove(ARRAY[{differs}]::text[], NULL) END AS differing "
        f"FROM tthc.{name} l FULL JOIN {replayed} r ON r.dossier_id = l.dossier_id "
        f"WHERE l IS DISTINCT FROM r OR l.dossier_id IS NULL OR r.dossier_id IS NULL) compared "
        "WHERE differing <> '{}' ORDER BY key LIMIT :limit"
    )
    for key, differing in connection.execute(query, {"limit": limit}):
        yield Difference(f"tthc.{name}", str(key), tuple(differing))


def adopt(connection: Connection) -> int:
    """Put what was replayed in the place of the live projection; returns the number of dossiers. The owner may do it."""
    connection.execute(text("TRUNCATE tthc.dossiers, tthc.missing"))
    for name, replayed in (("dossiers", REPLAYED.dossiers), ("missing", REPLAYED.missing)):
        connection.execute(text(f"INSERT INTO tthc.{name} SELECT * FROM {replayed}"))
    highest: int = connection.execute(text("SELECT coalesce(max(dossier_id), 0) FROM tthc.dossiers")).scalar_one()
    if highest:
        connection.execute(text("SELECT setval('tthc.dossier_ids', :highest)"), {"highest": highest})
    make_number_lookup(connection)
    connection.execute(text("ANALYZE tthc.dossiers"))
    dossiers: int = connection.execute(text("SELECT count(*) FROM tthc.dossiers")).scalar_one()
    return dossiers


def dump(connection: Connection, query: str) -> bytes:
    """Rows of an ordered query as text: the same rows give the same bytes."""
    buffer = BytesIO()
    with raw_cursor(connection) as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT", buffer)
    return buffer.getvalue()
