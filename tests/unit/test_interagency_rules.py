"""Interagency dossiers (liên thông, lấy ý kiến) as tables: NĐ 61/2018/NĐ-CP Điều 19 khoản 5–7."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judge import judge
from tests.unit.pack_facts import Span, answer, at, calendar, changed, evidence, facts, pack, span
from tthc_monitor.domain.facts import provides_bits

RULES = pack("interagency")
STEP, CONSULTED, LEAD = (
    RULES[code] for code in ("step_at_fault", "consulted_late", "lead_late_because_consulted_late")
)
ANY = changed(LEAD, attribution="any")
DUE = "2026-10-16 16:00"  # a Friday
USUAL = {"received_at": "2026-10-05 08:00", "due_current": DUE}
HELD = {**USUAL, "unit_code": "H99.05", "step_unit_code": "H99.08", "step_due_at": "2026-10-14 16:00"}
ASKED = {
    **USUAL,
    "consulted_unit_code": "H99.09",
    "consulted_at": "2026-10-06 09:00",
    "consulted_due_at": "2026-10-09 17:00",
}
HOUR = 3600.0


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, (DUE, None)),
        ({"status": 9, "ended_at": DUE}, None),
        ({"status": 9, "ended_at": "2026-10-16 16:00:01"}, (DUE, None)),
        ({"step_due_at": "2026-10-19 10:00"}, ("2026-10-19 10:00", None)),
        # Ended late, but the last step in time by its own deadline.
        ({"step_due_at": "2026-10-20 10:00", "status": 9, "ended_at": "2026-10-20 10:00"}, None),
        (
            {"step_due_at": "2026-10-20 10:00", "status": 9, "ended_at": "2026-10-20 10:00:01"},
            ("2026-10-20 10:00", None),
        ),
        # The step was closed in time, the dossier was not.
        ({"last_step_at": "2026-10-14 16:00", "status": 9, "ended_at": "2026-10-20"}, None),
        ({"last_step_at": "2026-10-14 16:00:01", "status": 9, "ended_at": "2026-10-20"}, (DUE, None)),
        # The resolving unit itself, a part of it, and one whose code only begins alike.
        ({"step_unit_code": "H99.05"}, None),
        ({"step_unit_code": "H99.05.01"}, None),
        ({"step_unit_code": "H99.055"}, (DUE, None)),
        ({"step_unit_code": "H99"}, (DUE, None)),
        ({"unit_code": None}, None),
        ({"step_unit_code": None}, None),
        ({"step_due_at": None}, None),
        ({"due_current": None}, None),
        ({"received_at": None}, None),
        ({"received_at": "2026-10-19 08:00"}, ("2026-10-19 08:00", None)),
        ({"status": 0}, None),
        ({"status": 9, "end_seen_at": "2026-10-20"}, None),
        # Waiting for the applicant when the promise came.
        ({"supplement_requested_at": "2026-10-15 08:00"}, None),
    ],
)
def test_the_step_of_another_unit_is_at_fault(row: dict[str, Any], expected: Span) -> None:
    assert span(STEP, **{**HELD, **row}) == expected


def test_units_are_told_apart_among_others() -> None:
    frame = facts(
        *({**HELD, "unit_code": unit, "step_unit_code": step} for unit in "ABC" for step in (None, "B", "B.1", "D"))
    )
    found = judge(frame, calendar(), STEP)
    assert found["dossier_id"].tolist() == [2, 3, 4, 8, 10, 11, 12]
    assert found["unit"].tolist() == ["B", "B.1", "D", "D", "B", "B.1", "D"]


def test_a_step_names_its_unit_and_both_deadlines() -> None:
    found = evidence(STEP, **HELD)
    assert (found["unit"], found["step_due_at"], found["due_at"]) == ("H99.08", "2026-10-14 16:00", DUE)


@pytest.mark.parametrize(
    ("row", "late"),
    [
        ({}, True),
        ({"consulted_answered_at": "2026-10-09 17:00"}, False),
        ({"consulted_answered_at": "2026-10-09 17:00:00.000001"}, True),
        ({"status": 9, "ended_at": "2026-10-09 17:00"}, False),
        ({"status": 9, "ended_at": "2026-10-12 08:00"}, True),
        ({"status": 9, "ended_at": "2026-10-09 16:00", "consulted_answered_at": "2026-10-12 08:00"}, False),
        ({"status": 9, "end_seen_at": "2026-10-12 08:00"}, False),
        ({"status": 0}, False),
        ({"consulted_due_at": None}, False),
        ({"provides": 0}, False),
        ({"provides": 0, "consulted_answered_at": "2026-10-12 08:00"}, True),
        # The applicant was waited for when the deadline came.
        ({"supplement_requested_at": "2026-10-09 16:59"}, False),
        ({"supplement_requested_at": "2026-10-08", "supplement_completed_at": "2026-10-09 17:00"}, True),
        ({"supplement_requested_at": "2026-10-08", "supplement_completed_at": "2026-10-09 17:01"}, False),
        ({"supplement_requested_at": "2026-10-12"}, True),
        ({"supplement_requested_after": "2026-10-09", "supplement_requested_at": "2026-10-12"}, False),
        ({"supplement_requested_at": "2026-10-12", "request_unknown": 1}, False),
    ],
)
def test_a_consulted_unit_answers_by_the_deadline_in_the_request(row: dict[str, Any], late: bool) -> None:
    assert span(CONSULTED, **{**ASKED, **row}) == (("2026-10-09 17:00", None) if late else None)


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        ({}, None),
        ({"consulted_answered_at": "2026-10-13 17:00"}, 15 * HOUR),
        ({"status": 9, "ended_at": "2026-10-12 11:30"}, 4 * HOUR),
        ({"status": 9, "ended_at": "2026-10-12 11:30", "consulted_answered_at": "2026-10-13 17:00"}, 4 * HOUR),
        # Asked to supplement meanwhile: the applicant is waited for from then on.
        ({"supplement_requested_at": "2026-10-12 09:30", "consulted_answered_at": "2026-10-13 17:00"}, 2 * HOUR),
        ({"supplement_requested_at": "2026-10-09 17:00", "consulted_answered_at": "2026-10-13 17:00"}, 0),
        # Waited for before, and no longer when the deadline came.
        (
            {
                "supplement_requested_at": "2026-10-08",
                "supplement_completed_at": "2026-10-09 17:00",
                "consulted_answered_at": "2026-10-13 17:00",
            },
            15 * HOUR,
        ),
        # No calendar answers for the year 2095.
        ({"consulted_answered_at": "2095-10-13 17:00"}, None),
    ],
)
def test_the_consulted_unit_is_late_until_it_answers_or_the_dossier_ends(row: dict[str, Any], seconds: Any) -> None:
    found = evidence(CONSULTED, **{**ASKED, **row})
    assert (found["unit"], found["consulted_late_working_seconds"]) == ("H99.09", seconds)


ANSWERED = {"consulted_answered_at": "2026-10-13 17:00"}  # 15 working hours late


@pytest.mark.parametrize(
    ("row", "covered", "any_share"),
    [
        ({}, (DUE, None), (DUE, None)),
        # Open still: attributed for the 15 hours, after that the lead unit adds its own.
        (ANSWERED, (DUE, "2026-10-20 16:00"), (DUE, None)),
        ({**ANSWERED, "status": 9, "ended_at": "2026-10-20 16:00"}, (DUE, None), (DUE, None)),
        ({**ANSWERED, "status": 9, "ended_at": "2026-10-20 16:00:00.000001"}, (DUE, "2026-10-20 16:00"), (DUE, None)),
        ({**ANSWERED, "status": 9, "ended_at": DUE}, None, None),
        ({"consulted_answered_at": "2026-10-09 17:00"}, None, None),
        # Its deadline lay after the promise.
        ({"consulted_due_at": "2026-10-16 16:30"}, None, ("2026-10-16 16:30", None)),
        # After hours on the due day is the same working time.
        (
            {"consulted_due_at": "2026-10-16 19:00", "due_current": "2026-10-16 17:00"},
            ("2026-10-16 19:00", None),
            ("2026-10-16 19:00", None),
        ),
        # Late without a second of working time: answered in the evening of the due day.
        ({"consulted_answered_at": "2026-10-09 20:00"}, None, (DUE, None)),
        ({"provides": 0}, None, None),
        ({"due_current": None}, None, None),
        ({"status": 9, "end_seen_at": "2026-10-20"}, None, None),
        ({"supplement_requested_at": "2026-10-15 08:00"}, None, None),
    ],
)
def test_lateness_is_put_down_to_the_consulted_unit(row: dict[str, Any], covered: Span, any_share: Span) -> None:
    assert span(LEAD, **{**ASKED, **row}) == covered
    assert span(ANY, **{**ASKED, **row}) == any_share


def test_both_latenesses_are_in_the_evidence() -> None:
    found = evidence(LEAD, **ASKED, **ANSWERED, status=9, ended_at="2026-10-19 10:00")
    assert (found["consulted_late_working_seconds"], found["late_working_seconds"]) == (15 * HOUR, 3.5 * HOUR)
    assert (found["unit"], found["due_at"]) == ("H99.09", DUE)


@pytest.mark.parametrize(
    ("rule", "row", "expected"),
    [
        (STEP, {**HELD, "step_unit_code": None}, "not_applicable"),
        (STEP, {**HELD, "step_unit_code": None, "provides": 0}, "cannot_tell"),
        (STEP, {**HELD, "unit_code": None}, "cannot_tell"),
        (STEP, {**HELD, "step_unit_code": "H99.05"}, "not_applicable"),
        (STEP, {**HELD, "due_current": None}, "cannot_tell"),
        (STEP, {**HELD, "status": 9, "end_seen_at": "2026-10-20"}, "cannot_tell"),
        (STEP, {**HELD, "step_due_at": "2026-10-20", "status": 9, "ended_at": "2026-10-19"}, "clear"),
        (STEP, {**HELD, "kind": "petition"}, "not_applicable"),
        (CONSULTED, USUAL, "not_applicable"),
        (CONSULTED, {**USUAL, "provides": 0}, "cannot_tell"),
        (CONSULTED, {**ASKED, "status": 9, "end_seen_at": "2026-10-20"}, "cannot_tell"),
        (CONSULTED, {**ASKED, "status": 9, "end_seen_at": "2026-10-08"}, "clear"),
        (CONSULTED, {**ASKED, "supplement_requested_at": "2026-10-08"}, "cannot_tell"),
        (CONSULTED, {**ASKED, "consulted_answered_at": "2026-10-08", "status": 0}, "clear"),
        (CONSULTED, {**ASKED, "consulted_answered_at": "2026-10-09 17:00", "status": 0}, "clear"),
        (CONSULTED, {**USUAL, "consulted_at": "2026-10-06"}, "cannot_tell"),
        (CONSULTED, {**USUAL, "consulted_unit_code": "H99.09"}, "cannot_tell"),
        (CONSULTED, {**USUAL, "provides": provides_bits(["consulted_at"])}, "not_applicable"),
        (CONSULTED, {**USUAL, "provides": provides_bits(["consulted_unit_code"])}, "not_applicable"),
        (LEAD, USUAL, "not_applicable"),
        (LEAD, {**ASKED, **ANSWERED, "due_current": None}, "cannot_tell"),
        (LEAD, {**ASKED, **ANSWERED, "status": 9, "ended_at": DUE}, "clear"),
        (LEAD, {**ASKED, **ANSWERED}, "flagged"),
    ],
)
def test_four_answers(rule: Any, row: dict[str, Any], expected: str) -> None:
    assert answer(rule, **row) == expected


START = at("2026-10-05 08:00")
INSTANTS = pd.Series(pd.date_range(START, periods=600, freq="61min", unit="us"))
LATER = st.timedeltas(timedelta(0), timedelta(days=21))
ROW = st.tuples(LATER, LATER, st.none() | LATER, st.none() | LATER)
FAR = at("2030-01-01")
NAMES = ("due_current", "consulted_due_at", "consulted_answered_at", "ended_at")


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=25))
def test_attributed_is_what_is_no_more_than_the_consulted_unit_was_late(
    rows: list[tuple[timedelta | None, ...]],
) -> None:
    real = [[None if after is None else START + after for after in row] for row in rows]
    frame = facts(*(dict(zip(NAMES, row, strict=True)) for row in real), received_at=START)
    found = judge(frame, calendar(), LEAD).set_index("dossier_id")
    for number, (due, asked, answered, end) in enumerate(real, start=1):
        assert due is not None and asked is not None
        while_late = INSTANTS[(due < INSTANTS) & ((end or FAR) >= INSTANTS)]
        waited = while_late if answered is None else while_late.where(while_late < answered, answered)
        ours, theirs = (calendar().elapsed(since, until) for since, until in ((due, while_late), (asked, waited)))
        covered = pd.Series(False, index=while_late.index)
        if number in found.index:
            one = found.loc[number]
            covered = while_late.ge(one["starts_at"]) & (pd.isna(one["ends_at"]) | while_late.lt(one["ends_at"]))
        # In the instants in which one has caught up with the other either answer is right.
        sure = ours != theirs
        assert (covered == ((ours < theirs) & (waited > asked)))[sure].all(), (due, asked, answered, end)
