"""What an evaluation looks at: no dossier when nothing changed, and of a change only what it can touch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event

from rules.grounds import Grounds
from rules.loader import load_packs
from tests.postgres.test_ledger import START, query, record, take
from tests.postgres.test_recompute import NOW, calendar, judge
from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.domain.facts import FACT_SCHEMA
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.settings import RulesSettings
from tthc_monitor.store import selection
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.store.groups import make_lookups
from tthc_monitor.store.judgements import load_facts

PACKS = load_packs(RulesSettings().packs, Path())
GROUPS = "CREATE TEMP TABLE members"
BULK = re.compile(r"\btthc\.(dossiers|observations|flags)\b")
DUE = START + timedelta(days=7)


def grounds(**units_off: Any) -> Grounds:
    return Grounds(PACKS, calendar(**units_off), Limits([], ClockPolicy()))


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is asked of the server meanwhile."""
    seen: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def three(engine: Engine) -> None:
    units = {"a": "H99.1", "b": "H99.2", "c": None}
    rows = [record(key, unit_code=unit, code=f"H99.1-260302-000{key}") for key, unit in units.items()]
    take(engine, *({**row, "due_current": DUE} for row in rows))


def test_time_that_passes_costs_nothing(engine: Engine) -> None:
    three(engine)
    assert judge(engine, grounds()).dossiers == 3
    with statements(engine) as seen:
        assert judge(engine, grounds(), NOW + timedelta(days=30)).dossiers == 0
    assert seen
    assert [one for one in seen if BULK.search(one)] == []


def test_a_calendar_of_one_unit_concerns_its_dossiers_and_no_groups(engine: Engine) -> None:
    three(engine)
    judge(engine, grounds())
    with statements(engine) as seen:
        assert judge(engine, grounds(unit_off=("2026-03-05",))).dossiers == 1
    assert not any(one.startswith(GROUPS) for one in seen)
    with statements(engine) as seen:
        assert judge(engine, grounds(unit_off=("2026-03-05",), off=("2026-03-06",))).dossiers == 3
    assert any(one.startswith(GROUPS) for one in seen)


def test_all_groups_are_judged_once_however_many_large_batches_wait(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "CHUNK", 1)
    three(engine)
    take(engine, *(record(key, unit_code="H99.2") for key in "xy"), name="other")
    with statements(engine) as seen:
        assert judge(engine, grounds()).dossiers == 5
    groupings = {"closing_day", "filing", "number_day"}
    assert sum(one.startswith(GROUPS) for one in seen) == len(groupings)
    assert query(engine, "SELECT count(*) FROM tthc.pending_evaluations") == [0]


def test_dossiers_touched_here_and_there_are_named(engine: Engine) -> None:
    take(engine, *(record(str(number), unit_code="A" if number in (0, 39) else "B") for number in range(40)))
    with engine.connect() as connection:
        [few] = selection.where(connection, ["unit_code = 'A'"])
        [most] = selection.where(connection, ["unit_code = 'B'"])
        for chosen, size in ((few, 2), (most, 38)):
            assert len(connection.exec_driver_sql(chosen).all()) == size
    assert "unit_code" not in few
    assert "unit_code" in most


def lookups(engine: Engine) -> set[str]:
    names = "SELECT indexname FROM pg_indexes WHERE schemaname = 'tthc' AND tablename = 'dossiers'"
    return set(query(engine, names)) & {"dossiers_of_unit", "dossiers_filing", "dossiers_number"}


def test_lookups_for_groups_are_made_by_the_first_evaluation_that_has_rules_about_groups(engine: Engine) -> None:
    three(engine)
    judge(engine, Grounds(load_packs(["core"], Path()), calendar(), Limits([], ClockPolicy())))
    assert lookups(engine) == set()
    judge(engine, grounds())
    assert lookups(engine) == {"dossiers_of_unit", "dossiers_filing", "dossiers_number"}
    with statements(engine) as seen:
        judge(engine, grounds(unit_off=("2026-03-05",)))
    assert not any("INDEX" in one for one in seen)


def test_a_service_whose_role_does_not_own_the_tables_makes_the_lookups_too_and_one_that_may_only_read_cannot(
    engine: Engine,
) -> None:
    roles = {name: f"{name}_{uuid4().hex[:8]}" for name in ("ghi", "doc")}
    schema = "GRANT USAGE ON SCHEMA tthc TO {0}; GRANT SELECT ON ALL TABLES IN SCHEMA tthc TO {0}"
    try:
        with transaction(engine) as connection:
            for role in roles.values():
                connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; {schema.format(role)}")
            connection.exec_driver_sql(f"GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA tthc TO {roles['ghi']}")
            connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION tthc.make_group_lookup TO {roles['ghi']}")
        for name, made in (("doc", frozenset()), ("ghi", {"dossiers_filing"})):
            plain = make_engine(engine.url.set(username=roles[name], password="x"))
            refused = pytest.raises(DatabaseError, match="permission denied") if name == "doc" else nullcontext()
            with refused, transaction(plain) as connection:
                make_lookups(connection, ["filing"])
            plain.dispose()
            assert lookups(engine) == made
    finally:
        with transaction(engine) as connection:
            for role in roles.values():
                connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_flags_of_dossiers_touched_here_and_there_are_replaced_and_no_others(engine: Engine) -> None:
    records = [record(str(n), unit_code="H99.1" if n in (0, 39) else "H99.2", due_current=DUE) for n in range(40)]
    take(engine, *records)
    judge(engine, grounds())
    held = "SELECT unit_code || ' ' || count(*) FROM tthc.flags WHERE believed_to {} GROUP BY unit_code ORDER BY 1"
    before = query(engine, held.format("IS NULL"))
    assert judge(engine, grounds(unit_off=("2026-03-05",))).dossiers == 2
    [closed] = query(engine, held.format("IS NOT NULL"))
    assert closed.startswith("H99.1 ")
    assert query(engine, held.format("IS NULL")) == before


def test_facts_that_are_not_asked_for_are_not_loaded(engine: Engine) -> None:
    three(engine)
    with engine.connect() as connection:
        every = load_facts(connection, "SELECT dossier_id FROM tthc.dossiers").sort("dossier_id")
        assert tuple(every.columns) == tuple(FACT_SCHEMA)
        for names in (["dossier_id"], ["number_serial", "dossier_id"], ["dossier_id", "provides", "answer_unknown"]):
            some = load_facts(connection, "SELECT dossier_id FROM tthc.dossiers", names).sort("dossier_id")
            assert set(some.columns) == set(names)
            assert some.equals(every.select(some.columns))
