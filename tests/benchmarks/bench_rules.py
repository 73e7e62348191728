"""All rules over a million dossiers: from nothing, again, after a change of calendar, of a rule, of a few dossiers.

One store serves the benchmarks of one run. What is judged again had its flags before, and most of them stay. The figures
among five million dossiers take a quarter of an hour, so they are asked for: ``BENCH_LARGE=1 make bench``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Engine, text

from rules.grounds import Grounds
from tests.benchmarks.bench_store import ROWS, clock, empty_database, quiet
from tests.benchmarks.harness import Measurement, Run, at_most, at_most_times, benchmark
from tests.benchmarks.plausible import Changed, Plausible, grounds, rules, spec, unit, units
from tthc_monitor import ingest
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.evaluate import Evaluated, evaluate
from tthc_monitor.store.database import make_engine, transaction

CHANGES = 1_000
LARGE = bool(os.environ.get("BENCH_LARGE"))


def judge(engine: Engine, by: Grounds, *, everything: bool = False) -> Evaluated:
    return evaluate(engine, by, now=clock, everything=everything)


@contextmanager
def store(rows: int) -> Iterator[Engine]:
    """Dossiers of two sources, not judged yet."""
    quiet()
    with empty_database() as engine:
        for rich in (True, False):
            name = "rich" if rich else "plain"
            ingest.pull(engine, name, "made-up", Plausible(rows, rich=rich), now=clock)
        # An installation's server does this by itself, at an instant that nobody chooses.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE tthc.dossiers"))
        yield engine


def few_units_work_later(total: int, minutes: int) -> CalendarSpec:
    """The calendar with other hours for 1 % of the units, which have 1 % of the dossiers."""
    week = {day: [["08:00", "12:00"], ["13:00", f"16:{minutes}"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    variant = {"codes": [unit(number) for number in range(max(1, units(total) // 100))], "name": "later", "week": week}
    return CalendarSpec.model_validate({**spec().model_dump(by_alias=True), "units": [variant]})


def one_rule_changed() -> Grounds:
    return grounds(
        rules=tuple(
            rule.model_copy(update={"within_working_hours": 20}) if rule.code == "due_soon_24h" else rule
            for rule in rules()
        )
    )


def again_elsewhere(engine: Engine) -> dict[str, float]:
    """Judge everything in a process of its own: seconds and peak memory."""
    address = engine.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-m", __name__, address], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def rows_read(engine: Engine) -> int:
    """How many dossiers, observations and flags the server has read so far."""
    engine.dispose()  # a server process reports what it read at the latest when it ends
    time.sleep(0.2)
    query = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_all_tables WHERE relname = ANY(:names)"
    with transaction(engine) as connection:
        return int(connection.scalar(text(query), {"names": ["dossiers", "observations", "flags"]}) or 0)


@cache
def figures(rows: int) -> dict[str, Measurement]:
    """Everything measured on one store of so many dossiers."""
    run, found = Run(), {}
    ours, other_rule = grounds(), one_rule_changed()
    # Each is new to the store: its segments are compiled and written too.
    other_calendars = iter([grounds(calendar=few_units_work_later(rows, minutes)) for minutes in (30, 31, 32)])

    def measure(name: str, call: Any, count: int, **options: Any) -> None:
        found[name] = run.measure(name, call, rows=count, warm_up=False, **{"repeat": 1, **options})

    with store(rows) as engine:
        measure("first evaluation", lambda: judge(engine, ours), rows)
        with transaction(engine) as connection:
            flags = connection.scalar(text("SELECT count(*) FROM tthc.flags"))
        once = again_elsewhere(engine)
        found["everything again"] = _one(
            "everything again", once["seconds"], rows, f"{len(rules())} rules, {flags:,} flags"
        )
        found["peak"] = _one(
            "everything again", once["peak_mb"], rows, "peak of the process, without the database", unit="MB"
        )
        before = rows_read(engine)
        measure("nothing changed", lambda: judge(engine, ours), rows, repeat=3, note="an idle tick: reads no dossier")
        if rows_read(engine) != before:
            raise AssertionError("an evaluation with nothing to do has read dossiers, observations or flags")
        measure("one rule changed", lambda: judge(engine, other_rule), rows)
        measure(
            "calendar of 1 % changed",
            lambda: judge(engine, next(other_calendars)),
            rows,
            repeat=3,
            before=lambda: judge(engine, ours),
        )
        judge(engine, ours)
        changes = Changed(rows, CHANGES)
        measure(
            f"{CHANGES:,} changed among {rows:,}",
            lambda: judge(engine, ours),
            CHANGES,
            repeat=5,
            before=lambda: ingest.pull(engine, "rich", "made-up", changes, now=clock),
        )
    return found


def _one(label: str, value: float, rows: int, note: str, unit: str = "s") -> Measurement:
    return Measurement(label, value, rows, value, value, 1, note, unit)


def changed_among(rows: int) -> Measurement:
    return figures(rows)[f"{CHANGES:,} changed among {rows:,}"]


@benchmark("rules.full", what="judging a million dossiers again by all packs, most flags staying", budget=at_most(60))
def full(run: Run) -> list[Measurement]:
    found = figures(run.rows(ROWS))
    return [found[name] for name in ("everything again", "first evaluation", "one rule changed", "nothing changed")]


@benchmark("rules.memory", what="peak memory of judging a million dossiers again", budget=at_most(1536, "MB"))
def memory(run: Run) -> list[Measurement]:
    return [figures(run.rows(ROWS))["peak"]]


@benchmark(
    "rules.calendar",
    what="a change of the calendar of 1 % of the dossiers, beside judging all",
    budget=at_most_times(0.05),
)
def calendar_changed(run: Run) -> list[Measurement]:
    found = figures(run.rows(ROWS))
    return [found["calendar of 1 % changed"], found["everything again"]]


@benchmark(
    "rules.changed",
    what="judging 1,000 changed dossiers among five times as many as beside it",
    budget=at_most_times(1.3),
)
def changed(run: Run) -> list[Measurement]:
    rows = run.rows(ROWS)
    few, many = (rows, 5 * rows) if LARGE else (rows // 5, rows)
    return [changed_among(many), changed_among(few)]


def main() -> None:
    """Judge everything in the database at an address; print how long it took and the peak memory of this process."""
    quiet()
    engine = make_engine(sys.argv[1])
    by = grounds()
    began = time.perf_counter()
    judge(engine, by, everything=True)
    took = time.perf_counter() - began
    print(json.dumps({"seconds": took, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
