"""A simulated platform pushes what happens in the province: what lands is what is true, whatever goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.mapping_engine import applicant_hash
from tests.end_to_end.receiving import KEY, LGSP, TOKEN, Clock, installed, rows, served, write_settings
from tests.end_to_end.test_opencps_against_simulator import truth
from tthc_monitor.installation import Installation
from tthc_monitor.jobs import pull_source
from tthc_monitor.serving import WebServer
from tthc_monitor.simulator.dvcqg_push import Pusher, PushFaults, number_of
from tthc_monitor.simulator.opencps_api import FAKE_MARKS
from tthc_monitor.simulator.scripts import Dossier, state_at
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
SHARED = (
    *("procedure_code", "sector_code", "unit_code", "channel", "status", "submitted_at", "received_at", "due_current"),
    *("finished_at", "delivered_at", "supplement_count", "supplement_requested_at", "supplement_completed_at"),
    "step_started_at",
)
"""Columns that both connectors fill, and fill alike. The number of a dossier not received, its key and the history of its
steps are the system's own."""


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    return installed(engine, write_settings(tmp_path, LGSP), Clock(NOW))


@pytest.fixture
def web(installation: Installation) -> Iterator[WebServer]:
    with served(installation) as running:
        yield running


def pusher(world: World, web: WebServer, **faults: Any) -> Pusher:
    return Pusher(world, f"{web.url}/receive/lgsp", TOKEN, PushFaults(**faults))


def latest(engine: Engine) -> dict[str, dict[str, Any]]:
    """The last observation of each dossier."""
    columns = ("source_key", *SHARED, "applicant_hash")
    found = rows(
        engine, f"SELECT DISTINCT ON (source_key) {', '.join(columns)} FROM tthc.observations "
        "ORDER BY source_key, observation_id DESC",
    )  # fmt: skip
    return {str(row[0]): dict(zip(columns, row, strict=True)) for row in found}


def expected(one: Dossier) -> dict[str, Any]:
    told, applicant = truth(one), one.script.applicant
    identity = f"888888{applicant:05d}" if applicant % 2 else f"888888{applicant:04d}"
    return {name: told[name] for name in SHARED} | {"applicant_hash": applicant_hash(identity, KEY)}


def assert_lands(world: World, engine: Engine, instant: datetime) -> None:
    found = latest(engine)
    wanted = {number_of(one): expected(one) for one in world.dossiers_at(instant)}
    assert found.keys() == wanted.keys()
    for key, told in wanted.items():
        assert {name: found[key][name] for name in told} == told


def states_told(one: Dossier) -> list[tuple[Any, ...]]:
    """What each event of a dossier leaves behind, without repetition."""
    found: list[tuple[Any, ...]] = []
    for move in one.moves:
        then = state_at(one.script, move.at)
        assert then is not None
        told = expected(then)
        state = tuple(told[name] for name in ("status", "due_current", "finished_at", "delivered_at"))
        if not found or found[-1] != state:
            found.append(state)
    return found


def test_what_is_pushed_is_what_the_opencps_connector_would_tell(
    installation: Installation, web: WebServer, engine: Engine
) -> None:
    world = World(7, NOW, dossiers=120)
    count = pusher(world, web, burst=6).push(LONG_AGO, NOW)
    totals = pull_source(installation, installation.settings.sources[0])
    assert (totals.rows_read, totals.rows_rejected) == (count, 0)
    assert_lands(world, engine, NOW)
    dossiers = world.dossiers_at(NOW)
    assert count > 2 * len(dossiers) and {2, 3} <= {len(states_told(one)) for one in dossiers}
    told: dict[str, list[tuple[Any, ...]]] = {}
    for key, *state in rows(
        engine,
        "SELECT source_key, status, due_current, finished_at, delivered_at FROM tthc.observations "
        "ORDER BY source_key, observation_id",
    ):
        states = told.setdefault(key, [])
        if not states or states[-1] != tuple(state):
            states.append(tuple(state))
    assert told == {number_of(one): states_told(one) for one in dossiers}, "every state that was told is in the ledger"
    stored = json.dumps(
        [
            rows(engine, f"SELECT t::text FROM tthc.{table} t")
            for table in ("inbox", "observations", "rejects", "sources")
        ],
        ensure_ascii=False,
    )
    assert not [mark for mark in (*FAKE_MARKS, "phiên bí mật") if mark in stored]


def test_whatever_goes_wrong_on_the_way_the_end_is_true(
    installation: Installation, web: WebServer, engine: Engine
) -> None:
    world = World(11, NOW, dossiers=60)
    sender = pusher(world, web, duplicates=0.2, truncated=0.1, wrong_token=0.02, out_of_order=0.3, burst=4)
    clock = installation.now
    assert isinstance(clock, Clock)
    begun = LONG_AGO
    count = 0
    for until in (NOW - timedelta(days=30), NOW, NOW + timedelta(days=2), NOW + timedelta(days=9)):
        clock.at = until
        count += sender.push(begun, until)
        pull_source(installation, installation.settings.sources[0])
        begun = until
    assert sender.sent > count and sender.refused > 0
    assert_lands(world, engine, begun)
    again = pull_source(installation, installation.settings.sources[0])
    assert again.rows_read == 0


def test_a_table_that_is_mended_mends_what_is_known_and_tells_no_old_state_again(
    installation: Installation, web: WebServer, engine: Engine, tmp_path: Path
) -> None:
    world = World(7, NOW, dossiers=60)
    pusher(world, web, burst=6).push(LONG_AGO, NOW)
    options: dict[str, Any] = dict(LGSP["options"])  # type: ignore[arg-type]
    lacking = {**LGSP, "options": {**options, "units": {"Sở khác": "H99.99"}}}
    wrong = installed(engine, write_settings(tmp_path, lacking), Clock(NOW + timedelta(minutes=1)))
    pull_source(wrong, wrong.settings.sources[0])
    told = "SELECT source_key, count(*) FROM tthc.observations GROUP BY 1"
    before = dict(rows(engine, told))
    right = installed(engine, write_settings(tmp_path, LGSP), Clock(NOW + timedelta(minutes=2)))
    pull_source(right, right.settings.sources[0])
    assert_lands(world, engine, NOW)
    after = dict(rows(engine, told))
    assert before.keys() == after.keys() and max(after[key] - before[key] for key in after) == 1
    assert pull_source(right, right.settings.sources[0]).rows_read == 0


def test_what_is_spooled_is_what_is_pushed(engine: Engine, tmp_path: Path) -> None:
    world = World(7, NOW, dossiers=60)
    spool = tmp_path / "spool"
    spool.mkdir()
    for number, (_, body) in enumerate(Pusher(world, "http://127.0.0.1", TOKEN).messages(LONG_AGO, NOW)):
        (spool / f"{number:06d}.json").write_bytes(body)
    source = {**LGSP, "options": {**LGSP["options"], "spool": "spool"}}  # type: ignore[dict-item]
    installation = installed(engine, write_settings(tmp_path, source), Clock(datetime.now(UTC)))
    totals = pull_source(installation, installation.settings.sources[0])
    assert totals.rows_rejected == 0
    assert_lands(world, engine, NOW)
    assert pull_source(installation, installation.settings.sources[0]).rows_read == 0
