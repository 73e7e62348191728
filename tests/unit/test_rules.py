"""Each kind of rule as a table; whom a rule is about; and what a wrong rule pack is told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from rules.judge import in_scope, judge, judge_each
from rules.kinds.intervals import FINDING_COLUMNS
from rules.loader import load_packs, parse_pack, ruleset_fingerprint, shipped_packs
from rules.model import Rule
from rules.registry import KINDS, Pack
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.facts import FACT_SCHEMA, facts_frame
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.settings import Settings

CALENDAR = WorkCalendar(
    "UTC", {day: [("08:00", "12:00"), ("13:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
)
MICRO = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RECEIVED = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
SOON = datetime(2026, 3, 9, 13, tzinfo=UTC)  # eight working hours before
NEVER = None
Span = tuple[datetime, datetime | None]


def facts(*rows: dict[str, Any]) -> pd.DataFrame:
    """Facts of dossiers received and due; ``rows`` replace what differs."""
    usual = {"kind": "dossier", "status": 4, "received_at": RECEIVED, "due_original": DUE, "due_current": DUE}
    usual |= {"request_unknown": 0, "answer_unknown": 0}
    full = [usual | {"dossier_id": number, "observation_id": number} | row for number, row in enumerate(rows, start=1)]
    return facts_frame(pl.DataFrame(full, schema=dict(FACT_SCHEMA), orient="row"))


def rule(kind: str, **fields: Any) -> Rule:
    """A rule of a kind with what is usual."""
    usual: dict[str, Any] = {"code": "x", "kind": kind, "title": "t", "severity": "info", "legal_basis": "b"}
    needed: dict[str, dict[str, Any]] = {
        "due_soon": {"within_working_hours": 8},
        "returned": {"statuses": [3, 8]},
        "cannot_tell": {"missing": "due_current"},
    }
    made = {**usual, **needed.get(kind, {}), **fields}
    return Pack.model_validate({"pack": "t", "rules": [made]}).rules[0]


def found(of: Rule, *rows: dict[str, Any]) -> list[Span | None]:
    """What a rule finds on each row: the interval, or None."""
    result = judge(facts(*rows), CALENDAR, of)
    assert list(result.columns[:3]) == list(FINDING_COLUMNS)
    spans: dict[int, Span] = {}
    for number, start, end in result[list(FINDING_COLUMNS)].itertuples(index=False):
        assert number not in spans, "a rule finds at most one thing on a dossier"
        spans[number] = (start.to_pydatetime(), None if pd.isna(end) else end.to_pydatetime())
    return [spans.get(number) for number in range(1, len(rows) + 1)]


def check(of: Rule, table: list[tuple[dict[str, Any], Span | None]]) -> None:
    """All rows at once, and each by itself: a row's verdict does not depend on its neighbours."""
    expected = [span for _, span in table]
    assert found(of, *(row for row, _ in table)) == expected
    assert [found(of, row)[0] for row, _ in table] == expected


# NĐ 118/2025/NĐ-CP Điều 8 khoản 1: urge units about dossiers that come due.
DUE_SOON: list[tuple[dict[str, Any], Span | None]] = [
    ({}, (SOON, DUE)),
    ({"received_at": SOON + HOUR}, (SOON + HOUR, DUE)),
    ({"received_at": DUE}, None),
    ({"received_at": None}, None),
    ({"due_current": None}, None),
    ({"ended_at": SOON}, None),
    ({"ended_at": SOON + MICRO}, (SOON, SOON + MICRO)),
    ({"ended_at": DUE + DAY}, (SOON, DUE)),
    ({"end_seen_at": SOON + HOUR}, (SOON, SOON + HOUR)),
    ({"ended_at": SOON - HOUR, "end_seen_at": SOON + HOUR}, None),
    ({"due_current": DUE + timedelta(hours=30)}, (datetime(2026, 3, 11, 8, tzinfo=UTC), DUE + timedelta(hours=30))),
    ({"due_current": datetime(2095, 1, 1, tzinfo=UTC)}, None),
    ({"due_current": datetime(1950, 1, 1, tzinfo=UTC), "received_at": datetime(1949, 1, 1, tzinfo=UTC)}, None),
    ({"supplement_requested_at": SOON}, None),
    ({"supplement_requested_at": DUE}, (SOON, DUE)),
    ({"supplement_requested_at": RECEIVED, "supplement_completed_at": SOON}, (SOON, DUE)),
    # Asked an hour before it was due at noon, answered at noon two days later: due an hour after lunch, and that is soon.
    (
        {"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + 2 * DAY},
        (DUE + DAY + 2 * HOUR, DUE + 2 * DAY + 2 * HOUR),
    ),
    ({"status": 0}, None),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 9: overdue once the promised instant has passed.
OVERDUE: list[tuple[dict[str, Any], Span | None]] = [
    ({}, (DUE, NEVER)),
    ({"received_at": None}, None),
    ({"due_current": None}, None),
    ({"ended_at": DUE - MICRO}, None),
    ({"ended_at": DUE}, None),
    ({"ended_at": DUE + MICRO}, (DUE, DUE + MICRO)),
    ({"ended_at": DUE + DAY, "end_seen_at": DUE + 2 * DAY}, (DUE, DUE + DAY)),
    ({"end_seen_at": DUE + DAY}, None),
    ({"end_seen_at": DUE - DAY}, None),
    ({"received_at": DUE + DAY}, (DUE + DAY, NEVER)),
    ({"due_current": datetime(2095, 1, 1, tzinfo=UTC)}, (datetime(2095, 1, 1, tzinfo=UTC), NEVER)),
    # Điều 19 khoản 4: while the applicant is to supplement, the clock stands still; at the answer it goes on with the
    # working time that was left at the request.
    ({"supplement_requested_at": DUE - MICRO}, None),
    ({"supplement_requested_at": DUE}, (DUE, NEVER)),
    ({"supplement_requested_at": RECEIVED, "supplement_completed_at": DUE}, (DUE, NEVER)),
    ({"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY}, (DUE + DAY + 2 * HOUR, NEVER)),
    (
        {"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY, "ended_at": DUE + DAY + 2 * HOUR},
        None,
    ),
    (
        {"supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + DAY, "ended_at": DUE + 2 * DAY},
        (DUE + DAY + 2 * HOUR, DUE + 2 * DAY),
    ),
    # Waiting when we first looked, after the promise: nobody knows which came first.
    ({"request_unknown": 1, "supplement_requested_at": DUE}, None),
    ({"request_unknown": 1, "supplement_requested_at": DUE - HOUR}, None),
    # A result after a wait of unknown length.
    ({"answer_unknown": 1, "supplement_requested_at": DUE - HOUR, "ended_at": DUE + DAY}, None),
    # A status that nobody mapped may mean that it ended.
    ({"status": 0}, None),
    ({"status": 0, "ended_at": DUE + DAY}, (DUE, DUE + DAY)),
]

# Bộ chỉ số theo QĐ 766/QĐ-TTg: on time if and only if the end is not after the promised instant.
FINISHED_LATE: list[tuple[dict[str, Any], Span | None]] = [
    ({}, None),
    ({"ended_at": DUE}, None),
    ({"ended_at": DUE + MICRO}, (DUE + MICRO, NEVER)),
    ({"ended_at": DUE + MICRO, "received_at": None}, None),
    ({"ended_at": DUE + MICRO, "due_current": None}, None),
    ({"end_seen_at": DUE + DAY}, None),
    ({"ended_at": datetime(2095, 1, 1, tzinfo=UTC)}, (datetime(2095, 1, 1, tzinfo=UTC), NEVER)),
    ({"due_current": datetime(1900, 1, 1, tzinfo=UTC), "ended_at": DUE}, (DUE, NEVER)),
    ({"ended_at": DUE + DAY, "supplement_requested_at": RECEIVED}, None),
    ({"ended_at": DUE + DAY, "supplement_requested_at": RECEIVED, "supplement_completed_at": DUE + HOUR}, None),
    (
        {"ended_at": DUE + DAY, "supplement_requested_at": DUE - HOUR, "supplement_completed_at": DUE + HOUR},
        (DUE + DAY, NEVER),
    ),
]

# NĐ 61/2018/NĐ-CP Điều 19 khoản 4 và khoản 8: a dossier that fails is returned or refused in writing.
RETURNED: list[tuple[dict[str, Any], Span | None]] = [
    ({"status": 3, "ended_at": SOON}, (SOON, NEVER)),
    ({"status": 8, "end_seen_at": SOON}, (SOON, NEVER)),
    ({"status": 8, "ended_at": SOON, "end_seen_at": DUE}, (SOON, NEVER)),
    ({"status": 3, "ended_at": SOON, "received_at": None, "due_current": None}, (SOON, NEVER)),
    ({"status": 7, "ended_at": SOON}, None),
    ({"status": None, "ended_at": SOON}, None),
    ({"status": 8}, None),
]

# NĐ 118/2025/NĐ-CP Điều 11: supplements may be requested once.
SUPPLEMENT: list[tuple[dict[str, Any], Span | None]] = [
    ({}, None),
    ({"supplement_requested_at": SOON}, (SOON, NEVER)),
    ({"supplement_requested_at": SOON, "supplement_completed_at": DUE}, (SOON, DUE)),
    ({"supplement_requested_at": SOON, "ended_at": DUE}, (SOON, DUE)),
    ({"supplement_requested_at": SOON, "end_seen_at": DUE}, (SOON, DUE)),
    ({"supplement_requested_at": SOON, "ended_at": RECEIVED}, None),
    ({"supplement_completed_at": SOON}, None),
]

# NĐ 61/2018/NĐ-CP Điều 17: every dossier has a promised instant; nothing lets a missing one count as on time.
NO_DUE: list[tuple[dict[str, Any], Span | None]] = [
    ({}, None),
    ({"due_current": None}, (RECEIVED, NEVER)),
    ({"due_current": None, "ended_at": DUE}, (RECEIVED, NEVER)),
    ({"due_current": None, "received_at": None}, None),
]

# NĐ 118/2025/NĐ-CP Điều 11: the system is to know when a dossier ended.
NO_END: list[tuple[dict[str, Any], Span | None]] = [
    ({}, None),
    ({"end_seen_at": DUE}, None),
    ({"end_seen_at": DUE + MICRO}, (DUE, NEVER)),
    ({"end_seen_at": DUE + MICRO, "ended_at": DUE}, None),
    ({"end_seen_at": DUE + MICRO, "received_at": None}, None),
    ({"end_seen_at": DUE + MICRO, "due_current": None}, None),
]


# Bộ chỉ số theo QĐ 766/QĐ-TTg, mục 2.1: the wait is subtracted, so it has to be known.
NO_WAIT: list[tuple[dict[str, Any], Span | None]] = [
    ({"supplement_requested_at": DUE}, None),
    ({"request_unknown": 1, "supplement_requested_at": DUE}, (DUE, NEVER)),
    ({"request_unknown": 1, "supplement_requested_at": DUE, "ended_at": DUE}, None),
    ({"request_unknown": 1, "supplement_requested_at": DUE - MICRO}, None),
    ({"answer_unknown": 1, "supplement_requested_at": DUE - MICRO, "ended_at": DUE + DAY}, (DUE, NEVER)),
    ({"answer_unknown": 1, "supplement_requested_at": DUE - MICRO, "ended_at": DUE}, None),
    ({"answer_unknown": 1, "supplement_requested_at": DUE, "ended_at": DUE + DAY}, None),
]

# The ten national statuses: what a source's own one means decides whether a dossier has ended.
NO_STATUS: list[tuple[dict[str, Any], Span | None]] = [
    ({"status": None}, None),
    ({"status": 0}, (RECEIVED, NEVER)),
    ({"status": 0, "ended_at": DUE}, None),
    ({"status": 0, "received_at": None}, None),
]


@pytest.mark.parametrize(
    ("of", "table"),
    [
        (rule("due_soon"), DUE_SOON),
        (rule("overdue"), OVERDUE),
        (rule("finished_late"), FINISHED_LATE),
        (rule("returned"), RETURNED),
        (rule("supplement_requested"), SUPPLEMENT),
        (rule("cannot_tell"), NO_DUE),
        (rule("cannot_tell", missing="end"), NO_END),
        (rule("cannot_tell", missing="wait"), NO_WAIT),
        (rule("cannot_tell", missing="status"), NO_STATUS),
    ],
    ids=[
        *("due_soon", "overdue", "finished_late", "returned", "supplement_requested"),
        *("no due", "no end", "no wait", "no status"),
    ],
)
def test_a_kind_finds_what_its_table_says(of: Rule, table: list[tuple[dict[str, Any], Span | None]]) -> None:
    check(of, table)


@pytest.mark.parametrize("kind", ["due_soon", "overdue", "finished_late"])
def test_a_clock_that_runs_while_waiting_does_not_mind_supplements(kind: str) -> None:
    tables = {"due_soon": DUE_SOON, "overdue": OVERDUE, "finished_late": FINISHED_LATE}
    rows = [row for row, _ in tables[kind]]
    waits = ("supplement_requested_at", "supplement_completed_at", "request_unknown", "answer_unknown")
    without = [{name: value for name, value in row.items() if name not in waits} for row in rows]
    running = rule(kind, clock_while_waiting="running")
    assert found(running, *rows) == found(rule(kind), *without)


def test_the_promise_that_a_rule_measures_against_can_be_the_first() -> None:
    row = {"due_original": DUE, "due_current": DUE + 5 * DAY, "ended_at": DUE + DAY}
    assert found(rule("overdue", against="due_original"), row) == [(DUE, DUE + DAY)]
    assert found(rule("finished_late", against="due_original"), row) == [(DUE + DAY, None)]
    assert found(rule("overdue"), row) == found(rule("finished_late"), row) == [None]


def test_evidence_adds_up() -> None:
    row = {"ended_at": DUE + DAY + MICRO}
    (late,) = judge(facts(row), CALENDAR, rule("finished_late")).to_dict("records")
    assert (late["due_at"], late["ended_at"]) == (DUE, DUE + DAY + MICRO)
    assert (late["late_seconds"], late["late_working_seconds"]) == (86_400.000001, 8 * 3600.0)
    far = judge(facts({"ended_at": datetime(2095, 1, 1, tzinfo=UTC)}), CALENDAR, rule("finished_late"))
    assert far["late_working_seconds"].isna().all(), "a calendar does not answer for 2095, the verdict stands"
    (asked,) = judge(facts({"supplement_requested_at": SOON}), CALENDAR, rule("supplement_requested")).to_dict(
        "records"
    )
    assert asked["requests"] == 1


SHIPPED = {one.kind: one for one in load_packs(("core", *shipped_packs()), Path())}


def epoch(at: datetime) -> float:
    return at.timestamp()


def test_every_wait_in_which_the_promise_came_moves_it() -> None:
    """Asked on 4/3, answered on 12/3, asked again on 13/3: the office had used up nothing that the promise of 10/3 left."""
    first = (datetime(2026, 3, 4, 8, tzinfo=UTC), datetime(2026, 3, 12, 8, tzinfo=UTC))
    again, answered = datetime(2026, 3, 13, 8, tzinfo=UTC), datetime(2026, 3, 16, 8, tzinfo=UTC)
    waited = {"earlier_waits": json.dumps([[epoch(one) for one in first]]), "supplement_count": 2}
    # From 4/3 08:00 to 10/3 12:00 are 36 working hours; 8 of them go by on 12/3, the rest from 16/3 on.
    moved = datetime(2026, 3, 19, 12, tzinfo=UTC)
    check(
        rule("overdue"),
        [
            (waited | {"supplement_requested_at": again}, None),
            (waited | {"supplement_requested_at": again, "supplement_completed_at": answered}, (moved, NEVER)),
            (waited | {"supplement_requested_at": again, "supplement_completed_at": answered, "ended_at": moved}, None),
        ],
    )


def test_requests_that_are_counted_but_not_known_leave_it_open_whether_the_promise_came_in_one() -> None:
    after = {"supplement_requested_at": DUE + DAY, "supplement_completed_at": DUE + 2 * DAY}
    unknown = after | {"supplement_count": 2}
    assert found(rule("overdue"), unknown, after, after | {"supplement_count": 1}) == [None, (DUE, NEVER), (DUE, NEVER)]
    assert found(rule("cannot_tell", missing="wait"), unknown, after) == [(DUE, NEVER), None]


def test_a_due_instant_beyond_the_calendar_is_none_and_keeps_no_other_from_being_judged() -> None:
    """Forty years left at the request: the source claims nonsense, and the calendar ends before they are over."""
    absurd = {
        "due_current": datetime(2058, 1, 1, tzinfo=UTC),
        "supplement_requested_at": RECEIVED + DAY,
        "supplement_completed_at": datetime(2058, 6, 1, tzinfo=UTC),
    }
    assert found(rule("overdue"), absurd, {}) == [None, (DUE, NEVER)]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kind_takes_no_facts_and_does_not_touch_those_it_gets(kind: str) -> None:
    """Every kind has a rule in a shipped pack, and that rule is content with no rows."""
    table = facts(*(row for row, _ in OVERDUE), *(row for row, _ in RETURNED))
    if KINDS[kind].groups is not None:
        table = table.assign(group=1)
    assert judge(table.iloc[:0], CALENDAR, SHIPPED[kind]).empty
    before = table.copy(deep=True)
    judge(table, CALENDAR, SHIPPED[kind])
    pd.testing.assert_frame_equal(table, before)


# -- whom a rule is about -------------------------------------------------------------------------------------------

PEOPLE = (
    {"procedure_code": "1.1", "sector_code": "XD", "unit_code": "H99.01"},
    {"procedure_code": "1.2", "sector_code": "XD", "unit_code": "H99.02"},
    {"procedure_code": None, "sector_code": None, "unit_code": None},
    {"procedure_code": "1.1", "sector_code": "YT", "unit_code": "H99.02", "kind": "petition"},
)


@pytest.mark.parametrize(
    ("scope", "about"),
    [
        ({}, [1, 2, 3, 4]),
        ({"kinds": ["dossier"]}, [1, 2, 3]),
        ({"kinds": ["petition"]}, [4]),
        ({"procedures": ["1.1"]}, [1, 4]),
        ({"procedures": ["1.1", "1.2"]}, [1, 2, 4]),
        ({"sectors": ["XD"]}, [1, 2]),
        ({"units": ["H99.02"]}, [2, 4]),
        ({"units": ["H99.02"], "procedures": ["1.1"]}, [4]),
        ({"units": ["nobody"]}, []),
        ({"except_procedures": ["1.1"]}, [2, 3]),
        ({"except_units": ["H99.02"]}, [1, 3]),
        ({"sectors": ["XD"], "except_units": ["H99.02"]}, [1]),
    ],
)
def test_a_rule_is_about_those_in_its_scope(scope: dict[str, Any], about: list[int]) -> None:
    table = facts(*PEOPLE)
    of = rule("overdue", applies_to=scope)
    assert table["dossier_id"][in_scope(table, CALENDAR, of)].tolist() == about
    assert sorted(judge(table, CALENDAR, of)["dossier_id"]) == about


def test_rules_are_judged_together_as_each_alone() -> None:
    table = facts(*PEOPLE)
    here: dict[str, Any] = {"applies_to": {"units": ["H99.01"]}}
    rules = [
        rule("overdue", code="of_nobody", applies_to={"units": ["nobody"]}),
        rule("overdue", code="here", **here),
        rule("finished_late", code="finds_nothing"),
        rule("overdue", code="everywhere"),
        rule("due_soon", code="also_here", **here),
        rule("overdue", code="later", **here, effective_from=RECEIVED.date() + DAY),
    ]
    found = {of.code: sorted(frame["dossier_id"]) for of, frame in judge_each(table, CALENDAR, rules)}
    assert found == {"here": [1], "everywhere": [1, 2, 3, 4], "also_here": [1]}


def test_effective_dates_are_local_days_of_reception_the_last_one_excluded() -> None:
    hanoi = WorkCalendar("Asia/Ho_Chi_Minh", {"mon": [("08:00", "12:00")]})
    midnight = datetime(2026, 7, 1, tzinfo=UTC) - timedelta(hours=7)
    end = datetime(2027, 3, 1, tzinfo=UTC) - timedelta(hours=7)
    receptions = (midnight - MICRO, midnight, end - MICRO, end, None)
    table = facts(*({"received_at": at} for at in receptions))
    of = rule("overdue", effective_from=date(2026, 7, 1), effective_to=date(2027, 3, 1))
    assert in_scope(table, hanoi, of).tolist() == [False, True, True, False, False]
    assert in_scope(table, hanoi, rule("overdue", effective_from=date(2026, 7, 1))).tolist() == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert in_scope(table, hanoi, rule("overdue")).all()


# -- packs ----------------------------------------------------------------------------------------------------------

GOOD = "pack: own\nrules:\n  - {code: x, kind: overdue, title: t, severity: info, legal_basis: b}\n"


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_pack(text, "own.yaml")
    return str(caught.value).split("\n")


def test_the_shipped_pack_has_every_kind_and_a_legal_basis_each() -> None:
    assert set(Settings.model_fields["rules"].default.packs) == set(shipped_packs()), "all shipped packs are in force"
    every = load_packs(Settings.model_fields["rules"].default.packs, Path())
    assert {one.kind for one in every} == set(KINDS)
    assert all(one.legal_basis and one.title for one in every)
    core = load_packs(("core",), Path())
    verdicts = {one.code: one.verdict for one in core if one.verdict}
    assert verdicts == {
        "overdue": "open_overdue",
        "finished_late": "late",
        "no_due_date": "cannot_tell",
        "no_end_date": "cannot_tell",
        "no_wait_date": "cannot_tell",
        "unknown_status": "cannot_tell",
    }


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (GOOD + "rulez: 1\n", "own.yaml:4", "unknown key 'rulez'"),
        (GOOD.replace("title: t", "titel: t"), "own.yaml:3", "titel"),
        (GOOD.replace("kind: overdue", "kind: overdew"), "own.yaml:3", "'due_soon', "),
        (GOOD.replace(" kind: overdue,", ""), "own.yaml:3", "kind"),
        (GOOD.replace("severity: info", "severity: fatal"), "own.yaml:3", "'info', 'warning' or 'critical'"),
        (GOOD.replace("code: x", "code: Quá-hạn"), "own.yaml:3", "code"),
        (GOOD.replace("kind: overdue", "kind: due_soon"), "own.yaml:3", "within_working_hours"),
        (GOOD.replace("kind: overdue", "kind: due_soon, within_working_hours: 0"), "own.yaml:3", "greater than 0"),
        (GOOD.replace("kind: overdue", "kind: returned, statuses: [11]"), "own.yaml:3", "less than or equal to 10"),
        (GOOD.replace("kind: overdue", "kind: returned, statuses: []"), "own.yaml:3", "statuses"),
        (GOOD.replace("legal_basis: b", "legal_basis: ''"), "own.yaml:3", "legal_basis"),
        (GOOD.replace("{code", "{effective_from: 2026-02-01, effective_to: 2026-02-01, code"), "own.yaml:3", "after"),
        (GOOD.replace("{code", "{applies_to: {unit: [a]}, code"), "own.yaml:3", "unknown key"),
        (GOOD.replace("code: x,", "code: x, code: y,"), "own.yaml:3", "key 'code' stands already on line 3"),
        (GOOD + GOOD.splitlines()[2] + "\n", "own.yaml:4", "rule 'x' stands twice; rename one of the two"),
        ("pack: own\nrules: []\n", "own.yaml:2", "rules"),
        ("rules: [\n", "own.yaml:2", "not valid YAML"),
        ("", "own.yaml", "key 'pack' is missing"),
        ("- x\n", "own.yaml:1", "dictionary"),
    ],
)
def test_a_wrong_pack_is_refused_with_its_line(text: str, place: str, said: str) -> None:
    lines = refused(text)
    assert [line for line in lines if line.startswith(f"{place}: ") and said in line], lines


def test_all_problems_of_a_pack_are_told_at_once() -> None:
    lines = refused(
        "pack: own\nrules:\n"
        "  - {code: a, kind: overdue, title: t, severity: high, legal_basis: b}\n"
        "  - {code: b, kind: overdue, title: t, severity: info}\n"
        "  - {code: c, kind: never, title: t, severity: info, legal_basis: b}\n"
    )
    assert [line.partition(": ")[0] for line in lines] == ["own.yaml:3", "own.yaml:4", "own.yaml:5"]


def test_a_later_pack_overrides_single_rules(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "pack: own\nrules:\n"
        "  - {code: overdue, kind: overdue, title: Của tỉnh, severity: critical, verdict: open_overdue, legal_basis: QĐ}\n"
        "  - {code: extra, kind: supplement_requested, title: t, severity: info, legal_basis: b}\n",
        encoding="utf-8",
    )
    core, both = load_packs(("core",), tmp_path), load_packs(("core", "own.yaml"), tmp_path)
    titles = {one.code: one.title for one in both}
    assert titles.keys() == {one.code for one in core} | {"extra"}
    assert titles["overdue"] == "Của tỉnh"
    assert {one.code: one.title for one in load_packs(("own.yaml", "core"), tmp_path)}["overdue"] != "Của tỉnh"
    assert ruleset_fingerprint(both) != ruleset_fingerprint(core)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("kind: overdue, verdict: late", "cannot give the verdict late"),
        ("kind: returned, statuses: [8], verdict: late", "cannot give the verdict late"),
        ("kind: overdue, verdict: open_overdue, applies_to: {units: [H99.05]}", "holds for every dossier"),
        ("kind: overdue, verdict: open_overdue, effective_from: 2026-01-01", "holds for every dossier"),
        ("kind: overdue, verdict: open_overdue, against: due_original", "against due_current"),
    ],
)
def test_an_official_rule_holds_for_everybody(fields: str, said: str) -> None:
    lines = refused(f"pack: own\nrules:\n  - {{code: x, title: t, severity: info, legal_basis: b, {fields}}}\n")
    assert said in lines[0], lines


def test_packs_without_an_official_rule_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace("code: x", "code: overdue"), encoding="utf-8")
    for packs in (("own.yaml",), ("core", "own.yaml")):
        with pytest.raises(ConfigError, match=r"no rule gives the verdict .*put the pack 'core' first"):
            load_packs(packs, tmp_path)


def test_a_pack_that_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rule pack 'cores' is not shipped; use one of core, duties, .*, or a path"):
        load_packs(("cores",), tmp_path)
    with pytest.raises(ConfigError, match=r"own\.yaml cannot be read.*correct rules\.packs"):
        load_packs(("own.yaml",), tmp_path)
    (tmp_path / "own.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_packs(("own.yaml",), tmp_path)


def test_a_version_is_the_definition_and_nothing_else() -> None:
    (first,), (again,) = parse_pack(GOOD, "a.yaml"), parse_pack(GOOD.replace("pack: own", "pack: other"), "b.yaml")
    assert first.fingerprint() == again.fingerprint()
    for change in (
        ("title: t", "title: u"),
        ("severity: info", "severity: warning"),
        ("{code", "{effective_from: 2026-01-01, code"),
    ):
        (other,) = parse_pack(GOOD.replace(*change), "a.yaml")
        assert other.fingerprint() != first.fingerprint()
    core = load_packs(("core",), Path())
    assert ruleset_fingerprint(core) == ruleset_fingerprint(core[::-1]) != ruleset_fingerprint(core[1:])
    assert all(json.dumps(one.model_dump(mode="json")) for one in core)
