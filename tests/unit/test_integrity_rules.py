"""Signs to be checked, as tables. What each sign may point to: NĐ 61/2018/NĐ-CP Điều 5, NĐ 118/2025/NĐ-CP Điều 5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.examples import check_example
from rules.judge import answers, judge
from rules.model import Rule
from rules.registry import KINDS
from tests.unit.pack_facts import Span, answer, at, calendar, changed, evidence, facts, pack, span, spans
from tthc_monitor.domain.facts import DERIVED_FACTS, INSTANT_FACTS

RULES = pack("integrity")
DUE = "2026-10-16 16:00"
USUAL = {"received_at": "2026-10-05 08:00", "due_current": DUE}
DOSSIER_RULES = [
    rule
    for name in ("petitions", "interagency", "integrity")
    for rule in pack(name).values()
    if KINDS[rule.kind].groups is None
]

MOVED = {
    **USUAL,
    "due_previous": DUE,
    "due_current": "2026-10-23 16:00",
    "due_unmoved_at": "2026-10-16 16:05",
    "due_moved_at": "2026-10-17 08:00",
    "due_moves": 1,
}


WAITED_TWICE = {
    "earlier_waits": f"[[{at('2026-10-16 14:30').timestamp()}, {at('2026-10-19 08:00').timestamp()}]]",
    "supplement_requested_at": "2026-10-26 08:00",
    "supplement_completed_at": "2026-10-27 08:00",
    "supplement_count": 2,
}


@pytest.mark.parametrize(
    ("row", "flagged"),
    [
        ({}, True),
        ({"due_unmoved_at": DUE}, False),
        ({"due_unmoved_at": "2026-10-16 16:00:00.000001"}, True),
        # Removed is moved out of sight; moved to an earlier day helps nobody.
        ({"due_current": None}, True),
        ({"due_current": "2026-10-15 16:00"}, False),
        ({"due_current": DUE}, False),
        # Cleared with the end, as some systems do with all that has ended; and cleared while it was open still.
        (
            {"due_current": None, "status": 9, "ended_at": MOVED["due_moved_at"], "end_seen_at": MOVED["due_moved_at"]},
            False,
        ),
        ({"due_current": None, "status": 9, "ended_at": "2026-10-20", "end_seen_at": "2026-10-20"}, True),
        ({"status": 9, "ended_at": DUE}, False),
        ({"status": 9, "ended_at": "2026-10-16 16:00:01"}, True),
        ({"status": 9, "end_seen_at": "2026-10-18"}, False),
        ({"status": 9, "end_seen_at": "2026-10-18", "open_seen_at": "2026-10-16 16:05"}, True),
        ({"received_at": None}, False),
        # NĐ 61/2018 Điều 19 khoản 4: the applicant was waited for when the promise passed.
        ({"supplement_requested_at": "2026-10-14 09:00"}, False),
        ({"supplement_requested_at": "2026-10-14 09:00", "supplement_completed_at": "2026-10-19 09:00"}, False),
        # Answered in time: the promise stood.
        ({"supplement_requested_at": "2026-10-12 09:00", "supplement_completed_at": "2026-10-14 09:00"}, True),
        # Answered after it: the limit runs anew, however long the new promise was waited for.
        (
            {
                "supplement_requested_at": "2026-10-16 15:00",
                "supplement_completed_at": "2026-10-20 16:00",
                "due_unmoved_at": "2026-10-26 17:00",
                "due_moved_at": "2026-10-27 08:00",
            },
            False,
        ),
        # Not waiting after the promise, as we saw, and waiting at the next look.
        ({"supplement_requested_after": "2026-10-16 16:01", "supplement_requested_at": "2026-10-17"}, True),
        ({"supplement_requested_after": "2026-10-16 15:59", "supplement_requested_at": "2026-10-17"}, False),
        # NĐ 151/2025: the time to pay does not count; paid by then, the promise stood.
        ({"obligation_requested_at": "2026-10-14 09:00"}, False),
        ({"obligation_requested_at": "2026-10-14", "obligation_completed_at": "2026-10-16 16:00:01"}, False),
        ({"obligation_requested_at": "2026-10-14", "obligation_completed_at": DUE}, True),
        ({"obligation_requested_at": DUE}, True),
        # Moved by an earlier wait from Friday 16:00 to Monday 09:30; of the later one nobody was awaited by then.
        ({**WAITED_TWICE, "due_unmoved_at": "2026-10-19 09:30", "due_moved_at": "2026-10-20 09:00"}, False),
        ({**WAITED_TWICE, "due_unmoved_at": "2026-10-19 09:30:01", "due_moved_at": "2026-10-20 09:00"}, True),
        ({"status": 6}, False),
        ({"supplement_requested_at": "2026-10-14", "answer_unknown": 1}, False),
    ],
)
def test_a_promise_moved_after_it_had_passed(row: dict[str, Any], flagged: bool) -> None:
    found = span(RULES["due_moved_after_due"], **{**MOVED, **row})
    assert found == (({**MOVED, **row}["due_moved_at"], None) if flagged else None)


CLOSED = {"status": 9, "open_seen_at": "2026-10-16 15:15", "end_seen_at": "2026-10-17 06:00"}


@pytest.mark.parametrize(
    ("tolerance", "ended_at", "flagged"),
    [
        (15, "2026-10-16 15:00", False),
        (15, "2026-10-16 14:59:59.999999", True),
        (0, "2026-10-16 15:15", False),
        (0, "2026-10-16 15:14:59", True),
        (15, "2026-10-16 00:00", False),  # a day without a time: any instant of it
        (15, "2026-10-16 00:00:01", True),
        (15, "2026-10-15 00:00", True),
        (15, None, False),
    ],
)
def test_an_end_claimed_before_we_saw_it_open(tolerance: int, ended_at: str | None, flagged: bool) -> None:
    rule = changed(RULES["finish_backdated"], tolerance_minutes=tolerance)
    assert span(rule, **CLOSED, ended_at=ended_at) == (("2026-10-17 06:00", None) if flagged else None)
    # What the applicant withdrew, or had stopped, ends at the date of the request.
    for status in (7, 8):
        assert answer(rule, **{**CLOSED, "status": status}, ended_at=ended_at) == "not_applicable"


@pytest.mark.parametrize(
    ("open_seen_at", "flagged"), [("2026-10-17 00:14:59.999999", False), ("2026-10-17 00:15", True)]
)
def test_an_end_claimed_as_a_day_may_be_its_last_instant(open_seen_at: str, flagged: bool) -> None:
    row = {**CLOSED, "open_seen_at": open_seen_at, "ended_at": "2026-10-16 00:00"}
    assert (span(RULES["finish_backdated"], **row) is not None) == flagged


@pytest.mark.parametrize(
    ("number_day", "received_at", "days"),
    [
        ("2026-10-05", "2026-10-05 00:00", None),
        ("2026-10-05", "2026-10-05 23:59:59.999999", None),
        ("2026-10-05", "2026-10-06 00:00", 1),
        ("2026-10-05", "2026-10-04 23:59:59", -1),
        ("2026-10-05", "2026-11-05 06:00", 31),
        (None, "2026-10-06 00:00", None),
        ("2026-10-05", None, None),
    ],
)
def test_the_day_in_the_number(number_day: str | None, received_at: str | None, days: int | None) -> None:
    row = {"number_day": number_day, "received_at": received_at}
    later, differs = RULES["reception_later_than_number"], RULES["number_date_differs"]
    assert (span(later, **row) is not None) == (days is not None and days > 0)
    assert (span(differs, **row) is not None) == (days is not None and days < 0)
    if days is not None:
        rule = later if days > 0 else differs
        found = evidence(rule, **row)
        assert (found["number_date"], found["days"], found["starts_at"]) == (number_day, days, received_at)
        assert found["direction"] == ("received_later" if days > 0 else "received_earlier")
        assert span(changed(rule, tolerance_days=abs(days)), **row) is None
        assert span(changed(rule, tolerance_days=abs(days) - 1), **row) is not None


@pytest.mark.parametrize(
    ("code", "received_on"),
    [
        ("reception_later_than_number", ("2026-10-07", "2026-10-06", "2026-10-05", "2026-10-03")),
        ("number_date_differs", ("2026-10-03", "2026-10-04", "2026-10-05", "2026-10-07")),
    ],
)
def test_of_several_numbers_those_beyond_the_tolerance_are_told_with_their_days(
    code: str, received_on: tuple[str, ...]
) -> None:
    frame = facts(*({"number_day": "2026-10-05", "received_at": f"{day} 09:00"} for day in received_on))
    found = judge(frame, calendar(), changed(RULES[code], tolerance_days=1))
    assert (found["dossier_id"].tolist(), found["days"].abs().tolist()) == ([1], [2])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # Numbered as it came, Monday 16:00; 8 working hours (NQ 66.7/2025) are over on Tuesday at 16:30.
        ({"submitted_at": "2026-10-05 16:00", "received_at": "2026-10-06 16:30"}, "clear"),
        ({"submitted_at": "2026-10-05 16:00", "received_at": "2026-10-06 16:30:01"}, "flagged"),
        ({"submitted_at": "2026-10-04 23:00", "received_at": "2026-10-06 08:00"}, "flagged"),
        # A date without a time counts from the end of that day.
        ({"submitted_at": "2026-10-05", "received_at": "2026-10-07 08:00"}, "clear"),
        ({"supplement_requested_at": "2026-10-05 09:00", "received_at": "2026-10-08 08:00"}, "not_applicable"),
        ({"supplement_requested_at": "2026-10-09 09:00", "received_at": "2026-10-08 08:00"}, "flagged"),
    ],
)
def test_a_number_may_be_given_at_the_filing(row: dict[str, Any], expected: str) -> None:
    assert answer(RULES["reception_later_than_number"], number_day="2026-10-05", **row) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, "flagged"),
        ({"submitted_at": "2026-10-08 09:00"}, "clear"),
        ({"submitted_at": "2026-10-05 07:00"}, "flagged"),
        ({"supplement_requested_at": "2026-10-06"}, "not_applicable"),
        ({"supplement_count": 1}, "not_applicable"),
        ({"supplement_count": 0}, "flagged"),
    ],
)
def test_a_number_of_a_day_after_the_reception(row: dict[str, Any], expected: str) -> None:
    usual = {"number_day": "2026-10-08", "received_at": "2026-10-05 08:00"}
    assert answer(RULES["number_date_differs"], **usual, **row) == expected


@pytest.mark.parametrize(
    ("row", "flagged"),
    [
        ({"received_at": "2026-10-05 08:15"}, False),
        ({"received_at": "2026-10-05 08:15:00.000001"}, True),
        ({"received_at": "2026-10-05 00:00"}, False),
        ({"received_at": "2026-10-09 08:00", "supplement_requested_at": "2026-10-06"}, False),
        ({"received_at": "2026-10-09 08:00", "supplement_requested_at": "2026-10-12"}, True),
        ({"received_at": "2026-10-09 08:00", "supplement_requested_at": "2026-10-12", "supplement_count": 2}, False),
        ({"received_at": "2026-10-09 08:00", "underway_seen_at": None}, False),
        # NĐ 118/2025 Điều 18 khoản 2: seen after 15:00, until the first working hour of the next working day.
        ({"underway_seen_at": "2026-10-05 15:00", "received_at": "2026-10-06 08:30"}, False),
        ({"underway_seen_at": "2026-10-05 15:00", "received_at": "2026-10-06 08:30:01"}, True),
        ({"underway_seen_at": "2026-10-05 14:59:59", "received_at": "2026-10-06 08:00"}, True),
        ({"underway_seen_at": "2026-10-09 16:00", "received_at": "2026-10-12 08:30"}, False),
        ({"underway_seen_at": "2026-10-10 09:00", "received_at": "2026-10-12 08:30"}, False),
        ({"underway_seen_at": "2026-10-10 09:00", "received_at": "2026-10-12 08:31"}, True),
        # Waiting for a payment before the reception is not under way.
        ({"received_at": "2026-10-09 08:00", "obligation_requested_at": "2026-10-05 07:00"}, False),
        ({"received_at": "2026-10-09 08:00", "obligation_requested_at": "2026-10-09 08:00"}, False),
        ({"received_at": "2026-10-09 08:00", "obligation_requested_at": "2026-10-12 07:00"}, True),
        ({"received_at": "2026-10-09 08:00", "status": 6}, False),
    ],
)
def test_a_reception_after_we_saw_work_on_it(row: dict[str, Any], flagged: bool) -> None:
    row = {"underway_seen_at": "2026-10-05 08:00", **row}
    assert (span(RULES["reception_after_first_sight"], **row) is not None) == flagged


@pytest.mark.parametrize(("seen", "flagged"), [("2026-10-05 14:29:59", True), ("2026-10-05 14:30", False)])
def test_the_cutoff_of_what_we_saw_has_minutes(seen: str, flagged: bool) -> None:
    rule = changed(RULES["reception_after_first_sight"], cutoff="14:30")
    assert (span(rule, underway_seen_at=seen, received_at="2026-10-06 08:00") is not None) == flagged


QUICK = {
    **USUAL,
    "due_original": "2026-10-12 08:00",
    "status": 9,
    "ended_at": "2026-10-09 17:00",
    "steps_done": 3,
    "first_step_at": "2026-10-09 16:50",
    "last_step_at": "2026-10-09 16:55",
}


@pytest.mark.parametrize(
    ("row", "flagged"),
    [
        ({}, True),
        ({"last_step_at": "2026-10-09 16:55:00.000001"}, False),
        ({"first_step_at": "2026-10-09 16:55"}, True),
        ({"steps_done": 2}, False),
        ({"steps_done": -1}, False),
        # Seven working hours without a step: 07:30 to 11:30, and 13:30 to 16:30.
        ({"received_at": "2026-10-09 07:30"}, True),
        (
            {
                "received_at": "2026-10-09 07:30",
                "first_step_at": "2026-10-09 16:30",
                "last_step_at": "2026-10-09 16:31",
            },
            True,
        ),
        (
            {
                "received_at": "2026-10-09 07:30",
                "first_step_at": "2026-10-09 16:29:59",
                "last_step_at": "2026-10-09 16:31",
            },
            False,
        ),
        # The promise of the day of reception, or of the weekend after it.
        ({"received_at": "2026-10-08 08:00", "due_original": "2026-10-08 17:00"}, False),
        ({"received_at": "2026-10-09 07:30", "due_original": "2026-10-10 17:00"}, False),
        ({"due_original": None}, True),
        ({"status": 4, "ended_at": None}, False),
        ({"status": 9, "ended_at": None, "end_seen_at": "2026-10-10"}, True),
        ({"first_step_at": "2026-10-09 16:56"}, False),
        # The applicant's time is not idle: seven working hours without it are 08:00 to 17:00 on the first day.
        ({"supplement_requested_at": "2026-10-05 17:00", "supplement_completed_at": "2026-10-09 16:50"}, True),
        ({"supplement_requested_at": "2026-10-05 16:59:59", "supplement_completed_at": "2026-10-09 16:50"}, False),
        ({"supplement_requested_at": "2026-10-05 09:00"}, False),
        (
            {"supplement_requested_after": "2026-10-05 09:00", "supplement_requested_at": "2026-10-09 16:00"},
            False,
        ),
        ({"supplement_requested_at": "2026-10-09 16:00", "request_unknown": 1}, False),
        ({"obligation_requested_at": "2026-10-05 09:00", "obligation_completed_at": "2026-10-09 16:50"}, False),
        # Ended because the applicant asked for it.
        ({"status": 7}, False),
        ({"status": 8, "stop_requested_at": "2026-10-09 16:00"}, False),
        ({"status": 8, "provides": 0}, False),
        ({"status": 8}, True),
    ],
)
def test_all_steps_in_minutes_after_a_long_silence(row: dict[str, Any], flagged: bool) -> None:
    row = {**QUICK, **row}
    assert span(RULES["steps_within_minutes"], **row) == ((row["last_step_at"], None) if flagged else None)


def test_the_applicants_time_is_taken_from_those_who_were_waited_for_only() -> None:
    waited = {"supplement_requested_at": "2026-10-05 09:00", "supplement_completed_at": "2026-10-09 16:50"}
    found = spans(RULES["steps_within_minutes"], facts(QUICK, {**QUICK, **waited}, QUICK))
    assert [one is not None for one in found] == [True, False, True]


LAWFUL = {**USUAL, "due_original": "2026-10-17 00:00", "due_lawful": DUE}


@pytest.mark.parametrize(
    ("row", "flagged"),
    [
        ({}, True),
        ({"due_original": "2026-10-16 23:59:59.999999"}, False),
        ({"due_original": "2026-10-10"}, False),
        ({"due_original": None}, False),
        ({"due_watched": 0}, False),
        ({"due_lawful": None}, False),
        ({"supplement_requested_at": "2026-10-06"}, False),
        ({"supplement_count": 1}, False),
        ({"supplement_count": 0}, True),
        ({"earlier_waits": "[[1, 2]]"}, False),
        ({"obligation_requested_at": "2026-10-06"}, False),
    ],
)
def test_a_promise_beyond_the_law(row: dict[str, Any], flagged: bool) -> None:
    rule = RULES["promise_over_limit"]
    assert span(rule, **{**LAWFUL, **row}) == (("2026-10-05 08:00", None) if flagged else None)
    if flagged:
        found = evidence(rule, **{**LAWFUL, **row})
        assert (found["due_at"], found["due_lawful"], found["days_beyond"]) == ("2026-10-17 00:00", DUE, 1)


@pytest.mark.parametrize(
    ("says", "row", "expected"),
    [
        (1, {"status": 9, "ended_at": DUE}, None),
        (2, {"status": 9, "ended_at": DUE}, (DUE, None)),
        (1, {"status": 9, "ended_at": "2026-10-16 16:00:01"}, ("2026-10-16 16:00:01", None)),
        (2, {"status": 9, "ended_at": "2026-10-16 16:00:01"}, None),
        (1, {}, (DUE, None)),
        (2, {}, ("2026-10-05 08:00", DUE)),
        (2, {"underway_seen_at": "2026-10-06 09:00"}, ("2026-10-06 09:00", DUE)),
        (0, {"status": 9, "ended_at": DUE}, None),
        (1, {"status": 0}, None),
        (1, {"status": 9, "end_seen_at": "2026-10-20"}, None),
        (1, {"received_at": None}, None),
        (2, {"status": 9, "ended_at": "2026-10-20", "supplement_requested_at": "2026-10-15"}, None),
        (
            1,
            {"status": 9, "ended_at": "2026-10-20", "supplement_requested_at": "2026-10-15", "answer_unknown": 1},
            None,
        ),
    ],
)
def test_a_source_that_judges_otherwise(says: int, row: dict[str, Any], expected: Span) -> None:
    rule = RULES["source_verdict_differs"]
    assert span(rule, **{**USUAL, "source_verdict": says, **row}) == expected
    if expected:
        found = evidence(rule, **{**USUAL, "source_verdict": says, **row})
        assert {found["source_says"], found["we_say"]} == {"late", "on_time"}
        assert found["source_says"] == ("on_time" if says == 1 else "late")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"status": 8, "ended_at": "2026-10-14 10:00"}, ("2026-10-14 10:00", None)),
        ({"status": 8, "end_seen_at": "2026-10-15 06:00"}, ("2026-10-15 06:00", None)),
        ({"status": 8, "ended_at": "2026-10-14 10:00", "stop_requested_at": "2026-10-13"}, None),
        ({"status": 8, "ended_at": "2026-10-14 10:00", "provides": 0}, None),
        ({"status": 7, "ended_at": "2026-10-14 10:00"}, None),
    ],
)
def test_a_dossier_stops_at_the_applicants_request(row: dict[str, Any], expected: Span) -> None:
    assert span(RULES["stopped_without_request"], **row) == expected


def test_abolished_procedures_may_be_left_out_of_stopping() -> None:
    rule = changed(RULES["stopped_without_request"], applies_to={"except_procedures": ["1.000001"]})
    row = {"status": 8, "ended_at": "2026-10-14 10:00"}
    assert span(rule, **row, procedure_code="1.000001") is None
    assert span(rule, **row, procedure_code="1.000002") is not None


@pytest.mark.parametrize(
    ("code", "row", "expected"),
    [
        ("due_moved_after_due", USUAL, "not_applicable"),
        ("due_moved_after_due", {**MOVED, "due_unmoved_at": DUE}, "clear"),
        ("due_moved_after_due", {**MOVED, "due_unmoved_at": None}, "cannot_tell"),
        ("due_moved_after_due", {**MOVED, "status": 9, "end_seen_at": "2026-10-18"}, "cannot_tell"),
        ("due_moved_after_due", {**MOVED, "status": 9, "end_seen_at": DUE}, "clear"),
        (
            "due_moved_after_due",
            {**MOVED, "status": 9, "end_seen_at": "2026-10-18", "open_seen_at": DUE},
            "cannot_tell",
        ),
        ("due_moved_after_due", {**MOVED, "received_at": None}, "cannot_tell"),
        ("due_moved_after_due", {**MOVED, "supplement_requested_at": "2026-10-14", "answer_unknown": 1}, "cannot_tell"),
        ("due_moved_after_due", {**MOVED, "obligation_requested_at": "2026-10-14"}, "cannot_tell"),
        ("due_moved_after_due", {**MOVED, "obligation_requested_at": "2026-10-14", "due_unmoved_at": DUE}, "clear"),
        ("promise_over_limit", {**LAWFUL, "due_watched": 0}, "cannot_tell"),
        ("finish_backdated", {**CLOSED, "ended_at": None}, "cannot_tell"),
        ("reception_after_first_sight", {"underway_seen_at": "2026-10-05"}, "cannot_tell"),
        ("steps_within_minutes", {**QUICK, "steps_done": 2, "first_step_at": None}, "clear"),
        ("steps_within_minutes", {**QUICK, "steps_done": 0, "first_step_at": None, "last_step_at": None}, "clear"),
        ("steps_within_minutes", {**QUICK, "steps_done": -1}, "cannot_tell"),
        ("steps_within_minutes", {**QUICK, "first_step_at": None}, "cannot_tell"),
        ("steps_within_minutes", {**QUICK, "received_at": None}, "cannot_tell"),
        ("steps_within_minutes", {**QUICK, "due_original": None, "due_current": None}, "cannot_tell"),
        ("steps_within_minutes", {**QUICK, "status": 4, "ended_at": None}, "not_applicable"),
        ("source_verdict_differs", {**USUAL, "source_verdict": 1, "status": 0}, "cannot_tell"),
        ("source_verdict_differs", {**USUAL, "source_verdict": 0}, "not_applicable"),
        ("stopped_without_request", {"status": 8}, "cannot_tell"),
        ("vanished", {}, "clear"),
    ],
)
def test_four_answers(code: str, row: dict[str, Any], expected: str) -> None:
    assert answer(RULES[code], **row) == expected


def test_signs_are_worded_as_signs() -> None:
    for rule in RULES.values():
        assert rule.severity in ("info", "warning")
        assert "Dấu hiệu cần kiểm tra" in rule.legal_basis
        told = f"{rule.title} {rule.legal_basis} {' '.join(example.story for example in rule.examples)}".lower()
        assert not [word for word in ("vi phạm", "gian lận", "cố ý", "gian dối") if word in told]


@pytest.mark.parametrize(
    "rule", [one for name in ("petitions", "interagency", "integrity") for one in pack(name).values()]
)
def test_examples_say_what_the_rules_find(rule: Rule) -> None:
    wrong = [(example.story, told) for example in rule.examples if (told := check_example(rule, example, calendar()))]
    assert not wrong
    given_answers = {example.answer for example in rule.examples}
    assert {"flagged", "clear"} <= given_answers


INSTANT = st.integers(0, 40 * 24 * 4).map(lambda quarter: at("2026-10-01") + quarter * pd.Timedelta(minutes=15))
TEXTS = {
    "unit_code": ("A", "A.1", "B", None),
    "step_unit_code": ("A", "A.1", "B", None),
    "consulted_unit_code": ("B", "C", None),
    "earlier_waits": (None, "[[1790000000, 1790100000]]"),
    "kind": ("dossier", "petition"),
}
NUMBERS = {
    "status": range(-1, 11),
    "supplement_count": range(-1, 3),
    "request_unknown": (0, 1),
    "answer_unknown": (0, 1),
    "steps_done": range(-1, 5),
    "source_verdict": range(3),
    "due_moves": range(2),
    "due_watched": (0, 1),
    "provides": (0, 2**40 - 1),
}
ROW = st.fixed_dictionaries(
    {name: st.sampled_from(values) for name, values in {**TEXTS, **NUMBERS}.items()},
    optional={name: INSTANT for name in [*sorted(INSTANT_FACTS), *DERIVED_FACTS] if name != "number_day"},
)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(ROW, max_size=25), data=st.data())
def test_a_row_is_judged_alike_in_any_batch_and_order(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = facts(*rows)
    order = data.draw(st.permutations(range(len(rows))))
    cut = data.draw(st.integers(0, len(rows)))
    parts = [frame.iloc[order[:cut]], frame.iloc[order[cut:]]]
    for rule in DOSSIER_RULES:
        whole = judge(frame, calendar(), rule).sort_values("dossier_id")
        pieces = [judge(part, calendar(), rule) for part in parts]
        for piece in pieces:
            same = whole[whole["dossier_id"].isin(piece["dossier_id"])].astype(object).reset_index(drop=True)
            got = piece.sort_values("dossier_id").astype(object).reset_index(drop=True)
            pd.testing.assert_frame_equal(got, same, check_dtype=False)
        assert sum(map(len, pieces)) == len(whole)
        told = answers(frame, calendar(), rule)
        assert (told == "flagged").sum() == len(whole)
        # What a rule flags it is about, and has the facts for.
        kind = KINDS[rule.kind]
        flagged = frame[frame["dossier_id"].isin(whole["dossier_id"])]
        assert kind.applies(flagged, rule).all(), rule.code
        assert kind.told(flagged, rule).all() or rule.code in PARTLY_TOLD, rule.code
        assert np.all(whole["ends_at"].isna() | (whole["starts_at"] < whole["ends_at"]))


PARTLY_TOLD = ("petition_handled_late", "petition_supplement_late")
"""Rules that may flag from what we saw where, without a calendar, it cannot be told that the facts suffice."""
