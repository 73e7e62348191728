"""Answered, handed on, step by step: the very instants at which the verdict turns, and what is told of them."""

from __future__ import annotations

from typing import Any

from tests.unit.judged import NEVER, Row, answered, check, rule

RECEIVED = "2026-10-05 08:00"  # a Monday
DUE = "2026-10-15 17:00"  # a Thursday, at closing
STEP_DUE = "2026-10-08 11:30"
ONLINE = {"channel": "online", "submitted_at": "2026-10-05 10:00"}
DESK = {"channel": "direct", "receiving_unit_code": "H99.01", "unit_code": "H99.05", "received_at": RECEIVED}
WAIT = {"supplement_requested_at": "2026-10-07 09:00", "supplement_completed_at": "2026-10-12 08:00"}


def promised(**fields: Any) -> Row:
    return {"received_at": RECEIVED, "due_original": DUE, "due_current": DUE, **fields}


def test_an_answer_seen_at_the_last_instant_is_in_time() -> None:
    late = {**ONLINE, "received_at": "2026-10-07 08:00"}
    check(
        rule("acknowledged_late"),
        [
            ({**late, "underway_seen_at": "2026-10-06 10:30"}, "clear"),
            ({**late, "underway_seen_at": "2026-10-06 10:30:01"}, ("2026-10-06 10:30", NEVER)),
            # Tiếp nhận đúng 8 giờ đồng hồ sau khi nộp thì chắc chắn trong hạn, dù còn điều chưa rõ.
            (
                {
                    **ONLINE,
                    "received_at": "2026-10-05 18:00",
                    "obligation_requested_at": "2026-10-07 17:00",
                    "provides": [],
                },
                "clear",
            ),
            (
                {
                    **ONLINE,
                    "received_at": "2026-10-05 18:00:01",
                    "obligation_requested_at": "2026-10-07 17:00",
                    "provides": [],
                },
                "cannot_tell",
            ),
            # Lúc tiếp nhận còn thấy chưa yêu cầu gì: yêu cầu sau đó không phải câu trả lời đầu tiên.
            (
                {
                    **ONLINE,
                    "received_at": "2026-10-06 10:30",
                    "supplement_requested_after": "2026-10-06 10:30",
                    "supplement_requested_at": "2026-10-07 08:00",
                },
                "clear",
            ),
        ],
    )


def test_the_resolution_holds_from_the_first_instant_of_its_day() -> None:
    of = rule("acknowledged_late", submitted_from="2025-11-15")
    row = {"channel": "online", "status": 1}
    # Thứ Bảy, chỉ có ngày nộp.
    check(of, [({**row, "submitted_at": "2025-11-15 00:00"}, ("2025-11-18 08:00", NEVER))])
    # Ngày của cơ quan đã bắt đầu ở đâu đó trên trái đất từ 17 giờ 00 hôm trước, giờ Việt Nam.
    rows = [
        {**row, "submitted_at": "2025-11-14 16:59:59"},
        {**row, "submitted_at": "2025-11-14 17:00"},
        row,
        {**row, "channel": "direct", "submitted_at": "2025-11-17 08:00"},
    ]
    assert answered(of, *rows) == ["not_applicable", "clear", "cannot_tell", "not_applicable"]


def test_what_excuses_a_transfer_does_so_up_to_the_deadline() -> None:
    late = {**DESK, "transferred_at": "2026-10-07 08:00"}
    after = ("2026-10-06 00:00", NEVER)
    check(
        rule("transferred_late"),
        [
            ({**late, "ended_at": "2026-10-06 00:00"}, "clear"),
            ({**late, "ended_at": "2026-10-06 00:00:01"}, after),
            ({**late, "vanished_seen_at": "2026-10-06 00:00"}, "clear"),
            ({**late, "vanished_seen_at": "2026-10-06 00:00:01"}, after),
            # Lúc chuyển còn thấy chưa yêu cầu gì.
            (
                {
                    **DESK,
                    "transferred_at": "2026-10-05 10:00",
                    "supplement_requested_after": "2026-10-05 10:00",
                    "supplement_requested_at": "2026-10-07 08:00",
                },
                "clear",
            ),
            (
                {
                    **DESK,
                    "transferred_at": "2026-10-05 10:00",
                    "supplement_requested_after": "2026-10-05 09:59:59",
                    "supplement_requested_at": "2026-10-07 08:00",
                },
                "cannot_tell",
            ),
        ],
    )


def test_the_cutoff_has_minutes() -> None:
    late = {**DESK, "transferred_at": "2026-10-07 08:00"}
    check(
        rule("transferred_late", cutoff="14:30"),
        [
            ({**late, "received_at": "2026-10-05 14:29:59"}, ("2026-10-06 00:00", NEVER)),
            ({**late, "received_at": "2026-10-05 14:30"}, ("2026-10-06 08:30", NEVER)),
        ],
    )


def test_a_payment_excuses_a_step_at_its_deadline_and_at_the_one_that_a_wait_moved() -> None:
    step = promised(step_due_at=STEP_DUE)
    check(
        rule("step_overdue"),
        [
            ({**step, **WAIT, "obligation_requested_at": "2026-10-12 09:00"}, "clear"),
            (
                {
                    **step,
                    **WAIT,
                    "obligation_requested_at": "2026-10-08 08:00",
                    "obligation_completed_at": "2026-10-12 09:00",
                },
                "cannot_tell",
            ),
            # Không rõ lúc bổ sung xong, nhưng hồ sơ kết thúc đúng hạn của bước.
            (
                {
                    **step,
                    "supplement_requested_at": "2026-10-07 09:00",
                    "answer_unknown": 1,
                    "status": 9,
                    "ended_at": STEP_DUE,
                },
                "clear",
            ),
        ],
    )


def test_of_an_ended_dossier_a_step_may_close_as_it_begins_and_not_before() -> None:
    ended = promised(step_due_at=STEP_DUE, step_started_at="2026-10-06 08:00", status=9, ended_at="2026-10-12 08:00")
    check(
        rule("step_overdue"),
        [
            ({**ended, "last_step_at": "2026-10-06 08:00"}, "clear"),
            ({**ended, "last_step_at": "2026-10-06 07:59:59"}, (STEP_DUE, "2026-10-12 08:00")),
        ],
    )


def test_a_request_or_a_payment_at_the_due_instant_itself_comes_too_late_to_excuse() -> None:
    lawful = "2026-10-12 17:00"
    check(
        rule("late_against", against="due_lawful"),
        [
            (promised(due_lawful=lawful, status=5, supplement_requested_at="2026-10-12 16:59:59"), "clear"),
            (promised(due_lawful=lawful, status=5, supplement_requested_at=lawful), (lawful, NEVER)),
        ],
    )
    moved = promised(due_current="2026-10-30 17:00")
    check(
        rule("late_against", against="due_original"),
        [
            ({**moved, "obligation_requested_at": "2026-10-15 16:59:59"}, "cannot_tell"),
            ({**moved, "obligation_requested_at": DUE}, (DUE, NEVER)),
            # Ngày hẹn không bị lùi: việc nộp tiền không giải thích điều gì.
            (promised(obligation_requested_at="2026-10-08 08:00"), (DUE, NEVER)),
        ],
    )


def test_a_result_dated_at_the_reception_proves_that_it_was_closed_late() -> None:
    check(
        rule("closed_late"),
        [
            (promised(result_at=RECEIVED), (DUE, NEVER)),
            (promised(result_at="2026-10-05 07:59:59"), "clear"),
        ],
    )
