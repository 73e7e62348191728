"""Leases of runs: renewed while a run goes on, by one clock, and lost only to a successor; and runs asked to end early."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from connectors.base import Page
from rules.loader import load_packs
from tests.postgres.test_ledger import Sheet, query, record
from tests.postgres.test_ledger import told as sheets
from tthc_monitor import ingest, judging, ledger_check, retention, running, scheduler, verification
from tthc_monitor.domain.errors import BusyError, PermanentSourceError, StoppedError, TransientSourceError
from tthc_monitor.domain.records import Reject
from tthc_monitor.domain.schedules import Every
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import Job, run_if_due, run_now, sources_told
from tthc_monitor.settings import load_settings
from tthc_monitor.store import job_runs
from tthc_monitor.store.database import transaction

START = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
SOON = timedelta(seconds=0.4)
HOUR = timedelta(hours=1)
PATIENCE = 20.0


@pytest.fixture
def installation(service_engine: Engine, tmp_path: Path) -> Installation:
    (tmp_path / "x.yaml").write_text("rules: {packs: [core]}", encoding="utf-8")
    settings = load_settings(tmp_path / "x.yaml")
    return Installation(settings, service_engine, load_packs(("core",), tmp_path), lambda: START, tmp_path)


def job(run: Any, lease: timedelta = SOON, name: str = "việc") -> Job:
    return Job(name, Every(HOUR), run, lease)


def runs(engine: Engine, columns: str = "outcome, attempt") -> list[Any]:
    return query(engine, f"SELECT {columns} FROM tthc.job_runs ORDER BY scheduled_for")


def totals(engine: Engine) -> dict[tuple[str, ...], float]:
    return {
        (name, *labels): value
        for name, labels, value in query(engine, "SELECT metric, labels, value FROM tthc.metric_totals")
    }


def expire(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.job_runs SET lease_until = clock_timestamp()"))


# -- leases ---------------------------------------------------------------------------------------------------------


def test_a_run_longer_than_its_lease_keeps_it(installation: Installation) -> None:
    tried: list[bool] = []

    def long(own: Installation) -> None:
        for _ in range(6):
            assert not own.stop.wait(SOON.total_seconds() / 2)
            tried.append(run_if_due(installation, job(lambda _: None)))

    assert run_if_due(installation, job(long))
    assert tried == [False] * 6
    assert runs(installation.engine) == [("ok", 1)]


@pytest.mark.parametrize("wrong", [timedelta(hours=-9), timedelta(hours=9)])
def test_a_process_whose_clock_is_wrong_steals_nothing(installation: Installation, wrong: timedelta) -> None:
    other = replace(installation, now=lambda: START + wrong)
    done: list[str] = []

    def held(_: Installation) -> None:
        assert not run_if_due(other, job(lambda _: done.append("beside")))

    assert run_if_due(installation, job(held))
    assert done == []


def test_a_job_never_runs_beside_itself_whatever_the_slot(installation: Installation) -> None:
    later = replace(installation, now=lambda: START + 2 * HOUR)
    seen: list[bool] = []
    assert run_if_due(installation, job(lambda _: seen.append(run_if_due(later, job(lambda _: None)))))
    assert seen == [False]
    assert run_if_due(later, job(lambda _: None))


def test_who_lost_its_lease_is_asked_to_stop_and_records_nothing(installation: Installation) -> None:
    reasons: list[str] = []

    def overslept(own: Installation) -> None:
        expire(own.engine)
        with transaction(own.engine) as connection:
            held = job_runs.claim(connection, "việc", START, START, HOUR, by="khác")
        assert held is not None and held.attempt == 2
        assert own.stop.wait(PATIENCE), "the next renewal notices"
        try:
            own.stop.check()
        except StoppedError as stopped:
            reasons.append(str(stopped))
            raise

    with capture_logs() as logged:
        assert run_if_due(installation, job(overslept))
    assert "another process has taken the run over" in reasons[0]
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == ["job_lost"]
    assert runs(installation.engine, "outcome, attempt, claimed_by") == [(None, 2, "khác")]
    assert totals(installation.engine) == {}


def test_a_run_left_by_a_dead_process_is_taken_over_or_closed(installation: Installation) -> None:
    with transaction(installation.engine) as connection:
        assert job_runs.claim(connection, "việc", START, START, timedelta(0), by="chết")
    assert run_if_due(installation, job(lambda _: None))
    assert runs(installation.engine) == [("ok", 2)]
    with transaction(installation.engine) as connection:
        assert job_runs.claim(connection, "việc", START + HOUR, START, timedelta(0), by="chết")
    assert run_if_due(replace(installation, now=lambda: START + 2 * HOUR), job(lambda _: None))
    assert runs(installation.engine) == [("ok", 2), ("failed", 1), ("ok", 1)]
    assert totals(installation.engine) == {
        ("tthc_job_runs_total", "việc", "ok"): 2,
        ("tthc_job_runs_total", "việc", "failed"): 1,
    }


def test_ends_are_counted_each_once(installation: Installation) -> None:
    def fails(_: Installation) -> None:
        raise PermanentSourceError("the password is wrong; correct it")

    run_if_due(installation, job(fails))
    run_if_due(replace(installation, now=lambda: START + HOUR), job(lambda _: None))
    assert totals(installation.engine) == {
        ("tthc_job_runs_total", "việc", "failed"): 1,
        ("tthc_job_runs_total", "việc", "ok"): 1,
    }


# -- by hand --------------------------------------------------------------------------------------------------------


def test_by_hand_it_runs_at_any_time_but_not_beside_another(installation: Installation) -> None:
    assert run_if_due(installation, job(lambda _: None))
    by_hand = replace(installation, now=lambda: START + timedelta(minutes=5))
    assert run_now(by_hand, job(lambda _: None)) == "ok"
    assert runs(installation.engine, "outcome, by_hand") == [("ok", False), ("ok", True)]

    def beside(own: Installation) -> None:
        with pytest.raises(BusyError, match=f"is being run by {running.process_name()}; wait"):
            run_now(by_hand, job(lambda _: None))

    assert run_if_due(replace(installation, now=lambda: START + HOUR), job(beside))


def test_by_hand_a_failure_is_raised_and_not_tried_again(installation: Installation) -> None:
    def fails(_: Installation) -> None:
        raise TransientSourceError("the source sleeps; try again")

    with pytest.raises(TransientSourceError):
        run_now(installation, job(fails))
    assert runs(installation.engine, "outcome, finished_at") == [("failed", START)]


# -- stopping at a batch --------------------------------------------------------------------------------------------


def test_a_stopped_run_is_open_for_others_at_once(installation: Installation) -> None:
    def stops(own: Installation) -> None:
        installation.stop.set("the service is stopping")
        own.stop.check()

    assert run_if_due(installation, job(stops, HOUR))
    assert runs(installation.engine, "outcome, finished_at") == [(None, None)]
    assert totals(installation.engine) == {}
    assert run_if_due(replace(installation, stop=Stop()), job(lambda _: None))
    assert runs(installation.engine) == [("ok", 2)]


class Rounds:
    """A connector of rounds of one page, which is told to stop in the middle."""

    kind = "told"
    provides = ()

    def __init__(self, inner: Any, stop: Stop, after: int) -> None:
        self._inner, self._stop, self._after = inner, stop, after

    def fetch(self, cursor: Any) -> Iterator[Page]:
        for number, page in enumerate(self._inner.fetch(cursor)):
            if number == self._after:
                self._stop.set("the service is stopping")
            yield replace(page, new_round=True, cursor={"page": number})

    def normalise(self, page: Page) -> Any:
        return self._inner.normalise(page)


def test_a_stopped_pull_keeps_its_rounds_and_is_no_failure(installation: Installation) -> None:
    stop = installation.stop
    connector = Rounds(sheets(*(Sheet([record(str(number))]) for number in range(6))), stop, after=3)
    with pytest.raises(StoppedError):
        ingest.pull(installation.engine, "thu", "told", connector, now=installation.now, check=stop.check)
    [(outcome, rounds)] = query(installation.engine, "SELECT outcome, rounds FROM tthc.pull_runs")
    assert outcome == "stopped" and 1 <= rounds <= 4
    assert query(installation.engine, "SELECT count(*) FROM tthc.dossiers") == [rounds]
    assert query(installation.engine, "SELECT (cursor ->> 'page')::int FROM tthc.sources") == [rounds - 1]
    assert ("tthc_source_runs_total", "thu", "failed") not in totals(installation.engine)
    ingest.pull(installation.engine, "thu", "told", sheets(Sheet([record("z")])), now=installation.now)
    assert totals(installation.engine)["tthc_source_runs_total", "thu", "ok"] == 1


def test_pulls_and_what_they_rejected_are_counted(installation: Installation) -> None:
    with pytest.raises(TransientSourceError):
        ingest.pull(installation.engine, "thu", "told", sheets(TransientSourceError("it sleeps")), now=installation.now)
    unread = tuple(Reject("trang 1", row, "Ngày tiếp nhận", "no date", "31/02/2026") for row in (1, 2))
    page = Sheet([record(str(number)) for number in range(40)], rejects=unread)
    ingest.pull(installation.engine, "thu", "told", sheets(page), now=installation.now)
    assert totals(installation.engine) == {
        ("tthc_source_runs_total", "thu", "failed"): 1,
        ("tthc_source_runs_total", "thu", "ok"): 1,
        ("tthc_source_rows_rejected_total", "thu"): 2,
        ("tthc_source_last_rows_timestamp_seconds", "thu"): installation.now().timestamp(),
    }


@pytest.mark.parametrize("work", [judging.refresh, ledger_check.run, retention.run])
def test_long_work_looks_whether_it_is_to_stop(installation: Installation, engine: Engine, work: Any) -> None:
    old = {"status": 10, "received_at": START - 6000 * 24 * HOUR, "finished_at": START - 5990 * 24 * HOUR}
    pull = {"now": lambda: START - 5000 * 24 * HOUR}
    ingest.pull(installation.engine, "thu", "told", sheets(Sheet([record("a", **old)])), **pull)  # type: ignore[arg-type]
    if work is retention.run:
        judging.refresh(replace(installation, now=pull["now"]))
    installation.stop.set("the service is stopping")
    with pytest.raises(StoppedError):
        work(installation)
    assert query(engine, "SELECT count(*) FROM tthc.ledger_checks") == [0]
    work(replace(installation, stop=Stop()))


# -- the check of the ledger ----------------------------------------------------------------------------------------


def test_a_check_of_the_ledger_is_recorded_whatever_it_finds(installation: Installation, engine: Engine) -> None:
    ingest.pull(installation.engine, "thu", "told", sheets(Sheet([record("số-bí-mật")])), now=installation.now)
    nightly = job(ledger_check.run, HOUR, "verify")
    assert run_if_due(installation, nightly)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE tthc.observations SET unit_code = 'H99.66'"))
    with capture_logs() as logged:
        assert run_if_due(replace(installation, now=lambda: START + HOUR), nightly)
    assert [line["log_level"] for line in logged if line["event"] == "ledger_broken"] == ["error"]
    assert [outcome for outcome, _ in runs(engine)] == ["ok", "ok"], "that it is broken is found, not a failure"
    first, second = query(
        engine, "SELECT intact, observations, found, checked_at FROM audit.ledger_checks ORDER BY check_id"
    )
    assert first == (True, 1, None, START)
    assert second[:2] == (False, 1) and "link 1" in second[2] and "tthc-monitor audit verify" in second[2]
    assert "số-bí-mật" not in str(logged) + second[2]


def test_a_check_that_could_not_be_made_is_a_failed_job(
    installation: Installation, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> verification.Verdict:
        raise PermanentSourceError("it cannot be looked at; mend it")

    monkeypatch.setattr(ledger_check, "verify", fails)
    assert run_if_due(installation, job(ledger_check.run))
    assert [outcome for outcome, _ in runs(engine)] == ["failed"]
    assert query(engine, "SELECT count(*) FROM tthc.ledger_checks") == [0]


# -- waiting for sources --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "now", "goes"),
    [(None, 600, False), (0, 29, False), (0, 30, True), (20, 49, False), (20, 50, True), (-600, 10, False)],
)
def test_a_source_that_never_answers_holds_the_digest_back_for_a_while_only(
    installation: Installation, tmp_path: Path, tried: int | None, now: int, goes: bool
) -> None:
    (tmp_path / "y.yaml").write_text("sources: [{name: mot, kind: files}]", encoding="utf-8")
    minutes = timedelta(minutes=1)
    here = replace(installation, settings=load_settings(tmp_path / "y.yaml"), now=lambda: START + now * minutes)
    if tried is not None:
        with transaction(here.engine) as connection:
            job_runs.claim(connection, "pull:mot", START, START + tried * minutes, HOUR, by="x")
    with capture_logs() as logged:
        assert sources_told(here, START) is goes
    assert [line["sources"] for line in logged if line["event"] == "without_sources"] == ([["mot"]] if goes else [])


# -- the sign of life -----------------------------------------------------------------------------------------------


def test_a_scheduler_that_no_longer_ticks_is_not_alive(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_TICK_SECONDS", 0.05)
    monkeypatch.setattr(scheduler, "_ALIVE_SECONDS", 1.0)
    monkeypatch.setattr(scheduler, "_CLAIM_SECONDS", 1.0)
    begun, over = threading.Event(), threading.Event()

    def hangs(_: Installation) -> None:
        begun.set()
        over.wait(PATIENCE)

    monkeypatch.setattr(scheduler, "all_jobs", lambda _: [job(hangs, HOUR)])
    ticking = scheduler.start_scheduler(installation)
    try:
        assert begun.wait(PATIENCE)
        assert not over.wait(1.5) and ticking.is_alive, "a job that hangs is not a scheduler that is dead"
        ticking._scheduler.pause()
        assert not over.wait(1.5) and not ticking.is_alive
    finally:
        over.set()
        ticking.shutdown()


def test_a_scheduler_whose_ticks_get_nowhere_is_not_alive(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_CLAIM_SECONDS", 0.5)
    done = threading.Event()
    monkeypatch.setattr(scheduler, "all_jobs", lambda _: [job(lambda _: done.set(), HOUR)])
    with installation.engine.connect() as other:
        # Whatever makes a question to the database hang: here, that somebody holds the table.
        other.exec_driver_sql("LOCK TABLE tthc.job_runs")
        ticking = scheduler.start_scheduler(installation)
        try:
            assert ticking.is_alive
            deadline = time.monotonic() + PATIENCE
            while ticking.is_alive:
                assert time.monotonic() < deadline and not done.is_set()
                time.sleep(0.02)
            other.rollback()
            assert done.wait(PATIENCE) and ticking.is_alive, "what goes on again is alive"
        finally:
            other.rollback()
            ticking.shutdown()
