"""Pauses that overlap, follow one another or belong to several rows, and pauses that are none: Monday 07:30-11:30."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime import PauseColumns, WorkCalendar

CALENDAR = WorkCalendar("UTC", {"mon": [("07:30", "11:30")]}, horizon=(date(2026, 10, 5), date(2026, 10, 20)))
HOUR = 3600


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-10-05T{clock}").replace(tzinfo=UTC)


def instants(*clocks: str) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    return np.array([f"2026-10-05T{clock}" for clock in clocks], dtype="datetime64[us]")


def columns(*pauses: tuple[int, str, str]) -> PauseColumns:
    return PauseColumns(
        np.array([row for row, _, _ in pauses]),
        instants(*(begin for _, begin, _ in pauses)),
        instants(*(end for _, _, end in pauses)),
    )


def test_what_several_pauses_cover_is_taken_out_once() -> None:
    pauses = [(at("08:00"), at("11:00")), (at("08:30"), at("09:00")), (at("09:30"), at("10:30"))]
    assert CALENDAR.elapsed(at("07:30"), at("11:30"), pauses) == HOUR


def test_each_row_has_its_own_pauses() -> None:
    pauses = columns(
        *((0, "08:00", "09:00"), (0, "08:30", "09:30"), (1, "09:00", "10:00"), (1, "09:30", "10:30")),
        *((2, "07:30", "08:00"), (2, "11:00", "11:30")),
    )
    starts, ends = instants("07:30", "07:30", "07:30", "07:30"), instants("11:30", "11:30", "11:30", "11:30")
    assert (CALENDAR.elapsed(starts, ends, pauses) / HOUR).tolist() == [2.5, 2.5, 3, 4]


def test_a_second_pause_counts_when_it_begins_before_the_wanted_time_is_full() -> None:
    pauses = [(at("08:00"), at("09:00")), (at("09:45"), at("10:00"))]
    assert CALENDAR.add(at("07:30"), 2 * HOUR, pauses) == at("10:45")
    assert CALENDAR.add(at("07:30"), 1.25 * HOUR, pauses) == at("09:45")


@pytest.mark.parametrize("pause", [(at("08:00"), at("09:00"), at("10:00")), (at("08:00"),), {at("08:00"), at("09:00")}])
def test_what_is_no_pair_is_no_pause(pause: Any) -> None:
    with pytest.raises(CalendarError, match="is no pause"):
        CALENDAR.elapsed(at("07:30"), at("11:30"), [pause])


@pytest.mark.parametrize("rows", [[0, -1], [-1, 0], [0, 2], [2, 0]])
def test_a_pause_belongs_to_a_row_that_there_is(rows: list[int]) -> None:
    pauses = columns(*((row, "08:00", "09:00") for row in rows))
    with pytest.raises(CalendarError, match="positions from 0 to 1"):
        CALENDAR.elapsed(instants("07:30", "07:30"), instants("11:30", "11:30"), pauses)


def test_columns_of_pauses_are_of_one_length() -> None:
    pauses = PauseColumns(np.array([0, 0]), instants("08:00"), instants("09:00"))
    with pytest.raises(CalendarError, match="equal length"):
        CALENDAR.elapsed(instants("07:30"), instants("11:30"), pauses)
