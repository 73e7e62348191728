"""The ledger: what was seen, in the order it was seen, never changed.

A pull spools its records on local disk and sends only their keys and hashes to a staging table that no other connection
sees (:mod:`tthc_monitor.store.staging`). When a round of it is in and found sound, and most pulls are one round, one
transaction compares the hashes with the projection's, appends an observation for each dossier that is new or different,
moves the projection, adds one link to the hash chain and stores the source's cursor. A run that dies before that leaves
nothing of the round; one that dies after it has left all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store import projection
from tthc_monitor.store.ahead import one_ahead
from tthc_monitor.store.copy import copy_encoded, copy_out, encoded
from tthc_monitor.store.spool import Spool
from tthc_monitor.store.staging import CATALOGUES, wire_hash

APPEND_LOCK = 7_411_002
"""Advisory lock under which the chain grows: one writer at a time, whatever the number of sources."""

GENESIS = bytes(32)
"""``previous_hash`` of the first link."""

ANALYZE_FROM = 20_000
"""Rows after which the planner's statistics are renewed at once instead of when the server gets round to it."""

_FIELD, _RECORD = "\x1f", "\x1e"
_FIRST = tuple(OBSERVED_SCHEMA)[: tuple(OBSERVED_SCHEMA).index("parent_key")]
_LATER = tuple(OBSERVED_SCHEMA)[len(_FIRST) :]
"""The columns of the first version, whose place in the canonical text is fixed, and those that came later."""


def content_hashes(records: pl.DataFrame) -> pl.Series:
    """SHA-256 of each record's canonical text.

    The canonical text is the first columns of a record (:data:`_FIRST`) in their order, separated by U+001F: texts as
    they are, instants as microseconds since 1970 UTC, numbers in decimal, null as nothing. Of the later columns those
    that are not null follow, each as U+001F name=value, so that a record which does not fill them keeps the hash it had
    before they existed. Records therefore may not contain U+001E or U+001F.
    """
    filled = [name for name in _LATER if records[name].null_count() < records.height]
    plain = records.select(*_FIRST, *filled).with_columns(pl.col(pl.Datetime).to_physical())
    later = [
        pl.when(pl.col(name).is_null()).then(pl.lit("")).otherwise(pl.format(f"{_FIELD}{name}={{}}", pl.col(name)))
        for name in filled
    ]
    canonical = plain.select(
        *_FIRST[:-1], pl.concat_str(pl.col(_FIRST[-1]).fill_null(""), *later) if later else pl.col(_FIRST[-1])
    )
    buffer = BytesIO()
    canonical.write_csv(
        buffer, include_header=False, separator=_FIELD, line_terminator=_RECORD, quote_style="never", null_value=""
    )
    lines = buffer.getvalue().split(_RECORD.encode())
    return pl.Series("content_hash", [sha256(line).digest() for line in lines[: records.height]], dtype=pl.Binary())


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


def append(
    connection: Connection,
    spool: Spool,
    *,
    run_id: int,
    source_id: int,
    seen_at: datetime,
    cursor: Mapping[str, Any] | None,
    asked: projection.Asked | None = None,
) -> Appended:
    """Move what is news into the ledger and the projection, in the caller's transaction.

    Dossiers whose content is the one already held add nothing.

    Args:
        asked: when the source was asked; None: when what it gave was seen.
    """
    # Waiting for another source's append is no fault, however long it takes.
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPEND_LOCK})
    _learn_names(connection, seen_at)
    news = _news(connection, source_id)
    appended = Appended(None, 0, 0)
    if news.height:
        first, last = _reserve_ids(connection, news.height)
        rows_hash = _observe(connection, spool, news, first, source_id, seen_at)
        new = int(news["is_new"].sum())
        projection.fold(connection, first, last, asked or projection.Asked(seen_at), new=new, changed=news.height - new)
        if news.height > ANALYZE_FROM:
            connection.execute(text("ANALYZE tthc.dossiers"))
        link = {"source": source_id, "seen": seen_at, "run": run_id, "first": first, "last": last, "hash": rows_hash}
        batch_id = _link(connection, link)
        connection.execute(text("INSERT INTO tthc.pending_evaluations VALUES (:batch)"), {"batch": batch_id})
        appended = Appended(batch_id, new, news.height - new)
    if cursor is not None:
        connection.execute(
            text("UPDATE tthc.sources SET cursor = CAST(:cursor AS jsonb) WHERE source_id = :source"),
            {"cursor": json.dumps(cursor), "source": source_id},
        )
    return appended


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


def _observe(
    connection: Connection, spool: Spool, news: pl.DataFrame, first: int, source_id: int, seen_at: datetime
) -> bytes:
    """Append the news to the ledger; returns the SHA-256 over the rows' hashes in order."""
    rows_hash = sha256()

    def pages() -> Iterator[tuple[list[str], BytesIO]]:
        done = 0
        for position, page in spool.pages():
            until = news["position"].search_sorted(position + page.height)
            part = news[done:until]
            records = page[(part["position"] - position).to_numpy()] if part.height < page.height else page
            for digest in records["content_hash"]:
                rows_hash.update(digest)
            rows = records.select(
                pl.int_range(first + done, first + until, dtype=pl.Int64()).alias("observation_id"),
                part["dossier_id"],
                pl.lit(source_id, dtype=pl.Int16()).alias("source_id"),
                pl.lit(seen_at).dt.convert_time_zone("UTC").alias("seen_at"),
                *(name for name in OBSERVED_SCHEMA if records[name].null_count() < records.height),
                wire_hash(),
            )
            yield rows.columns, encoded(rows)
            done = until

    for columns, rows in one_ahead(pages()):
        copy_encoded(connection, "tthc.observations", columns, rows)
    if news.height > ANALYZE_FROM:
        # The evaluation that follows needs plans for the tables as they are now, not as they were.
        connection.execute(text("ANALYZE tthc.observations (observation_id, dossier_id)"))
        connection.execute(text("SELECT brin_summarize_new_values('tthc.observations_by_id')"))
    return rows_hash.digest()


def _link(connection: Connection, link: Mapping[str, Any]) -> int:
    """Add a link to the chain and return its number."""
    previous = connection.scalar(text("SELECT chain_hash FROM tthc.observation_batches ORDER BY batch_id DESC LIMIT 1"))
    rows = link["last"] - link["first"] + 1
    chain = chain_hash(bytes(previous or GENESIS), link["source"], link["seen"], link["first"], rows, link["hash"])
    batch_id: int = connection.execute(
        text(
            """
            INSERT INTO tthc.observation_batches
                (run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, rows_hash,
                 previous_hash, chain_hash)
            VALUES (:run, :source, :seen, :first, :last, :rows, :hash, :previous, :chain) RETURNING batch_id
            """
        ),
        {**link, "rows": rows, "previous": previous or GENESIS, "chain": chain},
    ).scalar_one()
    return batch_id


def chain_hash(previous: bytes, source_id: int, seen_at: datetime, first: int, rows: int, rows_hash: bytes) -> bytes:
    """A link of the chain: SHA-256 over the link before it, what the batch is, and its rows' hashes."""
    seen = round(seen_at.timestamp() * 1_000_000)
    return sha256(previous + f"{source_id}|{seen}|{first}|{rows}|".encode() + rows_hash).digest()


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
