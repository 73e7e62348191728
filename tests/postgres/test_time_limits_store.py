"""The catalogue in the database: versions by COPY, what was held at an instant, and that nothing can be rewritten."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.shared_data import shared
from tthc_monitor.catalogue.files import read_catalogue
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.procedure_catalogue import ProcedureEntry, SourcedLimit
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.store.procedures import procedure, record_procedures, search_procedures
from tthc_monitor.store.time_limits import Changes, held_limits, limits_of_procedure, load_limits, replace_limits

AT = datetime(2026, 6, 1, 1, 0, tzinfo=UTC)
LATER = AT + timedelta(days=30)
PORTAL = TimeLimit(procedure_code="1.1", amount=5, unit="working_day", legal_basis="QĐ 1")
OTHER = TimeLimit(procedure_code="2.2", channel="online", amount=1.5, unit="working_day", legal_basis="QĐ 2")
RICH = TimeLimit(
    procedure_code="1.1", channel="postal", unit_code="H15.99", amount=20, unit="calendar_day", extra_working_days=10,
    policy=ClockPolicy(clock_model="pause", cutoff="15:00", pauses=("supplement", "financial_obligation")),
    legal_basis='NQ 66.16/2026/NQ-CP, "Điều 18"\nkhoản 1', valid_from=dt.date(2026, 4, 15), valid_to=dt.date(2027, 3, 1),
)  # fmt: skip
ABOLISHED = TimeLimit(procedure_code="9.9", abolished=True, legal_basis="NQ", valid_from=dt.date(2026, 7, 1))
SAME_DAY = TimeLimit(procedure_code="3.3", unit="same_day", legal_basis="QĐ 3")


def sourced(*limits: TimeLimit) -> list[SourcedLimit]:
    return [SourcedLimit(limit, f"lời văn {number}") for number, limit in enumerate(limits)]


def fingerprints(limits: list[TimeLimit]) -> set[str]:
    return {limit.fingerprint() for limit in limits}


def test_limits_come_back_as_they_were_given(engine: Engine) -> None:
    given = (PORTAL, OTHER, RICH, ABOLISHED, SAME_DAY)
    with transaction(engine) as connection:
        codes = {limit.procedure_code for limit in given}
        done = replace_limits(connection, sourced(*given), codes, AT, "An", "office")
        assert done == Changes(added=5, closed=0, unchanged=0)
        held = held_limits(connection, "office", codes)
        assert sorted(load_limits(connection), key=str) == sorted(given, key=str)
    assert {item.limit.fingerprint(): item.source_text for item in held} == {
        limit.fingerprint(): f"lời văn {number}" for number, limit in enumerate(given)
    }
    assert RICH in [item.limit for item in held]


def test_an_import_replaces_the_limits_of_its_procedures_and_origin_only(engine: Engine) -> None:
    changed = PORTAL.model_copy(update={"amount": 3})
    with transaction(engine) as connection:
        replace_limits(connection, sourced(PORTAL, OTHER), {"1.1", "2.2"}, AT, "An", "portal")
        replace_limits(connection, sourced(RICH), {"1.1"}, AT, "An", "office")
    with transaction(engine) as connection:
        assert replace_limits(connection, sourced(changed), {"1.1"}, LATER, "Bình", "portal") == Changes(1, 1, 0)
        assert fingerprints(load_limits(connection)) == fingerprints([changed, OTHER, RICH])
        # As it was held before, at the instants of the imports, and before there was anything.
        assert fingerprints(load_limits(connection, LATER - timedelta(microseconds=1))) == fingerprints(
            [PORTAL, OTHER, RICH]
        )
        assert fingerprints(load_limits(connection, AT)) == fingerprints([PORTAL, OTHER, RICH])
        assert fingerprints(load_limits(connection, LATER)) == fingerprints([changed, OTHER, RICH])
        assert load_limits(connection, AT - timedelta(microseconds=1)) == []
        # Given again, nothing changes; with nothing given for a procedure, its limits are closed.
        assert replace_limits(connection, sourced(changed), {"1.1"}, LATER, "Bình", "portal") == Changes(0, 0, 1)
        assert replace_limits(connection, [], {"1.1"}, LATER, "Bình", "portal") == Changes(0, 1, 0)
        assert fingerprints(load_limits(connection)) == fingerprints([OTHER, RICH])


def test_an_offices_limit_takes_the_portals_place_for_its_days(engine: Engine) -> None:
    own = TimeLimit(
        procedure_code="1.1", amount=2, unit="working_day", legal_basis="NQ", valid_from=dt.date(2026, 4, 15),
        valid_to=dt.date(2027, 3, 1),
    )  # fmt: skip
    with transaction(engine) as connection:
        replace_limits(connection, sourced(PORTAL), {"1.1"}, AT, "An", "portal")
        replace_limits(connection, sourced(own), {"1.1"}, AT, "An", "office")
        found = limits_of_procedure(connection, "1.1")
        assert [limit for _, limit in found] == load_limits(connection)
    assert [(origin, limit.amount, limit.valid_from, limit.valid_to) for origin, limit in found] == [
        ("office", 2, dt.date(2026, 4, 15), dt.date(2027, 3, 1)),
        ("portal", 5, None, dt.date(2026, 4, 15)),
        ("portal", 5, dt.date(2027, 3, 1), None),
    ]
    # The engine of lawful due dates refuses limits that overlap.
    assert Limits([limit for _, limit in found], ClockPolicy())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tthc.time_limits SET amount = 9",
        "UPDATE tthc.time_limits SET known_to = now(), legal_basis = 'x'",
        "UPDATE tthc.time_limits SET known_to = NULL",
        "DELETE FROM tthc.time_limits",
        "TRUNCATE tthc.time_limits",
        "UPDATE tthc.procedure_catalogue SET name = 'x'",
        "DELETE FROM tthc.procedure_catalogue",
        "TRUNCATE tthc.procedure_catalogue",
    ],
)
def test_versions_can_be_closed_but_not_rewritten(engine: Engine, statement: str) -> None:
    with transaction(engine) as connection:
        replace_limits(connection, sourced(PORTAL), {"1.1"}, AT, "An", "portal")
        replace_limits(connection, [], {"1.1"}, LATER, "An", "portal")
        replace_limits(connection, sourced(OTHER), {"2.2"}, LATER, "An", "portal")
        record_procedures(connection, [ProcedureEntry("1.1", "A")], AT, "An")
    with engine.connect() as connection, pytest.raises(DBAPIError, match="refused"):
        connection.execute(text(statement))


def test_what_a_list_does_not_tell_stays_known(engine: Engine) -> None:
    whole = ProcedureEntry("1.1", "Cấp giấy phép", sector="Hộ tịch", level="Cấp xã", decision="12/QĐ-BTP")
    with transaction(engine) as connection:
        assert record_procedures(connection, [whole, ProcedureEntry("2.2", "B_2 100%")], AT, "An") == Changes(2, 0, 0)
        assert record_procedures(connection, [ProcedureEntry("1.1", "Cấp giấy phép")], LATER, "An") == Changes(0, 0, 1)
        told = ProcedureEntry("1.1", "Cấp lại giấy phép", issuer="Bộ Tư pháp")
        assert record_procedures(connection, [told], LATER, "Bình") == Changes(1, 1, 0)
        found = procedure(connection, "1.1")
        assert found is not None
        assert [found[name] for name in ("name", "sector", "level", "decision", "issuer", "imported_by")] == [
            "Cấp lại giấy phép", "Hộ tịch", "Cấp xã", "12/QĐ-BTP", "Bộ Tư pháp", "Bình",
        ]  # fmt: skip
        versions = connection.execute(
            text(
                "SELECT name, known_from, known_to FROM audit.procedure_catalogue WHERE procedure_code = '1.1' ORDER BY 2"
            )
        ).all()
        assert [tuple(row) for row in versions] == [
            ("Cấp giấy phép", AT, LATER), ("Cấp lại giấy phép", LATER, None),
        ]  # fmt: skip
        assert procedure(connection, "7.7") is None


def test_searching_finds_by_code_name_or_sector_and_takes_no_patterns(engine: Engine) -> None:
    with transaction(engine) as connection:
        entries = [ProcedureEntry("1.1", "Khai sinh", sector="Hộ tịch"), ProcedureEntry("2.2", "Khai tử 100%")]
        record_procedures(connection, entries, AT, "An")
        replace_limits(connection, sourced(PORTAL, RICH, ABOLISHED), {"1.1", "9.9"}, AT, "An", "office")

        def found(search: str, limit: int = 9) -> list[tuple[str, int]]:
            return [(row["procedure_code"], row["limits"]) for row in search_procedures(connection, search, limit)]

        assert found("") == [("1.1", 2), ("2.2", 0), ("9.9", 1)]
        assert found("", 1) == [("1.1", 2)]
        assert found("KHAI") == [("1.1", 2), ("2.2", 0)]
        assert found("hộ tịch") == [("1.1", 2)]
        assert found("%") == [("2.2", 0)]
        assert found("_") == found("\\") == []


def test_an_auditor_reads_both_catalogues(engine: Engine) -> None:
    with transaction(engine) as connection:
        replace_limits(connection, sourced(RICH), {"1.1"}, AT, "An", "office")
        record_procedures(connection, [ProcedureEntry("1.1", "A")], AT, "An")
        url = create_auditor(connection, engine.url, f"auditor_{engine.url.database}"[:60])
    auditor = make_engine(url.render_as_string(hide_password=False))
    try:
        with auditor.connect() as connection:
            row = connection.execute(text("SELECT policy, imported_by, origin FROM audit.time_limits")).one()
            assert (row.policy["cutoff"], row.imported_by, row.origin) == ("15:00", "An", "office")
            assert connection.execute(text("SELECT name FROM audit.procedure_catalogue")).scalar_one() == "A"
    finally:
        auditor.dispose()
    with transaction(engine) as connection:
        connection.execute(text(f'DROP OWNED BY "{url.username}"; DROP ROLE "{url.username}"'))


def test_the_national_catalogue_goes_in_and_comes_out(engine: Engine) -> None:
    found = read_catalogue(shared("tthc_catalogue/procedures.jsonl.gz"))
    with transaction(engine) as connection:
        assert record_procedures(connection, found.entries, AT, "An") == Changes(2642, 0, 0)
        assert replace_limits(connection, found.limits, found.scope, AT, "An", "portal") == Changes(2149, 0, 0)
        limits = load_limits(connection)
    assert fingerprints(limits) == {item.limit.fingerprint() for item in found.limits}
    assert len(Limits(limits, ClockPolicy()).limits) == 2149
