"""The returned pack as tables a lawyer can read."""

from __future__ import annotations

from typing import Any

import pytest

from rules.judge import judge
from rules.model import Rule
from tests.unit.judged import CALENDAR, NEVER, Row, Span, answered, check, facts, found, rule

RECEIVED = "2026-10-05 08:00"  # a Monday
DUE = "2026-10-19 17:00"  # the Monday two weeks later
FIRST_WAIT = "[[1791252000, 1791342000]]"  # 2026-10-06 09:00 to 2026-10-07 10:00
Table = list[tuple[Row, Span | str]]


def promised(**fields: Any) -> Row:
    return {"received_at": RECEIVED, "due_original": DUE, "due_current": DUE, **fields}


def asked(at: str, answered_at: str | None = None, **fields: Any) -> Row:
    return promised(status=5, supplement_requested_at=at, supplement_completed_at=answered_at, **fields)


# NĐ 61/2018/NĐ-CP Điều 19 khoản 4 và 8.
RETURNED: Table = [
    ({"status": 3, "ended_at": "2026-10-08 10:00"}, ("2026-10-08 10:00", NEVER)),
    ({"status": 8, "end_seen_at": "2026-10-08 10:00"}, ("2026-10-08 10:00", NEVER)),
    ({"status": 7, "ended_at": "2026-10-08 10:00"}, "clear"),
    ({"status": 1}, "clear"),
    ({"status": 0, "ended_at": "2026-10-08 10:00"}, "cannot_tell"),
    ({"status": -1, "ended_at": "2026-10-08 10:00"}, "cannot_tell"),
]

# NĐ 118/2025/NĐ-CP Điều 11: chỉ một lần.
AGAIN: Table = [
    (asked("2026-10-13 09:00", supplement_count=2), ("2026-10-13 09:00", NEVER)),
    (asked("2026-10-13 09:00", supplement_count=1), "clear"),
    (asked("2026-10-13 09:00", supplement_count=0), "clear"),
    (asked("2026-10-13 09:00"), "cannot_tell"),
    (promised(supplement_count=2), "cannot_tell"),
    (promised(supplement_count=1), "clear"),
    (promised(supplement_count=0), "clear"),
    # Hệ thống nguồn không đếm.
    (promised(), "cannot_tell"),
    (promised(status=0), "cannot_tell"),
    # Lần thứ hai là lần thừa, không phải lần sau cùng.
    (
        asked(
            "2026-10-21 09:00", supplement_count=3, earlier_waits="[[1791252000, 1791342000], [1791856800, 1791943200]]"
        ),
        ("2026-10-13 09:00", NEVER),
    ),
    (asked("2026-10-13 09:00", supplement_count=2, earlier_waits=FIRST_WAIT), ("2026-10-13 09:00", NEVER)),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 4: không quá 03 ngày làm việc kể từ ngày tiếp nhận; BLDS Điều 147, 148.
WINDOW: Table = [
    (asked("2026-10-08 23:59:59"), "clear"),
    (asked("2026-10-09 00:00"), ("2026-10-09 00:00", NEVER)),
    (asked(RECEIVED), "clear"),
    (asked("2026-10-05 07:59:59"), "not_applicable"),
    (asked("2026-10-20 09:00", request_unknown=1), "cannot_tell"),
    # Không ai ghi lúc yêu cầu: chỉ muộn khi sau hạn vẫn thấy chưa yêu cầu.
    (asked("2026-10-20 09:00", supplement_requested_after="2026-10-08 23:59:59"), "cannot_tell"),
    (asked("2026-10-20 09:00", supplement_requested_after="2026-10-09 00:00"), ("2026-10-20 09:00", NEVER)),
    (asked("2026-10-20 09:00", supplement_requested_after=None), "cannot_tell"),
    (asked("2026-10-08 08:00", supplement_requested_after="2026-10-06 08:00"), "clear"),
    (asked("2026-10-08 08:00", request_unknown=1), "cannot_tell"),
    (
        asked(
            "2026-10-14 09:00",
            earlier_waits="[[1791766800, 1791853200]]",
            supplement_requested_after="2026-10-14 08:00",
        ),
        "cannot_tell",
    ),
    (promised(), "not_applicable"),
    # Nhận thứ Năm 27/8: các ngày làm việc là 28/8, 03/9, 04/9.
    ({"received_at": "2026-08-27 08:00", "supplement_requested_at": "2026-09-04 23:59:59"}, "clear"),
    (
        {"received_at": "2026-08-27 08:00", "supplement_requested_at": "2026-09-05 00:00"},
        ("2026-09-05 00:00", NEVER),
    ),
    # Nhận thứ Năm 20/8: 21/8, thứ Bảy 22/8 làm bù, 24/8.
    ({"received_at": "2026-08-20 08:00", "supplement_requested_at": "2026-08-25 00:00"}, ("2026-08-25 00:00", NEVER)),
    # Không phụ thuộc địa giới: kể từ khi cơ quan có thẩm quyền nhận được.
    (asked("2026-10-12 23:59:59", competent_received_at="2026-10-07 08:00"), "clear"),
    # Yêu cầu lần sau thì kể từ khi người dân nộp đủ lần trước (07/10).
    (asked("2026-10-12 23:59:59", earlier_waits=FIRST_WAIT), "clear"),
    (asked("2026-10-13 00:00", earlier_waits=FIRST_WAIT), ("2026-10-13 00:00", NEVER)),
    # Lần đầu đã muộn, lần sau thì không.
    (
        asked("2026-10-14 09:00", earlier_waits="[[1791766800, 1791853200]]"),
        ("2026-10-12 08:00", NEVER),
    ),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 8: trong thời hạn của thủ tục.
REFUSED_LATE: Table = [
    (promised(status=3, ended_at=DUE), "clear"),
    (promised(status=3, ended_at="2026-10-19 17:00:01"), ("2026-10-19 17:00:01", NEVER)),
    (promised(status=8, ended_at="2026-10-19 17:00:01"), "not_applicable"),
    (promised(status=3, end_seen_at="2026-10-20 08:00"), "cannot_tell"),
    (promised(status=0, ended_at="2026-10-20 08:00"), "cannot_tell"),
    (promised(status=3, ended_at="2026-11-20 08:00", supplement_requested_at="2026-10-16 08:00"), "clear"),
    (promised(status=3, ended_at="2026-10-20 08:00", received_at=None), "not_applicable"),
    (promised(status=3, ended_at="2026-10-20 08:00", due_current=None), "cannot_tell"),
]

MOVED: Row = {
    "due_current": "2026-10-30 17:00",
    "due_previous": DUE,
    "due_moved_at": "2026-10-20 10:00",
}

# Trả lại, yêu cầu bổ sung vào ngày đến hạn hoặc ngày làm việc ngay trước đó.
NEAR_DUE: Table = [
    (promised(status=3, ended_at="2026-10-15 23:59:59"), "clear"),
    (promised(status=3, ended_at="2026-10-16 00:00"), ("2026-10-16 00:00", NEVER)),
    (promised(status=3, ended_at="2026-10-17 09:00"), ("2026-10-17 09:00", NEVER)),
    (promised(status=3, ended_at=DUE), ("2026-10-19 17:00", NEVER)),
    # Sau hạn là việc của quy tắc khác.
    (promised(status=3, ended_at="2026-10-19 17:00:01"), "clear"),
    (promised(status=9, ended_at="2026-10-16 09:00"), "not_applicable"),
    (promised(status=7, ended_at="2026-10-16 09:00"), "not_applicable"),
    (promised(status=8, ended_at="2026-10-16 09:00"), ("2026-10-16 09:00", NEVER)),
    (promised(status=8, ended_at="2026-10-16 09:00", stop_requested_at="2026-10-15 09:00"), "clear"),
    (promised(status=8, ended_at="2026-10-16 09:00", provides=[]), "cannot_tell"),
    (promised(status=0, ended_at="2026-10-16 09:00"), "cannot_tell"),
    (promised(status=3, end_seen_at="2026-10-20 09:00"), "cannot_tell"),
    # Thời hạn 4 ngày: hết ngày thứ ba vẫn là trong thời gian được trả lại, ngày thứ tư thì không.
    (promised(status=3, due_current="2026-10-09 17:00", ended_at="2026-10-08 23:59:59"), "clear"),
    (promised(status=3, due_current="2026-10-09 17:00", ended_at="2026-10-09 00:00"), ("2026-10-09 00:00", NEVER)),
    # Không phụ thuộc địa giới: cơ quan có thẩm quyền nhận ngày 14/10.
    (promised(status=3, competent_received_at="2026-10-14 08:00", ended_at="2026-10-19 09:00"), "clear"),
    # Người dân nộp bổ sung ngày 14/10, ba ngày làm việc sau đó vẫn được từ chối.
    (
        promised(
            status=3,
            supplement_requested_at="2026-10-06 09:00",
            supplement_completed_at="2026-10-14 09:00",
            ended_at="2026-10-19 09:00",
        ),
        "clear",
    ),
    # Người dân không bổ sung: đóng hồ sơ lúc nào cũng không phải né hạn.
    (promised(status=3, supplement_requested_at="2026-10-06 09:00", ended_at="2026-10-16 09:00"), "clear"),
    # Yêu cầu bổ sung sát hạn.
    (asked("2026-10-15 23:59:59"), "clear"),
    (asked("2026-10-16 00:00"), ("2026-10-16 00:00", NEVER)),
    (asked(DUE), ("2026-10-19 17:00", NEVER)),
    (asked("2026-10-19 17:00:01"), "clear"),
    (asked("2026-10-16 09:00", request_unknown=1), "cannot_tell"),
    (asked("2026-10-16 09:00", supplement_requested_after="2026-10-15 23:59:59"), "cannot_tell"),
    (asked("2026-10-16 09:00", supplement_requested_after="2026-10-16 00:00"), ("2026-10-16 09:00", NEVER)),
    (asked("2026-10-07 09:00", supplement_requested_after="2026-10-06 09:00"), "clear"),
    (asked("2026-10-08 08:00", supplement_requested_after="2026-10-06 09:00"), "clear"),
    (asked("2026-10-08 08:00:01", supplement_requested_after="2026-10-06 09:00"), "cannot_tell"),
    (asked("2026-10-07 09:00", request_unknown=1), "cannot_tell"),
    # Hệ thống dời ngày hẹn sau khi bổ sung xong: ngày hẹn lúc yêu cầu là ngày cũ.
    (
        asked(
            "2026-10-16 09:00",
            "2026-10-20 09:00",
            due_current="2026-10-30 17:00",
            due_previous=DUE,
            due_moves=1,
            due_unmoved_at="2026-10-19 07:00",
            due_moved_at="2026-10-20 10:00",
        ),
        ("2026-10-16 09:00", NEVER),
    ),
    # Lần cuối thấy ngày hẹn cũ là đúng lúc yêu cầu; trước đó thì không biết ngày hẹn dời trước hay sau khi yêu cầu.
    (
        asked("2026-10-16 09:00", "2026-10-20 09:00", **MOVED, due_moves=1, due_unmoved_at="2026-10-16 09:00"),
        ("2026-10-16 09:00", NEVER),
    ),
    (
        asked("2026-10-16 09:00", "2026-10-20 09:00", **MOVED, due_moves=1, due_unmoved_at="2026-10-16 08:59:59"),
        "cannot_tell",
    ),
    (
        asked("2026-10-16 09:00", "2026-10-20 09:00", **MOVED, due_moves=2, due_unmoved_at="2026-10-19 07:00"),
        "cannot_tell",
    ),
    (promised(status=1), "not_applicable"),
    ({**asked("2026-10-08 09:00"), "status": 1}, "clear"),
    # Ngày hẹn khác ngày đầu, không biết lúc yêu cầu là ngày nào.
    (asked("2026-10-16 09:00", "2026-10-20 09:00", due_current="2026-10-30 17:00"), "cannot_tell"),
    # Thấy hồ sơ từ đầu, ngày hẹn chưa từng dời.
    (asked("2026-10-16 09:00", due_original=None, first_seen_at="2026-10-05 09:00"), ("2026-10-16 09:00", NEVER)),
    (asked("2026-10-16 09:00", due_original=None, first_seen_at="2026-10-16 09:00"), ("2026-10-16 09:00", NEVER)),
    (asked("2026-10-16 09:00", due_original=None, first_seen_at="2026-10-16 09:00:01"), "cannot_tell"),
    # Ngày hẹn dời cùng lúc với yêu cầu: đã có khi yêu cầu.
    (
        asked("2026-10-29 09:00", due_current="2026-10-30 17:00", due_moves=2, due_moved_at="2026-10-29 09:00"),
        ("2026-10-29 09:00", NEVER),
    ),
    # Ngày hẹn đã dời trước khi yêu cầu.
    (
        asked(
            "2026-10-29 09:00",
            due_current="2026-10-30 17:00",
            due_previous=DUE,
            due_moves=2,
            due_moved_at="2026-10-20 10:00",
        ),
        ("2026-10-29 09:00", NEVER),
    ),
]

# NĐ 297/2025/NĐ-CP Điều 6: 15 ngày làm việc.
WAITING: Table = [
    (asked("2026-10-05 09:00"), ("2026-10-27 00:00", NEVER)),
    (asked("2026-10-05 09:00", "2026-10-26 23:59:59"), "clear"),
    (asked("2026-10-05 09:00", "2026-10-27 00:00:01"), ("2026-10-27 00:00", "2026-10-27 00:00:01")),
    (asked("2026-10-05 09:00", ended_at="2026-11-02 08:00"), ("2026-10-27 00:00", "2026-11-02 08:00")),
    (asked("2026-10-05 09:00", end_seen_at="2026-11-02 08:00"), "cannot_tell"),
    (asked("2026-10-05 09:00", answer_unknown=1), "cannot_tell"),
    (promised(status=0, supplement_requested_at="2026-10-05 09:00"), "cannot_tell"),
    (promised(), "not_applicable"),
    # Nghỉ Quốc khánh từ 31/8 đến 02/9 không tính.
    (asked("2026-08-24 09:00"), ("2026-09-18 00:00", NEVER)),
]


@pytest.mark.parametrize(
    ("of", "table"),
    [
        pytest.param(rule("returned", statuses=[3, 8]), RETURNED, id="returned"),
        pytest.param(rule("supplement_again"), AGAIN, id="supplement again"),
        pytest.param(rule("supplement_after_window"), WINDOW, id="supplement after window"),
        pytest.param(rule("refused_late"), REFUSED_LATE, id="refused late"),
        pytest.param(rule("returned_near_due"), NEAR_DUE, id="returned near due"),
        pytest.param(rule("waiting_long"), WAITING, id="waiting long"),
    ],
)
def test_a_kind_finds_what_its_table_says(of: Rule, table: Table) -> None:
    check(of, table)


def test_days_and_counts_are_settings() -> None:
    row = asked("2026-10-08 09:00", supplement_count=2)
    assert found(rule("supplement_after_window", working_days=2), row) == [("2026-10-08 09:00", NEVER)]
    (late,) = judge(facts(of := rule("supplement_after_window", working_days=2), [row]), CALENDAR, of).to_dict(
        "records"
    )
    assert f"{late['allowed_until'].tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M}" == "2026-10-08 00:00"
    assert found(rule("supplement_again", allowed=2), row) == [None]
    assert found(rule("waiting_long", working_days=1), row) == [("2026-10-10 00:00", NEVER)]
    refused = promised(status=3, ended_at="2026-10-15 09:00")
    assert found(rule("returned_near_due", working_days_before=2), refused) == [("2026-10-15 09:00", NEVER)]
    assert found(rule("returned_near_due", working_days_before=2, notice_working_days=8), refused) == [None]
    assert found(rule("returned_near_due", supplements=False), asked("2026-10-16 09:00")) == [None]
    refused_later = promised(status=3, supplement_requested_at="2026-10-16 09:00", ended_at="2026-10-30 09:00")
    assert found(rule("returned_near_due", supplements=False), refused_later) == [None]
    assert found(rule("returned_near_due"), refused_later) == [("2026-10-16 09:00", NEVER)]


def test_a_request_counts_once_at_least_and_lasts_to_the_answer_or_the_end() -> None:
    of = rule("supplement_requested")
    rows = [
        promised(),
        asked("2026-10-08 09:00", "2026-10-12 09:00"),
        asked("2026-10-08 09:00", supplement_count=3, end_seen_at="2026-10-20 09:00"),
        asked("2026-10-08 09:00"),
    ]
    ends = ["2026-10-12 09:00", "2026-10-20 09:00", NEVER]
    assert found(of, *rows) == [None, *(("2026-10-08 09:00", end) for end in ends)]
    assert judge(facts(of, rows), CALENDAR, of)["requests"].tolist() == [1, 3, 1]
    unmapped = [promised(status=0), promised(status=0, ended_at=DUE), asked("2026-10-08 09:00") | {"status": 0}]
    assert answered(of, *unmapped) == ["cannot_tell", "clear", "flagged"]


def test_evidence_says_what_was_done_near_which_promise() -> None:
    of = rule("returned_near_due")
    moved = asked(
        "2026-10-16 09:00",
        "2026-10-20 09:00",
        due_current="2026-10-30 17:00",
        due_previous=DUE,
        due_moves=1,
        due_unmoved_at="2026-10-19 07:00",
        due_moved_at="2026-10-20 10:00",
    )
    refused = promised(status=3, ended_at="2026-10-16 09:00", due_original=None)
    told = judge(facts(of, [moved, refused]), CALENDAR, of)
    assert told["what"].tolist() == ["supplement_requested", "returned"]
    days = [f"{at.tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M}" for at in told["due_at"]]
    assert days == [DUE, DUE]


def test_a_stop_of_an_abolished_procedure_is_not_questioned() -> None:
    # NQ 66.18/2026/NQ-CP Điều 6: dừng việc giải quyết, hoàn trả hồ sơ.
    of = rule("returned_near_due", abolished={"1.004222": "2026-10-16"})
    stopped = promised(status=8, ended_at="2026-10-16 00:00", procedure_code="1.004222")
    assert found(of, stopped) == [None]
    assert found(of, stopped, stopped | {"status": 3}) == [None, ("2026-10-16 00:00", NEVER)]
    assert found(of, stopped | {"procedure_code": "1.004223"}) == [("2026-10-16 00:00", NEVER)]
    later = rule("returned_near_due", abolished={"1.004222": "2026-10-17"})
    assert found(later, stopped) == [("2026-10-16 00:00", NEVER)]
    assert found(of, stopped | {"status": 3}) == [("2026-10-16 00:00", NEVER)], "refusing is something else"
