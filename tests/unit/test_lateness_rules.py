"""The lateness pack as tables a lawyer can read, and what must hold for every rule about a deadline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.judge import judge
from rules.model import Rule
from rules.registry import KINDS
from tests.unit.judged import (
    CALENDAR,
    INSTANTS,
    NEVER,
    ROWS,
    Row,
    Span,
    answered,
    check,
    facts,
    found,
    rule,
    shipped,
    starts,
)

RECEIVED = "2026-10-05 08:00"  # a Monday
DUE = "2026-10-15 17:00"  # a Thursday, at closing
Table = list[tuple[Row, Span | str]]


def promised(**fields: Any) -> Row:
    return {"received_at": RECEIVED, "due_original": DUE, "due_current": DUE, **fields}


WAIT = {"supplement_requested_at": "2026-10-07 09:00", "supplement_completed_at": "2026-10-12 08:00"}
OPEN_WAIT = {"supplement_requested_at": "2026-10-07 09:00"}

# NĐ 118/2025/NĐ-CP Điều 8 khoản 1: đôn đốc hồ sơ đến hạn.
DUE_TODAY: Table = [
    (promised(), ("2026-10-15 00:00", DUE)),
    (promised(due_current="2026-10-15 23:59:59"), ("2026-10-15 00:00", "2026-10-15 23:59:59")),
    (promised(due_current="2026-10-16 00:00"), "clear"),
    (promised(received_at="2026-10-15 14:00"), ("2026-10-15 14:00", DUE)),
    (promised(status=9, ended_at="2026-10-15 00:00"), "clear"),
    (promised(status=9, ended_at="2026-10-15 00:00:01"), ("2026-10-15 00:00", "2026-10-15 00:00:01")),
    (promised(status=9, ended_at="2026-10-16 08:00"), ("2026-10-15 00:00", DUE)),
    (promised(status=5, **OPEN_WAIT), "clear"),
    # Còn 1 giờ làm việc khi yêu cầu bổ sung; nộp đủ 8 giờ 00 thứ Hai thì đến hạn 9 giờ 00 thứ Hai.
    (
        promised(supplement_requested_at="2026-10-15 16:00", supplement_completed_at="2026-10-19 08:00"),
        ("2026-10-19 00:00", "2026-10-19 09:00"),
    ),
    (promised(due_current=None), "cannot_tell"),
    (promised(received_at=None), "not_applicable"),
    (promised(status=0), "cannot_tell"),
    (promised(due_current="2095-01-01 08:00"), "clear"),
]

# Mức ngày do cơ quan đặt: cùng giờ của ngày làm việc thứ N sau ngày đến hạn.
TIER: Table = [
    (promised(), ("2026-10-22 17:00", NEVER)),
    (promised(due_current="2026-10-15 07:29:59"), ("2026-10-22 07:29:59", NEVER)),
    (promised(status=9, ended_at="2026-10-22 17:00"), "clear"),
    (promised(status=9, ended_at="2026-10-22 17:00:01"), ("2026-10-22 17:00", "2026-10-22 17:00:01")),
    (promised(status=9, end_seen_at="2026-10-30 08:00"), "cannot_tell"),
    (promised(status=9, end_seen_at=DUE), "clear"),
    # Đến hạn thứ Bảy: như 0 giờ thứ Hai, không sớm hơn hồ sơ đến hạn chiều thứ Sáu.
    (promised(due_current="2026-10-16 17:00"), ("2026-10-23 17:00", NEVER)),
    (promised(due_current="2026-10-17 10:00"), ("2026-10-26 00:00", NEVER)),
    (promised(due_current="2026-10-19 00:00"), ("2026-10-26 00:00", NEVER)),
    # Tết Bính Ngọ: nghỉ từ 16 đến 20/02/2026.
    (
        {"received_at": "2026-02-02 08:00", "due_current": "2026-02-12 17:00"},
        ("2026-02-26 17:00", NEVER),
    ),
    # Thứ Bảy 22/8/2026 làm bù là một ngày làm việc.
    ({"received_at": "2026-08-10 08:00", "due_current": "2026-08-17 09:00"}, ("2026-08-22 09:00", NEVER)),
    (promised(status=5, **OPEN_WAIT), "clear"),
    (promised(due_current="2095-01-01 08:00"), "clear"),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 9: hệ thống được điều chỉnh ngày hẹn, nên ngày hẹn đầu tiên được so riêng.
FIRST: Table = [
    (promised(due_current="2026-10-30 17:00"), (DUE, NEVER)),
    (promised(due_current="2026-10-30 17:00", status=9, ended_at=DUE), "clear"),
    (promised(due_current="2026-10-30 17:00", status=9, ended_at="2026-10-15 17:00:01"), (DUE, NEVER)),
    (promised(due_current="2026-10-30 17:00", status=9, end_seen_at="2026-10-20 08:00"), "cannot_tell"),
    (promised(received_at="2026-10-20 08:00"), ("2026-10-20 08:00", NEVER)),
    (promised(due_original=None), "cannot_tell"),
    # Ngày hẹn đầu tiên không chắc là đầu tiên.
    (promised(due_current="2026-10-30 17:00", due_watched=0), "cannot_tell"),
    (promised(received_at=None), "not_applicable"),
    # Điều 19 khoản 4: tính lại từ đầu. Hạn đầu là 8 ngày (từ 8 giờ 00 ngày 05/10), nộp đủ 8 giờ 00 ngày 12/10.
    (promised(**WAIT), ("2026-10-22 17:00", NEVER)),
    (promised(status=5, **OPEN_WAIT), "clear"),
    (promised(status=3, ended_at="2026-11-20 08:00", **OPEN_WAIT), "clear"),
    # Hai lần chờ, tính lại từ lần sau; yêu cầu sau khi đã quá hạn thì không cứu được.
    (
        promised(
            earlier_waits="[[1791338400, 1791766800]]",
            supplement_requested_at="2026-10-21 09:00",
            supplement_completed_at="2026-10-26 08:00",
        ),
        ("2026-11-05 17:00", NEVER),
    ),
    (
        promised(
            earlier_waits="[[1791338400, 1791766800]]",
            supplement_requested_at="2026-10-22 17:00",
            supplement_completed_at="2026-10-26 08:00",
        ),
        ("2026-10-22 17:00", NEVER),
    ),
    # Bổ sung xong trước khi tiếp nhận không đổi gì.
    (
        promised(supplement_requested_at="2026-10-01 08:00", supplement_completed_at="2026-10-02 08:00"),
        (DUE, NEVER),
    ),
    (promised(request_unknown=1, supplement_requested_at="2026-10-20 08:00"), "cannot_tell"),
    (
        promised(answer_unknown=1, supplement_requested_at="2026-10-07 08:00", ended_at="2026-10-30 08:00"),
        "cannot_tell",
    ),
    (promised(answer_unknown=1, supplement_requested_at="2026-10-07 08:00", ended_at=DUE), "clear"),
    # Ngày hẹn lùi vì người dân chưa nộp nghĩa vụ tài chính: có nơi pháp luật cho dừng đồng hồ.
    (promised(due_current="2026-10-30 17:00", obligation_requested_at="2026-10-08 08:00"), "cannot_tell"),
    (promised(status=0), "cannot_tell"),
]

PAUSED: Table = [
    # Còn 49 giờ 30 phút làm việc khi yêu cầu lúc 9 giờ 00 ngày 07/10; nộp đủ 8 giờ 00 ngày 12/10.
    (promised(**WAIT), ("2026-10-20 16:00", NEVER)),
    (promised(), (DUE, NEVER)),
]
RUNNING: Table = [(promised(**WAIT), (DUE, NEVER)), (promised(status=5, **OPEN_WAIT), (DUE, NEVER))]

# NĐ 118/2025/NĐ-CP Điều 17 khoản 3: thời hạn theo quy định, tính sẵn ở due_lawful.
LAWFUL: Table = [
    (promised(due_lawful="2026-10-12 17:00"), ("2026-10-12 17:00", NEVER)),
    (promised(due_lawful="2026-10-12 17:00", status=9, ended_at="2026-10-12 17:00"), "clear"),
    (promised(due_lawful="2026-10-12 17:00", status=9, ended_at="2026-10-12 17:00:01"), ("2026-10-12 17:00", NEVER)),
    (promised(due_lawful="2026-10-12 17:00", status=5, **OPEN_WAIT), "clear"),
    # Thấy lần đầu quá một ngày sau khi tiếp nhận, không ai cho biết đã yêu cầu bổ sung chưa.
    (promised(due_lawful="2026-10-12 17:00", first_seen_at="2026-10-06 08:00:01"), "cannot_tell"),
    (promised(due_lawful="2026-10-12 17:00", first_seen_at="2026-10-06 08:00"), ("2026-10-12 17:00", NEVER)),
    (
        promised(due_lawful="2026-10-12 17:00", first_seen_at="2026-10-20 08:00", supplement_count=0),
        ("2026-10-12 17:00", NEVER),
    ),
    (promised(due_lawful=DUE, first_seen_at="2026-10-20 08:00", status=9, ended_at=DUE), "clear"),
    (promised(), "cannot_tell"),
]

# Cà Mau 2026: xử lý xong trong hạn nhưng bấm kết thúc muộn.
CLOSED: Table = [
    (promised(status=9, result_at="2026-10-15 17:00", ended_at="2026-10-15 17:00:01"), (DUE, NEVER)),
    (promised(status=9, result_at="2026-10-15 17:00:01", ended_at="2026-10-16 08:00"), "clear"),
    (promised(status=9, result_at="2026-10-14 08:00", ended_at=DUE), "clear"),
    (promised(result_at="2026-10-14 08:00"), (DUE, NEVER)),
    (promised(status=9, result_at="2026-10-04 08:00", ended_at="2026-10-16 08:00"), "clear"),
    (promised(status=3, result_at="2026-10-14 08:00", ended_at="2026-10-16 08:00"), "not_applicable"),
    (promised(status=9, ended_at="2026-10-16 08:00", provides=[]), "cannot_tell"),
    (promised(status=9, ended_at=DUE, provides=[]), "clear"),
    (promised(status=9, ended_at="2026-10-16 08:00"), "clear"),
    (promised(status=9, result_at="2026-10-14 08:00", end_seen_at="2026-10-16 08:00"), "cannot_tell"),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 6, 7: thời hạn của từng cơ quan.
STEP: Table = [
    (promised(step_due_at="2026-10-08 11:30"), ("2026-10-08 11:30", NEVER)),
    (promised(step_due_at="2026-10-08 11:30", step_started_at="2026-10-09 08:00"), ("2026-10-09 08:00", NEVER)),
    (promised(step_due_at="2026-10-08 11:30", status=9, ended_at="2026-10-08 11:30"), "clear"),
    (
        promised(step_due_at="2026-10-08 11:30", status=9, ended_at="2026-10-08 11:30:01"),
        ("2026-10-08 11:30", "2026-10-08 11:30:01"),
    ),
    (promised(step_due_at="2026-10-08 11:30", status=5, **OPEN_WAIT), "clear"),
    # Còn 8 giờ rưỡi làm việc khi yêu cầu lúc 9 giờ 00 ngày 07/10 (6 giờ hôm ấy, 4 giờ sáng 08/10, trừ 0).
    (promised(step_due_at="2026-10-08 11:30", **WAIT), ("2026-10-13 10:30", NEVER)),
    # Bước xong trong hạn, hồ sơ đóng muộn; bước mới bắt đầu lúc bước trước xong thì là bước khác.
    (
        promised(
            step_due_at="2026-10-08 11:30", last_step_at="2026-10-08 11:30", status=9, ended_at="2026-10-12 08:00"
        ),
        "clear",
    ),
    (
        promised(
            step_due_at="2026-10-08 11:30", last_step_at="2026-10-08 11:30:01", status=9, ended_at="2026-10-12 08:00"
        ),
        ("2026-10-08 11:30", "2026-10-12 08:00"),
    ),
    (
        promised(step_due_at="2026-10-08 11:30", step_started_at="2026-10-06 08:00", last_step_at="2026-10-06 08:00"),
        ("2026-10-08 11:30", NEVER),
    ),
    (
        promised(step_due_at="2026-10-08 11:30", step_started_at="2026-10-06 08:00", last_step_at="2026-10-07 08:00"),
        "clear",
    ),
    # Nghĩa vụ tài chính chưa xong khi bước đến hạn.
    (promised(step_due_at="2026-10-08 11:30", status=6, obligation_requested_at="2026-10-08 11:29"), "cannot_tell"),
    (promised(step_due_at="2026-10-08 11:30", obligation_requested_at="2026-10-08 11:30"), ("2026-10-08 11:30", NEVER)),
    (promised(), "not_applicable"),
    (promised(provides=[]), "cannot_tell"),
    (promised(step_due_at="2026-10-08 11:30", received_at=None), "not_applicable"),
]

ONLINE = {"channel": "online", "submitted_at": "2026-10-05 10:00"}

# NQ 66.7/2025/NQ-CP: 08 giờ làm việc; từ 10 giờ 00 thứ Hai là đến 10 giờ 30 thứ Ba (mỗi ngày 7 giờ rưỡi).
ACKNOWLEDGED: Table = [
    ({**ONLINE, "status": 1}, ("2026-10-06 10:30", NEVER)),
    ({**ONLINE, "received_at": "2026-10-06 10:30"}, "clear"),
    ({**ONLINE, "received_at": "2026-10-06 10:30:01"}, ("2026-10-06 10:30", NEVER)),
    # Từ chối, yêu cầu bổ sung, yêu cầu nộp phí trong giờ quy định đều là đã trả lời.
    ({**ONLINE, "status": 3, "ended_at": "2026-10-06 10:30"}, "clear"),
    ({**ONLINE, "status": 3, "ended_at": "2026-10-06 10:30:01"}, ("2026-10-06 10:30", NEVER)),
    ({**ONLINE, "status": 5, "supplement_requested_at": "2026-10-06 10:00"}, "clear"),
    ({**ONLINE, "status": 6, "obligation_requested_at": "2026-10-06 10:00"}, "clear"),
    # Lần yêu cầu đầu tiên mới là câu trả lời, không phải lần sau cùng.
    (
        {
            **ONLINE,
            "earlier_waits": "[[1791252000, 1791342000]]",
            "supplement_requested_at": "2026-10-09 10:00",
            "received_at": "2026-10-12 08:00",
        },
        "clear",
    ),
    # Ghi tiếp nhận muộn nhưng hệ thống theo dõi đã thấy hồ sơ được xử lý từ trước.
    ({**ONLINE, "received_at": "2026-10-07 08:00", "underway_seen_at": "2026-10-06 09:00"}, "clear"),
    ({**ONLINE, "underway_seen_at": "2026-10-05 18:00"}, "clear"),
    ({**ONLINE, "underway_seen_at": "2026-10-07 08:00"}, "cannot_tell"),
    ({**ONLINE, "status": 7, "end_seen_at": "2026-10-07 08:00"}, "cannot_tell"),
    ({**ONLINE, "status": 1, "vanished_seen_at": "2026-10-07 08:00"}, "cannot_tell"),
    ({**ONLINE, "status": 0}, "cannot_tell"),
    ({**ONLINE, "status": -1}, "cannot_tell"),
    # Không ai ghi lúc yêu cầu: có thể đã trả lời từ lần xem trước.
    (
        {
            **ONLINE,
            "status": 5,
            "supplement_requested_after": "2026-10-06 10:30",
            "supplement_requested_at": "2026-10-07 08:00",
        },
        "cannot_tell",
    ),
    (
        {
            **ONLINE,
            "status": 5,
            "supplement_requested_after": "2026-10-06 10:30:01",
            "supplement_requested_at": "2026-10-07 08:00",
        },
        ("2026-10-06 10:30", NEVER),
    ),
    # Nguồn không ghi nghĩa vụ tài chính: chỉ biết lúc thấy.
    ({**ONLINE, "status": 6, "obligation_requested_at": "2026-10-07 08:00", "provides": []}, "cannot_tell"),
    ({**ONLINE, "status": 6, "obligation_requested_at": "2026-10-07 08:00"}, ("2026-10-06 10:30", NEVER)),
    # Đã chờ bổ sung khi thấy lần đầu, rồi mới tiếp nhận: có thể đã trả lời trong hạn.
    (
        {
            **ONLINE,
            "supplement_requested_at": "2026-10-07 08:00",
            "request_unknown": 1,
            "received_at": "2026-10-09 08:00",
        },
        "cannot_tell",
    ),
    # Đã chờ bổ sung khi thấy lần đầu: yêu cầu vào lúc nào đó trước 7/10.
    ({**ONLINE, "status": 5, "supplement_requested_at": "2026-10-07 08:00", "request_unknown": 1}, "cannot_tell"),
    # Chỉ có ngày nộp: tính từ hết ngày ấy.
    ({"channel": "online", "submitted_at": "2026-10-05", "status": 1}, ("2026-10-07 08:00", NEVER)),
    ({"channel": "online", "status": 1}, "cannot_tell"),
    ({"channel": "direct", "submitted_at": "2026-10-05 10:00", "received_at": "2026-10-12 08:00"}, "not_applicable"),
    ({"submitted_at": "2026-10-05 10:00", "status": 1}, "cannot_tell"),
    # 22/8/2026 là thứ Bảy làm bù: nộp 16 giờ 00 thứ Sáu thì còn 7 giờ nữa trong ngày thứ Bảy.
    ({"channel": "online", "submitted_at": "2026-08-21 16:00", "status": 1}, ("2026-08-22 16:30", NEVER)),
    ({"channel": "online", "submitted_at": "2026-10-05 17:00", "status": 1}, ("2026-10-07 08:00", NEVER)),
    ({"channel": "online", "submitted_at": "2095-10-05 17:00", "status": 1}, "clear"),
]

DESK = {"channel": "direct", "receiving_unit_code": "H99.01", "unit_code": "H99.05"}

# NĐ 118/2025/NĐ-CP Điều 18 khoản 2: trong ngày làm việc; sau 15 giờ thì đầu giờ ngày làm việc tiếp theo.
TRANSFERRED: Table = [
    ({**DESK, "received_at": "2026-10-05 14:59:59", "transferred_at": "2026-10-05 23:59:59"}, "clear"),
    (
        {**DESK, "received_at": "2026-10-05 14:59:59", "transferred_at": "2026-10-06 00:00:01"},
        ("2026-10-06 00:00", NEVER),
    ),
    ({**DESK, "received_at": "2026-10-05 15:00", "transferred_at": "2026-10-06 08:30"}, "clear"),
    (
        {**DESK, "received_at": "2026-10-05 15:00", "transferred_at": "2026-10-06 08:30:01"},
        ("2026-10-06 08:30", NEVER),
    ),
    # Chiều thứ Sáu; và chiều thứ Sáu trước một thứ Bảy làm bù.
    (
        {**DESK, "received_at": "2026-10-09 16:59:59", "transferred_at": "2026-10-12 09:00"},
        ("2026-10-12 08:30", NEVER),
    ),
    (
        {**DESK, "received_at": "2026-08-21 16:00", "transferred_at": "2026-08-24 08:00"},
        ("2026-08-22 08:30", NEVER),
    ),
    # Trước kỳ nghỉ Quốc khánh; và nhận trong ngày nghỉ.
    ({**DESK, "received_at": "2026-08-28 16:00", "transferred_at": "2026-09-03 08:30"}, "clear"),
    ({**DESK, "received_at": "2026-09-02 16:00", "transferred_at": "2026-09-03 23:59:59"}, "clear"),
    (
        {**DESK, "received_at": "2026-09-02 16:00", "transferred_at": "2026-09-04 08:00"},
        ("2026-09-04 00:00", NEVER),
    ),
    # Chỉ có ngày nhận: không biết trước hay sau 15 giờ.
    ({**DESK, "received_at": "2026-10-05", "transferred_at": "2026-10-06 08:30"}, "clear"),
    ({**DESK, "received_at": "2026-10-05", "transferred_at": "2026-10-06 08:31"}, ("2026-10-06 08:30", NEVER)),
    # Chưa chuyển.
    ({**DESK, "status": 2, "received_at": "2026-10-05 08:00"}, ("2026-10-06 00:00", NEVER)),
    ({**DESK, "status": 4, "received_at": "2026-10-05 08:00"}, "cannot_tell"),
    ({**DESK, "status": 2, "received_at": "2026-10-05 08:00", "provides": []}, "cannot_tell"),
    ({**DESK, "status": 2, "received_at": "2026-10-05 08:00", "end_seen_at": "2026-10-09 08:00"}, "cannot_tell"),
    # Trả lại người dân, hoặc xong ngay trong ngày, thì không có gì để chuyển.
    (
        {
            **DESK,
            "received_at": "2026-10-05 08:00",
            "supplement_requested_at": "2026-10-05 10:00",
            "transferred_at": "2026-10-12 08:00",
        },
        "clear",
    ),
    (
        {
            **DESK,
            "received_at": "2026-10-05 08:00",
            "ended_at": "2026-10-05 16:00",
            "transferred_at": "2026-10-07 08:00",
        },
        "clear",
    ),
    # Chờ nộp phí, hoặc không còn thấy hồ sơ, trước khi hết hạn chuyển.
    (
        {
            **DESK,
            "received_at": "2026-10-05 08:00",
            "obligation_requested_at": "2026-10-06 00:00",
            "transferred_at": "2026-10-07 08:00",
        },
        "clear",
    ),
    (
        {
            **DESK,
            "received_at": "2026-10-05 08:00",
            "obligation_requested_at": "2026-10-06 00:00:01",
            "transferred_at": "2026-10-07 08:00",
        },
        ("2026-10-06 00:00", NEVER),
    ),
    ({**DESK, "status": 2, "received_at": "2026-10-05 08:00", "vanished_seen_at": "2026-10-05 20:00"}, "cannot_tell"),
    # Không biết đơn vị tiếp nhận, hoặc cả hai.
    ({**DESK, "receiving_unit_code": None, "status": 2, "received_at": "2026-10-05 08:00"}, "cannot_tell"),
    (
        {"channel": "direct", "received_at": "2026-10-05 08:00", "transferred_at": "2026-10-07 08:00"},
        "cannot_tell",
    ),
    ({**DESK, "unit_code": None, "status": 2, "received_at": "2026-10-05 08:00"}, "cannot_tell"),
    ({**DESK, "unit_code": "H99.01", "status": 2, "received_at": "2026-10-05 08:00"}, "not_applicable"),
    ({**DESK, "channel": "online", "status": 2, "received_at": "2026-10-05 08:00"}, "not_applicable"),
    ({**DESK, "channel": None, "status": 2, "received_at": "2026-10-05 08:00"}, "cannot_tell"),
    ({**DESK, "status": 2}, "not_applicable"),
]


@pytest.mark.parametrize(
    ("of", "table"),
    [
        pytest.param(rule("due_today"), DUE_TODAY, id="due today"),
        pytest.param(rule("overdue_tier", after_working_days=5), TIER, id="overdue tier"),
        pytest.param(rule("late_against", against="due_original"), FIRST, id="late against the first promise"),
        pytest.param(rule("late_against", against="due_original", after_supplement="paused"), PAUSED, id="paused"),
        pytest.param(rule("late_against", against="due_original", after_supplement="running"), RUNNING, id="running"),
        pytest.param(rule("late_against", against="due_lawful"), LAWFUL, id="over the lawful limit"),
        pytest.param(rule("closed_late"), CLOSED, id="closed late"),
        pytest.param(rule("step_overdue"), STEP, id="step overdue"),
        pytest.param(rule("acknowledged_late"), ACKNOWLEDGED, id="acknowledged late"),
        pytest.param(rule("transferred_late"), TRANSFERRED, id="transferred late"),
    ],
)
def test_a_kind_finds_what_its_table_says(of: Rule, table: Table) -> None:
    check(of, table)


def test_submissions_before_the_resolution_are_left_out() -> None:
    of = rule("acknowledged_late", submitted_from="2025-11-15")
    before = {"channel": "online", "status": 1, "submitted_at": "2025-11-14 23:59:59"}
    check(of, [({**before, "submitted_at": "2025-11-15 00:00:01"}, ("2025-11-18 08:00", NEVER))])
    assert found(of, before) == [None]


def test_hours_cutoff_and_grace_are_settings() -> None:
    assert found(rule("acknowledged_late", working_hours=2), {**ONLINE, "status": 1}) == [("2026-10-05 14:00", NEVER)]
    row = {**DESK, "status": 2, "received_at": "2026-10-05 15:30"}
    assert found(rule("transferred_late", cutoff="16:00"), row) == [("2026-10-06 00:00", NEVER)]
    assert found(rule("transferred_late", grace_working_hours=0), row) == [("2026-10-06 07:30", NEVER)]
    assert found(rule("transferred_late", channels=["online"]), row) == [None]


def test_an_unknown_wait_matters_only_where_the_clock_stops_for_it_and_the_dossier_did_not_end_in_time() -> None:
    unseen = promised(supplement_requested_at="2026-10-07 09:00", answer_unknown=1)
    for while_waiting, answer in (("stopped", "cannot_tell"), ("running", "flagged")):
        assert answered(rule("overdue", clock_while_waiting=while_waiting), unseen) == [answer]
    assert answered(rule("overdue"), unseen | {"status": 9, "ended_at": DUE}) == ["clear"]
    assert answered(rule("overdue"), unseen | {"status": 9, "ended_at": "2026-10-15 17:00:01"}) == ["cannot_tell"]


def test_evidence_says_what_a_finding_rests_on() -> None:
    of = rule("acknowledged_late")
    (late,) = judge(facts(of, [{**ONLINE, "received_at": "2026-10-07 08:00"}]), CALENDAR, of).to_dict("records")
    assert f"{late['acknowledged_at'].tz_convert(CALENDAR.zone)}" == "2026-10-07 08:00:00+07:00"
    assert late["allowed_until"] == late["starts_at"]
    of = rule("late_against", against="due_original")
    (late,) = judge(facts(of, [promised(**WAIT)]), CALENDAR, of).to_dict("records")
    assert late["due_at"] == late["starts_at"] != late["promised_at"]


# -- what must hold for every rule ----------------------------------------------------------------------------------

PACKS = [one for pack in ("core", "lateness", "returned", "duties") for one in shipped(pack).values()]
AGAINST_DUE = ("overdue", "overdue_tier", "closed_late", "step_overdue", "apology_missing", "late_against")
SOME = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MANY_ROWS = st.lists(ROWS, min_size=10, max_size=12)
INTERVAL = ["dossier_id", "starts_at", "ends_at"]


@given(rows=MANY_ROWS, cut=st.integers(1, 9))
@settings(SOME, max_examples=5)
def test_a_row_is_judged_by_itself_and_an_interval_is_never_empty(rows: list[Row], cut: int) -> None:
    table = facts(PACKS[0], rows)
    for of in PACKS:
        together = judge(table, CALENDAR, of)[INTERVAL].reset_index(drop=True)
        assert together["starts_at"].notna().all()
        assert (together["ends_at"].isna() | (together["starts_at"] < together["ends_at"])).all()
        halves = [judge(half, CALENDAR, of)[INTERVAL] for half in (table.iloc[:cut], table.iloc[cut:])]
        assert together.equals(pd.concat(halves, ignore_index=True)), of.code
        backwards = judge(table.iloc[::-1], CALENDAR, of)[INTERVAL].iloc[::-1].reset_index(drop=True)
        assert together.equals(backwards), of.code


@given(rows=MANY_ROWS)
@SOME
def test_what_is_flagged_is_what_the_rule_is_about(rows: list[Row]) -> None:
    table = facts(PACKS[0], rows)
    for of in PACKS:
        about = KINDS[of.kind].applies(table, of)
        flagged = table["dossier_id"].isin(judge(table, CALENDAR, of)["dossier_id"])
        assert not (flagged & ~about).any(), of.code


@given(waits=st.lists(st.tuples(ROWS, INSTANTS, INSTANTS), min_size=10, max_size=12))
@SOME
def test_a_wait_for_the_applicant_never_makes_anything_late_earlier(waits: list[tuple[Row, str, str]]) -> None:
    told = {"supplement_requested_at", "supplement_completed_at", "earlier_waits", "request_unknown", "answer_unknown"}
    without = [{name: value for name, value in row.items() if name not in told} for row, _, _ in waits]
    waiting = [
        row
        | {"supplement_requested_at": requested}
        | ({"supplement_completed_at": answered_at} if answered_at > requested else {})
        for row, (_, requested, answered_at) in zip(without, waits, strict=True)
    ]
    # A result signed after the promise, and before the one that a wait moved, is late in the software by the latter only.
    for of in (one for one in PACKS if one.kind in AGAINST_DUE and one.kind != "closed_late"):
        # Without the wait several moves of the promise may hide which apology was owed: then there is nothing to compare.
        told = zip(waiting, answered(of, *without), starts(of, without), starts(of, waiting), strict=True)
        for row, said, late, later in told:
            assert later is None or said == "cannot_tell" or (late is not None and late <= later), (of.code, row)


@given(promises=st.lists(st.tuples(ROWS, INSTANTS, INSTANTS), min_size=10, max_size=12))
@SOME
def test_a_later_promise_is_never_due_earlier(promises: list[tuple[Row, str, str]]) -> None:
    # A promise that the answer came before stands as it is; one that it came after is moved by the wait.
    without = ("supplement_completed_at", "supplement_requested_at", "earlier_waits", "obligation_requested_at")
    names = ("due_original", "due_current", "due_lawful", "step_due_at")
    first, second = (
        [
            {name: value for name, value in row.items() if name not in without}
            | dict.fromkeys(names, pick(one, other))
            | {"result_at": "2026-08-17 08:00"}
            for row, one, other in promises
        ]
        for pick in (min, max)
    )
    for of in (one for one in PACKS if one.kind in {*AGAINST_DUE, "due_soon", "due_today"}):
        for row, early, late in zip(first, starts(of, first), starts(of, second), strict=True):
            assert early is None or late is None or early <= late, (of.code, row)
