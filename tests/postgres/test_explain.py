"""An explanation adds up to the verdict and the finding it explains, and says what it rests on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.postgres.test_evaluate import CALENDAR
from tests.postgres.test_ledger import DAY, query, record, take
from tests.postgres.test_recompute import LIMIT, grounds, judge
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.explain import Explanation, explain
from tthc_monitor.explanation import as_json, as_text
from tthc_monitor.explanation_words import duration

RECEIVED = datetime(2026, 10, 5, 1, tzinfo=UTC)  # 08:00 of a Monday
DUE = datetime(2026, 10, 15, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)


def told(engine: Engine, *rows: dict[str, Any], name: str = "k", at: datetime = NOW, by: Any = None) -> Explanation:
    take(engine, *rows, at=NOW)
    by = by or grounds()
    judge(engine, by, at=NOW)
    with engine.connect() as connection:
        return explain(connection, by, name, at)


def made(key: str = "k", **fields: Any) -> dict[str, Any]:
    usual = {"received_at": RECEIVED, "due_current": DUE, "unit_code": "H99.1", "procedure_code": LIMIT.procedure_code}
    return record(key, **{**usual, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"status": 9, "finished_at": DUE + 5 * DAY},
        {"status": 9, "finished_at": DUE + timedelta(seconds=1)},
        {
            "status": 9,
            "finished_at": DUE + 5 * DAY,
            "supplement_requested_at": DUE - 3 * DAY,
            "supplement_completed_at": DUE - DAY,
        },
        {
            "status": 9,
            "finished_at": DUE + 15 * DAY,
            "supplement_requested_at": DUE - DAY,
            "supplement_completed_at": DUE + 4 * DAY,
        },
    ],
)
def test_the_ledger_adds_up_to_the_finding(engine: Engine, fields: dict[str, Any]) -> None:
    answer = told(engine, made(**fields))
    (late,) = [one for one in answer.findings if one.rule_code == "finished_late"]
    assert answer.verdict == "late"
    assert answer.late_seconds == pytest.approx(late.evidence["late_working_seconds"], abs=1e-3)
    assert answer.due_at == datetime.fromisoformat(late.evidence["due_at"])
    assert duration(answer.late_seconds) in as_text(answer)


def test_a_promise_before_the_reception_is_counted_from_the_promise(engine: Engine) -> None:
    answer = told(engine, made(due_current=RECEIVED - DAY, status=9, finished_at=RECEIVED + DAY))
    (late,) = [one for one in answer.findings if one.rule_code == "finished_late"]
    assert answer.late_seconds == pytest.approx(late.evidence["late_working_seconds"], abs=1e-3)


def test_the_clock_is_that_of_the_official_rule(engine: Engine) -> None:
    running = tuple(
        rule.model_copy(update={"clock_while_waiting": "running"}) if hasattr(rule, "clock_while_waiting") else rule
        for rule in grounds().rules
    )
    waited = {"supplement_requested_at": DUE - 3 * DAY, "supplement_completed_at": DUE + 4 * DAY}
    answer = told(engine, made(status=9, finished_at=DUE + 8 * DAY, **waited), by=grounds(rules=running))
    assert answer.verdict == "late" and answer.due_at == DUE
    (late,) = [one for one in answer.findings if one.rule_code == "finished_late"]
    assert answer.late_seconds == pytest.approx(late.evidence["late_working_seconds"], abs=1e-3)


def test_a_wait_is_told_with_the_record_it_is_known_from(engine: Engine) -> None:
    answer = told(engine, made(supplement_requested_at=RECEIVED + DAY, supplement_completed_at=RECEIVED + 3 * DAY))
    assert answer.ledger is not None
    (number,) = query(engine, "SELECT observation_id FROM audit.observations")
    assert {line.reason for line in answer.ledger.lines if line.kind == "paused"} == {
        f"chờ công dân bổ sung hồ sơ (ghi nhận số {number})"
    }
    assert answer.ledger.paused_seconds == 2 * 7.5 * 3600
    assert "KHÔNG TÍNH: chờ công dân bổ sung hồ sơ" in as_text(answer)


def test_earlier_waits_are_told_too(engine: Engine) -> None:
    first = {"supplement_requested_at": RECEIVED + DAY, "supplement_completed_at": RECEIVED + DAY + timedelta(hours=2)}
    take(engine, made(**first), at=RECEIVED + 2 * DAY)
    second = {
        "supplement_requested_at": RECEIVED + 3 * DAY,
        "supplement_completed_at": RECEIVED + 3 * DAY + timedelta(hours=1),
    }
    answer = told(engine, made(**second))
    assert answer.ledger is not None
    assert answer.ledger.paused_seconds == 3 * 3600


def test_days_off_and_the_unit_s_own_are_told_with_their_documents(engine: Engine) -> None:
    units = CalendarSpec.model_validate(
        {
            "name": "x",
            "zone": "Asia/Ho_Chi_Minh",
            "week": {"mon": [["08:00", "12:00"]]},
            "units": [
                {
                    "codes": ["H99.1"],
                    "name": "xã ngập",
                    "days_off": [{"date": "2026-10-07", "name": "Ngập lụt", "document": "CV 12/UBND"}],
                }
            ],
        }
    ).units
    by = grounds(spec=CALENDAR.model_copy(update={"units": units}))
    answer = told(engine, made(status=9, finished_at=DUE - DAY), by=by)
    assert "Thứ Tư 07/10/2026: nghỉ – Ngập lụt; căn cứ: CV 12/UBND" in as_text(answer)
    assert answer.ledger is not None
    assert not [line for line in answer.ledger.lines if line.start.day == 7]


def test_limits_findings_records_and_versions_are_told(engine: Engine) -> None:
    answer = told(engine, made(status=9, finished_at=DUE + DAY))
    text = as_text(answer)
    for part in ("1. CÁC MỐC THỜI GIAN", "2. SỔ TÍNH", "3. THỜI HẠN", "4. CÁC PHÁT HIỆN", "5. NHỮNG LẦN GHI NHẬN"):
        assert part in text
    assert "QĐ mẫu" in text and "Quy tắc bản số" in text and "lịch bản số 1" in text
    assert [step.code for step in answer.lawful][-1] == "due"
    assert json.loads(json.dumps(as_json(answer)))["late_working_seconds"] == answer.late_seconds


def test_an_instant_in_the_past_is_judged_as_of_then(engine: Engine) -> None:
    before = told(engine, made(status=9, finished_at=DUE + DAY), at=DUE - DAY)
    assert before.verdict == "open_in_time" and before.late_seconds is None
    assert before.ledger is not None and before.ledger.end.astimezone(UTC) == DUE - DAY
    assert "CÒN TRONG HẠN" in as_text(before)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"received_at": None, "due_current": None, "status": 1}, "not_received"),
        ({"due_current": None}, "cannot_tell"),
        ({"status": None, "source_status": "lạ"}, "cannot_tell"),
        ({"status": 9, "finished_at": RECEIVED - DAY}, "on_time"),
        ({"due_current": datetime(2099, 1, 1, tzinfo=UTC), "status": 9, "finished_at": DUE}, "on_time"),
        ({"unit_code": None, "procedure_code": None}, "open_overdue"),
    ],
)
def test_odd_dossiers_are_explained_as_well(engine: Engine, fields: dict[str, Any], verdict: str) -> None:
    answer = told(engine, made(**fields))
    assert answer.verdict == verdict
    assert "KẾT LUẬN" in as_text(answer) and as_json(answer)["verdict"] == verdict


def test_a_name_that_means_nothing_or_several_is_refused_with_what_to_do(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="no dossier is called 'nobody'; give"):
        told(engine, made("k", code="HS-1"), made("l", code="HS-1"), name="nobody")
    with (
        engine.connect() as connection,
        pytest.raises(ConfigError, match="2 dossiers are called 'HS-1'; give the number"),
    ):
        explain(connection, grounds(), "HS-1", NOW)
