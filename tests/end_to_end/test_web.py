"""The web face over real HTTP: a real server process' loop, a real database, and what happens when that is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine, text

from tests.postgres.seed import SCRAPED, seed, snapshot_at
from tthc_monitor.store import database
from tthc_monitor.web import make_app


@contextmanager
def served(engine: Engine) -> Iterator[httpx.Client]:
    config = uvicorn.Config(make_app(engine, SCRAPED), host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline and thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        yield client
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def gone(server_url: str) -> Iterator[Engine]:
    engine = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    yield engine
    engine.dispose()


def test_the_landing_page_shows_what_is_late_and_links_the_rest(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection)
        snapshot_at(connection)
        connection.execute(text("UPDATE tthc.units SET name = '<b>Sở Y tế</b>' WHERE unit_code = 'H99.02'"))
    with served(engine) as client:
        answer = client.get("/")
        for link in ("metrics", "-/healthy", "-/ready"):
            assert f'href="{link}"' in answer.text
            assert client.get(f"/{link}").status_code == 200
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Tính đến 10 giờ 00 ngày 03/11/2026" in answer.text
    assert '<td>Sở Xây dựng</td><td class="bad">2</td><td>2</td><td>6</td><td class="extra">1</td>' in answer.text
    assert '<td>Xã Mẫu Hai</td><td class="zero">0</td><td>0</td><td>0</td><td class="extra">0</td>' in answer.text
    assert answer.text.index("Sở Xây dựng") < answer.text.index("Xã Mẫu Hai")
    assert "&lt;b&gt;Sở Y tế" in answer.text
    assert "tthc-monitor 0" in answer.text


def test_before_the_first_evaluation_the_page_says_so(engine: Engine) -> None:
    with served(engine) as client:
        assert "Chưa có lần đánh giá nào" in client.get("/").text


def test_answers_may_not_be_framed_cached_or_scripted(engine: Engine) -> None:
    with served(engine) as client:
        for path in ("/", "/metrics", "/nowhere"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


def test_metrics_are_prometheus_text(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection)
        snapshot_at(connection)
    with served(engine) as client:
        answer = client.get("/metrics")
        assert client.post("/metrics").status_code == 405
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'tthc_dossiers_open{unit="H99.01"} 6.0' in answer.text
    assert "tthc_database_up 1.0" in answer.text


def test_without_its_database_it_is_healthy_but_not_ready(gone: Engine) -> None:
    with served(gone) as client:
        assert client.get("/-/healthy").text == "ok\n"
        ready, page, metrics = client.get("/-/ready"), client.get("/"), client.get("/metrics")
    assert ready.status_code == 503
    assert "127.0.0.1" not in ready.text and "no_such_database" not in ready.text
    assert page.status_code == 503
    assert "Chưa đọc được số liệu" in page.text
    assert metrics.status_code == 200
    assert "tthc_database_up 0.0" in metrics.text


def test_pages_never_take_more_than_four_connections_at_once(engine: Engine) -> None:
    asked = 12
    with served(engine) as client, engine.connect() as other, ThreadPoolExecutor(asked) as pool:
        other.exec_driver_sql("LOCK TABLE tthc.metric_snapshot_taken")
        before = engine.pool.checkedout()  # type: ignore[attr-defined]
        answers = [pool.submit(client.get, "/") for _ in range(asked)]
        deadline = time.monotonic() + 1.5
        most = 0
        while time.monotonic() < deadline and not any(one.done() for one in answers):
            most = max(most, engine.pool.checkedout() - before)  # type: ignore[attr-defined]
            assert client.get("/-/healthy").status_code == 200
        other.rollback()
        assert most == 4
        assert {one.result().status_code for one in answers} <= {200, 503}


def test_a_database_at_another_migration_is_not_ready(engine: Engine) -> None:
    with served(engine) as client:
        assert client.get("/-/ready").text == "ready\n"
        with engine.begin() as connection:
            connection.execute(text("UPDATE tthc.alembic_version SET version_num = '0001'"))
        assert client.get("/-/ready").status_code == 503
