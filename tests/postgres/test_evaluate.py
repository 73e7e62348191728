"""Verdicts on hand-made dossiers, at any instant; and that an evaluation may be cut, repeated or split at will."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rules.grounds import Grounds
from rules.loader import load_packs, parse_pack
from rules.model import Rule
from tests.postgres.test_ledger import DAY, query, record, take
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.evaluate import Evaluated, evaluate
from tthc_monitor.settings import shipped_calendar
from tthc_monitor.store import selection

CORE = load_packs(("core",), Path())
CALENDAR = validate(CalendarSpec, shipped_calendar("vn"))
NO_LIMITS = Limits([], ClockPolicy())

MICRO = timedelta(microseconds=1)
RECEIVED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DUE = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
"""Tuesday, 17:00 in Viet Nam."""
SEEN_EARLY, SEEN_LATE = datetime(2026, 3, 5, 3, 0, tzinfo=UTC), datetime(2026, 3, 20, 3, 0, tzinfo=UTC)

NOT, OPEN, OVER, LATE, GOOD, WHO = "not_received", "open_in_time", "open_overdue", "late", "on_time", "cannot_tell"


def judge(engine: Engine, at: datetime = SEEN_LATE, rules: Sequence[Rule] = CORE, **options: Any) -> Evaluated:
    """An evaluation at an instant."""
    grounds = Grounds(tuple(rules), options.pop("calendar", CALENDAR), options.pop("limits", NO_LIMITS))
    return evaluate(engine, grounds, now=lambda: at, **options)


def verdicts(engine: Engine, at: datetime) -> dict[str, str]:
    """The verdict on every dossier at an instant."""
    return dict(query(engine, "SELECT source_key, verdict FROM audit.verdicts_as_of(:at)", at=at))


def flags(engine: Engine, believed_at: datetime | None = None) -> list[tuple[Any, ...]]:
    """Every finding that stands, or stood at an instant, told without the numbers of rows."""
    believed = (
        "f.believed_to IS NULL"
        if believed_at is None
        else "f.believed_from <= :at AND (f.believed_to IS NULL OR f.believed_to > :at)"
    )
    statement = (
        "SELECT d.source_key, f.rule_code, f.starts_at, nullif(f.ends_at, 'infinity'), f.evidence::text "
        f"FROM audit.flags f JOIN audit.dossiers d USING (dossier_id) WHERE {believed} ORDER BY 1, 2, 3"
    )
    return query(engine, statement, at=believed_at)


def of_rule(engine: Engine, code: str, **options: Any) -> list[tuple[Any, ...]]:
    """Key, start and end of a rule's findings."""
    return [(key, start, end) for key, rule, start, end, _ in flags(engine, **options) if rule == code]


# -- the table of verdicts ------------------------------------------------------------------------------------------

INSTANTS = (RECEIVED - MICRO, RECEIVED, SEEN_EARLY, DUE - MICRO, DUE, DUE + MICRO, SEEN_LATE, DUE + 60 * DAY)


def made(key: str, **fields: Any) -> dict[str, Any]:
    return record(key, **{"received_at": RECEIVED, "due_current": DUE, **fields})


TABLE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    # what is known, and the verdict at each of INSTANTS
    ("open", {}, (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER)),
    (
        "finished at the due instant",
        {"status": 9, "finished_at": DUE},
        (NOT, OPEN, OPEN, OPEN, GOOD, GOOD, GOOD, GOOD),
    ),
    (
        "finished a microsecond after",
        {"status": 9, "finished_at": DUE + MICRO},
        (NOT, OPEN, OPEN, OPEN, OVER, LATE, LATE, LATE),
    ),
    (
        "finished a microsecond before",
        {"status": 9, "finished_at": DUE - MICRO},
        (NOT, OPEN, OPEN, GOOD, GOOD, GOOD, GOOD, GOOD),
    ),
    (
        "finished long after",
        {"status": 9, "finished_at": DUE + 30 * DAY},
        (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, LATE),
    ),
    (
        "only delivered, late",
        {"status": 10, "delivered_at": SEEN_LATE},
        (NOT, OPEN, OPEN, OPEN, OVER, OVER, LATE, LATE),
    ),
    (
        "finished in time, delivered late",
        {"status": 10, "finished_at": DUE - DAY, "delivered_at": DUE + DAY},
        (NOT, OPEN, OPEN, GOOD, GOOD, GOOD, GOOD, GOOD),
    ),
    (
        "finished without a status",
        {"status": None, "finished_at": DUE},
        (NOT, OPEN, OPEN, OPEN, GOOD, GOOD, GOOD, GOOD),
    ),
    ("open without due", {"due_current": None}, (NOT, WHO, WHO, WHO, WHO, WHO, WHO, WHO)),
    (
        "finished without due",
        {"status": 9, "due_current": None, "finished_at": DUE},
        (NOT, WHO, WHO, WHO, WHO, WHO, WHO, WHO),
    ),
    ("withdrawn in time", {"status": 7, "finished_at": SEEN_EARLY}, (NOT, OPEN, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD)),
    ("stopped late", {"status": 8, "finished_at": SEEN_LATE}, (NOT, OPEN, OPEN, OPEN, OVER, OVER, LATE, LATE)),
    ("registered", {"status": 1, "received_at": None, "due_current": None}, (NOT,) * 8),
    (
        "refused before reception",
        {"status": 3, "received_at": None, "due_current": None, "finished_at": RECEIVED},
        (NOT,) * 8,
    ),
    ("refused unreceived with a due instant", {"status": 3, "received_at": None}, (NOT,) * 8),
    ("received in the future", {"received_at": SEEN_LATE, "due_current": SEEN_LATE + DAY}, (NOT,) * 6 + (OPEN, OVER)),
    ("due before it was received", {"due_current": RECEIVED - DAY}, (NOT,) + (OVER,) * 7),
    ("ended before it was received", {"status": 9, "finished_at": RECEIVED - DAY}, (NOT,) + (GOOD,) * 7),
    ("received at the due instant", {"received_at": DUE}, (NOT,) * 4 + (OVER,) * 4),
    ("petition", {"kind": "petition"}, (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER)),
    ("waits for the applicant", {"status": 5}, (NOT, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN)),
    (
        "asked and answered before due",
        {"supplement_requested_at": SEEN_EARLY, "supplement_completed_at": DUE - MICRO},
        (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER),
    ),
    # 27.5 working hours were left when it was asked: due again on 16 March at 14:30.
    (
        "asked before due, answered after",
        {"supplement_requested_at": SEEN_EARLY, "supplement_completed_at": DUE + MICRO},
        (NOT, OPEN, OPEN, OPEN, OPEN, OPEN, OVER, OVER),
    ),
    (
        "asked before due, stopped unanswered",
        {"status": 8, "supplement_requested_at": SEEN_EARLY, "finished_at": SEEN_LATE},
        (NOT, OPEN, OPEN, OPEN, OPEN, OPEN, GOOD, GOOD),
    ),
    (
        "asked before due, a result, no word of an answer",
        {"status": 9, "supplement_requested_at": SEEN_EARLY, "finished_at": SEEN_LATE},
        (NOT, OPEN, OPEN, OPEN, WHO, WHO, WHO, WHO),
    ),
    ("a status that nobody mapped", {"status": None, "source_status": "KETTHUC"}, (NOT,) + (WHO,) * 7),
    ("no status at all", {"status": None, "source_status": None}, (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER)),
    (
        "asked at the due instant",
        {"supplement_requested_at": DUE},
        (NOT, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER),
    ),
    (
        "asked again after an answer",
        {"supplement_requested_at": DUE - DAY, "supplement_completed_at": SEEN_EARLY, "supplement_count": 2},
        (NOT, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, OPEN),
    ),
    (
        "asked before due, answered after, finished",
        {
            "status": 9,
            "supplement_requested_at": SEEN_EARLY,
            "supplement_completed_at": DUE + DAY,
            "finished_at": SEEN_LATE,
        },
        (NOT, OPEN, OPEN, OPEN, OPEN, OPEN, LATE, LATE),
    ),
    ("due in 2095", {"due_current": datetime(2095, 1, 1, tzinfo=UTC)}, (NOT,) + (OPEN,) * 7),
    ("due in 9999", {"due_current": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)}, (NOT,) + (OPEN,) * 7),
    ("due in 1900", {"due_current": datetime(1900, 1, 1, tzinfo=UTC)}, (NOT,) + (OVER,) * 7),
    (
        "due in 0001, finished",
        {"status": 9, "due_current": datetime(1, 1, 1, tzinfo=UTC), "finished_at": DUE},
        (NOT, OVER, OVER, OVER, LATE, LATE, LATE, LATE),
    ),
    (
        "received in 0001",
        {"received_at": datetime(1, 1, 1, tzinfo=UTC)},
        (OPEN, OPEN, OPEN, OPEN, OVER, OVER, OVER, OVER),
    ),
]
UNTOLD_END: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("gone, seen early", {"status": 7}, (NOT, OPEN, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD)),
    ("gone, without due", {"status": 8, "due_current": None}, (NOT, WHO, WHO, WHO, WHO, WHO, WHO, WHO)),
    ("gone, seen at due", {"status": 10, "due_current": SEEN_EARLY}, (NOT, OPEN, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD)),
    (
        "gone, seen a microsecond after due",
        {"status": 10, "due_current": SEEN_EARLY - MICRO},
        (NOT, OPEN, WHO, WHO, WHO, WHO, WHO, WHO),
    ),
]
"""Ended in a status, at an instant that the source does not tell; seen at SEEN_EARLY."""
SEEN_AFTER: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("gone, seen late", {"status": 9}, (NOT, OPEN, OPEN, OPEN, WHO, WHO, WHO, WHO)),
]


def test_the_verdicts_are_those_of_the_table_at_every_instant(engine: Engine) -> None:
    both = [*TABLE, *UNTOLD_END]
    take(engine, *(made(key, **fields) for key, fields, _ in both), at=SEEN_EARLY)
    take(engine, *(made(key, **fields) for key, fields, _ in SEEN_AFTER), at=SEEN_LATE)
    done = judge(engine)
    everybody = {key: expected for key, _, expected in (*both, *SEEN_AFTER)}
    assert done.dossiers == len(everybody)
    for position, instant in enumerate(INSTANTS):
        expected = {key: verdict[position] for key, verdict in everybody.items()}
        assert verdicts(engine, instant) == expected, instant


def test_lateness_is_told_in_seconds_to_the_microsecond(engine: Engine) -> None:
    take(
        engine,
        made("open"),
        made("late", status=9, finished_at=DUE + MICRO),
        made("good", status=9, finished_at=DUE),
        made("unknown", due_current=None),
    )
    judge(engine)

    def late(at: datetime) -> dict[str, float | None]:
        return dict(query(engine, "SELECT source_key, late_seconds FROM audit.verdicts_as_of(:at)", at=at))

    assert late(DUE - MICRO) == {"open": None, "late": None, "good": None, "unknown": None}
    assert late(DUE) == {"open": 0.0, "late": 0.0, "good": None, "unknown": None}
    assert late(DUE + DAY) == {"open": 86_400.0, "late": 1e-6, "good": None, "unknown": None}


def test_a_verdict_names_the_finding_and_the_rule_version_it_rests_on(engine: Engine) -> None:
    take(engine, made("a"))
    judge(engine)
    ((verdict, rule, version, evidence),) = query(
        engine,
        "SELECT v.verdict, f.rule_code, f.rule_version_id = v.rule_version_id, f.evidence "
        "FROM audit.verdicts_as_of(:at) v JOIN audit.flags f USING (flag_id)",
        at=DUE,
    )
    assert (verdict, rule, version) == (OVER, "overdue", True)
    assert evidence["due_at"] == "2026-03-10T10:00:00.000000Z"


def test_one_with_a_due_instant_far_away_does_not_keep_the_others_from_being_judged(engine: Engine) -> None:
    far = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1900, 1990, 2059, 2060, 2061, 2095, 2254, 9999)]
    rows = [made(f"far {due.year}", due_current=due) for due in far]
    ended = [made(f"done {due.year}", due_current=due, status=9, finished_at=DUE) for due in far]
    take(engine, *rows, *ended, made("near", finished_at=DUE + DAY, status=9))
    judge(engine)
    found = verdicts(engine, DUE + 2 * DAY)
    assert {key: found[key] for key in ("near", "far 1900", "far 2095", "done 1", "done 9999")} == {
        "near": LATE,
        "far 1900": OVER,
        "far 2095": OPEN,
        "done 1": LATE,
        "done 9999": GOOD,
    }
    assert [start for key, start, _ in of_rule(engine, "overdue") if key.startswith("far")] == [
        max(due, RECEIVED) for due in far
    ]


# -- findings are intervals -----------------------------------------------------------------------------------------


def test_due_soon_is_flagged_eight_working_hours_before_across_the_weekend(engine: Engine) -> None:
    monday_noon = datetime(2026, 3, 9, 4, 30, tzinfo=UTC)  # 11:30 in Viet Nam
    take(engine, made("a", due_current=monday_noon), made("b", received_at=monday_noon, due_current=DUE))
    judge(engine, at=RECEIVED)
    assert of_rule(engine, "due_soon")[0] == ("a", datetime(2026, 3, 6, 4, 0, tzinfo=UTC), monday_noon)
    start = of_rule(engine, "due_soon")[1][1]
    assert monday_noon <= start, "nothing is due soon before it was received"


def test_findings_of_the_future_need_no_second_look(engine: Engine) -> None:
    take(engine, made("a"), at=RECEIVED)
    assert judge(engine, at=RECEIVED).opened == 2
    assert [verdicts(engine, at)["a"] for at in (DUE - MICRO, DUE)] == [OPEN, OVER]
    assert judge(engine, at=DUE + 30 * DAY) == Evaluated(), "time passing costs nothing"


def test_every_interval_of_the_core_rules(engine: Engine) -> None:
    asked, answered = SEEN_EARLY, SEEN_EARLY + DAY
    take(
        engine,
        made("late", status=9, finished_at=DUE + DAY),
        made("returned", status=8, finished_at=SEEN_EARLY),
        made("refused", status=3, received_at=None, due_current=None),
        made("asked", status=5, supplement_requested_at=asked),
        made("answered", supplement_requested_at=asked, supplement_completed_at=answered, supplement_count=2),
        at=SEEN_EARLY,
    )
    judge(engine)
    soon = DUE - timedelta(hours=24, minutes=30)  # a day has seven and a half working hours
    assert [(key, rule, start, end) for key, rule, start, end, _ in flags(engine)] == [
        ("answered", "due_soon", soon, DUE),
        ("answered", "overdue", DUE, None),
        ("answered", "supplement_requested", asked, answered),
        ("asked", "supplement_requested", asked, None),
        ("late", "due_soon", soon, DUE),
        ("late", "finished_late", DUE + DAY, None),
        ("late", "overdue", DUE, DUE + DAY),
        ("refused", "returned", SEEN_EARLY, None),
        ("returned", "returned", SEEN_EARLY, None),
    ]


# -- judged again ---------------------------------------------------------------------------------------------------


def test_judging_again_without_a_change_moves_nothing(engine: Engine) -> None:
    take(engine, *(made(key, **fields) for key, fields, _ in (*TABLE, *UNTOLD_END)), at=SEEN_EARLY)
    first = judge(engine, at=SEEN_EARLY)
    ids = query(engine, "SELECT flag_id, believed_from FROM tthc.flags ORDER BY 1")
    assert first.opened == len(ids) > 0
    assert judge(engine) == Evaluated()
    again = judge(engine, everything=True)
    assert (again.dossiers, again.opened, again.closed, again.everything) == (first.dossiers, 0, 0, True)
    assert query(engine, "SELECT flag_id, believed_from FROM tthc.flags ORDER BY 1") == ids


def test_a_moved_due_date_closes_the_old_belief_which_stays_to_be_asked_for(engine: Engine) -> None:
    later = DUE + 7 * DAY
    take(engine, made("a"), made("b"), at=RECEIVED)
    judge(engine, at=RECEIVED)
    believed = flags(engine)
    take(engine, made("a", due_current=later), made("b"), at=SEEN_EARLY)
    done = judge(engine, at=SEEN_EARLY)
    assert (done.dossiers, done.opened, done.closed) == (1, 2, 2)
    assert of_rule(engine, "overdue") == [("a", later, None), ("b", DUE, None)]
    assert flags(engine, believed_at=SEEN_EARLY - MICRO) == believed
    assert flags(engine, believed_at=SEEN_EARLY) == flags(engine)
    assert query(engine, "SELECT DISTINCT believed_to FROM tthc.flags WHERE believed_to IS NOT NULL") == [SEEN_EARLY]
    assert verdicts(engine, DUE) == {"a": OPEN, "b": OVER}


def test_an_end_told_afterwards_ends_the_overdue_interval_where_it_was(engine: Engine) -> None:
    take(engine, made("a"), at=RECEIVED)
    judge(engine, at=RECEIVED)
    take(engine, made("a", status=9, finished_at=DUE + DAY), at=DUE + 3 * DAY)
    judge(engine, at=DUE + 3 * DAY)
    assert [verdicts(engine, at)["a"] for at in (DUE, DUE + DAY - MICRO, DUE + DAY)] == [OVER, OVER, LATE]


def test_a_unit_or_procedure_that_changes_is_a_new_conclusion(engine: Engine) -> None:
    take(engine, made("a", unit_code="H99.01", procedure_code="1.000001"), at=RECEIVED)
    judge(engine, at=RECEIVED)
    take(engine, made("a", unit_code="H99.02", procedure_code="1.000001"), at=SEEN_EARLY)
    done = judge(engine, at=SEEN_EARLY)
    assert (done.opened, done.closed) == (2, 2)
    assert query(engine, "SELECT DISTINCT unit_code FROM audit.flags_in_force") == ["H99.02"]
    assert query(engine, "SELECT DISTINCT unit_code FROM audit.flags WHERE believed_to IS NOT NULL") == ["H99.01"]


def test_a_change_that_matters_to_no_rule_keeps_every_finding(engine: Engine) -> None:
    take(engine, made("a"), at=RECEIVED)
    judge(engine, at=RECEIVED)
    take(engine, made("a", step_code="x"), at=SEEN_EARLY)
    done = judge(engine, at=SEEN_EARLY)
    assert (done.dossiers, done.opened, done.closed) == (1, 0, 0)


# -- rules and calendars change -------------------------------------------------------------------------------------


def changed(code: str, **fields: Any) -> tuple[Rule, ...]:
    """The core rules with one of them changed."""
    return tuple(rule.model_copy(update=fields) if rule.code == code else rule for rule in CORE)


def test_a_changed_rule_judges_everything_again_and_keeps_what_it_said_before(engine: Engine) -> None:
    take(engine, made("a"), made("b", status=9, finished_at=DUE))
    judge(engine, at=RECEIVED)
    before = of_rule(engine, "due_soon")
    done = judge(engine, at=SEEN_EARLY, rules=changed("due_soon", within_working_hours=16.0))
    assert (done.dossiers, done.opened, done.closed, done.everything) == (2, 2, 2, False)
    assert [start < old for (_, start, _), (_, old, _) in zip(of_rule(engine, "due_soon"), before, strict=True)] == [
        True,
        True,
    ]
    assert of_rule(engine, "due_soon", believed_at=RECEIVED) == before
    versions = query(
        engine,
        "SELECT definition->>'within_working_hours', known_from FROM audit.rules WHERE rule_code = 'due_soon' ORDER BY 1",
    )
    assert versions == [("16.0", SEEN_EARLY), ("8.0", RECEIVED)]
    assert query(engine, "SELECT count(*) FROM audit.rules") == [len(CORE) + 1], "the others keep their version"
    assert judge(engine, rules=changed("due_soon", within_working_hours=16.0)) == Evaluated()
    back = judge(engine)
    assert (back.everything, back.opened, back.closed) == (False, 2, 2)
    assert query(engine, "SELECT count(*) FROM audit.rules") == [len(CORE) + 1], "an old rule is its old version"


def test_a_rule_taken_away_takes_its_findings_back(engine: Engine) -> None:
    take(engine, made("a"))
    judge(engine)
    done = judge(engine, rules=[rule for rule in CORE if rule.code != "overdue"], at=SEEN_LATE + DAY)
    assert (done.everything, done.opened, done.closed) == (False, 0, 1)
    assert of_rule(engine, "overdue") == []
    assert verdicts(engine, DUE) == {"a": OPEN}


def test_a_changed_calendar_judges_everything_again(engine: Engine) -> None:
    take(engine, made("a"))
    judge(engine, at=RECEIVED)
    ((_, before, _),) = of_rule(engine, "due_soon")
    day_off = CALENDAR.model_copy(update={"days_off": [*CALENDAR.days_off, *_days_off("2026-03-10", "2026-03-09")]})
    done = judge(engine, at=SEEN_EARLY, calendar=day_off)
    assert (done.everything, done.opened, done.closed) == (False, 1, 1)
    assert of_rule(engine, "due_soon")[0][1] == before - 4 * DAY, "two days off and the weekend before them"
    assert query(engine, "SELECT known_from FROM audit.calendars ORDER BY 1") == [RECEIVED, SEEN_EARLY]
    assert query(engine, "SELECT DISTINCT calendar_version_id FROM audit.flags WHERE rule_code = 'due_soon'") == [1, 2]


def _days_off(*days: str) -> list[Any]:
    spec = {"name": "x", "zone": "UTC", "week": {"mon": [["08:00", "09:00"]]}, "days_off": list(days)}
    return CalendarSpec.model_validate(spec).days_off


def test_a_rule_for_petitions_leaves_dossiers_alone_and_the_other_way_round(engine: Engine) -> None:
    text = """
pack: own
rules:
  - {code: of_petitions, kind: overdue, title: t, severity: info, legal_basis: b, applies_to: {kinds: [petition]}}
  - {code: of_dossiers, kind: overdue, title: t, severity: info, legal_basis: b, applies_to: {kinds: [dossier]}}
  - {code: of_both, kind: overdue, title: t, severity: info, legal_basis: b}
"""
    take(engine, made("hồ sơ"), made("phản ánh", kind="petition"))
    judge(engine, rules=parse_pack(text, "own.yaml"))
    assert [(key, rule) for key, rule, *_ in flags(engine)] == [
        ("hồ sơ", "of_both"),
        ("hồ sơ", "of_dossiers"),
        ("phản ánh", "of_both"),
        ("phản ánh", "of_petitions"),
    ]


# -- split, cut, repeated -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_the_size_of_chunks_does_not_matter(engine: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    rows = [made(key, **fields) for key, fields, _ in (*TABLE, *UNTOLD_END)]
    take(engine, *rows[::2], at=SEEN_EARLY)
    take(engine, *rows[1::2], name="hai", at=SEEN_EARLY)
    take(engine, *(row | {"step_code": "x"} for row in rows[::3]), at=SEEN_EARLY + DAY)
    whole = judge(engine)
    expected = flags(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE tthc.flags")
        connection.exec_driver_sql(
            "INSERT INTO tthc.pending_evaluations "
            "SELECT batch_id FROM tthc.observation_batches WHERE kind = 'observations'"
        )
    monkeypatch.setattr(selection, "CHUNK", chunk)
    parts: list[int] = []
    split = judge(engine, progress=parts.append)
    assert flags(engine) == expected
    assert split.opened - split.closed == whole.opened - whole.closed
    assert sum(parts) == split.dossiers and max(parts) <= chunk
    again = judge(engine, everything=True)
    assert (again.opened, again.closed) == (0, 0)
    assert flags(engine) == expected


def test_the_order_of_pulls_does_not_matter(engine: Engine) -> None:
    rows = [made(key, **fields) for key, fields, _ in TABLE]
    for name, order in (("xuôi", rows), ("ngược", rows[::-1])):
        for start in range(0, len(order), 8):
            take(engine, *order[start : start + 8], name=name, at=SEEN_EARLY)
        judge(engine)
    found: dict[str, list[Any]] = {"xuôi": [], "ngược": []}
    statement = (
        "SELECT source, source_key, rule_code, starts_at, ends_at::text, evidence::text FROM audit.flags_in_force"
    )
    for source, *finding in query(engine, f"{statement} JOIN audit.dossiers USING (dossier_id) ORDER BY 2, 3"):
        found[source].append(finding)
    assert found["xuôi"] == found["ngược"] != []


class Killed(BaseException):
    """Stands for the end of the process between two chunks."""


def kill_after(chunks: int) -> Any:
    left = iter(range(chunks))

    def progress(_: int) -> None:
        if next(left, None) is None:
            raise Killed

    return progress


@pytest.mark.parametrize("chunks", [0, 1, 4])
def test_an_evaluation_that_was_killed_goes_on_where_it_stopped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    monkeypatch.setattr(selection, "CHUNK", 3)
    rows = [made(key, **fields) for key, fields, _ in TABLE]
    take(engine, *rows[:6], at=SEEN_EARLY)
    take(engine, *rows[6:], at=SEEN_EARLY)
    with pytest.raises(Killed):
        judge(engine, progress=kill_after(chunks))
    assert query(engine, "SELECT count(*) FROM tthc.evaluations WHERE finished_at IS NOT NULL") == [0]
    judge(engine, at=SEEN_LATE + DAY)
    assert query(engine, "SELECT count(*) FROM tthc.pending_evaluations") == [0]
    assert verdicts(engine, SEEN_LATE) == {key: expected[6] for key, _, expected in TABLE}
    assert query(engine, "SELECT count(*) FROM tthc.flags WHERE believed_to IS NOT NULL") == [0], "nothing judged twice"
    assert judge(engine) == Evaluated()


def test_a_killed_evaluation_of_everything_is_done_over(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "CHUNK", 1)
    take(engine, *(made(f"k{number}") for number in range(6)))
    judge(engine, at=RECEIVED)
    wider = changed("due_soon", within_working_hours=16.0)
    with pytest.raises(Killed):
        judge(engine, at=SEEN_EARLY, rules=wider, progress=kill_after(2))
    assert judge(engine, rules=wider).dossiers == 6
    starts = {start for _, start, _ in of_rule(engine, "due_soon")}
    assert len(starts) == 1 and len(of_rule(engine, "due_soon")) == 6


def test_rules_changed_back_after_a_killed_evaluation_leave_nothing_of_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "CHUNK", 1)
    take(engine, *(made(f"k{number}") for number in range(6)))
    judge(engine, at=RECEIVED)
    before = flags(engine)
    with pytest.raises(Killed):
        judge(engine, at=SEEN_EARLY, rules=changed("due_soon", within_working_hours=16.0), progress=kill_after(2))
    judge(engine)
    assert flags(engine) == before


def test_rules_changed_after_a_killed_first_evaluation_judge_every_dossier(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "CHUNK", 1)
    take(engine, made("a"), name="mot")
    take(engine, made("b"), name="hai")
    with pytest.raises(Killed):
        judge(engine, at=RECEIVED, progress=kill_after(1))
    judge(engine, rules=changed("due_soon", within_working_hours=16.0))
    assert len({start for _, start, _ in of_rule(engine, "due_soon")}) == 1


def test_small_batches_of_many_sources_are_judged_together(engine: Engine) -> None:
    for number in range(8):
        take(engine, made(f"k{number}"), name=f"nguon{number}")
    told: list[int] = []
    assert judge(engine, progress=told.append).dossiers == 8
    assert told == [8]


# -- what has not been judged ---------------------------------------------------------------------------------------


def test_what_waits_to_be_judged_does_not_pass_for_on_time(engine: Engine) -> None:
    """Between a pull and its evaluation a dossier reads cannot_tell: nothing is known of its present state."""
    take(engine, made("a"), made("b", status=9, finished_at=DUE + DAY))
    assert verdicts(engine, SEEN_LATE) == {"a": WHO, "b": WHO}
    judge(engine)
    assert verdicts(engine, SEEN_LATE) == {"a": OVER, "b": LATE}
    take(engine, made("a", due_current=DUE + 60 * DAY), made("b", status=9, finished_at=DUE + DAY))
    assert verdicts(engine, SEEN_LATE) == {"a": WHO, "b": LATE}
    judge(engine)
    assert verdicts(engine, SEEN_LATE) == {"a": OPEN, "b": LATE}


def test_one_that_waited_before_we_first_looked_cannot_be_judged_by_that(engine: Engine) -> None:
    take(engine, made("known", status=5), made("unknown", status=5, due_current=SEEN_EARLY - DAY), at=SEEN_EARLY)
    judge(engine)
    assert verdicts(engine, SEEN_LATE) == {"known": OPEN, "unknown": WHO}
    take(engine, made("known", status=8), made("unknown", status=8, due_current=SEEN_EARLY - DAY), at=SEEN_LATE)
    judge(engine)
    assert verdicts(engine, SEEN_LATE + DAY) == {"known": GOOD, "unknown": WHO}
