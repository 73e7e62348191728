"""A change of rules, calendar or limits judges again what it can touch, and no more; what-if tells it beforehand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from rules.grounds import Grounds
from rules.loader import load_packs, parse_pack
from rules.model import Rule
from tests.postgres.test_evaluate import CALENDAR, CORE
from tests.postgres.test_ledger import DAY, query, record, take
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.evaluate import Evaluated, Order, evaluate
from tthc_monitor.whatif import verdicts_at, whatif


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


EXTRA = parse_pack(
    """
pack: own
rules:
  - {code: over_lawful, kind: late_against, against: due_lawful, title: t, severity: info, legal_basis: b}
  - {code: soon, kind: due_soon, title: t, severity: info, legal_basis: b, within_working_hours: 24}
""",
    "own.yaml",
)
RULES = (*CORE, *EXTRA)
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 20, 1, tzinfo=UTC)
LIMIT = TimeLimit(procedure_code="1.000001", amount=5, unit="working_day", legal_basis="QĐ mẫu")


def calendar(*, off: tuple[str, ...] = (), unit_off: tuple[str, ...] = ()) -> CalendarSpec:
    spec: dict[str, Any] = {"name": "x", "zone": "Asia/Ho_Chi_Minh", "week": {"mon": [["08:00", "12:00"]]}}
    units = [{"codes": ["H99.1"], "name": "xã", "days_off": list(unit_off)}] if unit_off else []
    made = CalendarSpec.model_validate({**spec, "days_off": list(off), "units": units})
    return CALENDAR.model_copy(update={"days_off": [*CALENDAR.days_off, *made.days_off], "units": made.units})


def grounds(
    rules: tuple[Rule, ...] = RULES, spec: CalendarSpec = CALENDAR, limits: tuple[TimeLimit, ...] = (LIMIT,)
) -> Grounds:
    return Grounds(rules, spec, Limits(limits, ClockPolicy()))


def judge(engine: Engine, by: Grounds, at: datetime = NOW, **options: Any) -> Evaluated:
    return evaluate(engine, by, now=lambda: at, **options)


def standing(engine: Engine) -> list[Any]:
    return query(
        engine,
        "SELECT d.source_key, f.rule_code, f.starts_at, nullif(f.ends_at, 'infinity'), f.evidence::text, f.unit_code "
        "FROM audit.flags f JOIN audit.dossiers d USING (dossier_id) WHERE f.believed_to IS NULL ORDER BY 1, 2, 3",
    )


def dossiers() -> list[dict[str, Any]]:
    """Forty dossiers of two units and two procedures, one received each day; every third is finished in time."""
    made = []
    for number in range(40):
        received = START + number * DAY
        ends = {"status": 9, "finished_at": received + 6 * DAY} if number % 3 == 0 else {}
        made.append(
            record(
                f"k{number:02d}",
                received_at=received,
                due_current=received + 9 * DAY,
                supplement_count=0,
                unit_code=f"H99.{number % 2 + 1}",
                procedure_code=f"1.00000{number % 4 // 2 + 1}",
                **ends,
            )
        )
    return made


def test_a_day_off_of_one_unit_judges_only_its_dossiers_that_lived_through_it(engine: Engine) -> None:
    take(engine, *dossiers(), at=NOW)
    judge(engine, grounds())
    done = judge(engine, grounds(spec=calendar(unit_off=("2026-03-10",))), at=NOW + DAY)
    assert not done.everything
    # Received by 10/03; an ended one stays in question for sixty days after its end.
    assert done.dossiers == len(
        [1 for row in dossiers() if row["unit_code"] == "H99.1" and row["received_at"] < START + 9 * DAY]
    )
    selective = standing(engine)
    again = judge(engine, grounds(spec=calendar(unit_off=("2026-03-10",))), at=NOW + DAY, everything=True)
    assert (again.opened, again.closed) == (0, 0) and standing(engine) == selective


def test_a_day_off_long_after_an_end_touches_open_dossiers_only(engine: Engine) -> None:
    take(engine, *dossiers(), at=NOW)
    judge(engine, grounds())
    done = judge(engine, grounds(spec=calendar(off=("2027-05-05",))), at=NOW + DAY)
    assert done.dossiers == len([1 for row in dossiers() if "finished_at" not in row])


def test_a_changed_limit_judges_only_its_procedure(engine: Engine) -> None:
    take(engine, *dossiers(), at=NOW)
    judge(engine, grounds())
    longer = LIMIT.model_copy(update={"amount": 9.0})
    done = judge(engine, grounds(limits=(longer,)), at=NOW + DAY)
    assert done.dossiers == 20 and done.closed > 0
    assert {key for key, code, *_ in standing(engine) if code == "over_lawful"} <= {
        row["source_key"] for row in dossiers() if row["procedure_code"] == "1.000001"
    }


def test_a_changed_name_of_a_day_off_is_a_new_version_and_judges_nothing(engine: Engine) -> None:
    take(engine, *dossiers()[:3], at=NOW)
    judge(engine, grounds())
    first = CALENDAR.days_off[0].model_copy(update={"document": "văn bản đã tìm thấy"})
    renamed = CALENDAR.model_copy(update={"days_off": [first, *CALENDAR.days_off[1:]]})
    assert judge(engine, grounds(spec=renamed), at=NOW + DAY).dossiers == 0
    assert query(engine, "SELECT count(*) FROM audit.calendars") == [2]
    assert judge(engine, grounds(spec=renamed), at=NOW + 2 * DAY) == Evaluated()
    assert query(engine, "SELECT count(*) FROM audit.evaluations") == [2], "noted once"


def test_a_changed_rule_judges_by_that_rule_alone(engine: Engine) -> None:
    take(engine, *dossiers(), at=NOW)
    judge(engine, grounds())
    before = [row for row in standing(engine) if row[1] != "soon"]
    changed = tuple(
        rule.model_copy(update={"within_working_hours": 48.0}) if rule.code == "soon" else rule for rule in RULES
    )
    done = judge(engine, grounds(rules=changed), at=NOW + DAY)
    assert query(engine, "SELECT reason FROM audit.evaluations ORDER BY evaluation_id DESC LIMIT 1") == [
        "changed rules soon"
    ]
    assert done.opened == done.closed == len([row for row in standing(engine) if row[1] == "soon"])
    assert [row for row in standing(engine) if row[1] != "soon"] == before
    assert query(engine, "SELECT DISTINCT rule_code FROM audit.flags WHERE believed_to IS NOT NULL") == ["soon"]


def test_groups_go_by_the_calendar_at_large_even_where_a_unit_has_its_own(engine: Engine) -> None:
    """A day off for all, on which one unit works by a calendar of its own: the gap in its numbers settles later."""
    text = "{code: gap, kind: number_gap, title: t, severity: info, legal_basis: b, min_missing: 1, settle_working_days: 2}"
    gap = parse_pack(f"pack: own\nrules:\n  - {text}\n", "own.yaml")
    numbered = [
        record(f"n{serial}", code=f"H99.1-260309-000{serial}", unit_code="H99.1", received_at=START + 7 * DAY)
        for serial in (1, 2, 4)
    ]
    take(engine, *numbered, at=START + 7 * DAY)
    own_hours = calendar(unit_off=("2026-03-30",))
    judge(engine, grounds((*CORE, *gap), own_hours))
    before = standing(engine)
    both = own_hours.model_copy(update={"days_off": calendar(off=("2026-03-10",)).days_off})
    judge(engine, grounds((*CORE, *gap), both), at=NOW + DAY)
    after = standing(engine)
    again = judge(engine, grounds((*CORE, *gap), both), at=NOW + 2 * DAY, everything=True)
    assert (again.opened, again.closed) == (0, 0)
    assert [row[1] for row in before] == [row[1] for row in after] and before != after


days = st.dates(date(2026, 2, 20), date(2026, 6, 30)).map(date.isoformat)
amounts = st.sampled_from([1, 3, 5, 8, 20])


@st.composite
def any_grounds(draw: st.DrawFn) -> Grounds:
    limits = [
        TimeLimit(procedure_code=code, amount=draw(amounts), unit="working_day", legal_basis="QĐ mẫu")
        for code in ("1.000001", "1.000002")
        if draw(st.booleans())
    ]
    kept = tuple(rule for rule in EXTRA if draw(st.booleans()))
    spec = calendar(off=tuple(draw(st.sets(days, max_size=2))), unit_off=tuple(draw(st.sets(days, max_size=2))))
    return grounds((*CORE, *kept), spec, tuple(limits))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_grounds(), min_size=1, max_size=3))
def test_whatever_changes_the_flags_are_those_of_judging_everything(engine: Engine, path: list[Grounds]) -> None:
    if query(engine, "SELECT count(*) FROM tthc.dossiers") != [40]:
        take(engine, *dossiers(), at=NOW)
    for step, by in enumerate(path):
        judge(engine, by, at=NOW + step * DAY)
    found = standing(engine)
    again = judge(engine, path[-1], at=NOW + 9 * DAY, everything=True)
    assert (again.opened, again.closed) == (0, 0)
    assert standing(engine) == found


def test_a_recompute_is_on_record_with_person_and_reason(engine: Engine) -> None:
    take(engine, *dossiers()[:4], at=NOW)
    judge(engine, grounds())
    changed = grounds(spec=calendar(off=("2026-03-11",)))
    judge(engine, changed, at=NOW + DAY, order=Order("Nguyễn Văn Mẫu", "bổ sung ngày nghỉ theo văn bản mẫu"))
    person, reason, started = query(
        engine, "SELECT person, reason, started_at FROM audit.evaluations ORDER BY evaluation_id DESC LIMIT 1"
    )[0]
    assert person == "Nguyễn Văn Mẫu" and started == NOW + DAY
    assert reason == "bổ sung ngày nghỉ theo văn bản mẫu (changed calendar)"
    judge(engine, changed, at=NOW + 2 * DAY, order=Order("Nguyễn Văn Mẫu", "làm lại"))
    assert query(engine, "SELECT count(*) FROM audit.evaluations") == [3], "an order is recorded though nothing differs"


def test_whatif_tells_what_a_recompute_then_does_and_writes_nothing(engine: Engine) -> None:
    take(engine, *dossiers(), at=NOW)
    before, after = grounds(), grounds(spec=calendar(off=("2026-03-10", "2026-03-11")), limits=())
    judge(engine, before)
    held = standing(engine)
    answer = whatif(engine, before, after, NOW)
    assert standing(engine) == held and query(engine, "SELECT count(*) FROM audit.evaluations") == [1]
    verdicts = dict(query(engine, "SELECT dossier_id, verdict FROM audit.verdicts_as_of(:at)", at=NOW))
    judge(engine, after, at=NOW + DAY)
    now = dict(query(engine, "SELECT dossier_id, verdict FROM audit.verdicts_as_of(:at)", at=NOW))
    assert {number for number in now if now[number] != verdicts[number]} == set(answer.verdicts["dossier_id"])
    opened = {(key, code) for key, code, *_ in standing(engine)} - {(key, code) for key, code, *_ in held}
    closed = {(key, code) for key, code, *_ in held} - {(key, code) for key, code, *_ in standing(engine)}
    keys = dict(query(engine, "SELECT dossier_id, source_key FROM audit.dossiers"))
    told = [
        (keys[number], code, change)
        for number, code, change in answer.findings.select("dossier_id", "rule_code", "change").rows()
    ]
    assert {(key, code) for key, code, change in told if change == "opened"} == opened
    assert {(key, code) for key, code, change in told if change == "closed"} == closed
    assert closed


def test_verdicts_in_memory_are_those_of_the_view(engine: Engine) -> None:
    from rules.grounds import judge_all
    from tthc_monitor.domain.facts import facts_frame
    from tthc_monitor.findings import flags_of
    from tthc_monitor.store import judgements

    take(engine, *dossiers(), record("x", received_at=None), record("y", due_current=None), at=NOW)
    judge(engine, grounds())
    with engine.connect() as connection:
        facts = judgements.load_facts(connection, "SELECT dossier_id FROM tthc.dossiers")
    ids = {rule.code: number for number, rule in enumerate(RULES)}
    flags = flags_of(judge_all(facts_frame(facts), grounds()), facts, ids)
    codes = pl.DataFrame(
        {"rule_version_id": list(ids.values()), "rule_code": list(ids)},
        schema_overrides={"rule_version_id": pl.Int32()},
    )
    for at in (START, START + 8 * DAY, START + 12 * DAY + timedelta(hours=5), NOW, NOW + 90 * DAY):
        told = dict(verdicts_at(facts, flags.join(codes, on="rule_version_id"), RULES, at).rows())
        assert told == dict(query(engine, "SELECT dossier_id, verdict FROM audit.verdicts_as_of(:at)", at=at))


# -- groups ---------------------------------------------------------------------------------------------------------

GROUPED = (
    *CORE,
    *parse_pack(
        """
pack: own
rules:
  - {code: refiled, kind: refiled, title: t, severity: info, legal_basis: b, within_working_days: 5}
  - {code: bulk, kind: bulk_closing, title: t, severity: info, legal_basis: b, min_count: 3, times_expected: 1,
     only_period_end: false}
""",
        "own.yaml",
    ),
)


def closings(count: int, **fields: Any) -> list[dict[str, Any]]:
    at = datetime(2026, 3, 12, 3, tzinfo=UTC)
    usual = {"status": 9, "finished_at": at, "due_current": START + 20 * DAY, "unit_code": "H99.1"}
    return [record(f"c{number}", received_at=START, **{**usual, **fields}) for number in range(count)]


def of_rule(engine: Engine, code: str) -> set[str]:
    return {key for key, rule, *_ in standing(engine) if rule == code}


def test_a_group_that_a_dossier_leaves_is_judged_again(engine: Engine) -> None:
    take(engine, *closings(3), at=NOW)
    judge(engine, grounds(GROUPED))
    assert of_rule(engine, "bulk") == {"c0", "c1", "c2"}
    take(engine, *closings(1, finished_at=datetime(2026, 3, 20, 3, tzinfo=UTC)), at=NOW + DAY)
    judge(engine, grounds(GROUPED), at=NOW + DAY)
    assert of_rule(engine, "bulk") == set()
    take(engine, *closings(1), at=NOW + 2 * DAY)
    judge(engine, grounds(GROUPED), at=NOW + 2 * DAY)
    assert of_rule(engine, "bulk") == {"c0", "c1", "c2"}


def test_a_group_is_judged_when_its_last_member_comes_from_another_source(engine: Engine) -> None:
    take(engine, *closings(2), at=NOW)
    judge(engine, grounds(GROUPED))
    assert of_rule(engine, "bulk") == set()
    take(engine, *[row | {"source_key": "z"} for row in closings(1)], at=NOW, name="hai")
    judge(engine, grounds(GROUPED), at=NOW + DAY)
    assert of_rule(engine, "bulk") == {"c0", "c1", "z"}


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_groups_are_whole_however_large_a_chunk_is(engine: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    from tthc_monitor.store import selection

    monkeypatch.setattr(selection, "CHUNK", chunk)
    take(engine, *closings(4), at=NOW)
    take(
        engine,
        *[row | {"source_key": f"d{row['source_key']}", "unit_code": "H99.2"} for row in closings(3)],
        at=NOW,
        name="hai",
    )
    judge(engine, grounds(GROUPED))
    assert of_rule(engine, "bulk") == {"c0", "c1", "c2", "c3", "dc0", "dc1", "dc2"}
    again = judge(engine, grounds(GROUPED), everything=True)
    assert (again.opened, again.closed) == (0, 0)


def test_filings_of_one_applicant_are_a_group(engine: Engine) -> None:
    returned = record(
        "first", status=8, received_at=START, finished_at=START + 3 * DAY, applicant_hash="a" * 64, procedure_code="1.1"
    )
    take(engine, returned, at=NOW)
    judge(engine, grounds(GROUPED))
    assert of_rule(engine, "refiled") == set()
    again = record("second", received_at=START + 4 * DAY, applicant_hash="a" * 64, procedure_code="1.1")
    take(engine, again, at=NOW + DAY, name="hai")
    judge(engine, grounds(GROUPED), at=NOW + DAY)
    assert of_rule(engine, "refiled") == {"first"}


def test_a_rule_about_groups_that_is_taken_away_takes_its_findings_back(engine: Engine) -> None:
    take(engine, *closings(3), at=NOW)
    judge(engine, grounds(GROUPED))
    judge(engine, grounds(load_packs(("core",), Path())), at=NOW + DAY)
    assert of_rule(engine, "bulk") == set()
