"""A unit's auditor sees the rows of its units and of their dossiers, through every view and function, and no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.store import migrate, rights
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import make_engine, transaction

Session: TypeAlias = psycopg2.extensions.connection

# H99 the province; below it two departments, one of which has an office; and one office that is no longer below it.
TREE: Final = """
INSERT INTO tthc.unit_versions (unit_code, name, kind, parent_code, valid_from, valid_to, known_from, known_to) VALUES
    ('H99', 'Tỉnh Mẫu', 'province', NULL, NULL, NULL, now(), NULL),
    ('H99.01', 'Sở Xây dựng', 'department', 'H99', NULL, NULL, now(), NULL),
    ('H99.01.1', 'Chi cục Mẫu', 'branch', 'H99.01', '2020-01-01', NULL, now(), NULL),
    ('H99.01.2', 'Chi cục Giải thể', 'branch', 'H99.01', '2020-01-01', '2024-01-01', now(), NULL),
    ('H99.01.3', 'Chi cục Chuyển đi', 'branch', 'H99.01', '2020-01-01', '2024-01-01', now(), NULL),
    ('H99.01.3', 'Chi cục Chuyển đi', 'branch', 'H99.02', '2024-01-01', NULL, now(), NULL),
    ('H99.01.4', 'Chi cục Sắp về', 'branch', 'H99.02', '2020-01-01', '2099-01-01', now(), NULL),
    ('H99.01.4', 'Chi cục Sắp về', 'branch', 'H99.01', '2099-01-01', NULL, now(), NULL),
    ('H99.01.5', 'Chi cục Ghi nhầm', 'branch', 'H99.01', '2020-01-01', NULL, now(), now()),
    ('H99.02', 'Sở Y tế', 'department', 'H99', NULL, NULL, now(), NULL);
INSERT INTO tthc.units SELECT DISTINCT unit_code, unit_code, now() FROM tthc.unit_versions;
"""
DOSSIERS: Final = {
    1: ("H99.01", "H99.01"),
    2: ("H99.01.1", "H99.02"),
    3: ("H99.01.2", None),
    4: ("H99.02", "H99.01"),  # received by it, resolved by another
    5: ("H99.02", "H99.02"),
    6: ("H99.01.3", "H99.01.3"),
    7: ("H99.01.4", None),
    8: ("H99.01.5", None),
    9: (None, None),
    10: ("H99", "H99"),
}
OWN_UNITS: Final = {"H99.01", "H99.01.1", "H99.01.2"}
OWN_DOSSIERS: Final = {1, 2, 3, 4}
REGISTERS: Final = {
    *("units", "unit_versions", "unit_successions", "unit_successions_now"),
    *("calendar_units", "time_limits", "limit_versions"),
}
"""Registers and laws: who there is, whose office hours and whose limits; open to every auditor."""
FOR_ALL_ONLY: Final = {"acknowledgements", "issued_files", "rejects", "unknown_codes", "configuration_changes"}

ROWS: Final = """
INSERT INTO tthc.sources (name, kind) VALUES ('mau', 'files');
INSERT INTO tthc.calendar_versions (name, fingerprint, definition, known_from) VALUES ('vn', 'x', '{}', now());
INSERT INTO tthc.rule_versions (rule_code, kind, title, severity, verdict, legal_basis, fingerprint, definition, known_from)
SELECT k, k, k, 'high', CASE k WHEN 'overdue' THEN 'open_overdue' END, 'x', k, '{"counted_from": "last_transfer"}', now()
FROM unnest(ARRAY['overdue', 'late_766', 'cannot_tell_766', 'late_opencps', 'petition_handled_late']) k;
INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint, calendar_version_id,
                              rule_version_ids) VALUES (now(), now(), 'x', '1', 'x', 1, '{1,2,3,4,5}');
INSERT INTO tthc.pull_runs (source_id, started_at, outcome) VALUES (1, now(), 'ok');
INSERT INTO tthc.rejects (run_id, location, reason, value) VALUES (1, 'x', 'x', 'H99.02');
INSERT INTO tthc.unknown_codes VALUES (1, 'unit', 'H99.02', 1);
INSERT INTO tthc.frozen_periods (from_at, to_at, zone, month, kind, frozen_at, person)
VALUES ('2026-10-01Z', '2026-11-01Z', 'UTC', '2026-10', 'calendar_month', '2026-11-02', 'x');
INSERT INTO tthc.frozen_figures SELECT 1, unit_code, NULL, NULL, 'dossier', 0, 1, 0, 0, 0, 0, 0, 0, 1, 0
FROM (SELECT unit_code FROM tthc.units UNION ALL SELECT NULL) u;
INSERT INTO tthc.acknowledgements (recipient, local_date, acknowledged_at, unit_codes, role)
VALUES ('a@mau.example.vn', '2026-10-20', '2026-10-20', '{H99.01}', 'head');
INSERT INTO tthc.published_imports (publisher, counted_by, from_at, to_at, zone, month, kind, file, file_hash, row_count,
                                    imported_at, imported_by)
VALUES ('x', 'national_766', '2026-10-01Z', '2026-11-01Z', 'UTC', '2026-10', 'calendar_month', 'x', '', 1, now(), 'x');
INSERT INTO tthc.published_figures (published_import_id, place, unit_code, total_received) SELECT 1, 'x', unit_code, 1 FROM tthc.units;
INSERT INTO tthc.issued_reports (frozen_period_id, unit_codes, subtree, units_as, issued_at, person, units_hash, template_hash,
                                 settings_hash, program_version, previous_digest, digest)
VALUES (1, '{}', true, 'then', now(), 'x', 'x', 'x', 'x', '1', 'x', 'x');
INSERT INTO tthc.issued_files VALUES (1, 'x', 'xlsx', 1, 'x', 'x');
INSERT INTO tthc.calendar_variants SELECT 1, v, 1 FROM unnest(ARRAY['', 'x']) v;
INSERT INTO tthc.calendar_units SELECT 1, unit_code, 'x' FROM tthc.units;
INSERT INTO tthc.cause_imports (imported_at, imported_by, file, file_hash, assigned, withdrawn) VALUES (now(), 'x', 'x', '', 1, 0);
"""
OF_A_DOSSIER: Final = """
INSERT INTO tthc.dossiers (dossier_id, source_id, observation_id, first_seen_at, changed_at, status_seen_at, source_key,
    code, kind, unit_code, receiving_unit_code, status, submitted_at, received_at, due_current, due_first, source_verdict, content_hash)
VALUES (:id, 1, :id, '2026-10-05', '2026-10-05', '2026-10-05', 'k' || :id, 'H99.' || :id,
    CASE WHEN :petition THEN 'petition' ELSE 'dossier' END, :unit, :desk, 4, '2026-10-05', '2026-10-05', '2026-10-10',
    '2026-10-10', 'on_time', '');
SELECT tthc.make_observations_month('2026-10-05');
INSERT INTO tthc.observations (observation_id, dossier_id, source_id, seen_at, source_key, code, kind, unit_code,
    receiving_unit_code, status, received_at, due_current, content_hash)
VALUES (:id, :id, 1, '2026-10-05', 'k', 'c', 'dossier', :unit, :desk, 4, '2026-10-05', '2026-10-10', '');
INSERT INTO tthc.flags (dossier_id, rule_version_id, starts_at, ends_at, observation_id, evaluation_id, unit_code, evidence,
    believed_from, believed_to)
SELECT :id, v, '2026-10-10', 'infinity', :id, 1, :unit, '{"due_at": "2026-10-10"}', now(), b
FROM generate_series(1, 4) v, unnest(ARRAY[NULL, now()]) b;
INSERT INTO tthc.assigned_causes (import_id, line, dossier_id, cause_code, cause_name, cause_class)
VALUES (1, :id, :id, 'x', 'x', 'objective');
"""


@pytest.fixture(scope="module")
def owner() -> Iterator[Engine]:
    """A migrated database with a tree of units and a few rows of each in every table that a view shows."""
    name = f"t_{uuid4().hex}"
    server = make_engine(os.environ["TTHC_TEST_DATABASE_URL"])
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        engine = make_engine(server.url.set(database=name))
        migrate.upgrade(engine)
        with transaction(engine) as rows:
            rows.execute(text(TREE))
            rows.execute(
                text(
                    "INSERT INTO tthc.compiled_calendars (fingerprint, answers_from, answers_to) "
                    "VALUES ('x', '2000-01-01Z', '2060-01-01Z'); "
                    "INSERT INTO tthc.calendar_segments VALUES (1, '2000-01-01Z', '2026-10-20Z', 0)"
                )
            )
            rows.execute(text(ROWS.replace('": "', '"\\: "')))
            for number, (unit, desk) in DOSSIERS.items():
                for petition in (False, True):
                    values = {"id": number + 100 * petition, "unit": unit, "desk": desk, "petition": petition}
                    rows.execute(text(OF_A_DOSSIER.replace('": "', '"\\: "')), values)
        yield engine
        engine.dispose()
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="module")
def logins(owner: Engine) -> Iterator[dict[str, URL]]:
    units = {"everything": (), "department": ("H99.01",), "province": ("H99",), "two": ("H99.01.1", "H99.02")}
    names = {kind: f"{kind}_{uuid4().hex[:12]}" for kind in units}
    with transaction(owner) as connection:
        made = {kind: create_auditor(connection, owner.url, names[kind], codes) for kind, codes in units.items()}
    yield made
    with transaction(owner) as connection:
        connection.execute(text(f"DROP ROLE {', '.join(names.values())}"))


@contextmanager
def session(address: URL) -> Iterator[Session]:
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def department(logins: dict[str, URL]) -> Iterator[Session]:
    with session(logins["department"]) as connection:
        yield connection


@pytest.fixture
def everything(logins: dict[str, URL]) -> Iterator[Session]:
    with session(logins["everything"]) as connection:
        yield connection


def ask(connection: Session, statement: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []
    for row in rows:
        row.pop("late_seconds", None)  # grows while we look
    return rows


def dossiers(connection: Session) -> set[int]:
    return {row["dossier_id"] % 100 for row in ask(connection, "SELECT dossier_id FROM audit.dossiers")}


def assert_own(relation: str, rows: list[dict[str, Any]]) -> None:
    """No row tells of another unit, but where the dossier is one that it received."""
    for row in rows:
        if "dossier_id" in row:
            assert row["dossier_id"] % 100 in OWN_DOSSIERS, (relation, row)
        elif relation not in REGISTERS:
            for name in ("unit_code", "receiving_unit_code", "resolving_unit_code", "rolled_unit_code"):
                assert name not in row or row[name] in OWN_UNITS, (relation, row)


def views(owner: Engine) -> list[str]:
    with transaction(owner) as connection:
        return list(
            connection.scalars(
                text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('v', 'm', 'r')"
                )
            )
        )


def test_no_view_tells_a_unit_auditor_of_another_unit(owner: Engine, department: Session, everything: Session) -> None:
    compared = 0
    for view in views(owner):
        own, all_rows = (ask(one, f"SELECT * FROM audit.{view}") for one in (department, everything))
        assert_own(view, own)
        for row in (*own, *all_rows):
            row.pop("late_until", None)  # of what is late still: the moment of asking
            row.pop("changed_rows", None)  # counts the rows that the asking role sees
        if view in FOR_ALL_ONLY:
            assert own == []
        elif view != "asking" and all_rows and {"dossier_id", "unit_code"} & set(all_rows[0]) and view not in REGISTERS:
            # What it sees is what others see of it, no less.
            seen = [
                row
                for row in all_rows
                if (row["dossier_id"] % 100 in OWN_DOSSIERS if "dossier_id" in row else row["unit_code"] in OWN_UNITS)
            ]
            assert sorted(map(repr, own)) == sorted(map(repr, seen)), view
            assert 0 < len(own) < len(all_rows), view
            compared += 1
        elif view != "asking":
            assert own == all_rows, view
    assert compared >= 6


SPANS: Final = "ARRAY[tstzrange('2026-10-01Z', '2026-11-01Z'), tstzrange('2026-09-01Z', '2026-11-01Z')]"
CALLS: Final = (
    "verdicts_as_of(now())",
    "verdicts_by(now(), 'national_766')",
    "verdicts_by(now(), 'opencps')",
    "verdict_differences(now())",
    "figures('2026-10-01Z', '2026-11-01Z')",
    "figures_by_unit('2026-10-01Z', '2026-11-01Z')",
    "figures_by_unit('2026-10-01Z', '2026-11-01Z', 'now')",
    "reported_figures('2026-10-01Z', '2026-11-01Z', 'UTC')",
    "reported_figures('2026-09-01Z', '2026-11-01Z', 'UTC')",
    f"figures_of({SPANS})",
    f"reported_figures_of({SPANS}, 'then', 'UTC')",
    f"reported_figures_of({SPANS}, 'now')",
    "errata('2026-10-01Z', '2026-11-01Z', 'UTC')",
    "erratum_dossiers('2026-10-01Z', '2026-11-01Z', 'UTC')",
    "period_differences('2026-10-01Z', '2026-11-01Z')",
    "petition_shares('2026-10-01Z', '2026-11-01Z')",
    "progress_766('2026-10-01Z', '2026-11-01Z')",
    "progress_766_by_unit('2026-10-01Z', '2026-11-01Z')",
    "progress_766_by_unit('2026-10-01Z', '2026-11-01Z', 'now')",
    "dossiers_as_of('2026-10-06')",
    "dossiers_as_of(now())",
    "flags_as_of(now(), now())",
)
OF_NO_ROW: Final = {
    *(
        "on_time_percent",
        "score_766",
        "verdict_kinds",
        "known_system",
        "system_applied",
        "working_seconds",
        "unit_as_now",
        "unit_name",
    ),
    *("calendar_now", "working_time", "working_days", "replay_for", "net_working_time"),
}
"""Functions that read no rows of units: of what they are given, of laws and registers."""


def test_every_function_is_tried(owner: Engine) -> None:
    with transaction(owner) as connection:
        found = set(connection.scalars(text("SELECT proname FROM pg_proc WHERE pronamespace = 'audit'::regnamespace")))
    assert found == OF_NO_ROW | {call.partition("(")[0] for call in CALLS}


@pytest.mark.parametrize("call", CALLS)
def test_no_function_tells_a_unit_auditor_of_another_unit(department: Session, everything: Session, call: str) -> None:
    own, all_rows = (ask(one, f"SELECT * FROM audit.{call}") for one in (department, everything))
    assert_own(call, own)
    key = "dossier_id" if "dossier_id" in all_rows[0] else "unit_code"
    of_it = OWN_DOSSIERS if key == "dossier_id" else OWN_UNITS
    seen = [row for row in all_rows if (row[key] % 100 if key == "dossier_id" and row[key] else row[key]) in of_it]
    assert sorted(map(repr, own)) == sorted(map(repr, seen))
    assert 0 < len(own) < len(all_rows)


@pytest.mark.parametrize(
    ("login", "seen"),
    [
        ("everything", set(DOSSIERS)),
        ("department", OWN_DOSSIERS),
        ("province", set(DOSSIERS) - {8, 9}),  # a unit believed no longer, and none
        ("two", {2, 4, 5, 6, 7}),
    ],
)
def test_a_unit_and_all_below_it_and_what_it_received(logins: dict[str, URL], login: str, seen: set[int]) -> None:
    with session(logins[login]) as connection:
        assert dossiers(connection) == seen
        asking = ask(connection, "SELECT sees_all FROM audit.asking")
        assert asking == [{"sees_all": login == "everything"}]


def test_taking_on_another_role_shows_no_more(department: Session) -> None:
    for statement in ("SET ROLE tthc_unit_auditor",):
        ask(department, statement)
        assert dossiers(department) == set()
        ask(department, "RESET ROLE")
    for role in ("tthc_auditor", "tthc_service", "tthc_views", "tthc_migrator", "tthc_owner"):
        for statement in (
            f"SET ROLE {role}",
            f"SET SESSION AUTHORIZATION {role}",
            f"SELECT set_config('role', '{role}', false)",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(department, statement)
    assert dossiers(department) == OWN_DOSSIERS


def test_settings_do_not_open_the_rows(department: Session) -> None:
    ask(department, "SET default_transaction_read_only = off")
    ask(department, "SET row_security = off")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
        ask(department, "SELECT * FROM audit.dossiers")
    ask(department, "SET row_security = on")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(department, "SELECT * FROM tthc.auditor_units")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(department, "INSERT INTO tthc.auditor_units VALUES (current_user, 'H99')")


def test_a_condition_is_not_tried_on_rows_of_others(department: Session, everything: Session) -> None:
    """An error, or how long it takes, would tell what is in them."""
    trap = "SELECT count(*) FROM audit.{} WHERE 1 / (CASE WHEN dossier_id % 100 = 5 THEN 0 ELSE 1 END) = 1"
    for view in ("dossiers", "observations", "flags"):
        ask(department, trap.format(view))
        with pytest.raises(psycopg2.errors.DivisionByZero):
            ask(everything, trap.format(view))


def test_rows_that_are_said_to_belong_to_units_have_their_policy(owner: Engine) -> None:
    """What the views' owner may read of our tables is open to every auditor by declaration, or has a policy."""
    with transaction(owner) as connection:
        read = connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity, (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid "
                "AND a.attname IN ('dossier_id', 'unit_code')) FROM pg_class c WHERE c.relnamespace = 'tthc'::regnamespace "
                "AND c.relkind IN ('r', 'p') AND has_table_privilege('tthc_views', c.oid, 'SELECT')"
            )
        ).all()
    assert len(read) > 20
    for table, is_on, columns in read:
        declared = rights.TABLES[table].rows
        assert is_on == (declared is not rights.Rows.ALL), table
        assert not columns or is_on or table in REGISTERS, table


def test_conditions_on_indexed_columns_are_looked_up(logins: dict[str, URL]) -> None:
    for login in ("everything", "department"):
        with session(logins[login]) as connection:
            ask(connection, "SET enable_seqscan = off")
            for view, index in (
                ("observations", "observations_y2026m10_pkey"),
                ("flags", "flags_of_dossier"),
                ("dossiers", "dossiers_pkey"),
            ):
                rest = "AND believed_to IS NULL" if view == "flags" else ""
                plan = ask(connection, f"EXPLAIN SELECT * FROM audit.{view} WHERE dossier_id = 1 {rest}")
                told = "\n".join(row["QUERY PLAN"] for row in plan)
                assert f"Index Scan using {index}" in told or f"Bitmap Index Scan on {index}" in told, told
                assert "Index Cond: (dossier_id = 1)" in told


@contextmanager
def auditor(owner: Engine, *units: str) -> Iterator[str]:
    name = f"kiem_toan_{uuid4().hex[:12]}"
    with transaction(owner) as connection:
        create_auditor(connection, owner.url, name, units)
    yield name
    with transaction(owner) as connection:
        connection.execute(text(f"DROP ROLE {name}"))


def units_of(connection: Connection, name: str) -> set[str]:
    found = connection.scalars(text("SELECT unit_code FROM tthc.auditor_units WHERE role_name = :name"), {"name": name})
    return set(found)


def test_the_second_call_replaces_the_units(owner: Engine) -> None:
    with auditor(owner, "H99.01", "H99.02", "H99.01") as name, transaction(owner) as connection:
        assert units_of(connection, name) == {"H99.01", "H99.02"}
        create_auditor(connection, owner.url, name, ["H99.01.1"])
        assert units_of(connection, name) == {"H99.01.1"}


def test_an_unknown_unit_is_refused_by_name(owner: Engine) -> None:
    with (
        pytest.raises(ConfigError, match=r"no unit has the code H98, H99\.7; see .* with: tthc-monitor units list$"),
        transaction(owner) as connection,
    ):
        create_auditor(connection, owner.url, "kiem_toan_khong_co", ["H99.01", "H98", "H99.7"])


def test_nobody_becomes_the_other_kind_of_auditor_by_a_second_call(owner: Engine) -> None:
    with auditor(owner, "H99.01") as of_a_unit, auditor(owner) as of_all:
        for name, units, told in (
            (of_a_unit, (), "exists and is not an auditor but a unit auditor; choose another name"),
            (of_all, ("H99.01",), "exists and is not a unit auditor but an auditor; choose another name"),
        ):
            with pytest.raises(ConfigError, match=told), transaction(owner) as connection:
                create_auditor(connection, owner.url, name, units)
        with transaction(owner) as connection:
            assert units_of(connection, of_a_unit) == {"H99.01"}
            connection.execute(text(f"GRANT tthc_auditor TO {of_a_unit}"))
        with (
            pytest.raises(ConfigError, match="is a unit auditor and in tthc_auditor too"),
            transaction(owner) as connection,
        ):
            create_auditor(connection, owner.url, of_a_unit, ["H99.01"])
