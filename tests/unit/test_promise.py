"""The boundaries of a wait for the applicant, second by second: which promise stands, which moves, which nobody can tell.

The calendar is the shipped one: Monday to Friday, 07:30-11:30 and 13:30-17:00; the promise is Thursday 15/10/2026 17:00.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
import pytest

from rules.kinds.intervals import answerable
from rules.kinds.promise import due_instant, first_due, wait_unknown
from tests.unit.judged import CALENDAR
from tthc_monitor.domain.worktime import HORIZON

RECEIVED = "2026-10-05 08:00"
DUE = "2026-10-15 17:00"
BEFORE, AFTER = "2026-10-15 16:59:59", "2026-10-15 17:00:01"


def instants(*local: str | None) -> pd.Series:
    return (
        pd.Series(pd.to_datetime(list(local)))
        .dt.tz_localize(CALENDAR.zone)
        .dt.tz_convert("UTC")
        .astype("datetime64[us, UTC]")
    )


def facts(
    requested: str | None, answered: str | None, request_unknown: int = 0, answer_unknown: int = 0, promised: str = DUE
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "received_at": instants(RECEIVED),
            "due_original": instants(promised),
            "supplement_requested_at": instants(requested),
            "supplement_completed_at": instants(answered),
            "earlier_waits": pd.Series([None], dtype="category"),
            "supplement_count": [-1],
            "request_unknown": [request_unknown],
            "answer_unknown": [answer_unknown],
        }
    )


def due(table: pd.DataFrame, while_waiting: Literal["stopped", "running"] = "stopped") -> str:
    (found,) = due_instant(table, CALENDAR, table["due_original"], while_waiting)
    return "none" if pd.isna(found) else f"{found.tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("requested", "answered", "unknown"),
    [
        # Thấy lần đầu thì đang chờ: hẹn trước đó đã qua trong lúc chờ hay chưa thì không biết.
        (BEFORE, None, False),
        (DUE, None, True),
        (AFTER, None, True),
        # Nộp đủ sau ngày hẹn: lúc yêu cầu còn lại bao nhiêu thì không biết.
        (BEFORE, BEFORE, False),
        (BEFORE, DUE, False),
        (BEFORE, AFTER, True),
    ],
)
def test_of_a_request_that_nobody_saw(requested: str, answered: str | None, unknown: bool) -> None:
    table = facts(requested, answered, request_unknown=1)
    assert wait_unknown(table, table["due_original"]).tolist() == [unknown]
    assert wait_unknown(facts(requested, answered), table["due_original"]).tolist() == [False]


@pytest.mark.parametrize(("requested", "unknown"), [(BEFORE, True), (DUE, False), (AFTER, False)])
def test_of_an_answer_that_nobody_saw(requested: str, unknown: bool) -> None:
    table = facts(requested, None, answer_unknown=1)
    assert wait_unknown(table, table["due_original"]).tolist() == [unknown]
    assert wait_unknown(facts(requested, None), table["due_original"]).tolist() == [False]


@pytest.mark.parametrize(
    ("count", "requested", "unknown"),
    [
        (-1, None, False),
        (0, None, False),
        (1, None, True),
        (1, BEFORE, False),
        (1, DUE, False),
        # Asked twice, and one of the two nobody can date: the one that is known came first, or it did not.
        (2, BEFORE, False),
        (2, DUE, True),
    ],
)
def test_of_a_request_that_is_counted_and_no_more(count: int, requested: str | None, unknown: bool) -> None:
    table = facts(requested, None).assign(supplement_count=count)
    assert wait_unknown(table, table["due_original"]).tolist() == [unknown]


@pytest.mark.parametrize(
    ("requested", "answered", "expected"),
    [
        (BEFORE, None, "none"),
        (DUE, None, "2026-10-15 17:00:00"),
        (BEFORE, DUE, "2026-10-15 17:00:00"),
        # Còn 1 giây khi yêu cầu: nộp đủ lúc nào thì hẹn lùi đến 1 giây làm việc sau đó.
        (BEFORE, AFTER, "2026-10-16 07:30:01"),
        ("2026-10-15 16:00", "2026-10-19 08:00", "2026-10-19 09:00:00"),
        (DUE, "2026-10-19 08:00", "2026-10-15 17:00:00"),
    ],
)
def test_a_promise_moves_by_what_was_left_of_it(requested: str, answered: str | None, expected: str) -> None:
    table = facts(requested, answered)
    assert due(table) == expected
    assert due(table, "running") == "2026-10-15 17:00:00"


def test_a_promise_stands_where_the_unseen_request_was_answered_by_then() -> None:
    assert due(facts(BEFORE, DUE, request_unknown=1)) == "2026-10-15 17:00:00"


def test_where_the_wait_is_unknown_no_promise_stands() -> None:
    # Asked before we looked: more was left than from the instant on when we saw it, so the true promise is later.
    assert due(facts(BEFORE, AFTER, request_unknown=1)) == "none"


def test_a_promise_is_moved_as_far_as_the_calendar_reaches_and_no_farther() -> None:
    # Between request and promise lie 100 days: the answer must leave twice as many before the margin of the calendar.
    span = pd.Timedelta(days=100)
    requested = pd.Timestamp(DUE) - span
    edge = pd.Timestamp(HORIZON[1], tz="UTC") - pd.Timedelta(days=366)
    for answered, moved in ((edge - 2 * span - pd.Timedelta(seconds=1), True), (edge - 2 * span, False)):
        local = answered.tz_convert(CALENDAR.zone).tz_localize(None)
        assert (due(facts(str(requested), str(local))) != "none") == moved


def test_a_calendar_answers_a_year_within_its_ends() -> None:
    margin, second = pd.Timedelta(days=366), pd.Timedelta(seconds=1)
    first, last = (pd.Timestamp(day, tz="UTC") for day in HORIZON)
    asked = pd.Series([first + margin, first + margin + second, last - margin - second, last - margin, pd.NaT])
    assert answerable(asked).tolist() == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("requested", "answered", "answer_unknown", "rule", "expected"),
    [
        # NĐ 61/2018/NĐ-CP Điều 19 khoản 4: tính lại từ đầu; hay tính tiếp phần còn lại.
        ("2026-10-15 16:00", "2026-10-19 08:00", 0, "paused", "2026-10-19 09:00:00"),
        (DUE, "2026-10-19 08:00", 0, "paused", "2026-10-15 17:00:00"),
        (DUE, "2026-10-19 08:00", 0, "restarted", "2026-10-15 17:00:00"),
        (BEFORE, None, 0, "restarted", "none"),
        (DUE, None, 0, "restarted", "2026-10-15 17:00:00"),
        (BEFORE, None, 1, "restarted", "none"),
        (DUE, None, 1, "restarted", "2026-10-15 17:00:00"),
        (BEFORE, None, 1, "running", "2026-10-15 17:00:00"),
    ],
)
def test_a_first_promise_and_a_wait(
    requested: str,
    answered: str | None,
    answer_unknown: int,
    rule: Literal["restarted", "paused", "running"],
    expected: str,
) -> None:
    (found,) = first_due(facts(requested, answered, answer_unknown=answer_unknown), CALENDAR, rule)
    said = "none" if pd.isna(found) else f"{found.tz_convert(CALENDAR.zone):%Y-%m-%d %H:%M:%S}"
    assert said == expected


@pytest.mark.parametrize(
    ("requested", "answered", "rule", "told"),
    [
        # A request that nobody saw restarts a limit like any other; how much was left of a paused one nobody knows.
        (BEFORE, "2026-10-19 08:00", "restarted", True),
        (BEFORE, "2026-10-19 08:00", "paused", False),
        (BEFORE, None, "restarted", False),
        (DUE, None, "restarted", False),
        (DUE, "2026-10-19 08:00", "restarted", False),
    ],
)
def test_a_first_promise_and_a_request_that_nobody_saw(
    requested: str, answered: str | None, rule: Literal["restarted", "paused"], told: bool
) -> None:
    (found,) = first_due(facts(requested, answered, request_unknown=1), CALENDAR, rule)
    assert pd.notna(found) == told


def test_without_reception_there_is_no_first_promise() -> None:
    for table in (facts(None, None), facts(DUE, None)):
        found = first_due(
            table.assign(received_at=pd.Series([pd.NaT], dtype="datetime64[us, UTC]")), CALENDAR, "paused"
        )
        assert found.isna().all()


def earlier(*pairs: tuple[str, str]) -> str:
    return str([[pd.Timestamp(at, tz=CALENDAR.zone).timestamp() for at in pair] for pair in pairs])


CAME_WITHIN = earlier(("2026-10-12 08:00", "2026-10-19 08:00"))
"""Three days and 7 hours were left: to Thursday 22/10 17:00."""


@pytest.mark.parametrize(
    ("waits", "requested", "answered", "expected"),
    [
        # The source takes no later wait out of a promise that came during one: there every wait counts.
        (CAME_WITHIN, "2026-10-20 08:00", "2026-10-21 08:00", "2026-10-23 17:00:00"),
        (CAME_WITHIN, "2026-10-22 16:59:59", None, "none"),
        (CAME_WITHIN, "2026-10-22 17:00", None, "2026-10-22 17:00:00"),
        (CAME_WITHIN, "2026-10-22 17:00", "2026-10-26 08:00", "2026-10-22 17:00:00"),
        # A wait that was over before the promise came: the source moved it then, or had no need to.
        (earlier(("2026-10-07 08:00", "2026-10-09 08:00")), "2026-10-13 08:00", "2026-10-14 08:00", f"{DUE}:00"),
        (earlier(("2026-10-07 08:00", "2026-10-15 17:00")), DUE, None, f"{DUE}:00"),
        # Several, each within the promise that the one before left.
        (
            earlier(("2026-10-12 08:00", "2026-10-19 08:00"), ("2026-10-20 08:00", "2026-10-21 08:00")),
            "2026-10-22 17:00",
            "2026-10-23 08:00",
            "2026-10-26 08:00:00",
        ),
    ],
)
def test_a_promise_and_several_waits(waits: str, requested: str, answered: str | None, expected: str) -> None:
    table = facts(requested, answered).assign(earlier_waits=pd.Series([waits], dtype="category"))
    assert due(table) == expected


def test_promises_of_one_batch_move_each_for_itself() -> None:
    table = pd.concat(
        [
            facts("2026-10-20 08:00", "2026-10-21 08:00").assign(earlier_waits=CAME_WITHIN),
            facts(None, None),
            facts(BEFORE, AFTER),
            facts(None, None).assign(received_at=pd.NaT),
            facts("2026-10-20 08:00", None).assign(earlier_waits=CAME_WITHIN, due_original=pd.NaT),
        ],
        ignore_index=True,
    ).astype({"earlier_waits": "category", "due_original": "datetime64[us, UTC]", "received_at": "datetime64[us, UTC]"})
    found = due_instant(table, CALENDAR, table["due_original"], "stopped").dt.tz_convert(CALENDAR.zone)
    days = found.dt.strftime("%d/%m %H:%M:%S").fillna("none").tolist()
    assert days == ["23/10 17:00:00", "15/10 17:00:00", "16/10 07:30:01", "none", "none"]
