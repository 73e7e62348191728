"""Units in the database: what was known stays, SQL answers as Python does, and roll-ups lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.postgres.seed import NOW, at, seed
from tests.postgres.test_ledger import query
from tests.unit.test_units import CODES, D2027, DAYS, PROCEDURES, REFORM, SECTORS, TODAY, reform, registers, taken, unit
from tthc_monitor.domain.unit_checks import faults
from tthc_monitor.domain.unit_files import described
from tthc_monitor.domain.unit_successors import unit_as_now
from tthc_monitor.domain.units import Succession, UnitRegister
from tthc_monitor.outputs.report_columns import COUNTS
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import transaction
from tthc_monitor.store.units import Imported, lock_register, read_register, save_register, undescribed_units

OCTOBER, NOVEMBER = at("2026-10-01", "00:00"), at("2026-11-01", "00:00")
XD, YT, MOT = "H99.01", "H99.02", "H99.03"


def keep(engine: Engine, wanted: UnitRegister, now: datetime = NOW) -> Imported:
    """An import of a whole register."""
    assert not faults(wanted)
    with transaction(engine) as connection:
        lock_register(connection)
        known = read_register(connection)
        return save_register(connection, known, wanted, file="mau.yaml", content=b"x", by="Kiểm soát viên", now=now)


def rows(engine: Engine, statement: str, **values: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement), values))


def as_now(engine: Engine, code: str, day: date = TODAY, **more: Any) -> tuple[str | None, bool]:
    found = rows(
        engine,
        "SELECT * FROM audit.unit_as_now(:code, :at, :sector, :procedure, :named)",
        **{"code": code, "at": day, "sector": None, "procedure": None, "named": date(1, 1, 1)} | more,
    )
    assert len(found) == 1
    return (found[0].successor_code, found[0].ambiguous)


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    with engine.begin() as connection:
        seed(connection)
    return engine


# -- what was known stays -------------------------------------------------------------------------------------------


def test_a_register_comes_back_as_it_was_stored(engine: Engine) -> None:
    wanted = reform(
        taken("O1", "N1", share=0.25),
        taken("O1", "N2", sectors='DD X"D', procedures="1.01 1.02"),
        Succession("O2", "N1", REFORM, 'NQ "202", \\ khoản 1, 2'),
    )
    assert keep(engine, wanted) == Imported(4, 0, 3, 0)
    with engine.connect() as connection:
        found = read_register(connection)
    assert set(found.versions) == set(wanted.versions)
    assert set(found.successions) == set(wanted.successions)
    assert keep(engine, found).nothing
    assert rows(engine, "SELECT imported_by, versions_opened FROM audit.unit_imports") == [("Kiểm soát viên", 4)]


def test_a_correction_leaves_what_was_known_before(engine: Engine) -> None:
    first = reform(taken("O1", "N1"), taken("O2", "N2", sectors="DD"), taken("O2", "N1"))
    keep(engine, first, NOW)
    later = NOW + timedelta(days=1)
    second, _ = described(
        first,
        "units: [{code: N1, name: Tên đúng, kind: ward, valid_from: 2025-07-01}]\n"
        "successions: [{from: O1, to: N2, date: 2025-07-01, document: NQ sửa}]",
        "sua.yaml",
    )
    assert keep(engine, second, later) == Imported(1, 1, 1, 1)
    with engine.connect() as connection:
        before, just_before = read_register(connection, NOW), read_register(connection, later - timedelta(seconds=1))
        after, earlier = read_register(connection), read_register(connection, NOW - timedelta(seconds=1))
    assert set(before.versions) == set(just_before.versions) == set(first.versions)
    assert set(before.successions) == set(just_before.successions) == set(first.successions)
    assert set(after.versions) == set(second.versions) and set(after.successions) == set(second.successions)
    assert not earlier.versions and not earlier.successions
    assert as_now(engine, "O1") == ("N2", False)
    told = rows(engine, "SELECT to_code, known_from, known_to FROM audit.unit_successions WHERE from_code = 'O1'")
    assert sorted(told) == [("N1", NOW, later), ("N2", later, None)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tthc.unit_versions",
        "TRUNCATE tthc.unit_versions",
        "UPDATE tthc.unit_versions SET name = 'x'",
        "UPDATE tthc.unit_versions SET known_to = now(), name = 'x'",
        "DELETE FROM tthc.unit_successions",
        "TRUNCATE tthc.unit_successions",
        "UPDATE tthc.unit_successions SET share = 0.5",
    ],
)
def test_what_was_known_cannot_be_changed_by_hand(engine: Engine, statement: str) -> None:
    keep(engine, reform(taken("O1", "N1")))
    with pytest.raises(DBAPIError, match="is refused: what was known stays"), engine.begin() as connection:
        connection.execute(text(statement))


def test_units_that_sources_name_and_nobody_described_are_told(world: Engine) -> None:
    keep(world, UnitRegister([unit(XD), unit(YT)]))
    with world.connect() as connection:
        assert undescribed_units(connection, read_register(connection)) == ["H99.03", "H99.04"]


# -- SQL answers as Python does -------------------------------------------------------------------------------------


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(register=registers(), named=st.sampled_from(DAYS))
def test_sql_answers_as_python_does(engine: Engine, register: UnitRegister, named: date) -> None:
    keep(engine, register)
    found = rows(
        engine,
        "SELECT c, d, s, p, n.successor_code, n.ambiguous FROM unnest(CAST(:codes AS text[])) c, "
        "unnest(CAST(:days AS date[])) d, unnest(CAST(:sectors AS text[])) s, unnest(CAST(:procedures AS text[])) p "
        "CROSS JOIN LATERAL audit.unit_as_now(c, d, s, p, :named) n",
        codes=[*CODES, "X"],
        days=[*DAYS, TODAY],
        sectors=[None, *SECTORS],
        procedures=[None, *PROCEDURES],
        named=named,
    )
    assert len(found) == 5 * 5 * 3 * 3
    for code, day, sector, procedure, successor, ambiguous in found:
        answer = unit_as_now(register, code, day, sector=sector, procedure=procedure, named_on=named)
        assert (successor, ambiguous) == (answer.successor_code, answer.ambiguous)


def test_a_unit_is_called_as_on_the_day(world: Engine) -> None:
    keep(world, UnitRegister([unit(XD, REFORM, D2027, "Cũ"), unit(XD, D2027, None, "Mới")]))
    names = [(date(2024, 1, 1), "Cũ"), (REFORM, "Cũ"), (date(2026, 12, 31), "Cũ"), (D2027, "Mới")]
    for day, name in names:
        assert query(world, "SELECT audit.unit_name(:code, :day)", code=XD, day=day) == [name]
    assert query(world, "SELECT audit.unit_name('H99.02')") == ["Sở Y tế"]
    assert query(world, "SELECT audit.unit_name('nobody')") == [None]


# -- figures as then and as now -------------------------------------------------------------------------------------


def figures(engine: Engine, roll_up: str, day: date = TODAY) -> list[Any]:
    return rows(
        engine,
        "SELECT * FROM audit.figures_by_unit(:start, :end, :roll, 'Asia/Ho_Chi_Minh', :at)",
        start=OCTOBER,
        end=NOVEMBER,
        roll=roll_up,
        at=day,
    )


def totals(found: list[Any]) -> dict[tuple[Any, ...], int]:
    """Sums by procedure, sector, kind and count: all but the unit."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in found:
        for name in COUNTS:
            key = (row.procedure_code, row.sector_code, row.kind, name)
            sums[key] = sums.get(key, 0) + getattr(row, name)
    return sums


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(register=registers())
def test_roll_ups_conserve_every_total(world: Engine, register: UnitRegister) -> None:
    names = dict(zip(CODES, (XD, YT, MOT, "H99.04"), strict=True)) | dict(
        zip((*SECTORS, *PROCEDURES), ("H99-XD", "H99-YT", "1.000001", "1.000003"), strict=True)
    )
    renamed = UnitRegister(
        [unit(names[one.unit_code], one.valid_from, one.valid_to) for one in register.versions],
        [
            Succession(
                names[one.from_code],
                names[one.to_code],
                one.on,
                one.document,
                one.share,
                tuple(names[code] for code in one.sectors),
                tuple(names[code] for code in one.procedures),
            )
            for one in register.successions
        ],
    )
    keep(world, renamed)
    then, now = figures(world, "then"), figures(world, "now")
    assert totals(then) == totals(now) and sum(totals(then).values()) > 0
    plain = rows(world, "SELECT * FROM audit.figures(:start, :end, 'Asia/Ho_Chi_Minh')", start=OCTOBER, end=NOVEMBER)
    wanted = sorted((str(row.unit_code), str(row.procedure_code), row.kind, *row[4:]) for row in plain)
    assert sorted((str(row.unit_code), str(row.procedure_code), row.kind, *row[6:]) for row in then) == wanted
    # Each dossier's responsible unit is what the function says of the day it was received.
    assert not rows(
        world,
        "SELECT r.dossier_id FROM audit.responsibility r JOIN audit.dossiers d USING (dossier_id) "
        "CROSS JOIN LATERAL audit.unit_as_now(d.unit_code, (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, d.sector_code, "
        "d.procedure_code, (coalesce(d.received_at, d.first_seen_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) n "
        "WHERE (n.successor_code, n.ambiguous) IS DISTINCT FROM (r.responsible_unit_code, r.ambiguous)",
    )
    for row in now:
        if row.unit_code is not None and not row.ambiguous:
            held = renamed.version_on(row.unit_code, TODAY)
            assert held is not None and row.unit_name == held.name


def test_a_merger_adds_up_under_the_successor_and_a_split_stays_marked(world: Engine) -> None:
    split = [taken(YT, "H99.06", D2027), taken(YT, "H99.07", D2027)]
    register = UnitRegister(
        [
            *(unit(code, None, D2027) for code in (XD, MOT, YT)),
            *(unit("H99.05", D2027, None, "Đơn vị hợp nhất"), unit("H99.06", D2027), unit("H99.07", D2027)),
        ],
        [taken(XD, "H99.05", D2027), taken(MOT, "H99.05", D2027), *split],
    )
    keep(world, register)

    def received(found: list[Any]) -> dict[Any, tuple[int, str | None, bool]]:
        summed: dict[Any, tuple[int, str | None, bool]] = {}
        for row in found:
            if row.kind == "dossier":
                held = summed.get(row.unit_code, (0, None, False))[0]
                summed[row.unit_code] = (
                    held + row.received_online + row.received_direct + row.carried_over,
                    row.unit_name,
                    row.ambiguous,
                )
        return summed

    then = received(figures(world, "then", D2027))
    assert then[XD] == (11, f"Đơn vị mẫu {XD}", False) and then[YT][0] == 5
    assert received(figures(world, "now", date(2026, 12, 31))) == then
    assert received(figures(world, "now", D2027)) == {
        "H99.05": (11, "Đơn vị hợp nhất", False),
        YT: (5, f"Đơn vị mẫu {YT}", True),
        None: (1, None, False),
    }


def test_a_roll_up_of_another_name_is_refused(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="neither 'then' nor 'now'"):
        figures(engine, "Now")


# -- responsibility -------------------------------------------------------------------------------------------------


def test_dossiers_of_a_district_are_inherited_when_they_were_open(world: Engine) -> None:
    """Sở Xây dựng plays the district that ended on 21 October 2026; today it is after that in every run."""
    ended = date(2026, 10, 21)
    register = UnitRegister(
        [unit(XD, None, ended), unit(YT, ended), unit(MOT)],
        [taken(XD, YT, ended), taken(MOT, YT, ended, sectors="H99-HT")],
    )
    keep(world, register)
    if query(world, "SELECT (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date")[0] < ended:
        pytest.skip("the clock of this server is behind the world of the test")
    found = {row.code: row for row in rows(world, "SELECT * FROM audit.responsibility")}

    def told(code: str) -> tuple[Any, ...]:
        row = found[code]
        return row.resolving_unit_code, row.responsible_unit_code, row.inherited, row.inherited_from, row.inherited_on

    assert len(found) == len(query(world, "SELECT dossier_id FROM audit.dossiers"))
    # Received on 1 October, still open: taken over. Ended on 15 October: history. Received on the 22nd by old software: not.
    assert told("H99.01-261001-0001") == (XD, YT, True, XD, ended)
    assert told("H99.01-261001-0007") == (XD, YT, False, None, None)
    assert told("H99.01-261022-0005") == (XD, YT, False, None, None)
    # The source names the new unit already; its only predecessor is told.
    assert told("H99.02-261012-0002")[:3] == (YT, YT, True)
    # Competence for one sector: the unit goes on, and what it received later is its own.
    assert told("H99.03-261102-0001") == (MOT, MOT, False, None, None)
    assert told("=H99-000001") == (None, None, False, None, None)


def test_a_desk_that_ended_hands_its_dossiers_over_too(world: Engine) -> None:
    ended = date(2026, 10, 21)
    with world.begin() as connection:
        connection.execute(
            text("UPDATE tthc.dossiers SET receiving_unit_code = 'H99.90' WHERE unit_code = :yt"), {"yt": YT}
        )
    keep(world, UnitRegister([unit("H99.90", None, ended), unit(YT)], [taken("H99.90", YT, ended)]))
    found = rows(world, "SELECT code, inherited_from FROM audit.responsibility WHERE inherited ORDER BY code")
    # 0004 ended on 22 October, a day after the desk; 0001 and the petition are older and still open.
    assert found == [
        (f"H99.02-{part}", "H99.90")
        for part in ("260901-0001", "261006-0004", "261007-0005", "261012-0002", "261013-0003")
    ] + [("PAKN-77", "H99.90")]


# -- auditors -------------------------------------------------------------------------------------------------------


def test_an_auditor_reads_it_all_and_changes_nothing(engine: Engine) -> None:
    keep(engine, reform(taken("O1", "N1")))
    name = "kiem_toan_don_vi"
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name)
    auditor = psycopg2.connect(address.render_as_string(hide_password=False))
    auditor.autocommit = True
    try:
        with auditor.cursor() as cursor:
            for view in ("unit_versions", "unit_successions", "unit_imports", "unit_successions_now", "responsibility"):
                cursor.execute(f"SELECT count(*) FROM {view}")
            cursor.execute("SELECT * FROM audit.unit_as_now('O1')")
            assert cursor.fetchall() == [("N1", False)]
            cursor.execute("SELECT audit.unit_name('O1')")
            cursor.execute("SELECT * FROM audit.figures_by_unit(now() - interval '1 day', now(), 'now')")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SELECT * FROM tthc.unit_versions")
    finally:
        auditor.close()
        with transaction(engine) as connection:
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


def test_the_clock_of_an_import_is_what_is_stored(engine: Engine) -> None:
    instant = datetime(2026, 11, 3, 3, 0, 0, 123_456, tzinfo=UTC)
    keep(engine, UnitRegister([unit("A")]), instant)
    assert query(engine, "SELECT known_from FROM audit.unit_versions") == [instant]
