"""What a verdict rests on: each dossier is judged by its own unit's calendar, a group by that of the office at large."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from rules.grounds import Grounds, facts_needed, judge_all, judge_groups, with_derived
from rules.model import Rule
from tests.unit.judged import CALENDAR, facts, rule
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import DERIVED_FACTS, DERIVED_FROM
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit

WEEK = {day: [["07:30", "11:30"], ["13:30", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
SATURDAYS = {"name": "Trung tâm", "codes": ["H99.02"], "week": {**WEEK, "sat": [["07:30", "11:30"]]}}
TWO_DAYS = TimeLimit(procedure_code="1.000001", amount=2, unit="working_day", legal_basis="QĐ 1")

OVERDUE = rule("overdue", code="late_now")
BY_LAW = rule("late_against", code="late_by_law", against="due_lawful")
REFILED = rule("refiled", code="again", within_working_days=2)


def grounds(*rules: Rule) -> Grounds:
    spec = CalendarSpec.model_validate({"name": "a", "zone": CALENDAR.zone, "week": WEEK, "units": [SATURDAYS]})
    return Grounds(rules, spec, Limits([TWO_DAYS], ClockPolicy()))


def of_units(*units: str | None, **same: Any) -> pd.DataFrame:
    """Dossiers received on Friday 2 October 2026, one of each unit."""
    usual = {"received_at": "2026-10-02 08:00", "procedure_code": "1.000001", "due_current": "2026-10-05 08:00"}
    return facts(OVERDUE, [{**usual, **same, "unit_code": unit} for unit in units])


def local(instants: pd.Series) -> list[str]:
    return [f"{instant:%a %d/%m %H:%M}" for instant in instants.dt.tz_convert(CALENDAR.zone)]


def by_dossier(found: list[tuple[Rule, pd.DataFrame]]) -> dict[int, str]:
    parts = pd.concat([frame for _, frame in found]).sort_values("dossier_id")
    assert parts["dossier_id"].is_unique, "a dossier is judged by one calendar"
    return dict(zip(parts["dossier_id"], local(parts["starts_at"]), strict=True))


def test_every_dossier_is_judged_once_and_by_its_own_units_calendar() -> None:
    """Two working days from Friday: by Tuesday, but where Saturday morning is worked by Monday."""
    here = grounds(BY_LAW)
    table = of_units("H99.01", "H99.02", None, "H99.02", "H99.01")
    assert by_dossier(list(judge_all(table, here))) == {
        1: "Tue 06/10 08:00", 2: "Mon 05/10 08:00", 3: "Tue 06/10 08:00", 4: "Mon 05/10 08:00", 5: "Tue 06/10 08:00",
    }  # fmt: skip


def test_where_all_dossiers_are_of_one_calendar_it_is_that_one() -> None:
    here = grounds(BY_LAW)
    assert by_dossier(list(judge_all(of_units("H99.02"), here))) == {1: "Mon 05/10 08:00"}
    assert by_dossier(list(judge_all(of_units("H99.01"), here))) == {1: "Tue 06/10 08:00"}


def test_no_facts_have_no_findings() -> None:
    assert list(judge_all(of_units("H99.01").iloc[:0], grounds(OVERDUE, BY_LAW))) == []


def test_rules_about_groups_are_told_from_those_about_one_dossier() -> None:
    here = grounds(OVERDUE, REFILED, BY_LAW)
    assert here.single_rules == (OVERDUE, BY_LAW)
    assert here.group_rules == (REFILED,)
    assert [of for of, _ in judge_all(of_units("H99.01"), here)] == [OVERDUE, BY_LAW], "by default, single ones"
    assert [of for of, _ in judge_all(of_units("H99.01"), here, [BY_LAW])] == [BY_LAW], "else, those named"


def test_a_group_is_judged_by_the_calendar_of_the_office_at_large() -> None:
    """Closed on Thursday, filed again on Monday: the second working day of the office, the third of the unit."""
    closed = {"status": 3, "ended_at": "2026-10-01 09:00", "unit_code": "H99.02"}
    again = {"received_at": "2026-10-05 09:00", "unit_code": "H99.02"}
    people = {"procedure_code": "1.000001", "received_at": "2026-09-28 08:00"}
    table = facts(REFILED, [people | closed, people | again]).assign(group=1)
    ((of, found),) = judge_groups(table, grounds(REFILED), [REFILED])
    assert (of, found["dossier_id"].tolist()) == (REFILED, [1])


def test_calendars_are_compiled_once() -> None:
    here = grounds(OVERDUE)
    assert here.calendars is here.calendars
    assert here.calendars.codes == ("H99.02",)


@pytest.mark.parametrize(
    ("rules", "also", "never"),
    [
        ([OVERDUE], {"unit_code", "due_current"}, {"channel", *DERIVED_FACTS}),
        # What only the derived facts rest on is loaded for a rule that reads them, in their place.
        ([BY_LAW], {"unit_code", "channel", *DERIVED_FROM}, {*DERIVED_FACTS}),
        ([], {"unit_code", "dossier_id"}, {"due_current", *DERIVED_FACTS}),
    ],
)
def test_facts_that_are_needed(rules: list[Rule], also: set[str], never: set[str]) -> None:
    needed = facts_needed(rules)
    assert needed >= also
    assert needed.isdisjoint(never)


def test_derived_facts_take_the_place_of_what_stood_there_and_touch_nothing_else() -> None:
    table = of_units("H99.01", procedure_code="9.999999")
    derived = with_derived(table, CALENDAR, grounds().limits)
    assert derived["due_lawful"].isna().all(), "no limit, no instant"
    assert local(derived["clock_started_at"]) == ["Fri 02/10 08:00"]
    pd.testing.assert_frame_equal(derived.drop(columns=[*DERIVED_FACTS]), table.drop(columns=[*DERIVED_FACTS]))
