"""The store with a million dossiers: first load, the same pull again, a thousand changes, memory.

The database is the embedded PostgreSQL as an installation runs it, fsync included. Rows are made page by page, so that
the memory measured is the program's. 8 % of the dossiers end late, the others at any time within their limit.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import structlog
from sqlalchemy import Engine, text

from connectors.base import ConnectorOptions, Cursor, Page
from rules.grounds import Grounds
from rules.loader import load_packs
from tests.benchmarks.harness import Measurement, Run, at_most, at_most_times, benchmark
from tthc_monitor import ingest
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.records import OBSERVED_SCHEMA, Batch, conform
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.evaluate import Evaluated, evaluate
from tthc_monitor.settings import shipped_calendar
from tthc_monitor.store import embedded, migrate
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import make_engine, transaction

ROWS = 1_000_000
PAGE = 50_000
DAY = 86_400_000_000
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
COLUMNS = ", ".join(OBSERVED_SCHEMA)


def page(first: int, rows: int, moved: int = 0) -> pl.DataFrame:
    """Records ``first`` to ``first + rows``; the due instant of the first ``moved`` of them is a day later."""
    rng = np.random.default_rng(first)
    number = np.arange(first, first + rows)
    now = round(NOW.timestamp() * 1_000_000)
    received = now - rng.integers(0, 400 * DAY, rows)
    limit = rng.integers(1, 21, rows) * DAY
    used = np.where(rng.random(rows) < 0.08, rng.uniform(1, 2, rows), rng.beta(2, 3, rows))
    ended = received + (limit * used).astype(np.int64)
    is_open = ended > now
    due = received + limit
    due[:moved] += DAY

    def instants(values: np.ndarray, known: np.ndarray | None = None) -> pl.Series:
        series = pl.Series(values).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        return series if known is None else series.zip_with(pl.Series(known), pl.Series([None], dtype=series.dtype))

    return conform(
        pl.DataFrame({"number": number, "unit": number % 150, "procedure": rng.integers(1000, 3000, rows)}).select(
            pl.format("20126/{}", "number").alias("source_key"),
            pl.format("H99.{}-260101-{}", "unit", "number").alias("code"),
            pl.lit("dossier").alias("kind"),
            pl.format("1.00{}", "procedure").alias("procedure_code"),
            pl.format("L{}", pl.col("procedure") % 40).alias("sector_code"),
            pl.format("H99.{}", "unit").alias("unit_code"),
            pl.lit("online").alias("channel"),
            pl.Series("status", np.where(is_open, 4, 10)).cast(pl.Int16),
            pl.lit("processing").alias("source_status"),
            instants(received).alias("submitted_at"),
            instants(received).alias("received_at"),
            instants(due).alias("due_current"),
            instants(ended, ~is_open).alias("finished_at"),
            instants(ended, ~is_open).alias("delivered_at"),
        )
    )


class MadeUp:
    """A connector that gives made-up pages."""

    Options = ConnectorOptions
    provides = frozenset({"submitted_at"})

    def __init__(self, name: str = "", options: object = None, surroundings: object = None, *, rows: int = 0) -> None:
        self.rows, self.moved = rows, 0

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for first in range(0, self.rows, PAGE):
            yield Page((first, min(PAGE, self.rows - first), self.moved), "made up")
            self.moved = 0
        yield Page((0, 0, 0), "made up", listed_all=True)

    def normalise(self, given: Page) -> Batch:
        records = page(*given.content)
        return Batch(records, (), records.height)

    def check(self) -> list[str]:
        return []


@contextmanager
def server() -> Iterator[embedded.EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="tthc-bench-") as folder:
        Path(folder).chmod(0o755)
        started = embedded.start(Path(folder) / "data")
        try:
            yield started
        finally:
            started.stop()


@contextmanager
def empty_database() -> Iterator[Engine]:
    with server() as started:
        engine = make_engine(started.url())
        migrate.upgrade(engine)
        try:
            yield engine
        finally:
            engine.dispose()


def clock() -> datetime:
    return NOW + timedelta(seconds=time.monotonic())


@cache
def judged_by() -> Grounds:
    return Grounds(
        load_packs(["core"], Path()), validate(CalendarSpec, shipped_calendar("vn")), Limits([], ClockPolicy())
    )


def pull(engine: Engine, connector: MadeUp) -> None:
    ingest.pull(engine, "made-up", "made-up", connector, now=clock)


def judge(engine: Engine) -> Evaluated:
    return evaluate(engine, judged_by(), now=clock)


def quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def bare_table(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("DROP TABLE IF EXISTS bare"))
        connection.execute(text(f"CREATE TABLE bare AS SELECT {COLUMNS} FROM observations WITH NO DATA"))
        connection.execute(text("ALTER TABLE bare ADD PRIMARY KEY (source_key)"))


def bare_copy(engine: Engine, rows: int) -> None:
    with transaction(engine) as connection:
        for first in range(0, rows, PAGE):
            copy_in(connection, "bare", page(first, min(PAGE, rows - first)).select(list(OBSERVED_SCHEMA)))


def wipe(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("DROP SCHEMA tthc CASCADE; DROP SCHEMA audit CASCADE"))
    migrate.upgrade(engine)


def load(engine: Engine, rows: int) -> None:
    pull(engine, MadeUp(rows=rows))
    judge(engine)


@benchmark(
    "store.load",
    what="dossiers from frames to observations, projection and flags, beside a bare COPY into one table with its key",
    budget=at_most_times(4),
)
def first_load(run: Run) -> list[Measurement]:
    quiet()
    rows = run.rows(ROWS)
    with empty_database() as engine:
        ours = run.measure("pull and judge", lambda: load(engine, rows), rows=rows, repeat=2, warm_up=False,
                           before=lambda: wipe(engine))  # fmt: skip
        bare = run.measure("bare COPY", lambda: bare_copy(engine, rows), rows=rows, repeat=3, warm_up=False,
                           before=lambda: bare_table(engine))  # fmt: skip
        with transaction(engine) as connection:
            flags = connection.scalar(text("SELECT count(*) FROM flags"))
        made = run.measure("making the rows", lambda: [page(f, PAGE) for f in range(0, rows, PAGE)], rows=rows,
                           repeat=1, warm_up=False, note=f"part of both; {flags:,} flags")  # fmt: skip
    return [ours, bare, made]


@benchmark(
    "store.unchanged",
    what="the same dossiers pulled again, beside a COPY to a temporary table and an anti-join",
    budget=at_most_times(2),
)
def unchanged(run: Run) -> list[Measurement]:
    quiet()
    rows = run.rows(ROWS)

    def anti_join() -> None:
        with transaction(engine) as connection:
            connection.execute(
                text(f"CREATE TEMP TABLE again ON COMMIT DROP AS SELECT {COLUMNS} FROM observations WITH NO DATA")
            )
            for first in range(0, rows, PAGE):
                copy_in(connection, "again", page(first, min(PAGE, rows - first)).select(list(OBSERVED_SCHEMA)))
            news = connection.scalar(
                text("SELECT count(*) FROM again a WHERE NOT EXISTS (SELECT FROM dossiers d "
                     "WHERE d.source_key = a.source_key AND d.source_id = 1)")
            )  # fmt: skip
            assert news == 0

    with empty_database() as engine:
        load(engine, rows)
        connector = MadeUp(rows=rows)
        ours = run.measure("pull again", lambda: pull(engine, connector), rows=rows, repeat=3, warm_up=False)
        bare = run.measure("COPY and anti-join", anti_join, rows=rows, repeat=3, warm_up=False)
        with transaction(engine) as connection:
            assert connection.scalar(text("SELECT count(*) FROM observations")) == rows
    return [ours, bare]


@benchmark("store.changed", what="judging 1,000 changed dossiers among a million", budget=at_most(1.0))
def changed(run: Run) -> list[Measurement]:
    quiet()
    rows = run.rows(ROWS)
    with empty_database() as engine:
        load(engine, rows)
        state = {"moved": 1000}

        def change() -> None:
            connector = MadeUp(rows=PAGE)
            connector.moved = state["moved"]
            state["moved"] = 1000 - state["moved"]
            pull(engine, connector)

        ours = run.measure("judge 1,000", lambda: judge(engine), rows=1000, repeat=4, warm_up=False, before=change)
        few = run.measure("nothing changed", lambda: judge(engine), rows=1000, repeat=5, note="an idle tick")
    return [ours, few]


@benchmark(
    "store.memory",
    what="peak memory of pulling and judging a million dossiers, beside a quarter of them",
    budget=at_most_times(1.25),
)
def memory(run: Run) -> list[Measurement]:
    found = []
    for rows in (run.rows(ROWS), run.rows(ROWS // 4)):
        done = subprocess.run([sys.executable, "-m", __name__, str(rows)], capture_output=True, text=True, check=True)
        peak = float(json.loads(done.stdout)["peak_mb"])
        found.append(Measurement(f"{rows:,} dossiers", peak, rows, peak, peak, 1, "peak of the process", "MB"))
    return found


def main() -> None:
    """Load so many dossiers and print the peak memory of this process."""
    quiet()
    with empty_database() as engine:
        load(engine, int(sys.argv[1]))
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
