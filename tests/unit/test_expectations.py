"""By when something must have gone well again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.pull_plan import QuietHours, after_open_time
from tthc_monitor.domain.schedules import Daily, Every, Monthly, OnAnyWorkingDay, Schedule
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.expectations import NEVER_DONE, jobs_expected_by, sources_expected_by
from tthc_monitor.running import Job
from tthc_monitor.settings import SourceSettings, shipped_calendar

ZONE = "Asia/Ho_Chi_Minh"
CALENDAR = validate(CalendarSpec, shipped_calendar("vn")).compile()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MORNINGS = OnAnyWorkingDay(time(7, 30), (CALENDAR,))
NIGHTS = Daily(time(2, 30), ZONE)
MONTHS = Monthly(1, time(6), ZONE)
TEN = Every(10 * MINUTE)


def hanoi(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (TEN, "2026-01-05T10:00", "2026-01-05T10:10"),
        (TEN, "2026-01-05T10:09:59", "2026-01-05T10:10"),
        (MORNINGS, "2026-01-05T07:29", "2026-01-05T07:30"),
        (MORNINGS, "2026-01-05T07:30", "2026-01-06T07:30"),
        (MORNINGS, "2026-01-01T12:00", "2026-01-05T07:30"),  # two days off and a weekend
        (MORNINGS, "2026-01-09T07:30", "2026-01-10T07:30"),  # a Saturday that is worked
        (MORNINGS, "2026-01-10T08:00", "2026-01-12T07:30"),
        (MORNINGS, "2026-02-13T08:00", "2026-02-23T07:30"),  # Tết, and the weekends around it
        (NIGHTS, "2026-01-05T02:29", "2026-01-05T02:30"),
        (NIGHTS, "2026-01-05T02:30", "2026-01-06T02:30"),
        (MONTHS, "2026-01-01T05:59", "2026-01-01T06:00"),
        (MONTHS, "2026-01-01T06:00", "2026-02-01T06:00"),
        (Monthly(28, time(6), ZONE), "2026-01-31T06:00", "2026-02-28T06:00"),
        (Monthly(5, time(6), ZONE), "2026-12-31T23:00", "2027-01-05T06:00"),
    ],
)
def test_the_next_slot(schedule: Schedule, after: str, expected: str) -> None:
    found = schedule.next_after(hanoi(after))
    assert found == hanoi(expected)
    assert schedule.slot(found) == found, "it is a slot"
    assert schedule.slot(found - timedelta(seconds=1)) != found, "and no earlier one"


class Never:
    """A schedule of no slots."""

    made_up = "never"

    def slot(self, now: datetime) -> None:
        return None

    def next_after(self, instant: datetime) -> None:
        return None


def test_a_job_without_a_slot_in_sight_is_not_waited_for() -> None:
    assert jobs_expected_by([Job("việc", Never(), lambda _: None)], {}, hanoi("2026-01-05T08:00")) == {}


def quiet(*hours: tuple[str, str]) -> Callable[[datetime, timedelta], datetime]:
    ranges = [QuietHours(time.fromisoformat(start), time.fromisoformat(end)) for start, end in hours]
    return lambda instant, duration: after_open_time(instant, duration, ranges, ZONE)


@pytest.mark.parametrize(
    ("start", "minutes", "hours", "expected"),
    [
        ("2026-01-05T10:00", 30, [], "2026-01-05T10:30"),
        ("2026-01-05T11:00", 30, [("11:30", "13:00")], "2026-01-05T11:30"),
        ("2026-01-05T11:20", 30, [("11:30", "13:00")], "2026-01-05T13:20"),
        ("2026-01-05T12:00", 30, [("11:30", "13:00")], "2026-01-05T13:30"),
        ("2026-01-05T12:00", 0, [("11:30", "13:00")], "2026-01-05T13:00"),
        ("2026-01-05T21:50", 30, [("22:00", "06:00")], "2026-01-06T06:20"),
        ("2026-01-05T23:30", 30, [("22:00", "06:00")], "2026-01-06T06:30"),
        ("2026-01-06T03:00", 30, [("22:00", "06:00")], "2026-01-06T06:30"),
        ("2026-01-05T11:20", 30, [("11:30", "13:00"), ("13:00", "13:30")], "2026-01-05T13:50"),
        ("2026-01-05T21:00", 36 * 60, [("22:00", "06:00")], "2026-01-08T09:00"),
    ],
)
def test_time_passes_outside_the_quiet_hours(
    start: str, minutes: int, hours: list[tuple[str, str]], expected: str
) -> None:
    assert quiet(*hours)(hanoi(start), minutes * MINUTE) == hanoi(expected)


@pytest.mark.parametrize(
    ("schedule", "grace", "done", "now", "expected"),
    [
        # Slots that come faster than a run may be late: by the first one missed.
        (TEN, 20 * MINUTE, "2026-01-05T10:00", "2026-01-05T10:05", "2026-01-05T10:30"),
        (TEN, 20 * MINUTE, "2026-01-05T10:00", "2026-01-05T10:15", "2026-01-05T10:30"),
        (TEN, 20 * MINUTE, "2026-01-05T10:00", "2026-01-07T10:15", "2026-01-05T10:30"),
        # Slow ones: by the newest, which can still be made up.
        (NIGHTS, 3 * HOUR, "2026-01-05T02:30", "2026-01-05T10:00", "2026-01-06T05:30"),
        (NIGHTS, 3 * HOUR, "2026-01-04T02:30", "2026-01-05T10:00", "2026-01-05T05:30"),
        (NIGHTS, 3 * HOUR, None, "2026-01-05T10:00", "2026-01-05T05:30"),
        (MONTHS, 2 * HOUR, "2026-01-01T06:00", "2026-01-20T10:00", "2026-02-01T08:00"),
        (MONTHS, 2 * HOUR, "2025-12-01T06:00", "2026-01-20T10:00", "2026-01-01T08:00"),
        (MONTHS, 2 * HOUR, "2026-01-20T09:00", "2026-01-20T10:00", "2026-02-01T08:00"),  # by hand
        # The morning's, until midnight; what has passed then is not waited for.
        (MORNINGS, 50 * MINUTE, "2026-01-05T07:30", "2026-01-06T07:20", "2026-01-06T08:20"),
        (MORNINGS, 50 * MINUTE, "2026-01-05T07:30", "2026-01-06T12:00", "2026-01-06T08:20"),
        (MORNINGS, 50 * MINUTE, "2026-01-05T07:30", "2026-01-07T00:10", "2026-01-07T08:20"),
        (MORNINGS, 50 * MINUTE, "2026-01-09T07:30", "2026-01-10T12:00", "2026-01-10T08:20"),  # the worked Saturday
        (MORNINGS, 50 * MINUTE, "2026-01-10T07:30", "2026-01-11T12:00", "2026-01-12T08:20"),
        (MORNINGS, 50 * MINUTE, "2026-02-13T07:30", "2026-02-18T12:00", "2026-02-23T08:20"),  # Tết
        (MORNINGS, 50 * MINUTE, None, "2026-02-18T12:00", "2026-02-23T08:20"),
    ],
)
def test_when_a_job_is_to_have_run(
    schedule: Schedule, grace: timedelta, done: str | None, now: str, expected: str
) -> None:
    job = Job("việc", schedule, lambda _: None, grace=grace)
    last = {} if done is None else {"việc": hanoi(done)}
    assert jobs_expected_by([job], last, hanoi(now)) == {"việc": hanoi(expected)}


def test_a_frequent_job_that_never_ran_well_is_overdue_from_the_beginning() -> None:
    job = Job("việc", TEN, lambda _: None, grace=20 * MINUTE)
    assert jobs_expected_by([job], {}, hanoi("2026-01-05T10:05")) == {"việc": NEVER_DONE + 20 * MINUTE}


@pytest.mark.parametrize(
    ("done", "now", "expected"),
    [
        ("2026-01-05T11:00", "2026-01-05T11:15", "2026-01-05T11:30:00"),
        ("2026-01-05T11:10", "2026-01-05T12:00", "2026-01-05T13:10:00"),
        ("2026-01-05T09:00", "2026-01-05T11:15", "2026-01-05T09:30:00"),
    ],
)
def test_a_pull_is_not_waited_for_over_lunch(done: str, now: str, expected: str) -> None:
    lunch = quiet(("11:30", "13:00"))
    job = Job("pull:x", TEN, lambda _: None, grace=20 * MINUTE, open_time_after=lunch)
    found = jobs_expected_by([job], {"pull:x": hanoi(done)}, hanoi(now))["pull:x"]
    assert found == hanoi(expected)


@pytest.mark.parametrize(
    ("every", "hours", "done", "now", "expected"),
    [
        (10, (), "2026-01-05T10:00", "2026-01-05T10:05", "2026-01-05T10:30"),
        (10, ("11:30-13:00",), "2026-01-05T11:15", "2026-01-05T12:00", "2026-01-05T13:15"),
        (10, ("11:30-13:00",), "2026-01-05T10:00", "2026-01-05T12:00", "2026-01-05T10:30"),  # silent before lunch
        (60, ("22:00-06:00",), "2026-01-05T21:00", "2026-01-06T02:00", "2026-01-06T07:10"),
        (60, ("18:00-07:00", "11:30-13:30"), "2026-01-05T17:30", "2026-01-06T06:00", "2026-01-06T08:40"),
        (10, (), None, "2026-01-05T10:05", None),
        (10, (), "2026-01-05T12:00", "2026-01-05T10:00", "2026-01-05T10:30"),  # a clock that was set back
    ],
)
def test_when_a_source_is_silent(
    every: int, hours: tuple[str, ...], done: str | None, now: str, expected: str | None
) -> None:
    source = SourceSettings(name="x", kind="files", every=every * MINUTE, quiet_hours=hours)
    last = {"x": None if done is None else hanoi(done)}
    found = sources_expected_by([source], last, hanoi(now), ZONE)
    assert found == {"x": NEVER_DONE if expected is None else hanoi(expected)}
    assert sources_expected_by([source], {}, hanoi(now), ZONE) == {"x": NEVER_DONE}
