"""Whoever has the service's password, and no more: what it cannot do to what was seen, believed and erased."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.postgres.test_ledger import DAY, query, record, take
from tests.postgres.test_recompute import grounds
from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.evaluate import evaluate
from tthc_monitor.verification import verify

NOW = datetime.now(UTC).replace(microsecond=0)


def do(engine: Engine, *statements: str, **values: Any) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace("::", "\\:\\:")), values)


@pytest.fixture
def held(engine: Engine, service_engine: Engine) -> Engine:
    """A dossier seen late, and judged, by the service; everything below is tried with its rights."""
    late = record("a", code="H99-1", due_current=NOW - 9 * DAY, received_at=NOW - 20 * DAY)
    take(service_engine, late, record("b"), at=NOW - DAY)
    evaluate(service_engine, grounds(), now=lambda: NOW - DAY)
    assert query(engine, "SELECT count(*) FROM tthc.flags")[0] > 0
    return service_engine


def test_nothing_temporary_of_the_callers_runs_with_the_owners_rights(held: Engine) -> None:
    with held.connect() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION pg_temp.spy(v pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
                "IF current_user <> 'tthc_service' THEN RAISE 'ran as %', current_user; END IF; RETURN true; END $$"
            )
        )
        connection.execute(text("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.spy(value))"))
        for call in (
            "tthc.make_observations_month('2030-05-01')",
            "tthc.observations_loaded(now())",
            "tthc.renew_statistics('dossiers')",
            "tthc.lock_for_import('time_limits')",
            "tthc.make_group_lookup('filing')",
            "tthc.make_number_lookup()",
        ):
            connection.execute(text(f"SELECT {call}"))
        connection.rollback()


def test_every_function_of_ours_looks_at_nobodys_temporary_objects(engine: Engine) -> None:
    loose = query(
        engine,
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'tthc'::regnamespace "
        "AND array_to_string(proconfig, ',') IS DISTINCT FROM 'search_path=pg_catalog, pg_temp'",
    )
    assert loose == []


def test_an_open_dossier_is_not_erased_by_a_projection_that_lies(engine: Engine, held: Engine) -> None:
    do(
        held,
        "UPDATE tthc.dossiers SET end_seen_at = '2012-01-01', source_key = 'khac' WHERE code = 'H99-1'",
        "DELETE FROM tthc.pending_dossiers",
        "DELETE FROM tthc.pending_evaluations",
        "SELECT tthc.erase_details(array_agg(dossier_id), now() - interval '731 days', now()) FROM tthc.dossiers",
    )
    assert query(engine, "SELECT count(*) FROM tthc.erased") == [0]
    assert query(engine, "SELECT code FROM tthc.observations ORDER BY 1") == ["H99-1", None]


def test_what_was_believed_is_opened_by_an_evaluation_under_way_and_closed_once(engine: Engine, held: Engine) -> None:
    columns = "dossier_id, rule_version_id, starts_at, ends_at, observation_id, evaluation_id, evidence"
    forged = (
        f"INSERT INTO tthc.flags ({columns}, believed_from, believed_to) SELECT {columns}, {{}} FROM tthc.flags LIMIT 1"
    )
    for belief in ("'2024-01-01', NULL", "believed_from, '2026-01-01'"):
        with pytest.raises(DBAPIError, match="opened by an evaluation under way"):
            do(held, forged.format(belief))
    with pytest.raises(DBAPIError, match="closed once, and not before it began"):
        do(held, "UPDATE tthc.flags SET believed_to = believed_from - interval '1 day'")
    do(held, "UPDATE tthc.flags SET believed_to = believed_from + interval '1 hour'")
    for moved in ("believed_from", "NULL"):
        with pytest.raises(DBAPIError, match="closed once"):
            do(held, f"UPDATE tthc.flags SET believed_to = {moved}")
    for column in ("finished_at = NULL", "flags_opened = 0"):
        with pytest.raises(DBAPIError, match="has ended: what it did stands"):
            do(held, f"UPDATE tthc.evaluations SET {column}")
    assert query(engine, "SELECT recorded_at > now() - interval '10 minutes' FROM audit.evaluations") == [True]


def test_a_replay_is_kept_whole(held: Engine) -> None:
    replay = (
        "INSERT INTO tthc.replays (seen_at, judged_at, person, last_batch_id, dossiers, engine_version, "
        "ruleset_fingerprint, rule_version_ids, calendar_version_id) "
        "SELECT now(), now(), 'x', 1, 1, '1', 'x', '{}', calendar_version_id FROM tthc.calendar_versions LIMIT 1"
    )
    do(held, replay)
    with pytest.raises(DBAPIError, match="nothing is added to it afterwards"):
        do(
            held,
            "INSERT INTO tthc.replayed_flags SELECT 1, dossier_id, rule_version_id, starts_at, ends_at, observation_id, "
            "NULL, NULL, evidence FROM tthc.flags",
        )


LINK = (
    "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, kind, row_count, rows_hash) "
    "VALUES (1, 1, '2100-01-01', 'events', 0, sha256(''))"
)


def test_the_chain_does_not_fork(held: Engine) -> None:
    with held.connect().execution_options(isolation_level="REPEATABLE READ") as older:
        older.execute(text("SELECT 1"))
        with pytest.raises(DBAPIError, match="cannot follow on the newest one"):
            older.execute(text(LINK))


def test_after_a_link_of_the_future_pulls_say_so(held: Engine) -> None:
    do(held, LINK)
    with pytest.raises(DatabaseError, match=r"was seen at 2100-01-01T00:00:00Z, which has not come yet; set the clock"):
        take(held, record("a"), at=NOW)


def test_a_clock_set_back_by_a_little_breaks_nothing(engine: Engine, held: Engine) -> None:
    take(held, record("a", status=5), record("b"), at=NOW - DAY - timedelta(minutes=2))
    assert query(engine, "SELECT DISTINCT seen_at FROM tthc.observations") == [NOW - DAY]
    verify(engine).require()


@pytest.mark.parametrize("month", ["2027-01-15 BC", "infinity", "-infinity", "12000-01-01"])
def test_nothing_is_seen_in_a_month_that_cannot_be(held: Engine, month: str) -> None:
    with pytest.raises(DBAPIError, match="nothing can have been seen at"):
        do(held, f"SELECT tthc.make_observations_month('{month}')")
