"""Laws of the lawful due instant that hold for every policy, unit and calendar."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.lawful import CODE, facts, shipped_calendar
from tthc_monitor.domain.lawful_due import Limits, lawful_due
from tthc_monitor.domain.lawful_steps import lawful_steps
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar

settings.register_profile("lawful", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
LAWS = settings.get_profile("lawful")
HORIZON = (dt.date(2020, 1, 1), dt.date(2040, 1, 1))
HOURS = [("07:30", "11:30"), ("13:30", "17:00")]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
UNEVEN = WorkCalendar(
    "America/New_York",
    {"mon": HOURS, "tue": [("00:00", "24:00")], "wed": [("00:00", "12:00")], "fri": HOURS, "sat": [("07:30", "11:30")]},
    [dt.date(2026, 3, 9)],
    {dt.date(2026, 3, 5): [("10:00", "10:30"), ("22:00", "24:00")]},
    horizon=HORIZON,
)
EVEN = WorkCalendar("Asia/Ho_Chi_Minh", dict.fromkeys(WEEKDAYS, HOURS), horizon=HORIZON)
NEVER = pd.Timestamp("2200-01-01", tz="UTC")
"""Stands for no due instant: the clock waits."""

calendars = st.sampled_from([shipped_calendar(), UNEVEN, EVEN])
policies = st.builds(
    ClockPolicy,
    clock_model=st.sampled_from(["restart", "pause", "legacy"]),
    working_day=st.sampled_from(["same_clock_time", "hours", "end_of_day"]),
    day_ends=st.sampled_from(["midnight", "closing"]),
    hours_per_day=st.sampled_from([4, 7.5, 8]),
    outside_hours=st.sampled_from(["next_opening", "next_day"]),
    cutoff=st.sampled_from([None, "15:00", "08:00", "last_hour"]),
    day_zero=st.sampled_from(["counted", "not_counted"]),
    pauses=st.sampled_from([(), ("supplement",), ("supplement", "financial_obligation"), ("financial_obligation",)]),
)
amounts = st.one_of(st.integers(1, 40), st.sampled_from([0.25, 0.5, 0.99, 1.5, 2.75]))


@st.composite
def limits(draw: st.DrawFn) -> TimeLimit:
    unit = draw(st.sampled_from(["working_day", "calendar_day", "working_hour", "month", "same_day"]))
    return TimeLimit(
        procedure_code=CODE,
        unit=unit,
        amount=None if unit == "same_day" else draw(amounts),
        extra_working_days=draw(st.sampled_from([0, 0.5, 3])),
        policy=draw(policies),
        legal_basis="QĐ 1",
    )


# Days around Tết, the clock change of New York, exchanged Saturdays; opening and closing minutes more often than others.
moments = st.builds(
    lambda day, clock, second: dt.datetime.combine(day, clock, dt.UTC) + dt.timedelta(seconds=second),
    st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 31)),
    st.one_of(st.times().map(lambda time: time.replace(microsecond=0)), st.sampled_from([dt.time(0, 30), dt.time(10)])),
    st.sampled_from([0, 0, -1, 1]),
)
spans = st.sampled_from([0, 1, 60, 3_600, 86_400, 3 * 86_400, 20 * 86_400])


@st.composite
def waits(draw: st.DrawFn, after: dt.datetime) -> dict[str, Any]:
    """Waits that begin at or after an instant; the last may be open."""
    starts = sorted(after + dt.timedelta(hours=draw(st.integers(0, 24 * 40))) for _ in range(draw(st.integers(0, 3))))
    row: dict[str, Any] = {"supplement_count": len(starts)}
    ends = [start + dt.timedelta(seconds=1 + draw(spans)) for start in starts]
    if len(starts) > 1:
        pairs = zip(starts[:-1], ends[:-1], strict=True)
        row["earlier_waits"] = json.dumps([[begin.timestamp(), end.timestamp()] for begin, end in pairs])
    if starts:
        is_open = draw(st.booleans())
        row |= {"supplement_requested_at": starts[-1], "supplement_completed_at": None if is_open else ends[-1]}
    if draw(st.booleans()):
        begun = after + dt.timedelta(hours=draw(st.integers(0, 24 * 40)))
        ended = draw(st.one_of(st.none(), spans.map(lambda seconds: begun + dt.timedelta(seconds=seconds))))
        row |= {"obligation_requested_at": begun, "obligation_completed_at": ended}
    return row


def dues(calendar: WorkCalendar, limit: TimeLimit, *rows: dict[str, Any]) -> list[pd.Timestamp]:
    return list(lawful_due(facts(rows), calendar, Limits([limit], ClockPolicy()))["due_lawful"].fillna(NEVER))


def same_order(calendar: WorkCalendar, limit: TimeLimit, first: dt.datetime, second: dt.datetime) -> bool:
    """False of the one pair that a policy may turn round: ``next_day`` sends what comes before the opening or in a break to
    the next day, but what comes later that day, in hours, starts at once.
    """
    policy = limit.policy or ClockPolicy()
    days = {moment.astimezone(ZoneInfo(calendar.zone)).date() for moment in (first, second)}
    return policy.outside_hours == "next_opening" or calendar.is_working(first) or len(days) == 2


@LAWS
@given(calendars, limits(), moments, moments)
def test_a_later_reception_is_never_due_earlier(
    calendar: WorkCalendar, limit: TimeLimit, a: dt.datetime, b: dt.datetime
) -> None:
    assume(same_order(calendar, limit, min(a, b), max(a, b)))
    first, second = dues(calendar, limit, {"received_at": min(a, b)}, {"received_at": max(a, b)})
    assert first <= second < NEVER


@LAWS
@given(calendars, limits(), moments, moments, st.data())
def test_nor_with_waits_that_begin_after_both_clocks(
    calendar: WorkCalendar, limit: TimeLimit, a: dt.datetime, b: dt.datetime, data: st.DataObject
) -> None:
    """Waits that begin between two receptions can turn the order: they pause the older dossier only, as they should."""
    assume(same_order(calendar, limit, min(a, b), max(a, b)))
    started = lawful_due(facts([{"received_at": max(a, b)}]), calendar, Limits([limit], ClockPolicy()))
    row = data.draw(waits(started["clock_started_at"].iloc[0].to_pydatetime()))
    first, second = dues(calendar, limit, {"received_at": min(a, b), **row}, {"received_at": max(a, b), **row})
    assert first <= second


@LAWS
@given(calendars, limits(), moments, moments, st.data())
def test_a_wait_never_shortens(
    calendar: WorkCalendar, limit: TimeLimit, received: dt.datetime, after: dt.datetime, data: st.DataObject
) -> None:
    plain, waited = dues(
        calendar, limit, {"received_at": received}, {"received_at": received, **data.draw(waits(after))}
    )
    assert plain <= waited


@LAWS
@given(calendars, limits(), amounts, moments, st.data())
def test_more_is_never_due_earlier(
    calendar: WorkCalendar, limit: TimeLimit, amount: float, received: dt.datetime, data: st.DataObject
) -> None:
    assume(limit.amount is not None)
    assert limit.amount is not None
    row = {"received_at": received, **data.draw(waits(received))}
    less, more = sorted((limit.amount, amount))
    (first,) = dues(calendar, limit.model_copy(update={"amount": less}), row)
    (second,) = dues(calendar, limit.model_copy(update={"amount": more}), row)
    assert first <= second
    longer = limit.model_copy(update={"extra_working_days": limit.extra_working_days + amount})
    assert dues(calendar, limit, row) <= dues(calendar, longer, row)


@LAWS
@given(calendars, st.lists(limits(), min_size=1, max_size=4), st.lists(moments, min_size=1, max_size=6), st.data())
def test_a_row_comes_out_alike_alone_and_among_others(
    calendar: WorkCalendar, some: list[TimeLimit], received: list[dt.datetime], data: st.DataObject
) -> None:
    catalogue = Limits(
        [one.model_copy(update={"procedure_code": f"1.{number}"}) for number, one in enumerate(some)], ClockPolicy()
    )
    rows = [
        {"received_at": at, "procedure_code": f"1.{data.draw(st.integers(0, len(some)))}", **data.draw(waits(at))}
        for at in received
    ]
    together = lawful_due(facts(rows), calendar, catalogue)
    alone = pd.concat([lawful_due(facts([row]), calendar, catalogue) for row in rows], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)
    backwards = lawful_due(facts(rows[::-1]), calendar, catalogue)
    pd.testing.assert_frame_equal(together, backwards[::-1].reset_index(drop=True))


@LAWS
@given(calendars, limits(), moments)
def test_the_clock_starts_in_working_time_and_runs_to_the_due_instant(
    calendar: WorkCalendar, limit: TimeLimit, received: dt.datetime
) -> None:
    row = lawful_due(facts([{"received_at": received}]), calendar, Limits([limit], ClockPolicy())).iloc[0]
    started = row["clock_started_at"].to_pydatetime()
    assert received <= started <= row["due_lawful"]
    assert calendar.is_working(started)


@LAWS
@given(st.integers(1, 60), moments)
def test_where_all_days_are_alike_the_same_clock_time_is_as_many_days_of_work(
    amount: int, received: dt.datetime
) -> None:
    limit = TimeLimit(procedure_code=CODE, unit="working_day", amount=amount, legal_basis="QĐ 1")
    row = lawful_due(facts([{"received_at": received}]), EVEN, Limits([limit], ClockPolicy())).iloc[0]
    started, due = row["clock_started_at"].to_pydatetime(), row["due_lawful"].to_pydatetime()
    assert EVEN.elapsed(started, due) == amount * 7.5 * 3600


@LAWS
@given(calendars, limits(), moments, st.data())
def test_the_steps_end_at_the_due_instant(
    calendar: WorkCalendar, limit: TimeLimit, received: dt.datetime, data: st.DataObject
) -> None:
    row = {"procedure_code": CODE, "received_at": received, **data.draw(waits(received))}
    catalogue = Limits([limit], ClockPolicy())
    last = lawful_steps(row, calendar, catalogue)[-1]
    due = lawful_due(facts([row]), calendar, catalogue)["due_lawful"].iloc[0]
    assert (last.code, last.at) == (("no_due", None) if due is pd.NaT else ("due", due.to_pydatetime()))
