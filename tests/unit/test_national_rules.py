"""Index 766 item 2.1 and OpenCPS's own way as tables: what a dossier is, and from when it is late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.examples import check_example
from rules.judge import answers, judge
from rules.loader import load_packs
from rules.model import Rule
from rules.registry import Pack
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import FACT_SCHEMA, facts_frame
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate

CALENDAR = WorkCalendar(
    "UTC", {day: [("08:00", "12:00"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
)
MICRO = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RECEIVED = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
FAR = datetime(2099, 1, 1, tzinfo=UTC)
NEVER = None
Span = tuple[datetime, datetime | None]
Table = list[tuple[dict[str, Any], list[Span]]]


def rule(kind: str, **fields: Any) -> Rule:
    made = {"code": "x", "kind": kind, "title": "t", "severity": "info", "legal_basis": "b", **fields}
    (one,) = Pack.model_validate({"pack": "t", "rules": [made]}).rules
    assert isinstance(one, Rule)
    return one


def facts(*rows: dict[str, Any]) -> pd.DataFrame:
    """Facts of dossiers received and due; ``rows`` replace what differs; ``due_lawful`` is a derived fact."""
    usual = {"kind": "dossier", "status": 4, "received_at": RECEIVED, "due_current": DUE}
    full = [usual | {"dossier_id": number} | row for number, row in enumerate(rows, start=1)]
    lawful = [row.pop("due_lawful", None) for row in full]
    frame = facts_frame(pl.DataFrame(full, schema=dict(FACT_SCHEMA), orient="row"))
    frame["due_lawful"] = pd.DatetimeIndex(pd.to_datetime(pd.Series(lawful, dtype="object"), utc=True)).as_unit("us")
    return frame


def earlier(*waits: tuple[datetime, datetime]) -> str:
    return json.dumps([[start.timestamp(), end.timestamp()] for start, end in waits])


def found(of: Rule, *rows: dict[str, Any]) -> list[list[Span]]:
    result = judge(facts(*rows), CALENDAR, of).sort_values("starts_at")
    spans: list[list[Span]] = [[] for _ in rows]
    for number, start, end in result[["dossier_id", "starts_at", "ends_at"]].itertuples(index=False):
        spans[number - 1].append((start.to_pydatetime(), None if pd.isna(end) else end.to_pydatetime()))
    return spans


def check(of: Rule, table: Table) -> None:
    """All rows at once, and each by itself."""
    expected = [spans for _, spans in table]
    assert found(of, *(row for row, _ in table)) == expected
    assert [found(of, row)[0] for row, _ in table] == expected


ASKED = {"supplement_count": 1, "supplement_requested_at": DUE - DAY - HOUR}
"""Asked on Monday at 11:00."""
ANSWERED = ASKED | {"supplement_completed_at": DUE - HOUR}
"""... and answered on Tuesday at 11:00, eight working hours later: due on Wednesday at 12:00."""
MOVED = DUE + DAY

# Bộ chỉ số theo QĐ 766/QĐ-TTg, mục 2.1.
LATE: Table = [
    # On time if and only if NgayKetThucXuLy <= NgayHenTra.
    ({"ended_at": DUE}, []),
    ({"ended_at": DUE + MICRO}, [(DUE, NEVER)]),
    ({"ended_at": DUE - MICRO}, []),
    # Unfinished: the end of the period stands for the end, so late at every T after the due instant.
    ({}, [(DUE, NEVER)]),
    ({"due_current": FAR}, [(FAR, NEVER)]),
    ({"due_current": RECEIVED - DAY}, [(RECEIVED, NEVER)]),
    # Only what was received; refused, stopped and withdrawn ones too.
    ({"received_at": None, "ended_at": DUE + DAY, "status": 3}, []),
    ({"ended_at": DUE + DAY, "status": 3}, [(DUE, NEVER)]),
    ({"ended_at": DUE + DAY, "status": 7}, [(DUE, NEVER)]),
    ({"ended_at": DUE + DAY, "status": 8}, [(DUE, NEVER)]),
    # The time of the supplement is subtracted, also when it was over before the promise came.
    (ANSWERED | {"ended_at": MOVED}, []),
    (ANSWERED | {"ended_at": MOVED + MICRO}, [(MOVED, NEVER)]),
    (ANSWERED, [(MOVED, NEVER)]),
    # Answered at the due instant itself: nine working hours, from Monday at 11:00.
    (ASKED | {"supplement_completed_at": DUE}, [(DUE + DAY + 2 * HOUR, NEVER)]),
    # ... and when it was not: an hour was left on Tuesday at 11:00, answered on Thursday at 16:00.
    (
        {"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + 2 * DAY + 4 * HOUR},
        [(DUE + 2 * DAY + 5 * HOUR, NEVER)],
    ),
    # While the applicant is awaited the request is the end.
    (ASKED | {"status": 5}, []),
    ({"supplement_requested_at": DUE - MICRO, "status": 5}, []),
    ({"supplement_requested_at": DUE, "status": 5}, [(DUE, NEVER)]),
    ({"supplement_requested_at": DUE + DAY, "status": 5}, [(DUE, NEVER)]),
    ({"supplement_requested_at": DUE + HOUR, "supplement_completed_at": DUE + DAY}, [(DUE, NEVER)]),
    # Ended without an answer: the request is the end still.
    (ASKED | {"status": 8, "ended_at": DUE + 5 * DAY}, []),
    # Asked more than once: overdue from the second request on, whatever else.
    (
        {"supplement_count": 2, "supplement_requested_at": RECEIVED + DAY, "ended_at": RECEIVED + 2 * DAY},
        [(RECEIVED + DAY, NEVER)],
    ),
    ({"supplement_count": 2, "supplement_requested_at": DUE + DAY, "status": 5}, [(DUE, NEVER)]),
    ({"supplement_count": 2, "supplement_requested_at": DUE - DAY, "status": 5}, [(DUE - DAY, NEVER)]),
    (
        {
            "earlier_waits": earlier((RECEIVED + HOUR, RECEIVED + 2 * HOUR), (RECEIVED + DAY, RECEIVED + DAY + HOUR)),
            "supplement_requested_at": DUE - DAY,
        },
        [(RECEIVED + DAY, NEVER)],
    ),
    (
        {"earlier_waits": earlier((RECEIVED + HOUR, RECEIVED + 2 * HOUR)), "supplement_requested_at": DUE - DAY},
        [(DUE - DAY, NEVER)],
    ),
    # The source counts three, we know two of them: the second we know is proof.
    (
        {
            "supplement_count": 3,
            "earlier_waits": earlier((RECEIVED + DAY, RECEIVED + DAY + HOUR)),
            "supplement_requested_at": DUE - DAY,
        },
        [(DUE - DAY, NEVER)],
    ),
    # Counted without any instant: by the end at the latest, and only then when it has not ended.
    ({"supplement_count": 2, "ended_at": RECEIVED + DAY}, [(RECEIVED + DAY, NEVER)]),
    ({"supplement_count": 2}, [(DUE, NEVER)]),
    ({"supplement_count": 2, "received_at": None}, []),
    ({"supplement_count": 1}, [(DUE, NEVER)]),
    # A second request booked after the end counts from the end.
    (
        {"supplement_count": 2, "supplement_requested_at": DUE, "ended_at": RECEIVED + DAY},
        [(RECEIVED + DAY, NEVER)],
    ),
    # Without NgayHenTra the maximum time of the procedure stands in, its waits taken out by the law's own count.
    ({"due_current": None, "due_lawful": DUE, "ended_at": DUE}, []),
    ({"due_current": None, "due_lawful": DUE, "ended_at": DUE + MICRO}, [(DUE, NEVER)]),
    ({"due_current": None, "due_lawful": DUE}, [(DUE, NEVER)]),
    (ANSWERED | {"due_current": None, "due_lawful": DUE}, [(DUE, NEVER)]),
    (ASKED | {"due_current": None, "due_lawful": DUE, "status": 5}, []),
    ({"due_current": None}, []),
    # With NgayHenTra the maximum time has no say.
    ({"due_lawful": RECEIVED + DAY, "ended_at": DUE}, []),
    # What cannot be told is not called late.
    ({"end_seen_at": DUE + DAY, "status": 9}, []),
    ({"status": 0}, []),
    ({"status": 0, "ended_at": DUE + DAY}, [(DUE, NEVER)]),
    (ASKED | {"answer_unknown": 1, "status": 9, "ended_at": DUE + DAY}, []),
    ({"request_unknown": 1, "supplement_requested_at": DUE + DAY, "status": 5}, []),
    (ANSWERED | {"request_unknown": 1, "ended_at": MOVED + MICRO}, []),
    # Asked after the promise: late, whenever the answer came.
    (
        {"supplement_requested_at": DUE, "answer_unknown": 1, "status": 9, "ended_at": DUE + DAY},
        [(DUE, NEVER)],
    ),
    # Beyond the calendar clock time has to do.
    (
        {"due_current": FAR, "supplement_requested_at": DUE, "supplement_completed_at": DUE + DAY},
        [(FAR + DAY, NEVER)],
    ),
    (
        {"due_current": FAR, "supplement_requested_at": FAR - HOUR, "supplement_completed_at": FAR + DAY},
        [(FAR + DAY + HOUR, NEVER)],
    ),
    # Seven years of waiting lead beyond it.
    (
        {
            "due_current": datetime(2057, 1, 1, tzinfo=UTC),
            "supplement_requested_at": datetime(2049, 1, 1, tzinfo=UTC),
            "supplement_completed_at": datetime(2056, 1, 1, tzinfo=UTC),
        },
        [(datetime(2064, 1, 1, tzinfo=UTC), NEVER)],
    ),
]

CANNOT_TELL: Table = [
    ({}, []),
    ({"ended_at": DUE + DAY}, []),
    (ANSWERED, []),
    (ASKED | {"status": 5}, []),
    # Neither NgayHenTra nor a maximum time.
    ({"due_current": None}, [(RECEIVED, NEVER)]),
    ({"due_current": None, "ended_at": DUE}, [(RECEIVED, NEVER)]),
    ({"due_current": None, "received_at": None}, []),
    ({"due_current": None, "due_lawful": DUE}, []),
    # What the source's status means nobody mapped.
    ({"status": 0}, [(RECEIVED, NEVER)]),
    ({"status": 0, "ended_at": DUE}, []),
    # Ended, nobody says when.
    ({"end_seen_at": DUE, "status": 9}, []),
    ({"end_seen_at": DUE + MICRO, "status": 9}, [(DUE, NEVER)]),
    (ANSWERED | {"end_seen_at": MOVED, "status": 9}, []),
    (ANSWERED | {"end_seen_at": MOVED + MICRO, "status": 9}, [(MOVED, NEVER)]),
    (ASKED | {"end_seen_at": DUE + DAY, "status": 8}, []),
    # A wait whose length nobody knows, where it matters.
    (ASKED | {"answer_unknown": 1, "status": 9, "ended_at": DUE}, []),
    (ASKED | {"answer_unknown": 1, "status": 9, "ended_at": DUE + MICRO}, [(DUE, NEVER)]),
    ({"supplement_requested_at": DUE, "answer_unknown": 1, "status": 9, "ended_at": DUE + DAY}, []),
    ({"request_unknown": 1, "supplement_requested_at": DUE, "status": 5}, [(DUE, NEVER)]),
    ({"request_unknown": 1, "supplement_requested_at": DUE - MICRO, "status": 5}, []),
    (ANSWERED | {"request_unknown": 1}, [(MOVED, NEVER)]),
    (ANSWERED | {"request_unknown": 1, "ended_at": MOVED}, []),
    (ANSWERED | {"request_unknown": 1, "ended_at": MOVED + MICRO}, [(MOVED, NEVER)]),
    (ANSWERED | {"request_unknown": 1, "end_seen_at": MOVED, "status": 9}, []),
    # Asked more than once, nobody says when.
    ({"supplement_count": 2}, [(RECEIVED, NEVER)]),
    ({"supplement_count": 2, "ended_at": DUE}, []),
    ({"supplement_count": 2, "supplement_requested_at": DUE}, []),
]

# OpenCPS: the release against the due date in force.
OPENCPS: Table = [
    ({"ended_at": DUE}, []),
    ({"ended_at": DUE + MICRO}, [(DUE, NEVER)]),
    ({}, [(DUE, NEVER)]),
    # Without a due date it is early, never late.
    ({"due_current": None}, []),
    ({"due_current": None, "due_lawful": RECEIVED, "ended_at": FAR}, []),
    ({"received_at": None}, []),
    ({"due_current": RECEIVED - DAY}, [(RECEIVED, NEVER)]),
    # The wait moves nothing, it hides.
    (ANSWERED, [(DUE, NEVER)]),
    (ANSWERED | {"ended_at": DUE + MICRO}, [(DUE, NEVER)]),
    (ASKED | {"status": 5}, []),
    ({"supplement_requested_at": DUE, "status": 5}, []),
    ({"supplement_requested_at": DUE + MICRO, "status": 5}, [(DUE, DUE + MICRO)]),
    (
        {"supplement_requested_at": DUE + HOUR, "supplement_completed_at": DUE + DAY},
        [(DUE, DUE + HOUR), (DUE + DAY, NEVER)],
    ),
    ({"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY}, [(DUE + DAY, NEVER)]),
    ({"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY, "ended_at": DUE}, []),
    # Released while it waited: late from the release.
    (ASKED | {"ended_at": DUE + DAY, "status": 8}, [(DUE + DAY, NEVER)]),
    (
        ASKED | {"supplement_completed_at": DUE + 2 * DAY, "ended_at": DUE + DAY, "status": 9},
        [(DUE + DAY, NEVER)],
    ),
    # A request after the release, or with it, hides nothing.
    ({"supplement_requested_at": DUE + DAY, "ended_at": DUE + DAY}, [(DUE, NEVER)]),
    ({"supplement_requested_at": DUE + 2 * DAY, "ended_at": DUE + DAY}, [(DUE, NEVER)]),
    (
        {
            "earlier_waits": earlier((DUE + HOUR, DUE + 2 * HOUR), (DUE + 3 * HOUR, DUE + 4 * HOUR)),
            "supplement_requested_at": DUE + 5 * HOUR,
        },
        [(DUE, DUE + HOUR), (DUE + 2 * HOUR, DUE + 3 * HOUR), (DUE + 4 * HOUR, DUE + 5 * HOUR)],
    ),
    # More than one supplement is nothing to it.
    ({"supplement_count": 5, "ended_at": DUE}, []),
    # Ended with no release date: overdue still.
    ({"end_seen_at": DUE, "status": 9}, [(DUE, NEVER)]),
    # Payments do not hide by default.
    ({"obligation_requested_at": RECEIVED, "status": 6}, [(DUE, NEVER)]),
]


@pytest.mark.parametrize(
    ("of", "table"),
    [(rule("late_766"), LATE), (rule("cannot_tell_766"), CANNOT_TELL), (rule("late_opencps"), OPENCPS)],
    ids=["late_766", "cannot_tell_766", "late_opencps"],
)
def test_a_kind_finds_what_its_table_says(of: Rule, table: Table) -> None:
    check(of, table)


@pytest.mark.parametrize("kind", ["late_766", "cannot_tell_766", "late_opencps"])
def test_no_rows_give_no_findings(kind: str) -> None:
    assert judge(facts({}).iloc[:0], CALENDAR, rule(kind)).empty


def test_clock_time_subtracts_nights_too() -> None:
    # Item 2.1: working time moves Friday's promise by the eight hours of a working day, clock time by the weekend.
    friday = datetime(2026, 3, 6, 16, tzinfo=UTC)
    row = {
        "due_current": friday,
        "supplement_requested_at": friday - HOUR,
        "supplement_completed_at": friday + 3 * DAY - HOUR,
    }
    assert found(rule("late_766"), row) == [[(friday + 3 * DAY, NEVER)]]
    row["supplement_completed_at"] = friday + 2 * DAY
    assert found(rule("late_766"), row) == [[(datetime(2026, 3, 9, 9, tzinfo=UTC), NEVER)]]
    assert found(rule("late_766", supplement_time="clock_time"), row) == [[(friday + 2 * DAY + HOUR, NEVER)]]


def test_how_many_requests_are_allowed_is_a_setting() -> None:
    asked = DUE - DAY - HOUR
    row = {"supplement_count": 2, "supplement_requested_at": asked, "supplement_completed_at": DUE - DAY}
    assert found(rule("late_766", requests_allowed=2), row) == [[(DUE + 2 * HOUR, NEVER)]]
    assert found(rule("late_766", requests_allowed=2), row | {"supplement_count": 3}) == [[(asked, NEVER)]]


def test_what_hides_in_opencps_is_a_setting() -> None:
    paying = {"obligation_requested_at": DUE + HOUR, "obligation_completed_at": DUE + 2 * HOUR}
    asked = {"supplement_requested_at": DUE + 3 * HOUR}
    nothing = rule("late_opencps", hidden_while_waiting="nothing")
    assert found(nothing, paying | asked) == [[(DUE, NEVER)]]
    assert found(rule("late_opencps"), paying | asked) == [[(DUE, DUE + 3 * HOUR)]]
    both = rule("late_opencps", hidden_while_waiting="supplement_or_payment")
    assert found(both, paying | asked) == [[(DUE, DUE + HOUR), (DUE + 2 * HOUR, DUE + 3 * HOUR)]]


def test_evidence_adds_up() -> None:
    (by_promise, by_law, second) = judge(
        facts(
            ANSWERED,
            {"due_current": None, "due_lawful": DUE},
            {"supplement_count": 2, "supplement_requested_at": DUE - DAY},
        ),
        CALENDAR,
        rule("late_766"),
    ).to_dict("records")
    assert (by_promise["counted"], by_law["counted"], second["counted"]) == (
        "promise",
        "lawful_limit",
        "second_supplement",
    )
    assert by_promise["due_at"] == MOVED
    assert by_promise["promised_at"] == DUE
    assert by_promise["subtracted_seconds"] == CALENDAR.elapsed(DUE, MOVED) == 8 * 3600
    assert (by_law["due_at"], by_law["lawful_due_at"]) == (DUE, DUE)
    assert second["requests"] == 2
    after, at_once, none = judge(
        facts(
            {"supplement_count": 2, "supplement_requested_at": DUE + DAY},
            {"supplement_count": 2, "supplement_requested_at": DUE},
            {},
        ),
        CALENDAR,
        rule("late_766"),
    ).to_dict("records")
    assert [one["counted"] for one in (after, at_once, none)] == ["promise"] * 3
    assert (after["requests"], none["requests"]) == (2, 0)
    (clock,) = judge(facts(ANSWERED), CALENDAR, rule("late_766", supplement_time="clock_time")).to_dict("records")
    assert clock["subtracted_seconds"] == 24 * 3600
    missing = judge(facts({"due_current": None}, {"status": 0}), CALENDAR, rule("cannot_tell_766"))
    assert missing["missing"].tolist() == ["limit", "status"]


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({}, "flagged"),
        ({"ended_at": DUE}, "clear"),
        ({"received_at": None}, "not_applicable"),
        ({"due_current": None}, "cannot_tell"),
        ({"status": 0}, "cannot_tell"),
        ({"end_seen_at": DUE + DAY, "status": 9}, "cannot_tell"),
        ({"end_seen_at": DUE, "status": 9}, "clear"),
        ({"supplement_count": 2, "due_current": FAR}, "flagged"),
        (ASKED | {"answer_unknown": 1, "status": 9, "ended_at": DUE + DAY}, "cannot_tell"),
        (ASKED | {"answer_unknown": 1, "status": 9, "ended_at": DUE}, "clear"),
        (ANSWERED | {"request_unknown": 1, "status": 9, "ended_at": MOVED}, "cannot_tell"),
        (ANSWERED | {"request_unknown": 1, "status": 9, "ended_at": DUE}, "clear"),
    ],
)
def test_the_four_answers(row: dict[str, Any], answer: str) -> None:
    assert answers(facts(row), CALENDAR, rule("late_766")).tolist() == [answer]


@pytest.mark.parametrize(
    "narrowed",
    [{"applies_to": {"units": ["H99.01"]}}, {"applies_to": {"kinds": ["petition"]}}, {"effective_from": "2026-01-01"}],
)
def test_a_rule_that_leaves_dossiers_out_is_refused(narrowed: dict[str, Any]) -> None:
    for kind in ("late_766", "cannot_tell_766", "late_opencps"):
        with pytest.raises(ValueError, match="holds for every dossier; remove"):
            rule(kind, **narrowed)


def shipped_calendar() -> WorkCalendar:
    text = (files("rules") / "calendars" / "vn.yaml").read_text(encoding="utf-8")
    return validate(CalendarSpec, parse_yaml(text, "vn.yaml")).compile()


def test_the_shipped_examples_hold() -> None:
    calendar = shipped_calendar()
    pack = [one for one in load_packs(("core", "national"), Path()) if one.kind in KINDS_HERE]
    assert {one.kind for one in pack} == KINDS_HERE
    assert all(one.verdict is None for one in pack), "they stand beside the official verdict"
    for one in pack:
        wrong = {example.story: check_example(one, example, calendar) for example in one.examples}
        assert not {story: said for story, said in wrong.items() if said}
        assert {example.answer for example in one.examples} >= {"flagged", "clear"}


KINDS_HERE = {"late_766", "cannot_tell_766", "late_opencps"}

# -- laws -----------------------------------------------------------------------------------------------------------

INSTANTS = st.sampled_from([at for hours in range(-24 * 5, 24 * 20) if CALENDAR.is_working(at := DUE + hours * HOUR)])
"""Within working hours: at night instants and working time need not agree on which of two is more."""
SAMPLES = [at for hours in range(-24 * 6, 24 * 22, 5) if CALENDAR.is_working(at := DUE + hours * HOUR + HOUR / 2)]


@st.composite
def dossiers(draw: st.DrawFn) -> dict[str, Any]:
    """Any dossier: waits in order, some facts missing."""
    row: dict[str, Any] = {"due_current": draw(st.none() | INSTANTS), "due_lawful": draw(st.none() | INSTANTS)}
    row["received_at"] = draw(st.sampled_from([RECEIVED, RECEIVED, None]))
    row["status"] = draw(st.sampled_from([0, 4, 5, 9]))
    marks = sorted(draw(st.lists(INSTANTS, unique=True, max_size=6)))
    waits = list(zip(marks[::2], marks[1::2], strict=False))
    if len(waits) > 1:
        row["earlier_waits"] = earlier(*waits[:-1])
    if waits:
        row["supplement_requested_at"] = waits[-1][0]
        row["supplement_completed_at"] = draw(st.sampled_from([waits[-1][1], None]))
    if any(start <= (row["due_lawful"] or RECEIVED) <= answer for start, answer in waits):
        # The law's own count has the waits in it, so it never ends within one.
        row["due_lawful"] = None
    row["supplement_count"] = draw(st.sampled_from([None, 0, 1, 2, 3]))
    row["ended_at"] = draw(st.none() | INSTANTS)
    row["end_seen_at"] = row["ended_at"] or draw(st.none() | INSTANTS)
    for name in ("request_unknown", "answer_unknown"):
        row[name] = draw(st.sampled_from([0, 0, 1]))
    return row


LAWS = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


@LAWS
@given(st.lists(dossiers(), min_size=2, max_size=4), st.sampled_from(sorted(KINDS_HERE)))
def test_a_row_is_judged_alone(rows: list[dict[str, Any]], kind: str) -> None:
    of, table = rule(kind), facts(*rows)
    together = judge(table, CALENDAR, of).sort_values(["dossier_id", "starts_at"]).reset_index(drop=True)
    for number in table["dossier_id"]:
        alone = judge(table[table["dossier_id"] == number], CALENDAR, of).sort_values("starts_at")
        expected = together[together["dossier_id"] == number]
        pd.testing.assert_frame_equal(alone.reset_index(drop=True), expected.reset_index(drop=True))


@LAWS
@given(dossiers())
def test_every_received_dossier_is_told_or_named(row: dict[str, Any]) -> None:
    """The verdict by 766 at any instant T is that of the plain reading of item 2.1, wherever nothing is missing."""
    late, unsure = found(rule("late_766"), row)[0], found(rule("cannot_tell_766"), row)[0]
    if row["received_at"] is None:
        assert not late and not unsure
        return
    limit = row["due_current"] or row["due_lawful"]
    if limit is None or (row["status"] == 0 and row["ended_at"] is None):
        assert unsure == [(RECEIVED, NEVER)]
    for at in SAMPLES:
        flagged = any(start <= at for start, _ in late)
        doubted = any(start <= at for start, _ in unsure)
        if not doubted and at >= RECEIVED:
            assert flagged == plain_reading(row, at), (at, row)


def plain_reading(row: dict[str, Any], at: datetime) -> bool:
    """Item 2.1 as it is written, for one dossier at the end ``at`` of a period."""
    waits = [
        (datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        for start, end in json.loads(row.get("earlier_waits") or "[]")
    ]
    if (asked := row.get("supplement_requested_at")) is not None:
        waits.append((asked, row["supplement_completed_at"]))
    ended = row["ended_at"] or row["end_seen_at"]
    if ended is not None and ended > at:
        ended = None
    known = sorted(start for start, _ in waits)
    if max(row["supplement_count"] or 0, len(known)) > 1:
        second = known[min(len(known) - 1, 1)] if known else row["ended_at"]
        if second is not None and min(second, row["ended_at"] or second) <= at:
            return True
    end, limit = ended or at, row["due_current"] or row["due_lawful"]
    taken = 0.0
    for start, answer in sorted(waits):
        # Asked as the limit runs out is asked too late.
        run_out = start >= limit and CALENDAR.elapsed(limit, start) >= (taken if row["due_current"] else 0)
        if start >= end or run_out:
            break
        if (answer is None and row["answer_unknown"] == 0) or (answer is not None and answer > end):
            end = start
            break
        if answer is not None:
            taken += CALENDAR.elapsed(start, answer)
    if row["due_current"] is None:
        # The law's own count has taken the waits out.
        return bool(end > row["due_lawful"])
    return bool(end > row["due_current"] and CALENDAR.elapsed(row["due_current"], end) > taken)
