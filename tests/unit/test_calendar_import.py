"""Days from a table into a calendar file: what is refused, and that the text says exactly what was meant."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tthc_monitor.domain.calendar_import import ImportedDay, compare, read_days
from tthc_monitor.domain.calendar_text import with_days, with_decreed_until
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate
from tthc_monitor.settings import shipped_calendar

VN = validate(CalendarSpec, shipped_calendar("vn"))
HEADER = "date,kind,name,source,status\n"


def compared(rows: str, by: str | None = None) -> tuple[list[str], list[str], list[str]]:
    found = compare(VN, read_days(HEADER + rows, "x.csv", by), "x.csv")
    added, same, otherwise = ([str(day.date) for day in part] for part in (found.added, found.same, found.otherwise))
    return added, same, otherwise


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2027-01-01,work,Làm bù,CV 1,", "2027-01-01 is off in the calendar"),
        ("2027-01-04,work,Làm bù,CV 1,", "2027-01-04 is a working day of every week; remove the row"),
        ("2028-02-05,work,Làm bù thứ Bảy (thay cho 24/01/2028),CV 1,", "exchange for 24/01/2028, which is not off"),
        ("2028-02-30,off,Tết,CV 1,", "date '2028-02-30' is no day"),
        ("1928-01-02,off,Tết,CV 1,", "correct the year"),
        ("2026-01-10,off,Nghỉ,CV 1,", "2026-01-10 is worked in the calendar"),
        ("2028-02-05,work,Làm bù (thay cho ngày 31/02/2028),CV 1,", "which is not off"),
        ("2028-01-24,holiday,Tết,CV 1,", "kind 'holiday' is unknown; write off or work"),
        ("2028-01-24,off,,CV 1,", "the day has no name"),
        ("2028-01-24,off,Tết,,", "give it with --by"),
        ("2028-01-24,off,Tết,CV 1,\n2028-01-24,work,Tết,CV 1,", "stands already on line 2"),
    ],
)
def test_contradictions_and_mistakes_are_refused_with_their_line(rows: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compared(rows)
    assert message in str(caught.value)
    assert caught.value.problems[-1].line == rows.count("\n") + 2


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_days(HEADER + "x,y,,,\n2028-01-24,off,Tết,CV 1,\n2028-01-25,off,Tết,,\n", "x.csv")
    assert [problem.line for problem in caught.value.problems] == [2, 2, 2, 2, 4]
    with pytest.raises(ConfigError) as caught:
        read_days(HEADER + "2028-01-24,off,Tết,CV 1,\n2028-01-24,off,Tết,CV 1,\n2028-01-25,off,Tết,,\n", "x.csv")
    assert [problem.line for problem in caught.value.problems] == [3, 4]
    with pytest.raises(ConfigError) as caught:
        compared("2026-01-10,off,Nghỉ,CV 1,\n2027-01-01,work,Làm bù,CV 1,")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_days_lie_within_the_years_of_calendars() -> None:
    assert [str(day.date) for day in read_days(HEADER + "1990-01-01,off,Tết,CV 1,\n", "x.csv")] == ["1990-01-01"]
    with pytest.raises(ConfigError, match="2061-01-01 is no day from"):
        read_days(HEADER + "2061-01-01,off,Tết,CV 1,\n", "x.csv")


def test_a_day_may_be_worked_for_one_that_is_off_in_the_calendar_already() -> None:
    assert compared("2028-02-05,work,Làm bù (thay cho 01/01/2027),CV 1,") == (["2028-02-05"], [], [])


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(ConfigError, match="column 'kind' is missing"):
        read_days("date,name\n", "x.csv")


def test_rows_are_sorted_by_what_the_calendar_has_of_them() -> None:
    assert compared(
        "2028-01-26,off,Tết,CV 1,\n2027-01-01,off,Tết Dương lịch,BLLĐ 2019 Điều 112,\n2027-04-30,OFF,Khác,CV 1,\n"
        "2028-01-24,off,Hoán đổi,CV 1,\n2028-02-05,Working,Bù (thay cho 24/01/2028),CV 1,\n"
    ) == (["2028-01-24", "2028-01-26", "2028-02-05"], ["2027-01-01"], ["2027-04-30"])


def test_one_document_may_stand_behind_all_rows() -> None:
    days = read_days(HEADER + "2028-01-26,off,Tết,,\n2028-01-27,off,Tết,CV 1,\n", "x.csv", "CV 99")
    assert [day.document for day in days] == ["CV 99", "CV 99"]
    (day,) = read_days("date,kind,name\n2028-01-26,off,Tết\n", "x.csv", "CV 99")
    assert (day.document, day.remark) == ("CV 99", "")


# -- the text, whatever its form -------------------------------------------------------------------------------------

HEAD = 'name: x\nzone: UTC\nweek: {mon: [["07:30", "11:30"]]}\n'
FORMS = [
    HEAD,
    HEAD + "days_off: []\noverrides: []",
    HEAD + "days_off:\noverrides:\n",
    HEAD + "days_off: [2026-03-02, {date: 2026-05-04, name: 'a, [b'}]\ndecreed_until: 2026-12-31",
    HEAD
    + "days_off:\n- 2026-03-02\n- date: 2026-05-04\n  name: a\n\n# cuối\noverrides:\n    - {date: 2026-03-07, like: mon}\n",
    HEAD
    + "days_off:\n  # 2026\n  - 2026-03-02\n  # 2027\n  - 2027-03-01\nunits:\n  - {codes: [A], name: a, days_off: [2026-03-09]}\n",
]
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(deadline=None)
@given(
    st.sampled_from(FORMS),
    st.dictionaries(st.dates(date(2025, 12, 1), date(2028, 2, 1)), st.tuples(st.booleans(), NAMES, NAMES), max_size=8),
)
def test_exactly_the_days_given_are_added_to_a_text_of_any_form(
    text: str, given_days: dict[date, tuple[bool, str, str]]
) -> None:
    def days(written: str) -> dict[date, tuple[bool, str | None, str | None]]:
        document = parse_yaml(written, "x.yaml")
        data = document.data | {key: document.data.get(key) or [] for key in ("days_off", "overrides")}
        spec = validate(CalendarSpec, Document("x.yaml", data, document.lines))
        assert [one.date for one in spec.days_off] == sorted(one.date for one in spec.days_off)
        return {
            one.date: (works, one.name, one.document)
            for works, part in ((False, spec.days_off), (True, spec.overrides))
            for one in part
        }

    before = days(text)
    new = {day: value for day, value in given_days.items() if day not in before}
    rows_of = [
        ImportedDay(day, "work" if works else "off", name, document, "ghi chú", 2)
        for day, (works, name, document) in new.items()
    ]
    after = with_days(text, rows_of)
    assert days(after) == before | new
    assert [line for line in text.splitlines() if line.startswith("#") and line not in after.splitlines()] == []


@pytest.mark.parametrize("text", FORMS)
def test_the_last_decreed_day_is_replaced_or_added(text: str) -> None:
    changed = with_decreed_until(text, date(2028, 12, 31))
    assert yaml.safe_load(changed) == yaml.safe_load(text) | {"decreed_until": date(2028, 12, 31)}
