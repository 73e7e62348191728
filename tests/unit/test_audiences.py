"""Whom a recipient is told of, and on which days: units below by the register, working days by the units' calendars."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tthc_monitor.audiences import audience_of, calendars_of, works_on
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.schedules import OnAnyWorkingDay
from tthc_monitor.domain.units import Succession, UnitRegister, UnitVersion
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.recipient_settings import Recipient

MERGER = date(2025, 7, 1)
SPLIT = date(2026, 3, 1)
UNTIL = date(2026, 6, 1)
REGISTER = UnitRegister(
    [
        UnitVersion("H99", "Tỉnh Mẫu", "province"),
        UnitVersion("H99.01", "Sở Xây dựng", "department", "H99", None, MERGER),
        UnitVersion("H99.02", "Sở Giao thông", "department", "H99", None, MERGER),
        UnitVersion("H99.05", "Sở Xây dựng mới", "department", "H99", MERGER),
        # An office that moved to the new department, one that ended with its own, one that moved on later.
        UnitVersion("H99.01.1", "Chi cục Một", "branch", "H99.01", None, MERGER),
        UnitVersion("H99.01.1", "Chi cục Một", "branch", "H99.05", MERGER),
        UnitVersion("H99.02.1", "Chi cục Hai", "branch", "H99.02", None, MERGER),
        UnitVersion("H99.05.1", "Chi cục Ba", "branch", "H99.05", SPLIT, UNTIL),
        UnitVersion("H99.05.1", "Chi cục Ba", "branch", "H99", UNTIL),
    ],
    [Succession("H99.01", "H99.05", MERGER, "NQ 1"), Succession("H99.02", "H99.05", MERGER, "NQ 1")],
)


def person(**fields: object) -> Recipient:
    return Recipient.model_validate({"address": "a@mau.vn"} | fields)


def below(code: str, day: date) -> set[str]:
    units = audience_of(person(units=[code], subtree=True), REGISTER, day).units
    assert units is not None
    return set(units)


def test_what_lies_below_a_unit_is_told_by_the_versions_in_force_that_day() -> None:
    before, after = MERGER - timedelta(days=1), MERGER
    assert below("H99.01", before) == {"H99.01", "H99.01.1"}
    assert below("H99.05", before) == {"H99.05"}
    # After the merger the office answers to the new department; who was merged is not below the one who took over.
    assert below("H99.05", after) == {"H99.05", "H99.01.1"}
    assert below("H99.05", SPLIT) == {"H99.05", "H99.01.1", "H99.05.1"}
    assert below("H99.05", UNTIL) == {"H99.05", "H99.01.1"}


def test_what_has_ended_stays_below_the_last_it_answered_to_as_its_dossiers_may_be_open() -> None:
    assert below("H99", UNTIL) == set(REGISTER.codes)
    assert below("H99.02", UNTIL) == {"H99.02", "H99.02.1"}
    assert "H99.05.1" not in below("H99", SPLIT - timedelta(days=1)), "not yet there"


def test_codes_that_nobody_knows_are_kept_so_that_the_digest_warns_of_them() -> None:
    assert below("H99.77", UNTIL) == {"H99.77"}
    assert audience_of(person(units=["H99.77", "H99.01"]), REGISTER, UNTIL).units == {"H99.77", "H99.01"}


def test_a_loop_among_parents_ends() -> None:
    loop = UnitRegister([UnitVersion("A", "A", "other", "B"), UnitVersion("B", "B", "other", "A")])
    assert audience_of(person(units=["A"], subtree=True), loop, UNTIL).units == {"A", "B"}


def test_role_sectors_and_title_are_the_recipients() -> None:
    assert audience_of(person(), REGISTER, UNTIL) == Audience()
    assert audience_of(person(role="inspector", sectors=["H99-HT"]), REGISTER, UNTIL) == Audience(
        None, frozenset({"H99-HT"}), "inspector"
    )
    titles = {
        unit: audience_of(person(units=[unit], subtree=True), REGISTER, UNTIL).title for unit in ("H99.05", "H99.77")
    }
    assert titles == {"H99.05": "Sở Xây dựng mới và các đơn vị trực thuộc", "H99.77": None}


# -- on which days --------------------------------------------------------------------------------------------------

CALENDARS = CalendarSpec.model_validate(
    {
        "name": "mau",
        "zone": "Asia/Ho_Chi_Minh",
        "week": {day: [["07:30", "11:30"], ["13:30", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
        "days_off": [{"date": "2026-02-16"}, {"date": "2026-02-17"}, {"date": "2026-02-18"}, {"date": "2026-05-01"}],
        "overrides": [{"date": "2026-05-09", "like": "fri", "document": "hoán đổi"}],
        "units": [
            {
                "name": "thu-bay",
                "codes": ["H99.05"],
                "week": {"fri": [["07:30", "11:30"]], "sat": [["07:30", "11:30"]]},
            },
            {"name": "lu", "codes": ["H99.06"], "days_off": [{"date": "2026-10-14", "name": "lũ"}]},
        ],
    }
).compile_all()
SWAPPED, SATURDAY, FLOOD = date(2026, 5, 9), date(2026, 5, 16), date(2026, 10, 14)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("units", "day", "works"),
    [
        ([], SWAPPED, True),
        ([], SATURDAY, False),
        ([], date(2026, 2, 17), False),
        (["H99.05"], SATURDAY, True),
        (["H99.05"], date(2026, 5, 14), False),  # it works on Fridays and Saturdays only
        (["H99.01"], SATURDAY, False),
        (["H99.01", "H99.05"], SATURDAY, True),
        (["H99.01", "H99.05"], date(2026, 5, 14), True),
        (["H99.06"], FLOOD, False),
        (["H99.06", "H99.01"], FLOOD, True),
    ],
)
def test_a_recipient_is_at_work_when_any_of_his_own_units_is(units: list[str], day: date, works: bool) -> None:
    assert works_on(person(units=units), CALENDARS, day) is works


def test_units_below_his_own_do_not_call_him_in() -> None:
    assert not works_on(person(units=["H99"], subtree=True), CALENDARS, SATURDAY)


recipients = st.lists(
    st.lists(st.sampled_from(["H99.01", "H99.05", "H99.06"]), max_size=3, unique=True).map(lambda u: person(units=u)),
    min_size=1,
    max_size=4,
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda local: local.replace(tzinfo=ZONE))


@given(recipients, moments)
def test_each_local_day_has_at_most_one_slot_and_only_when_somebody_works(
    people: list[Recipient], start: datetime
) -> None:
    schedule = OnAnyWorkingDay(time(7, 30), calendars_of(people, CALENDARS))
    served: dict[int, list[date]] = {number: [] for number in range(len(people))}
    slots = set()
    for hours in range(0, 24 * 14, 5):
        now = start + timedelta(hours=hours)
        slot = schedule.slot(now)
        if slot is None:
            assert now.time() < time(7, 30) or not any(works_on(one, CALENDARS, now.date()) for one in people)
            continue
        assert slot <= now and slot.date() == now.date() and slot.time() == time(7, 30)
        if slot not in slots:
            slots.add(slot)
            for number, one in enumerate(people):
                if works_on(one, CALENDARS, slot.date()):
                    served[number].append(slot.date())
    assert len({slot.date() for slot in slots}) == len(slots)
    # Asked every five hours, each whole day is met after 07:30.
    days = [start.date() + timedelta(days=number) for number in range(1, 13)]
    for number, one in enumerate(people):
        assert [day for day in served[number] if day in days] == [d for d in days if works_on(one, CALENDARS, d)]


@given(recipients, moments)
def test_the_next_slot_is_one_when_its_time_has_come(people: list[Recipient], now: datetime) -> None:
    schedule = OnAnyWorkingDay(time(7, 30), calendars_of(people, CALENDARS))
    following = schedule.next_after(now)
    assert following is not None and following > now
    assert schedule.slot(following) == following
    before = following - timedelta(microseconds=1)
    assert schedule.slot(before) != following
