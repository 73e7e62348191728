"""A database that takes connections and says nothing: who asks us about it gets an answer all the same, and in time."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest
from sqlalchemy import Engine

from tests.postgres.seed import SCRAPED, seed, snapshot_at
from tthc_monitor.serving import WebServer
from tthc_monitor.store import database
from tthc_monitor.web import health, make_app, scrapes

PATIENCE = 0.5
"""So long scrapes and pages wait here."""
AT_ONCE = 9


class Line:
    """A line to the database that can be held up: what is sent meanwhile comes later."""

    def __init__(self, port: int) -> None:
        self.opened = 0
        self._target = port
        self._flows = threading.Event()
        self._flows.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    def close(self) -> None:
        self._flows.set()
        for one in (self._listener, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self.opened += 1
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(engine: Engine) -> Iterator[Line]:
    with engine.begin() as connection:
        seed(connection)
        snapshot_at(connection)
    assert engine.url.port is not None
    line = Line(engine.url.port)
    yield line
    line.close()


@pytest.fixture
def behind(engine: Engine, line: Line) -> Iterator[Engine]:
    """An engine that comes to the database over the line."""
    behind = database.make_engine(engine.url.set(host="127.0.0.1", port=line.port))
    yield behind
    behind.dispose()


@contextmanager
def served(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(scrapes, "_PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(health, "_PATIENCE_SECONDS", PATIENCE)
    with (
        WebServer(make_app(engine, SCRAPED), "127.0.0.1", 0) as web,
        httpx.Client(base_url=web.url, timeout=10, trust_env=False) as client,
    ):
        yield client


def names(text: str) -> set[str]:
    return set(re.findall(r"^(tthc_\w+)", text, re.MULTILINE))


def test_prometheus_does_not_wait_longer_than_ours() -> None:
    assert health._PATIENCE_SECONDS < scrapes._PATIENCE_SECONDS < 10, "the scrape_timeout of Prometheus"


def test_a_scrape_is_told_in_time_and_none_piles_up(
    line: Line, behind: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(behind, monkeypatch) as client:
        assert "tthc_database_up 1.0" in client.get("/metrics").text
        opened = line.opened
        with line.frozen():
            for within in (PATIENCE + 1, 1.0, 1.0):
                began = time.monotonic()
                answer = client.get("/metrics")
                assert time.monotonic() - began < within
                assert answer.status_code == 200 and "tthc_database_up 0.0" in answer.text
                assert names(answer.text) == {
                    "tthc_on_time_objective_ratio",
                    "tthc_overdue_limit_working_seconds",
                    "tthc_monitor_build_info",
                    "tthc_monitor_address_info",
                    "tthc_database_up",
                    "tthc_collect_duration_seconds",
                }
        deadline = time.monotonic() + 10
        while "tthc_database_up 1.0" not in (answer := client.get("/metrics")).text:
            assert time.monotonic() < deadline
        assert "tthc_dossiers_open{" in answer.text
    assert line.opened == opened, "no scrape opened a connection of its own"


@pytest.mark.parametrize("path", ["/", "/-/ready"])
def test_pages_say_so_in_time_however_many_are_asked_for(
    path: str, behind: Engine, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(behind, monkeypatch) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        assert client.get(path).status_code == 200
        with line.frozen():
            began = time.monotonic()
            answers = [one.result() for one in [pool.submit(client.get, path) for _ in range(AT_ONCE)]]
            assert client.get("/-/healthy").status_code == 200
            assert time.monotonic() - began < PATIENCE + 2
            assert {one.status_code for one in answers} == {503}
            assert {("Chưa đọc được số liệu" if path == "/" else "not ready") in one.text for one in answers} == {True}
        deadline = time.monotonic() + 10
        while client.get(path).status_code != 200:
            assert time.monotonic() < deadline


LIMITS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
)


def limits(engine: Engine) -> list[int]:
    """What the system was told about the line of a new connection."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as line:
            return [line.getsockopt(*one) for one in LIMITS]


def test_a_line_that_died_without_a_word_is_noticed_within_a_minute(engine: Engine) -> None:
    assert limits(engine) == [1, 30, 10, 3, 60_000]
    other = database.make_engine(engine.url.update_query_dict({"keepalives_idle": "7", "tcp_user_timeout": "9000"}))
    try:
        assert limits(other) == [1, 7, 10, 3, 9_000], "the operator's own address goes before"
    finally:
        other.dispose()
