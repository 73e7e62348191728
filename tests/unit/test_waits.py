"""The waits for the applicant that facts tell of: in order, with those that never ended, and what they excuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rules.kinds.intervals import utc
from rules.kinds.waits import excused_moves, first_request, number_of_waits, waits
from tests.unit.judged import CALENDAR, Row, facts, rule

LATEST = {"supplement_requested_at": "2026-10-12 09:00", "supplement_completed_at": "2026-10-13 10:00:00.250000"}


def seconds(local: str) -> float:
    return pd.Timestamp(local, tz=CALENDAR.zone).timestamp()


FIRST, SECOND = seconds("2026-10-06 09:00"), seconds("2026-10-08 09:00")
ONE = f"[[{FIRST}, {FIRST + 3600.5}]]"
TWO = f"[[{FIRST}, null], [{SECOND}, {SECOND + 7200}]]"


def table(*rows: Row) -> pd.DataFrame:
    return facts(rule("overdue"), rows)


def told(values: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]) -> list[str | None]:
    local = pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(CALENDAR.zone)
    return [None if pd.isna(at) else at.strftime("%d %H:%M:%S.%f").removesuffix(".000000") for at in local]


def test_each_row_has_its_waits_in_order_and_the_latest_last() -> None:
    first, second, latest = waits(table({}, LATEST, LATEST | {"earlier_waits": ONE}, LATEST | {"earlier_waits": TWO}))
    assert told(first.requested) == [None, None, "06 09:00:00", "06 09:00:00"]
    assert told(first.answered) == [None, None, "06 10:00:00.500000", None]
    assert told(second.requested) == [None, None, None, "08 09:00:00"]
    assert told(second.answered) == [None, None, None, "08 11:00:00"]
    assert told(latest.requested) == [None, *["12 09:00:00"] * 3]
    assert told(latest.answered) == [None, *["13 10:00:00.250000"] * 3]


def test_without_earlier_waits_there_is_the_latest_alone_even_of_no_rows() -> None:
    assert [told(one.requested) for one in waits(table(LATEST))] == [["12 09:00:00"]]
    assert [len(one.requested) for one in waits(table(LATEST).iloc[:0])] == [0]
    several = table(LATEST | {"earlier_waits": ONE})
    assert {len(one.requested) for one in waits(several.iloc[:0])} == {0}


@pytest.mark.parametrize(
    ("row", "number", "first"),
    [
        ({}, 0, None),
        (LATEST, 1, "12 09:00:00"),
        (LATEST | {"earlier_waits": ONE}, 2, "06 09:00:00"),
        # Nobody knows when the first of them ended.
        (LATEST | {"earlier_waits": TWO}, 3, "06 09:00:00"),
    ],
)
def test_waits_are_counted_by_their_requests(row: Row, number: int, first: str | None) -> None:
    rows = table({}, row, LATEST)
    assert number_of_waits(rows).tolist() == [0, number, 1]
    assert told(utc(first_request(rows))) == [None, first, "12 09:00:00"]


@pytest.mark.parametrize(
    ("row", "moves"),
    [
        ({}, 0),
        ({"supplement_count": -1}, 0),
        (LATEST, 1),
        (LATEST | {"supplement_count": 3}, 3),
        (LATEST | {"supplement_count": 0, "earlier_waits": TWO}, 3),
        ({"obligation_requested_at": "2026-10-06 09:00"}, 1),
        (LATEST | {"supplement_count": 2, "obligation_requested_at": "2026-10-06 09:00"}, 3),
    ],
)
def test_as_many_moves_of_the_promise_are_excused_as_there_were_waits(row: Row, moves: int) -> None:
    assert excused_moves(table(row)).tolist() == [moves]
