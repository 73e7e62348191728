"""What is counted when dossiers end: once, whatever is repeated, killed, judged again or held from before."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.grounds import Grounds
from rules.loader import load_packs
from tests.house.files import ROOT
from tests.postgres.test_evaluate import CALENDAR, CORE, DUE, NO_LIMITS, RECEIVED, SEEN_EARLY, SEEN_LATE, judge
from tests.postgres.test_ledger import DAY, START, query, record, take
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import DataAssertionError
from tthc_monitor.ingest import Assertions
from tthc_monitor.rebuild import rebuild
from tthc_monitor.store import selection
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.tally import Tally


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


HOUR = timedelta(hours=1)


def counted(engine: Engine, metric: str) -> dict[str, float]:
    """A counter by the values of its labels."""
    statement = "SELECT array_to_string(labels, ' '), value FROM tthc.metric_totals WHERE metric = :metric"
    return dict(query(engine, statement, metric=metric))


def finished(engine: Engine) -> dict[str, tuple[float, ...]]:
    """By unit: finished, late, cannot tell, returned."""
    kinds = ("finished", "finished_late", "finished_cannot_tell", "returned")
    found = [counted(engine, f"tthc_dossiers_{kind}_total") for kind in kinds]
    return {unit: tuple(one.get(unit, 0) for one in found) for unit in set().union(*found)}


def pairs(engine: Engine) -> list[tuple[Any, ...]]:
    return query(engine, "SELECT * FROM tthc.procedure_totals ORDER BY 1, 2")


def ended(key: str, at: datetime, unit: str | None = "A", **fields: Any) -> dict[str, Any]:
    return record(key, **{"unit_code": unit, "procedure_code": "1.1", "due_current": DUE, "status": 9, "finished_at": at, **fields})  # fmt: skip


WORLD = (
    ended("in time", DUE),
    ended("late", DUE + HOUR),
    ended("nobody knows", DUE, due_current=None),
    ended("returned", DUE - DAY, status=8, procedure_code="1.2"),
    ended("never received", DUE - DAY, received_at=None, status=3, unit="B"),
    ended("of nobody", DUE + DAY, unit=None, procedure_code=None),
    ended("petition", DUE + DAY, kind="petition"),
    record("open", unit_code="A", due_current=DUE),
)
COUNTED = {"A": (4, 1, 1, 1), "B": (0, 0, 0, 1), "": (1, 1, 0, 0)}


def test_each_dossier_that_was_seen_to_end_counts_once_for_its_unit_and_procedure(engine: Engine) -> None:
    take(engine, *WORLD, at=SEEN_LATE)
    assert finished(engine) == {}
    judge(engine)
    assert finished(engine) == COUNTED
    assert pairs(engine) == [("", "", 1, 1, 0), ("A", "1.1", 3, 1, 0), ("A", "1.2", 1, 0, 1), ("B", "1.1", 0, 0, 1)]
    judge(engine, everything=True)
    judge(engine)
    take(engine, *WORLD, at=SEEN_LATE + DAY)
    judge(engine, SEEN_LATE + DAY)
    take(engine, *({**row, "step_name": "x"} for row in WORLD), at=SEEN_LATE + 2 * DAY)
    judge(engine, SEEN_LATE + 2 * DAY)
    assert finished(engine) == COUNTED
    assert counted(engine, "tthc_verdict_changes_total") == {}


@pytest.mark.parametrize("chunk", [1, 3, 100_000])
def test_chunks_and_several_batches_and_sources_make_no_difference(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(selection, "CHUNK", chunk)
    take(engine, *WORLD[:3], at=SEEN_LATE)
    take(engine, *WORLD[3:], at=SEEN_LATE, name="other")
    judge(engine)
    assert finished(engine) == COUNTED


def test_an_evaluation_that_is_killed_counts_nothing_and_the_next_one_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(engine, *WORLD, at=SEEN_LATE)
    done: Callable[..., None] = selection.done

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for victim, name in ((Tally, "write"), (selection, "done")):
        with monkeypatch.context() as patched:
            patched.setattr(victim, name, killed)
            with pytest.raises(KeyboardInterrupt):
                judge(engine)
        assert finished(engine) == {}
    assert selection.done is done
    judge(engine)
    assert finished(engine) == COUNTED


def test_one_that_is_opened_again_counts_again_when_it_ends(engine: Engine) -> None:
    take(engine, ended("x", DUE), at=SEEN_LATE)
    judge(engine)
    take(engine, record("x", unit_code="A", procedure_code="1.1", due_current=DUE), at=SEEN_LATE + DAY)
    judge(engine, SEEN_LATE + DAY)
    assert finished(engine) == {"A": (1, 0, 0, 0)}
    take(engine, ended("x", SEEN_LATE + DAY), at=SEEN_LATE + 2 * DAY)
    judge(engine, SEEN_LATE + 2 * DAY)
    assert finished(engine) == {"A": (2, 1, 0, 0)}


def test_a_verdict_that_is_corrected_after_the_end_is_a_change_of_verdict(engine: Engine) -> None:
    take(engine, ended("x", DUE), ended("y", DUE + HOUR), ended("z", DUE + HOUR), at=SEEN_LATE)
    judge(engine)
    assert counted(engine, "tthc_verdict_changes_total") == {}
    # x becomes late; y stays late, by more; z's promise is gone, so nobody can tell.
    corrected = (ended("x", DUE + HOUR), ended("y", DUE + 2 * HOUR), ended("z", DUE + HOUR, due_current=None))
    take(engine, *corrected, at=SEEN_LATE + DAY)
    judge(engine, SEEN_LATE + DAY)
    assert counted(engine, "tthc_verdict_changes_total") == {"A": 2}
    judge(engine, SEEN_LATE + DAY, everything=True)
    take(engine, ended("x", DUE), at=SEEN_LATE + 2 * DAY)
    judge(engine, SEEN_LATE + 2 * DAY)
    assert counted(engine, "tthc_verdict_changes_total") == {"A": 3}
    assert finished(engine) == {"A": (3, 2, 0, 0)}, "what was counted stays"


def test_ending_late_is_no_change_of_a_verdict_and_a_changed_calendar_may_be(engine: Engine) -> None:
    waits = {"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY}
    opened = record("x", unit_code="A", due_current=DUE, **waits)
    take(engine, opened, at=SEEN_EARLY)
    judge(engine, SEEN_EARLY)
    take(engine, ended("x", DUE + DAY + 30 * timedelta(minutes=1), **waits), at=SEEN_LATE)
    judge(engine)
    assert finished(engine) == {"A": (1, 0, 0, 0)}
    assert counted(engine, "tthc_verdict_changes_total") == {}
    # Where no work is done after four, nothing was left at the request.
    days = {day: [["08:00", "12:00"], ["13:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    shorter = CalendarSpec.model_validate({**CALENDAR.model_dump(by_alias=True), "week": days})
    judge(engine, SEEN_LATE + DAY, calendar=shorter)
    assert query(engine, "SELECT verdict FROM audit.verdicts_as_of(:at)", at=SEEN_LATE + DAY) == ["late"]
    assert counted(engine, "tthc_verdict_changes_total") == {"A": 1}


def test_times_are_working_time_without_the_waits_for_the_applicant(engine: Engine) -> None:
    wait = {"supplement_requested_at": RECEIVED + DAY, "supplement_completed_at": RECEIVED + 2 * DAY}
    take(
        engine,
        ended("plain", DUE, sector_code="S", due_current=DUE),
        ended("waited", DUE, sector_code="S", due_current=DUE, **wait),
        ended("late", DUE + DAY, sector_code="T"),
        ended("no end told", DUE, finished_at=None, sector_code="T"),
        at=SEEN_LATE,
    )
    judge(engine)
    working = CALENDAR.compile()
    plain, waited = working.elapsed(RECEIVED, DUE), working.elapsed(RECEIVED, DUE) - working.elapsed(*wait.values())
    late = working.elapsed(RECEIVED, DUE + DAY)
    spent = counted(engine, "tthc_dossier_processing_working_seconds")
    assert (spent["S sum"], spent["T sum"]) == (plain + waited, late)
    assert sum(value for name, value in spent.items() if not name.endswith("sum")) == 3
    used = counted(engine, "tthc_dossier_used_ratio")
    assert used == {"S 1.0": 2, "S sum": 2.0, "T 1.25": 1, "T sum": pytest.approx(late / plain)}


def test_a_procedures_sector_stands_in_for_the_dossiers(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.exec_driver_sql("INSERT INTO tthc.procedures VALUES ('1.1', 'x', 'H', now())")
    take(engine, ended("x", DUE), ended("y", DUE, procedure_code=None), at=SEEN_LATE)
    judge(engine)
    assert {name.split(" ")[0] for name in counted(engine, "tthc_dossier_used_ratio")} == {"H", ""}


def test_a_source_that_says_otherwise_is_counted(engine: Engine) -> None:
    rows = [
        ended("x", DUE, source_verdict="late"),
        ended("y", DUE + HOUR, source_verdict="late"),
        ended("z", DUE + HOUR, source_verdict="on_time"),
        ended("nobody", DUE, due_current=None, source_verdict="late"),
    ]
    take(engine, *rows, at=SEEN_LATE)
    judge(engine)
    assert counted(engine, "tthc_source_verdict_mismatches_total") == {"mau": 2}


def test_totals_begin_with_what_is_held_at_the_upgrade_and_what_waits_comes_later(engine: Engine) -> None:
    packs = load_packs(("core", "integrity"), ROOT)
    take(engine, *WORLD, at=SEEN_LATE)
    judge(engine, rules=packs)
    before, by_pair = finished(engine), pairs(engine)
    take(engine, ended("later", DUE + HOUR), at=SEEN_LATE + DAY)
    spec = importlib.util.spec_from_file_location("held", ROOT / "alembic" / "versions" / "0021_metrics.py")
    assert spec is not None and spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with transaction(engine) as connection:
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("DELETE FROM tthc.metric_totals")
        connection.exec_driver_sql("DELETE FROM tthc.procedure_totals")
        connection.exec_driver_sql(migration.HELD)
    assert (finished(engine), pairs(engine)) == (before, by_pair)
    runs = {"mau ok": 2}
    assert counted(engine, "tthc_source_runs_total") == runs
    judge(engine, SEEN_LATE + DAY, rules=packs)
    assert finished(engine)["A"] == (5, 2, 1, 1)


def test_rebuilding_leaves_what_was_counted(engine: Engine, database_address: str) -> None:
    take(engine, *WORLD, at=SEEN_LATE)
    judge(engine)
    owner = make_engine(database_address)
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE tthc.dossiers SET finished_at = finished_at + interval '1 day', end_seen_at = end_seen_at"
        )
    done = rebuild(owner, Grounds(CORE, CALENDAR, NO_LIMITS), now=lambda: SEEN_LATE + DAY)
    owner.dispose()
    assert done.projection
    assert finished(engine) == COUNTED
    standing = (
        "SELECT count(*) FROM tthc.open_findings f JOIN tthc.dossiers d USING (dossier_id) WHERE d.source_key = 'open'"
    )
    assert query(engine, standing) == query(
        engine,
        "SELECT count(*) FROM tthc.flags f JOIN tthc.dossiers d USING (dossier_id) WHERE d.source_key = 'open' AND believed_to IS NULL",
    )


def test_when_a_source_last_brought_rows_is_kept_of_good_pulls_that_did(engine: Engine) -> None:
    last = "tthc_source_last_rows_timestamp_seconds"
    take(engine, name="rong", at=START)
    assert counted(engine, last) == {}, "it never brought any"
    take(engine, record("a"), at=START)
    take(engine, at=START + HOUR)
    assert counted(engine, last) == {"mau": START.timestamp()}
    with pytest.raises(DataAssertionError):
        take(engine, record("a"), at=START + 2 * HOUR, assertions=Assertions(min_rows=5))
    assert counted(engine, last) == {"mau": START.timestamp()}
    take(engine, record("a"), at=START + 3 * HOUR)
    take(engine, record("a"), at=START + 2 * HOUR)
    assert counted(engine, last) == {"mau": (START + 3 * HOUR).timestamp()}, "a clock that goes back takes nothing away"
