"""The OpenCPS connector against the simulated system, over real HTTP: what is pulled equals what is true."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import stamina

from connectors.base import Cursor, LooksDirectly, Page, Surroundings
from connectors.opencps import OpencpsConnector, OpencpsOptions
from connectors.opencps.answers import applicant_hash
from connectors.opencps.options import DEFAULT_STATUSES
from connectors.opencps.rows import NOT_IN_DETAIL
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError
from tthc_monitor.domain.statuses import ENDED
from tthc_monitor.simulator.opencps_api import FAKE_MARKS
from tthc_monitor.simulator.scripts import Dossier
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
KEY = b"khoa-thu"
Records = dict[str, dict[str, Any]]


class Clock:
    """A clock set by hand; ``step`` moves it at each reading."""

    def __init__(self, now: datetime, step: timedelta = timedelta(0)) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedServer]:
    with SimulatedServer(World(7, NOW, dossiers=500), clock=Clock(NOW)) as server:
        yield server


@pytest.fixture
def server(running: SimulatedServer) -> SimulatedServer:
    running.faults.clear()
    assert isinstance(running.clock, Clock)
    running.clock.now = NOW
    return running


@pytest.fixture
def new_server() -> Iterator[Callable[[World, Clock], SimulatedServer]]:
    started: list[SimulatedServer] = []

    def start(world: World, clock: Clock) -> SimulatedServer:
        one = SimulatedServer(world, clock=clock)
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


def connect(server: SimulatedServer, **changes: Any) -> OpencpsConnector:
    options: dict[str, Any] = {
        "url": server.url,
        "group_id": server.group_id,
        "username": server.username,
        "password": server.password,
        **changes,
    }
    return OpencpsConnector("thu", OpencpsOptions(**options), Surroundings(server.clock, Path(), KEY))


def pull(connector: OpencpsConnector, cursor: Cursor | None, into: Records) -> Cursor:
    """Fetch, normalise and lay the records over what is known, as the ledger's projection does."""
    last: Cursor | None = cursor
    for page in connector.fetch(cursor):
        batch = connector.normalise(page)
        assert not batch.rejects
        into.update({record["source_key"]: record for record in batch.records.to_dicts()})
        last = page.cursor if page.cursor is not None else last
    assert last is not None
    json.dumps(last)
    return last


def truth(one: Dossier) -> dict[str, Any]:
    """What must be known of a simulated dossier, told without the connector."""
    script = one.script
    moved = one.extended_to is not None and one.due_at is not None and one.extended_to > one.due_at
    requests = one.supplement_requests
    received, moves = one.received_at, [move for move in one.moves if move.step != move.before]
    steps = [move.at for move in one.moves if received and move.at >= received + timedelta(seconds=1)]
    identity = f"888888{script.applicant:05d}" if script.applicant % 2 else f"888888{script.applicant:04d}"
    return {
        "source_key": f"55001/{script.dossier_id}",
        "code": script.code if one.received_at else script.reference,
        "kind": "dossier",
        "procedure_code": script.procedure.code,
        "procedure_name": script.procedure.name,
        "sector_code": script.procedure.sector_code,
        "unit_code": script.unit.code,
        "unit_name": script.unit.name,
        "channel": "online" if script.online else "postal" if script.postal else "direct",
        "status": int(DEFAULT_STATUSES[one.status]),
        "step_code": one.step,
        "submitted_at": script.submitted_at,
        "received_at": one.received_at,
        "due_original": one.due_at if moved else None,
        "due_current": one.extended_to if moved else one.due_at,
        "finished_at": one.released_at or one.finished_at,
        "delivered_at": one.finished_at,
        "supplement_count": len(requests),
        "supplement_requested_at": requests[-1][0] if requests else None,
        "supplement_completed_at": requests[-1][1] if requests else None,
        "applicant_hash": applicant_hash(identity, KEY),
        "parent_key": f"55001/{script.parent_id}" if script.parent_id else None,
        "steps_done": len(steps),
        "first_step_at": min(steps, default=None),
        "last_step_at": max(steps, default=None),
        "step_started_at": moves[-1].at,
    }


def assert_true(records: Records, server: SimulatedServer, instant: datetime) -> None:
    """Every dossier of the world is there, each as it is; nothing else is there."""
    expected = {told["source_key"]: told for told in map(truth, server.world.dossiers_at(instant))}
    assert records.keys() == expected.keys()
    for key, told in expected.items():
        assert {name: records[key][name] for name in told} == told


def test_a_full_pull_equals_the_truth(server: SimulatedServer) -> None:
    records: Records = {}
    pull(connect(server), None, records)
    assert len(records) > 400
    assert_true(records, server, NOW)


@pytest.mark.parametrize(
    "options",
    [
        {"page_size": 20, "max_hits": 40, "since": NOW.date() - timedelta(days=200)},
        {"page_size": 7},
        {"page_size": 20, "max_hits": 40},
    ],
)
def test_small_pages_and_windows_lose_nothing(server: SimulatedServer, options: dict[str, Any]) -> None:
    server.faults.hit_limit = options.get("max_hits", 10_000)
    records: Records = {}
    pull(connect(server, **options), None, records)
    assert_true(records, server, NOW)


def test_a_search_window_smaller_than_believed_is_noticed_and_met(server: SimulatedServer) -> None:
    server.faults.hit_limit = 60
    records: Records = {}
    pull(connect(server, page_size=50), None, records)
    assert_true(records, server, NOW)


def test_a_list_that_stays_cut_is_an_error_and_not_silence(server: SimulatedServer) -> None:
    server.faults.hit_limit = 2
    with pytest.raises(PermanentSourceError, match=r"lists only \d+ of them; set agencies"):
        pull(connect(server), None, {})


def test_later_pulls_bring_the_changes_and_only_few_requests(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW)
    server = new_server(World(11, NOW, dossiers=400), clock)
    connector = connect(server)
    records: Records = {}
    cursor = pull(connector, None, records)
    first = server.api.requests
    for pause in (timedelta(hours=2), timedelta(hours=20), timedelta(days=3), timedelta(minutes=5), timedelta(days=12)):
        clock.now += pause
        before = server.api.requests
        cursor = pull(connector, cursor, records)
        assert_true(records, server, clock.now)
        assert server.api.requests - before < first / 2
    assert len(json.dumps(cursor)) < 40 * len(records)


def test_a_dossier_delivered_long_after_release_is_seen(new_server: Callable[[World, Clock], SimulatedServer]) -> None:
    clock = Clock(NOW)
    server = new_server(World(11, NOW, dossiers=400), clock)
    connector = connect(server, window_days=2)
    records: Records = {}
    cursor = pull(connector, None, records)
    for _ in range(8):
        clock.now += timedelta(hours=40)
        cursor = pull(connector, cursor, records)
    assert_true(records, server, clock.now)


def test_nothing_is_lost_while_the_world_moves_under_the_paging(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW, timedelta(seconds=1))
    server = new_server(World(5, NOW, dossiers=200, pace=6), clock)
    connector = connect(server, page_size=10)
    records: Records = {}
    cursor = pull(connector, None, records)
    existing = {f"55001/{one.script.dossier_id}" for one in server.world.dossiers_at(NOW)}
    assert len(server.world.dossiers_at(clock.now)) > len(existing), "the world did move"
    assert existing <= records.keys()
    cursor = pull(connector, cursor, records)
    clock.step = timedelta(0)
    pull(connector, cursor, records)
    assert_true(records, server, clock.now)


def test_rows_repeated_by_the_server_come_once(server: SimulatedServer) -> None:
    server.faults.repeat_rows = True
    connector = connect(server, page_size=20)
    keys: list[str] = []
    for page in connector.fetch(None):
        keys += connector.normalise(page).records["source_key"].to_list()
    assert len(keys) == len(set(keys)) == len(server.world.dossiers_at(NOW))


def test_a_broken_first_pull_goes_on_where_it_was(server: SimulatedServer) -> None:
    connector = connect(server, page_size=20, max_hits=40)
    records: Records = {}
    cursor: Cursor | None = None
    for page in connector.fetch(None):
        records.update({one["source_key"]: one for one in connector.normalise(page).records.to_dicts()})
        cursor = page.cursor or cursor
        if len(records) > 250 and page.cursor is not None:
            break
    assert cursor is not None
    before = server.api.requests
    pull(connector, cursor, records)
    assert_true(records, server, NOW)
    assert server.api.requests - before < len(records), "what was done is not done again"


def test_a_cursor_of_other_settings_starts_anew(server: SimulatedServer) -> None:
    cursor = pull(connect(server), None, {})
    records: Records = {}
    pull(connect(server, statuses={"paying": 4}), cursor, records)
    assert len(records) == len(server.world.dossiers_at(NOW))


STEPS = dict.fromkeys(("steps_done", "first_step_at", "last_step_at", "step_started_at"))


def early(cursor: Cursor) -> Cursor:
    """A cursor as version 1 wrote it, which knew of no steps and left out histories without a request."""
    known = {key: told and told[:3] for key, told in cursor["histories"].items()}
    kept = {name: value for name, value in cursor.items() if name != "histories"}
    return {**kept, "version": 1, "supplements": {key: told for key, told in known.items() if told != [0, None, None]}}


def test_an_upgrade_changes_nothing_about_ended_dossiers(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW)
    server = new_server(World(7, NOW, dossiers=500), clock)
    over = [one for one in server.world.dossiers_at(NOW) if DEFAULT_STATUSES[one.status] in ENDED]
    server.faults.without_history = {one.script.dossier_id for one in over[::9]}
    connector = connect(server)
    before: Records = {}
    cursor = pull(connector, None, before)
    before = {key: {**record, **STEPS} for key, record in before.items()}
    asked = server.api.requests
    since = datetime.fromisoformat(cursor["changed_since"])
    ended = {f"55001/{one.script.dossier_id}" for one in over if max(move.at for move in one.moves) < since}
    cursor = early(cursor)
    for pause in (timedelta(0), timedelta(days=1)):
        clock.now += pause
        after: Records = {}
        cursor = pull(connector, cursor, after)
        still = {
            f"55001/{one.script.dossier_id}"
            for one in server.world.dossiers_at(clock.now)
            if max(move.at for move in one.moves) < since
        }
        same = [key for key in after if key in ended & still]
        assert {key: after[key] for key in same} == {key: before[key] for key in same}
        counts = {after[key]["supplement_count"] for key in same}
        assert {None, 0, 1} <= counts, "unreadable ones, ones without a request and ones with"
        expected = {told["source_key"]: told for told in map(truth, server.world.dossiers_at(clock.now))}
        for key in after.keys() - {f"55001/{one.script.dossier_id}" for one in over}:
            assert {name: after[key][name] for name in expected[key]} == expected[key]
        assert server.api.requests - asked < len(after) - len(same) + 60, "histories only of the others, and some pages"
        asked = server.api.requests
    assert cursor["version"] == 2


def test_a_first_pull_that_version_1_did_not_finish_begins_anew(server: SimulatedServer) -> None:
    cursor = pull(connect(server), None, {})
    unfinished = {name: cursor[name] for name in ("scope",)} | {
        "version": 1, "begun": cursor["at"], "resume_day": NOW.date().isoformat(), "supplements": {},
    }  # fmt: skip
    records: Records = {}
    pull(connect(server), unfinished, records)
    assert_true(records, server, NOW)


def test_agencies_and_history_can_be_left_out(server: SimulatedServer) -> None:
    records: Records = {}
    before = server.api.requests
    pull(connect(server, agencies=["H99.05"], fetch_history=False), None, records)
    assert records.keys() == {
        f"55001/{one.script.dossier_id}" for one in server.world.dossiers_at(NOW) if one.script.unit.code == "H99.05"
    }
    assert {record["supplement_count"] for record in records.values()} == {None}
    assert server.api.requests - before < 10


def test_without_explicit_filters_the_server_would_hide_records(server: SimulatedServer) -> None:
    every = server.world.dossiers_at(NOW)
    hidden = {f"55001/{one.script.dossier_id}" for one in every if one.script.parent_id or one.script.system_id}
    records: Records = {}
    pull(connect(server), None, records)
    assert hidden and hidden <= records.keys()


def test_no_personal_value_passes_the_edge(server: SimulatedServer) -> None:
    connector = connect(server)
    pages: list[Page] = list(connector.fetch(None))
    text = json.dumps([(page.content, page.cursor, page.location) for page in pages], ensure_ascii=False)
    frame = pl.concat([connector.normalise(page).records for page in pages]).write_csv()
    for mark in FAKE_MARKS:
        assert mark not in text
        assert mark not in frame


def test_history_that_cannot_be_read_leaves_the_record_without_it(server: SimulatedServer) -> None:
    refused = {one.script.dossier_id for one in server.world.dossiers_at(NOW)[:50]}
    server.faults.without_history = set(refused)
    connector = connect(server)
    records: Records = {}
    cursor = pull(connector, None, records)
    assert {int(key.split("/")[1]) for key, one in records.items() if one["supplement_count"] is None} == refused
    server.faults.without_history = set()
    assert isinstance(server.clock, Clock)
    server.clock.now += timedelta(days=1)
    again: Records = {}
    pull(connect(server, window_days=150), cursor, again)
    assert all(one["supplement_count"] is not None for one in again.values())


def test_a_history_that_was_refused_for_a_while_is_read_again(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW)
    server = new_server(World(11, NOW, dossiers=200), clock)
    connector = connect(server)
    records: Records = {}
    cursor = pull(connector, None, records)
    server.faults.without_history = {one.script.dossier_id for one in server.world.dossiers_at(NOW)}
    clock.now += timedelta(hours=12)
    cursor = pull(connector, cursor, records)
    stale = cursor["stale"]
    assert len(stale) > 3, "refused while something had happened"
    clock.now += timedelta(minutes=10)
    before = server.api.requests
    cursor = pull(connector, cursor, records)
    asked = server.api.requests - before
    assert set(stale) <= set(cursor["stale"])
    clock.now += timedelta(minutes=10)
    before = server.api.requests
    cursor = pull(connector, cursor, records)
    assert server.api.requests - before <= asked + 5, "what is refused for ever costs nothing but once a day"
    server.faults.without_history = set()
    clock.now += timedelta(days=1)
    cursor = pull(connector, cursor, records)
    assert_true(records, server, clock.now)
    assert cursor["stale"] == []


def test_instants_that_the_source_corrects_are_read_again_though_nobody_acted(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW)
    server = new_server(World(11, NOW, dossiers=200), clock)
    server.faults.clock_skew = timedelta(minutes=-4)
    connector = connect(server)
    records: Records = {}
    cursor = pull(connector, None, records)
    server.faults.clear()
    clock.now += timedelta(days=1)
    pull(connector, cursor, records)
    open_ones = {f"55001/{one.script.dossier_id}" for one in server.world.dossiers_at(clock.now) if not one.finished_at}
    expected = {told["source_key"]: told for told in map(truth, server.world.dossiers_at(clock.now))}
    for key in open_ones:
        assert {name: records[key][name] for name in expected[key]} == expected[key]


@pytest.mark.parametrize(
    "faults",
    [{"server_errors": 2}, {"too_many_requests": 2}, {"truncated": 2}, {"slow": 1, "slow_seconds": 3.0}],
    ids=lambda faults: next(iter(faults)),
)
def test_passing_faults_pass(server: SimulatedServer, faults: dict[str, Any]) -> None:
    server.faults.__dict__.update(faults)
    records: Records = {}
    pull(connect(server, fetch_history=False, timeout_seconds=1), None, records)
    assert len(records) == len(server.world.dossiers_at(NOW))


@pytest.mark.parametrize(
    ("faults", "error", "remedy"),
    [
        ({"server_errors": 9}, TransientSourceError, "HTTP 503"),
        ({"too_many_requests": 9}, TransientSourceError, "too many requests"),
        ({"too_many_requests": 1, "retry_after_seconds": 900}, TransientSourceError, "asks for 900 seconds"),
        ({"truncated": 9}, TransientSourceError, "breaks off"),
        ({"lost_login": 1}, PermanentSourceError, r"HTTP 203\); check user name and password"),
    ],
)
def test_lasting_faults_are_named(
    server: SimulatedServer, faults: dict[str, Any], error: type[Exception], remedy: str
) -> None:
    server.faults.__dict__.update(faults)
    with pytest.raises(error, match=remedy):
        pull(connect(server), None, {})


def test_a_login_lost_on_the_way_ends_the_run(server: SimulatedServer) -> None:
    pages = connect(server, page_size=20).fetch(None)
    next(pages)
    server.faults.lost_login = 1
    with pytest.raises(PermanentSourceError, match="203"):
        list(pages)


def test_a_wrong_password_is_told_by_203_and_not_shown(server: SimulatedServer) -> None:
    wrong = connect(server, password="sai-mat-khau")
    for attempt in (wrong.check, lambda: list(wrong.fetch(None))):
        with pytest.raises(PermanentSourceError, match=r"does not accept the credentials \(HTTP 203\)") as caught:
            attempt()
        assert "sai-mat-khau" not in str(caught.value)


def test_a_wrong_group_is_told(server: SimulatedServer) -> None:
    wrong = connect(server, group_id=1)
    for attempt in (wrong.check, lambda: list(wrong.fetch(None))):
        with pytest.raises(PermanentSourceError, match="shows no dossier to user giamsat; check group_id"):
            attempt()


def test_a_wrong_address_is_told(server: SimulatedServer) -> None:
    with pytest.raises(PermanentSourceError, match=r"HTTP 404\); correct url"):
        connect(server, url=server.url + "/nham").check()
    with pytest.raises(TransientSourceError, match="refuses the connection"):
        connect(server, url="http://127.0.0.1:9/o").check()


def test_check_tells_what_is_right_and_sees_a_shifted_zone(server: SimulatedServer) -> None:
    lines = connect(server).check()
    assert [line for line in lines if "history can be read" in line]
    assert len(lines) == 6
    assert server.password not in str(lines)
    for shifted in ("UTC", "America/New_York"):
        with pytest.raises(PermanentSourceError, match="set zone to the server's own"):
            connect(server, zone=shifted).check()


@pytest.mark.parametrize(
    "faults",
    [
        *({"broken": 2}, {"slow_drip": 1}, {"repeat_pages": 1}, {"repeat_pages": 3}),
        *({"withheld": 7}, {"strict_filters": True}, {"plain_json": True}, {"repeat_rows": True}),
        {"clock_skew": timedelta(minutes=20)},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_nothing_is_lost_for_what_goes_wrong_on_the_way(server: SimulatedServer, faults: dict[str, Any]) -> None:
    server.faults.__dict__.update(faults)
    records: Records = {}
    connector = connect(server, fetch_history=False, page_size=50)
    cursor = pull(connector, None, records)
    pull(connector, cursor, records)
    assert records.keys() == {f"55001/{one.script.dossier_id}" for one in server.world.dossiers_at(NOW)}


def test_dates_of_a_server_in_another_zone_are_read_by_the_option(server: SimulatedServer) -> None:
    server.faults.shifted_zone_hours = -7
    with pytest.raises(PermanentSourceError, match="set zone to the server's own"):
        connect(server).check()
    records: Records = {}
    pull(connect(server, zone="UTC", fetch_history=False), None, records)
    for told in map(truth, server.world.dossiers_at(NOW)):
        for name in ("received_at", "due_current", "finished_at"):
            assert records[told["source_key"]][name] == told[name]


def test_a_dossier_closed_in_the_past_is_found_by_looking(
    new_server: Callable[[World, Clock], SimulatedServer],
) -> None:
    clock = Clock(NOW)
    server = new_server(World(11, NOW, dossiers=400), clock)
    connector = connect(server, window_days=3)
    records: Records = {}
    cursor = pull(connector, None, records)
    open_ones = {one.script.dossier_id for one in server.world.dossiers_at(NOW) if one.finished_at is None}
    clock.now += timedelta(days=12)
    ended = [
        one for one in server.world.dossiers_at(clock.now) if one.finished_at and one.script.dossier_id in open_ones
    ]
    old = [one for one in ended if one.received_at and one.received_at < NOW - timedelta(days=3)]
    server.faults.backdated = {one.script.dossier_id: timedelta(days=40) for one in old}
    seen: Records = {}
    pull(connector, cursor, seen)
    missed = {f"55001/{one.script.dossier_id}" for one in old} - seen.keys()
    assert missed, "released and delivered, so it says, before the days that are listed"
    found = [connector.normalise(page) for page in connector.look(sorted(missed))]
    told = {record["source_key"]: record for batch in found for record in batch.records.to_dicts()}
    assert told.keys() == missed
    expected = {one["source_key"]: one for one in map(truth, server.faults.seen(server.world.dossiers_at(clock.now)))}
    for key, record in told.items():
        assert {name: record[name] for name in expected[key] if name not in NOT_IN_DETAIL} == {
            name: value for name, value in expected[key].items() if name not in NOT_IN_DETAIL
        }
    assert all(batch.patch and "finished_at" in batch.clears for batch in found)
    assert not any(NOT_IN_DETAIL & batch.clears for batch in found)


def test_looking_tells_what_is_there_and_what_is_gone(server: SimulatedServer) -> None:
    every = [f"55001/{one.script.dossier_id}" for one in server.world.dossiers_at(NOW)][:260]
    gone = {int(key.partition("/")[2]) for key in every[::7]}
    server.faults.vanished = gone
    connector = connect(server)
    assert isinstance(connector, LooksDirectly)
    pages = list(connector.look([*every, "55001/1", "77/5", "chữ", "55001/x y"]))
    keys = [key for page in pages for key in connector.normalise(page).records["source_key"]]
    assert keys == [key for key in every if int(key.partition("/")[2]) not in gone]
    assert not list(connector.look([]))
    assert not list(connector.look([every[0]]))
    text = json.dumps([(page.content, page.location) for page in pages], ensure_ascii=False)
    assert not [mark for mark in FAKE_MARKS if mark in text]


def test_looking_in_vain_says_nothing_where_nobody_may_look(server: SimulatedServer) -> None:
    every = {one.script.dossier_id for one in server.world.dossiers_at(NOW)}
    connector = connect(server)
    server.faults.without_detail = every
    with pytest.raises(PermanentSourceError, match="ask for the right to read a dossier's details"):
        list(connector.look([f"55001/{min(every)}"]))


def test_a_history_that_cannot_be_read_clears_nothing(server: SimulatedServer) -> None:
    one = server.world.dossiers_at(NOW)[0].script.dossier_id
    server.faults.without_history = {one}
    connector = connect(server)
    (page,) = connector.look([f"55001/{one}"])
    assert "supplement_count" not in connector.normalise(page).clears


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_id": 1}, "check group_id"),
        ({"agencies": ["H99.khong"]}, "but none of H99.khong; correct agencies"),
        ({"password": "sai"}, r"HTTP 203\); check user name"),
    ],
)
def test_check_says_what_is_wrong(server: SimulatedServer, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PermanentSourceError, match=message):
        connect(server, **changes).check()
