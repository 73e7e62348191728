"""The service leaves a source alone in its quiet hours and lets it rest after failures; by hand it is pulled any time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_ingest import pull_told
from tests.postgres.test_jobs import Clock, hanoi
from tests.postgres.test_ledger import Sheet, query, record
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import Job, all_jobs, pause_of, pull_source, run_if_due
from tthc_monitor.settings import load_settings
from tthc_monitor.store.inbox import StoredInbox
from tthc_monitor.store.runs import failures_in_a_row


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


SOURCE = """
contact: van-phong@mau.example.vn
sources:
  - name: mau
    kind: files
    every: {every}
    quiet_hours: ["11:30-13:00", "22:00-05:00"]
    options: {{path: khong-co.csv, columns: {{source_key: id}}}}
"""
MINUTE = timedelta(minutes=1)


def service(engine: Engine, folder: Path, every: str = "10m") -> Installation:
    (folder / "x.yaml").write_text(SOURCE.format(every=every), encoding="utf-8")
    settings = load_settings(folder / "x.yaml")
    return Installation(settings, engine, load_packs(("core",), folder), Clock(), folder)


def at(installation: Installation, instant: datetime) -> Installation:
    return replace(installation, now=Clock(instant))


def counted(installation: Installation, done: list[datetime]) -> Job:
    """The job that pulls the source, as the service has it; instead of pulling it notes when."""
    (job,) = (one for one in all_jobs(installation) if one.name == "pull:mau")
    return replace(job, run=lambda own: done.append(own.now()))


def fail(engine: Engine, at: datetime, error: BaseException | None = None) -> None:
    failure = error or TransientSourceError("gone; try again")
    with pytest.raises(type(failure)):
        pull_told(engine, failure, at=at)


@pytest.mark.parametrize(
    ("every", "moments", "pulled"),
    [
        ("10m", ["11:20", "11:31", "12:00", "12:59", "13:00", "13:05", "13:10"], ["11:20", "13:00", "13:10"]),
        # A slot that falls in quiet hours waits until they are over.
        ("1h", ["11:00", "12:00", "12:30", "13:07", "13:30", "14:00"], ["11:00", "13:07", "14:00"]),
        ("1d", ["07:05", "12:00", "23:00"], ["07:05"]),
    ],
)
def test_no_pull_begins_in_quiet_hours(
    engine: Engine, tmp_path: Path, every: str, moments: list[str], pulled: list[str]
) -> None:
    here, done = service(engine, tmp_path, every), []
    for moment in moments:
        now = at(here, hanoi(f"2026-01-05T{moment}:00"))
        run_if_due(now, counted(now, done))
    assert done == [hanoi(f"2026-01-05T{moment}:00") for moment in pulled]


def test_a_source_that_fails_on_rests_longer_each_time_and_one_success_ends_it(engine: Engine, tmp_path: Path) -> None:
    here = service(engine, tmp_path)
    start = hanoi("2026-01-05T14:00:00")

    def rest(now: datetime) -> float | None:
        pause = pause_of(at(here, now), here.settings.sources[0])
        return None if pause is None else (pause.until - now) / MINUTE

    assert rest(start) is None, "never pulled"
    for failures, minutes in enumerate([None, None, 10, 20, 40, 60, 60], start=1):
        now = start + failures * MINUTE
        fail(engine, now, PermanentSourceError("refused; mend it") if failures % 2 else None)
        assert rest(now) == minutes
    with engine.connect() as connection:
        assert failures_in_a_row(connection, "mau") == (7, start + 7 * MINUTE)
    done: list[datetime] = []
    for moment in (start + 8 * MINUTE, start + 66 * MINUTE, start + 67 * MINUTE):
        now = at(here, moment)
        run_if_due(now, counted(now, done))
    assert done == [start + 67 * MINUTE]
    pull_told(engine, Sheet([record("a")]), at=start + 70 * MINUTE)
    assert rest(start + 70 * MINUTE) is None
    fail(engine, start + 80 * MINUTE)
    assert rest(start + 80 * MINUTE) is None, "counted from the beginning again"


def test_pulls_by_hand_neither_make_a_source_rest_nor_end_its_rest(engine: Engine, tmp_path: Path) -> None:
    here = service(engine, tmp_path)
    start = hanoi("2026-01-05T14:00:00")
    (source,) = here.settings.sources
    for number in range(5):
        with pytest.raises(PermanentSourceError):
            pull_source(at(here, start + number * MINUTE), source, by_hand=True)
    now = at(here, start + 5 * MINUTE)
    assert pause_of(now, source) is None
    for _ in range(3):
        fail(engine, now.now())
    assert pause_of(now, source) is not None
    pull_told(engine, Sheet([record("a")]), at=now.now(), by_hand=True)
    assert pause_of(now, source) is not None, "that a file could be read says nothing of the source"
    assert query(engine, "SELECT by_hand FROM audit.pull_runs ORDER BY run_id") == [True] * 5 + [False] * 3 + [True]


def test_other_sources_failures_are_not_its_own(engine: Engine, tmp_path: Path) -> None:
    start = hanoi("2026-01-05T14:00:00")
    for _ in range(5):
        fail(engine, start)
    with engine.connect() as connection:
        assert failures_in_a_row(connection, "khac") == (0, None)


def test_by_hand_a_source_is_pulled_whatever_the_hour_and_its_failures(engine: Engine, tmp_path: Path) -> None:
    here = at(service(engine, tmp_path), hanoi("2026-01-05T12:00:00"))
    for _ in range(5):
        fail(engine, here.now())
    with pytest.raises(PermanentSourceError):
        pull_source(here, here.settings.sources[0])
    assert len(query(engine, "SELECT run_id FROM tthc.pull_runs")) == 6


def test_a_connector_of_the_service_knows_whom_to_name_and_where_its_messages_wait(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr("tthc_monitor.installation.build", lambda *arguments: made.append(arguments[-1]))
    here = service(engine, tmp_path)
    here.connector(here.settings.sources[0])
    (surroundings,) = made
    assert surroundings.contact == "van-phong@mau.example.vn"
    assert isinstance(surroundings.inbox, StoredInbox)
