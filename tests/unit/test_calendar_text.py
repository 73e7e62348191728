"""Where days go in the text of a calendar file: among their neighbours, as people would have written them."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest

from tthc_monitor.domain.calendar_import import ImportedDay
from tthc_monitor.domain.calendar_text import with_days, with_decreed_until
from tthc_monitor.domain.errors import ConfigError


def off(day: str, name: str = "Tết", remark: str = "", kind: Literal["off", "work"] = "off") -> ImportedDay:
    return ImportedDay(date.fromisoformat(day), kind, name, "CV 1", remark, 2)


def work(day: str, name: str = "Bù", remark: str = "") -> ImportedDay:
    return off(day, name, remark, "work")


BY_YEAR = """\
name: x
days_off:
  # 2026
  - 2026-03-02
  # giữa năm
  - {date: 2026-06-01, name: a}  # ghi

  # 2027
  - 2027-03-01

decreed_until: 2026-12-31
"""
SEVERAL_LINES = """\
name: x
days_off:
    - date: 2026-03-02
      name: a

    # cuối
overrides:
    - date: 2026-03-07
      hours:
        - ["07:30", "11:30"]
"""


def test_a_day_stands_in_its_year_after_what_comes_before_it() -> None:
    days = [off(day) for day in ("2028-01-24", "2026-02-01", "2026-09-02", "2027-01-01", "2026-04-30")]
    assert (
        with_days(BY_YEAR, days)
        == """\
name: x
days_off:
  # 2026
  - {date: 2026-02-01, name: "Tết", document: "CV 1"}
  - 2026-03-02
  - {date: 2026-04-30, name: "Tết", document: "CV 1"}
  # giữa năm
  - {date: 2026-06-01, name: a}  # ghi
  - {date: 2026-09-02, name: "Tết", document: "CV 1"}

  # 2027
  - {date: 2027-01-01, name: "Tết", document: "CV 1"}
  - 2027-03-01
  # 2028
  - {date: 2028-01-24, name: "Tết", document: "CV 1"}

decreed_until: 2026-12-31
"""
    )


def test_a_year_between_two_others_gets_a_heading_of_its_own() -> None:
    text = "days_off:\n  # 2026\n  - 2026-03-02\n  # 2028\n  - 2028-01-03\n"
    assert with_days(text, [off("2027-05-03")]) == (
        'days_off:\n  # 2026\n  - 2026-03-02\n  # 2027\n  - {date: 2027-05-03, name: "Tết", document: "CV 1"}\n'
        "  # 2028\n  - 2028-01-03\n"
    )


def test_a_day_keeps_the_indent_of_its_list_and_no_other_headings_are_made_than_there_are() -> None:
    assert with_days("name: x\ndays_off:\n- 2026-03-02", [off("2027-01-01"), off("2025-01-01")]) == (
        'name: x\ndays_off:\n- {date: 2025-01-01, name: "Tết", document: "CV 1"}\n- 2026-03-02\n'
        '- {date: 2027-01-01, name: "Tết", document: "CV 1"}\n'
    )


def test_a_day_comes_after_the_lines_of_the_one_before_it() -> None:
    days = [work("2026-03-14", remark="chắc  chắn\nlắm"), off("2026-03-03")]
    assert (
        with_days(SEVERAL_LINES, days)
        == """\
name: x
days_off:
    - date: 2026-03-02
      name: a
    - {date: 2026-03-03, name: "Tết", document: "CV 1"}

    # cuối
overrides:
    - date: 2026-03-07
      hours:
        - ["07:30", "11:30"]
    - {date: 2026-03-14, name: "Bù", document: "CV 1", like: mon}  # chắc chắn lắm
"""
    )


def test_a_list_on_one_line_becomes_one_of_a_line_each() -> None:
    text = "name: x\ndays_off: [2026-03-02, {date: 2026-05-04,\n   name: a}]  # hết\nzone: UTC"
    assert with_days(text, [off("2026-04-30")]) == (
        'name: x\ndays_off:\n  - 2026-03-02\n  - {date: 2026-04-30, name: "Tết", document: "CV 1"}\n'
        "  - {date: 2026-05-04, name: a}  # hết\nzone: UTC\n"
    )


@pytest.mark.parametrize(
    ("text", "day", "changed"),
    [
        (
            "name: x\ndays_off: []  # chưa có\nzone: UTC\n",
            off("2026-04-30"),
            'name: x\ndays_off:\n  - {date: 2026-04-30, name: "Tết", document: "CV 1"}  # chưa có\nzone: UTC\n',
        ),
        (
            "name: x\noverrides:\nzone: UTC\n\n",
            work("2026-05-09"),
            'name: x\nzone: UTC\n\noverrides:\n  - {date: 2026-05-09, name: "Bù", document: "CV 1", like: mon}\n',
        ),
        (
            "name: x\n\n\n",
            work("2026-05-09", 'a "b" \\ # c'),
            'name: x\n\noverrides:\n  - {date: 2026-05-09, name: "a \\"b\\" \\\\ # c", document: "CV 1", like: mon}\n',
        ),
    ],
)
def test_a_list_that_is_empty_or_missing_gets_its_first_day(text: str, day: ImportedDay, changed: str) -> None:
    assert with_days(text, [day]) == changed


def test_what_is_no_calendar_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a mapping"):
        with_days("- 2026-03-02\n", [off("2026-04-30")])


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("decreed_until: 2026-12-31  # CV 1\nzone: x\n", "decreed_until: 2028-12-31  # CV 1\nzone: x\n"),
        ("name: a\ndecreed_until:\n", "name: a\ndecreed_until: 2028-12-31\n"),
        ("name: a\n\n\n", "name: a\n\ndecreed_until: 2028-12-31\n"),
    ],
)
def test_the_last_decreed_day_keeps_its_place_and_its_comment(text: str, changed: str) -> None:
    assert with_decreed_until(text, date(2028, 12, 31)) == changed
