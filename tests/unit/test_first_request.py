"""When the applicant was first asked, by what is counted, dated and claimed of the requests."""

from __future__ import annotations

import pandas as pd
import pytest

from rules.kinds.requests import asked_before_reception, asked_by, awaited_at, earliest_first_request, first_told
from tests.unit.judged import CALENDAR, Row, facts, rule

REQUESTED, SEEN_WITHOUT = "2026-10-09 09:00", "2026-10-08 09:00"
FIRST = "2026-10-06 10:00"
EARLIER = {"earlier_waits": f"[[{int(pd.Timestamp(FIRST, tz=CALENDAR.zone).timestamp())}, 1791424800]]"}
CLAIMED: Row = {"supplement_requested_at": REQUESTED}
SEEN: Row = {"supplement_requested_at": REQUESTED, "supplement_requested_after": SEEN_WITHOUT}


def table(row: Row) -> pd.DataFrame:
    return facts(rule("acknowledged_late"), [row])


def instant(local: str) -> pd.Series:
    return pd.Series([pd.Timestamp(local, tz=CALENDAR.zone)])


@pytest.mark.parametrize(
    ("row", "told", "earliest"),
    [
        (CLAIMED, True, REQUESTED),
        (CLAIMED | {"supplement_count": 1}, True, REQUESTED),
        # Yêu cầu hai lần, chỉ biết lần sau.
        (CLAIMED | {"supplement_count": 2}, False, None),
        (CLAIMED | {"supplement_count": 2} | EARLIER, True, FIRST),
        # Không ai ghi: sau lần xem trước, chậm nhất là lúc thấy.
        (SEEN, False, SEEN_WITHOUT),
        (SEEN | {"supplement_count": 1}, False, SEEN_WITHOUT),
        (SEEN | {"supplement_count": 2} | EARLIER, False, None),
        (CLAIMED | {"request_unknown": 1}, False, None),
        ({}, False, None),
    ],
)
def test_the_first_request_is_what_counting_and_dating_leave_open(row: Row, told: bool, earliest: str | None) -> None:
    rows = table(row)
    assert first_told(rows).tolist() == [told]
    (found,) = earliest_first_request(rows)
    assert pd.isna(found) if earliest is None else found == pd.Timestamp(earliest, tz=CALENDAR.zone)


@pytest.mark.parametrize(
    ("row", "at", "asked"),
    [
        (CLAIMED, "2026-10-09 08:59:59", False),
        (CLAIMED, REQUESTED, True),
        (SEEN, "2026-10-08 08:59:59", False),
        (SEEN, SEEN_WITHOUT, True),
        (CLAIMED | {"request_unknown": 1}, "2026-10-01 08:00", True),
        ({}, REQUESTED, False),
    ],
)
def test_the_applicant_may_have_been_asked_from_when_nobody_saw_the_dossier_without_a_request(
    row: Row, at: str, asked: bool
) -> None:
    assert asked_by(table(row), instant(at)).tolist() == [asked]


@pytest.mark.parametrize(
    ("row", "at", "awaited"),
    [
        (CLAIMED, REQUESTED, False),
        (CLAIMED, "2026-10-09 09:00:01", True),
        (CLAIMED | {"supplement_completed_at": "2026-10-12 08:00"}, "2026-10-12 07:59:59", True),
        (CLAIMED | {"supplement_completed_at": "2026-10-12 08:00"}, "2026-10-12 08:00", False),
        (CLAIMED | {"request_unknown": 1}, "2026-10-01 08:00", True),
        ({}, REQUESTED, False),
    ],
)
def test_the_applicant_is_awaited_from_after_the_request_until_the_answer(row: Row, at: str, awaited: bool) -> None:
    assert awaited_at(table(row), instant(at)).tolist() == [awaited]


@pytest.mark.parametrize(
    ("row", "before"),
    [
        (CLAIMED | {"received_at": "2026-10-09 08:59:59"}, False),
        (CLAIMED | {"received_at": REQUESTED}, True),
        (CLAIMED | {"received_at": "2026-10-01 08:00", "supplement_count": 1}, False),
        (CLAIMED | {"received_at": "2026-10-01 08:00", "supplement_count": 2}, True),
        (CLAIMED | {"received_at": "2026-10-01 08:00"} | EARLIER, True),
        (CLAIMED, False),
        ({"received_at": REQUESTED}, False),
    ],
)
def test_a_request_before_the_reception_may_be_why_it_was_received_then(row: Row, before: bool) -> None:
    assert asked_before_reception(table(row)).tolist() == [before]
