"""Two processes over one database for three simulated weeks, killed and paused at random and at the worst moments.

What is guaranteed: each slot of each job is done well once, every dossier of the source is there once, no digest is sent
twice, and none is missing but those of which nobody can know and of which the job says so.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from tests.end_to_end.office import HANOI, PATIENCE, Office, Post, logs, post_office, until_done
from tests.end_to_end.replica import LEASE, set_clock
from tests.postgres.test_ledger import query
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.schedules import Daily, Every, Monthly, OnAnyWorkingDay, Schedule
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.settings import shipped_calendar
from tthc_monitor.verification import verify

CALENDAR: Final = validate(CalendarSpec, shipped_calendar("vn")).compile()
FIRST: Final = datetime(2026, 1, 1, tzinfo=HANOI)
"""A holiday; the Friday behind it is worked on Saturday the tenth."""
DAYS: Final = 22
MORNING: Final = timedelta(hours=7, minutes=30, seconds=15)
"""When the clock stands still, each day, until all that is due then is done."""
PEOPLE: Final = ("van-phong@mau.example.vn", "so-xay-dung@mau.example.vn")
SCHEDULES: Final[dict[str, Schedule]] = {
    "pull:thu": Every(timedelta(days=1)),
    "evaluate": Every(timedelta(seconds=30)),
    "snapshot": Every(timedelta(minutes=1)),
    "digest": OnAnyWorkingDay(clock_time(7, 30), (CALENDAR,)),
    "report": Monthly(1, clock_time(6, 0), "Asia/Ho_Chi_Minh"),
    "retention": Daily(clock_time(2, 30), "Asia/Ho_Chi_Minh"),
    "verify": Daily(clock_time(3, 30), "Asia/Ho_Chi_Minh"),
}
CONFIG: Final = """
database: {{url: '{url}'}}
data_dir: .
rules: {{packs: [core]}}
retention: {{job_runs: 90d}}
sources:
  - name: thu
    kind: files
    every: 1d
    options:
      path: ho-so.csv
      zone: Asia/Ho_Chi_Minh
      columns:
        source_key: ma
        received_at: {{column: nhan, format: "%d/%m/%Y"}}
        due_current: {{column: hen, format: "%d/%m/%Y"}}
smtp: {{host: 127.0.0.1, port: {port}, security: none, sender: giamsat@mau.example.vn, timeout_seconds: 20,
       rate_per_minute: 100000}}
digest: {{transport: {transport}, directory: thu, recipients: [{{address: {one}}}, {{address: {two}}}]}}
"""


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    with post_office() as opened:
        yield opened


def due(instant: datetime) -> set[tuple[str, datetime]]:
    """The slots that are to be done when it is that instant."""
    slots = {(name, schedule.slot(instant)) for name, schedule in SCHEDULES.items()}
    return {(name, slot.astimezone(UTC)) for name, slot in slots if slot is not None}


def ended(engine: Engine) -> dict[tuple[str, datetime], tuple[str, str | None]]:
    rows = query(engine, "SELECT job, scheduled_for, outcome, detail FROM tthc.job_runs WHERE finished_at IS NOT NULL")
    return {(job, slot): (outcome, detail) for job, slot, outcome, detail in rows}


def open_office(
    stack: ExitStack, folder: Path, engine: Engine, address: str, transport: str, port: int, seed: int
) -> Office:
    one, two = PEOPLE
    config = CONFIG.format(url=address, port=port, transport=transport, one=one, two=two)
    (folder / "tthc-monitor.yaml").write_text(config, encoding="utf-8")
    office = Office(folder, engine, random.Random(seed))
    stack.callback(office.close)
    return office


def live(office: Office, days: int, disturb: Callable[[int, datetime], None]) -> list[datetime]:
    """Days, one instant after the other; nothing goes on before all that was due is done."""
    instants = [FIRST + timedelta(days=day) + MORNING for day in range(days)]
    for number, instant in enumerate(instants):
        office.write_source(instant)
        set_clock(office.folder / "clock", instant)
        if number == 0:
            office.open()
        disturb(number, instant)
        until_done(office, due(instant))
    return instants


def assert_nothing_lost_or_done_twice(office: Office, instants: list[datetime]) -> dict[str, int]:
    """Every slot is over and was done well once; how many digests are in doubt, by their texts."""
    wanted = set[tuple[str, datetime]]().union(*(due(instant) for instant in instants))
    found = ended(office.engine)
    assert wanted == set(found), "slots of their own, and no others"
    doubted = {slot: detail for (job, slot), (outcome, detail) in found.items() if outcome != "ok"}
    assert all("nobody knows whether it was delivered" in str(detail) for detail in doubted.values()), doubted
    assert {job for (job, _), (outcome, _) in found.items() if outcome != "ok"} <= {"digest"}
    counted = dict(
        query(
            office.engine,
            "SELECT labels[1], value::int FROM tthc.metric_totals WHERE metric = 'tthc_job_runs_total' AND labels[2] = 'ok'",
        )
    )
    assert counted == Counter(job for (job, _), (outcome, _) in found.items() if outcome == "ok"), (
        "each once, not twice"
    )
    keys = query(office.engine, "SELECT source_key FROM tthc.dossiers")
    assert sorted(map(int, keys)) == list(range(office.dossiers))
    assert verify(office.engine).sound
    return {str(slot): 1 for slot in doubted}


def working_days(days: int) -> list[datetime]:
    every = (FIRST + timedelta(days=number) for number in range(days))
    return [day for day in every if CALENDAR.is_workday(day.date())]


def test_three_weeks_of_two_replicas_that_are_killed_and_paused(
    tmp_path: Path, engine: Engine, database_address: str, post: tuple[Post, int]
) -> None:
    handler, port = post
    tmp_path.chmod(0o755)
    with ExitStack() as stack:
        office = open_office(stack, tmp_path, engine, database_address, "smtp", port, seed=2026)

        def kill_the_sender() -> None:
            office.kill_holder("digest")

        frozen = {2: "pull:thu", 9: "verify", 15: "pull:thu", 21: "evaluate"}

        def disturb(number: int, instant: datetime) -> None:
            office.restart()
            # The worst moments: before its text leaves a mail cannot have been delivered, behind it nobody knows.
            if instant.day == 6:
                handler.at_recipient.append(kill_the_sender)
            if instant.day in (8, 20):
                handler.when_taken.append(kill_the_sender)
            if number in frozen and (caught := office.freeze(frozen[number])) is not None:
                office.kill(caught)
                office.killed_at_work += 1
            elif office.chance.random() < 0.3:
                time.sleep(office.chance.random() * 0.15)
                office.kill(office.chance.randrange(2))

        instants = live(office, DAYS, disturb)
        doubted = assert_nothing_lost_or_done_twice(office, instants)
        assert office.killed_at_work >= 1 and office.kills >= 6
        mornings_of_work = working_days(DAYS)
        assert [day.day for day in mornings_of_work][:6] == [5, 6, 7, 8, 9, 10]
        assert set(handler.taken.values()) == {1}, "no mail twice"
        assert 2 <= len(doubted) <= office.kills
        unsent = query(engine, "SELECT count(*) FROM tthc.deliveries WHERE sent_at IS NULL")[0]
        everything = query(engine, "SELECT message_id FROM tthc.deliveries")
        assert len(everything) == len(PEOPLE) * len(mornings_of_work)
        known = query(engine, "SELECT message_id FROM tthc.deliveries WHERE sent_at IS NOT NULL")
        assert set(known) <= set(handler.taken), "what was recorded as sent was taken"
        assert len(known) + unsent == len(everything) and unsent <= len(doubted)


def test_a_week_of_digests_into_a_folder_of_which_each_is_there_once(
    tmp_path: Path, engine: Engine, database_address: str
) -> None:
    tmp_path.chmod(0o755)
    with ExitStack() as stack:
        office = open_office(stack, tmp_path, engine, database_address, "directory", 25, seed=7)

        def disturb(number: int, instant: datetime) -> None:
            if instant.day in (5, 7):
                caught = office.freeze("digest")
                if caught is not None:
                    office.kill(caught)
                    office.killed_at_work += 1

        instants = live(office, 7, disturb)
        assert assert_nothing_lost_or_done_twice(office, instants) == {}
        mails = sorted(path.name for path in (tmp_path / "thu").glob("*.eml"))
        assert len(mails) == len(PEOPLE) * len(working_days(7))
        assert query(engine, "SELECT count(*) FROM tthc.deliveries WHERE sent_at IS NULL") == [0]


def test_a_process_that_slept_longer_than_its_lease_records_nothing_over_its_successor(
    tmp_path: Path, engine: Engine, database_address: str
) -> None:
    tmp_path.chmod(0o755)
    with ExitStack() as stack:
        office = open_office(stack, tmp_path, engine, database_address, "directory", 25, seed=7)
        held: list[Any] = []

        def disturb(number: int, instant: datetime) -> None:
            if number == 0:
                caught = office.freeze("report", PATIENCE)
                assert caught is not None
                pid = office.processes[caught].pid
                assert pid is not None
                threading.Timer(4 * LEASE.total_seconds(), os.kill, [pid, signal.SIGCONT]).start()
                held.append(caught)

        instants = live(office, 2, disturb)
        log = tmp_path / f"replica-{held[0]}.log"
        deadline = time.monotonic() + PATIENCE
        while "job_lost" not in log.read_text("utf-8"):
            assert time.monotonic() < deadline, logs(tmp_path)
            time.sleep(0.05)
        assert_nothing_lost_or_done_twice(office, instants)
        [(attempt, by)] = query(
            engine,
            "SELECT attempt, split_part(claimed_by, ':', 2)::int FROM tthc.job_runs WHERE job = 'report' LIMIT 1",
        )
        assert (attempt, by) == (2, office.processes[1 - held[0]].pid)
