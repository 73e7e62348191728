"""``tthc-monitor audit verify`` and ``audit ledger`` as people run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import _database
from tests.end_to_end.test_cli import CSV_SOURCE, assert_one_message, configure, folder, run
from tthc_monitor.store.database import make_engine

__all__ = ["folder"]

ROWS = "ma,nhan,hen\n1,02/01/2026,09/01/2026\n2,05/01/2026,26/01/2026\n"


@pytest.fixture
def office(folder: Path, database_address: str) -> Path:
    """An office with two dossiers."""
    configure(folder, CSV_SOURCE, f"database: {{url: '{database_address}'}}")
    (folder / "ho-so.csv").write_text(ROWS, encoding="utf-8")
    assert "2 new" in run("pull", cwd=folder).good().out
    return folder


def forge(address: str) -> None:
    engine = make_engine(address)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE tthc.observations SET due_current = now() WHERE observation_id = 2"))
    engine.dispose()


def test_the_head_of_a_mail_proves_the_ledger_until_it_is_changed(office: Path, database_address: str) -> None:
    run("digest", "preview", "--out", office / "thu", "--unit", "H99.01", cwd=office).good()
    mails = list((office / "thu").glob("*.html"))
    head = re.search(
        r"mắt xích số 1, ngày [0-9/]+\):.*?>((?:[0-9a-f]{8} ?){8})<", mails[0].read_text("utf-8"), re.DOTALL
    )
    assert head is not None
    said = run("audit", "verify", "--head", head[1], cwd=office).good().out.splitlines()
    assert said[0] == "the ledger holds: 1 links, 2 observations, 0 events"
    assert said[1].startswith(f"head: {head[1]} (link 1, source ")
    assert said[2].startswith("the head given is of link 1, ") and said[2].endswith("nothing was linked since")
    at = "2026-01-01T00:00:00+07:00"
    before = run("audit", "verify", "--head", head[1], "--at", at, cwd=office)
    assert before.code == 8 and "the ledger agrees with itself: 1 links, 2 observations" in before.err, before.err
    assert "but no link was the newest linked by 2026-01-01 00:00:00+07:00" in before.err, before.err
    assert re.search(r"\(link 1, source \S+, seen 20\S+ \d\d:\d\d:\d\d\+07:00, linked 20\S+ [0-9:]+\+07:00\)", said[1])

    forge(database_address)
    ran = run("audit", "verify", "--head", head[1], cwd=office)
    assert ran.code == 8
    assert re.search(r"first here: link 1 \(source .*\): observation 2 \(dossier 2\) was changed", ran.err), ran.err
    assert_one_message(run("audit", "verify", "--head", "abc", cwd=office), 2, "is not a head of the ledger")


def test_the_ledger_moves_to_another_server(office: Path, server_url: str) -> None:
    exported = run("audit", "ledger", "export", "--out", office / "so-cai", cwd=office).good().out.splitlines()
    assert re.search(r"so-cai: \d+ files, 2 observations$", exported[0]), exported
    for other in _database(server_url, "tthc_template"):
        configure(office, CSV_SOURCE, f"database: {{url: '{other}'}}")
        said = run("audit", "ledger", "import", office / "so-cai", cwd=office).good().out.splitlines()
        assert "the ledger holds: 1 links, 2 observations, 0 events" in said
        assert exported[1].removesuffix(" (link 1)") in "\n".join(said)
        assert re.fullmatch(r"2 dossiers and \d+ flags made from it", said[-1])
        again = run("audit", "ledger", "import", office / "so-cai", cwd=office)
        assert_one_message(again, 2, "two ledgers cannot be one")


def test_what_is_held_is_compared_with_the_ledger_and_put_right(office: Path, database_address: str) -> None:
    both = office / "hai-ben"
    said = run("audit", "rebuild", "--check", "--dump", both, cwd=office).good().out
    assert re.match(r"the ledger holds, and all is equal up to link 1: 2 dossiers, \d+ flags", said)
    for name in ("dossiers", "missing", "flags"):
        assert (both / "held" / f"{name}.txt").read_bytes() == (both / "rebuilt" / f"{name}.txt").read_bytes()
    engine = make_engine(database_address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET due_current = now() WHERE dossier_id = 2"))
    engine.dispose()
    ran = run("audit", "rebuild", "--check", cwd=office)
    assert ran.out.splitlines()[0] == "tthc.dossiers 2: due_current"
    assert ran.code == 8
    assert "what is held is not what the ledger tells, and the ledger holds" in ran.err
    assert run("audit", "rebuild", cwd=office).good().out.splitlines() == [
        "tthc.dossiers 2: due_current",
        "put right from the ledger",
    ]
    run("audit", "rebuild", "--check", cwd=office).good()
    forge(database_address)
    assert run("audit", "rebuild", cwd=office).code == 8, "a forged ledger is not folded"
    assert_one_message(run("audit", "rebuild", "--dump", both, cwd=office), 2, "add --check")


def test_old_knowledge_is_judged_anew_for_auditors(office: Path) -> None:
    said = run("audit", "replay", "--seen-at", "2030-01-01T00:00:00Z", "--by", "Thanh tra Mẫu", cwd=office)
    assert_one_message(said, 2, "has not come yet")
    ran = run("audit", "replay", "--seen-at", "2026-01-01T00:00:00+07:00", "--by", "Thanh tra Mẫu", cwd=office).good()
    assert ran.out.strip() == "replay 1: 0 dossiers, 0 flags"
    assert_one_message(run("audit", "replay", "--seen-at", "now", "--by", " ", cwd=office), 2, "give --by")
