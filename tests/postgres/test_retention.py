"""Retention: details of dossiers that ended long ago are gone from every table, and all else is as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rules.loader import load_packs
from tests.postgres.everywhere import places
from tests.postgres.test_ledger import Sheet, assert_chain_holds, query, record, take, told
from tthc_monitor import retention
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.schedules import Daily
from tthc_monitor.evaluate import evaluate
from tthc_monitor.ingest import pull
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import all_jobs, run_if_due
from tthc_monitor.rehearsal import rehearse
from tthc_monitor.settings import load_settings
from tthc_monitor.store import frozen
from tthc_monitor.store import retention as store
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import open_run, register_source

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
LONG_AGO = datetime(2012, 3, 5, 1, 0, tzinfo=UTC)
"""Monday, 08:00 in Viet Nam: whatever the server's clock says, more than ten years back."""
NOW = LONG_AGO + 11 * YEAR
DETAILS = ("source_key", "code", "applicant_hash", "parent_key")
PACKS = ("core", "lateness", "returned", "duties", "petitions", "interagency", "integrity", "national")


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    file = tmp_path / "x.yaml"
    file.write_text("retention: {details: 3650d}\n", encoding="utf-8")
    return Installation(load_settings(file), engine, load_packs(PACKS, tmp_path), lambda: NOW, tmp_path)


def at(installation: Installation, now: datetime) -> Installation:
    return replace(installation, now=lambda: now)


def judge(installation: Installation, now: datetime, *, everything: bool = False) -> None:
    evaluate(installation.engine, installation.grounds(), now=lambda: now, everything=everything)


def world(installation: Installation) -> None:
    """Two years of one unit: a bad return filed again, gaps in the numbers, lateness, and dossiers still open."""

    def one(key: str, serial: int, **fields: Any) -> dict[str, Any]:
        code = f"H99.01-120305-{serial:04d}"
        return record(
            key,
            **{
                "code": code,
                "unit_code": "H99.01",
                "unit_name": "Sở Xây dựng Tỉnh Mẫu",
                "procedure_code": "1.000001",
                "submitted_at": LONG_AGO,
                "received_at": LONG_AGO,
                "due_original": LONG_AGO + 10 * DAY,
                "due_current": LONG_AGO + 10 * DAY,
                "applicant_hash": f"{serial:064x}",
                **fields,
            },
        )

    def state(now: datetime) -> list[dict[str, Any]]:
        ended = now > LONG_AGO + 2 * DAY
        rows = [
            one("khoa-tra-lai", 1, **({"status": 8, "finished_at": LONG_AGO + DAY} if ended else {})),
            one("khoa-tre", 2, **({"status": 9, "finished_at": LONG_AGO + 20 * DAY} if ended else {})),
            one("khoa-sau-lo-hong", 9, **({"status": 9, "finished_at": LONG_AGO + 5 * DAY} if ended else {})),
            one("khoa-dang-mo", 3, parent_key="khoa-me-cua-no"),
            one("khoa-muon", 4, **({"status": 9, "finished_at": now} if now > LONG_AGO + 2 * YEAR else {})),
        ]
        if ended:
            again = {"submitted_at": LONG_AGO + 2 * DAY, "received_at": LONG_AGO + 2 * DAY}
            rows.append(
                one("khoa-nop-lai", 10, applicant_hash=f"{1:064x}", status=9, finished_at=LONG_AGO + 9 * DAY, **again)
            )
        return rows

    for now in (LONG_AGO + timedelta(hours=3), LONG_AGO + 21 * DAY, LONG_AGO + 3 * YEAR):
        take(installation.engine, *state(now), at=now)
        judge(installation, now)


def published(engine: Engine) -> dict[str, list[Any]]:
    """Every figure, verdict and finding; nothing of it is to be erased."""
    months = [datetime(2012 + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in (*range(2, 7), 12, 38, 39)]
    return {
        "figures": [
            query(engine, "SELECT * FROM audit.figures(:a, :b) ORDER BY 1, 2, 3, 4", a=a, b=b)
            for a, b in pairwise(months)
        ],
        "verdicts": [
            query(
                engine, "SELECT dossier_id, verdict, late_seconds FROM audit.verdicts_as_of(:at) ORDER BY 1", at=month
            )
            for month in months
        ],
        "frozen": query(engine, "SELECT * FROM audit.frozen_figures ORDER BY unit_code, procedure_code"),
        "flags": query(
            engine,
            "SELECT flag_id, dossier_id, rule_version_id, starts_at, ends_at, believed_from, believed_to, unit_code, "
            "procedure_code FROM tthc.flags ORDER BY 1",
        ),
    }


def projection(engine: Engine) -> dict[int, dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM tthc.dossiers")).mappings()
        return {row["dossier_id"]: dict(row) for row in rows}


def standing(engine: Engine, rule: str) -> list[tuple[Any, ...]]:
    """Dossier and evidence of the findings of a rule that are believed."""
    return query(
        engine,
        "SELECT f.dossier_id, f.evidence FROM tthc.flags f JOIN tthc.rule_versions USING (rule_version_id) "
        "WHERE kind = :rule AND believed_to IS NULL ORDER BY 1",
        rule=rule,
    )


KEYS = ("khoa-tra-lai", "khoa-tre", "khoa-sau-lo-hong", "khoa-nop-lai")
"""Of the dossiers of the world that ended in the first year."""
ERASING = LONG_AGO + 12 * YEAR
"""A night on which those are due, and ``khoa-muon`` is not."""


def test_details_are_gone_from_every_table_and_figures_verdicts_and_the_chain_stay(installation: Installation) -> None:
    engine = installation.engine
    world(installation)
    with transaction(engine) as connection:
        frozen.freeze(connection, calendar_month("2012-03", "Asia/Ho_Chi_Minh"), "Người Mẫu", LONG_AGO + YEAR)
    before, held, links = published(engine), projection(engine), assert_chain_holds(engine)
    details = {row[name] for row in held.values() if row["source_key"] in KEYS for name in DETAILS} - {None}
    details -= {row[name] for row in held.values() if row["source_key"] not in KEYS for name in DETAILS}
    assert set(places(engine, details)) == details, "all of it is found before"
    assert [set(evidence) >= {"refiled_dossier_id"} for _, evidence in standing(engine, "refiled")] == [True]
    assert [evidence["missing_from"] for _, evidence in standing(engine, "number_gap")] == [5]

    done = retention.erase(at(installation, ERASING))

    erased = {number for number, row in held.items() if row["source_key"] in KEYS}
    assert done.dossiers == len(erased) == 4
    assert places(engine, details) == {}
    assert published(engine) == before
    assert assert_chain_holds(engine) == links + 1
    after = projection(engine)
    for number, row in held.items():
        changed = {name for name in row if row[name] != after[number][name]}
        assert changed <= set(DETAILS) if number in erased else not changed
    assert {after[number]["source_key"] for number in erased} == {f"erased:{number}" for number in erased}
    told_of = query(engine, "SELECT dossier_id FROM audit.ledger_events WHERE event = 'erased' ORDER BY 1")
    assert told_of == sorted(erased)
    [(ended_before, dossiers, observations)] = query(
        engine, "SELECT ended_before, dossier_count, observation_count FROM audit.erasures"
    )
    assert (ended_before, dossiers, observations) == (ERASING - 10 * YEAR, 4, done.observations)
    assert [evidence.keys() & {"refiled_dossier_id"} for _, evidence in standing(engine, "refiled")] == [set()]
    assert retention.erase(at(installation, ERASING)).dossiers == 0, "what is done is done"


def test_what_rested_on_details_stands_as_it_was_judged_even_when_everything_is_judged_again(
    installation: Installation,
) -> None:
    engine = installation.engine
    world(installation)
    retention.erase(at(installation, ERASING))
    before = published(engine)
    judge(installation, ERASING, everything=True)
    assert published(engine) == before
    # The open dossier of the same day changes: its day has numbers that are gone, and they are no gap.
    changed = {
        "unit_code": "H99.01",
        "procedure_code": "1.000001",
        "received_at": LONG_AGO,
        "code": "H99.01-120305-0003",
    }
    take(engine, record("khoa-dang-mo", status=5, **changed), at=ERASING + DAY)
    judge(installation, ERASING + DAY)
    [gap] = standing(engine, "number_gap")
    assert gap[0] in query(engine, "SELECT dossier_id FROM tthc.erased"), "no new one, and the old one stands"


def test_a_dossier_whose_details_are_erased_does_not_come_back(installation: Installation) -> None:
    engine = installation.engine
    world(installation)
    retention.erase(at(installation, ERASING))
    held, count = projection(engine), query(engine, "SELECT count(*) FROM tthc.observations")
    again = [record("khoa-tra-lai", status=8, finished_at=LONG_AGO + DAY), record("khoa-tre", status=4), record("moi")]
    dry = rehearse(engine, "mau", told(Sheet([*again, record("khoa-tre", status=5)])), now=lambda: ERASING)
    assert (dry.totals.dossiers_new, dry.totals.dossiers_changed) == (1, 0)
    totals = pull(engine, "mau", "told", told(Sheet([*again, record("khoa-tre", status=5)])), now=lambda: ERASING)
    assert (totals.dossiers_new, totals.dossiers_changed, totals.rows_rejected) == (1, 0, 0)
    assert query(engine, "SELECT count(*) FROM tthc.observations") == [count[0] + 1]
    assert {number: row for number, row in projection(engine).items() if number in held} == held
    [note] = query(engine, "SELECT note FROM audit.pull_runs ORDER BY run_id DESC LIMIT 1")
    assert "3 records were left out" in note and "erased" in note
    assert places(engine, ["khoa-tra-lai", "khoa-tre"]) == {}
    other = pull(engine, "hai", "told", told(Sheet([record("khoa-tre")]), name="hai"), now=lambda: ERASING)
    assert other.dossiers_new == 1, "the key of another source is another dossier"


def erase(engine: Engine, dossiers: list[int], ended_before: datetime) -> tuple[int, int]:
    with transaction(engine) as connection:
        return store.erase_details(connection, dossiers, ended_before, NOW)


def test_the_database_refuses_what_ended_lately_or_is_open_whoever_asks(engine: Engine) -> None:
    now = query(engine, "SELECT now()")[0]
    two_years = timedelta(days=730)
    recently = {"status": 9, "finished_at": LONG_AGO}
    take(engine, record("mo"), record("mo-lai", **recently), record("thay-muon", status=9), at=LONG_AGO)
    take(engine, record("mo"), record("mo-lai"), record("thay-muon", **recently), record("xong", **recently), at=NOW)
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM tthc.pending_evaluations"))
    everyone = query(engine, "SELECT dossier_id FROM tthc.dossiers")
    for ended_before in (now, now - two_years + timedelta(seconds=30), now + YEAR):
        with pytest.raises(DBAPIError, match="at least 730 days"):
            erase(engine, everyone, ended_before)
    with pytest.raises(DBAPIError, match="at least 730 days"), engine.begin() as connection:
        connection.exec_driver_sql("SELECT tthc.erase_details('{1}', NULL, now())")
    # What the source claims is long ago; what we saw is not.
    assert erase(engine, everyone, LONG_AGO + YEAR) == (1, 2)
    assert query(engine, "SELECT source_key FROM tthc.dossiers WHERE source_key NOT LIKE 'erased:%' ORDER BY 1") == [
        "mo",
        "mo-lai",
        "xong",
    ]
    assert erase(engine, everyone, NOW + timedelta(microseconds=1)) == (1, 1)
    assert query(engine, "SELECT source_key FROM tthc.dossiers WHERE end_seen_at IS NULL ORDER BY 1") == [
        "mo",
        "mo-lai",
    ]
    for statement in (
        "DELETE FROM tthc.erased",
        "UPDATE tthc.erased SET key_hash = ''",
        "TRUNCATE tthc.erasures, tthc.erased",
    ):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_what_waits_to_be_judged_is_not_erased_before(installation: Installation) -> None:
    take(installation.engine, record("xong", status=9, finished_at=LONG_AGO), at=LONG_AGO)
    assert retention.erase(installation).dossiers == 0
    judge(installation, LONG_AGO)
    assert retention.erase(installation).dossiers == 1


def test_a_run_that_was_killed_goes_on_and_a_dry_run_writes_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = installation.engine
    # The later one of both clocks counts, by the calendar's zone: there it is 2013 already.
    new_year = datetime(2012, 12, 31, 17, 30, tzinfo=UTC)
    rows = [record(f"k{n}", status=9, finished_at=new_year if n == 6 else LONG_AGO - DAY) for n in range(7)]
    take(engine, *rows, at=LONG_AGO)
    judge(installation, LONG_AGO)
    due = [
        (one.table, one.year, one.rows, one.oldest) for one in retention.due(installation) if one.table != "pull_runs"
    ]
    assert due == [
        ("dossiers", 2012, 6, LONG_AGO),
        ("dossiers", 2013, 1, new_year),
        ("observations", 2012, 6, LONG_AGO),
        ("observations", 2013, 1, new_year),
    ]
    assert query(engine, "SELECT count(*) FROM tthc.erased") == [0]
    monkeypatch.setattr(store, "MOST_AT_ONCE", 3)
    through: list[tuple[int, int | None]] = []

    def killed(rows: int, of: int | None) -> None:
        through.append((rows, of))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retention.erase(installation, killed)
    assert (through, query(engine, "SELECT count(*) FROM tthc.erased")) == ([(3, 7)], [3])
    assert assert_chain_holds(engine) == 2
    assert retention.erase(installation).dossiers == 4
    assert assert_chain_holds(engine) == 4


def test_texts_about_pulls_mails_and_jobs_are_forgotten_in_their_time(installation: Installation) -> None:
    engine = installation.engine
    young = NOW - DAY
    with transaction(engine) as connection:
        source = register_source(connection, "mau", "told")
        for started in (LONG_AGO, young):
            run = open_run(connection, source, started)
            for statement in (
                "INSERT INTO tthc.rejects (run_id, location, reason, value) VALUES (:run, 'x', 'y', 'khoa-cu')",
                "INSERT INTO tthc.unknown_codes (run_id, field, code, row_count) VALUES (:run, 'status', 'la', 1)",
                "UPDATE tthc.pull_runs SET outcome = 'failed', error = 'loi', note = 'y' WHERE run_id = :run",
                "INSERT INTO tthc.deliveries (recipient, kind, local_date, claimed_at) "
                "VALUES ('a@mau.example.vn', 'digest', CAST(:at AS date), :at)",
                "INSERT INTO tthc.acknowledgements (recipient, local_date, acknowledged_at, role) "
                "VALUES ('a@mau.example.vn', CAST(:at AS date), :at, 'head')",
                "INSERT INTO tthc.digest_optouts (recipient, opted_out_at, taken_back_at) "
                "VALUES ('a@mau.example.vn', :at, :at)",
                "INSERT INTO tthc.inbox (source, received_at, content) VALUES ('mau', :at, '{}')",
                "INSERT INTO tthc.job_runs (job, scheduled_for, started_at, lease_until, outcome) "
                "VALUES ('viec', :at, :at, :at, 'failed')",
            ):
                connection.execute(text(statement), {"run": run, "at": started})
        connection.execute(
            text("INSERT INTO tthc.job_runs VALUES ('viec', :at, :at, :at, :at, 'ok')"), {"at": LONG_AGO + DAY}
        )
        connection.execute(
            text("INSERT INTO tthc.digest_optouts (recipient, opted_out_at) VALUES ('b@mau.example.vn', :at)"),
            {"at": LONG_AGO},
        )
    expected = dict.fromkeys(
        (
            "rejects",
            "unknown_codes",
            "pull_runs",
            "deliveries",
            "acknowledgements",
            "digest_optouts",
            "job_runs",
            "inbox",
        ),
        1,
    )
    assert {one.table: one.rows for one in retention.due(installation)} == expected
    assert retention.erase(installation).texts == expected
    assert retention.due(installation) == []
    assert query(engine, "SELECT started_at, outcome, error, note FROM tthc.pull_runs ORDER BY 1") == [
        (LONG_AGO, "failed", None, None),
        (young, "failed", "loi", "y"),
    ]
    assert query(engine, "SELECT outcome FROM tthc.job_runs ORDER BY scheduled_for") == ["ok", "failed"], (
        "success stays"
    )
    assert query(engine, "SELECT recipient FROM tthc.digest_optouts WHERE taken_back_at IS NULL") == [
        "b@mau.example.vn"
    ]


def test_the_job_runs_once_a_night(installation: Installation) -> None:
    [job] = [one for one in all_jobs(installation) if one.name == "retention"]
    assert str(job.schedule) == "daily at 02:30"
    take(installation.engine, record("xong", status=9, finished_at=LONG_AGO), at=LONG_AGO)
    judge(installation, LONG_AGO)
    assert run_if_due(installation, job)
    assert not run_if_due(at(installation, NOW + timedelta(hours=1)), job)
    assert query(installation.engine, "SELECT source_key FROM tthc.dossiers") == ["erased:1"]


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-11-22T02:29:59+07:00", "2026-11-21T02:30:00+07:00"),
        ("2026-11-22T02:30:00+07:00", "2026-11-22T02:30:00+07:00"),
        ("2026-11-21T20:00:00+00:00", "2026-11-22T02:30:00+07:00"),
    ],
)
def test_a_daily_slot_comes_at_its_local_time(now: str, slot: str) -> None:
    found = Daily(time(2, 30), "Asia/Ho_Chi_Minh").slot(datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(slot)


# -- any history, erased at any instant ------------------------------------------------------------------------------

_STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from([1, 4, 5, 8, 9, 10, None]),
        "finished_at": st.none() | st.integers(0, 3000).map(lambda days: LONG_AGO + days * DAY),
        "code": st.integers(0, 3),
        "applicant": st.none() | st.integers(0, 2),
        "parent": st.none() | st.integers(0, 2),
    }
)
_HISTORY = st.lists(st.tuples(st.integers(0, 900), st.dictionaries(st.integers(0, 5), _STATES)), min_size=1, max_size=5)


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=_HISTORY, cut=st.integers(0, 4000))
def test_after_any_history_erased_at_any_instant(
    engine: Engine, history: list[tuple[int, dict[int, dict[str, Any]]]], cut: int
) -> None:
    name, now = uuid4().hex, LONG_AGO
    for days, states in history:
        now += days * DAY
        rows = [
            record(
                f"{name}-khoa-{key}",
                status=state["status"],
                finished_at=state["finished_at"],
                code=f"{name}-so-{key}-{state['code']}",
                applicant_hash=None if state["applicant"] is None else f"{name}-nguoi-{key}-{state['applicant']}",
                parent_key=None if state["parent"] is None else f"{name}-me-{key}-{state['parent']}",
            )
            for key, state in states.items()
        ]
        take(engine, *rows, at=now, name=name)
    with transaction(engine) as connection:
        connection.execute(text("TRUNCATE tthc.pending_evaluations, tthc.pending_dossiers"))
    held, ended_before = projection(engine), LONG_AGO + cut * DAY
    every = query(engine, "SELECT dossier_id, source_key, code, applicant_hash, parent_key FROM tthc.observations")

    erase(engine, list(held), ended_before)

    due = {
        number
        for number, row in held.items()
        if row["end_seen_at"] is not None
        and max(filter(None, (row["end_seen_at"], row["finished_at"], row["delivered_at"]))) < ended_before
    }
    after = projection(engine)
    assert {number for number, row in after.items() if row["source_key"] == f"erased:{number}"} >= due
    for number, row in held.items():
        kept = {column: value for column, value in row.items() if number not in due or column not in DETAILS}
        assert {column: after[number][column] for column in kept} == kept
    details = {value for number, *values in every if number in due for value in values if value}
    assert places(engine, details) == {}
    untouched = {value for number, *values in every if number not in due for value in values if value}
    assert set(places(engine, untouched)) == untouched, "nothing else is lost"
    assert_chain_holds(engine)
