"""The duties pack as tables a lawyer can read: apology, one new date at most, no new date without an apology."""

from __future__ import annotations

from typing import Any

import pytest

from rules.judge import judge
from rules.model import Rule
from tests.unit.judged import CALENDAR, NEVER, Row, Span, answered, check, facts, found, rule

RECEIVED = "2026-10-05 08:00"  # a Monday
DUE = "2026-10-15 17:00"  # a Thursday
NEW = "2026-10-22 17:00"
WAIT = {"supplement_requested_at": "2026-10-07 09:00", "supplement_completed_at": "2026-10-12 08:00"}
MOVED = {"due_current": NEW, "due_previous": DUE, "due_moves": 1, "due_moved_at": "2026-10-14 07:00"}
LATE_WAIT = {"supplement_requested_at": "2026-10-15 16:00", "supplement_completed_at": "2026-10-19 08:00"}
Table = list[tuple[Row, Span | str]]


def promised(**fields: Any) -> Row:
    return {"received_at": RECEIVED, "due_original": DUE, "due_current": DUE, **fields}


# NĐ 61/2018/NĐ-CP Điều 19 khoản 9: chậm nhất 01 ngày trước ngày hết hạn.
APOLOGY: Table = [
    (promised(), (DUE, NEVER)),
    (promised(apology_at="2026-10-14 23:59:59"), "clear"),
    (promised(apology_at="2026-10-15 00:00"), (DUE, NEVER)),
    (promised(apology_at="2026-10-20 09:00"), (DUE, NEVER)),
    (promised(status=9, ended_at=DUE), "clear"),
    (promised(status=9, ended_at="2026-10-15 17:00:01"), (DUE, NEVER)),
    (promised(status=9, ended_at="2026-10-15 17:00:01", apology_at="2026-10-14 09:00"), "clear"),
    (promised(status=9, end_seen_at="2026-10-16 08:00"), "cannot_tell"),
    # Hệ thống nguồn không ghi văn bản xin lỗi.
    (promised(provides=[]), "cannot_tell"),
    (promised(provides=[], status=9, ended_at=DUE), "clear"),
    (promised(received_at=None), "not_applicable"),
    (promised(due_current=None), "cannot_tell"),
    (promised(status=0), "cannot_tell"),
    # Đang chờ người dân; và hạn dời theo thời gian người dân bổ sung.
    (promised(status=5, supplement_requested_at="2026-10-07 09:00"), "clear"),
    (
        promised(
            supplement_requested_at="2026-10-15 16:00",
            supplement_completed_at="2026-10-19 08:00",
            apology_at="2026-10-18 10:00",
        ),
        "clear",
    ),
    # Hẹn lại rồi mới xin lỗi: nghĩa vụ trước ngày hẹn đầu đã bị bỏ lỡ.
    (promised(**MOVED, apology_at="2026-10-16 09:00"), (DUE, NEVER)),
    (promised(**MOVED, apology_at="2026-10-14 09:00"), "clear"),
    # Hệ thống tính lại ngày hẹn sau khi người dân bổ sung: chưa đến hạn thì không phải xin lỗi.
    (promised(**MOVED, **WAIT, status=9, ended_at="2026-10-21 08:00"), "clear"),
    (promised(**MOVED, **WAIT), (NEW, NEVER)),
    # Nhiều lần hẹn lại: chỉ biết văn bản sau cùng.
    (promised(**{**MOVED, "due_moves": 2}, apology_at="2026-10-21 09:00"), "cannot_tell"),
    (promised(**{**MOVED, "due_moves": 2}), (DUE, NEVER)),
    # Nghĩa vụ tài chính chưa xong khi đến hạn: có lĩnh vực không tính thời gian này (NĐ 151/2025/NĐ-CP).
    (promised(status=6, obligation_requested_at="2026-10-12 09:00"), "cannot_tell"),
    (promised(status=6), "cannot_tell"),
    (promised(obligation_requested_at="2026-10-12 09:00", obligation_completed_at="2026-10-16 09:00"), "cannot_tell"),
    (promised(obligation_requested_at="2026-10-12 09:00", obligation_completed_at=DUE), (DUE, NEVER)),
    (promised(status=6, obligation_requested_at=DUE), (DUE, NEVER)),
    # Đang nộp khi đến hạn đã dời theo thời gian bổ sung, hoặc chỉ khi đến ngày hẹn.
    (promised(**LATE_WAIT, obligation_requested_at="2026-10-16 09:00"), "clear"),
    (
        promised(**LATE_WAIT, obligation_requested_at="2026-10-12 09:00", obligation_completed_at="2026-10-16 09:00"),
        "cannot_tell",
    ),
    # Nguồn đếm số lần hẹn lại: một lần thì văn bản là của lần ấy.
    (promised(reappointment_count=1, apology_at="2026-10-14 09:00"), "clear"),
    (promised(reappointment_count=2, apology_at="2026-10-14 09:00"), "cannot_tell"),
    (promised(**MOVED, **WAIT, apology_at="2026-10-14 09:00"), "clear"),
    # Không chắc ngày hẹn đầu tiên.
    (promised(**MOVED, apology_at="2026-10-16 09:00", due_watched=0), "cannot_tell"),
    (promised(due_watched=0), (DUE, NEVER)),
    # Nhận và trả trong ngày, hoặc nhận khi ngày cuối để xin lỗi đã qua.
    (promised(received_at="2026-10-15 08:00", apology_at="2026-10-15 16:00"), "clear"),
    (promised(received_at="2026-10-15 08:00"), (DUE, NEVER)),
    (promised(received_at="2026-10-14 23:59:59", apology_at="2026-10-15 16:00"), (DUE, NEVER)),
    (promised(received_at="2026-10-15 00:00", apology_at="2026-10-15 16:00"), "clear"),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 9: hẹn lại không quá một lần.
TWICE = {**MOVED, "due_moves": 2, "due_moved_at": "2026-10-21 07:00"}
REAPPOINTED: Table = [
    (promised(**TWICE), ("2026-10-21 07:00", NEVER)),
    (promised(**MOVED), "clear"),
    (promised(), "clear"),
    (promised(**TWICE, **WAIT), "clear"),
    (promised(**{**TWICE, "due_moves": 3}, **WAIT), ("2026-10-21 07:00", NEVER)),
    (promised(**{**TWICE, "due_moves": 3}, **WAIT, earlier_waits="[[1791252000, 1791255600]]"), "clear"),
    (promised(**{**TWICE, "due_moves": 3}, **WAIT, supplement_count=2), "clear"),
    (promised(**TWICE, obligation_requested_at="2026-10-08 08:00"), "clear"),
    # Sửa rồi trả về ngày cũ; dời sau khi đã kết thúc.
    (promised(**{**TWICE, "due_current": DUE}), "clear"),
    (promised(**TWICE, status=9, ended_at="2026-10-20 08:00"), "clear"),
    (promised(**TWICE, status=9, ended_at="2026-10-21 07:00"), "clear"),
    # Dời khi đã thấy kết thúc, hoặc thấy cùng lúc: không biết việc nào trước.
    (promised(**TWICE, status=9, end_seen_at="2026-10-21 07:00"), "clear"),
    (promised(**TWICE, status=9, end_seen_at="2026-10-21 07:00:01"), ("2026-10-21 07:00", NEVER)),
    # Hệ thống nguồn tự đếm.
    (promised(reappointment_count=1, apology_at="2026-10-14 09:00"), "clear"),
    (promised(reappointment_count=2, apology_at="2026-10-21 09:00"), ("2026-10-21 09:00", NEVER)),
    (promised(reappointment_count=2), "cannot_tell"),
    (promised(**TWICE, reappointment_count=2, apology_at="2026-10-20 09:00"), ("2026-10-20 09:00", NEVER)),
    (promised(due_current=NEW, provides=[]), "cannot_tell"),
    (promised(due_current=NEW, provides=[], first_seen_at="2026-10-06 08:00"), "clear"),
    (promised(due_current=NEW, provides=[], first_seen_at="2026-10-06 08:00:01"), "cannot_tell"),
    (promised(due_current=NEW, provides=[], reappointment_count=0), "clear"),
    (promised(reappointment_count=1), "clear"),
    (promised(received_at=None), "not_applicable"),
    (promised(**TWICE) | {"received_at": None}, "not_applicable"),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 9: điều chỉnh ngày hẹn sau khi có văn bản xin lỗi.
UNEXPLAINED: Table = [
    (promised(**MOVED), ("2026-10-16 00:00", NEVER)),
    (promised(**MOVED, apology_at="2026-10-15 23:59:59"), "clear"),
    (promised(**MOVED, apology_at="2026-10-16 00:00"), ("2026-10-16 00:00", NEVER)),
    (promised(**MOVED, apology_at="2026-10-08 09:00"), "clear"),
    (promised(**MOVED, **WAIT), "clear"),
    (promised(**MOVED, supplement_requested_at="2026-10-07 09:00"), "clear"),
    (promised(**MOVED, obligation_requested_at="2026-10-07 09:00"), "clear"),
    (promised(**MOVED, provides=[]), "cannot_tell"),
    (promised(**MOVED, **WAIT, provides=[]), "clear"),
    (promised(**MOVED, status=9, ended_at="2026-10-13 09:00"), "clear"),
    (promised(**MOVED, status=9, end_seen_at="2026-10-14 07:00"), "clear"),
    (promised(**MOVED, status=9, end_seen_at="2026-10-14 08:00"), ("2026-10-16 00:00", NEVER)),
    (promised(**{**MOVED, "due_moves": 2}), ("2026-10-16 00:00", NEVER)),
    (promised(**{**MOVED, "due_moves": 2}, apology_at="2026-10-20 09:00"), "cannot_tell"),
    # Dời trước khi thấy hồ sơ lần đầu.
    (promised(due_current=NEW), "cannot_tell"),
    (promised(due_current="2026-10-13 17:00", due_previous=DUE, due_moves=1, due_moved_at="2026-10-08 07:00"), "clear"),
    (promised(), "clear"),
    (promised(**{**MOVED, "due_current": DUE}), "clear"),
    # Thấy dời chiều thứ Sáu: hết thứ Hai.
    (promised(**{**MOVED, "due_moved_at": "2026-10-16 16:00"}), ("2026-10-20 00:00", NEVER)),
]


@pytest.mark.parametrize(
    ("of", "table"),
    [
        pytest.param(rule("apology_missing"), APOLOGY, id="apology missing"),
        pytest.param(rule("reappointed_again"), REAPPOINTED, id="reappointed again"),
        pytest.param(rule("due_moved_without_apology"), UNEXPLAINED, id="moved without apology"),
    ],
)
def test_a_kind_finds_what_its_table_says(of: Rule, table: Table) -> None:
    check(of, table)


def test_the_day_of_the_apology_is_a_setting() -> None:
    monday = promised(due_original="2026-10-19 17:00", due_current="2026-10-19 17:00")
    late = [("2026-10-19 17:00", NEVER)]
    sunday, friday, the_day = "2026-10-18 10:00", "2026-10-16 23:59:59", "2026-10-19 23:59:59"
    assert found(rule("apology_missing"), monday | {"apology_at": sunday}) == [None]
    working = rule("apology_missing", days="working")
    assert found(working, monday | {"apology_at": sunday}) == late
    assert found(working, monday | {"apology_at": friday}) == [None]
    tuesday = promised(
        due_original="2026-10-20 17:00", due_current="2026-10-20 17:00", apology_at="2026-10-19 23:59:59"
    )
    assert found(working, tuesday, monday | {"apology_at": sunday}, tuesday) == [None, *late, None]
    assert found(rule("apology_missing", days="working", days_before=0), monday | {"apology_at": the_day}) == [None]
    accepted = rule("apology_missing", accept_on_due_date=True)
    assert found(accepted, monday | {"apology_at": the_day}) == [None]
    assert found(accepted, monday | {"apology_at": "2026-10-20 00:00"}) == late
    # 02/9/2026 và 31/8, 01/9 là ngày nghỉ: một ngày làm việc trước thứ Năm 03/9 là thứ Sáu 28/8.
    holiday = {"received_at": "2026-08-17 08:00", "due_original": "2026-09-03 17:00", "due_current": "2026-09-03 17:00"}
    assert found(working, holiday | {"apology_at": "2026-08-28 23:59:59"}) == [None]
    assert found(working, holiday | {"apology_at": "2026-08-29 00:00"}) == [("2026-09-03 17:00", NEVER)]


def test_counts_and_days_are_settings() -> None:
    assert found(rule("reappointed_again", allowed=2), promised(**TWICE)) == [None]
    # Set back to the first date, and one new date by the source's own count: no second one.
    back = {
        "due_moves": 2,
        "due_moved_at": "2026-10-14 07:00",
        "reappointment_count": 1,
        "apology_at": "2026-10-13 09:00",
    }
    assert found(rule("reappointed_again"), promised(**back)) == [None]
    assert found(rule("reappointed_again", allowed=0), promised(**MOVED)) == [("2026-10-14 07:00", NEVER)]
    none = rule("due_moved_without_apology", within_working_days=0)
    assert found(none, promised(**MOVED)) == [("2026-10-15 00:00", NEVER)]


def test_a_clock_that_runs_while_waiting_owes_the_apology_all_the_same() -> None:
    row = promised(status=5, supplement_requested_at="2026-10-07 09:00")
    assert found(rule("apology_missing", clock_while_waiting="running"), row) == [(DUE, NEVER)]
    assert answered(rule("apology_missing"), row) == ["clear"]


def test_a_wait_that_nobody_dated_matters_only_where_the_clock_stops_for_it() -> None:
    row = promised(supplement_requested_at="2026-10-07 09:00", answer_unknown=1, status=9, ended_at="2026-10-20 09:00")
    assert answered(rule("apology_missing"), row) == ["cannot_tell"]
    assert answered(rule("apology_missing", clock_while_waiting="running"), row) == ["flagged"]
    in_time = row | {"apology_at": "2026-10-14 09:00"}
    assert answered(rule("apology_missing", clock_while_waiting="running"), in_time) == ["clear"]


def test_evidence_says_when_the_apology_came() -> None:
    of = rule("apology_missing")
    (late,) = judge(facts(of, [promised(apology_at="2026-10-20 09:00")]), CALENDAR, of).to_dict("records")
    local = {name: f"{late[name].tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M}" for name in ("apology_at", "allowed_until")}
    assert local == {"apology_at": "2026-10-20 09:00", "allowed_until": "2026-10-15 00:00"}
