"""Three verdicts on the same dossiers, the progress score of index 766, and why the figures differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from rules.judge import judge
from rules.loader import load_packs
from rules.model import Rule
from tests.postgres.test_auditors import address, name, owner, session
from tthc_monitor.domain.facts import FACT_SCHEMA, facts_frame
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.store.database import transaction

__all__ = ["address", "name", "owner"]  # fixtures of the auditors' tests

CALENDAR = WorkCalendar(
    "UTC", {day: [("08:00", "12:00"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
)
RULES = load_packs(("core", "national"), Path())
DAY = timedelta(days=1)
RECEIVED = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
END = APRIL - timedelta(microseconds=1)


@dataclass(frozen=True)
class Dossier:
    """A dossier received and due, unless told otherwise."""

    received: datetime | None = RECEIVED
    due: datetime | None = DUE
    ended: datetime | None = None
    status: int | None = 4
    asked: datetime | None = None
    answered: datetime | None = None
    count: int | None = None
    lawful: datetime | None = None
    end_seen: datetime | None = None
    source_verdict: str | None = None
    unit: str | None = "H99.01"
    kind: str = "dossier"


def seed(engine: Engine, *dossiers: Dossier, rules: Iterable[Rule] = RULES) -> None:
    """Write dossiers and what the rules find on them, as a finished evaluation does."""
    applied = list(rules)
    with transaction(engine) as connection:
        versions = _evaluation(connection, applied)
        for number, one in enumerate(dossiers, start=1):
            _insert(connection, number, one)
        for rule in applied:
            for found in judge(facts(dossiers), CALENDAR, rule).to_dict("records"):
                _flag(connection, versions[rule.code], {str(name): value for name, value in found.items()})


def facts(dossiers: Iterable[Dossier]) -> pd.DataFrame:
    rows = [
        {
            "dossier_id": number,
            "kind": one.kind,
            "status": 0 if one.status is None else one.status,
            "received_at": one.received,
            "due_original": one.due,
            "due_current": one.due,
            "ended_at": one.ended,
            "end_seen_at": one.end_seen or one.ended,
            "supplement_requested_at": one.asked,
            "supplement_completed_at": one.answered,
            "supplement_count": one.count,
        }
        for number, one in enumerate(dossiers, start=1)
    ]
    frame = facts_frame(pl.DataFrame(rows, schema_overrides=dict(FACT_SCHEMA)).pipe(_whole))
    lawful = pd.Series([one.lawful for one in dossiers], dtype="object")
    frame["due_lawful"] = pd.DatetimeIndex(pd.to_datetime(lawful, utc=True)).as_unit("us")
    return frame


def _whole(rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in FACT_SCHEMA.items() if name not in rows.columns]
    return rows.with_columns(absent).select(list(FACT_SCHEMA))


def _evaluation(connection: Connection, rules: Iterable[Rule]) -> dict[str, int]:
    versions: dict[str, int] = {}
    for rule in rules:
        versions[rule.code] = connection.execute(
            text(
                "INSERT INTO tthc.rule_versions (rule_code, kind, title, severity, verdict, legal_basis, fingerprint,"
                " definition, known_from) VALUES (:code, :kind, :code, 'info', :verdict, 'x', :code, '{}', :at)"
                " RETURNING rule_version_id"
            ),
            {"code": rule.code, "kind": rule.kind, "verdict": rule.verdict, "at": MARCH},
        ).scalar_one()
    connection.execute(text("INSERT INTO tthc.sources (name, kind) VALUES ('mau', 'files')"))
    connection.execute(
        text(
            "INSERT INTO tthc.calendar_versions (name, fingerprint, definition, known_from) VALUES ('t', 't', '{}', :n)"
        ),
        {"n": MARCH},
    )
    connection.execute(
        text(
            "INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint,"
            " calendar_version_id, rule_version_ids) VALUES (:at, :at, 'test', '0', 'x', 1, :ids)"
        ),
        {"at": MARCH, "ids": list(versions.values())},
    )
    return versions


def _insert(connection: Connection, number: int, one: Dossier) -> None:
    connection.execute(
        text(
            "INSERT INTO tthc.dossiers (dossier_id, source_id, observation_id, first_seen_at, changed_at,"
            " status_seen_at, end_seen_at, due_first, source_key, code, kind, unit_code, procedure_code, status,"
            " source_status, received_at, due_current, finished_at, supplement_requested_at, supplement_completed_at,"
            " supplement_count, source_verdict, content_hash) VALUES (:id, 1, :id, :at, :at, :at, :end_seen, :due,"
            " :key, :key, :kind, :unit, '1.000001', :status, 'x', :received, :due, :ended, :asked, :answered, :count,"
            " :verdict, '\\x00')"
        ),
        {
            "id": number,
            "at": RECEIVED,
            "end_seen": one.end_seen or one.ended,
            "due": one.due,
            "key": f"H99-{number}",
            "kind": one.kind,
            "unit": one.unit,
            "status": one.status,
            "received": one.received,
            "ended": one.ended,
            "asked": one.asked,
            "answered": one.answered,
            "count": one.count,
            "verdict": one.source_verdict,
        },
    )


def _flag(connection: Connection, version: int, found: dict[str, Any]) -> None:
    evidence = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name in ("due_at", "counted", "missing")
        if not pd.isna(value := found.get(name))
    }
    connection.execute(
        text(
            "INSERT INTO tthc.flags (dossier_id, rule_version_id, starts_at, ends_at, observation_id, evaluation_id,"
            " unit_code, evidence, believed_from) VALUES (:id, :version, :start, CAST(:end AS timestamptz), :id, 1,"
            " 'H99.01', CAST(:evidence AS jsonb), :at)"
        ),
        {
            "id": found["dossier_id"],
            "version": version,
            "start": found["starts_at"].to_pydatetime(),
            "end": "infinity" if pd.isna(found["ends_at"]) else found["ends_at"].isoformat(),
            "evidence": json.dumps(evidence),
            "at": MARCH,
        },
    )


def rows(engine: Engine, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with transaction(engine) as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def verdicts(engine: Engine, system: str, at: datetime = END) -> list[str]:
    statement = "SELECT verdict FROM audit.verdicts_by(:at, :system) ORDER BY dossier_id"
    return [verdict for (verdict,) in rows(engine, statement, at=at, system=system)]


ASKED = DUE - DAY  # Monday noon
# What each dossier is, and its verdict at the end of March: official, by 766, by OpenCPS, and why they differ.
TABLE: tuple[tuple[Dossier, tuple[str, str, str], list[str] | None], ...] = (
    (Dossier(ended=DUE, status=9), ("on_time", "on_time", "on_time"), None),
    (Dossier(ended=DUE + DAY, status=9), ("late", "late", "late"), None),
    (Dossier(), ("open_overdue", "open_overdue", "open_overdue"), None),
    (Dossier(due=APRIL), ("open_in_time", "open_in_time", "open_in_time"), None),
    (Dossier(ended=APRIL, status=9), ("open_overdue", "open_overdue", "open_overdue"), None),
    (Dossier(received=None, due=None, status=1), ("not_received", "not_received", "not_received"), None),
    (Dossier(received=APRIL, due=None), ("not_received", "not_received", "not_received"), None),
    # Refused before reception: the national rule leaves it out, and so does everybody.
    (Dossier(received=None, status=3, ended=DUE + DAY), ("not_received", "not_counted", "not_counted"), None),
    (Dossier(kind="petition"), ("open_overdue", "not_counted", "not_counted"), None),
    # Without NgayHenTra.
    (
        Dossier(due=None, ended=DUE, status=9),
        ("cannot_tell", "cannot_tell", "on_time"),
        ["no_due_date", "early_by_default"],
    ),
    (
        Dossier(due=None, lawful=DUE),
        ("cannot_tell", "open_overdue", "open_in_time"),
        ["no_due_date", "lawful_limit", "early_by_default"],
    ),
    (
        Dossier(due=None, lawful=DUE, ended=DUE, status=9),
        ("cannot_tell", "on_time", "on_time"),
        ["no_due_date", "lawful_limit", "early_by_default"],
    ),
    # Asked twice: overdue for the national rule only.
    (
        Dossier(asked=ASKED, answered=DUE, count=2, ended=DUE, status=9),
        ("on_time", "late", "on_time"),
        ["second_supplement"],
    ),
    # Waiting since before the promise came: nobody calls it late.
    (Dossier(asked=ASKED, status=5), ("open_in_time", "open_in_time", "open_in_time"), None),
    # Asked when it was overdue already: OpenCPS hides it.
    (Dossier(asked=DUE + DAY, status=5), ("open_overdue", "open_overdue", "open_in_time"), ["waiting"]),
    # Answered after the promise: OpenCPS does not take the wait out.
    (
        Dossier(asked=ASKED, answered=DUE + DAY, ended=DUE + DAY, status=9),
        ("on_time", "on_time", "late"),
        ["pause"],
    ),
    # Answered before it: item 2.1 subtracts the wait, the promise stands for the others.
    (
        Dossier(asked=ASKED, answered=DUE, ended=DUE + DAY, status=9),
        ("late", "on_time", "late"),
        ["pause"],
    ),
    (
        Dossier(ended=DUE + DAY, status=3),
        ("late", "late", "not_counted"),
        ["refused_or_withdrawn"],
    ),
    (
        Dossier(end_seen=DUE + DAY, status=9),
        ("cannot_tell", "cannot_tell", "late"),
        ["unknown_end"],
    ),
    (Dossier(status=None), ("cannot_tell", "cannot_tell", "open_overdue"), ["unknown_status"]),
    # The source has an opinion of its own.
    (
        Dossier(ended=DUE + DAY, status=9, source_verdict="on_time"),
        ("late", "late", "late"),
        ["source_opinion"],
    ),
    (Dossier(ended=DUE + DAY, status=9, source_verdict="late"), ("late", "late", "late"), None),
    (
        Dossier(due=None, ended=DUE, status=9, source_verdict="on_time"),
        ("cannot_tell", "cannot_tell", "on_time"),
        ["no_due_date", "early_by_default", "source_opinion"],
    ),
)


@pytest.fixture
def world(engine: Engine) -> Engine:
    seed(engine, *(one for one, _, _ in TABLE))
    return engine


@pytest.mark.parametrize("place", [0, 1, 2], ids=["official", "national_766", "opencps"])
def test_a_verdict_is_what_its_table_says(world: Engine, place: int) -> None:
    system = ("official", "national_766", "opencps")[place]
    assert verdicts(world, system) == [expected[place] for _, expected, _ in TABLE]


def test_the_official_verdict_has_one_definition(world: Engine) -> None:
    ours = rows(world, "SELECT * FROM audit.verdicts_by(:at, 'official') ORDER BY dossier_id", at=END)
    columns = "dossier_id, unit_code, procedure_code, verdict, late_since, flag_id, received_at, ended_at"
    assert ours == rows(world, f"SELECT {columns} FROM audit.verdicts_as_of(:at) ORDER BY dossier_id", at=END)


def test_a_verdict_can_be_asked_for_any_instant(engine: Engine) -> None:
    micro = timedelta(microseconds=1)
    seed(engine, Dossier(ended=DUE + DAY, status=9))
    for system in ("official", "national_766", "opencps"):
        at = [RECEIVED - micro, RECEIVED, DUE - micro, DUE + micro, DUE + DAY]
        expected = ["not_received", "open_in_time", "open_in_time", "open_overdue", "late"]
        assert [verdicts(engine, system, one)[0] for one in at] == expected


def test_late_since_is_the_instant_that_was_too_much(engine: Engine) -> None:
    asked = DUE + DAY
    seed(engine, Dossier(), Dossier(asked=asked, answered=asked + DAY), Dossier(asked=RECEIVED + DAY, count=2))
    statement = "SELECT late_since, flag_id IS NOT NULL FROM audit.verdicts_by(:at, :system) ORDER BY dossier_id"
    assert rows(engine, statement, at=END, system="national_766") == [
        (DUE, True),
        (DUE, True),
        (RECEIVED + DAY, True),
    ]
    # Shown again after it was hidden: late since the promise all the same.
    assert rows(engine, statement, at=END, system="opencps")[:2] == [(DUE, True), (DUE, True)]


def test_what_is_not_judged_yet_cannot_be_told(world: Engine) -> None:
    with transaction(world) as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.pull_runs (source_id, started_at) VALUES (1, :at);"
                "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id,"
                " last_observation_id, row_count, rows_hash, previous_hash, chain_hash)"
                " VALUES (1, 1, :at, 1, 1, 1, '', '', ''); INSERT INTO tthc.pending_evaluations VALUES (1)"
            ),
            {"at": RECEIVED},
        )
    for place, system in enumerate(("official", "national_766", "opencps")):
        got = verdicts(world, system)
        assert got[0] == "cannot_tell"
        assert got[1:] == [expected[place] for _, expected, _ in TABLE][1:]


def test_differences_say_why(world: Engine) -> None:
    found = rows(
        world,
        "SELECT dossier_id, official, national_766, opencps, reasons FROM audit.verdict_differences(:at)"
        " ORDER BY dossier_id",
        at=END,
    )
    expected = [(number, *three, why) for number, (_, three, why) in enumerate(TABLE, start=1) if why is not None]
    assert found == expected


@pytest.mark.parametrize("system", ["national", "", None])
def test_an_unknown_verdict_is_refused(world: Engine, system: str | None) -> None:
    with pytest.raises(DBAPIError, match=r"no verdict called .*; use 'official', 'national_766' or 'opencps'"):
        rows(world, "SELECT * FROM audit.verdicts_by(:at, CAST(:system AS text))", at=END, system=system)


def test_without_its_rules_a_verdict_is_refused_and_not_all_on_time(engine: Engine) -> None:
    seed(engine, Dossier(ended=DUE + DAY, status=9), rules=load_packs(("core",), Path()))
    assert verdicts(engine, "official") == ["late"]
    for statement in (
        "SELECT * FROM audit.verdicts_by(:at, 'national_766')",
        "SELECT * FROM audit.verdicts_by(:at, 'opencps')",
        "SELECT * FROM audit.progress_766(:at, :at)",
        "SELECT * FROM audit.verdict_differences(:at)",
    ):
        with pytest.raises(DBAPIError, match=r"no rule of kind .* add the pack 'national' to rules\.packs"):
            rows(engine, statement, at=END)
    assert rows(engine, "SELECT audit.system_applied('national_766')") == [(False,)]


def test_rules_of_an_earlier_evaluation_do_not_count(world: Engine) -> None:
    again = (
        "INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint,"
        " calendar_version_id, rule_version_ids) SELECT started_at, {}, reason, '0', 'y', 1,"
        " ARRAY(SELECT rule_version_id FROM tthc.rule_versions WHERE kind <> 'cannot_tell_766')"
        " FROM tthc.evaluations WHERE evaluation_id = 1"
    )
    with transaction(world) as connection:
        connection.execute(text(again.format("NULL")))
    with pytest.raises(DBAPIError, match="no rule of kind cannot_tell_766"):
        verdicts(world, "national_766")
    assert verdicts(world, "opencps")


# Published on dichvucong.gov.vn, read 10/10/2026.
@pytest.mark.parametrize(
    ("on_time", "received", "score"),
    [
        (653, 654, "19.97"),  # Sở VHTTDL Gia Lai
        (788_612, 1_065_150, "14.81"),  # Hà Nội
        (1_478_230, 1_653_458, "17.88"),  # TP. Hồ Chí Minh
        (7, 7, "20.00"),
        (0, 7, "0.00"),
        (0, 0, None),
    ],
)
def test_the_score_is_the_published_one(engine: Engine, on_time: int, received: int, score: str | None) -> None:
    ((got,),) = rows(engine, "SELECT audit.score_766(:on_time, :received)", on_time=on_time, received=received)
    assert got == (None if score is None else Decimal(score))


def test_progress_counts_what_was_received_or_handled_in_the_period(engine: Engine) -> None:
    before = MARCH - 10 * DAY
    seed(
        engine,
        Dossier(ended=DUE, status=9),
        Dossier(ended=DUE + DAY, status=10),
        Dossier(),
        Dossier(due=APRIL),
        Dossier(due=None),
        # Carried over: ended in March, under way still, and ended before March began.
        Dossier(received=before, due=before + 5 * DAY, ended=MARCH, status=9),
        Dossier(received=before, due=APRIL),
        Dossier(received=before, due=before + DAY, ended=MARCH - DAY, status=9),
        # Not counted: after the period, refused before reception, a petition.
        Dossier(received=APRIL),
        Dossier(received=None, status=3, ended=DUE),
        Dossier(kind="petition"),
        # Ended after the period: under way in it.
        Dossier(due=APRIL + DAY, ended=APRIL, status=9, unit="H99.02"),
        Dossier(received=MARCH, due=None, ended=MARCH - DAY, status=9, unit="H99.03"),
    )
    found = rows(engine, "SELECT * FROM audit.progress_766(:a, :b) ORDER BY unit_code", a=MARCH, b=APRIL)
    assert found == [
        ("H99.01", 7, 3, 3, 1, Decimal("42.86"), Decimal("8.57"), Decimal("11.43")),
        ("H99.02", 1, 1, 0, 0, Decimal("100.00"), Decimal("20.00"), Decimal("20.00")),
        # Claimed to have ended before it was received: received in March all the same.
        ("H99.03", 1, 0, 0, 1, Decimal("0.00"), Decimal("0.00"), Decimal("20.00")),
    ]
    for _, received, on_time, overdue, unknown, *_ in found:
        assert received == on_time + overdue + unknown
    assert rows(engine, "SELECT audit.system_applied('national_766'), audit.system_applied('mine')") == [(True, False)]
    for roll_up in ("then", "now"):  # without successors the same; counted by another query
        rolled = rows(
            engine, f"SELECT * FROM audit.progress_766_by_unit(:a, :b, '{roll_up}') ORDER BY 1", a=MARCH, b=APRIL
        )
        assert [(row[0], *row[2:]) for row in rolled] == found and not any(row[1] for row in rolled)
    assert rows(engine, "SELECT * FROM audit.progress_766(:a, :b)", a=MARCH - 99 * DAY, b=MARCH - 90 * DAY) == []


def test_an_auditor_may_ask_for_every_verdict(owner: Engine, address: Any) -> None:
    with session(address) as connection, connection.cursor() as cursor:
        for statement in (
            "SELECT * FROM audit.verdicts_by(now(), 'official')",
            "SELECT audit.score_766(653, 654)",
            "SELECT count(*) FROM audit.verdicts_by(now(), 'national_766')",
            "SELECT count(*) FROM audit.progress_766(now(), now())",
            "SELECT count(*) FROM audit.verdict_differences(now())",
        ):
            cursor.execute(statement)
            assert cursor.fetchall()
