"""The database is stopped and started again, several times, while the service pulls, judges and is scraped."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import Engine

from tests.end_to_end.test_cli import configure, folder, running, said
from tests.postgres.test_ledger import query
from tthc_monitor.store import embedded, migrate
from tthc_monitor.store.database import make_engine
from tthc_monitor.verification import verify

__all__ = ["folder"]

RESTARTS = 3
PATIENCE = 90.0
HURRIED = (
    "from tthc_monitor import cli, running, scheduler; from datetime import timedelta; scheduler._TICK_SECONDS = 0.2; \
running._BACK_OFF = timedelta(seconds=0.5); cli.main()"
)
SOURCE = """
serve: {{port: 0}}
rules: {{packs: [core]}}
database: {{url: '{url}'}}
sources:
  - name: thu
    kind: files
    every: 1s
    options:
      path: ho-so.csv
      zone: Asia/Ho_Chi_Minh
      columns: {{source_key: ma, received_at: {{column: nhan, format: "%d/%m/%Y"}}, due_current: {{column: hen, format: "%d/%m/%Y"}}}}
"""


class Desk:
    """A source that goes on growing."""

    def __init__(self, path: Path) -> None:
        self._path, self.rows, self._over = path, 0, threading.Event()
        self._thread = threading.Thread(target=self._grow)

    def __enter__(self) -> Desk:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _grow(self) -> None:
        while not self._over.is_set():
            self.rows += 7
            rows = "".join(f"{number},02/01/2026,09/01/2026\n" for number in range(self.rows))
            new = self._path.with_suffix(".new")
            new.write_text(f"ma,nhan,hen\n{rows}", encoding="utf-8")
            new.replace(self._path)
            self._over.wait(0.1)


@contextmanager
def scraped(url: str) -> Iterator[list[int]]:
    """What Prometheus, and whoever watches over processes, get to see meanwhile."""
    answers: list[int] = []
    over = threading.Event()

    def scrape() -> None:
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            while not over.wait(0.05):
                assert client.get("/metrics").status_code == 200
                assert client.get("/-/healthy").status_code == 200
                answers.append(client.get("/-/ready").status_code)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def until(what: Callable[[], bool], told: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "".join(told[-30:])
        time.sleep(0.05)


def held(engine: Engine) -> int:
    return int(query(engine, "SELECT count(*) FROM tthc.dossiers")[0])


def test_the_service_survives_restarts_of_its_database_under_load(folder: Path) -> None:
    server = embedded.start(folder / "data", fast_and_unsafe=True)
    engine = make_engine(server.url())
    try:
        migrate.upgrade(engine)
        configure(folder, SOURCE.format(url=server.url()))
        with (
            Desk(folder / "ho-so.csv") as desk,
            running("-c", HURRIED, "serve", cwd=folder, program=sys.executable) as (process, lines),
        ):
            url = said(lines, r'"url": "(http://[^"]+)"', process)
            with scraped(url) as answers:
                for _ in range(RESTARTS):
                    before = held(engine)
                    until(lambda before=before: held(engine) > before, lines)
                    engine.dispose()
                    server.stop()
                    seen = len(answers)
                    until(lambda seen=seen: 503 in answers[seen:], lines)
                    server = embedded.start(folder / "data", port=server.port, fast_and_unsafe=True)
                    seen = len(answers)
                    until(lambda seen=seen: 200 in answers[seen:], lines)
                desk.stop()
                until(lambda: held(engine) == desk.rows, lines)
                until(lambda: query(engine, "SELECT count(*) FROM tthc.pending_evaluations") == [0], lines)
            assert process.poll() is None, "it was never started again"
            process.terminate()
            assert process.wait(60) == 0, lines
        # Of a COPY that is cut off the driver itself prints what it was told.
        told = [json.loads(line) for line in lines if line.startswith("{")]
        assert not [line for line in told if "frames" in line], "nothing unexpected, only a database that is away"
        assert query(engine, "SELECT count(*), count(DISTINCT source_key) FROM tthc.dossiers") == [
            (desk.rows, desk.rows)
        ]
        assert query(engine, "SELECT count(*) FROM audit.verdicts_now") == [desk.rows]
        assert verify(engine).sound
    finally:
        engine.dispose()
        server.stop()
