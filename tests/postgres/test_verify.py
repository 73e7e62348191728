"""Verification of ledgers that nobody touched: of every version, cut into reads anyhow, while pulls go on."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from sqlalchemy import Connection, Engine, text

from tests.postgres.seed import CALENDAR, NOW, ZONE, seed
from tests.postgres.test_ledger import CHANGES, DAY, START, query, record, take
from tthc_monitor.domain import ledger_heads
from tthc_monitor.domain.errors import ConfigError, DatabaseError, LedgerError
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.outputs.report import build_report
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.outputs.sealed import head_line, read_ledger_head
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store import chain, verify_links
from tthc_monitor.store.canonical import content_hashes
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.database import transaction
from tthc_monitor.verification import verify

_MICROSECOND = timedelta(microseconds=1)


def behind(connection: Connection, *statements: str) -> None:
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in statements:
        connection.execute(text(statement))


def test_an_empty_ledger_holds(engine: Engine) -> None:
    verdict = verify(engine)
    assert (verdict.sound, verdict.links, verdict.observations, verdict.newest) == (True, 0, 0, None)
    assert verify(engine, head="ab" * 8).broken, "no head is one of an empty ledger"


def test_every_column_and_any_text_is_recomputed(engine: Engine) -> None:
    texts = {"code": 'H99.01 "nhanh", gấp', "step_name": "\\N \\\\ \\. ;\t'", "source_status": "a=b|c\\x1f\n\\"}
    take(engine, record("a"), record("b", **CHANGES), record("c\\", **texts))
    take(engine, record("a", status=5), record("b"), record("c\\", **{**CHANGES, **texts}), at=START + DAY)
    take(engine, record("a"), at=START + 2 * DAY, name="hai")
    verdict = verify(engine)
    verdict.require()
    assert (verdict.links, verdict.observations) == (3, 7)
    assert len(verdict.notices) == 1, "the tests' clock is not the server's"
    assert "links were linked more than an hour after their source was seen" in verdict.notices[0]
    assert "link 1, source mau, seen" in verdict.notices[0]


@pytest.mark.parametrize(("chunk", "page"), [(1, 1), (3, 2), (7, 5), (64, 10_000)])
def test_it_does_not_matter_how_the_ledger_is_cut_into_reads(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int, page: int
) -> None:
    monkeypatch.setattr(verify_links, "CHUNK", chunk)
    monkeypatch.setattr(chain, "_PAGE", page)
    for day, count in enumerate((5, 1, 30, 2, 8)):
        rows = [record(f"{day}-{number}") for number in range(count)]
        take(engine, *rows, at=START + day * DAY, name="mau" if day % 2 else "hai")
        # What was numbered and rolled back leaves a gap.
        query(engine, "SELECT nextval('tthc.observation_ids') FROM generate_series(1, 4)")
    verdict = verify(engine)
    verdict.require()
    assert (verdict.observations, verdict.links) == (46, 5 + 2), "two listings missed what the one before had"
    with engine.begin() as connection:
        behind(connection, "UPDATE tthc.observations SET status = 9 WHERE source_key = '2-17'")
    (broken,) = verify(engine).broken
    number = query(engine, "SELECT observation_id FROM tthc.observations WHERE source_key = '2-17'")[0]
    link = query(engine, f"SELECT batch_id FROM tthc.observation_batches WHERE last_observation_id >= {number} LIMIT 1")
    assert broken.link is not None and broken.link.number == link[0]
    assert f"observation {number} (dossier 2-17) was changed" in broken.what


def make_old(engine: Engine, seen: datetime = START) -> None:
    """Hash the only link and its observations as it was done before there were versions, and events."""
    schema = {"observation_id": pl.Int64(), **OBSERVED_SCHEMA}
    with transaction(engine) as connection:
        rows = copy_out(connection, f"SELECT {', '.join(schema)} FROM tthc.observations ORDER BY 1", schema, exact=True)
        hashes = content_hashes(rows, version=1)
        behind(
            connection,
            "UPDATE tthc.observation_batches SET version = 1, linked_at = NULL, asked_at = NULL, kind = DEFAULT",
        )
        for number, digest in zip(rows["observation_id"], hashes, strict=True):
            connection.execute(
                text("UPDATE tthc.observations SET content_hash = :hash WHERE observation_id = :number"),
                {"hash": digest, "number": number},
            )
        over_rows = sha256(b"".join(hashes)).digest()
        told = f"1|{(seen - _EPOCH) // _MICROSECOND}|1|{rows.height}|".encode()
        connection.execute(
            text("UPDATE tthc.observation_batches SET rows_hash = :rows, chain_hash = :chain"),
            {"rows": over_rows, "chain": sha256(bytes(32) + told + over_rows).digest()},
        )


_EPOCH = START.replace(year=1970, month=1, day=1, hour=0)


def test_links_of_the_first_version_hold_and_go_on_in_the_second(engine: Engine) -> None:
    take(engine, record("a", applicant_hash="x"), record("b", **CHANGES), record("c", step_name="\\"))
    make_old(engine)
    take(engine, record("a", status=5), record("b"), record("c"), at=START + DAY)
    assert query(engine, "SELECT version FROM tthc.observation_batches ORDER BY batch_id") == [1, 2]
    verify(engine).require()
    erase = (
        "UPDATE tthc.observations SET details_hash = sha256(convert_to(concat(source_key, E'\\x1f', code, E'\\x1f', "
        "applicant_hash, E'\\x1f', parent_key), 'UTF8')), source_key = '', code = NULL, applicant_hash = NULL, "
        "parent_key = NULL WHERE dossier_id = 1"
    )
    with engine.begin() as connection:
        connection.execute(text(erase))
    assert ["no event tells of it" in one.what for one in verify(engine).broken] == [True, True]
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.observation_batches (source_id, seen_at, kind, row_count, rows_hash, asked_at) "
                "VALUES (1, now(), 'events', 1, sha256('1|erased'), now() - interval '730 days')"
            )
        )
        connection.execute(text("INSERT INTO tthc.ledger_events VALUES (3, 1, 'erased')"))
    assert ["there is no tombstone of it" in one.what for one in verify(engine).broken] == [True, False]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tthc.erasures VALUES (3, now() - interval '730 days', 1, 1)"))
        connection.execute(text("INSERT INTO tthc.erased VALUES (1, 3, 1, sha256('a'))"))
    told = [one.what for one in verify(engine).broken]
    assert len(told) == 2
    assert "is not what the link covers, or it lies too near" in told[0]
    assert "though by the ledger it had not ended long before" in told[1]


def test_what_is_left_of_erased_observations_of_the_first_version_is_told(engine: Engine) -> None:
    long_ago = START - 4000 * DAY
    take(engine, record("a", applicant_hash="x", status=9), record("c", step_name="\\"), at=long_ago)
    make_old(engine, long_ago)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tthc.pending_evaluations, tthc.pending_dossiers"))
        connection.execute(
            text("SELECT tthc.erase_details(ARRAY[1], :before, :now)"),
            {"before": START - 1000 * DAY, "now": START},
        )
    verdict = verify(engine)
    verdict.require()
    assert verdict.notices[0].startswith("1 observations from before hashes were made in two steps have no details")
    with engine.begin() as connection:
        behind(connection, "UPDATE tthc.observations SET status = 9 WHERE observation_id = 2")
    assert "observation 2 (dossier c) was changed" in verify(engine).broken[0].what


def test_a_pull_that_ends_meanwhile_is_neither_waited_for_nor_seen(engine: Engine) -> None:
    take(engine, record("a"))

    def pull_meanwhile(_done: int, _all: int) -> None:
        if query(engine, "SELECT count(*) FROM tthc.observation_batches") == [1]:
            take(engine, record("a", status=5), record("b"), at=START + DAY)

    verdict = verify(engine, progress=pull_meanwhile)
    verdict.require()
    assert (verdict.links, verdict.observations) == (1, 1)
    assert verify(engine).observations == 3


def recompute_as(engine: Engine, role: str) -> None:
    with transaction(engine) as connection:
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        chain.read_everything(connection)
        verify_links.recompute(connection)


def test_a_role_that_sees_part_of_the_ledger_is_refused(engine: Engine) -> None:
    take(engine, record("a"))
    with engine.begin() as connection:
        for statement in (
            "DO $$ BEGIN CREATE ROLE tthc_test_part LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            "GRANT USAGE ON SCHEMA tthc TO tthc_test_part",
            "GRANT SELECT ON ALL TABLES IN SCHEMA tthc TO tthc_test_part",
            "CREATE POLICY part ON tthc.observations FOR SELECT USING (dossier_id = 2)",
            "DO $$ DECLARE held regclass; BEGIN FOR held IN SELECT oid FROM pg_class WHERE relrowsecurity LOOP EXECUTE "
            "format('CREATE POLICY whole ON %s FOR SELECT TO tthc_test_part USING (true)', held); END LOOP; END $$",
        ):
            connection.execute(text(statement))
    verify(engine).require()
    try:
        recompute_as(engine, "tthc_test_part")
        with engine.begin() as connection:
            connection.execute(text("DROP POLICY whole ON tthc.observations"))
        with pytest.raises(DatabaseError, match=r"row-level security may hide rows of tthc.observations"):
            recompute_as(engine, "tthc_test_part")
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY tthc_test_part"))
            connection.execute(text("DROP ROLE tthc_test_part"))


def test_mails_and_reports_print_the_same_head(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        seed(connection)
    with engine.connect() as connection:
        head = read_ledger_head(connection, ZONE)
        report = build_report(
            connection, calendar_month("2026-10", ZONE), NOW, CALENDAR, settings=ReportSettings(office="x")
        )
    assert head is not None and report.ledger_head == head
    assert (
        head_line(head) == f"Mã niêm phong sổ cái (mắt xích số {head.link}, ngày {head.day:%d/%m/%Y}): {head.grouped}"
    )
    assert ledger_heads.digits(head.grouped) == head.digits
    book = openpyxl.load_workbook(write_report(report, tmp_path / "II.06a.xlsx"))
    assert head_line(head) in [row[0] for row in book["II.06a"].iter_rows(values_only=True)]
    assert head_line(None) == "Mã niêm phong sổ cái: chưa có"


@pytest.mark.parametrize(
    "head", ["", "abc", "0" * 15, "0" * 65, "g" * 64, "x'; DROP TABLE tthc.dossiers; --" + "0" * 20]
)
def test_what_is_no_head_is_refused(engine: Engine, head: str) -> None:
    with pytest.raises(ConfigError, match="is not a head of the ledger"):
        verify(engine, head=head)


def test_a_head_may_be_written_as_people_copy_it(engine: Engine) -> None:
    take(engine, record("a"))
    own = query(engine, "SELECT chain_hash FROM audit.ledger")[0]
    for written in (own, own.upper(), ledger_heads.grouped(own), own[:16], own[:17], f" {own[:32]}\n{own[32:]} "):
        assert verify(engine, head=written).sound, written
    other = ("0" if own[0] != "0" else "1") + own[1:]
    said = (
        "the ledger agrees with itself: 1 links, 1 observations, 0 events, but this head is not proved: no link of this"
    )
    with pytest.raises(
        LedgerError, match=f"^{said} ledger has the head.*of another system.*; compare the digits with"
    ) as caught:
        verify(engine, head=other).require()
    assert "broken" not in str(caught.value)


def test_a_head_that_is_not_proved_does_not_hide_what_is_broken(engine: Engine) -> None:
    take(engine, record("a"))
    with engine.begin() as connection:
        behind(connection, "UPDATE tthc.observations SET due_current = now()")
    with pytest.raises(
        LedgerError, match=r"(?s)^the ledger is broken, first here: link 1 .*also: no link of this ledger"
    ):
        verify(engine, head="ab" * 8).require()


def test_only_the_first_of_many_are_told_with_how_many_there_are(engine: Engine) -> None:
    for day in range(15):
        take(engine, record("a", status=4 + day % 2), at=START + day * DAY)
    with engine.begin() as connection:
        behind(connection, "UPDATE tthc.observations SET due_current = now() WHERE observation_id > 2")
    with pytest.raises(LedgerError) as caught:
        verify(engine).require()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        "the ledger is broken, first here: link 3 (source mau, seen 2026-03-04 08:00:00+07:00): "
    )
    assert len(lines) == 12 and lines[10] == "  and 3 others" and lines[-1].startswith("do not change anything")
