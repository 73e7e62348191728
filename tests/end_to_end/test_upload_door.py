"""The door for files, over real HTTP: a file that staff hand over is read at once, and nothing of it stays behind."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from tests.end_to_end.receiving import Clock, client, installed, rows, served, write_settings
from tests.unit.dvcqg_messages import NOW
from tthc_monitor import jobs, judging
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.installation import Installation
from tthc_monitor.store import database
from tthc_monitor.web import upload

POISON = "CÔNG DÂN GIẢ 0888888888888"
SOURCE = {
    "name": "bang-ke",
    "kind": "files",
    "receive": {"token_file": "token"},
    "max_reject_share": 0.5,
    "options": {
        "path": "none/*",
        "zone": "Asia/Ho_Chi_Minh",
        "columns": {
            "source_key": "Số hồ sơ",
            "received_at": {"column": "Ngày nhận", "format": "%d/%m/%Y %H:%M"},
        },
    },
}
HEAD = "Số hồ sơ,Ngày nhận,Họ tên\n"


def table(*lines: str) -> bytes:
    return (HEAD + "".join(f"{line}\n" for line in lines)).encode()


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    return installed(engine, write_settings(tmp_path, SOURCE), Clock(NOW))


@pytest.fixture
def folder(installation: Installation) -> Path:
    """Where files lie while they are read."""
    place = installation.folder("uploads")
    place.mkdir()
    return place


@pytest.fixture
def sender(installation: Installation) -> Iterator[httpx.Client]:
    with served(installation) as web, client(web, **{"Content-Type": "application/x-www-form-urlencoded"}) as one:
        yield one


def test_a_file_is_read_at_once_and_told_in_a_sentence(sender: httpx.Client, engine: Engine, folder: Path) -> None:
    sent = table(f"H99-1,05/10/2026 08:00,{POISON}", "H99-2,05/10/2026 09:00,", f"H99-3,hôm qua,{POISON}")
    answer = sender.post("/upload/bang-ke", params={"name": "hồ sơ tháng 10.csv"}, content=sent)
    assert answer.status_code == 200
    told = answer.json()
    assert told["summary"] == (
        "Đã đọc tệp hồ sơ tháng 10.csv: 3 dòng, 2 hồ sơ mới, 0 hồ sơ thay đổi; 1 dòng không đọc được, "
        "xem từng dòng và lý do ở dưới."
    )
    assert told["ok"] and told["totals"]["rows_read"] == 3
    ((reject),) = told["rejects"]
    assert (reject["file"], reject["row"], reject["column"]) == ("hồ sơ tháng 10.csv", 4, "Ngày nhận")
    assert POISON not in answer.text
    assert rows(engine, "SELECT source_key FROM tthc.dossiers ORDER BY 1") == [("H99-1",), ("H99-2",)]
    assert list(folder.iterdir()) == []
    again = sender.post("/upload/bang-ke", params={"name": "b.csv"}, content=table("H99-1,06/10/2026 08:00,"))
    assert again.json()["summary"] == (
        "Đã đọc tệp b.csv: 1 dòng, 0 hồ sơ mới, 1 hồ sơ thay đổi; mọi dòng đều đọc được."
    )


def test_a_workbook_is_read_too(sender: httpx.Client, tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    for line in (["Số hồ sơ", "Ngày nhận"], ["H99-1", "05/10/2026 08:00"]):
        book.active.append(line)
    book.save(tmp_path / "sổ.xlsx")
    answer = sender.post("/upload/bang-ke?name=a.xlsx", content=(tmp_path / "sổ.xlsx").read_bytes())
    assert answer.json()["totals"]["dossiers_new"] == 1


def test_a_file_that_cannot_be_read_changes_nothing_and_says_why(
    sender: httpx.Client, engine: Engine, folder: Path
) -> None:
    cases = {
        "a.csv": (f"Họ tên\n{POISON}\n".encode(), "Số hồ sơ"),
        "b.xlsx": (b"PK nothing", ""),
        "c.pdf": (b"%PDF", "format"),
        "d.csv": (table("H99-1,x,", "H99-2,y,"), "2 of 2 rows were rejected"),
    }
    for name, (sent, reason) in cases.items():
        answer = sender.post("/upload/bang-ke", params={"name": name}, content=sent)
        assert answer.status_code == 422, name
        told = answer.json()
        assert not told["ok"] and reason in told["error"] and str(folder) not in answer.text
        assert told["summary"].startswith(f"Chưa nhận tệp {name}: ")
        assert POISON not in answer.text
        assert [one["row"] for one in told["rejects"]] == ([2, 3] if name == "d.csv" else [])
    assert rows(engine, "SELECT count(*) FROM tthc.observations") == [(0,)]
    assert list(folder.iterdir()) == []


def test_what_is_no_file_is_refused_with_what_to_do(sender: httpx.Client, folder: Path) -> None:
    for name in ("", "../a.csv", "/etc/a.csv", "a/b.csv", "..", ".a.csv", "a\\b.csv", "a\n.csv", "~$a.xlsx", "x" * 151):
        answer = sender.post("/upload/bang-ke", params={"name": name}, content=table("H99-1,05/10/2026 08:00,"))
        assert answer.status_code == 400, name
        assert answer.json()["error"].endswith("give the file's name: /upload/SOURCE?name=ho-so.xlsx")
    address = "/upload/bang-ke?name=a.csv"
    form = sender.post(address, content=b"--x--", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert form.status_code == 415 and "curl --data-binary @FILE" in form.json()["error"]
    assert sender.post(address, content=b"").status_code == 400
    wrong = sender.post(address, content=b"x", headers={"Authorization": "Bearer sai"})
    assert wrong.status_code == 401 and wrong.json()["error"].startswith("no such source, or a wrong token")
    assert sender.get(address).status_code == 405
    connection = HTTPConnection(sender.base_url.host, sender.base_url.port, timeout=20)
    connection.request("POST", address, headers={**sender.headers, "Content-Length": str(upload.LONGEST + 1)})
    assert connection.getresponse().status == 413
    connection.close()
    assert list(folder.iterdir()) == []


def test_while_the_source_is_pulled_or_the_database_is_away_it_is_to_be_sent_later(
    sender: httpx.Client, installation: Installation, server_url: str, engine: Engine
) -> None:
    address, sent = "/upload/bang-ke?name=a.csv", table("H99-1,05/10/2026 08:00,")
    assert sender.post(address, content=sent).status_code == 200
    with engine.connect() as other:
        (source,) = rows(engine, "SELECT source_id FROM tthc.sources")[0]
        other.exec_driver_sql(f"SELECT pg_advisory_lock(7411003, {source})")
        busy = sender.post(address, content=sent)
    gone = database.make_engine(database.database_url(server_url).set(database="no_such_database"))
    away = Installation(installation.settings, gone, installation.rules, installation.now, installation.data_dir)
    with served(away) as web, client(web) as other_sender:
        without = other_sender.post(address, content=sent)
    gone.dispose()
    for answer in (busy, without):
        assert answer.status_code == 503 and "retry-after" in answer.headers
        assert "send it again later" in answer.json()["error"] and "no_such_database" not in answer.text


# -- where it lies ------------------------------------------------------------------------------------------------------


def test_while_it_is_read_only_this_user_may_open_it_and_what_a_killed_process_left_is_removed(
    installation: Installation, folder: Path, engine: Engine
) -> None:
    left, in_use, stray = folder / "left", folder / "in-use", folder / "stray"
    for place in (left, in_use):
        place.mkdir()
        (place / "a.csv").write_text(POISON, encoding="utf-8")
    stray.symlink_to(installation.settings.base_dir)
    held = os.open(in_use, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with served(installation) as web, client(web) as sender, ThreadPoolExecutor(1) as pool:
            assert not left.exists() and (in_use / "a.csv").exists()
            assert (installation.settings.base_dir / "token").exists()
            with engine.connect() as other:
                other.exec_driver_sql("LOCK TABLE tthc.sources")
                sent = table("H99-1,05/10/2026 08:00,")
                answer = pool.submit(sender.post, "/upload/bang-ke?name=a.csv", content=sent)
                deadline = time.monotonic() + 10
                while not (found := list(folder.glob("*/a.csv"))) or found == [in_use / "a.csv"]:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                (place,) = {path.parent for path in found} - {in_use}
                assert stat.S_IMODE(place.stat().st_mode) == 0o700
                with served(installation):
                    assert place.exists(), "a second process leaves alone what the first is reading"
            assert answer.result().status_code == 200
            assert not place.exists()
    finally:
        os.close(held)


# -- what it is ---------------------------------------------------------------------------------------------------------


def test_a_file_is_of_the_instant_that_is_told(sender: httpx.Client, engine: Engine) -> None:
    def send(received: str, params: dict[str, str], headers: dict[str, str] | None = None) -> None:
        sent = table(f"H99-1,{received},")
        params = {"name": "a.csv", **params}
        assert sender.post("/upload/bang-ke", params=params, content=sent, headers=headers).status_code == 200

    def held() -> list[tuple[Any, ...]]:
        return rows(engine, "SELECT to_char(received_at AT TIME ZONE 'Asia/Ho_Chi_Minh', 'DD') FROM tthc.dossiers")

    send("06/10/2026 08:00", {"as_of": (NOW - timedelta(hours=1)).isoformat()})
    send("05/10/2026 08:00", {"as_of": (NOW - timedelta(days=7)).isoformat()})
    send("04/10/2026 08:00", {}, {"Last-Modified": format_datetime(NOW - timedelta(days=6), usegmt=True)})
    assert held() == [("06",)], "what was written earlier is not news, whenever it is handed over"


def test_an_instant_that_nobody_can_mean_is_refused(sender: httpx.Client) -> None:
    wrong = {
        "as_of": ["hôm qua", "2026-10-05", "2026-10-05T08:00:00", "0001-01-01T00:00:00+07:00", "9999-01-01T00:00:00Z"],
        "whole": ["2", "có"],
    }
    for key, values in wrong.items():
        for value in values:
            answer = sender.post("/upload/bang-ke", params={"name": "a.csv", key: value}, content=table())
            assert answer.status_code == 400 and "; give " in answer.json()["error"], value
    for date in ("hôm qua".encode(), b"Mon, 05 Oct 2026 08:00:00 -0000", b"Mon, 05 Oct 9998 08:00:00 GMT"):
        answer = sender.post("/upload/bang-ke?name=a.csv", content=table(), headers={b"Last-Modified": date})
        assert answer.status_code == 400


def test_a_plus_sign_that_came_as_a_space_is_understood(sender: httpx.Client) -> None:
    for told in ("2026-09-05T08:00:00+07:00", "2026-09-05%2008:00:00%2B07:00", "2026-09-05%2008:00+07:00"):
        answer = sender.post(f"/upload/bang-ke?name=a.csv&as_of={told}", content=table("H99-1,05/09/2026 08:00,"))
        assert answer.status_code == 200, told


def test_a_file_is_a_part_unless_it_is_said_to_be_whole(engine: Engine, tmp_path: Path) -> None:
    source = {**SOURCE, "options": {**SOURCE["options"], "lists_all_open": True}}  # type: ignore[dict-item]
    settled = installed(engine, write_settings(tmp_path, source), Clock(NOW))
    with served(settled) as web, client(web) as sender:
        for query in ("", "&whole=0", "&whole=1"):
            told = f"/upload/bang-ke?name=a.csv&as_of=2026-10-05T08:00:00%2B07:00{query}"
            assert sender.post(told, content=table("H99-1,05/09/2026 08:00,")).status_code == 200
    listed = rows(engine, "SELECT asked_at IS NOT NULL, by_hand FROM tthc.pull_runs ORDER BY run_id")
    assert listed == [(False, True), (False, True), (True, True)]


def test_a_scheduled_pull_in_between_does_not_hide_what_was_wrong_with_the_file(
    sender: httpx.Client, installation: Installation, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge_after_a_pull(_: Installation) -> None:
        with pytest.raises(PermanentSourceError):
            jobs.take_in(installation, installation.settings.sources[0])

    monkeypatch.setattr(judging, "refresh", judge_after_a_pull)
    answer = sender.post("/upload/bang-ke?name=a.csv", content=table("H99-1,05/10/2026 08:00,", "H99-2,hôm qua,"))
    assert [one["row"] for one in answer.json()["rejects"]] == [3]
    assert rows(engine, "SELECT by_hand, outcome FROM tthc.pull_runs ORDER BY run_id") == [
        (True, "ok"),
        (False, "failed"),
    ]


def test_what_is_kept_but_cannot_be_judged_is_not_told_as_failed(engine: Engine, tmp_path: Path) -> None:
    config = write_settings(tmp_path, SOURCE, time_limits={"clock_starts": "khong-co.yaml"})
    with served(installed(engine, config, Clock(NOW))) as web, client(web) as sender:
        sent = table("H99-1,05/10/2026 08:00,", "H99-2,hôm qua,")
        answer = sender.post("/upload/bang-ke?name=a.csv", content=sent)
    assert answer.status_code == 200
    told = answer.json()
    assert told["ok"] and not told["judged"] and told["summary"].endswith("không cần nộp lại tệp.")
    assert [one["row"] for one in told["rejects"]] == [3]
    assert rows(engine, "SELECT source_key FROM tthc.dossiers") == [("H99-1",)]
