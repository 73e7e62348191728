"""The commands about the morning mail, through a real mail server: look, send, ask who has it, send once more."""

from __future__ import annotations

import email
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import policy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import Engine, text

from tests.end_to_end.program import run
from tests.posted import Inbox, mail_server
from tests.postgres.test_ledger import START, query, record, take

ONE, TWO = "mot@mau.example.vn", "hai@mau.example.vn"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def folder(tmp_path: Path, database_address: str, inbox: Inbox) -> Iterator[Path]:
    """An office that always works, so that every moment is behind the hour of today's digest."""
    always = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    with mail_server(inbox) as port:
        settings = {
            "database": {"url": database_address},
            "data_dir": ".",
            "calendar": {"name": "luon-mo", "zone": "Asia/Ho_Chi_Minh", "week": always},
            "smtp": {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "sender": "Giám sát TTHC <tthc@mau.example.vn>",
                "retry_seconds": 0,
            },
            "digest": {
                "at": "00:00",
                "transport": "smtp",
                "recipients": [{"address": ONE}, {"address": TWO, "units": ["H99.01"]}],
            },
        }
        (tmp_path / "tthc-monitor.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        yield tmp_path


def row_of(table: str, address: str) -> str:
    return next(line for line in table.splitlines() if address in line)


def test_send_tells_of_each_and_status_who_has_it_not(folder: Path, inbox: Inbox) -> None:
    before = run("digest", "status", cwd=folder)
    assert before.code == 1 and "is missing to 2 of 2" in before.err
    assert "missing" in row_of(before.out, ONE) and "not tried yet" in row_of(before.out, TWO)

    inbox.of = {TWO: "550 no such user"}
    sent = run("digest", "send", cwd=folder)
    assert sent.code == 7 and sent.out.splitlines()[0] == f"{ONE}: sent"
    assert "550 no such user" in sent.out and "1 of 2 digests were not delivered" in sent.err

    after = run("digest", "status", "--days", 3, cwd=folder)
    assert after.code == 1 and "is missing to 1 of 2" in after.err
    assert "250 OK queued as 1" in row_of(after.out, ONE) and "smtp" in row_of(after.out, ONE)
    assert "refused for good" in row_of(after.out, TWO) and "H99.01" in row_of(after.out, TWO)
    assert (
        run("digest", "status", "--date", "2020-01-06", cwd=folder).good().out
        == "no mails from 2020-01-06 to 2020-01-06\n"
    )
    assert run("digest", "status", "--date", "hôm qua", cwd=folder).code == 2

    inbox.of = {}
    again = run("digest", "send", cwd=folder).good()
    assert sorted(again.out.splitlines()) == sorted([f"{ONE}: already sent today", f"{TWO}: sent"])
    assert run("digest", "status", cwd=folder).good().err == ""


def test_a_morning_before_anything_was_judged_is_not_missed_and_an_earlier_one_cannot_be_made_up(
    folder: Path, engine: Engine
) -> None:
    # An office that works every day but today: its newest morning is yesterday's.
    settings = yaml.safe_load((folder / "tthc-monitor.yaml").read_text(encoding="utf-8"))
    today = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date()
    settings["calendar"]["days_off"] = [today + timedelta(days=number) for number in range(2)]
    (folder / "tthc-monitor.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    fresh = run("digest", "status", cwd=folder).good()
    assert "no mails from" in fresh.out and fresh.err == ""
    take(engine, record("1"), at=START)
    assert "1 dossiers judged" in run("evaluate", cwd=folder).good().out
    assert run("digest", "status", cwd=folder).good().err == "", "the first one of today"
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE tthc.evaluations SET finished_at = finished_at - interval '3 days'"))
    missed = run("digest", "status", cwd=folder)
    assert missed.code == 1 and "is missing to 2 of 2; it cannot be made up any more" in missed.err
    assert "digest send" not in missed.err


def test_resend_says_what_it_does_and_is_another_attempt(folder: Path, inbox: Inbox, engine: Engine) -> None:
    first = run("digest", "resend", ONE.upper(), cwd=folder).good()
    assert first.out == f"{ONE}: sent\n"
    second = run("digest", "resend", ONE, cwd=folder).good()
    assert f"{ONE} has had it at " in second.out and second.out.endswith(f"{ONE}: sent\n")
    ids = {str(message["Message-ID"]).strip() for message in inbox.taken}
    assert len(ids) == len(inbox.taken) == 2
    assert query(engine, "SELECT attempts FROM tthc.deliveries") == [2]
    inbox.answers = ["hang up"]
    assert run("digest", "send", cwd=folder).code == 7
    doubted = run("digest", "resend", TWO, cwd=folder).good()
    assert f"whether {TWO} has had it nobody knows" in doubted.out and doubted.out.endswith(f"{TWO}: sent\n")
    unknown = run("digest", "resend", "ai-do@mau.example.vn", cwd=folder)
    assert unknown.code == 2 and "gets no digest by these settings" in unknown.err


def test_one_in_doubt_is_settled_or_sent_alone_and_the_other_is_left(
    folder: Path, inbox: Inbox, engine: Engine
) -> None:
    inbox.answers = ["hang up", "hang up"]
    doubted = run("digest", "send", cwd=folder)
    assert doubted.code == 7 and "digest settle ADDRESS --delivered" in doubted.err
    assert query(engine, "SELECT outcome FROM tthc.deliveries") == ["in_doubt", "in_doubt"]
    assert run("digest", "settle", ONE, cwd=folder).code == 2
    assert run("digest", "settle", ONE, "--delivered", "--kind", "thu", cwd=folder).code == 2
    assert run("digest", "settle", ONE, "--delivered", "--date", "2020-01-06", cwd=folder).code == 2
    settled = run("digest", "settle", ONE.upper(), "--delivered", cwd=folder).good()
    assert settled.out.startswith(f"{ONE}: digest of ") and settled.out.endswith("recorded as sent\n")
    again = run("digest", "settle", ONE, "--delivered", cwd=folder)
    assert again.code == 2 and "is in doubt; look at" in again.err
    assert "found by hand" in row_of(run("digest", "status", cwd=folder).out, ONE) and inbox.taken == []

    assert run("digest", "send", ONE, cwd=folder).good().out == f"{ONE}: already sent today\n"
    unknown = run("digest", "send", ONE, "ai-do@mau.example.vn", cwd=folder)
    assert unknown.code == 2 and "ai-do@mau.example.vn: gets no mails" in unknown.err
    assert inbox.taken == [], "the other is left alone"
    assert run("digest", "send", TWO.upper(), cwd=folder).good().out == f"{TWO}: sent\n"
    assert len(inbox.taken) == 1


def test_preview_writes_what_would_go_and_records_nothing(folder: Path, inbox: Inbox, engine: Engine) -> None:
    everybody = run("digest", "preview", "--out", "xem", cwd=folder).good().out.splitlines()
    assert len(everybody) == 2 and all(Path(folder, line).is_file() for line in everybody)
    eml = Path(folder, everybody[0]).with_suffix(".eml")
    message = email.message_from_bytes(eml.read_bytes(), policy=policy.default)
    assert message["To"] == ONE and "tthc@mau.example.vn" in str(message["From"])
    assert len(run("digest", "preview", "--out", "mot", "--recipient", TWO, cwd=folder).good().out.splitlines()) == 1
    of_unit = run("digest", "preview", "--unit", "H99.01", cwd=folder).good().out.strip()
    assert of_unit.startswith("digest-preview/") and "-preview-" in of_unit
    assert run("digest", "preview", "--recipient", "ai-do@mau.example.vn", cwd=folder).code == 2
    assert run("digest", "preview", "--recipient", ONE, "--unit", "x", cwd=folder).code == 2
    assert inbox.taken == [] and query(engine, "SELECT count(*) FROM tthc.deliveries") == [0]
