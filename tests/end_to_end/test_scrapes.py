"""Scrapes over real HTTP: compressed or not, many at once, while the snapshot is replaced and while the database is gone."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, event, text

from tests.postgres.seed import NOW, SCRAPED, seed, snapshot_at
from tthc_monitor.outputs.metrics import ScrapeSettings
from tthc_monitor.serving import WebServer
from tthc_monitor.store import database
from tthc_monitor.web import make_app
from tthc_monitor.web.scrapes import takes_gzip

AT_ONCE = 12


@pytest.fixture
def world(engine: Engine) -> Engine:
    with engine.begin() as connection:
        seed(connection)
        snapshot_at(connection)
    return engine


@contextmanager
def served(engine: Engine, settings: ScrapeSettings = SCRAPED) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=2 * AT_ONCE)
    with (
        WebServer(make_app(engine, settings), "127.0.0.1", 0) as web,
        httpx.Client(base_url=web.url, timeout=30, trust_env=False, limits=limits) as client,
    ):
        yield client


def taken_at(answer: httpx.Response) -> float:
    [told] = re.findall(r"^tthc_snapshot_timestamp_seconds (\S+)$", answer.text, re.MULTILINE)
    return float(told)


def without_duration(text_: str) -> list[str]:
    return [line for line in text_.splitlines() if not line.startswith("tthc_collect_duration")]


@contextmanager
def readings(engine: Engine) -> Iterator[list[float]]:
    """When each reading of the snapshot's instant began."""
    seen: list[float] = []

    def keep(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM tthc.metric_snapshot_taken" in statement:
            seen.append(time.monotonic())

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def test_who_takes_gzip_gets_the_same_in_less(world: Engine) -> None:
    with served(world) as client:
        packed = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
        plain = client.get("/metrics", headers={"Accept-Encoding": "identity"})
        refusing = client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0, *;q=0.5"})
        with client.stream("GET", "/metrics", headers={"Accept-Encoding": "deflate, gzip;q=0.5"}) as raw:
            sent = b"".join(raw.iter_raw())
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert "content-encoding" not in refusing.headers
    assert {one.headers["vary"] for one in (packed, plain)} == {"Accept-Encoding"}
    told = [without_duration(one) for one in (packed.text, plain.text, gzip.decompress(sent).decode())]
    assert told[0] == told[1] == told[2]
    assert int(packed.headers["content-length"]) * 4 < len(plain.content)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [("gzip", True), ("", False), ("identity", False), ("*", True), ("GZIP;q=0.1", True), ("gzip; q=0", False),
     ("br, gzip;q=1.0, *;q=0", True), ("*;q=0", False), ("gzip;q=x", False)],
)  # fmt: skip
def test_what_a_scraper_accepts(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes


def test_scrapes_that_come_while_one_is_read_share_the_next_reading(world: Engine) -> None:
    with served(world) as client, world.connect() as other, ThreadPoolExecutor(AT_ONCE) as pool:
        client.get("/metrics")
        with readings(world) as seen:
            other.exec_driver_sql("LOCK TABLE tthc.metric_snapshot_taken")
            first = pool.submit(client.get, "/metrics")
            while not seen:
                time.sleep(0.01)
            rest = [pool.submit(client.get, "/metrics") for _ in range(AT_ONCE - 1)]
            while client.get("/-/healthy").status_code != 200 or not all(one.running() for one in rest):
                time.sleep(0.01)
            # What changes before their reading begins they are told; the first one began before.
            other.exec_driver_sql(
                "UPDATE tthc.metric_snapshot_taken SET taken_at = taken_at + interval '1 hour', snapshot_id = 77"
            )
            time.sleep(0.3)
            assert len(seen) == 1, "they wait for the reading under way"
            other.commit()
            answers = [one.result() for one in (first, *rest)]
            assert len(seen) == 2
    assert {one.status_code for one in answers} == {200}
    assert {taken_at(one) for one in answers[1:]} == {NOW.timestamp() + 3600}


def test_no_scrape_is_told_what_was_before_it_came(world: Engine) -> None:
    """Whatever is committed before a request is sent is in its answer, with twelve asking all the time."""
    stop, committed, done = threading.Event(), [NOW], [0]
    stale: list[tuple[object, float]] = []

    def scrape(client: httpx.Client) -> None:
        while not stop.is_set():
            before = committed[0]
            told = taken_at(client.get("/metrics"))
            if told < before.timestamp():
                stale.append((before, told))
            done[0] += 1

    with served(world) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        scrapers = [pool.submit(scrape, client) for _ in range(AT_ONCE)]
        deadline = time.monotonic() + 20
        while done[0] < 6 * AT_ONCE and time.monotonic() < deadline:
            with world.begin() as connection:
                snapshot_at(connection, committed[0] + timedelta(seconds=1))
            committed[0] += timedelta(seconds=1)
        stop.set()
        for one in scrapers:
            one.result()
    assert done[0] >= 6 * AT_ONCE and committed[0] > NOW + timedelta(seconds=2)
    assert stale == []


def test_a_database_that_goes_and_comes_back_is_told_as_it_is(server_url: str, world: Engine) -> None:
    name = world.url.database
    with served(world) as client:
        assert "tthc_dossiers_open{" in client.get("/metrics").text
        admin = database.make_engine(server_url).connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            admin.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
            admin.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
            for _ in range(3):
                answer = client.get("/metrics")
                assert answer.status_code == 200 and "tthc_database_up 0.0" in answer.text
                assert "tthc_dossiers" not in answer.text
        finally:
            admin.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"))
            admin.close()
            admin.engine.dispose()
        answer = client.get("/metrics")
    assert "tthc_database_up 1.0" in answer.text and "tthc_dossiers_open{" in answer.text


def test_scrapes_wait_for_no_page_and_keep_nobody_waiting(world: Engine) -> None:
    with served(world) as client, world.connect() as other, ThreadPoolExecutor(2 * AT_ONCE) as pool:
        # All pages hang on the names of units, which no scrape of a snapshot that is known needs.
        client.get("/metrics")
        other.exec_driver_sql("LOCK TABLE tthc.units")
        pages = [pool.submit(client.get, "/") for _ in range(6)]
        began = time.monotonic()
        assert "tthc_database_up 1.0" in client.get("/metrics").text
        assert time.monotonic() - began < 2
        other.rollback()
        assert {one.result().status_code for one in pages} <= {200, 503}
        other.exec_driver_sql("LOCK TABLE tthc.metric_totals")
        scrapes = [pool.submit(client.get, "/metrics") for _ in range(AT_ONCE)]
        began = time.monotonic()
        assert client.get("/").status_code == 200 and client.get("/-/ready").status_code == 200
        assert time.monotonic() - began < 2
        other.rollback()
        assert {one.result().status_code for one in scrapes} == {200}


def test_a_scraper_that_goes_away_leaves_the_others_their_answer(world: Engine) -> None:
    with served(world, replace(SCRAPED, objective=0.9)) as client, world.connect() as other:
        other.exec_driver_sql("LOCK TABLE tthc.metric_snapshot_taken")
        with ThreadPoolExecutor(1) as pool:
            with pytest.raises(httpx.TimeoutException):
                client.get("/metrics", timeout=0.2)
            waiting = pool.submit(client.get, "/metrics")
            other.rollback()
            assert "tthc_on_time_objective_ratio 0.9" in waiting.result().text
