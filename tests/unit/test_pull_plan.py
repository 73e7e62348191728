"""When a source may be pulled."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tthc_monitor.domain.pull_plan import LONGEST_REST, QuietHours, quiet_pause, rest_after, rest_pause

ZONE = "Asia/Ho_Chi_Minh"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def hanoi(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def quiet(*written: str) -> list[QuietHours]:
    return [QuietHours(*(time.fromisoformat(part) for part in item.split("-"))) for item in written]


NOONS = ("11:30-13:00",)
NIGHTS = ("22:00-06:00",)
ROW = ("11:30-12:00", "12:00-13:00", "12:30-14:00")


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NOONS, "2026-01-05T11:29:59.999999", None),
        (NOONS, "2026-01-05T11:30:00", "2026-01-05T13:00:00"),
        (NOONS, "2026-01-05T12:59:59.999999", "2026-01-05T13:00:00"),
        (NOONS, "2026-01-05T13:00:00", None),
        (NIGHTS, "2026-01-05T21:59:59", None),
        (NIGHTS, "2026-01-05T22:00:00", "2026-01-06T06:00:00"),
        (NIGHTS, "2026-01-06T00:00:00", "2026-01-06T06:00:00"),
        (NIGHTS, "2026-01-06T05:59:59", "2026-01-06T06:00:00"),
        (NIGHTS, "2026-01-06T06:00:00", None),
        (ROW, "2026-01-05T11:45:00", "2026-01-05T14:00:00"),
        (ROW, "2026-01-05T13:59:00", "2026-01-05T14:00:00"),
        (NOONS + NIGHTS, "2026-01-05T23:00:00", "2026-01-06T06:00:00"),
        ((), "2026-01-05T12:00:00", None),
    ],
)
def test_quiet_hours_last_from_their_beginning_up_to_their_end(
    hours: tuple[str, ...], now: str, until: str | None
) -> None:
    pause = quiet_pause(hanoi(now), quiet(*hours), ZONE)
    assert (None if pause is None else pause.until) == (None if until is None else hanoi(until))
    assert pause is None or pause.reason == "quiet hours"


@pytest.mark.parametrize("hours", [NOONS, NIGHTS])
def test_at_their_end_quiet_hours_are_over(hours: tuple[str, ...]) -> None:
    (only,) = quiet(*hours)
    assert only.until(datetime.combine(NOW.date(), only.end, ZoneInfo(ZONE))) is None


@pytest.mark.parametrize(
    ("every", "rests"),
    [
        (10 * MINUTE, [0, 0, 0, 10, 20, 40, 60, 60]),
        (timedelta(seconds=30), [0, 0, 0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]),
        (DAY, [0, 0, 0, 60, 60]),
    ],
)
def test_a_source_that_fails_rests_twice_as_long_each_time_up_to_an_hour(every: timedelta, rests: list[float]) -> None:
    assert [rest_after(failures, every) / MINUTE for failures in range(len(rests))] == rests
    assert rest_after(100_000, every) == LONGEST_REST


@pytest.mark.parametrize(
    ("failures", "ago", "left"),
    [
        (0, None, None),
        (2, 0 * MINUTE, None),
        (3, 0 * MINUTE, 10 * MINUTE),
        (3, 9 * MINUTE, MINUTE),
        (3, 10 * MINUTE, None),
        (5, 10 * MINUTE, 30 * MINUTE),
        (99, 59 * MINUTE, MINUTE),
        (99, 0 * MINUTE, HOUR),
        (99, HOUR, None),
        # The clock was set back by a day: it is not the source that must wait.
        (99, -DAY, None),
    ],
)
def test_the_rest_begins_with_the_last_failure(failures: int, ago: timedelta | None, left: timedelta | None) -> None:
    pause = rest_pause(NOW, 10 * MINUTE, failures, None if ago is None else NOW - ago)
    assert (None if pause is None else pause.until - NOW) == left
    assert pause is None or pause.reason == "failures"
