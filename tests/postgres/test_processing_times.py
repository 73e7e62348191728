"""Working time used and allowed, in SQL: the very seconds that the evaluation counts into its histogram."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import Engine, text

from rules.grounds import Grounds
from tests.postgres.test_evaluate import CALENDAR, CORE, NO_LIMITS, judge
from tests.postgres.test_ledger import query, record, take
from tthc_monitor import tally
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.store.judgements import load_facts

SPEC = CalendarSpec.model_validate(
    {
        **CALENDAR.model_dump(by_alias=True),
        "units": [{"codes": ["B"], "name": "xã", "week": {"sat": [["08:00", "11:00"]], "mon": [["08:00", "10:00"]]}}],
    }
)
FIRST = datetime(2026, 3, 2, tzinfo=UTC)
PULLS = tuple(FIRST + timedelta(days=day, hours=3) for day in (3, 9, 16, 30))


def when(dice: random.Random, first: float, last: float) -> datetime:
    """Some instant between two days of March, to the minute."""
    return FIRST + timedelta(minutes=round(dice.uniform(first, last) * 1440))


def histories(dice: random.Random, count: int) -> list[list[dict[str, Any]]]:
    """For each pull the dossiers as their source tells them then: asked once or twice, with and without instants."""
    pulls: list[list[dict[str, Any]]] = [[] for _ in PULLS]
    for number in range(count):
        received = when(dice, 0, 8)
        ended = when(dice, 5, 29)
        common = {
            "unit_code": dice.choice(["A", "B", None]),
            "received_at": dice.choice([received] * 9 + [datetime(1, 1, 1, tzinfo=UTC)]),
            "due_current": dice.choice([when(dice, 2, 29)] * 8 + [None, datetime(2199, 1, 1, tzinfo=UTC)]),
        }
        asks = sorted(when(dice, 0, 25) for _ in range(dice.choice([0, 0, 1, 1, 2, 3])))
        claims, answers = dice.random() < 0.7, dice.random() < 0.8
        for place, seen in enumerate(PULLS):
            state: dict[str, Any] = dict(common)
            past = [asked for asked in asks if asked <= seen]
            if past:
                answered = past[-1] + timedelta(hours=7 * (number % 11 + 1))
                state["supplement_requested_at"] = past[-1] if claims else None
                state["supplement_completed_at"] = answered if claims and answers and answered <= seen else None
                state["supplement_count"] = dice.choice([len(past), len(past), 0])
                state["status"] = 4 if answered <= seen else 5
            if seen >= ended:
                state |= {"status": dice.choice([9, 10, 7]), "finished_at": ended}
            if seen >= received:
                pulls[place].append(record(f"d{number}", **state))
    return pulls


@pytest.mark.parametrize("seed", range(2))
def test_they_are_those_of_the_histogram(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    for seen, rows in zip(PULLS, histories(dice, 150), strict=True):
        take(engine, *rows, at=seen)
    judge(engine, PULLS[-1], calendar=SPEC)
    grounds = Grounds(CORE, SPEC, NO_LIMITS)
    with transaction(engine) as connection:
        facts = facts_frame(load_facts(connection, "SELECT dossier_id FROM tthc.dossiers", tally.READ | {"dossier_id"}))
    expected: dict[int, tuple[float, float]] = {}
    for calendar, rows in grounds.calendars.partition(facts["unit_code"]):
        some = facts[rows]
        used, allowed = tally._times(some, calendar, grounds)
        expected |= dict(zip(some["dossier_id"], zip(used, allowed, strict=True), strict=True))
    told = query(
        engine, "SELECT dossier_id, used_seconds, allowed_seconds, waited FROM audit.processing_times ORDER BY 1"
    )
    known = {dossier: pair for dossier, pair in expected.items() if not np.isnan(pair[0])}
    nan = float("nan")
    found = {
        dossier: (float(used), nan if allowed is None else float(allowed))
        for dossier, used, allowed, _ in told
        if used is not None
    }
    assert found.keys() == known.keys()
    assert len(known) > 80
    assert sum(waited for *_, waited in told) > 40
    assert sum(np.isnan(allowed) for _, allowed in known.values()) > 5
    for dossier, pair in known.items():
        np.testing.assert_allclose(found[dossier], pair, atol=0.001, err_msg=str(dossier))


def test_without_a_calendar_or_an_end_there_is_no_row_or_no_time(engine: Engine) -> None:
    take(
        engine,
        record("open"),
        record("ended", due_current=FIRST + timedelta(days=9), finished_at=FIRST + timedelta(days=3), status=9),
    )
    assert query(engine, "SELECT code, used_seconds, allowed_seconds FROM audit.processing_times") == [
        (None, None, None)
    ]


def test_a_unit_auditor_sees_those_of_its_units(engine: Engine) -> None:
    rows = [
        record(
            unit, unit_code=unit, due_current=FIRST + timedelta(days=9), finished_at=FIRST + timedelta(days=3), status=9
        )
        for unit in ("A", "B")
    ]
    take(engine, *rows)
    judge(engine, PULLS[-1])
    name = f"unit_{uuid4().hex[:12]}"
    with transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.unit_versions (unit_code, name, kind, known_from) VALUES ('A', 'A', 'commune', now())"
            )
        )
        address = create_auditor(connection, engine.url, name, ["A"])
    auditor = make_engine(address.set(drivername="postgresql+psycopg2"))
    try:
        assert query(auditor, "SELECT unit_code FROM audit.processing_times WHERE used_seconds > 0") == ["A"]
        assert query(engine, "SELECT count(*) FROM audit.processing_times WHERE used_seconds > 0") == [2]
    finally:
        auditor.dispose()
        with transaction(engine) as connection:
            connection.execute(text(f"DROP ROLE {name}"))
