"""A small benchmark harness: figures, and ratios measured side by side in one run.

A file ``tests/benchmarks/bench_*.py`` registers functions::

    from tests.benchmarks.harness import Measurement, Run, at_least, benchmark

    @benchmark("store.copy", what="records into the ledger by COPY", budget=at_least(300_000))
    def copy(run: Run) -> list[Measurement]:
        rows = run.rows(1_000_000)                      # 1,000,000 times --scale
        frame = make(rows)                              # preparing is not measured
        return [
            run.measure("COPY", lambda: store.copy(frame), rows=rows),
            run.measure("row by row", lambda: slow(frame[:200]), rows=200, repeat=1, note="on 200 rows"),
        ]

The first measurement is ours: the budget judges it. Every further one is a rival, and its ratio says how many times
longer it takes per row. Budgets: ``at_least(rows per second)``; ``at_most(seconds)``, judged only at scale 1; and
``at_most_times(n)``: ours takes at most n times what the second measurement does, both in this run. ``before=`` of ``measure`` runs, unmeasured, ahead of every repeat (empty a table). A benchmark that cannot run
here raises :class:`Skip`. The figure is the median of the repeats; one unmeasured warm-up call goes ahead of them.

``python -m tests.benchmarks [--only NAME] [--scale F] [--json PATH] [--strict]`` runs all of them. It exits with 1 when
a benchmark raises, or with ``--strict`` when a budget is missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


class Skip(Exception):
    """This benchmark cannot run here; the message says why."""


@dataclass(frozen=True)
class Budget:
    """What the first measurement must reach."""

    rate: float | None = None
    seconds: float | None = None
    times: float | None = None
    unit: str = "s"

    def __str__(self) -> str:
        if self.times is not None:
            return f"<= {self.times:g} x the second"
        return f">= {quantity(self.rate)} rows/s" if self.rate is not None else f"<= {self.seconds:g} {self.unit}"

    def met(self, measurements: Sequence[Measurement], scale: float) -> bool | None:
        """Whether it is met; None when it cannot be judged at this scale."""
        measurement = measurements[0]
        if self.times is not None:
            return measurement.seconds <= self.times * measurements[1].seconds
        if self.rate is not None:
            return measurement.rate >= self.rate
        return measurement.seconds <= (self.seconds or 0.0) if scale == 1 else None


def at_least(rate: float) -> Budget:
    """A budget in rows per second."""
    return Budget(rate=rate)


def at_most(seconds: float, unit: str = "s") -> Budget:
    """A budget in seconds (or MB, as the measurement says) for the whole, judged at scale 1."""
    return Budget(seconds=seconds, unit=unit)


def at_most_times(times: float) -> Budget:
    """A budget against the second measurement of the same run."""
    return Budget(times=times)


@dataclass(frozen=True)
class Measurement:
    """Median seconds for so many rows, with the fastest and the slowest repeat. ``unit`` may say MB instead of s."""

    label: str
    seconds: float
    rows: int
    fastest: float
    slowest: float
    repeats: int
    note: str = ""
    unit: str = "s"

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds else float("inf")


@dataclass(frozen=True)
class Run:
    """What a benchmark is given."""

    scale: float = 1.0

    def rows(self, full: int) -> int:
        """``full`` times the scale, at least 1."""
        return max(1, round(full * self.scale))

    def measure(
        self,
        label: str,
        call: Callable[[], object],
        *,
        rows: int,
        repeat: int = 5,
        before: Callable[[], object] | None = None,
        warm_up: bool = True,
        note: str = "",
    ) -> Measurement:
        """Time ``call``, which works on ``rows`` rows."""
        times = []
        for number in range(repeat + warm_up):
            if before is not None:
                before()
            began = time.perf_counter()
            call()
            took = time.perf_counter() - began
            if number >= warm_up:
                times.append(took)
        return Measurement(label, statistics.median(times), rows, min(times), max(times), repeat, note)


Function = Callable[[Run], Sequence[Measurement]]


@dataclass(frozen=True)
class Benchmark:
    """A registered function."""

    name: str
    what: str
    budget: Budget | None
    function: Function


REGISTRY: dict[str, Benchmark] = {}


def benchmark(name: str, what: str, budget: Budget | None = None) -> Callable[[Function], Function]:
    """Register a function under a name that no other has."""

    def register(function: Function) -> Function:
        if name in REGISTRY:
            raise ValueError(f"two benchmarks are named {name}; rename one")
        REGISTRY[name] = Benchmark(name, what, budget, function)
        return function

    return register


@dataclass(frozen=True)
class Result:
    """One benchmark after the run. ``status``: ok, missed, not judged, no budget, skipped or failed."""

    benchmark: Benchmark
    status: str
    measurements: Sequence[Measurement] = ()
    message: str = ""

    def ratio(self, measurement: Measurement) -> float:
        """How many times longer than ours per row."""
        return self.measurements[0].rate / measurement.rate

    def as_json(self) -> dict[str, Any]:
        """Plain data for the report."""
        return {
            "name": self.benchmark.name,
            "what": self.benchmark.what,
            "budget": str(self.benchmark.budget) if self.benchmark.budget else None,
            "status": self.status,
            "message": self.message,
            "measurements": [
                {**asdict(one), "rows_per_second": one.rate, "ratio_to_first": self.ratio(one)}
                for one in self.measurements
            ],
        }


def run_one(one: Benchmark, run: Run) -> Result:
    """Run a benchmark; whatever it raises becomes its result."""
    try:
        measurements = one.function(run)
    except Skip as reason:
        return Result(one, "skipped", message=str(reason))
    except Exception as error:  # noqa: BLE001  (the other benchmarks still have their turn)
        traceback.print_exc()
        return Result(one, "failed", message=f"{type(error).__name__}: {error}")
    if one.budget is None:
        return Result(one, "no budget", measurements)
    met = one.budget.met(measurements, run.scale)
    return Result(one, {True: "ok", False: "missed", None: "not judged"}[met], measurements)


def quantity(value: float) -> str:
    """Three digits and a unit: 12.3 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _figures(one: Measurement) -> tuple[str, str, str]:
    if one.unit != "s":
        return f"{one.seconds:,.0f} {one.unit}", "", ""
    return duration(one.seconds), quantity(one.rate), duration(one.seconds / one.rows)


def show(results: Sequence[Result], console: Console) -> None:
    """The table for people."""
    table = Table(title="Benchmarks (median of repeats; ratio: time per row against the first line)")
    for column, right in (("benchmark", 0), ("measured", 0), ("rows", 1), ("time", 1), ("rows/s", 1), ("per row", 1)):
        table.add_column(column, justify="right" if right else "left")
    table.add_column("ratio", justify="right")
    table.add_column("budget")
    for result in results:
        status = result.status.upper() if result.status in ("missed", "failed") else result.status
        budget = f"{result.benchmark.budget}: {status}" if result.benchmark.budget else status
        if not result.measurements:
            table.add_row(result.benchmark.name, result.message, "", "", "", "", "", budget)
        for number, one in enumerate(result.measurements):
            table.add_row(
                result.benchmark.name if number == 0 else "",
                one.label + (f" ({one.note})" if one.note else ""),
                f"{one.rows:,}",
                *_figures(one),
                "1" if number == 0 else f"{result.ratio(one):,.3g} x",
                budget if number == 0 else "",
            )
        table.add_section()
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Run the benchmarks.")
    parser.add_argument("--only", metavar="NAME", help="those whose name begins so")
    parser.add_argument("--scale", type=float, default=1.0, metavar="F", help="factor on the number of rows")
    parser.add_argument("--json", type=Path, default=Path("out/bench.json"), metavar="PATH", help="figures as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 also when a budget is missed")
    options = parser.parse_args(arguments)

    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        importlib.import_module(f"{__package__}.{path.stem}")
    chosen = [one for name, one in sorted(REGISTRY.items()) if name.startswith(options.only or "")]
    if not chosen:
        parser.error(f"no benchmark begins with '{options.only}'; there are {', '.join(sorted(REGISTRY)) or 'none'}")
    results = [run_one(one, Run(options.scale)) for one in chosen]

    show(results, Console(width=None if sys.stdout.isatty() else 160))
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "scale": options.scale,
        "benchmarks": [result.as_json() for result in results],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    statuses = {result.status for result in results}
    return int("failed" in statuses or (options.strict and "missed" in statuses))
