"""The thirty questions of docs/auditors.md, asked by an inspector's login on a million dossiers, and what the ledger takes.

``BENCH_AUDIT_URL`` names a database that :mod:`tests.benchmarks.audit_store` has filled, to ask again without filling.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

import psycopg2
from sqlalchemy import Engine, text

from tests.benchmarks.audit_store import fill
from tests.benchmarks.bench_store import empty_database, quiet
from tests.benchmarks.harness import Measurement, Run, at_most, at_most_times, benchmark
from tests.benchmarks.plausible import unit
from tests.postgres.test_auditors_questions import QUESTIONS
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import make_engine, transaction

DOSSIERS = 1_000_000
REPEATS = 3

_RICH_CODE = """
    SELECT code FROM audit.dossiers
    WHERE unit_code = :unit AND ended_at > due_current AND due_moves > 0 AND source = 'rich'
    ORDER BY received_at DESC LIMIT 1
"""
_INHERITED = "SELECT min(from_code) FROM audit.unit_successions"
# Version 2 of the ledger has the hash of an observation, three numbers that name it, and what was observed.
_STORAGE = f"""
    SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
            WHERE inhparent = 'tthc.observations'::regclass) / count(*)::float AS on_disk,
           avg({" + ".join(f"coalesce(pg_column_size({name}), 0)" for name in OBSERVED_SCHEMA)}
               + pg_column_size(seen_at) + 8 + 8 + 2 + 32) AS information,
           count(*) AS rows
    FROM tthc.observations
"""


@dataclass(frozen=True)
class Asked:
    """What a question cost. ``reads_all``: its plan reads a part of the ledger from end to end."""

    number: int
    seconds: float
    rows: int
    reads_all: bool


@dataclass(frozen=True)
class Answered:
    """All questions on one store, and what the ledger takes there: bytes an observation, on disk and as information."""

    asked: tuple[Asked, ...]
    on_disk: float
    information: float
    observations: int
    flags: int


@contextmanager
def store(dossiers: int) -> Iterator[Engine]:
    """A filled store."""
    address = os.environ.get("BENCH_AUDIT_URL")
    if address:
        engine = make_engine(address)
        yield engine
        engine.dispose()
        return
    with empty_database() as engine:
        fill(engine, dossiers)
        yield engine


def queries(engine: Engine) -> dict[int, str]:
    """The queries, asking about what this store has."""
    first = unit(1)
    with transaction(engine) as connection:
        code = connection.scalar(text(_RICH_CODE), {"unit": first})
        inherited = connection.scalar(text(_INHERITED))
    instead = {"'H99.01-261001-0001'": f"'{code}'", "'H99.01'": f"'{first}'", "'H99.90'": f"'{inherited}'"}
    found = {number: question.query for number, question in QUESTIONS.items()}
    for known, ours in instead.items():
        found = {number: query.replace(known, ours) for number, query in found.items()}
    return found


def ask_all(engine: Engine) -> tuple[Asked, ...]:
    """Each question as an inspector asks it, once for the caches and then timed."""
    name = f"bench_{uuid4().hex[:12]}"
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name).render_as_string(hide_password=False)
    session = psycopg2.connect(address)
    session.autocommit = True
    try:
        return tuple(_ask(session, number, query) for number, query in sorted(queries(engine).items()))
    finally:
        session.close()
        with transaction(engine) as connection:
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


def _ask(session: psycopg2.extensions.connection, number: int, query: str) -> Asked:
    times = []
    with session.cursor() as cursor:
        for _ in range(REPEATS + 1):
            began = time.perf_counter()
            cursor.execute(query)
            rows = len(cursor.fetchall())
            times.append(time.perf_counter() - began)
        cursor.execute("EXPLAIN " + query)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    return Asked(number, statistics.median(times[1:]), rows, bool(re.search(r"Seq Scan on observations", plan)))


@cache
def answered(dossiers: int) -> Answered:
    """Everything measured on one store."""
    quiet()
    with store(dossiers) as engine:
        asked = ask_all(engine)
        with transaction(engine) as connection:
            on_disk, information, observations = connection.execute(text(_STORAGE)).one()
            flags = connection.scalar(text("SELECT count(*) FROM tthc.flags"))
    return Answered(asked, float(on_disk), float(information), observations, int(flags or 0))


def _one(label: str, value: float, rows: int, note: str = "", unit: str = "s") -> Measurement:
    return Measurement(label, value, max(rows, 1), value, value, REPEATS, note, unit)


def _remark(one: Asked) -> str:
    remarks = {"finds nothing here": not one.rows, "reads the whole ledger": one.reads_all}
    return ", ".join(remark for remark, holds in remarks.items() if holds)


def _load() -> str:
    return "load " + " ".join(f"{part:.1f}" for part in os.getloadavg())


@benchmark("audit.median", what="the median of thirty questions on a million dossiers", budget=at_most(0.2))
def median(run: Run) -> list[Measurement]:
    found = answered(run.rows(DOSSIERS))
    middle = statistics.median(one.seconds for one in found.asked)
    each = [_one(f"{one.number}", one.seconds, one.rows, _remark(one)) for one in found.asked]
    return [
        _one("median", middle, len(each), f"{found.observations:,} observations, {found.flags:,} flags; {_load()}"),
        *each,
    ]


@benchmark("audit.slowest", what="the slowest of thirty questions on a million dossiers", budget=at_most(2.0))
def slowest(run: Run) -> list[Measurement]:
    found = answered(run.rows(DOSSIERS))
    worst = max(found.asked, key=lambda one: one.seconds)
    reading = [one.number for one in found.asked if one.reads_all]
    if reading:
        raise AssertionError(f"questions {reading} read the whole ledger")
    return [_one(f"question {worst.number}", worst.seconds, worst.rows, QUESTIONS[worst.number].title)]


@benchmark(
    "audit.storage",
    what="bytes an observation on disk, indexes included, beside those of its information",
    budget=at_most_times(2),
)
def storage(run: Run) -> list[Measurement]:
    found = answered(run.rows(DOSSIERS))
    return [
        _one("on disk", found.on_disk, found.observations, "with indexes, free space and visibility map", "bytes"),
        _one("information", found.information, found.observations, "values that are there, two ids, a hash", "bytes"),
    ]
