"""The ledger: what was seen, in the order it was seen, never changed.

A pull spools its records on local disk and sends only their keys and hashes to a staging table that no other connection
sees (:mod:`tthc_monitor.store.staging`). When a round of it is in and found sound, and most pulls are one round, one
transaction compares the hashes with the projection's, appends an observation for each dossier that is new or different,
moves the projection, adds one link to the hash chain and stores the source's cursor. A run that dies before that leaves
nothing of the round; one that dies after it has left all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store import projection
from tthc_monitor.store.ahead import one_ahead
from tthc_monitor.store.canonical import content_hashes, rows_bytes
from tthc_monitor.store.copy import copy_encoded, copy_out, encoded
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.staging import CATALOGUES, wire_hash

APPEND_LOCK = 7_411_002
"""Advisory lock under which the chain grows: one writer at a time, whatever the number of sources."""

_CLOCK_STEP = timedelta(hours=1)
"""By so much clocks of machines differ, or are set back, without anybody having to look."""

ANALYZE_FROM = 20_000
"""Rows after which the planner's statistics are renewed at once instead of when the server gets round to it."""


@dataclass(frozen=True)
class Appended:
    """What one pull added to the ledger. ``batch_id`` is None when nothing had changed."""

    batch_id: int | None
    new: int
    changed: int


def cleaned(records: pl.DataFrame) -> pl.DataFrame:
    """Records without control characters: they would break the canonical text, which separates by two of them."""
    return records.with_columns(pl.col(pl.String).str.replace_all(r"[\x00-\x1f]", " "))


def prepare(records: pl.DataFrame) -> pl.DataFrame:
    """Canonical records made ready for staging: cleaned, with their content hash."""
    clean = cleaned(records)
    return clean.with_columns(content_hashes(clean))


@dataclass(frozen=True)
class Seen:
    """Who saw what is added to the ledger, and when."""

    run_id: int
    source_id: int
    at: datetime


def see(connection: Connection, run_id: int, source_id: int, now: Callable[[], datetime]) -> Seen:
    """That a source is seen now, said in the turn of this transaction: never before it was seen last.

    A clock that was set back by a little is waited out with the last instant; by more, somebody has to look.

    Raises:
        DatabaseError: the source was seen long after now.
    """
    _take_turn(connection)
    last: datetime | None = connection.scalar(
        text("SELECT seen_at FROM tthc.observation_batches WHERE source_id = :source ORDER BY batch_id DESC LIMIT 1"),
        {"source": source_id},
    )
    at = now()
    if last is not None and last > at:
        if last - at > _CLOCK_STEP:
            raise DatabaseError(
                f"by the ledger the source was seen at {last:%Y-%m-%dT%H:%M:%SZ}, which has not come yet; set the clock of "
                "this machine right, or find out who added that link with: tthc-monitor audit verify"
            )
        at = last
    return Seen(run_id, source_id, at)


def _take_turn(connection: Connection) -> None:
    # Waiting for another source's append is no fault, however long it takes.
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPEND_LOCK})


def append(
    connection: Connection,
    spool: Spool,
    seen: Seen,
    *,
    cursor: Mapping[str, Any] | None,
    asked: projection.Asked | None = None,
) -> Appended:
    """Move what is news into the ledger and the projection, in the caller's transaction.

    Dossiers whose content is the one already held add nothing.

    Args:
        asked: when the source was asked; None: when what it gave was seen.

    Raises:
        DatabaseError: there is a ledger, but no projection of it.
    """
    _take_turn(connection)
    _learn_names(connection, seen.at)
    _require_projection(connection)
    news = _news(connection, seen.source_id)
    appended = Appended(None, 0, 0)
    if news.height:
        first, last = _reserve_ids(connection, news.height)
        rows_hash = _observe(connection, spool, news, first, seen)
        new = int(news["is_new"].sum())
        asked = asked or projection.Asked(seen.at)
        part = projection.Part(first, last, seen.at)
        if news.height > ANALYZE_FROM:
            # The evaluation that follows needs plans for the tables as they are now, not as they were.
            connection.execute(text("SELECT tthc.observations_loaded(:seen)"), {"seen": seen.at})
        projection.fold(connection, part, asked, new=new, changed=news.height - new)
        projection.make_number_lookup(connection)
        if news.height > ANALYZE_FROM:
            connection.execute(text("SELECT tthc.renew_statistics('dossiers')"))
        batch_id = _link(connection, seen, rows_hash, news.height, first, asked)
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (:batch)"), {"batch": batch_id})
        appended = Appended(batch_id, new, news.height - new)
    if cursor is not None:
        connection.execute(
            text("UPDATE tthc.sources SET cursor = CAST(:cursor AS jsonb) WHERE source_id = :source"),
            {"cursor": json.dumps(cursor), "source": seen.source_id},
        )
    return appended


def _require_projection(connection: Connection) -> None:
    """Refuse to add to a ledger that was brought from elsewhere before the projection was made from it.

    Every dossier would be taken for a new one, and get a second number.
    """
    lost = "SELECT EXISTS (SELECT FROM tthc.observation_batches) AND NOT EXISTS (SELECT FROM tthc.dossiers)"
    if connection.scalar(text(lost)):
        raise DatabaseError("there is a ledger, but no projection of it; run: tthc-monitor audit rebuild")


def _news(connection: Connection, source_id: int) -> pl.DataFrame:
    """Which staged records are new or different, in their order: 17 bytes each is all that is held of them at once."""
    query = f"""
        SELECT s.position, coalesce(d.dossier_id, nextval('tthc.dossier_ids')), (d.dossier_id IS NULL)::int
        FROM staging s LEFT JOIN tthc.dossiers d ON d.source_id = {int(source_id)} AND d.source_key = s.source_key
        WHERE d.dossier_id IS NULL OR d.content_hash <> s.content_hash
    """
    schema = {"position": pl.Int64(), "dossier_id": pl.Int64(), "is_new": pl.Int8()}
    return copy_out(connection, query, schema).sort("position")


def _reserve_ids(connection: Connection, count: int) -> tuple[int, int]:
    """First and last of ``count`` observation numbers in a row; the append lock keeps others out."""
    first: int = connection.execute(text("SELECT nextval('tthc.observation_ids')")).scalar_one()
    last = first + count - 1
    connection.execute(text("SELECT setval('tthc.observation_ids', :last)"), {"last": last})
    return first, last


def _observe(connection: Connection, spool: Spool, news: pl.DataFrame, first: int, seen: Seen) -> bytes:
    """Append the news to the ledger; returns the SHA-256 over its rows in order."""
    month = connection.scalar(text("SELECT tthc.make_observations_month(:seen)"), {"seen": seen.at})
    rows_hash = sha256()

    def pages() -> Iterator[tuple[list[str], BytesIO]]:
        done = 0
        for position, page in spool.pages():
            until = news["position"].search_sorted(position + page.height)
            part = news[done:until]
            records = page[(part["position"] - position).to_numpy()] if part.height < page.height else page
            rows_hash.update(rows_bytes(part["dossier_id"], records["content_hash"]))
            rows = records.select(
                pl.int_range(first + done, first + until, dtype=pl.Int64()).alias("observation_id"),
                part["dossier_id"],
                pl.lit(seen.source_id, dtype=pl.Int16()).alias("source_id"),
                pl.lit(seen.at).dt.convert_time_zone("UTC").alias("seen_at"),
                *(name for name in OBSERVED_SCHEMA if records[name].null_count() < records.height),
                wire_hash(),
            )
            yield rows.columns, encoded(rows)
            done = until

    for columns, rows in one_ahead(pages()):
        # Into the month itself: a table with row-level security takes a COPY of its owner only.
        copy_encoded(connection, f"tthc.{month}", columns, rows)
    return rows_hash.digest()


def _link(connection: Connection, seen: Seen, rows_hash: bytes, rows: int, first: int, asked: projection.Asked) -> int:
    """Add a link over observations to the chain and return its number; the server gives it its place and its hash."""
    batch_id: int = connection.execute(
        text(
            """
            INSERT INTO tthc.observation_batches
                (run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, rows_hash,
                 asked_at, unchanged_at, held_until)
            VALUES (:run, :source, :seen, :first, :last, :rows, :hash, :asked, :unchanged, :held) RETURNING batch_id
            """
        ),
        {
            "run": seen.run_id, "source": seen.source_id, "seen": seen.at,
            "first": first, "last": first + rows - 1, "rows": rows, "hash": rows_hash,
            "asked": asked.at, "unchanged": asked.unchanged_at, "held": asked.held_until,
        },
    ).scalar_one()  # fmt: skip
    return batch_id


def add_events(connection: Connection, seen: Seen, asked_at: datetime | None) -> None:
    """Move what the temporary table ``happened`` (dossier_id, event) has gathered under a link of its own, if there is any.

    To be called after :func:`append`, in its transaction. What the events mean, :mod:`tthc_monitor.store.vanished` tells.

    Args:
        asked_at: the instant as of which the pull tells that was compared with what is held.
    """
    link = connection.execute(
        text(
            "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, kind, row_count, rows_hash, asked_at) "
            "SELECT :run, :source, :seen, 'events', count(*), "
            "sha256(convert_to(string_agg(dossier_id || '|' || event, E'\n' ORDER BY dossier_id, event), 'UTF8')), "
            ":asked FROM happened HAVING count(*) > 0 RETURNING batch_id"
        ),
        {"run": seen.run_id, "source": seen.source_id, "seen": seen.at, "asked": asked_at},
    ).scalar_one_or_none()
    if link is not None:
        connection.execute(
            text("INSERT INTO tthc.ledger_events SELECT :link, dossier_id, event FROM happened"), {"link": link}
        )
        connection.execute(text("TRUNCATE happened"))


def _learn_names(connection: Connection, seen_at: datetime) -> None:
    """Fill the catalogues; a name given later replaces an older one, a missing name never erases one."""
    for table, (code, *others) in CATALOGUES.items():
        held = {"unit_name": "name", "procedure_name": "name", "sector_name": "name"}
        names = [held.get(column, column) for column in others]
        picked = ", ".join(f"max({column})" for column in others)
        update = ", ".join(f"{name} = coalesce(excluded.{name}, held.{name})" for name in names)
        differs = " OR ".join(f"held.{name} IS DISTINCT FROM coalesce(excluded.{name}, held.{name})" for name in names)
        connection.execute(
            text(
                f"INSERT INTO tthc.{table} AS held ({code}, {', '.join(names)}, first_seen_at) "
                f"SELECT {code}, {picked}, :seen FROM staging_{table} GROUP BY {code} "
                f"ON CONFLICT ({code}) DO UPDATE SET {update} WHERE {differs}"
            ),
            {"seen": seen_at},
        )
