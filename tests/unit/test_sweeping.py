"""The plan of a fetch that asks for changes: where it begins, when everything is listed, what the cursor holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Cursor
from connectors.sweeping import CursorValue, SweepOptions, SweepPlan, scope_of, wall_clock

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=10)


def plan(cursor: Cursor | None, now: datetime = NOW, **changes: Any) -> SweepPlan:
    settings: dict[str, Any] = {"scope": "a", "sweep_every": DAY, "overlap": OVERLAP, **changes}
    return SweepPlan.begin(cursor, now=now, **settings)


def stored(cursor: Cursor) -> Cursor:
    """What the store gives back of a cursor."""
    kept: Cursor = json.loads(json.dumps(cursor))
    return kept


def test_the_first_fetch_lists_everything() -> None:
    assert plan(None).is_sweep


def test_the_next_fetch_begins_an_overlap_before_the_upper_end_of_the_last() -> None:
    cursor = stored(plan(None).finished(NOW))
    later = plan(cursor, NOW + timedelta(hours=1))
    assert not later.is_sweep
    assert later.since == NOW - OVERLAP


@pytest.mark.parametrize(
    ("upto", "overlap", "since"),
    [
        (2**63, 100, 2**63 - 100),
        ("2026-11-20#0007", OVERLAP, "2026-11-20#0007"),
        (datetime.fromisoformat("2026-11-20T10:00:00+07:00"), OVERLAP, NOW - OVERLAP),
        (NOW.replace(microsecond=123456), timedelta(seconds=1), NOW.replace(microsecond=123456) - timedelta(seconds=1)),
    ],
)
def test_numbers_and_texts_are_cursors_too(upto: CursorValue, overlap: timedelta | int, since: CursorValue) -> None:
    cursor = stored(plan(None).finished(upto))
    assert plan(cursor, NOW + timedelta(seconds=1), overlap=overlap).since == since


@pytest.mark.parametrize(
    ("pause", "is_sweep"),
    [(timedelta(0), False), (DAY - timedelta(seconds=1), False), (DAY, True), (3 * DAY, True), (-DAY, True)],
)
def test_everything_is_listed_when_the_last_sweep_is_too_old_or_lies_in_the_future(
    pause: timedelta, is_sweep: bool
) -> None:
    assert plan(stored(plan(None).finished(NOW)), NOW + pause).is_sweep is is_sweep


def test_everything_is_listed_when_changes_would_be_asked_for_from_a_time_to_come() -> None:
    swept = plan(None).finished(NOW)
    ahead = plan(stored(swept), NOW + timedelta(hours=3)).finished(NOW + timedelta(hours=3))
    set_back = NOW + timedelta(hours=1)
    assert plan(stored(ahead), set_back).is_sweep
    assert not plan(stored(ahead), set_back, clock=NOW + timedelta(hours=3)).is_sweep, "the source's own clock goes on"
    assert plan(stored(swept), set_back, clock=NOW - timedelta(seconds=1)).is_sweep
    assert not plan(stored(plan(None).finished(2**63)), set_back).is_sweep


@given(
    changed=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    earlier=st.timedeltas(timedelta(0), timedelta(days=3)),
    zone=st.sampled_from(["Asia/Ho_Chi_Minh", "Europe/Paris", "America/Chicago", "Australia/Lord_Howe", "UTC"]),
)
def test_the_wall_clock_of_a_start_is_never_later_than_that_of_what_comes_after_it(
    changed: datetime, earlier: timedelta, zone: str
) -> None:
    stamped = changed.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert wall_clock(changed - earlier, ZoneInfo(zone)) <= stamped


def test_the_wall_clock_is_an_hour_early_only_on_the_day_before_clocks_are_set_back() -> None:
    paris, fall_back = ZoneInfo("Europe/Paris"), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    shown = [wall_clock(fall_back + timedelta(minutes=minutes), paris) for minutes in (-25 * 60, -1, 0)]
    assert shown == [datetime(2026, 10, 24, 2, 0), datetime(2026, 10, 25, 1, 59), datetime(2026, 10, 25, 2, 0)]


def test_asking_for_changes_does_not_put_the_sweep_off() -> None:
    cursor = plan(None).finished(NOW)
    for hour in range(1, 24):
        now = NOW + timedelta(hours=hour)
        asked = plan(stored(cursor), now)
        assert not asked.is_sweep
        cursor = asked.finished(now)
    assert plan(stored(cursor), NOW + DAY).is_sweep


@pytest.mark.parametrize(
    "cursor",
    [
        {},
        {"version": 1, "scope": "a"},
        {"version": 1, "scope": "a", "since": 7, "swept_at": NOW.isoformat()},
        {"version": 1, "scope": "a", "since": {"instant": "gestern"}, "swept_at": NOW.isoformat()},
        {"version": 1, "scope": "a", "since": {"number": 7}, "swept_at": None},
        {"version": 0, "scope": "a", "since": {"number": 7}, "swept_at": NOW.isoformat()},
        {"version": 1, "scope": "b", "since": {"number": 7}, "swept_at": NOW.isoformat()},
    ],
)
def test_a_cursor_that_is_of_other_settings_or_unreadable_is_as_none(cursor: Cursor) -> None:
    assert plan(cursor).is_sweep


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give an aware one"):
        plan(None).finished(datetime(2026, 11, 20))


class Options(SweepOptions):
    url: str = "a"
    table: str = "t"


def test_the_scope_knows_what_decides_the_content_and_the_key_of_applicants() -> None:
    def scope(key: bytes | None = None, **changes: Any) -> str:
        return scope_of(Options(**changes), key, beside={"url"})

    assert scope() == scope(url="b")
    assert len({scope(), scope(table="u"), scope(key=b"1"), scope(key=b"2"), scope(lists_all_open=True)}) == 5

    def at(host: str) -> str:
        return scope_of(Options(), None, beside={"url"}, host=host)

    assert len({scope(), at("a.example"), at("b.example")}) == 3
    assert at("a.example") == at("A.example")


@settings(deadline=None)
@given(
    commits=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 600)), max_size=30),
    fetches=st.lists(st.integers(1, 900), min_size=1, max_size=20),
)
def test_no_row_is_lost_that_is_committed_within_the_overlap_of_its_time(
    commits: list[tuple[int, int]], fetches: list[int]
) -> None:
    """Rows bear a time (seconds) and become visible up to ten minutes after it; fetches come whenever they come."""
    cursor: Cursor | None = None
    found: set[int] = set()
    now = 0
    for pause in fetches:
        now += pause
        asked = plan(cursor, NOW + timedelta(seconds=now), sweep_every=100 * DAY)
        for number, (time, delay) in enumerate(commits):
            visible = time + delay <= now
            since = asked.since
            if visible and (since is None or (isinstance(since, datetime) and NOW + timedelta(seconds=time) >= since)):
                found.add(number)
        cursor = stored(asked.finished(asked.begun))
        assert found == {number for number, (time, delay) in enumerate(commits) if time + delay <= now}
