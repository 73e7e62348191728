"""The story of a due instant, as an official reads it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.unit.lawful import CODE, at, catalogue, limit, shipped_calendar
from tthc_monitor.domain.lawful_steps import MOST_DAYS, Step, lawful_steps
from tthc_monitor.domain.time_limits import ClockPolicy

THREE_DAYS = {"amount": 3, "unit": "working_day"}


def told(fields: dict[str, Any], **row: Any) -> list[Step]:
    return lawful_steps({"procedure_code": CODE, **row}, shipped_calendar(), catalogue(limit(**fields)))


def texts(steps: list[Step], code: str) -> list[str]:
    return [step.text for step in steps if step.code == code]


def test_three_working_days_day_by_day() -> None:
    steps = told(THREE_DAYS, received_at=at("2026-10-05 10:15"))
    assert [step.code for step in steps] == ["event", "clock_start", "limit", *["workday"] * 4, "due"]
    assert steps[0].text.startswith("Tiếp nhận hồ sơ lúc 10:15:00 ngày 05/10/2026.")
    assert steps[0].source == "NĐ 118/2025/NĐ-CP Điều 17.3, sửa đổi bởi NĐ 309/2026/NĐ-CP Điều 8"
    assert steps[1].text == "Bắt đầu tính thời hạn ngay lúc đó, 10:15:00 ngày 05/10/2026."
    assert steps[2].text == "Thời hạn giải quyết: 3 ngày làm việc."
    assert texts(steps, "workday") == [
        "Ngày làm việc 05/10/2026: 10:15–11:30, 13:30–17:00.",
        "Ngày làm việc 06/10/2026: 07:30–11:30, 13:30–17:00.",
        "Ngày làm việc 07/10/2026: 07:30–11:30, 13:30–17:00.",
        "Ngày làm việc 08/10/2026: 07:30–10:15.",
    ]
    assert [step.at for step in steps if step.code == "workday"] == [
        at("2026-10-05 10:15"),
        *(at(f"2026-10-0{day} 07:30") for day in (6, 7, 8)),
    ]
    assert steps[-1] == Step(
        at("2026-10-08 10:15"), "due", "Hết thời hạn lúc 10:15:00 ngày 08/10/2026.", "QĐ 1/QĐ-UBND"
    )


def test_before_5_august_2026_the_earlier_clock_start_is_cited() -> None:
    first = told(THREE_DAYS, received_at=at("2026-08-04 10:15"), competent_received_at=at("2026-08-06 10:15"))[0]
    assert first.at == at("2026-08-04 10:15")
    assert "NĐ 61/2018/NĐ-CP Điều 19.4" in first.source


def test_a_dossier_received_away_and_outside_hours() -> None:
    steps = told(THREE_DAYS, received_at=at("2026-08-05 10:15"), competent_received_at=at("2026-08-06 18:15"))
    assert steps[0].text.startswith("Cơ quan có thẩm quyền nhận được hồ sơ lúc 18:15:00 ngày 06/08/2026.")
    assert steps[1].text == "Nhận ngoài giờ làm việc: bắt đầu tính thời hạn từ 07:30:00 ngày 07/08/2026."


def test_received_by_both_at_one_instant_it_is_the_reception() -> None:
    received = at("2026-10-05 10:15")
    steps = told(THREE_DAYS, received_at=received, competent_received_at=received)
    assert steps[0].text.startswith("Tiếp nhận hồ sơ lúc 10:15:00 ngày 05/10/2026.")


def test_what_is_missing_is_unknown_however_it_is_written() -> None:
    received = at("2026-10-05 10:15")
    missing = {
        "supplement_count": float("nan"),
        "due_moves": None,
        "supplement_requested_at": pd.NaT,
        "unit_code": None,
    }
    assert told(THREE_DAYS, received_at=received, **missing) == told(THREE_DAYS, received_at=received)


@pytest.mark.parametrize(
    ("cutoff", "words"), [("15:00", "hoặc từ 15:00 trở đi"), ("last_hour", "hoặc trong giờ làm việc cuối ngày")]
)
def test_a_cut_off_is_named(cutoff: str, words: str) -> None:
    policy = ClockPolicy(cutoff=cutoff)
    steps = told(THREE_DAYS | {"policy": policy}, received_at=at("2026-10-05 16:30"))
    assert steps[1].text == f"Nhận ngoài giờ làm việc {words}: bắt đầu tính thời hạn từ 07:30:00 ngày 06/10/2026."


def test_a_pause_is_told_and_its_hours_are_not_counted() -> None:
    steps = told(
        THREE_DAYS | {"policy": ClockPolicy(clock_model="pause")},
        received_at=at("2026-10-05 10:15"),
        supplement_requested_at=at("2026-10-06 09:00"),
        supplement_completed_at=at("2026-10-07 15:00"),
    )
    assert texts(steps, "wait") == [
        "Chờ người nộp bổ sung hồ sơ: yêu cầu lúc 09:00:00 ngày 06/10/2026, hoàn thành lúc 15:00:00 ngày 07/10/2026."
    ]
    assert texts(steps, "workday") == [
        "Ngày làm việc 05/10/2026: 10:15–11:30, 13:30–17:00.",
        "Ngày làm việc 06/10/2026: 07:30–09:00.",
        "Ngày làm việc 07/10/2026: 15:00–17:00.",
        "Ngày làm việc 08/10/2026: 07:30–11:30, 13:30–17:00.",
        "Ngày làm việc 09/10/2026: 07:30–11:30, 13:30–16:15.",
    ]
    assert steps[-1].at == at("2026-10-09 16:15")


def test_a_day_whose_morning_was_waited_for_begins_with_the_answer() -> None:
    steps = told(
        THREE_DAYS | {"policy": ClockPolicy(clock_model="pause")},
        received_at=at("2026-10-05 10:15"),
        supplement_requested_at=at("2026-10-06 07:30"),
        supplement_completed_at=at("2026-10-06 10:00"),
    )
    assert texts(steps, "workday")[1] == "Ngày làm việc 06/10/2026: 10:00–11:30, 13:30–17:00."


BOTH = THREE_DAYS | {"policy": ClockPolicy(clock_model="pause", pauses=("supplement", "financial_obligation"))}


def test_waits_are_told_in_the_order_of_their_requests() -> None:
    steps = told(
        BOTH,
        received_at=at("2026-10-05 10:15"),
        supplement_requested_at=at("2026-10-06 14:00"),
        supplement_completed_at=at("2026-10-06 15:00"),
        obligation_requested_at=at("2026-10-06 09:00"),
        obligation_completed_at=at("2026-10-07 09:00"),
    )
    assert [text.partition(":")[0] for text in texts(steps, "wait")] == [
        "Chờ người nộp thực hiện nghĩa vụ tài chính",
        "Chờ người nộp bổ sung hồ sơ",
    ]
    assert "Ngày làm việc 06/10/2026: 07:30–09:00." in texts(steps, "workday")


def test_a_wait_that_lasts_is_told_and_so_is_the_one_before_it() -> None:
    steps = told(
        BOTH,
        received_at=at("2026-10-05 10:15"),
        supplement_requested_at=at("2026-10-06 09:00"),
        supplement_completed_at=at("2026-10-06 10:00"),
        obligation_requested_at=at("2026-10-07 09:00"),
    )
    assert texts(steps, "wait") == [
        "Chờ người nộp bổ sung hồ sơ: yêu cầu lúc 09:00:00 ngày 06/10/2026, hoàn thành lúc 10:00:00 ngày 06/10/2026.",
        "Chờ người nộp thực hiện nghĩa vụ tài chính: yêu cầu lúc 09:00:00 ngày 07/10/2026, chưa hoàn thành.",
    ]
    assert steps[-1].code == "no_due"


def earlier(*waits: tuple[str, str]) -> str:
    return str([[at(asked).timestamp(), at(answered).timestamp()] for asked, answered in waits])


@pytest.mark.parametrize(
    ("waits", "restarts"),
    [
        ([("2026-10-06 09:00", "2026-10-06 14:00")], ["14:00:00 ngày 06/10/2026", "09:00:00 ngày 12/10/2026"]),
        (
            [("2026-10-06 09:00", "2026-10-06 14:00"), ("2026-10-07 09:00", "2026-10-07 14:00")],
            ["14:00:00 ngày 06/10/2026", "14:00:00 ngày 07/10/2026", "09:00:00 ngày 12/10/2026"],
        ),
    ],
)
def test_of_several_supplements_each_restarts_the_limit(waits: list[tuple[str, str]], restarts: list[str]) -> None:
    steps = told(
        THREE_DAYS,
        received_at=at("2026-10-05 10:15"),
        earlier_waits=earlier(*waits),
        # After the three days of the first limit, within those of the one that began anew.
        supplement_requested_at=at("2026-10-09 09:00"),
        supplement_completed_at=at("2026-10-12 09:00"),
        supplement_count=len(waits) + 1,
    )
    assert texts(steps, "restart") == [f"Thời hạn được tính lại từ đầu, từ {one}." for one in restarts]
    assert len(texts(steps, "wait")) == len(restarts)
    assert steps[-1].at == at("2026-10-15 09:00")


def test_every_request_after_the_limit_is_told() -> None:
    steps = told(
        THREE_DAYS,
        received_at=at("2026-10-05 10:15"),
        earlier_waits=earlier(("2026-10-09 09:00", "2026-10-09 10:00")),
        supplement_requested_at=at("2026-10-12 09:00"),
        supplement_completed_at=at("2026-10-12 10:00"),
        supplement_count=2,
    )
    assert ["sau khi thời hạn đã hết" in text for text in texts(steps, "wait")] == [True, True]
    assert steps[-1].at == at("2026-10-08 10:15")


def test_a_restart_tells_the_days_of_the_new_limit_only() -> None:
    steps = told(
        THREE_DAYS,
        received_at=at("2026-10-05 10:15"),
        supplement_requested_at=at("2026-10-06 09:00"),
        supplement_completed_at=at("2026-10-10 15:00"),
    )
    assert texts(steps, "restart") == ["Thời hạn được tính lại từ đầu, từ 07:30:00 ngày 12/10/2026."]
    assert [step.source for step in steps if step.code == "restart"] == ["NĐ 61/2018/NĐ-CP Điều 19.4"]
    assert texts(steps, "workday")[0] == "Ngày làm việc 12/10/2026: 07:30–11:30, 13:30–17:00."
    assert len(texts(steps, "workday")) == 3
    assert steps[-1].at == at("2026-10-15 07:30")


def test_a_request_after_the_limit_has_run_out() -> None:
    steps = told(THREE_DAYS, received_at=at("2026-10-05 10:15"), supplement_requested_at=at("2026-10-08 10:15"))
    assert texts(steps, "wait") == [
        "Yêu cầu bổ sung hồ sơ lúc 10:15:00 ngày 08/10/2026, sau khi thời hạn đã hết: không làm thay đổi thời hạn."
    ]
    assert steps[-1].at == at("2026-10-08 10:15")


def test_an_obligation_is_told_where_it_pauses() -> None:
    steps = told(
        THREE_DAYS | {"policy": ClockPolicy(pauses=("financial_obligation",))},
        received_at=at("2026-10-05 10:15"),
        obligation_requested_at=at("2026-10-06 09:00"),
        obligation_completed_at=at("2026-10-06 10:00"),
    )
    assert texts(steps, "wait")[0].startswith("Chờ người nộp thực hiện nghĩa vụ tài chính: yêu cầu lúc 09:00:00")
    assert "Ngày làm việc 06/10/2026: 07:30–09:00, 10:00–11:30, 13:30–17:00." in texts(steps, "workday")


def test_days_and_months_cite_the_civil_code_and_end_at_midnight() -> None:
    steps = told({"amount": 10, "unit": "calendar_day", "extra_working_days": 2.5}, received_at=at("2026-10-05 10:15"))
    assert texts(steps, "limit") == ["Thời hạn giải quyết: 10 ngày, cộng thêm 2,5 ngày làm việc."]
    assert steps[-1].text == "Hết thời hạn lúc 24:00 ngày 20/10/2026."
    assert steps[-1].source == "QĐ 1/QĐ-UBND; Bộ luật Dân sự 2015 Điều 147, 148"
    assert not texts(steps, "workday")


def test_limits_without_an_amount_are_told_in_words() -> None:
    received = at("2026-10-05 10:15")
    assert texts(told({"unit": "same_day"}, received_at=received), "limit") == [
        "Thời hạn giải quyết: trong ngày làm việc."
    ]
    assert texts(told({"abolished": True}, received_at=received), "limit") == [
        "Thủ tục hành chính đã bị bãi bỏ: không còn thời hạn giải quyết."
    ]


def test_a_long_limit_tells_only_so_many_days() -> None:
    steps = told({"amount": 500, "unit": "working_day"}, received_at=at("2024-10-07 10:15"))
    assert len(texts(steps, "workday")) == MOST_DAYS


@pytest.mark.parametrize(
    ("fields", "row", "words"),
    [
        (THREE_DAYS, {}, "Chưa có thời điểm tiếp nhận"),
        (THREE_DAYS, {"received_at": at("2026-10-05 10:15"), "procedure_code": "9.9"}, "không có thời hạn"),
        ({"abolished": True}, {"received_at": at("2026-10-05 10:15")}, "đã bị bãi bỏ"),
        (THREE_DAYS, {"received_at": at("1900-10-05 10:15")}, "nằm ngoài lịch làm việc"),
        (THREE_DAYS | {"amount": 10_000}, {"received_at": at("2050-10-05 10:15")}, "vượt ra ngoài lịch"),
        (
            THREE_DAYS,
            {"received_at": at("2026-10-05 10:15"), "supplement_requested_at": at("2026-10-06 09:00")},
            "Đang chờ người nộp",
        ),
        (THREE_DAYS, {"received_at": at("2026-10-05 10:15"), "supplement_count": 1}, "Không rõ thời gian chờ"),
        (
            THREE_DAYS,
            {
                "received_at": at("2026-10-05 10:15"),
                "supplement_requested_at": at("2026-10-06 09:00"),
                "answer_unknown": 1,
            },
            "Không rõ thời gian chờ",
        ),
    ],
)
def test_why_there_is_no_due_instant(fields: dict[str, Any], row: dict[str, Any], words: str) -> None:
    last = told(fields, **row)[-1]
    assert (last.at, last.code) == (None, "no_due")
    assert words in last.text
