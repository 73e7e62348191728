"""The morning's digests: two hundred mails with their attachments over a store of a million dossiers.

Recipients are as a province has them: the heads of 150 units, 30 for several units, 15 for a sector, five for everything,
one of them an inspector. ``BENCH_DIGEST_URL`` names a database that was filled and judged by all packs before. The figures
come from a process of its own, whose memory is told without that of the database.
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
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Engine, event, text

from tests.benchmarks.bench_rules import judge, store
from tests.benchmarks.bench_store import ROWS, quiet
from tests.benchmarks.harness import Measurement, Run, at_most, benchmark
from tests.benchmarks.plausible import grounds, spec, unit, units
from tthc_monitor.outputs.audience import Audience, Links
from tthc_monitor.outputs.digest import build_digest, render_digest
from tthc_monitor.outputs.digest_facts import read_digest_facts
from tthc_monitor.outputs.transfer import encoded_size
from tthc_monitor.store.database import make_engine

RECIPIENTS = 200
AT = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
"""A Wednesday, half past seven in Viet Nam; the Tuesday before it is a public holiday."""

_LINKS = Links("https://mau.example/digest/acknowledge/t", "mailto:a@mau.example", "https://mau.example", None)


def audiences(total: int) -> list[Audience]:
    """Whom a province's mails go to."""
    codes = [unit(number) for number in range(units(total))]
    several = [frozenset(codes[first::30]) for first in range(30)]
    return [
        *(Audience(frozenset({codes[number % len(codes)]}), role="head") for number in range(150)),
        *(Audience(found) for found in several),
        *(Audience(None, frozenset({f"L{number:02d}"})) for number in range(15)),
        *(Audience(role="inspector" if number == 0 else "staff") for number in range(5)),
    ]


def deliver(engine: Engine, total: int) -> dict[str, float]:
    """Make all mails as the job does, keeping none: seconds, those of them in the database, bytes, peak memory."""
    took: list[float] = []
    began: dict[int, float] = {}
    event.listen(engine, "before_cursor_execute", lambda *_: began.update({0: time.perf_counter()}))
    event.listen(engine, "after_cursor_execute", lambda *_: took.append(time.perf_counter() - began[0]))
    start = time.perf_counter()
    with engine.connect() as connection:
        facts = read_digest_facts(connection, AT, spec().compile_all())
    read = time.perf_counter() - start
    largest = sent = rows = 0
    wanted = audiences(total)
    for audience in wanted:
        mail = render_digest(build_digest(facts, audience, links=_LINKS))
        largest = max(largest, encoded_size(mail.html, mail.text))
        sent += len(mail.html) + len(mail.text) + sum(len(one.content) for one in mail.attachments)
        rows = max(rows, mail.counts["overdue"])
    return {
        "seconds": time.perf_counter() - start,
        "read": read,
        "database": sum(took),
        "mails": len(wanted),
        "largest": largest,
        "sent": sent,
        "overdue": rows,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


@contextmanager
def filled(rows: int) -> Iterator[Engine]:
    """A store of so many dossiers, judged by all packs."""
    quiet()
    if address := os.environ.get("BENCH_DIGEST_URL"):
        engine = make_engine(address)
        yield engine
        engine.dispose()
        return
    with store(rows) as engine:
        judge(engine, grounds())
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield engine


@cache
def figures(rows: int) -> list[dict[str, float]]:
    """Three mornings, each in a process of its own."""
    with filled(rows) as engine:
        address = engine.url.render_as_string(hide_password=False)
        program = [sys.executable, "-m", __name__, address, str(rows)]
        runs = [subprocess.run(program, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    return [json.loads(one) for one in runs]


def _of(label: str, runs: list[dict[str, float]], key: str, rows: int, note: str, unit: str = "s") -> Measurement:
    values = sorted(one[key] for one in runs)
    return Measurement(label, values[1], rows, values[0], values[-1], len(runs), note, unit)


@benchmark("digest.mails", what="200 digests with attachments over 1,000,000 dossiers", budget=at_most(20))
def mails(run: Run) -> list[Measurement]:
    """All of it, from the first query to the last attachment."""
    rows = run.rows(ROWS)
    runs = figures(rows)
    told = f"{runs[0]['mails']:.0f} mails, {runs[0]['sent'] / 1e6:.0f} MB, {runs[0]['overdue']:,.0f} overdue"
    return [
        _of("all of it", runs, "seconds", RECIPIENTS, told),
        _of("reading the facts", runs, "read", RECIPIENTS, "all recipients' at once"),
        _of("in the database", runs, "database", RECIPIENTS, "its part of that"),
    ]


@benchmark("digest.memory", what="peak memory of the process meanwhile", budget=at_most(500, "MB"))
def memory(run: Run) -> list[Measurement]:
    """Without the database."""
    return [_of("peak", figures(run.rows(ROWS)), "peak_mb", RECIPIENTS, "of the process", "MB")]


@benchmark("digest.size", what="the largest mail, HTML and text together as they are sent", budget=at_most(100, "kB"))
def size(run: Run) -> list[Measurement]:
    """Mail programs cut off what is longer."""
    runs = [{"kb": one["largest"] / 1e3} for one in figures(run.rows(ROWS))]
    return [_of("largest", runs, "kb", RECIPIENTS, "without the attachment", "kB")]


def main(address: str, rows: str) -> dict[str, Any]:
    """One morning in this process."""
    quiet()
    return deliver(make_engine(address), int(rows))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
