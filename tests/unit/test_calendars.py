"""What a calendar file may hold: hours that change on a date, units that work otherwise, days with documents."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tthc_monitor.domain.calendar_decreed import decreed_until, warnings
from tthc_monitor.domain.calendar_evidence import days_crossed
from tthc_monitor.domain.calendar_variants import Change, Variant
from tthc_monitor.domain.calendars import Calendars, CalendarSpec
from tthc_monitor.domain.errors import CalendarError, ConfigError
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate

QUARTER = (date(2026, 1, 1), date(2026, 4, 1))
MINIMAL = 'name: Thử\nzone: Asia/Ho_Chi_Minh\nweek: {mon: [["07:30", "11:30"]]}\n'


def load(extra: str = "", base: str = MINIMAL) -> CalendarSpec:
    return validate(CalendarSpec, parse_yaml(base + extra, "calendar.yaml"))


def test_short_form_of_a_day_off() -> None:
    spec = load('days_off: [2026-01-05, "2026-01-12", {date: 2026-01-19, name: lụt}]')
    assert [day.date.day for day in spec.days_off] == [5, 12, 19]
    assert not spec.compile().is_workday(date(2026, 1, 5))


def test_days_off_and_overrides_may_be_left_out() -> None:
    assert load().compile().is_workday(date(2026, 1, 5))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", 13:30]]}', "quotes"),
        ('name: x\nzone: UTC\nweek: {monday: [["07:30", "11:30"]]}', "'mon', 'tue'"),
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", "25:00"]]}', "25:00"),
        ('name: x\nzone: UTC\nweek: {mon: [["11:30", "07:30"]]}', "not after"),
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", "11:30"], ["11:00", "12:00"]]}', "overlap"),
        ('name: x\nzone: Asia/Hanoi_X\nweek: {mon: [["07:30", "11:30"]]}', "Asia/Hanoi_X"),
        ("name: x\nzone: UTC\nweek: {}", "no working time"),
        (MINIMAL + "holidays: []", "unknown key 'holidays'"),
        (MINIMAL + "days_off: [{date: 2026-01-01, nmae: x}]", "nmae"),
        (MINIMAL + "days_off: [20260101]", "write it as 2026-01-31"),
        (MINIMAL + "days_off: [2026-01-01, 2026-01-01]", "stands twice"),
        (MINIMAL + "days_off: [1926-01-01]", "correct the year"),
        (MINIMAL + "overrides: [{date: 2026-01-01}]", "hours' is missing"),
        (MINIMAL + 'overrides: [{date: 2026-01-03, like: mon, hours: [["07:30", "11:30"]]}]', "give hours, or the"),
        (MINIMAL + "overrides: [{date: 2026-01-03, like: sun}]", "a day without hours"),
        (MINIMAL + "weeks: [{from: 2026-06-01, week: {}}, {from: 2026-06-01, week: {}}]", "stands twice"),
        (MINIMAL + "decreed_until: 2026", "write it as 2026-01-31"),
        (MINIMAL + "units: [{codes: [], name: x}]", "units.0.codes"),
        (MINIMAL + "units: [{codes: [A], name: x, week: {}}]", "no working time"),
        (MINIMAL + "units: [{codes: [A], name: x, zone: UTC}]", "unknown key 'units.0.zone'"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(document: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(base=document)
    assert "calendar.yaml:" in str(caught.value)


UNITS = """name: Thử
zone: Asia/Ho_Chi_Minh
week: {mon: [["07:30", "11:30"]], tue: [["07:30", "11:30"]], wed: [["07:30", "11:30"]]}
weeks:
  - {from: 2026-06-01, week: {mon: [["07:00", "11:00"]], tue: [["07:00", "11:00"]]}}
days_off: [{date: 2026-01-05, name: Nghỉ hoán đổi, document: CV 1}]
overrides: [{date: 2026-01-10, name: Làm bù, document: CV 1, like: mon}]
units:
  - codes: [H99.01, H99.02]
    name: Hai xã ngập lụt
    document: QĐ 2
    days_off: [{date: 2026-01-06, name: Ngập lụt}, 2026-01-10]
    overrides: [{date: 2026-01-05, hours: [["08:00", "09:00"]], name: Trực}]
  - codes: [H99.03]
    name: Xã biên giới
    week: {mon: [["08:00", "10:00"]], sat: [["08:00", "11:00"]]}
  - codes: [H99.04]
    name: Phường giờ hè
    weeks: [{from: 2026-05-01, week: {mon: [["06:30", "10:30"]]}}]
"""


SPEC = load(base=UNITS)
CALENDARS = SPEC.compile_all()


def worked(calendar: WorkCalendar, day: date) -> float:
    """Working hours of one day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=7)
    return calendar.elapsed(start, start + timedelta(days=1)) / 3600


@pytest.mark.parametrize(
    ("unit", "day", "hours"),
    [
        (None, date(2026, 1, 5), 0),
        (None, date(2026, 1, 6), 4),
        (None, date(2026, 1, 10), 4),  # thứ Bảy làm bù, giờ của thứ Hai
        (None, date(2026, 5, 27), 4),  # thứ Tư cuối cùng trước giờ hè
        (None, date(2026, 6, 3), 0),
        ("H99.01", date(2026, 1, 5), 1),  # cơ quan nghỉ, xã trực một giờ
        ("H99.02", date(2026, 1, 6), 0),
        ("H99.02", date(2026, 1, 10), 0),  # cơ quan làm bù, xã nghỉ
        ("H99.02", date(2026, 1, 7), 4),
        ("H99.03", date(2026, 1, 6), 0),
        ("H99.03", date(2026, 1, 17), 3),  # sáng thứ Bảy
        ("H99.03", date(2026, 1, 10), 2),  # làm bù theo giờ thứ Hai của chính xã
        ("H99.03", date(2026, 6, 8), 2),  # giờ riêng không đổi theo giờ hè chung
        ("H99.04", date(2026, 4, 29), 4),
        ("H99.04", date(2026, 5, 6), 0),
        ("H99.04", date(2026, 6, 8), 4),
        ("H99.99", date(2026, 1, 6), 4),
    ],
)
def test_hours_of_units(unit: str | None, day: date, hours: float) -> None:
    assert worked(CALENDARS.of_unit(unit), day) == hours


@pytest.mark.parametrize(("minute", "seconds"), [(59, 60), (60, 0)])
def test_summer_hours_begin_with_their_first_day(minute: int, seconds: int) -> None:
    calendar = load(base=UNITS).compile()
    on_monday = datetime(2026, 6, 1, 3, 0, tzinfo=UTC) + timedelta(minutes=minute)  # 10:59 and 11:00
    assert calendar.elapsed(on_monday, datetime(2026, 6, 1, 12, tzinfo=UTC)) == seconds
    a_week_before = on_monday - timedelta(days=7)
    assert calendar.elapsed(a_week_before, datetime(2026, 5, 25, 12, tzinfo=UTC)) == seconds + 1800


OLD = {"mon": [("07:30", "11:30"), ("13:30", "17:00")], "thu": [("22:00", "24:00")]}
NEW = {"mon": [("07:00", "11:00")], "sat": [("00:00", "06:00")]}


@settings(deadline=None)
@given(st.dates(date(2026, 1, 2), date(2026, 3, 30)), st.sampled_from(["Asia/Ho_Chi_Minh", "America/New_York"]))
def test_before_the_day_only_the_old_week_counts_and_from_it_on_only_the_new_one(changed: date, zone: str) -> None:
    """Also where the clocks are set forward on 8 March."""
    both = WorkCalendar(zone, OLD, horizon=QUARTER, weeks=[(changed, NEW)])
    old, new = (WorkCalendar(zone, week, horizon=QUARTER) for week in (OLD, NEW))
    first, last = both.bounds
    change = datetime(changed.year, changed.month, changed.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert both.elapsed(first, change) == old.elapsed(first, change)
    assert both.elapsed(change, last) == new.elapsed(change, last)


def test_weeks_that_begin_on_one_day_and_weeks_beyond_the_horizon_are_refused() -> None:
    with pytest.raises(CalendarError, match="two weeks begin on 2026-01-05"):
        WorkCalendar("UTC", OLD, weeks=[(date(2026, 1, 5), NEW), (date(2026, 1, 5), OLD)])
    with pytest.raises(CalendarError, match="2026-06-01 is no day from"):
        WorkCalendar("UTC", OLD, weeks=[(date(2026, 6, 1), NEW)], horizon=QUARTER)
    with pytest.raises(CalendarError, match="2026-01-05 sat"):
        WorkCalendar("UTC", OLD, weeks=[(date(2026, 1, 5), {"sat": [("09:00", "08:00")]})])


def test_the_calendar_of_the_document_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "calendars.md").read_text("utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    kept = load(base=found[1])
    assert kept.compile_all().codes == ("H99.07", "H99.08")


def test_a_unit_code_in_two_places_is_refused_with_its_line() -> None:
    twice = UNITS.replace("codes: [H99.03]", "codes:\n      - H99.03\n      - H99.02")
    with pytest.raises(ConfigError) as caught:
        load(base=twice.replace("name: Xã biên giới", "name: Hai xã ngập lụt"))
    assert str(caught.value).splitlines() == [
        "calendar.yaml:16: 'units.1.codes.1': unit 'H99.02' stands twice among the units; remove one of the two",
        "calendar.yaml:17: 'units.1.name': name 'Hai xã ngập lụt' stands twice among the units; change one of the two",
    ]


def test_all_problems_of_a_calendar_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            base='name: x\nzone: Asia/X\nweek:\n  mon: [["09:00", "08:00"]]\ndays_off: [2026-01-01, 1800-01-01, "2026-02-30"]'
        )
    assert sorted(str(problem).split(": ")[0] for problem in caught.value.problems) == [
        "calendar.yaml:2", "calendar.yaml:4", "calendar.yaml:5", "calendar.yaml:5",
    ]  # fmt: skip


def test_a_calendar_reads_back_from_what_is_kept_of_it() -> None:
    spec = load("decreed_until: 2026-12-31", base=UNITS)
    kept = spec.model_dump(mode="json")
    assert kept["weeks"][0]["from"] == "2026-06-01"
    assert validate(CalendarSpec, Document("kept", kept, {})) == spec


# -- fingerprints ----------------------------------------------------------------------------------------------------


def test_a_fingerprint_depends_on_hours_and_days_of_every_unit_and_on_nothing_else() -> None:
    same = load(base=UNITS).compile_all()
    assert load(base=UNITS).compile_all() == same
    assert load(base=UNITS.replace("name: Ngập lụt", "name: Bão")).compile_all().fingerprint == same.fingerprint
    changed = {
        load(base=UNITS.replace(before, after)).compile_all().fingerprint
        for before, after in (
            ("2026-01-06", "2026-01-07"), ("H99.02", "H99.05"), ("2026-06-01", "2026-06-08"), ('"10:30"', '"10:31"'),
            ("[{date: 2026-01-05, name: Nghỉ", "[{date: 2026-01-12, name: Nghỉ"),
        )
    }  # fmt: skip
    assert len(changed | {same.fingerprint}) == 6


def test_without_units_the_fingerprint_is_that_of_the_office_at_large() -> None:
    spec = load()
    assert spec.compile_all().fingerprint == spec.compile().fingerprint
    assert spec.compile_all().codes == ()


# -- units -----------------------------------------------------------------------------------------------------------

CODES = st.lists(
    st.one_of(st.none(), st.sampled_from(["H99.01", "H99.02", "H99.03", "H99.04", "H99", "x"])), max_size=30
)


@settings(deadline=None, max_examples=50)
@given(CODES, st.booleans())
def test_each_row_is_in_the_part_of_its_own_calendar(codes: list[str | None], categorical: bool) -> None:
    kept = CALENDARS
    series = pd.Series(codes, index=np.arange(len(codes))[::-1] * 3, dtype=object)
    parts = kept.partition(series.astype("category") if categorical else series)
    assert all(mask.any() for _, mask in parts)
    assert len({calendar.fingerprint for calendar, _ in parts}) == len(parts)
    for row, code in series.items():
        assert [calendar for calendar, mask in parts if mask.loc[row]] == [kept.of_unit(code)]


def test_without_variants_all_rows_are_in_one_part() -> None:
    ((calendar, mask),) = load().compile_all().partition(pd.Series(["H99.01", None], index=[7, 3]))
    assert calendar == load().compile()
    assert (mask.index.tolist(), mask.tolist()) == ([7, 3], [True, True])


def test_units_with_two_calendars_or_two_zones_are_refused() -> None:
    mon = {"mon": [("07:30", "11:30")]}
    here, there = WorkCalendar("Asia/Ho_Chi_Minh", mon), WorkCalendar("UTC", mon)
    with pytest.raises(CalendarError, match="unit 'A' has two calendars"):
        Calendars(here, (Variant("x", ("C", "A"), here), Variant("y", ("B", "A"), here)))
    with pytest.raises(CalendarError, match="different zones"):
        Calendars(here, (Variant("x", ("A",), there),))


# -- changes ---------------------------------------------------------------------------------------------------------

NAMED = ("H99.01", "H99.02", "H99.03", "H99.04")


def changes(text: str, base: str = UNITS) -> list[Change]:
    return load(base=base).compile_all().changes(load(base=text).compile_all())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Ngập lụt", "Bão", []),
        # Một xã thêm một ngày nghỉ: chỉ hai đơn vị ấy.
        (
            "name: Ngập lụt}", "name: Ngập lụt}, 2026-01-07",
            [Change(("H99.01", "H99.02"), date(2026, 1, 7), date(2026, 1, 7), 1)],
        ),
        # Bỏ ngày nghỉ chung: mọi đơn vị, trừ nơi đã có giờ riêng ngày ấy.
        (
            "days_off: [{date: 2026-01-05, name: Nghỉ hoán đổi, document: CV 1}]", "",
            [
                Change(None, date(2026, 1, 5), date(2026, 1, 5), 1, but=NAMED),
                Change(("H99.03",), date(2026, 1, 5), date(2026, 1, 5), 1),
                Change(("H99.04",), date(2026, 1, 5), date(2026, 1, 5), 1),
            ],
        ),
        # Một đơn vị ra khỏi nhóm: các ngày riêng của nó, 05, 06 và 10/01.
        ("[H99.01, H99.02]", "[H99.01]", [Change(("H99.02",), date(2026, 1, 5), date(2026, 1, 10), 3)]),
        # Giờ viết cách khác mà thời gian như nhau.
        ('tue: [["07:30", "11:30"]], wed', 'tue: [["07:30", "09:00"], ["09:00", "11:30"]], wed', []),
    ],
)  # fmt: skip
def test_changed_days_by_unit(before: str, after: str, expected: list[Change]) -> None:
    assert UNITS.count(before) == 1
    assert changes(UNITS.replace(before, after)) == expected


def test_other_hours_from_a_day_on_are_one_change_until_the_end() -> None:
    found = changes(UNITS.replace('sat: [["08:00", "11:00"]]', 'sat: [["08:00", "11:01"]]'))
    assert [(one.codes, one.first_day, one.last_day) for one in found] == [
        (("H99.03",), date(1990, 1, 6), date(2026, 1, 3)),
        (("H99.03",), date(2026, 1, 17), date(2060, 12, 25)),  # thứ Bảy 10/01 có giờ riêng, không đổi
    ]


def test_another_zone_changes_everything() -> None:
    found = changes(MINIMAL.replace("Asia/Ho_Chi_Minh", "UTC"), MINIMAL)
    days = (date(2061, 1, 1) - date(1990, 1, 1)).days
    assert found == [Change(None, date(1990, 1, 1), date(2060, 12, 31), days)]


def test_changed_days_with_nothing_but_rest_between_are_one_change() -> None:
    mondays = changes(
        MINIMAL + "days_off: [2026-01-05, 2026-01-19, 2026-01-26, 2026-02-02]", MINIMAL + "days_off: [2026-01-26]"
    )
    assert mondays == [
        Change(None, date(2026, 1, 5), date(2026, 1, 5), 1),
        Change(None, date(2026, 1, 19), date(2026, 2, 2), 2),
    ]
    # The day after the first one is worked in both.
    two_days = MINIMAL.replace("]]}", ']], tue: [["07:30", "11:30"]]}')
    found = changes(
        two_days + "days_off: [2026-01-05, 2026-01-12, 2026-01-13, 2026-01-19]",
        two_days + "days_off: [2026-01-12, 2026-01-13]",
    )
    assert [(one.first_day.day, one.last_day.day, one.days) for one in found] == [(5, 5, 1), (19, 19, 1)]


@settings(deadline=None, max_examples=50)
@given(st.sets(st.dates(date(2026, 1, 1), date(2026, 3, 31))), st.sets(st.dates(date(2026, 1, 1), date(2026, 3, 31))))
def test_no_working_time_differs_outside_the_changes(before: set[date], after: set[date]) -> None:
    week = {day: [("07:30", "11:30")] for day in ("mon", "tue", "wed", "thu", "fri")}
    old, new = (Calendars(WorkCalendar("Asia/Ho_Chi_Minh", week, days, horizon=QUARTER)) for days in (before, after))
    found = old.changes(new)
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(90)]
    differ = {day for day in days if old.default.is_workday(day) != new.default.is_workday(day)}
    assert differ <= {day for day in days if any(one.first_day <= day <= one.last_day for one in found)}
    assert sum(one.days for one in found) == len(differ)
    assert {edge for one in found for edge in (one.first_day, one.last_day)} <= differ
    assert all(first.last_day < second.first_day for first, second in pairwise(found))


# -- evidence --------------------------------------------------------------------------------------------------------


def crossed(unit: str | None, start: str, end: str) -> list[tuple[object, ...]]:
    spec = load(base=UNITS)
    found = days_crossed(spec, unit, datetime.fromisoformat(start + "+07:00"), datetime.fromisoformat(end + "+07:00"))
    return [(one.kind, one.first_day.day, one.days, one.name, one.document, one.of_unit) for one in found]


@pytest.mark.parametrize(
    ("unit", "start", "end", "expected"),
    [
        (None, "2026-01-05T00:00", "2026-01-05T00:00:00.000001", [("off", 5, 1, "Nghỉ hoán đổi", "CV 1", False)]),
        (None, "2026-01-05T12:00", "2026-01-05T12:00", []),
        (None, "2026-01-04T23:59", "2026-01-05T00:00", [("weekly_rest", 4, 1, None, None, False)]),
        (None, "2026-01-05T00:00", "2026-01-05T00:00", []),
        (None, "2026-01-06T00:00", "2026-01-05T00:00", []),
        (
            None, "2026-01-05T08:00", "2026-01-11T08:00",
            [
                ("off", 5, 1, "Nghỉ hoán đổi", "CV 1", False), ("worked", 10, 1, "Làm bù", "CV 1", False),
                ("weekly_rest", 8, 3, None, None, False),
            ],
        ),
        (
            "H99.02", "2026-01-05T08:00", "2026-01-10T08:00",
            [
                ("hours", 5, 1, "Trực", "QĐ 2", True), ("off", 6, 1, "Ngập lụt", "QĐ 2", True),
                ("off", 10, 1, None, "QĐ 2", True), ("weekly_rest", 8, 2, None, None, False),
            ],
        ),
    ],
)  # fmt: skip
def test_days_between_two_instants(unit: str | None, start: str, end: str, expected: list[tuple[object, ...]]) -> None:
    assert crossed(unit, start, end) == expected


def test_the_document_of_a_unit_is_not_told_of_the_offices_days() -> None:
    spec = CalendarSpec.model_validate(
        {
            "name": "x",
            "zone": "UTC",
            "week": {"tue": [["08:00", "12:00"]]},
            "days_off": [{"date": "2026-01-06", "name": "Tết"}],
            "units": [
                {"codes": ["H99"], "name": "lũ", "document": "CV 9", "days_off": [{"date": "2026-01-13", "name": "lũ"}]}
            ],
        }
    )
    found = days_crossed(spec, "H99", datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 14, tzinfo=UTC))
    told = [(one.first_day.day, one.document) for one in found if one.kind == "off"]
    assert told == [(6, None), (13, "CV 9")]


def test_a_day_off_on_a_day_of_rest_is_told_and_marked_as_of_no_effect() -> None:
    spec = load("days_off: [{date: 2026-01-06, name: Tết}]")
    found = days_crossed(spec, None, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC))
    assert [(one.kind, one.counts, one.days) for one in found] == [("off", False, 1), ("weekly_rest", True, 1)]


def test_naive_instants_are_refused() -> None:
    with pytest.raises(CalendarError, match="zone"):
        days_crossed(load(), None, datetime(2026, 1, 5), datetime(2026, 1, 6, tzinfo=UTC))


@settings(deadline=None, max_examples=50)
@given(st.datetimes(datetime(2025, 12, 20), datetime(2026, 7, 1)), st.integers(0, 60), st.sampled_from([None, *NAMED]))
def test_working_days_are_all_days_less_those_off_and_of_rest(start: datetime, days: int, unit: str | None) -> None:
    first = start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC) - timedelta(hours=7)
    found = days_crossed(SPEC, unit, first, first + timedelta(days=days))
    away = sum(one.days for one in found if one.kind in ("off", "weekly_rest"))
    calendar = CALENDARS.of_unit(unit)
    assert days - away == calendar.count_workdays(
        start.date() - timedelta(days=1), start.date() + timedelta(days=days - 1)
    )


# -- until when days off are decreed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (date(2026, 11, 1), []),  # còn đúng 60 ngày
        (date(2026, 11, 2), ["comes in 59 days"]),
        (date(2026, 12, 31), ["comes in 0 days"]),
        (date(2027, 1, 1), ["passed 1 days ago"]),
    ],
)
def test_the_warning_comes_before_the_last_decreed_day(today: date, told: list[str]) -> None:
    found = warnings(load("decreed_until: 2026-12-31"), today)
    assert len(found) == len(told)
    assert all(words in warning for words, warning in zip(told, found, strict=True))
    assert all("tthc-monitor calendar import" in warning for warning in found)


def test_a_calendar_that_does_not_say_is_warned_about() -> None:
    assert "add decreed_until" in warnings(load(), date(2026, 1, 1))[0]
    assert decreed_until(load()) is None


def test_the_last_decreed_day_ends_at_midnight_of_the_calendar() -> None:
    assert decreed_until(load("decreed_until: 2026-12-31")) == datetime(2026, 12, 31, 17, tzinfo=UTC)
