"""What inspectors read of a dossier's history: hand-made histories, pulled as any other, and the rows expected of them.

Days are those of March 2026: ``on(2)`` is Monday the 2nd, 08:00 in Viet Nam. The calendar is the one shipped (7 hours a day).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from tests.postgres.test_evaluate import CALENDAR, CORE, judge
from tests.postgres.test_ledger import START, query, record, take
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.outputs.frames import days_late

LIMITS = Limits(
    [TimeLimit(procedure_code="1.000001", amount=5, unit="working_day", legal_basis="QĐ mẫu")],
    ClockPolicy(clock_model="pause"),
)


def on(day: int, hour: float = 8) -> datetime:
    """A local instant of March 2026."""
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour - 7)


def history(engine: Engine, *states: tuple[datetime, dict[str, Any]]) -> int:
    """The dossier ``a``, found in these states by one pull each; returns its id."""
    for at, fields in states:
        take(engine, record("a", code="H99.01-260302-0001", **fields), at=at)
    return int(query(engine, "SELECT dossier_id FROM audit.dossiers WHERE source_key = 'a'")[0])


def rows(engine: Engine, view: str, columns: str, order: str = "observation_id") -> list[tuple[Any, ...]]:
    found = query(engine, f"SELECT {columns} FROM audit.{view} ORDER BY {order}")
    return [row if isinstance(row, tuple) else (row,) for row in found]


# -- the three due instants, and lateness ---------------------------------------------------------------------------


def test_lateness_is_told_against_the_first_promise_the_one_in_force_and_the_law(engine: Engine) -> None:
    # Five working days from Monday the 2nd, 08:00, end on Monday the 9th, 08:00.
    common = {"procedure_code": "1.000001", "unit_code": "H99.01", "unit_name": "Sở Mẫu", "supplement_count": 0}
    history(
        engine,
        (on(2), {**common, "due_current": on(10, 17)}),
        (on(5), {**common, "due_current": on(11, 17)}),
        (on(13), {**common, "due_current": on(11, 17), "status": 9, "finished_at": on(13, 9)}),
    )
    judge(engine, on(13), limits=LIMITS)
    [row] = rows(
        engine,
        "dossier_lateness",
        "verdict, due_original, due_current, due_lawful, late_since, late_until, late_working_seconds, late_working_days, "
        "past_original_working_days, past_current_working_days, past_lawful_working_days, unit_name",
        "dossier_id",
    )
    [lawful] = query(engine, "SELECT due_lawful FROM audit.dossiers")
    late = (on(11, 17), on(13, 9))
    [worked] = query(engine, "SELECT audit.working_seconds(audit.calendar_now(), :a, :b)", a=late[0], b=late[1])
    assert row == ("late", on(10, 17), on(11, 17), lawful, *late, worked, 2, 3, 2, 4, "Sở Mẫu")
    assert lawful == on(9)
    assert worked > 7 * 3600


def test_days_late_are_those_of_mails_and_reports(engine: Engine) -> None:
    take(engine, record("a", due_current=on(10)))
    judge(engine, on(10))
    pairs = [
        (on(6, 17), on(9, 8)),
        (on(6, 17), on(6, 23)),
        (on(6, 17), on(6, 5)),
        (on(7, 9), on(8, 9)),
        (on(2, 0), on(31, 23.99)),
        (datetime(1, 1, 1, tzinfo=UTC), on(2)),
        (datetime(2026, 2, 10, tzinfo=UTC), on(4)),
    ]
    expected = [
        int(days_late(CALENDAR.compile(), pd.Series(pd.DatetimeIndex([a]).as_unit("us")), b, "Asia/Ho_Chi_Minh")[0])
        for a, b in pairs
    ]
    told = [
        query(engine, "SELECT audit.working_days(audit.calendar_now(), :a, :b, NULL)", a=a, b=b)[0] for a, b in pairs
    ]
    assert told == expected
    assert expected[0] == 1 and expected[1] == expected[2] == expected[3] == 0


def test_an_instant_that_no_calendar_answers_for_leaves_its_cell_empty(engine: Engine) -> None:
    take(engine, record("a", due_current=datetime(1899, 1, 1, tzinfo=UTC)), record("b", due_current=on(3)))
    judge(engine, on(4))
    late = rows(engine, "dossier_lateness", "code, late_working_seconds IS NULL", "dossier_id")
    assert [empty for _, empty in late] == [True, False]


@pytest.mark.parametrize("kind", ["dossier", "petition"])
def test_what_is_known_of_nothing_but_a_key_breaks_no_view(engine: Engine, kind: str) -> None:
    take(engine, {"source_key": "a", "kind": kind})
    judge(engine, on(4), limits=LIMITS)
    views = query(engine, "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'audit'::regnamespace")
    assert {"timeline", "tell_tale", "figures_by_month"} <= set(views)
    counts = {view: query(engine, f"SELECT count(*) FROM audit.{view}")[0] for view in views}
    assert counts["dossiers"] == counts["dossier_lateness"] == counts["timeline"] == 1
    told_of = (
        "due_changes",
        "reappointments",
        "apologies",
        "supplement_requests",
        "backdated_claims",
        "step_durations",
    )
    assert [counts[view] for view in told_of] == [0] * len(told_of)


def test_all_that_is_late_is_told_as_each_by_itself(engine: Engine) -> None:
    dues = {"a": on(3, 17), "b": on(6, 12.25), "c": on(7), "d": on(31), "e": datetime(1, 1, 1, tzinfo=UTC), "f": None}
    ends = {"b": on(9, 16.5), "c": on(7, 9)}
    units = {"a": "H99.1", "b": "H99.1", "c": "H99.2"}
    take(
        engine,
        *(
            record(
                key,
                due_current=due,
                unit_code=units.get(key),
                finished_at=ends.get(key),
                status=9 if key in ends else 4,
            )
            for key, due in dues.items()
        ),
        at=on(10),
    )
    saturdays = {"codes": ["H99.1"], "name": "xã", "week": {"sat": [["08:00", "11:00"]], "mon": [["08:00", "10:00"]]}}
    spec = CalendarSpec.model_validate({**CALENDAR.model_dump(by_alias=True), "units": [saturdays]})
    judge(engine, on(10), calendar=spec)
    columns = (
        "dossier_id, verdict, late_since, late_until, late_working_seconds, late_working_days, due_lawful, flag_id"
    )
    # Open ones are late until now, which differs by what lies between the two questions: asked in one statement, it does not.
    [differing] = query(
        engine,
        f"SELECT count(*) FROM ((SELECT {columns} FROM audit.late_dossiers EXCEPT SELECT {columns} FROM audit.dossier_lateness) "
        f"UNION ALL (SELECT {columns} FROM audit.dossier_lateness WHERE verdict IN ('late', 'open_overdue') "
        f"EXCEPT SELECT {columns} FROM audit.late_dossiers)) x",
    )
    assert differing == 0
    told = query(
        engine,
        "SELECT d.source_key, l.late_working_seconds, l.late_working_days FROM audit.late_dossiers l "
        "JOIN audit.dossiers d USING (dossier_id) WHERE d.source_key IN ('b', 'c') ORDER BY 1",
    )
    # From Friday 12:15 to Monday 16:30 this unit works three hours on Saturday and two on Monday; the other not on Saturday.
    assert told == [("b", 5 * 3600, 2), ("c", 0, 0)]


def test_lawful_dues_follow_what_was_judged_last(engine: Engine) -> None:
    states = {"procedure_code": "1.000001", "supplement_count": 0}
    take(engine, record("a", **states), record("b", procedure_code="1.000009", supplement_count=0))
    judge(engine, on(3), limits=LIMITS)
    held = "SELECT source_key, due_lawful FROM audit.dossiers ORDER BY 1"
    first = query(engine, held)
    assert [due is None for _, due in first] == [False, True]
    kept = query(engine, "SELECT evaluation_id FROM tthc.lawful_dues")
    judge(engine, on(3), limits=LIMITS, everything=True)
    assert query(engine, "SELECT evaluation_id FROM tthc.lawful_dues") == kept, "what is equal stays"
    take(engine, record("a", **{**states, "received_at": START + timedelta(days=1)}), at=on(4))
    judge(engine, on(4), limits=LIMITS)
    assert query(engine, held)[0][1] == first[0][1] + timedelta(days=1)
    judge(engine, on(5), limits=Limits([], ClockPolicy()))
    assert query(engine, "SELECT count(*) FROM tthc.lawful_dues") == [0], "no limit is known any more"


def test_a_change_of_other_rules_leaves_the_lawful_dues(engine: Engine) -> None:
    take(engine, record("a", procedure_code="1.000001", supplement_count=0))
    judge(engine, on(3), limits=LIMITS)
    before = query(engine, "SELECT * FROM tthc.lawful_dues")
    changed = tuple(one.model_copy(update={"title": "khác"}) if one.code == "due_soon" else one for one in CORE)
    assert judge(engine, on(3), changed, limits=LIMITS).dossiers == 1
    assert query(engine, "SELECT * FROM tthc.lawful_dues") == before != []


# -- a dossier's history --------------------------------------------------------------------------------------------


def test_a_timeline_tells_every_change_with_both_clocks(engine: Engine) -> None:
    history(
        engine,
        (on(2, 9), {"status": 2, "unit_code": "H99.01"}),
        (on(4, 9), {"status": 9, "unit_code": "H99.02", "finished_at": on(3, 16)}),
    )
    told = rows(
        engine, "timeline", "seen_before, seen_at, claimed_at, event, from_value, to_value", "observation_id, place"
    )
    assert told == [
        (None, on(2, 9), None, "first_seen", None, None),
        (None, on(2, 9), None, "status", None, "2 Được tiếp nhận"),
        (None, on(2, 9), START, "received_at", None, "2026-03-02 08:00:00"),
        (None, on(2, 9), None, "unit_code", None, "H99.01"),
        (on(2, 9), on(4, 9), None, "status", "2 Được tiếp nhận", "9 Đã xử lý xong"),
        (on(2, 9), on(4, 9), on(3, 16), "finished_at", None, "2026-03-03 16:00:00"),
        (on(2, 9), on(4, 9), None, "unit_code", "H99.01", "H99.02"),
    ]
    assert rows(engine, "unit_changes", "from_unit_code, to_unit_code, seen_before, seen_at") == [
        ("H99.01", "H99.02", on(2, 9), on(4, 9))
    ]


def test_a_timeline_tells_what_no_observation_does(engine: Engine) -> None:
    other = record("b")
    for instant, rows_given in (
        (on(2, 9), [record("a"), other]),
        (on(2, 11), [other]),
        (on(2, 13), [other]),
        (on(2, 15), [record("a"), other]),
    ):
        take(engine, *rows_given, at=instant)
    told = query(
        engine,
        "SELECT seen_at, event, event_name FROM audit.timeline t JOIN audit.dossiers d USING (dossier_id) "
        "WHERE source_key = 'a' AND NOT at_first_sight ORDER BY t.seen_at, place",
    )
    assert told == [
        (on(2, 11), "missed", "Không có trong danh sách của nguồn"),
        (on(2, 13), "vanished", "Không còn trong hệ thống nguồn"),
        (on(2, 15), "listed", "Có lại trong danh sách của nguồn"),
        (on(2, 15), "back", "Xuất hiện trở lại"),
    ]


def test_states_of_one_instant_are_told_in_the_order_of_the_ledger(engine: Engine) -> None:
    history(engine, *((on(3), {"status": status}) for status in (2, 4, 5)))
    told = rows(engine, "timeline", "from_value, to_value", "observation_id, place")
    assert [pair for pair in told if pair[1] and pair[1][0].isdigit() and " " in pair[1] and pair[1][1] == " "] == [
        (None, "2 Được tiếp nhận"),
        ("2 Được tiếp nhận", "4 Đang xử lý"),
        ("4 Đang xử lý", "5 Yêu cầu bổ sung giấy tờ"),
    ]


def test_each_move_of_the_promise_tells_whether_the_old_one_had_passed(engine: Engine) -> None:
    due = [on(9, 17), on(12, 17), on(11, 17)]
    history(
        engine,
        (on(2), {"due_current": due[0]}),
        (on(4), {"due_current": due[1]}),  # put off in time
        (on(13), {"due_current": due[1], "step_code": "x"}),  # passed, and seen unmoved
        (on(14), {"due_current": due[2]}),  # put forward, after it had passed
        (on(15), {"due_current": None}),
        (on(16), {"due_current": due[2]}),
        (on(17), {"due_current": due[0], "status": 5}),
    )
    columns = "number, change, old_due_at, new_due_at, unmoved_at, seen_at, passed_when_seen, passed_for_certain"
    assert rows(engine, "due_changes", columns) == [
        (1, "later", due[0], due[1], on(2), on(4), False, False),
        (2, "earlier", due[1], due[2], on(13), on(14), True, True),
        (3, "removed", due[2], None, on(14), on(15), True, True),
        (4, "put_back", due[2], due[2], on(15), on(16), True, True),
        (5, "earlier", due[2], due[0], on(16), on(17), True, True),
    ]


def test_a_promise_put_back_as_it_was_is_no_change(engine: Engine) -> None:
    history(engine, (on(2), {"due_current": on(9)}), (on(3), {}), (on(4), {"due_current": on(9)}))
    assert rows(engine, "due_changes", "change") == []


def test_moves_of_the_promise_with_and_without_an_apology(engine: Engine) -> None:
    due = [on(9, 17), on(12, 17), on(18, 17), on(25, 17)]
    history(
        engine,
        (on(2), {"due_current": due[0]}),
        (on(6), {"due_current": due[1], "apology_at": on(6, 7), "reappointment_count": 1}),
        (on(13), {"due_current": due[2], "apology_at": on(6, 7), "reappointment_count": 2}),
        (on(20), {"due_current": due[3], "apology_at": on(6, 7), "reappointment_count": 3}),
        (on(21), {"due_current": due[3], "apology_at": on(20, 15), "reappointment_count": 3}),
    )
    columns = "number, old_due_at, with_apology, apology_at, apology_seen_at, apology_before_due, passed_when_seen"
    assert rows(engine, "reappointments", columns) == [
        (1, due[0], True, on(6, 7), on(6), True, False),
        (2, due[1], False, None, None, None, True),
        (3, due[2], True, on(20, 15), on(21), False, True),
    ]
    columns = "number, apology_at, seen_before, seen_at, due_at, after_due, new_due_at, reappointment_count"
    assert rows(engine, "apologies", columns) == [
        (1, on(6, 7), on(2), on(6), due[0], False, due[1], 1),
        (2, on(20, 15), on(20), on(21), due[3], False, None, 3),
    ]


# -- requests for supplements ---------------------------------------------------------------------------------------

REQUESTS: dict[str, tuple[list[tuple[datetime, dict[str, Any]]], list[tuple[Any, ...]]]] = {
    # number, requested and completed as claimed, when seen, and still open
    "claimed at first sight": (
        [(on(5), {"supplement_requested_at": on(3), "supplement_completed_at": on(4)})],
        [(1, on(3), on(4), on(5), on(5), False)],
    ),
    "only seen, and gone on": (
        [(on(2), {}), (on(3), {"status": 5}), (on(6), {"status": 4})],
        [(1, None, None, on(3), on(6), False)],
    ),
    "the claim after the status, the completion later": (
        [
            (on(2), {}),
            (on(3), {"status": 5}),
            (on(4), {"status": 5, "supplement_requested_at": on(3, 7)}),
            (on(6), {"supplement_requested_at": on(3, 7), "supplement_completed_at": on(5)}),
        ],
        [(1, on(3, 7), on(5), on(3), on(6), False)],
    ),
    "the claim before the status": (
        [
            (on(3), {"supplement_requested_at": on(3, 7)}),
            (on(4), {"status": 5, "supplement_requested_at": on(3, 7)}),
        ],
        [(1, on(3, 7), None, on(3), None, True)],
    ),
    "twice by status, the second still open": (
        [(on(2), {}), (on(3), {"status": 5}), (on(4), {}), (on(5), {"status": 5})],
        [(1, None, None, on(3), on(4), False), (2, None, None, on(5), None, True)],
    ),
    "twice by claims": (
        [
            (on(3), {"supplement_requested_at": on(2), "supplement_completed_at": on(3, 7)}),
            (on(6), {"supplement_requested_at": on(5), "supplement_completed_at": on(3, 7)}),
            (on(7), {"supplement_requested_at": on(5), "supplement_completed_at": on(6, 15)}),
        ],
        [(1, on(2), on(3, 7), on(3), on(3), False), (2, on(5), on(6, 15), on(6), on(7), False)],
    ),
    "a claim corrected is the same request": (
        [
            (on(5), {"supplement_requested_at": on(3), "supplement_completed_at": on(4)}),
            (on(6), {"supplement_requested_at": on(3, 9), "supplement_completed_at": on(4)}),
        ],
        [(1, on(3, 9), on(4), on(5), on(5), False)],
    ),
    "asked again while the source tells the old claim": (
        [
            (on(3), {"supplement_requested_at": on(2), "supplement_completed_at": on(3, 7)}),
            (on(5), {"status": 5, "supplement_requested_at": on(2), "supplement_completed_at": on(3, 7)}),
        ],
        [(1, on(2), on(3, 7), on(3), on(3), False), (2, None, None, on(5), None, True)],
    ),
    "ended while it waited": (
        [(on(2), {}), (on(3), {"status": 5}), (on(6), {"status": 8, "finished_at": on(5)})],
        [(1, None, None, on(3), None, False)],
    ),
    "never": ([(on(2), {}), (on(3), {"status": 6})], []),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests_for_supplements_are_told_apart_as_the_projection_counts_them(engine: Engine, case: str) -> None:
    states, expected = REQUESTS[case]
    history(engine, *states)
    columns = "number, requested_at, completed_at, requested_seen_at, completed_seen_at, still_open"
    assert rows(engine, "supplement_requests", columns, "number") == expected
    assert query(engine, "SELECT supplement_spells FROM audit.dossiers") == [len(expected)]


def test_a_request_on_the_due_day_and_the_working_time_it_took(engine: Engine) -> None:
    due = on(4, 17)
    asked = {"supplement_requested_at": on(4, 16)}
    history(
        engine,
        (on(2), {"due_current": due}),
        (on(5), {"due_current": due, "status": 5, **asked}),
        (on(6), {"due_current": on(6, 17), **asked, "supplement_completed_at": on(5, 9)}),
    )
    judge(engine, on(6))
    [row] = rows(
        engine,
        "supplement_requests",
        "due_at_request, requested_on_due_day, requested_after_due, open_until, working_seconds_open",
        "number",
    )
    [worked] = query(engine, "SELECT audit.working_seconds(audit.calendar_now(), :a, :b)", a=on(4, 16), b=on(5, 9))
    assert row == (due, True, False, on(5, 9), worked)
    assert 0 < worked < 7 * 3600


# -- back-dated claims ----------------------------------------------------------------------------------------------


def test_claims_before_the_last_sight_of_them_not_having_happened(engine: Engine) -> None:
    history(
        engine,
        (on(2), {"status": 1, "received_at": None}),
        (on(3), {"status": 1, "received_at": None, "channel": "online"}),
        (on(4), {"status": 4, "received_at": on(2, 9)}),
        (on(9), {"status": 9, "received_at": on(2, 9), "finished_at": on(5, 17)}),
        (on(10), {"status": 9, "received_at": on(2, 9), "finished_at": on(3, 17)}),
        (on(11), {"status": 10, "received_at": on(2, 9), "finished_at": on(3, 17), "delivered_at": on(10, 7)}),
    )
    columns = "event, claimed_at, not_yet_at, seen_at, backdated_seconds, earlier_claim_at, day_only"
    assert rows(engine, "backdated_claims", columns) == [
        ("received", on(2, 9), on(3), on(4), 23 * 3600, None, False),
        ("finished", on(3, 17), on(4), on(10), 15 * 3600, on(5, 17), False),
        # When it was last seen not delivered was a day after it had ended, as the source said.
        ("delivered", on(10, 7), on(10), on(11), 3600, None, False),
    ]


def test_a_day_without_a_time_may_be_any_instant_of_that_day(engine: Engine) -> None:
    history(
        engine,
        (on(4, 15), {}),
        (on(5), {"status": 9, "finished_at": on(4, 0)}),
        (on(6), {"status": 9, "finished_at": on(3, 0)}),
    )
    assert rows(engine, "backdated_claims", "claimed_at, day_only, not_yet_at") == [(on(3, 0), True, on(4, 15))]


def test_first_sight_and_states_of_one_pull_prove_nothing(engine: Engine) -> None:
    history(engine, (on(4), {}), (on(4), {"status": 9, "finished_at": on(3)}))
    assert rows(engine, "backdated_claims", "event") == []


# -- steps ----------------------------------------------------------------------------------------------------------


def test_steps_as_claimed_and_as_seen(engine: Engine) -> None:
    first = {
        "step_code": "tham-dinh",
        "step_name": "Thẩm định",
        "step_unit_code": "H99.01.1",
        "step_started_at": on(2, 9),
    }
    second = {"step_code": "trinh-ky", "step_name": "Trình ký", "step_started_at": on(4, 14)}
    history(
        engine,
        (on(3), first),
        (on(4), {**first, "channel": "online"}),
        (on(5), second),
        (on(6), {**second, "status": 9, "finished_at": on(5, 16)}),
    )
    judge(engine, on(6))
    columns = "number, step_code, step_unit_code, started_at, ended_at, started_seen_at, ended_seen_at, still_open"
    assert rows(engine, "step_durations", columns, "number") == [
        (1, "tham-dinh", "H99.01.1", on(2, 9), on(4, 14), on(3), on(5), False),
        (2, "trinh-ky", None, on(4, 14), on(5, 16), on(5), on(6), False),
    ]
    worked = query(engine, "SELECT working_seconds FROM audit.step_durations ORDER BY number")
    spans = [(on(2, 9), on(4, 14)), (on(4, 14), on(5, 16))]
    assert worked == [
        query(engine, "SELECT audit.working_seconds(audit.calendar_now(), :a, :b)", a=a, b=b)[0] for a, b in spans
    ]


def test_figures_by_month_are_those_reported(engine: Engine) -> None:
    take(engine, record("a", unit_code="H99.01", due_current=on(10)), at=on(5))
    judge(engine, on(5))
    columns = "unit_code, procedure_code, sector_code, kind, received_direct, pending_overdue, finished_late"
    march = "'2026-03-01 00:00+07', '2026-04-01 00:00+07'"
    expected = query(engine, f"SELECT {columns} FROM audit.reported_figures({march})")
    told = query(engine, f"SELECT {columns} FROM audit.figures_by_month WHERE month = '2026-03-01'")
    assert told == expected != []
    assert query(engine, "SELECT min(month) >= '2025-01-01' FROM audit.figures_by_month") == [True]


def test_hashes_can_be_computed_from_the_view_of_the_ledger(engine: Engine) -> None:
    columns = query(
        engine, "SELECT attname FROM pg_attribute WHERE attrelid = 'audit.observations'::regclass AND attnum > 0"
    )
    # The applicant's hash nobody is shown: that of all details stands for it.
    kept = set(OBSERVED_SCHEMA) - {"applicant_hash"}
    assert kept | {"source_id", "seen_at", "details_hash", "content_hash"} <= set(columns)
    take(engine, record("a", code="H99-1", applicant_hash="x"))
    over_details = sha256(b"a\x1fH99-1\x1fx\x1f").hexdigest()
    assert query(engine, "SELECT details_hash FROM audit.observations") == [over_details]


# -- cost -----------------------------------------------------------------------------------------------------------

BY_DOSSIER = (
    "timeline", "due_changes", "reappointments", "apologies", "supplement_requests", "backdated_claims", "step_durations",
    "unit_changes",
)  # fmt: skip


def test_one_dossiers_history_is_looked_up_and_not_searched_for(engine: Engine) -> None:
    for day in (2, 3, 4):
        states = {"due_current": on(9 + day), "status": 5 if day == 3 else 4, "apology_at": on(day)}
        take(engine, *(record(str(n), code=f"H99-{n}", **states) for n in range(2_000)), at=on(day))
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    for view in BY_DOSSIER:
        for key in ("dossier_id = 77", "code = 'H99-77'"):
            plan = "\n".join(query(engine, f"EXPLAIN SELECT * FROM audit.{view} WHERE {key}"))
            assert "Seq Scan on observations" not in plan, f"{view}\n{plan}"
            # What a unit's auditor may see is worked out for one only.
            searched = re.sub(r"One-Time Filter: .*\n\s*->  Seq Scan on dossiers", "", plan)
            assert "Seq Scan on dossiers" not in searched, f"{view}\n{plan}"
            assert re.search(r"Index Cond: .*dossier_id = ", plan), f"{view}\n{plan}"
    plan = "\n".join(query(engine, "EXPLAIN SELECT count(*) FROM audit.verdicts_as_of(now())"))
    assert "lawful_dues" not in plan, "who does not ask for the lawful due instant does not pay for it"
