"""What watching costs: scrapes, the snapshot behind them, an idle tick; beside query-exporter with equivalent SQL.

The store has a million plausible dossiers, judged by the packs that leave some 50,000 findings standing; a small one is
measured beside it in the same run. ``BENCH_METRICS_URL`` names a database that was filled before. query-exporter is GPL-3:
it is installed into a folder of its own for the run and runs as a program; nothing of it is imported here.
"""

from __future__ import annotations

import gzip
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, event, text

from rules.grounds import Grounds
from rules.loader import load_packs
from tests.benchmarks.bench_rules import judge, store
from tests.benchmarks.bench_store import ROWS, clock, quiet
from tests.benchmarks.harness import Measurement, Run, Skip, at_most, at_most_times, benchmark
from tests.benchmarks.plausible import grounds
from tthc_monitor.outputs.metrics import ScrapeSettings
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.serving import WebServer
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.web import make_app

SMALL = 10_000
SERIES = 20_000
SCRAPERS = 20
SCRAPES = 600

# What the same gauges cost who asks for them by SQL on the audit views, as query-exporter does at every refresh.
_EQUIVALENT = """
SELECT coalesce(v.unit_code, 'unknown') AS unit, coalesce(v.procedure_code, 'unknown') AS procedure,
       count(*) FILTER (WHERE v.verdict IN ('open_in_time', 'open_overdue', 'cannot_tell') AND (v.ended_at > now()) IS NOT FALSE) AS dossiers_open,
       count(*) FILTER (WHERE v.verdict = 'open_overdue') AS dossiers_overdue
FROM audit.verdicts_as_of(now()) v WHERE v.kind = 'dossier' GROUP BY 1, 2
HAVING count(*) FILTER (WHERE (v.ended_at > now()) IS NOT FALSE) > 0
"""


@cache
def judged_by() -> Grounds:
    """Packs by which about 50,000 findings stand on a million of these dossiers."""
    return grounds(rules=load_packs(("core", "duties"), Path()))


@contextmanager
def filled(rows: int) -> Iterator[Engine]:
    """A store of so many dossiers, judged."""
    quiet()
    address = os.environ.get("BENCH_METRICS_URL")
    if address and rows > SMALL:
        engine = make_engine(address)
        yield engine
        engine.dispose()
        return
    with store(rows) as engine:
        judge(engine, judged_by())
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield engine


def snapshot(engine: Engine) -> None:
    with transaction(engine) as connection:
        take_snapshot(connection, clock(), judged_by().calendars)


def settings() -> ScrapeSettings:
    return ScrapeSettings(judged_by().calendars, max_series=SERIES, now=clock)


@contextmanager
def in_database(engine: Engine) -> Iterator[list[float]]:
    """Seconds that each statement took meanwhile."""
    took: list[float] = []
    began: dict[int, float] = {}

    def before(connection: Any, *_: Any) -> None:
        began[id(connection)] = time.perf_counter()

    def after(connection: Any, *_: Any) -> None:
        took.append(time.perf_counter() - began[id(connection)])

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield took
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def scrape(url: str) -> bytes:
    """As Prometheus does: compressed, and unpacked here."""
    asked = urllib.request.Request(f"{url}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return gzip.decompress(answer.read())


def scrape_elsewhere(url: str, scrapes: int) -> list[float]:
    """Seconds of each of so many scrapes, twenty at a time, asked by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, url, str(scrapes)], capture_output=True, text=True, check=True
    )
    return [float(line) for line in done.stdout.split()]


@cache
def figures(rows: int) -> dict[str, Any]:
    """Everything measured on one store."""
    found: dict[str, Any] = {}
    run = Run()
    with filled(rows) as engine:
        found["snapshot"] = run.measure("snapshot", lambda: snapshot(engine), rows=rows, repeat=15)
        with transaction(engine) as connection:
            standing = "SELECT count(*) FROM tthc.open_findings WHERE starts_at <= :now AND ends_at > :now"
            found["standing"] = connection.scalar(text(standing), {"now": clock()})
            found["open"] = connection.scalar(text("SELECT count(*) FROM tthc.dossiers WHERE end_seen_at IS NULL"))
        found["idle"] = idle(engine, rows)
        with WebServer(make_app(engine, settings()), "127.0.0.1", 0) as web:
            body = scrape(web.url)
            found["series"] = len(re.findall(rb"^[a-z]", body, re.MULTILINE))
            found["scrapes"] = scrape_elsewhere(web.url, SCRAPES)
            found["alone"] = run.measure("one at a time", lambda: scrape(web.url), rows=found["series"], repeat=30)
            stop = threading.Event()
            replacing = threading.Thread(target=lambda: [snapshot(engine) for _ in iter(lambda: stop.wait(2), True)])
            replacing.start()
            found["replaced"] = scrape_elsewhere(web.url, SCRAPES)
            stop.set()
            replacing.join()
        found["exporter"] = query_exporter(engine, rows)
    return found


def idle(engine: Engine, rows: int) -> Measurement:
    """Database time of evaluations that find nothing to do."""
    judge(engine, judged_by())
    each = []
    for _ in range(20):
        with in_database(engine) as took:
            judge(engine, judged_by())
        each.append(sum(took))
    return Measurement("idle tick", statistics.median(each), rows, min(each), max(each), 20, f"{len(took)} statements")


def query_exporter(engine: Engine, rows: int) -> Measurement | str:
    """One refresh of query-exporter with the equivalent SQL, by its own account; why not, when it cannot run here."""
    with tempfile.TemporaryDirectory(prefix="query-exporter-") as folder:
        place = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True, capture_output=True)
        installed = subprocess.run(
            [place / "venv/bin/pip", "install", "-q", "query-exporter", "psycopg2-binary"],
            capture_output=True,
            check=False,
        )
        if installed.returncode:
            return "query-exporter could not be installed"
        gauges = {
            name: {"type": "gauge", "labels": ["unit", "procedure"]} for name in ("dossiers_open", "dossiers_overdue")
        }
        address = engine.url.render_as_string(hide_password=False)
        query = {"databases": ["store"], "metrics": [*gauges], "sql": _EQUIVALENT, "interval": 5}
        configuration = {"databases": {"store": {"dsn": address}}, "metrics": gauges, "queries": {"verdicts": query}}
        (place / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        program = [
            place / "venv/bin/query-exporter",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--config",
            place / "config.yaml",
        ]
        running = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            return _latency(port, rows)
        finally:
            running.kill()
            running.wait()


def _latency(port: int, rows: int) -> Measurement | str:
    """The mean of what its own histogram says, after some refreshes."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        time.sleep(2)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                told = answer.read().decode()
        except OSError:
            continue
        count = re.search(r"^query_latency_count\{[^}]*\} (\S+)$", told, re.MULTILINE)
        total = re.search(r"^query_latency_sum\{[^}]*\} (\S+)$", told, re.MULTILINE)
        if count and total and float(count[1]) >= 3:
            mean = float(total[1]) / float(count[1])
            return Measurement(
                "query-exporter", mean, rows, mean, mean, int(float(count[1])), "two of our gauges, a refresh"
            )
    return "query-exporter gave no figures within 3 minutes"


def _of(label: str, seconds: list[float], series: int, share: float, note: str = "") -> Measurement:
    ordered = sorted(seconds)
    value = ordered[min(len(ordered) - 1, round(share * len(ordered)))]
    return Measurement(label, value, series, ordered[0], ordered[-1], len(ordered), note)


def _scraped(run: Run, share: float) -> list[Measurement]:
    large, small = figures(run.rows(ROWS)), figures(SMALL)
    return [
        _of(f"{SCRAPERS} at once", large["scrapes"], large["series"], share, f"{large['series']:,} series"),
        _of("while the snapshot is replaced", large["replaced"], large["series"], share),
        _of(f"{SMALL:,} dossiers", small["scrapes"], small["series"], share, f"{small['series']:,} series"),
        large["alone"],
    ]


@benchmark("metrics.scrape_median", what="a scrape of 20,000 series, twenty at once: the median", budget=at_most(0.03))
def scrape_median(run: Run) -> list[Measurement]:
    return _scraped(run, 0.5)


@benchmark("metrics.scrape_p99", what="the same: the 99th percentile", budget=at_most(0.1))
def scrape_p99(run: Run) -> list[Measurement]:
    return _scraped(run, 0.99)


@benchmark("metrics.snapshot", what="the snapshot behind the scrapes, on a million dossiers", budget=at_most(0.15))
def snapshot_of_a_million(run: Run) -> list[Measurement]:
    large, small = figures(run.rows(ROWS)), figures(SMALL)
    note = f"{large['open']:,} open, {large['standing']:,} findings stand; load {os.getloadavg()[0]:.1f}"
    ours: Measurement = large["snapshot"]
    found = [Measurement(ours.label, ours.seconds, ours.rows, ours.fastest, ours.slowest, ours.repeats, note)]
    return [*found, small["snapshot"], *([large["exporter"]] if isinstance(large["exporter"], Measurement) else [])]


@benchmark("metrics.idle", what="database time of an evaluation with nothing to do", budget=at_most(0.01))
def idle_tick(run: Run) -> list[Measurement]:
    return [figures(run.rows(ROWS))["idle"], figures(SMALL)["idle"]]


@benchmark("metrics.query_exporter", what="the snapshot beside a refresh of query-exporter", budget=at_most_times(1))
def beside_query_exporter(run: Run) -> list[Measurement]:
    found = figures(run.rows(ROWS))
    if isinstance(found["exporter"], str):
        raise Skip(found["exporter"])
    return [found["snapshot"], found["exporter"]]


def main(url: str, scrapes: int) -> None:
    """Scrape so many times, twenty at once, and print the seconds of each."""
    took: list[float] = []

    def go_on() -> None:
        for _ in range(scrapes // SCRAPERS):
            began = time.perf_counter()
            asked = urllib.request.Request(f"{url}/metrics", headers={"Accept-Encoding": "gzip"})
            with urllib.request.urlopen(asked, timeout=60) as answer:
                answer.read()
            took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=go_on) for _ in range(SCRAPERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    print("\n".join(map(str, took)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
