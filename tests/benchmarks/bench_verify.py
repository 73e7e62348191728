"""Verification of a ledger of a million observations, beside the bare COPY of the same rows.

Half of the observations are under two large links, half under links of fifty, as the pulls of a working day make them.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import polars as pl
from sqlalchemy import Connection, Engine, text

from tests.benchmarks import plausible
from tests.benchmarks.bench_store import NOW, PAGE, empty_database
from tests.benchmarks.harness import Measurement, Run, at_least, benchmark
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store.canonical import rows_bytes
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import raw_cursor, transaction
from tthc_monitor.store.ledger import prepare
from tthc_monitor.store.staging import wire_hash
from tthc_monitor.verification import verify

ROWS = 1_000_000
TINY = 50

_LINK = text(
    "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id, last_observation_id, "
    "row_count, rows_hash) VALUES (1, 1, :seen, :first, :last, :rows, :hash)"
)


def fill(engine: Engine, rows: int) -> None:
    """A ledger of so many observations, every second page under one link, the others under tiny ones."""
    with transaction(engine) as connection:
        connection.execute(text("INSERT INTO tthc.sources (name, kind) VALUES ('made-up', 'made-up')"))
        connection.execute(text("INSERT INTO tthc.pull_runs (source_id, started_at) VALUES (1, :now)"), {"now": NOW})
        number = 0
        for first in range(0, rows, PAGE):
            count = min(PAGE, rows - first)
            records = prepare(plausible.page(first, count, rows, rich=first % (2 * PAGE) == 0))
            size = TINY if first // PAGE % 2 else count
            for begin in range(0, count, size):
                number += 1
                _link(connection, records[begin : begin + size], first + begin + 1, number)
            _observe(connection, records, first, size, number - -(-count // size))
        connection.execute(text("SELECT setval('tthc.observation_ids', :last)"), {"last": rows})
    with transaction(engine) as connection:
        connection.execute(text("SELECT tthc.observations_loaded(:now)"), {"now": NOW})


def _link(connection: Connection, records: pl.DataFrame, first: int, number: int) -> None:
    ids = pl.int_range(first, first + records.height, dtype=pl.Int64(), eager=True)
    hashed = sha256(rows_bytes(ids, records["content_hash"])).digest()
    seen = NOW + timedelta(seconds=number)
    values = {"seen": seen, "first": first, "last": first + records.height - 1, "rows": records.height, "hash": hashed}
    connection.execute(_LINK, values)


def _observe(connection: Connection, records: pl.DataFrame, first: int, size: int, links: int) -> None:
    connection.execute(text("SELECT tthc.make_observations_month(:now)"), {"now": NOW})
    place = pl.int_range(records.height, dtype=pl.Int64())
    rows = records.select(
        (place + first + 1).alias("observation_id"),
        (place + first + 1).alias("dossier_id"),
        pl.lit(1).alias("source_id"),
        (pl.lit(NOW) + pl.duration(seconds=place // size + links + 1)).alias("seen_at"),
        *OBSERVED_SCHEMA,
        wire_hash(),
    )
    copy_in(connection, "tthc.observations", rows)


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, part: bytes) -> int:
        return len(part)


def bare(engine: Engine) -> None:
    """The rows out of the database and nothing done with them."""
    with transaction(engine) as connection, raw_cursor(connection) as cursor:
        cursor.copy_expert("COPY (SELECT * FROM tthc.observations) TO STDOUT (FORMAT csv)", _Nowhere())


@benchmark(
    "verify",
    what="a ledger recomputed, half of it under links of fifty observations, beside the bare COPY of the same rows",
    budget=at_least(200_000),
)
def verified(run: Run) -> list[Measurement]:
    rows = run.rows(ROWS)
    with empty_database() as engine:
        fill(engine, rows)
        found = verify(engine)
        assert (found.sound, found.observations) == (True, rows), found
        ours = run.measure("verify", lambda: verify(engine), rows=rows, repeat=3, warm_up=False,
                           note=f"{found.links:,} links")  # fmt: skip
        copied = run.measure("bare COPY", lambda: bare(engine), rows=rows, repeat=3, warm_up=False)
    return [ours, copied]
