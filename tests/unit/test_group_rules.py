"""Signs that only dossiers beside one another show, as tables and against a slow but plain reading of each rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judge import answers, judge
from rules.model import Rule
from rules.registry import KINDS
from tests.unit.pack_facts import at, calendar, changed, facts, pack, spans

RULES = pack("integrity")
BULK, REFILED, GAP = RULES["bulk_closing"], RULES["refiled"], RULES["number_gap"]
ANY_DAY = changed(BULK, only_period_end=False)
GROUP_RULES = [rule for rule in RULES.values() if KINDS[rule.kind].groups]


def closed(*ends: str, **usual: Any) -> list[dict[str, Any]]:
    return [{"status": 9, "unit_code": "A", "ended_at": end, "group": 1, **usual} for end in ends]


def flagged(rule: Rule, rows: list[dict[str, Any]]) -> list[int]:
    """The places, from 0, of the rows that a rule flags."""
    return [place for place, found in enumerate(spans(rule, facts(*rows))) if found]


def test_the_kinds_name_their_groups_and_the_smallest_that_matters() -> None:
    assert [(rule.code, KINDS[rule.kind].groups) for rule in GROUP_RULES] == [
        ("bulk_closing", "closing_day"),
        ("refiled", "filing"),
        ("number_gap", "number_day"),
    ]
    assert [KINDS[rule.kind].smallest_group(rule) for rule in GROUP_RULES] == [20, 2, 1]
    assert KINDS["bulk_closing"].smallest_group(changed(BULK, min_count=7)) == 7


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        # Three within ten minutes; the window is closed at both ends.
        (["16:00", "16:05", "16:10"], [0, 1, 2]),
        (["16:00", "16:05", "16:10:00.000001"], []),
        (["16:00", "16:05"], []),
        # Windows that overlap are one burst; each dossier need only lie in one of them.
        (["16:00", "16:05", "16:10", "16:14", "16:30"], [0, 1, 2, 3]),
        (["16:10", "16:00", "15:00", "16:05"], [0, 1, 3]),
        (["08:00", "08:00", "08:00"], [0, 1, 2]),
        # A day without a time says nothing about the minutes.
        (["00:00", "00:00", "00:00"], []),
        (["00:00:01", "00:00:01", "00:00:01"], [0, 1, 2]),
    ],
)
def test_closed_within_minutes(ends: list[str], expected: list[int]) -> None:
    rule = changed(ANY_DAY, min_count=3, times_expected=1)
    assert flagged(rule, closed(*(f"2026-10-30 {end}" for end in ends))) == expected


@pytest.mark.parametrize(
    ("end", "answer"), [("2026-10-30 00:00", "cannot_tell"), ("2026-10-30 00:00:01", "clear"), (None, "not_applicable")]
)
def test_of_an_end_without_a_time_nobody_can_tell(end: str | None, answer: str) -> None:
    frame = facts({"status": 9 if end else 4, "ended_at": end, "group": 1})
    assert answers(frame, calendar(), BULK).tolist() == [answer]


def test_each_group_has_its_bursts() -> None:
    rule = changed(ANY_DAY, min_count=3, times_expected=1)
    ends = [f"2026-10-30 {end}" for end in ("08:00", "16:00", "16:05", "16:10")]
    rows = [*closed(*ends, group=1), *closed(*ends, group=2), *closed(*ends[:3], group=3)]
    assert flagged(rule, rows) == [1, 2, 3, 5, 6, 7]


def test_a_burst_tells_its_size_and_span_and_each_dossier_its_own_start() -> None:
    ends = ("16:00", "16:05", "16:10", "16:14", "16:40", "16:41", "16:42", "17:30")
    rule = changed(ANY_DAY, min_count=3, times_expected=1)
    found = judge(facts(*closed(*(f"2026-10-30 {end}" for end in ends))), calendar(), rule)
    assert found["starts_at"].tolist() == [at(f"2026-10-30 {end}") for end in ends[:7]]
    assert found["burst_count"].tolist() == [4] * 4 + [3] * 3
    assert found["burst_from"].tolist() == [at("2026-10-30 16:00")] * 4 + [at("2026-10-30 16:40")] * 3
    assert found["burst_to"].tolist() == [at("2026-10-30 16:14")] * 4 + [at("2026-10-30 16:42")] * 3
    assert found["ended_that_day"].tolist() == [8] * 7
    assert found["unit"].tolist() == ["A"] * 7


def test_a_unit_that_ends_many_every_hour_is_held_against_its_own_day() -> None:
    rule = changed(ANY_DAY, min_count=5, times_expected=3)
    # 450 minutes are worked, and 450 dossiers ended, one a minute.
    steady = pd.date_range("2026-10-30 08:00:30", periods=450, freq="min").strftime("%Y-%m-%d %H:%M:%S").tolist()
    assert flagged(rule, closed(*steady)) == []
    # With 32 more, 482 that day bring 10.7 in ten minutes, and 33 are a burst; with 33 more it is one.
    assert flagged(rule, closed(*["2026-10-30 17:00"] * 32, *steady)) == []
    assert flagged(rule, closed(*["2026-10-30 17:00"] * 33, *steady)) == [*range(33)]
    # Of 450 in all, ten minutes bring ten to the second.
    assert flagged(rule, closed(*["2026-10-30 17:00"] * 30, *steady[:420])) == [*range(30)]
    assert flagged(rule, closed(*["2026-10-30 17:00"] * 29, *steady[:421])) == []


def test_on_a_day_off_the_count_alone_decides() -> None:
    assert flagged(changed(ANY_DAY, min_count=3), closed(*["2026-10-31 10:00"] * 3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("day", "month", "day_14"),
    [
        ("2026-10-29", False, False),
        ("2026-10-30", True, False),  # Friday, the last working day of October
        ("2026-10-31", True, False),  # Saturday after it
        ("2026-10-14", False, True),
        ("2026-10-13", False, False),
        ("2026-10-15", False, False),
        ("2026-11-13", False, True),  # the 14th is a Saturday
        ("2027-02-11", False, False),
        ("2027-02-12", False, True),  # Friday before Sunday 14/02
        ("2027-02-26", True, False),
        ("2026-08-28", True, False),  # 31/8 is off for Quốc khánh
        ("2026-12-31", True, False),
        ("2026-02-13", False, True),  # the Friday before Tết
        ("2026-02-14", False, True),
    ],
)
def test_the_last_working_day_of_a_period(day: str, month: bool, day_14: bool) -> None:
    rows = closed(*[f"{day} 10:00"] * 20)
    for ends, expected in ((["month"], month), (["day_14"], day_14), (["day_14", "month"], month or day_14)):
        assert bool(flagged(changed(BULK, period_ends=ends), rows)) == expected
    assert len(flagged(ANY_DAY, rows)) == 20


CLOSED_ONE = {"submitted_at": "2026-10-05 08:00", "status": 8, "ended_at": "2026-10-08 10:00", "group": 1}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"submitted_at": "2026-10-08 10:00"}, "2026-10-08 10:00"),
        ({"submitted_at": "2026-10-08 09:59:59"}, None),
        ({"submitted_at": "2026-10-15 23:59:59"}, "2026-10-15 23:59:59"),
        ({"submitted_at": "2026-10-16 00:00"}, None),
        ({"submitted_at": None, "received_at": "2026-10-09 08:00"}, "2026-10-09 08:00"),
        ({"submitted_at": None, "first_seen_at": "2026-10-09 08:00"}, "2026-10-09 08:00"),
        ({"submitted_at": None}, None),
        ({"submitted_at": "2026-10-09 08:00", "group": 2}, None),
    ],
)
def test_filed_again(other: dict[str, Any], expected: str | None) -> None:
    rows = [CLOSED_ONE, {"status": 4, "group": 1, **other}]
    assert spans(REFILED, facts(*rows)) == [(expected, None) if expected else None, None]
    assert spans(REFILED, facts(*rows[::-1])) == [None, (expected, None) if expected else None]


@pytest.mark.parametrize(("status", "counts"), [(3, True), (7, True), (8, True), (4, False), (9, False), (10, False)])
def test_only_what_was_closed_without_a_result_is_filed_again(status: int, counts: bool) -> None:
    rows = [{**CLOSED_ONE, "status": status}, {"submitted_at": "2026-10-09 08:00", "group": 1}]
    assert flagged(REFILED, rows) == ([0] if counts else [])


def test_the_next_filing_is_named_and_the_closed_one_never_itself() -> None:
    rows = [
        {"dossier_id": 50, "submitted_at": "2026-10-12 08:00", "group": 1},
        {**CLOSED_ONE, "dossier_id": 40},
        {"dossier_id": 30, "submitted_at": "2026-10-09 08:00", "group": 1},
        {"dossier_id": 20, "submitted_at": "2026-10-09 08:00", "group": 1},
        # Filed after it was closed, as the source says: nothing can be said of it.
        {**CLOSED_ONE, "dossier_id": 10, "submitted_at": "2026-10-13 08:00", "ended_at": "2026-10-08 10:00"},
    ]
    (found,) = judge(facts(*rows), calendar(), REFILED).to_dict("records")
    assert (found["dossier_id"], found["refiled_dossier_id"]) == (40, 20)
    assert (found["closed_at"], found["refiled_at"]) == (at("2026-10-08 10:00"), at("2026-10-09 08:00"))


def test_what_was_filed_as_it_was_closed_is_not_its_own_next_filing() -> None:
    rows = [{**CLOSED_ONE, "submitted_at": CLOSED_ONE["ended_at"]}, {"submitted_at": "2026-10-09 08:00", "group": 1}]
    assert flagged(REFILED, rows) == []


def test_closed_and_filed_again_and_again() -> None:
    days = [("2026-10-05", "2026-10-06"), ("2026-10-07", "2026-10-08"), ("2026-10-09", "2026-10-12")]
    rows = [{"submitted_at": filed, "status": 7, "ended_at": ended, "group": 1} for filed, ended in days]
    assert spans(REFILED, facts(*rows)) == [("2026-10-07 00:00", None), ("2026-10-09 00:00", None), None]
    assert flagged(changed(REFILED, max_filings=3), rows) == [0, 1]
    assert flagged(changed(REFILED, max_filings=2), rows) == []


def numbered(*serials: int, **usual: Any) -> list[dict[str, Any]]:
    seen = {"number_day": "2026-10-05", "first_seen_at": "2026-10-05 20:00", "group": 1}
    return [{**seen, "number_serial": serial, **usual} for serial in serials]


@pytest.mark.parametrize(
    ("serials", "expected"),
    [
        ([1, 2, 3], []),
        ([4, 5, 6, 7], [0]),
        ([3, 4, 5, 6], []),
        ([1, 2, 3, 7], [3]),
        ([1, 2, 3, 6], []),
        ([9, 1, 2, 3, 4, 8], [5]),
        ([1, 2, 3, 7, 7, 8], [3, 4]),
        ([-1, 4, 5, 6, 7], [1]),
        ([*range(1, 250), 450], [249]),
        ([*range(1, 250), 451], []),
        # Of most of the day's numbers we have none; one number several times is one.
        ([4], []),
        ([4, 5, 6], []),
        ([1, 2, 6], []),
        ([1, 1, 2, 6], []),
        ([*range(1, 10), 92637], []),
    ],
)
def test_serials_missing_of_a_day(serials: list[int], expected: list[int]) -> None:
    assert flagged(GAP, numbered(*serials)) == expected


def test_whether_most_of_a_day_is_known_each_group_tells_for_itself() -> None:
    assert flagged(GAP, numbered(4, 5, 6, 7, group=2) + numbered(9, group=1)) == [0]


def test_a_number_without_a_day_fills_no_gap() -> None:
    assert flagged(GAP, numbered(1, 2, 3, number_day=None) + numbered(4, 5, 6, 7)) == [3]


def test_a_gap_says_which_numbers_are_missing_and_waits_for_stragglers() -> None:
    rows = numbered(*range(1, 8), 14, received_at="2026-10-05 09:00")
    (found,) = judge(facts(*rows), calendar(), GAP).to_dict("records")
    assert [found[f"missing_{name}"] for name in ("count", "from", "to")] == [6, 8, 13]
    assert found["number_serial"] == 14
    assert found["starts_at"] == at("2026-10-08 00:00")
    for received, since in (("2026-10-05 09:00", "2026-10-08 00:00"), ("2026-11-02 09:00", "2026-11-02 09:00")):
        assert spans(GAP, facts(*numbered(4, 5, 6, 7, received_at=received)))[0] == (since, None)
    at_once = changed(GAP, settle_working_days=0)
    assert spans(at_once, facts(*numbered(4, 5, 6, 7)))[0] == ("2026-10-06 00:00", None)
    assert flagged(changed(GAP, min_missing=4), numbered(4, 5, 6, 7)) == []
    assert flagged(changed(GAP, max_missing=10, min_missing=1), numbered(*range(2, 20), 31)) == [0]


@pytest.mark.parametrize(
    ("seen", "watched"),
    [
        (["2026-10-06 23:59:59", "2026-11-01"], True),
        (["2026-10-07 00:00", "2026-11-01"], False),
        (["2026-11-01", "2026-10-05 08:00"], True),
        ([None, "2026-10-05 08:00"], True),
        ([None, None], False),
    ],
)
def test_only_days_that_were_watched_from_the_start_are_judged(seen: list[str | None], watched: bool) -> None:
    first, last = seen
    rows = numbered(1, 2, 3, first_seen_at=first) + numbered(7, first_seen_at=last)
    assert flagged(GAP, rows) == ([3] if watched else [])


def test_numbers_out_of_scope_are_not_missing_and_nobody_out_of_scope_is_flagged() -> None:
    rows = numbered(1, 2, 3, 4, 8)
    assert flagged(GAP, rows) == [4]
    assert flagged(GAP, rows + numbered(6, kind="petition")) == []
    assert flagged(GAP, numbered(1, 2, 3, 4) + numbered(8, kind="petition")) == []
    without = changed(GAP, applies_to={"except_procedures": ["1.000001"]})
    assert flagged(without, rows + numbered(6, procedure_code="1.000001")) == []


# -- against a plain reading -------------------------------------------------------------------------------------------

MINUTE = st.integers(0, 90).map(lambda minute: at("2026-10-30 15:30") + timedelta(minutes=minute))
DAY = st.integers(0, 20).map(lambda day: at("2026-10-05 08:00") + timedelta(days=day))
GROUP = st.integers(-1, 1)
LATE = "2026-10-09 08:00"


def plain_bulk(rows: list[dict[str, Any]]) -> set[int]:
    """In some ten minutes that begin with an ending of the group there are four or more."""
    out = set()
    for first in rows:
        window = [
            number
            for number, row in enumerate(rows)
            if row["group"] == first["group"]
            and timedelta(0) <= row["ended_at"] - first["ended_at"] <= timedelta(minutes=10)
        ]
        if len(window) >= 4:
            out |= set(window)
    return out


def plain_refiled(rows: list[dict[str, Any]]) -> set[int]:
    """Some other filing of the group comes at or after the closing, and within five working days of it."""
    out = set()
    for number, row in enumerate(rows):
        ended: datetime | None = row.get("ended_at")
        if row["status"] not in (3, 7, 8) or ended is None or row["submitted_at"] >= ended:
            continue
        last = calendar().add_workdays(ended.date(), 5)
        if any(
            other["group"] == row["group"] and other["submitted_at"] >= ended and other["submitted_at"].date() <= last
            for other in rows
        ):
            out.add(number)
    return out


def plain_gap(rows: list[dict[str, Any]]) -> set[int]:
    """The three numbers before it are on nobody of its group, which was seen in time and has more than it lacks."""
    out = set()
    for number, row in enumerate(rows):
        serial = row["number_serial"]
        group = [other for other in rows if other["group"] == row["group"]]
        taken = {other["number_serial"] for other in group}
        if max(taken) - len(taken) >= len(taken) or all(other["first_seen_at"] == LATE for other in group):
            continue
        if serial >= 4 and not taken & {serial - 1, serial - 2, serial - 3}:
            out.add(number)
    return out


BULK_ROW = st.fixed_dictionaries({"status": st.just(9), "ended_at": MINUTE, "group": GROUP})
FILING_ROW = st.fixed_dictionaries(
    {"status": st.sampled_from((4, 7, 8, 9)), "submitted_at": DAY, "group": GROUP}, optional={"ended_at": DAY}
)
NUMBER_ROW = st.fixed_dictionaries(
    {
        "number_day": st.just("2026-10-05"),
        "first_seen_at": st.sampled_from(("2026-10-05 20:00", LATE)),
        "number_serial": st.integers(1, 16),
        "group": GROUP,
    }
)
PLAIN: list[tuple[Rule, Any, Callable[[list[dict[str, Any]]], set[int]]]] = [
    (changed(BULK, min_count=4, times_expected=1), BULK_ROW, plain_bulk),
    (changed(REFILED, max_filings=1000), FILING_ROW, plain_refiled),
    (GAP, NUMBER_ROW, plain_gap),
]


@pytest.mark.parametrize(("rule", "row", "plain"), PLAIN, ids=["bulk", "refiled", "gap"])
def test_a_group_is_judged_as_one_who_reads_the_rule_would(
    rule: Rule, row: Any, plain: Callable[[list[dict[str, Any]]], set[int]]
) -> None:
    @settings(max_examples=25, deadline=None)
    @given(rows=st.lists(row, min_size=1, max_size=40))
    def judged(rows: list[dict[str, Any]]) -> None:
        assert set(flagged(rule, rows)) == plain(rows)

    judged()


@pytest.mark.parametrize(("rule", "row", "plain"), PLAIN, ids=["bulk", "refiled", "gap"])
def test_order_and_other_groups_change_nothing(rule: Rule, row: Any, plain: object) -> None:
    @settings(max_examples=20, deadline=None)
    @given(rows=st.lists(row, min_size=1, max_size=30), data=st.data())
    def judged(rows: list[dict[str, Any]], data: st.DataObject) -> None:
        frame = facts(*rows)
        whole = judge(frame, calendar(), rule).set_index("dossier_id").sort_index()
        mixed = judge(frame.iloc[data.draw(st.permutations(range(len(rows))))], calendar(), rule)
        assert_same(mixed.set_index("dossier_id").sort_index(), whole)
        for group, part in frame.groupby("group"):
            alone = judge(part, calendar(), rule).set_index("dossier_id").sort_index()
            assert_same(alone, whole[whole.index.isin(part["dossier_id"])])
            # What is too small to be flagged may be left out beforehand.
            if len(part) < KINDS[rule.kind].smallest_group(rule):
                assert alone.empty, group

    judged()


def assert_same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got.astype(object), expected.astype(object), check_dtype=False)


@pytest.mark.parametrize("rule", GROUP_RULES)
def test_no_rows_no_findings(rule: Rule) -> None:
    frame = facts({"group": 1})
    assert judge(frame, calendar(), rule).empty
    assert judge(frame.iloc[:0], calendar(), rule).empty
