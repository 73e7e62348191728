"""Reforms as tables: what a row says of a unit, what was known of it before, and what is said of a wrong row."""

from __future__ import annotations

from datetime import date

import pytest

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.unit_changes import changed
from tthc_monitor.domain.unit_checks import require_sound
from tthc_monitor.domain.units import UnitRegister, UnitVersion

REFORM, D2027, D2028 = date(2025, 7, 1), date(2027, 1, 1), date(2028, 1, 1)
Told = tuple[str, str, str | None, date | None, date | None]


def taken_over(text: str, *known: UnitVersion, on: date | None = REFORM) -> UnitRegister:
    register, _ = changed(UnitRegister(known), text, "mau.csv", on=on, document="NQ")
    return register


def told(register: UnitRegister, code: str) -> list[Told]:
    return [(one.name, one.kind, one.parent_code, one.valid_from, one.valid_to) for one in register.versions_of(code)]


def problems(text: str, **usual: object) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        changed(UnitRegister(), text, "mau.csv", **usual)  # type: ignore[arg-type]
    return [(one.line, one.message.split(";")[0]) for one in caught.value.problems]


SIDES = "old_code,old_name,old_kind,old_parent_code,new_code,new_name,new_kind,new_parent_code\n"


def test_a_row_may_tell_kinds_and_parents() -> None:
    register = taken_over(f"{SIDES}A,Phòng Một,branch,P1,B,Phòng Hai,vertical,P2\n")
    assert told(register, "A") == [("Phòng Một", "branch", "P1", None, REFORM)]
    assert told(register, "B") == [("Phòng Hai", "vertical", "P2", REFORM, None)]


def test_what_a_row_leaves_out_is_as_known_and_else_told_by_the_name() -> None:
    known = UnitVersion("A", "Tên cũ", "branch", "P1", date(2020, 1, 1))
    register = taken_over(f"{SIDES}A,Phòng Một,,,B,Phòng Hai,,\nC,Xã Ba,,,B,Phòng Hai,,\n", known)
    assert told(register, "A") == [("Phòng Một", "branch", "P1", date(2020, 1, 1), REFORM)]
    assert told(register, "B") == [("Phòng Hai", "other", None, REFORM, None)]
    assert told(register, "C") == [("Xã Ba", "commune", None, None, REFORM)]


def test_a_unit_that_is_there_and_takes_over_stays_as_it_is_or_gets_the_name_of_the_row() -> None:
    text = "old_code,old_name,new_code,new_name\nA,Xã Một,B,{}\n"
    then = UnitVersion("B", "Phường Hai", "ward", "P1", date(2020, 1, 1), D2027)
    later = UnitVersion("B", "Phường Hai Mới", "ward", "P1", D2027)
    assert told(taken_over(text.format("Phường Hai"), then, later), "B") == [
        ("Phường Hai", "ward", "P1", date(2020, 1, 1), D2027),
        ("Phường Hai Mới", "ward", "P1", D2027, None),
    ]
    assert told(taken_over(text.format("Phường Hai Rộng"), then, later), "B") == [
        ("Phường Hai", "ward", "P1", date(2020, 1, 1), REFORM),
        ("Phường Hai Rộng", "ward", "P1", REFORM, D2027),
        ("Phường Hai Mới", "ward", "P1", D2027, None),
    ]


def test_of_several_days_the_later_one_goes_on_from_what_the_earlier_one_told() -> None:
    text = (
        "on,old_code,old_name,new_code,new_name,new_kind,new_parent_code\n"
        "2025-07-01,A,Xã Một,B,Phòng Hai,branch,P2\n"
        "2027-01-01,C,Xã Ba,B,Phòng Hai Rộng,,\n"
    )
    known = UnitVersion("B", "Tên cũ", "department", "P1", None, D2028)
    assert told(taken_over(text, known, on=None), "B") == [
        ("Tên cũ", "department", "P1", None, REFORM),
        ("Phòng Hai", "branch", "P2", REFORM, D2027),
        ("Phòng Hai Rộng", "branch", "P2", D2027, D2028),
    ]


def test_a_version_noted_from_the_day_on_which_the_unit_ends_gives_way() -> None:
    noted = UnitVersion("A", "Xã Một", "commune", None, REFORM)
    register, lines = changed(
        UnitRegister([noted]), "old_code,old_name,new_code,new_name\nA,Xã Một,B,Xã Hai\n", "m", on=REFORM, document="NQ"
    )
    require_sound(register, "m", lines)
    assert told(register, "A") == [("Xã Một", "commune", None, None, REFORM)]


def test_a_fault_of_a_new_unit_is_told_with_the_line_of_its_row() -> None:
    text = f"{SIDES}A,Xã Một,,,B,Xã Hai,,\nC,Xã Ba,,,D,Xã Bốn,,P9\n"
    register, lines = changed(UnitRegister(), text, "mau.csv", on=REFORM, document="NQ")
    with pytest.raises(ConfigError) as caught:
        require_sound(register, "mau.csv", lines)
    assert [(one.line, one.message.split(";")[0]) for one in caught.value.problems] == [
        (3, "parent P9 of unit D is not known")
    ]


def test_a_row_may_end_early() -> None:
    text = "old_code,old_name,new_code,new_name,share,sectors\nA,Xã Một,B,Xã Hai\nC,Xã Ba,B,Xã Hai,0.5\n"
    found = taken_over(text).successions
    assert [(one.from_code, one.share, one.sectors) for one in found] == [("A", None, ()), ("C", 0.5, ())]


def test_what_is_wrong_is_told_with_its_line() -> None:
    head = "old_code,old_name,new_code,new_name"
    usual = {"on": REFORM, "document": "NQ"}
    assert problems("old_code,old_name,new_name\n") == [
        (1, "there is no column for to_code"),
        (1, "no column tells the day of the succession"),
        (1, "no column names the decision"),
    ]
    assert problems(f"{head}\n , ,\n", **usual) == [(1, "the table has no rows")]
    assert problems(f"{head},on\nA,A,B,B,2025\nA,A,B,B,\n", document="NQ") == [
        (2, "'2025' is not a day"),
        (3, "the row tells no day"),
    ]
    assert problems(f"{head},document\nA,A,B,B,\nA,,B,B,NQ\n", on=REFORM) == [
        (2, "the row names no decision"),
        (3, "from_name is empty"),
    ]
    assert problems(f"{head},new_kind\nA,A,B,B,town\n", **usual) == [(2, "'town' is not a kind of unit")]
    # Of a row with another fault nothing more is said.
    assert problems(f"{head},on,document\nA,,B,B,,\n") == [(2, "from_name is empty")]
    assert problems(f"{head}\nA,A,,B\n", **usual) == [(2, "to_code is empty")]


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="line 2 is not CSV"):
        taken_over(f"old_code,old_name,new_code,new_name\nA,{'x' * 200_000},B,B\n")
