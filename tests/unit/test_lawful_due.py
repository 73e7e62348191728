"""The lawful due instant, case by case, as a lawyer checks them: calendar of 2022 to 2027, Mon-Fri 07:30-11:30, 13:30-17:00.

Days off used here: 02/01/2026 (worked on Saturday 10/01/2026 instead), Tết 16-20/02/2026, 30/04 and 01/05/2026, 31/08 to
02/09/2026 (Saturday 22/08/2026 worked instead), 24/11/2026.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from tests.unit.lawful import at, catalogue, days, due_of, facts, limit, maybe, result, shipped_calendar
from tthc_monitor.domain.lawful_due import lawful_due
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.domain.worktime import WorkCalendar

MONDAY = "2026-10-05"


def due(received: str, fields: dict[str, Any], **more: Any) -> dt.datetime | None:
    return due_of({"received_at": at(received), **more}, fields)


# -- working days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "amount", "end"),
    [
        ("2026-10-05 10:15", 1, "2026-10-06 10:15"),
        ("2026-10-05 10:15", 3, "2026-10-08 10:15"),
        ("2026-10-09 10:15", 1, "2026-10-12 10:15"),
        ("2026-10-05 12:00", 1, "2026-10-06 13:30"),
        ("2026-10-05 17:00", 1, "2026-10-07 07:30"),
        # Days off and exchanged days on the way.
        ("2026-02-13 10:15", 1, "2026-02-23 10:15"),
        ("2026-02-12 10:15", 2, "2026-02-23 10:15"),
        ("2026-01-09 10:15", 1, "2026-01-10 10:15"),
        ("2026-01-09 10:15", 2, "2026-01-12 10:15"),
        ("2025-12-31 10:15", 1, "2026-01-05 10:15"),
        ("2026-08-21 10:15", 1, "2026-08-22 10:15"),
        ("2026-08-28 10:15", 1, "2026-09-03 10:15"),
        ("2026-11-23 10:15", 1, "2026-11-25 10:15"),
        # Parts of a day are parts of 8 hours, and no more than a whole day.
        ("2026-10-05 10:15", 0.5, "2026-10-05 16:15"),
        ("2026-10-05 16:00", 0.5, "2026-10-06 10:30"),
        ("2026-10-05 10:15", 1.5, "2026-10-06 16:15"),
        ("2026-10-05 07:30", 0.99, "2026-10-06 07:30"),
    ],
)
def test_working_days_at_the_same_clock_time(received: str, amount: float, end: str) -> None:
    assert due(received, days(amount)) == at(end)


@pytest.mark.parametrize(
    ("received", "end"),
    [
        # Saturday 10/10: mornings only. Monday 12/10: a long lunch. Tuesday 13/10: opens late.
        ("2026-10-09 10:00", "2026-10-10 10:00"),
        ("2026-10-09 13:30", "2026-10-10 11:30"),
        ("2026-10-09 16:59", "2026-10-10 11:30"),
        ("2026-10-10 09:59:59", "2026-10-12 09:59:59"),
        ("2026-10-10 10:00", "2026-10-12 14:00"),
        ("2026-10-12 09:00", "2026-10-13 09:00"),
        ("2026-10-12 07:30", "2026-10-13 08:00"),
    ],
)
def test_a_clock_time_that_is_not_worked_on_the_last_day(received: str, end: str) -> None:
    """In a break the next opening, after the hours of the day its closing, before them its opening."""
    hours = [("07:30", "11:30"), ("13:30", "17:00")]
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), hours) | {"sat": [("07:30", "11:30")]}
    odd = {dt.date(2026, 10, 12): [("07:30", "10:00"), ("14:00", "17:00")], dt.date(2026, 10, 13): [("08:00", "17:00")]}
    calendar = WorkCalendar("Asia/Ho_Chi_Minh", week, (), odd)
    assert due_of({"received_at": at(received)}, days(1), calendar=calendar) == at(end)


@pytest.mark.parametrize(
    ("policy", "received", "amount", "end"),
    [
        # 8 hours, though the office works 7.5 a day.
        ({"working_day": "hours"}, "2026-10-05 07:30", 1, "2026-10-06 08:00"),
        ({"working_day": "hours"}, "2026-10-05 10:15", 3, "2026-10-08 13:45"),
        ({"working_day": "hours", "hours_per_day": 7.5}, "2026-10-05 07:30", 1, "2026-10-05 17:00"),
        ({"working_day": "hours", "hours_per_day": 7.5}, "2026-10-05 10:15", 1, "2026-10-06 10:15"),
        # Civil Code Art. 147.2: the first day is not counted.
        ({"working_day": "end_of_day"}, "2026-10-05 10:15", 3, "2026-10-08 17:00"),
        ({"working_day": "end_of_day"}, "2026-10-05 16:59:59", 1, "2026-10-06 17:00"),
        ({"working_day": "end_of_day"}, "2026-10-05 17:00", 1, "2026-10-07 17:00"),
        ({"working_day": "end_of_day"}, "2026-10-05 10:15", 2.5, "2026-10-08 17:00"),
        # Where an office counts the day of reception as the first.
        ({"working_day": "end_of_day", "day_zero": "counted"}, "2026-10-05 10:15", 3, "2026-10-07 17:00"),
        ({"working_day": "end_of_day", "day_zero": "counted"}, "2026-10-05 10:15", 1, "2026-10-05 17:00"),
        ({"day_zero": "counted"}, "2026-10-05 10:15", 3, "2026-10-07 17:00"),
        (
            {"working_day": "hours", "hours_per_day": 7.5, "day_zero": "counted"},
            MONDAY + " 10:15",
            1,
            MONDAY + " 17:00",
        ),
        # NĐ 63/2024 Art. 7: three working days, received after 15:00 counted from the next working day.
        ({"cutoff": "15:00"}, "2026-10-05 14:59:59", 3, "2026-10-08 14:59:59"),
        ({"cutoff": "15:00"}, "2026-10-05 15:00", 3, "2026-10-09 07:30"),
    ],
)
def test_other_ways_to_count_working_days(policy: dict[str, Any], received: str, amount: float, end: str) -> None:
    assert due(received, days(amount, **policy)) == at(end)


# NQ 66.7/2025/NQ-CP: 08 working hours.
@pytest.mark.parametrize(
    ("received", "hours", "end"),
    [
        ("2026-10-05 10:15", 8, "2026-10-06 10:45"),
        ("2026-10-09 16:00", 2, "2026-10-12 08:30"),
        ("2026-10-05 07:30", 7.5, "2026-10-05 17:00"),
        ("2026-10-05 23:59", 1, "2026-10-06 08:30"),
    ],
)
def test_working_hours(received: str, hours: float, end: str) -> None:
    assert due(received, {"amount": hours, "unit": "working_hour"}) == at(end)


@pytest.mark.parametrize(
    ("received", "cutoff", "end"),
    [
        ("2026-10-05 10:15", None, "2026-10-05 17:00"),
        ("2026-10-05 17:00", None, "2026-10-06 17:00"),
        # Certification: received after 15:00, the next working day.
        ("2026-10-05 14:59:59", "15:00", "2026-10-05 17:00"),
        ("2026-10-05 15:00", "15:00", "2026-10-06 17:00"),
        ("2026-10-09 15:00", "15:00", "2026-10-12 17:00"),
    ],
)
def test_on_the_same_day(received: str, cutoff: str | None, end: str) -> None:
    assert due(received, {"unit": "same_day", "policy": ClockPolicy(cutoff=cutoff)}) == at(end)


# -- calendar days and months: Civil Code 2015 Art. 147, 148 -----------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "amount", "end"),
    [
        # 147.2 the first day is not counted; 148.6 until 24:00 of the last.
        ("2026-10-05 10:15", 4, "2026-10-10 00:00"),
        # 148.5 a last day that is a day off: the end of the next working day.
        ("2026-10-05 10:15", 5, "2026-10-13 00:00"),
        ("2026-02-09 10:15", 6, "2026-02-24 00:00"),
        ("2026-02-09 10:15", 4, "2026-02-14 00:00"),
        ("2026-08-28 10:15", 3, "2026-09-04 00:00"),
        # A Saturday worked in exchange is no day off.
        ("2026-01-08 10:15", 2, "2026-01-11 00:00"),
        ("2026-10-05 16:59:59", 1, "2026-10-07 00:00"),
        ("2026-10-05 17:00", 1, "2026-10-08 00:00"),
        ("2026-10-05 10:15", 3.2, "2026-10-10 00:00"),
    ],
)
def test_calendar_days(received: str, amount: float, end: str) -> None:
    assert due(received, {"amount": amount, "unit": "calendar_day"}) == at(end)


@pytest.mark.parametrize(
    ("received", "amount", "end"),
    [
        ("2026-10-05 10:15", 1, "2026-11-06 00:00"),
        # 148.3 no such day in the month: its last day. 28/02/2026 is a Saturday: 148.5.
        ("2026-01-30 10:15", 1, "2026-03-03 00:00"),
        ("2024-01-31 10:15", 1, "2024-03-01 00:00"),
        ("2027-03-31 10:15", 3, "2027-07-01 00:00"),
        ("2026-03-31 10:15", 1, "2026-05-05 00:00"),
        # 146.1 half a month is fifteen days.
        ("2026-10-05 10:15", 1.5, "2026-11-21 00:00"),
        ("2027-01-29 10:15", 0.99, "2027-03-02 00:00"),
        ("2026-12-07 10:15", 1.5, "2027-01-23 00:00"),
        # Of a begun day the whole counts, and no part of a month is longer than the month.
        ("2026-10-05 10:15", 0.55, "2026-10-23 00:00"),
        ("2024-01-31 10:15", 0.99, "2024-03-01 00:00"),
    ],
)
def test_months(received: str, amount: float, end: str) -> None:
    assert due(received, {"amount": amount, "unit": "month"}) == at(end)


def test_days_that_end_at_closing_or_count_the_first() -> None:
    four = {"amount": 4, "unit": "calendar_day"}
    assert due("2026-10-05 10:15", four | {"policy": ClockPolicy(day_ends="closing")}) == at("2026-10-09 17:00")
    assert due("2026-10-05 10:15", four | {"policy": ClockPolicy(day_zero="counted")}) == at("2026-10-09 00:00")
    month = {"amount": 1, "unit": "month", "policy": ClockPolicy(day_zero="counted")}
    assert due("2026-03-02 10:15", month) == at("2026-04-02 00:00")


# NĐ 151/2025 Part II item 10: ten working days more in mountainous, island and remote communes.
@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"amount": 5, "unit": "working_day", "extra_working_days": 10}, "2026-10-26 10:15"),
        (days(5, working_day="end_of_day") | {"extra_working_days": 1}, "2026-10-13 17:00"),
        ({"amount": 1, "unit": "month", "extra_working_days": 10}, "2026-11-20 00:00"),
        ({"amount": 5, "unit": "calendar_day", "extra_working_days": 10}, "2026-10-27 00:00"),
        ({"unit": "same_day", "extra_working_days": 1}, "2026-10-06 17:00"),
        ({"amount": 4, "unit": "working_hour", "extra_working_days": 1}, "2026-10-06 15:45"),
    ],
)
def test_extra_working_days(fields: dict[str, Any], end: str) -> None:
    received = "2026-10-05 10:15" if fields["unit"] != "working_hour" else "2026-10-05 09:15"
    assert due(received, fields) == at(end)


def test_of_an_abolished_procedure_nothing_is_due() -> None:
    limits = catalogue(limit(**days(5), valid_to="2026-07-01"), limit(abolished=True, valid_from="2026-07-01"))
    before, since = (result({"received_at": at(text)}, limits) for text in ("2026-06-30 10:00", "2026-07-01 10:00"))
    assert (before["limit"], since["limit"]) == (0, 1)
    assert before["due_lawful"] == at("2026-07-07 10:00")
    assert since["due_lawful"] is pd.NaT


# -- what no calendar answers for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 10_000, "unit": "working_day"},
        {"amount": 10_000, "unit": "working_hour", "extra_working_days": 400},
        {"amount": 10_000, "unit": "month"},
        {"amount": 10_000, "unit": "calendar_day"},
        {"amount": 9_999.5, "unit": "working_day"},
        {"unit": "same_day", "extra_working_days": 400},
    ],
)
def test_beyond_the_calendar_there_is_no_due_instant_and_no_error(fields: dict[str, Any]) -> None:
    received = ["1900-01-01 10:00", "1989-12-31 23:59", "2060-12-31 16:00", "2060-12-31 20:00", "2199-01-01 10:00"]
    rows = [{"received_at": at(text)} for text in received]
    rows += [{"received_at": at("2059-06-02 10:00"), **waiting_far(end)} for end in ("2200-01-01 10:00", None)]
    for model in ("restart", "pause", "legacy"):
        policy = ClockPolicy(
            clock_model=model,
            pauses=("supplement", "financial_obligation"),
            cutoff="last_hour",
            outside_hours="next_day",
        )
        found = lawful_due(facts(rows), shipped_calendar(), catalogue(limit(**fields, policy=policy)))
        assert found["due_lawful"].isna().all()


def waiting_far(end: str | None) -> dict[str, Any]:
    return {
        "supplement_requested_at": at("2059-06-02 10:30"),
        "supplement_completed_at": maybe(end),
        "obligation_requested_at": at("1800-01-01 10:00"),
        "obligation_completed_at": at("1801-01-01 10:00"),
    }


def test_no_rows_give_no_rows() -> None:
    found = lawful_due(facts([]), shipped_calendar(), catalogue(limit(**days(5))))
    assert len(found) == 0
    assert list(found.columns) == ["clock_started_at", "due_lawful", "limit"]
    assert found["limit"].dtype == "int32"
    assert str(found["due_lawful"].dtype) == "datetime64[us, UTC]"


def test_the_result_has_the_index_of_the_facts() -> None:
    frame = facts([{"received_at": at("2026-10-05 10:15")}, {"received_at": at("2026-10-06 10:15")}])
    frame.index = pd.Index([7, 3])
    found = lawful_due(frame, shipped_calendar(), catalogue(limit(**days(1))))
    assert list(found.index) == [7, 3]
    assert found.loc[3, "due_lawful"] == at("2026-10-07 10:15")


def test_a_first_day_that_counts_whole_may_have_no_hours_left_when_the_clock_starts() -> None:
    # Four hours a day, counted from the opening at 07:30, are over at 11:30; the clock starts after the lunch break.
    row = {"received_at": at("2026-10-14 12:00")}
    told = result(row, catalogue(limit(**days(1, working_day="hours", hours_per_day=4, day_zero="counted"))))
    assert told["clock_started_at"] == told["due_lawful"] == at("2026-10-14 13:30")
