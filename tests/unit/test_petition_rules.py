"""Petitions (phản ánh, kiến nghị) as tables: Bộ chỉ số 766 mục 5.2, NĐ 20/2008/NĐ-CP Điều 19, BLDS 2015 Điều 147–148."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pack_facts import ZONE, Span, answer, at, calendar, changed, evidence, facts, pack, span, spans

RULES = pack("petitions")
REFUSED, SUPPLEMENT = RULES["petition_refused_late"], RULES["petition_supplement_late"]
HANDLED, PUBLISHED = RULES["petition_handled_late"], RULES["petition_published_late"]
USUAL = {"kind": "petition", "submitted_at": "2026-10-05 09:00"}  # a Monday


def refused(sent: str, done: str) -> Span:
    return span(REFUSED, kind="petition", status=3, submitted_at=sent, ended_at=done)


@pytest.mark.parametrize(
    ("sent", "last_day"),
    [
        ("2026-10-05 00:00", "2026-10-07"),  # Monday to Wednesday
        ("2026-10-05 23:59:59", "2026-10-07"),
        ("2026-10-08 15:00", "2026-10-12"),  # Thursday: Friday and Monday
        ("2026-10-10 10:00", "2026-10-13"),  # Saturday: Monday and Tuesday
        ("2026-11-23 16:59", "2026-11-26"),  # 24/11 is Ngày Văn hóa Việt Nam
        ("2026-08-20 09:00", "2026-08-22"),  # Saturday 22/8 is worked for 31/8
        ("2026-08-28 09:00", "2026-09-04"),  # Quốc khánh 31/8 to 2/9
        ("2026-02-13 17:00", "2026-02-24"),  # Tết 16/2 to 20/2
        ("2025-12-31 08:00", "2026-01-06"),  # 2/1 off, Saturday 10/1 worked for it
    ],
)
def test_a_term_counts_whole_working_days_after_the_day_of_sending(sent: str, last_day: str) -> None:
    after = f"{date.fromisoformat(last_day) + timedelta(days=1)} 00:00"
    assert refused(sent, f"{last_day} 23:59:59.999999") is None
    assert refused(sent, after) == (after, None)


def test_a_refusal_is_late_from_itself_on() -> None:
    assert refused("2026-10-05 09:00", "2026-10-20 08:00") == ("2026-10-20 08:00", None)
    found = evidence(REFUSED, **USUAL, status=3, ended_at="2026-10-20 08:00")
    assert (found["due_at"], found["done_at"]) == ("2026-10-08 00:00", "2026-10-20 08:00")
    assert found["counted_from_at"] == "2026-10-05 09:00"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # First asked on the fifth working day, Monday 12/10.
        ({"supplement_requested_at": "2026-10-12 23:59:59"}, None),
        ({"supplement_requested_at": "2026-10-13 00:00"}, ("2026-10-13 00:00", None)),
        # Without a sending, from the reception.
        (
            {"submitted_at": None, "received_at": "2026-10-06 08:00", "supplement_requested_at": "2026-10-13 10:00"},
            None,
        ),
        # The unit that it was transferred to has its own days; one that asked before the transfer had the first ones.
        ({"transferred_at": "2026-10-07 08:00", "supplement_requested_at": "2026-10-14 10:00"}, None),
        (
            {"transferred_at": "2026-10-15 08:00", "supplement_requested_at": "2026-10-14 10:00"},
            ("2026-10-14 10:00", None),
        ),
        ({"transferred_at": "2026-10-14 10:00", "supplement_requested_at": "2026-10-14 10:00"}, None),
        # Of several requests the first counts.
        (
            {
                "supplement_requested_at": "2026-10-20 10:00",
                "supplement_count": 2,
                "earlier_waits": f"[[{at('2026-10-06 10:00').timestamp()}, {at('2026-10-08 10:00').timestamp()}]]",
            },
            None,
        ),
        (
            {
                "supplement_requested_at": "2026-10-20 10:00",
                "supplement_count": 2,
                "earlier_waits": f"[[{at('2026-10-14 10:00').timestamp()}, {at('2026-10-15 10:00').timestamp()}]]",
            },
            ("2026-10-14 10:00", None),
        ),
        # Nobody claims the request: late when the petition was not waiting after the days, as we saw.
        (
            {"supplement_requested_after": "2026-10-12 23:59:59", "supplement_requested_at": "2026-10-20 10:00"},
            None,
        ),
        (
            {"supplement_requested_after": "2026-10-13 00:00", "supplement_requested_at": "2026-10-20 10:00"},
            ("2026-10-20 10:00", None),
        ),
        ({"supplement_requested_at": "2026-10-20 10:00", "supplement_count": 1}, ("2026-10-20 10:00", None)),
        ({"supplement_requested_at": "2026-10-20 10:00", "supplement_count": 2}, None),
        ({"supplement_requested_at": "2026-10-20 10:00", "request_unknown": 1}, None),
    ],
)
def test_supplements_are_asked_for_within_five_working_days(row: dict[str, Any], expected: Span) -> None:
    assert span(SUPPLEMENT, **{**USUAL, **row}) == expected


LATE = ("2026-10-27 00:00", None)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, LATE),
        ({"status": 9, "ended_at": "2026-10-26 23:59:59.999999"}, None),
        ({"status": 9, "ended_at": "2026-10-27 00:00"}, LATE),
        ({"status": 9, "ended_at": "2027-01-05 10:00"}, LATE),
        # Withdrawn or refused in time: nothing is left to handle.
        ({"status": 7, "ended_at": "2026-10-26 10:00"}, None),
        # A status that nobody mapped may mean that it ended; so does an end that we only saw.
        ({"status": 0}, None),
        ({"status": 9, "end_seen_at": "2026-11-20 08:00"}, None),
        # But we saw it open still after the term.
        ({"status": 9, "end_seen_at": "2026-11-20 08:00", "open_seen_at": "2026-11-19 08:00"}, LATE),
        ({"status": 9, "end_seen_at": "2026-11-20 08:00", "open_seen_at": "2026-10-27 00:00:01"}, LATE),
        ({"status": 9, "end_seen_at": "2026-11-20 08:00", "open_seen_at": "2026-10-27 00:00"}, None),
        ({"submitted_at": None}, None),
        ({"submitted_at": None, "received_at": "2026-10-05 10:00"}, LATE),
        ({"transferred_at": "2026-10-12 14:00"}, ("2026-11-03 00:00", None)),
        ({"transferred_at": "2026-10-05 08:00"}, LATE),
        # Transferred after the term: the new unit has its own term.
        ({"transferred_at": "2026-11-02 08:00"}, ("2026-11-24 00:00", None)),
        # Asked to supplement in time, and answered: the term runs anew.
        (
            {"supplement_requested_at": "2026-10-08 09:00", "supplement_completed_at": "2026-10-15 09:00"},
            ("2026-11-06 00:00", None),
        ),
        ({"status": 5, "supplement_requested_at": "2026-10-26 23:59"}, None),
        # Asked when it was late already: late all the same.
        ({"status": 5, "supplement_requested_at": "2026-10-27 00:00"}, LATE),
        # The wait is not known well enough.
        ({"supplement_requested_at": "2026-10-08 09:00", "request_unknown": 1}, None),
        ({"supplement_requested_at": "2026-10-08 09:00", "answer_unknown": 1, "ended_at": "2026-12-01"}, None),
        # Transferred after the answer: the last of the two counts.
        (
            {
                "supplement_requested_at": "2026-10-06 09:00",
                "supplement_completed_at": "2026-10-07 09:00",
                "transferred_at": "2026-10-12 14:00",
            },
            ("2026-11-03 00:00", None),
        ),
    ],
)
def test_a_petition_is_handled_within_fifteen_working_days(row: dict[str, Any], expected: Span) -> None:
    assert span(HANDLED, **{**USUAL, **row}) == expected


def test_a_term_may_run_on_while_the_citizen_is_waited_for() -> None:
    running = changed(HANDLED, clock_while_waiting="running")
    waits = {"supplement_requested_at": "2026-10-08 09:00", "supplement_count": 2, "request_unknown": 1}
    assert span(running, **USUAL, **waits) == LATE
    assert answer(running, **USUAL, **waits, ended_at="2026-10-20 10:00") == "clear"


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        (REFUSED, {"status": 3, "ended_at": "2026-10-09 10:00"}),
        (SUPPLEMENT, {"supplement_requested_at": "2026-10-13 10:00"}),
        (HANDLED, {"status": 9, "ended_at": "2026-10-27 10:00"}),
    ],
)
def test_a_transfer_may_be_left_out_of_account(rule: Any, row: dict[str, Any]) -> None:
    moved = {**USUAL, **row, "transferred_at": "2026-10-07 10:00"}
    assert span(rule, **moved) is None
    assert span(changed(rule, counted_from="sending"), **moved) is not None
    assert answer(rule, **moved, provides=0) == "cannot_tell"
    assert answer(changed(rule, counted_from="sending"), **moved, provides=0) == "flagged"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"published_at": "2026-10-21 23:59:59"}, None),
        ({"published_at": "2026-10-22 00:00"}, ("2026-10-22 00:00", None)),
        ({"published_at": "2026-10-18 08:00"}, None),
        ({}, ("2026-10-22 00:00", None)),
        ({"status": 10}, ("2026-10-22 00:00", None)),
        ({"status": 8}, None),
        ({"status": -1}, None),
        ({"provides": 0}, None),
    ],
)
def test_an_answer_is_published_within_two_working_days(row: dict[str, Any], expected: Span) -> None:
    assert span(PUBLISHED, **{**USUAL, "status": 9, "ended_at": "2026-10-19 10:00", **row}) == expected


@pytest.mark.parametrize(
    ("rule", "row", "expected"),
    [
        (REFUSED, {"status": 3, "end_seen_at": "2026-10-07 08:00"}, "clear"),
        (REFUSED, {"status": 3, "end_seen_at": "2026-10-08 08:00"}, "cannot_tell"),
        (REFUSED, {"status": 4}, "not_applicable"),
        (REFUSED, {"status": 9, "ended_at": "2026-10-20"}, "not_applicable"),
        (HANDLED, {"provides": 0}, "cannot_tell"),
        (HANDLED, {"submitted_at": None}, "cannot_tell"),
        (REFUSED, {"status": 3, "ended_at": "2026-10-20", "submitted_at": None}, "cannot_tell"),
        (SUPPLEMENT, {}, "not_applicable"),
        (SUPPLEMENT, {"supplement_requested_at": "2026-10-06", "request_unknown": 1}, "cannot_tell"),
        (
            SUPPLEMENT,
            {"supplement_requested_after": "2026-10-12", "supplement_requested_at": "2026-10-20"},
            "cannot_tell",
        ),
        (
            SUPPLEMENT,
            {"supplement_requested_after": "2026-10-06", "supplement_requested_at": "2026-10-08"},
            "clear",
        ),
        # Seen by five days of the clock after the sending: in time whatever the calendar.
        (
            SUPPLEMENT,
            {"supplement_requested_after": "2026-10-06", "supplement_requested_at": "2026-10-10 09:00"},
            "clear",
        ),
        (
            SUPPLEMENT,
            {"supplement_requested_after": "2026-10-06", "supplement_requested_at": "2026-10-10 09:00:01"},
            "cannot_tell",
        ),
        (SUPPLEMENT, {"supplement_requested_at": "2026-10-06", "supplement_count": 2}, "cannot_tell"),
        # Nobody knows of transfers.
        (SUPPLEMENT, {"supplement_requested_at": "2026-10-20 10:00", "provides": 0}, "cannot_tell"),
        (HANDLED, {"status": 0}, "cannot_tell"),
        (HANDLED, {"status": 9, "end_seen_at": "2026-10-20 09:00"}, "clear"),
        (HANDLED, {"status": 9, "end_seen_at": "2026-10-20 09:00:01"}, "cannot_tell"),
        (HANDLED, {"status": 5, "supplement_requested_at": "2026-10-06", "supplement_count": 2}, "cannot_tell"),
        # Answered, and nobody knows when the wait began, or ended.
        (
            HANDLED,
            {"supplement_requested_at": "2026-10-08", "supplement_completed_at": "2026-10-12", "request_unknown": 1},
            "cannot_tell",
        ),
        (
            HANDLED,
            {"supplement_requested_at": "2026-10-08", "answer_unknown": 1, "status": 9, "ended_at": "2026-12-01"},
            "cannot_tell",
        ),
        (HANDLED, {"kind": "dossier"}, "not_applicable"),
        (PUBLISHED, {}, "not_applicable"),
        (PUBLISHED, {"status": 9, "end_seen_at": "2026-10-20"}, "cannot_tell"),
        (PUBLISHED, {"status": 0, "ended_at": "2026-10-20"}, "cannot_tell"),
        (PUBLISHED, {"status": 9, "ended_at": "2026-10-20", "provides": 0}, "cannot_tell"),
    ],
)
def test_four_answers(rule: Any, row: dict[str, Any], expected: str) -> None:
    assert answer(rule, **{**USUAL, **row}) == expected


def test_no_calendar_answers_for_the_year_2095() -> None:
    row = {"submitted_at": "2095-01-03 09:00", "status": 3, "ended_at": "2095-06-01 09:00"}
    assert spans(REFUSED, facts({**USUAL, **row}, {**USUAL, "status": 3, "ended_at": "2026-12-01 09:00"})) == [
        None,
        ("2026-12-01 09:00", None),
    ]


def walked(day: date, number: int) -> date:
    while number:
        day += timedelta(days=1)
        number -= calendar().is_workday(day)
    return day


SENT = st.datetimes(datetime(2025, 12, 1), datetime(2027, 3, 1), timezones=st.just(ZONE))
AFTER = st.timedeltas(timedelta(0), timedelta(days=40))


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.tuples(SENT, AFTER), min_size=1, max_size=20), within=st.integers(0, 20))
def test_the_term_is_what_one_who_walks_the_calendar_finds(rows: list[tuple[datetime, timedelta]], within: int) -> None:
    frame = facts(
        *({"submitted_at": sent, "ended_at": sent + after} for sent, after in rows), kind="petition", status=3
    )
    for (sent, after), found in zip(rows, spans(changed(REFUSED, within_working_days=within), frame), strict=True):
        end = datetime.combine(walked(sent.date(), within) + timedelta(days=1), time(), ZONE)
        assert (found is not None) == (sent + after >= end)
