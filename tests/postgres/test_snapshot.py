"""The snapshot, which looks at open dossiers only, tells what the audit views tell over everything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from rules.grounds import Grounds
from rules.loader import load_packs
from tests.postgres.audited import audited, findings, instants, snapshotted
from tests.postgres.test_evaluate import CALENDAR, DUE, NO_LIMITS
from tests.postgres.test_ledger import DAY, START, record, take
from tthc_monitor.evaluate import evaluate
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.settings import RulesSettings

GROUNDS = Grounds(load_packs(RulesSettings().packs, Path()), CALENDAR, NO_LIMITS)
HOUR = timedelta(hours=1)
LATEST = START + 60 * DAY


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


moments = st.one_of(st.none(), st.integers(-30, 60 * 24).map(lambda hours: START + hours * HOUR))
dossiers = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["dossier", "dossier", "petition"]),
        "unit_code": st.sampled_from(["A", "B", None]),
        "procedure_code": st.sampled_from(["1.1", "1.2", None]),
        "status": st.sampled_from([None, 1, 2, 3, 4, 4, 5, 6, 8, 9, 10]),
        "received_at": moments,
        "due_current": moments,
        "finished_at": st.one_of(st.none(), moments),
        "supplement_requested_at": st.one_of(st.none(), moments),
        "supplement_completed_at": st.one_of(st.none(), moments),
    }
)
pulls = st.lists(st.lists(st.tuples(st.integers(0, 5), dossiers), min_size=1, max_size=6), min_size=1, max_size=3)


def assert_equal_at(engine: Engine, now: datetime) -> None:
    with engine.begin() as connection:
        take_snapshot(connection, now, GROUNDS.calendars)
    told, found = snapshotted(engine), audited(engine, now)
    sure = findings(engine, now, judged=True)
    for key in {key for key in {*told, *found} if key[0] == "tthc_findings"}:
        # Of a dossier that was opened again nothing stands until it is judged again.
        least, most = sure.get(key, 0), found.pop(key, 0)
        assert least <= told.pop(key, 0) <= most, key
    assert told == found


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=pulls, judged=st.integers(0, 3))
def test_every_figure_is_the_auditors_whatever_was_pulled_judged_or_waits(
    engine: Engine, history: Sequence[Sequence[tuple[int, dict[str, Any]]]], judged: int
) -> None:
    # What earlier examples left goes on: it is missed, vanishes, is judged again.
    last = clock_of(engine)
    world = f"{last:%j%H}"
    for number, rows in enumerate(history):
        last += DAY
        take(engine, *(record(f"{world}-{key}", **fields) for key, fields in dict(rows).items()), at=last)
        if number < judged:
            evaluate(engine, GROUNDS, now=lambda at=last: at)
    for now in instants(last)[:6]:
        assert_equal_at(engine, now)


def clock_of(engine: Engine) -> datetime:
    """After everything that was seen so far."""
    with engine.connect() as connection:
        seen: datetime | None = connection.scalar(text("SELECT max(seen_at) FROM tthc.observation_batches"))
    return max(seen or START, START + 20 * DAY)


def test_ends_receptions_and_changes_still_to_come_and_dossiers_that_vanish(engine: Engine) -> None:
    at = START + 20 * DAY
    rows = [
        record("ends later", unit_code="A", due_current=DUE, status=9, finished_at=at + 3 * DAY),
        record("comes later", unit_code="A", due_current=DUE + 40 * DAY, received_at=at + 3 * DAY),
        record("late", unit_code="A", due_current=DUE),
        record("soon", unit_code="B", due_current=at + 4 * HOUR, received_at=START),
        record("nobody knows", unit_code=None),
        record("returned", unit_code="B", status=8, finished_at=at - DAY),
        record("asked", unit_code="B", status=5, due_current=at + 9 * DAY, supplement_requested_at=at - DAY),
    ]
    take(engine, *rows, at=at)
    for now in (at, at + DAY):
        assert_equal_at(engine, now)
    evaluate(engine, GROUNDS, now=lambda: at)
    for now in instants(at):
        assert_equal_at(engine, now)
    # Two vanish, one is opened again, one moves to another unit: first they wait to be judged, then they are.
    changed = [{**rows[0], "finished_at": None, "status": 4}, {**rows[3], "unit_code": "A"}, *rows[4:]]
    for days in (1, 2, 3):
        take(engine, *changed, at=at + days * DAY)
        assert_equal_at(engine, at + days * DAY)
        evaluate(engine, GROUNDS, now=lambda now=at + days * DAY: now)
        for now in instants(at + days * DAY):
            assert_equal_at(engine, now)
    told = audited(engine, at + 3 * DAY)
    assert told["tthc_dossiers_overdue", "A"] >= 2 and told["tthc_dossiers_cannot_tell", ""] == 1
