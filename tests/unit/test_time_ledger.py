"""A span of working time written out adds up to what the calendar computes, whatever the span and its pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.time_ledger import Wait, time_ledger
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.settings import shipped_calendar

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SPEC = validate(CalendarSpec, shipped_calendar("vn"))
FLOODED = SPEC.model_copy(
    update={
        "units": CalendarSpec.model_validate(
            {
                "name": "x",
                "zone": "Asia/Ho_Chi_Minh",
                "week": {"mon": [["08:00", "12:00"]]},
                "units": [{"codes": ["H99.1"], "name": "lũ", "days_off": ["2026-10-13"]}],
            }
        ).units
    }
)
CALENDARS = FLOODED.compile_all()
START = datetime(2026, 9, 1, tzinfo=UTC)
instants = st.integers(0, 120 * 86_400 * 1_000_000).map(lambda micros: START + timedelta(microseconds=micros))


@st.composite
def waits(draw: st.DrawFn) -> list[Wait]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        begin = draw(instants)
        end = draw(
            st.none() | st.integers(0, 40 * 86_400).map(lambda seconds, begin=begin: begin + timedelta(seconds=seconds))
        )
        found.append(Wait(begin, end, f"lý do {number}"))
    return found


@settings(deadline=None, max_examples=150)
@given(instants, instants, waits(), st.sampled_from([None, "H99.1"]))
def test_counted_lines_add_up_to_elapsed(start: datetime, end: datetime, paused: list[Wait], unit: str | None) -> None:
    ledger = time_ledger(FLOODED, CALENDARS.of_unit(unit), unit, start, end, paused)
    calendar = CALENDARS.of_unit(unit)
    whole = calendar.elapsed(start, end)
    counted = calendar.elapsed(start, end, [(wait.start, wait.end) for wait in paused])
    assert ledger.counted_seconds == pytest.approx(counted, abs=1e-5)
    assert ledger.counted_seconds + ledger.paused_seconds == pytest.approx(whole, abs=1e-5)
    edges = [(line.start, line.end) for line in ledger.lines]
    assert all(a < b for a, b in edges) and all(b <= c for (_, b), (c, _) in pairwise(edges))
    assert all(line.reason is None if line.kind == "counted" else line.reason for line in ledger.lines)


def test_a_line_is_parted_where_a_wait_begins_and_ends() -> None:
    monday = datetime(2026, 10, 5, 7, 30, tzinfo=HANOI)
    wait = Wait(monday + timedelta(hours=1), monday + timedelta(days=1, hours=1), "chờ")
    told = [
        (line.kind, f"{line.start:%d %H:%M}", f"{line.end:%d %H:%M}")
        for line in time_ledger(SPEC, SPEC.compile(), None, monday, monday + timedelta(days=1, hours=4), [wait]).lines
    ]
    assert told == [
        ("counted", "05 07:30", "05 08:30"),
        ("paused", "05 08:30", "05 11:30"),
        ("paused", "05 13:30", "05 17:00"),
        ("paused", "06 07:30", "06 08:30"),
        ("counted", "06 08:30", "06 11:30"),
    ]


def test_counted_and_paused_time_add_up_by_themselves() -> None:
    monday = datetime(2026, 10, 5, 7, 30, tzinfo=HANOI)
    wait = Wait(monday + timedelta(hours=1), monday + timedelta(hours=3), "chờ")
    ledger = time_ledger(SPEC, SPEC.compile(), None, monday, monday + timedelta(hours=4), [wait])
    assert (ledger.counted_seconds, ledger.paused_seconds) == (7200, 7200)
    ledger = time_ledger(SPEC, SPEC.compile(), None, monday, monday + timedelta(hours=3), [wait])
    assert (ledger.counted_seconds, ledger.paused_seconds) == (3600, 7200)


def test_a_span_that_only_touches_working_hours_has_no_lines() -> None:
    closing, opening = datetime(2026, 10, 5, 11, 30, tzinfo=HANOI), datetime(2026, 10, 5, 13, 30, tzinfo=HANOI)
    for start, end in ((closing, opening), (opening, opening), (opening, closing)):
        assert time_ledger(SPEC, SPEC.compile(), None, start, end).lines == ()


def test_days_off_and_worked_saturdays_are_told_with_their_documents() -> None:
    """02/01/2026 was exchanged for Saturday 10/01/2026 (CV 12729/VPCP-KGVX)."""
    ledger = time_ledger(
        SPEC, SPEC.compile(), None, datetime(2025, 12, 31, tzinfo=HANOI), datetime(2026, 1, 12, tzinfo=HANOI)
    )
    told = {
        day.first_day.isoformat(): (day.kind, day.document) for day in ledger.special_days if day.kind != "weekly_rest"
    }
    assert told["2026-01-02"][0] == "off" and "12729" in str(told["2026-01-02"][1])
    assert told["2026-01-10"][0] == "worked" and "12729" in str(told["2026-01-10"][1])


def test_what_the_calendar_cannot_answer_is_refused() -> None:
    with pytest.raises(CalendarError):
        time_ledger(SPEC, SPEC.compile(), None, datetime(1980, 1, 1, tzinfo=UTC), START)
