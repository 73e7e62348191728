"""The door for messages, over real sockets: who is let in, what is taken, and what is confirmed when."""

from __future__ import annotations

import base64
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from tests.end_to_end.receiving import LGSP, TOKEN, Clock, client, installed, kept, rows, served, write_settings
from tests.unit.dvcqg_messages import NOW, body, dossier
from tthc_monitor.domain.errors import ConfigError, DataAssertionError
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import pull_source
from tthc_monitor.serving import WebServer
from tthc_monitor.store import database
from tthc_monitor.web import make_doors, receive

ROOT = Path(__file__).parents[2]
POISON = "CÔNG DÂN GIẢ 0888888888888"


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    table = {"path": "*.csv", "columns": {"source_key": "so"}}
    files = {"name": "bang", "kind": "files", "receive": {"token_file": "token"}, "options": table}
    closed = {"name": "kin", "kind": "files", "options": table}
    return installed(engine, write_settings(tmp_path, LGSP, files, closed), Clock(NOW))


@pytest.fixture
def web(installation: Installation) -> Iterator[WebServer]:
    with served(installation) as running:
        yield running


def test_a_message_is_confirmed_in_the_portals_form_when_it_is_stored(web: WebServer, engine: Engine) -> None:
    with client(web) as sender:
        answer = sender.post("/receive/lgsp", content=body([dossier()]))
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    assert (answer.status_code, answer.json()) == (200, {"error_code": "0", "message": "records taken: 1"})
    ((content),) = kept(engine)
    assert content["records"][0]["MaHoSo"] == "H99.05-261005-0001"


# -- who is let in ------------------------------------------------------------------------------------------------------


def test_the_token_may_come_as_a_password_of_any_user(web: WebServer) -> None:
    for user in ("", "lgsp", "ai-đó"):
        shown = base64.b64encode(f"{user}:{TOKEN}".encode()).decode()
        with client(web, Authorization=f"Basic {shown}") as sender:
            assert sender.post("/receive/lgsp", content=body([dossier()])).status_code == 200


def test_without_the_token_nothing_is_taken(web: WebServer, engine: Engine) -> None:
    wrong = ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Token {TOKEN}", TOKEN, "Basic", "Basic !!"]
    passwords = (b":", TOKEN.encode(), TOKEN.encode() + b":", b"\xff:")
    wrong += [f"Basic {base64.b64encode(password).decode()}" for password in passwords]
    for shown in wrong:
        with client(web, Authorization=shown) as sender:
            answer = sender.post("/receive/lgsp", content=body([dossier()]))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="tthc-monitor"', "a browser asks nobody for it"
        assert "send 'Authorization: Bearer TOKEN'" in answer.json()["error"]
    assert kept(engine) == []


def test_without_the_token_nothing_tells_which_sources_there_are(web: WebServer) -> None:
    with client(web, Authorization="Bearer sai") as guesser:
        for door in ("receive", "upload"):
            answers = [guesser.post(f"/{door}/{name}", content=b"{}") for name in ("lgsp", "bang", "kin", "nham")]
            assert [answer.status_code for answer in answers] == [401] * 4
            told = [(answer.json(), sorted(answer.headers.items())) for answer in answers]
            for _, headers in told:
                headers[:] = [(name, value) for name, value in headers if name != "date"]
            assert told == [told[0]] * 4
    with client(web) as sender:
        assert [sender.post(f"/receive/{name}", content=b"{}").status_code for name in ("kin", "nham")] == [401, 401]


def test_what_a_browser_sends_for_a_page_is_refused_although_it_shows_the_token(web: WebServer, engine: Engine) -> None:
    shown = base64.b64encode(f"u:{TOKEN}".encode()).decode()
    pages = (
        {"Origin": "http://noi-khac.example"},
        {"Origin": "null"},
        {"Origin": web.url},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    )
    for headers in pages:
        with client(web, Authorization=f"Basic {shown}", **{"Content-Type": "text/plain"}) as browser:
            for address in ("/receive/lgsp", "/upload/bang?name=a.csv", "/receive/nham"):
                answer = browser.post(address, content=body([dossier()]), headers=headers)
                assert answer.status_code == 403 and "send it by a program" in answer.json()["error"]
    assert kept(engine) == [] and rows(engine, "SELECT count(*) FROM tthc.pull_runs") == [(0,)]
    for site in ("none", "same-origin"):
        with client(web) as sender:
            answer = sender.post("/receive/lgsp", content=body([dossier()]), headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 200


def test_a_source_of_files_takes_no_messages(web: WebServer) -> None:
    with client(web) as sender:
        answer = sender.post("/receive/bang", content=body([dossier()]))
        assert answer.status_code == 404 and "send files to /upload/" in answer.json()["error"]
        answer = sender.post("/upload/lgsp?name=a.csv", content=b"x")
        assert answer.status_code == 404 and "send messages to /receive/" in answer.json()["error"]


def test_whoever_guesses_waits_longer_each_time_and_the_right_one_does_not(web: WebServer) -> None:
    with client(web, Authorization="Bearer sai") as guesser, client(web) as sender:
        waits = []
        for _ in range(4):
            started = time.monotonic()
            assert guesser.post("/receive/lgsp", content=b"{}").status_code == 401
            waits.append(time.monotonic() - started)
        assert min(waits[1:]) > 0.02
        with ThreadPoolExecutor(80) as pool:
            codes = list(pool.map(lambda _: guesser.post("/receive/lgsp", content=b"{}").status_code, range(160)))
        assert set(codes) <= {401, 429} and 401 in codes
        assert sender.post("/receive/lgsp", content=body([dossier()])).status_code == 200


def test_a_source_that_can_be_sent_nothing_has_no_door(engine: Engine, tmp_path: Path) -> None:
    options = {"url": "http://127.0.0.1:9/o", "group_id": "1", "username": "a", "password": "b"}
    wrong = {"name": "mot-cua", "kind": "opencps", "receive": {"token_file": "token"}, "options": options}
    with pytest.raises(ConfigError, match="takes neither messages nor files; remove the part"):
        make_doors(installed(engine, write_settings(tmp_path, wrong), Clock(NOW)))


# -- what is taken ------------------------------------------------------------------------------------------------------


def test_what_is_no_message_is_refused_with_what_to_do(web: WebServer, engine: Engine) -> None:
    good, poisoned = body([dossier()]), body([dossier(ChuHoSo=POISON)])
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b"", {}, 400, "not JSON, or is cut off"),
        (poisoned[:-9], {}, 400, "is cut off"),
        (body([dossier(ChuHoSo=POISON)], service=POISON), {}, 400, "service is neither"),
        (good, {"Content-Type": "application/x-www-form-urlencoded"}, 415, "Content-Type: application/json"),
        (good, {"Content-Type": "multipart/form-data"}, 415, "Content-Type: application/json"),
        (good, {"Content-Encoding": "gzip"}, 415, "without Content-Encoding"),
    ]
    for sent, headers, status, told in cases:
        with client(web, **headers) as sender:
            answer = sender.post("/receive/lgsp", content=sent)
        assert answer.status_code == status
        assert answer.json()["error_code"] == "1"
        assert told in answer.json()["message"] and ";" in answer.json()["message"]
        assert POISON not in answer.text
    assert kept(engine) == []


def test_only_post_is_answered(web: WebServer) -> None:
    with client(web) as sender:
        codes = {sender.request(method, "/receive/lgsp").status_code for method in ("GET", "PUT", "DELETE", "PATCH")}
    assert codes == {405}


def test_nothing_of_a_body_reaches_inbox_log_rejects_or_answer(
    installation: Installation, web: WebServer, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    poison = dict.fromkeys(("ChuHoSo", "SoDinhDanh", "GhiChu", "TaiLieuNop", "NgayTra", "la"), POISON)
    sent = [body([dossier(**poison), POISON, {POISON: POISON}], session=POISON), body(POISON), body([POISON])[:-4]]
    with capture_logs() as logged, client(web) as sender:
        answers = [sender.post("/receive/lgsp", content=one).text for one in sent]
        with pytest.raises(DataAssertionError, match="3 of 3 rows were rejected"):
            pull_source(installation, installation.settings.sources[0])
    tables = ("inbox", "rejects", "observations", "pull_runs", "sources", "unknown_codes")
    stored = [rows(engine, f"SELECT t::text FROM tthc.{table} t") for table in tables]
    assert len(stored[0]) == 1 and len(stored[1]) == 3, (
        "one message was kept, and none of its three records can be read"
    )
    everything = repr([answers, logged, caplog.text, stored])
    for mark in (POISON, "CÔNG DÂN", "0888888888888", json.dumps(POISON)[1:-1]):
        assert mark not in everything


def raw(web: WebServer, head: str, *, authorization: str = f"Bearer {TOKEN}") -> socket.socket:
    """A connection over which the head of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", web.port), timeout=20)
    lines = ("POST /receive/lgsp HTTP/1.1", "Host: x", "Content-Type: application/json", head)
    connection.sendall("\r\n".join([*lines, f"Authorization: {authorization}", "", ""]).encode())
    return connection


def everything_from(connection: socket.socket) -> bytes:
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def test_a_body_of_a_gigabyte_is_refused_before_it_is_sent(web: WebServer) -> None:
    for head in ("Content-Length: 1000000000", "Expect: 100-continue\r\nContent-Length: 1000000000"):
        with raw(web, head) as connection:
            answer = everything_from(connection)
        assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer
        assert b"longer than 16777216 bytes; send it in smaller parts" in answer


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(web: WebServer, engine: Engine) -> None:
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with raw(web, "Transfer-Encoding: chunked") as connection:
        sent = 0
        with suppress(OSError):  # the connection breaks, in whichever way
            while sent < 1_000_000_000:
                connection.sendall(piece)
                sent += len(piece)
    assert sent < 64_000_000
    assert kept(engine) == []


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(web: WebServer, engine: Engine) -> None:
    whole = body([dossier()])
    for _ in range(5):
        with raw(web, f"Content-Length: {len(whole)}") as connection:
            connection.sendall(whole[: len(whole) // 2])
    with client(web) as sender:
        assert sender.post("/receive/lgsp", content=whole).status_code == 200
    assert len(kept(engine)) == 1


def test_fifty_senders_at_once_lose_nothing(installation: Installation, web: WebServer, engine: Engine) -> None:
    def send(sender_number: int) -> list[int]:
        with client(web) as sender:
            return [
                sender.post("/receive/lgsp", content=body([dossier(f"a-{sender_number}-{at}")])).status_code
                for at in range(6)
            ]

    done = threading.Event()

    def pull_meanwhile() -> None:
        while not done.is_set():
            pull_source(installation, installation.settings.sources[0])

    puller = threading.Thread(target=pull_meanwhile)
    puller.start()
    try:
        with ThreadPoolExecutor(50) as pool:
            codes = [code for found in pool.map(send, range(50)) for code in found]
    finally:
        done.set()
        puller.join()
    assert codes == [200] * 300
    pull_source(installation, installation.settings.sources[0])
    assert rows(engine, "SELECT count(*), count(DISTINCT source_key) FROM tthc.observations") == [(300, 300)]


@contextmanager
def stuck(engine: Engine) -> Iterator[None]:
    """While nothing can be put into the inbox."""
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE tthc.inbox")
        yield


def stuck_deliveries(engine: Engine) -> int:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    found: int = rows(engine, waiting)[0][0]
    return found


def wait_for_deliveries(engine: Engine, number: int) -> None:
    deadline = time.monotonic() + 10
    while stuck_deliveries(engine) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_messages_are_read_three_at_a_time(web: WebServer, engine: Engine) -> None:
    def send(number: int) -> int:
        with client(web) as sender:
            return sender.post("/receive/lgsp", content=body([dossier(f"a-{number}")])).status_code

    with ThreadPoolExecutor(9) as pool:
        with stuck(engine):
            sent = [pool.submit(send, number) for number in range(9)]
            wait_for_deliveries(engine, 3)
            time.sleep(0.3)
            assert stuck_deliveries(engine) == 3
        assert [one.result() for one in sent] == [200] * 9


def test_a_message_counts_as_held_until_it_is_stored(
    installation: Installation, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = body([dossier()])
    monkeypatch.setattr(receive, "_TOGETHER", len(message) * 3 // 2)
    with served(installation) as web, client(web) as sender, ThreadPoolExecutor(1) as pool:
        with stuck(engine):
            first = pool.submit(sender.post, "/receive/lgsp", content=message)
            wait_for_deliveries(engine, 1)
            second = sender.post("/receive/lgsp", content=message)
        assert second.status_code == 503 and "send again later" in second.json()["message"]
        assert first.result().status_code == 200
        assert sender.post("/receive/lgsp", content=message).status_code == 200


# -- when it goes wrong -------------------------------------------------------------------------------------------------


def test_without_the_database_the_sender_is_told_to_send_again(
    installation: Installation, server_url: str, engine: Engine
) -> None:
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    away = Installation(installation.settings, gone, installation.rules, installation.now, installation.data_dir)
    with served(away) as web, client(web) as sender:
        answer = sender.post("/receive/lgsp", content=body([dossier()]))
    gone.dispose()
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    assert answer.json()["error_code"] == "1" and "send it again later" in answer.json()["message"]
    assert "no_such_database" not in answer.text


def test_a_fault_of_ours_is_told_without_the_message(web: WebServer, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE tthc.inbox ADD CONSTRAINT none_fits CHECK (length(content::text) < 5)"))
    with capture_logs() as logged, client(web) as sender:
        answer = sender.post("/receive/lgsp", content=body([dossier("H99-LAM-MAT")]))
    assert answer.status_code == 500 and answer.json()["error_code"] == "1"
    assert "LAM-MAT" not in answer.text + repr(logged)
    assert [entry["fault"] for entry in logged if entry["event"] == "message_not_taken"] == ["IntegrityError"]


_KILLED = """
import os, sys, signal
from contextlib import contextmanager
from pathlib import Path
import tthc_monitor.web.receive as receive
from tests.end_to_end.receiving import Clock, installed, served
from tests.unit.dvcqg_messages import NOW
from tthc_monitor.store.database import make_engine, transaction

@contextmanager
def dies_after_the_commit(engine):
    with transaction(engine) as connection:
        yield connection
    os.kill(os.getpid(), signal.SIGKILL)

receive.transaction = dies_after_the_commit
with served(installed(make_engine(sys.argv[1]), Path(sys.argv[2]), Clock(NOW))) as web:
    print(web.port, flush=True)
    signal.pause()
"""


def test_a_service_killed_between_commit_and_answer_doubles_no_state(
    installation: Installation, web: WebServer, engine: Engine, database_address: str
) -> None:
    config = installation.settings.base_dir / "x.yaml"
    arguments = [sys.executable, "-c", _KILLED, database_address, str(config)]
    sent = body([dossier()])
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        port = int(dying.stdout.readline())
        with pytest.raises(httpx.HTTPError):
            httpx.post(
                f"http://127.0.0.1:{port}/receive/lgsp",
                content=sent,
                headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
                trust_env=False,
            )
        assert dying.wait(20) == -signal.SIGKILL
    with client(web) as sender:
        assert sender.post("/receive/lgsp", content=sent).status_code == 200
        assert sender.post("/receive/lgsp", content=body([dossier(TrangThaiHoSo=9)])).status_code == 200
    assert len(kept(engine)) == 3, "the message was stored before the service died, and when it was sent again"
    pull_source(installation, installation.settings.sources[0])
    states = rows(engine, "SELECT status FROM tthc.observations ORDER BY observation_id")
    assert states == [(4,), (9,)]
