"""Other systems' clocks, reproduced run by run, beside what a correct calendar says of the same dossier.

OpenCPS v2: results of its own code, run on Monday to Friday 07:30-11:30, 13:30-17:30. e-par: a log of a real installation.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.shared_data import shared
from tests.unit.lawful import at, due_of
from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.legacy_clocks import (
    OpencpsSite,
    epar_days_left,
    epar_deadline,
    opencps_due,
    opencps_elapsed,
    opencps_resumed,
    opencps_shown_due,
    opencps_verdict,
)
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.domain.worktime import WorkCalendar

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HOURS = [("07:30", "11:30"), ("13:30", "17:30")]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), HOURS)
AFTERNOON = (dt.time(13, 30), dt.time(17, 30))
SITE = OpencpsSite(afternoon=AFTERNOON)
TET = {dt.date(2020, 1, day): False for day in range(23, 30)}
INDEPENDENCE = {dt.date(2020, 9, 2): False}
HOLIDAY = {dt.date(2020, 10, 7): False}
EXCHANGED = {dt.date(2020, 10, 10): True}
SATURDAY = (0, 1, 2, 3, 4, 5)

# number, start, days, hours, holidays, weekdays with a row, hours of a Saturday, DueDateUtils, HolidayUtils, correct
OPENCPS = [
    (1, "2020-10-05 08:10", 1, 0, {}, None, "2020-10-06 08:15", "2020-10-06 08:15", "2020-10-06 08:10"),
    (2, "2020-10-05 12:00", 1, 0, {}, None, "2020-10-06 13:30", "2020-10-06 12:15", "2020-10-06 13:30"),
    (3, "2020-10-05 18:20", 1, 0, {}, None, "2020-10-07 07:30", "2020-10-06 18:30", "2020-10-07 07:30"),
    (4, "2020-10-05 06:00", 1, 0, {}, None, "2020-10-06 07:30", "2020-10-06 06:15", "2020-10-06 07:30"),
    (5, "2020-10-10 09:00", 1, 0, {}, None, "2020-10-13 07:30", "2020-10-12 09:15", "2020-10-13 07:30"),
    (6, "2020-10-05 08:10", 0.5, 0, {}, None, "2020-10-05 14:15", None, "2020-10-05 14:10"),
    (7, "2020-10-09 16:00", 0, 2, {}, None, "2020-10-12 08:00", "2020-10-12 08:15", "2020-10-12 08:00"),
    (8, "2020-09-01 16:30", 0, 2, INDEPENDENCE, None, "2020-09-03 08:30", "2020-09-02 08:45", "2020-09-03 08:30"),
    (9, "2020-01-22 17:00", 0, 2, TET, None, "2020-01-30 09:00", "2020-01-23 09:15", "2020-01-30 09:00"),
    (10, "2020-10-07 08:10", 1, 0, HOLIDAY, None, "2020-10-08 08:15", None, "2020-10-09 07:30"),
    (11, "2020-10-10 09:00", 1, 0, EXCHANGED, None, "2020-10-13 07:30", None, "2020-10-12 09:00"),
    (12, "2020-10-10 09:00", 0, 4, {}, SATURDAY, "2020-10-10 15:00", None, "2020-10-12 09:00"),
    (13, "2020-10-09 08:10", 1, 0, {}, range(7), "2020-10-10 08:15", "2020-10-12 08:15", "2020-10-12 08:10"),
    (13, "2020-10-09 08:10", 1, 0, {}, (), "2020-10-10 08:15", "2020-10-12 08:15", "2020-10-12 08:10"),
    (14, "2020-01-02 08:10", 300, 0, {}, None, "2020-12-27 07:30", None, "2021-02-25 08:10"),
]


def local(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def calendar(holidays: Mapping[dt.date, bool], *, half_saturday: bool = False) -> WorkCalendar:
    week = WEEK | ({"sat": [("07:30", "11:30")]} if half_saturday else {})
    off = [day for day, worked in holidays.items() if not worked]
    return WorkCalendar("Asia/Ho_Chi_Minh", week, off, {day: HOURS for day, worked in holidays.items() if worked})


@pytest.mark.parametrize("row", OPENCPS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_opencps_due_dates_and_the_correct_ones(row: tuple[Any, ...]) -> None:
    _, start, days, hours, holidays, weekdays, due, shown, correct = row
    site = OpencpsSite(afternoon=AFTERNOON, weekdays=SITE.weekdays if weekdays is None else weekdays, holidays=holidays)
    assert opencps_due(local(start), days * 8 + hours, site) == local(due)
    if shown is not None:
        assert opencps_shown_due(local(start), int(days), hours, site) == local(shown)
    ours = calendar(holidays, half_saturday=weekdays == SATURDAY)
    limit = {"unit": "working_day", "amount": days} if days else {"unit": "working_hour", "amount": hours}
    assert due_of({"received_at": at(start)}, limit, calendar=ours) == at(correct)


def test_a_whole_working_day_of_opencps_is_eight_hours_even_where_the_day_is_shorter() -> None:
    short = OpencpsSite(morning=(dt.time(8), dt.time(11, 30)), afternoon=(dt.time(13, 30), dt.time(16, 30)))
    assert opencps_due(local("2020-10-05 08:00"), 8, short) == local("2020-10-06 09:30")


def test_opencps_reads_the_holidays_that_have_not_begun() -> None:
    site = OpencpsSite(afternoon=AFTERNOON, holidays=HOLIDAY)
    assert opencps_due(local("2020-10-07 00:00"), 1, site) == local("2020-10-08 08:30")
    assert opencps_due(local("2020-10-07 00:30"), 1, site) == local("2020-10-07 08:30")


def test_opencps_without_configured_hours_works_from_one_to_five() -> None:
    assert opencps_due(local("2020-10-05 12:10"), 1, OpencpsSite()) == local("2020-10-05 14:00")


def test_opencps_loses_hours_that_start_in_the_lunch_break_and_cuts_them_to_whole_ones() -> None:
    assert opencps_shown_due(local("2020-10-05 12:00"), 0, 2, SITE) == local("2020-10-05 12:15")
    assert opencps_shown_due(local("2020-10-05 08:00"), 0, 1.9, SITE) == local("2020-10-05 09:15")


@pytest.mark.parametrize(
    ("start", "hours", "shown"),
    [
        ("2020-10-05 07:30", 2, "2020-10-05 09:45"),
        # To the end of the morning and no further is in the afternoon already; to closing, on the next day.
        ("2020-10-05 07:30", 4, "2020-10-05 13:45"),
        ("2020-10-05 11:30", 2, "2020-10-05 11:45"),
        ("2020-10-05 13:30", 2, "2020-10-05 15:45"),
        ("2020-10-05 13:30", 4, "2020-10-06 07:45"),
        ("2020-10-05 13:30", 5, "2020-10-06 08:45"),
        ("2020-10-05 17:30", 2, "2020-10-05 17:45"),
    ],
)
def test_where_hours_lead_that_opencps_shows(start: str, hours: float, shown: str) -> None:
    assert opencps_shown_due(local(start), 0, hours, SITE) == local(shown)


@pytest.mark.parametrize(
    ("start", "end", "theirs", "correct"),
    [
        ("2020-10-05 08:00", "2020-10-06 17:30", 25.0, 15.5),
        ("2020-10-05 08:00", "2020-10-06 19:00", 26.5, 15.5),
        ("2020-10-05 18:30", "2020-10-06 08:30", 9.0, 1.0),
        ("2020-10-05 17:45", "2020-10-06 08:00", 8.5, 0.5),
        ("2020-10-05 17:30", "2020-10-06 08:30", 9.0, 1.0),
        ("2020-10-06 09:00", "2020-10-07 17:29", 6.5 + 7 + 59 / 60, 6.5 + 7 + 59 / 60),
        ("2020-10-06 09:00", "2020-10-07 17:30", 24.0, 14.5),
    ],
)
def test_opencps_hours_of_a_pause_and_the_correct_ones(start: str, end: str, theirs: float, correct: float) -> None:
    assert opencps_elapsed(local(start), local(end), SITE) == pytest.approx(theirs)
    assert calendar({}).elapsed(at(start), at(end)) / 3600 == pytest.approx(correct)


@pytest.mark.parametrize(
    ("resumed", "theirs", "correct"),
    [
        ("2020-10-07 17:29", "2020-10-14 08:30", "2020-10-14 08:29"),
        # A minute later, and the officer gains more than a working day.
        ("2020-10-07 17:30", "2020-10-15 10:00", "2020-10-14 08:30"),
    ],
)
def test_opencps_resumes_later_when_the_officer_resumes_after_hours(resumed: str, theirs: str, correct: str) -> None:
    due, paused = "2020-10-12 10:00", "2020-10-06 09:00"
    assert opencps_resumed(local(due), local(paused), local(resumed), SITE) == local(theirs)
    facts = {
        "received_at": at("2020-10-05 10:00"),
        "supplement_requested_at": at(paused),
        "supplement_completed_at": at(resumed),
        "supplement_count": 1,
    }
    limit = {"unit": "working_day", "amount": 5, "policy": ClockPolicy(clock_model="pause")}
    assert due_of(facts, limit, calendar=calendar({})) == at(correct)


@pytest.mark.parametrize(
    ("released", "due", "verdict"),
    [
        ("2020-10-05 12:59", "2020-10-05 16:00", 3),
        ("2020-10-05 13:10", "2020-10-05 16:00", 2),
        ("2020-10-05 16:00", "2020-10-05 16:00", 2),
        ("2020-10-05 16:01", "2020-10-05 16:00", 1),
        ("2020-10-05 08:00", "2020-10-05 17:30", 2),
        ("2020-10-04 23:59", "2020-10-05 17:30", 3),
        ("2020-10-05 08:00", "2020-10-05 12:00", 2),
        ("2020-10-05 06:59", "2020-10-05 10:00", 3),
        ("2020-10-05 07:00", "2020-10-05 10:00", 2),
        # Both ends of a half-day belong to it; of a due date outside them only another day is early.
        ("2020-10-05 06:59", "2020-10-05 07:00", 3),
        ("2020-10-05 06:59", "2020-10-05 11:30", 3),
        ("2020-10-05 06:59", "2020-10-05 11:31", 2),
        ("2020-10-05 00:00", "2020-10-05 12:00", 2),
        ("2020-10-04 23:59", "2020-10-05 12:00", 3),
        ("2020-10-05 08:00", None, 3),
        (None, "2020-10-05 16:00", -1),
    ],
)
def test_opencps_verdict(released: str | None, due: str | None, verdict: int) -> None:
    instants = (None if text is None else local(text) for text in (released, due))
    assert opencps_verdict(*instants) == verdict


@pytest.mark.parametrize(
    ("begun", "days", "deadline"),
    [
        ("2015-03-09 08:00", 0, "2015-03-09 11:30"),
        ("2015-03-09 15:00", 0, "2015-03-09 16:00"),
        ("2015-03-09 08:00", 0.5, "2015-03-09 16:00"),
        ("2015-03-09 15:00", 0.5, "2015-03-10 11:30"),
        ("2015-03-13 15:00", 0.5, "2015-03-16 11:30"),
        ("2015-03-09 11:59", 1, "2015-03-10 11:30"),
        ("2015-03-09 12:00", 1, "2015-03-10 16:00"),
        ("2015-03-13 15:00", 5, "2015-03-20 16:00"),
        ("2015-03-09 08:00", 1.5, "2015-03-10 11:30"),
    ],
)
def test_epar_counts_half_days(begun: str, days: float, deadline: str) -> None:
    weekend = {dt.date(2015, 3, day) for day in (14, 15, 21, 22)}
    assert epar_deadline(local(begun), days, weekend) == local(deadline)


def test_epar_log_of_a_real_installation() -> None:
    folder = shared("epar_yenbai")
    days_off = {dt.date.fromisoformat(row["C_DATE"]) for row in rows(folder / "calendar.csv") if row["C_OFF"] == "1"}
    times = {row["C_TASK_CODE"]: float(row["C_STEP_TIME"]) for row in rows(folder / "workflow_steps.csv")}
    # The published table has whole days; only half a day gives the deadline that the log has for this one.
    times["TP01::BAN_GIAO"] = 0.5
    ours = WorkCalendar(
        "Asia/Ho_Chi_Minh",
        {day: [("07:30", "11:30"), ("13:30", "16:00")] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
        days_off,
    )
    begun: dict[str, dt.datetime] = {}
    log = rows(folder / "step_log.csv")
    for row in log:
        finished, deadline = local(row["C_FINISH_DATE"]), local(row["C_STEP_DEADLINE_DATE"])
        start = begun.get(row["FK_RECORD"], finished)
        days = times[row["C_TASK_CODE"]]
        assert epar_deadline(start, days, days_off) == deadline, row
        assert epar_days_left(finished, deadline, days_off) == int(row["C_DAYS_EXCEED"]), row
        if days >= 1:
            limit = {"unit": "working_day", "amount": days, "policy": ClockPolicy(working_day="end_of_day")}
            received = min(start, local("2015-03-09 15:59:59"))  # theirs has no closing time for a start
            assert due_of({"received_at": received}, limit, calendar=ours) == deadline
        begun[row["FK_RECORD"]] = finished
    assert len(log) == 13


def test_epar_days_left_are_negative_after_the_deadline() -> None:
    assert epar_days_left(local("2015-03-12 15:00"), local("2015-03-10 16:00"), set()) == -2
    assert epar_days_left(local("2015-03-10 15:00"), local("2015-03-10 16:00"), set()) == 0


def test_epar_afternoons_begin_at_noon() -> None:
    assert epar_days_left(local("2015-03-10 12:00"), local("2015-03-12 11:30"), set()) == 1
    assert epar_days_left(local("2015-03-10 11:59"), local("2015-03-12 11:30"), set()) == 2
    assert epar_days_left(local("2015-03-10 15:00"), local("2015-03-12 12:00"), set()) == 2
    assert epar_days_left(local("2015-03-10 15:00"), local("2015-03-12 11:59"), set()) == 1


def test_a_time_without_zone_is_refused() -> None:
    naive, at = dt.datetime(2020, 10, 5, 8, 10), local("2020-10-05 08:10")
    for ask in (
        lambda: opencps_due(naive, 8, SITE),
        lambda: opencps_shown_due(naive, 1, 0, SITE),
        lambda: opencps_elapsed(naive, at, SITE),
        lambda: opencps_elapsed(at, naive, SITE),
        lambda: opencps_verdict(naive, at),
        lambda: opencps_verdict(at, naive),
        lambda: epar_deadline(naive, 1, set()),
        lambda: epar_days_left(naive, at, set()),
        lambda: epar_days_left(at, naive, set()),
    ):
        with pytest.raises(CalendarError, match="has no time zone"):
            ask()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
