"""The iGate connector against the simulated one, over real HTTP: what is pulled equals what is true."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Connector, Cursor, Surroundings
from connectors.igate import IgateConnector, IgateOptions
from connectors.mapping_engine import applicant_hash
from connectors.testing import Conformance
from tests.listed import told_by
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError
from tthc_monitor.simulator import igate_api
from tthc_monitor.simulator.faults import Faults
from tthc_monitor.simulator.igate_api import STATUS_NUMBERS, at_desk, code_of, promise, promised_day
from tthc_monitor.simulator.igate_server import CLIENT, USER, SimulatedIgate
from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.opencps_api import FAKE_MARKS
from tthc_monitor.simulator.scripts import Dossier
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
KEY = b"khoa-thu"
NATIONAL = {
    "receiving": 1, "processing": 4, "waiting": 5, "paying": 6, "releasing": 9, "posting": 9,
    "done": 10, "denied": 3, "unresolved": 8, "cancelled": 7,
}  # fmt: skip
STATUSES = {str(STATUS_NUMBERS[status]): national for status, national in NATIONAL.items()}
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
def running() -> Iterator[SimulatedIgate]:
    with SimulatedIgate(World(7, NOW, dossiers=300), clock=Clock(NOW)) as server:
        yield server


@pytest.fixture
def igate(running: SimulatedIgate) -> SimulatedIgate:
    running.faults.clear()
    assert isinstance(running.clock, Clock)
    running.clock.now = NOW
    return running


Start = Callable[..., SimulatedIgate]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[SimulatedIgate] = []

    def begin(world: World, clock: Clock, **changes: Any) -> SimulatedIgate:
        started.append(SimulatedIgate(world, clock=clock, **changes))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        one.stop()


def connect(server: SimulatedIgate, **changes: Any) -> IgateConnector:
    auth = {"kind": "client_credentials", "client_id": CLIENT, "client_secret": server.secret}
    options: dict[str, Any] = {
        "url": server.url,
        "auth": {**auth, "token_url": server.token_url},
        "statuses": STATUSES,
        "unit_codes": r"^H99\.",
        "applicant": "applicant.data.identityNumber",
        **changes,
    }
    return IgateConnector("tinh", IgateOptions(**options), Surroundings(server.clock, Path(), KEY))


def pull(connector: IgateConnector, cursor: Cursor | None, into: Records) -> tuple[Cursor, bool]:
    """Fetch, normalise and lay the records over what is known; the cursor to go on from, and whether all was listed."""
    for page in connector.fetch(cursor):
        batch = connector.normalise(page)
        assert not batch.rejects
        into.update({record["source_key"]: record for record in batch.records.to_dicts()})
    assert page.cursor is not None
    kept: Cursor = json.loads(json.dumps(page.cursor))
    return kept, page.listed_all


def truth(one: Dossier) -> dict[str, Any]:
    """What must be known of a simulated dossier, told without the connector."""
    script = one.script
    due = promise(one)
    if due is not None and promised_day(one):
        due = due.astimezone(ZONE).replace(hour=23, minute=59, second=59, microsecond=999_999)
    identity = f"0888888{script.applicant:05d}" if script.applicant % 2 else f"888888{script.applicant:04d}"
    return {
        "source_key": code_of(one),
        "code": code_of(one),
        "kind": "dossier",
        "procedure_code": script.procedure.code,
        "procedure_name": script.procedure.name,
        "sector_code": script.procedure.sector_code,
        "sector_name": script.procedure.sector_name,
        "unit_code": script.unit.code,
        "unit_name": script.unit.name,
        "receiving_unit_code": f"MC-{script.unit.code}" if at_desk(one) else script.unit.code,
        "status": NATIONAL[one.status],
        "submitted_at": script.submitted_at,
        "received_at": one.received_at,
        "due_current": due,
        "finished_at": one.released_at,
        "delivered_at": one.finished_at,
        "applicant_hash": applicant_hash(identity, KEY),
    }


def assert_true(records: Records, server: SimulatedIgate, instant: datetime) -> None:
    """Every dossier of the world is there, each as it is; nothing else is there."""
    expected = {told["source_key"]: told for told in map(truth, server.world.dossiers_at(instant))}
    assert records.keys() == expected.keys()
    for key, told in expected.items():
        assert {name: records[key][name] for name in told} == told


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"page_size": 7, "workers": 1},
        {"page_size": 20, "spec": "slice"},
        {"page_size": 50, "since": NOW.date() - timedelta(days=300)},
        {"statuses": {key: value for key, value in STATUSES.items() if value in (1, 5, 6, 9, 3, 8, 7)}
                     | {"2": 4, "5": 10}},
    ],
    ids=["default", "small pages", "slices", "since", "statuses in another order"],
)  # fmt: skip
def test_a_full_pull_equals_the_truth(igate: SimulatedIgate, options: dict[str, Any]) -> None:
    records: Records = {}
    _, listed_all = pull(connect(igate, **options), None, records)
    assert len(records) > 250
    assert_true(records, igate, NOW)
    assert listed_all


def test_later_pulls_bring_the_changes_and_only_few_requests(start: Start) -> None:
    clock = Clock(NOW)
    server = start(World(11, NOW, dossiers=400), clock)
    connector = connect(server, page_size=20, sweep_every="30d")
    records: Records = {}
    cursor, _ = pull(connector, None, records)
    first = server.api.requests
    for pause in (timedelta(minutes=10), timedelta(hours=2), timedelta(hours=20), timedelta(days=3)):
        clock.now += pause
        before = server.api.requests
        cursor, listed_all = pull(connector, cursor, records)
        expected = {told["source_key"]: told for told in map(truth, server.world.dossiers_at(clock.now))}
        wrong = {
            key for key, told in expected.items() if any(records.get(key, {}).get(n) != v for n, v in told.items())
        }
        # One that was refused was never accepted: only the sweep can find it.
        assert {expected[key]["status"] for key in wrong} <= {3}
        assert listed_all is not any(key in records for key in wrong)
        assert server.api.requests - before < first * 2
    clock.now += timedelta(days=30)
    pull(connector, cursor, records)
    assert_true(records, server, clock.now)


def test_a_dossier_in_a_status_that_is_not_known_is_kept_watched_and_counted(start: Start) -> None:
    clock = Clock(NOW)
    server = start(World(11, NOW, dossiers=300), clock)
    known = {key: value for key, value in STATUSES.items() if key != str(STATUS_NUMBERS["waiting"])}
    connector = connect(server, statuses=known, sweep_every="30d")
    records: Records = {}
    cursor, _ = pull(connector, None, records)
    clock.now += timedelta(days=4)
    unknown: dict[tuple[str, str], int] = {}
    for page in connector.fetch(cursor):
        mapped = connector.map(page)
        records.update({record["source_key"]: record for record in mapped.records.to_dicts()})
        unknown |= mapped.unknown
    assert page.listed_all
    assert set(unknown) == {("status", "3")}
    waiting = {code_of(one) for one in server.world.dossiers_at(clock.now) if one.status == "waiting"}
    assert waiting
    assert {key for key, one in records.items() if one["status"] is None} == waiting
    assert {records[key]["source_status"] for key in waiting} == {"3 Chờ bổ sung hồ sơ"}


def test_names_of_national_statuses_are_known_without_settings(igate: SimulatedIgate) -> None:
    records: Records = {}
    connector = connect(igate, statuses={})
    _, listed_all = pull(connector, None, records)
    told = {(one["source_status"], one["status"]) for one in records.values() if one["status"] is not None}
    assert told == {("2 Đang xử lý", 4), ("5 Đã trả kết quả", 10)}
    assert listed_all, "with no status known, everything is listed"
    assert any("is not known; add its number to statuses" in line for line in connector.check())


def test_nothing_is_lost_while_the_world_moves_under_the_paging(start: Start) -> None:
    clock = Clock(NOW)
    server = start(World(5, NOW, dossiers=120, pace=6), clock, token_seconds=15)
    for spec in ("page", "slice"):
        clock.step = timedelta(seconds=1)
        connector = connect(server, page_size=10, spec=spec, workers=1)
        records: Records = {}
        existing = {code_of(one) for one in server.world.dossiers_at(clock.now)}
        cursor, _ = pull(connector, None, records)
        assert existing <= records.keys()
        assert server.api.tokens_given > 1, "tokens ended on the way"
        cursor, _ = pull(connector, cursor, records)
        clock.step = timedelta(0)
        pull(connector, cursor, records)
        assert_true(records, server, clock.now)


def test_dossiers_that_come_late_with_earlier_dates_are_found(start: Start) -> None:
    clock = Clock(NOW)
    server = start(World(11, NOW, dossiers=300), clock)
    connector = connect(server, page_size=20)
    server.faults.withheld = 40
    records: Records = {}
    cursor, _ = pull(connector, None, records)
    missed = len(server.world.dossiers_at(NOW)) - len(records)
    assert missed > 10, "some were not there yet"
    server.faults.withheld = 0
    clock.now += timedelta(hours=2)
    cursor, _ = pull(connector, cursor, records)
    every = server.world.dossiers_at(clock.now)
    assert {code_of(one) for one in every if NATIONAL[one.status] in (1, 4, 5, 6, 9)} <= records.keys()
    clock.now += timedelta(days=1)
    pull(connector, cursor, records)
    assert_true(records, server, clock.now)


@pytest.mark.parametrize("skew", [-8, 8])
def test_a_clock_of_the_source_that_is_wrong_by_less_than_the_overlap_loses_nothing(start: Start, skew: int) -> None:
    clock = Clock(NOW)
    server = start(World(5, NOW, dossiers=100, pace=6), clock)
    server.faults.clock_skew = timedelta(minutes=skew)
    connector = connect(server)
    records: Records = {}
    cursor: Cursor | None = None
    for _ in range(4):
        clock.now += timedelta(minutes=5)
        cursor, _ = pull(connector, cursor, records)
        assert records.keys() >= {code_of(one) for one in server.world.dossiers_at(clock.now)}


PAUSES = st.sampled_from([timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=3), timedelta(days=2)])
TROUBLES: list[dict[str, Any]] = [
    {}, {"server_errors": 9}, {"truncated": 1}, {"withheld": 6}, {"repeat_rows": True}, {"token_expired": 1},
    {"hit_limit": 15}, {"broken": 9},
]  # fmt: skip


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.tuples(PAUSES, st.sampled_from(TROUBLES), st.integers(0, 6)), max_size=5))
def test_after_any_troubles_a_sweep_makes_everything_true(
    igate: SimulatedIgate, runs: list[tuple[timedelta, dict[str, Any], int]]
) -> None:
    """Pulls fail, are killed after some pages, or meet a source that withholds; a cursor counts only when all came."""
    clock = igate.clock
    assert isinstance(clock, Clock)
    clock.now = NOW
    records: Records = {}
    cursor: Cursor | None = None
    for pause, trouble, killed_after in runs:
        clock.now += pause
        igate.faults.__dict__.update(trouble)
        connector = connect(igate, page_size=40, workers=1)
        given: Records = {}
        try:
            for number, page in enumerate(connector.fetch(cursor), start=1):
                given.update({one["source_key"]: one for one in connector.normalise(page).records.to_dicts()})
                if number == killed_after:
                    break
            if page.cursor is not None and number != killed_after:
                cursor = json.loads(json.dumps(page.cursor))
                records |= given
        except (TransientSourceError, PermanentSourceError):
            pass
        igate.faults.clear()
    clock.now += timedelta(days=1)
    pull(connect(igate), cursor, records)
    assert_true(records, igate, clock.now)


class Edited(World):
    """A world in which some dossiers, by id, are otherwise than their script says."""

    edits: dict[int, dict[str, Any]]

    def dossiers_at(self, instant: datetime) -> list[Dossier]:
        """All of them, the edits applied."""
        edits = self.__dict__.setdefault("edits", {})
        return [replace(one, **edits.get(one.script.dossier_id, {})) for one in super().dossiers_at(instant)]


def open_one(server: SimulatedIgate, instant: datetime = NOW) -> Dossier:
    return next(one for one in server.world.dossiers_at(instant) if one.status == "processing")


def test_a_vanished_dossier_is_not_told_of_any_more(igate: SimulatedIgate) -> None:
    connector = connect(igate)
    cursor, _ = pull(connector, None, {})
    gone = open_one(igate)
    igate.faults.vanished = {gone.script.dossier_id}
    records: Records = {}
    cursor, listed_all = pull(connector, cursor, records)
    assert code_of(gone) not in records
    assert not listed_all, "only a sweep decides that it is gone"
    assert isinstance(igate.clock, Clock)
    for is_second in (False, True):
        igate.clock.now += timedelta(days=1)
        cursor, listed_all = pull(connector, cursor, records)
        assert code_of(gone) not in records
        assert listed_all
        assert (code_of(gone) not in cursor["watched"]) is is_second
        cursor, listed_all = pull(connector, cursor, records)
        assert listed_all is is_second, "after one sweep it is still looked for"


def test_a_dossier_that_one_sweep_misses_is_still_asked_for_and_found_after_its_end(start: Start) -> None:
    clock, world = Clock(NOW), Edited(11, NOW, dossiers=300)
    server = start(world, clock)
    connector = connect(server)
    cursor, _ = pull(connector, None, {})
    one = open_one(server)
    world.edits = {one.script.dossier_id: {"status": "done", "released_at": NOW, "finished_at": NOW}}
    clock.now += timedelta(days=1)
    server.faults.vanished = {one.script.dossier_id}
    cursor, _ = pull(connector, cursor, {})
    server.faults.clear()
    clock.now += timedelta(hours=1)
    records: Records = {}
    cursor, listed_all = pull(connector, cursor, records)
    assert records[code_of(one)]["status"] == 10
    assert listed_all
    assert cursor["missed"] == []


@pytest.mark.parametrize("status", ["denied", "unresolved", "cancelled"])
def test_what_ends_before_it_is_accepted_is_found_by_a_sweep_of_a_window(start: Start, status: str) -> None:
    clock, world = Clock(NOW), Edited(11, NOW, dossiers=300)
    server = start(world, clock)
    connector = connect(server, window_days=5)
    number = open_one(server).script.dossier_id
    world.edits = {number: {"status": "receiving", "received_at": None, "due_at": None}}
    records: Records = {}
    cursor, _ = pull(connector, None, records)
    [key] = [key for key in records if key.endswith(f"-{number}")]
    assert records[key]["status"] == 1
    world.edits = {number: {"status": status, "received_at": None, "due_at": None}}
    clock.now += timedelta(hours=1)
    cursor, listed_all = pull(connector, cursor, records)
    assert not listed_all, "an ordinary run does not ask for it"
    clock.now += timedelta(days=1)
    _, listed_all = pull(connector, cursor, records)
    assert records[key]["status"] == NATIONAL[status]
    assert listed_all


def test_a_check_names_the_ends_that_a_sweep_of_a_window_cannot_ask_for(igate: SimulatedIgate) -> None:
    some = {key: value for key, value in STATUSES.items() if value not in (7, 8)}
    [line] = [line for line in connect(igate, statuses=some, window_days=5).check() if "window_days" in line]
    assert line.startswith("statuses has no number that is 7 (")
    assert ", 8 (" in line
    for options in ({"window_days": 5}, {"statuses": some}):
        assert not any("window_days" in line for line in connect(igate, **options).check())


def test_a_sweep_of_a_window_is_no_full_pull(igate: SimulatedIgate) -> None:
    connector = connect(igate, window_days=5)
    [*_, first] = connector.fetch(None)
    assert first.gave_all
    assert isinstance(igate.clock, Clock)
    igate.clock.now += timedelta(days=1)
    [*_, swept] = connector.fetch(first.cursor)
    assert (swept.gave_all, swept.listed_all) == (False, True)
    full = connect(igate)
    [*_, last] = full.fetch(None)
    igate.clock.now += timedelta(days=1)
    assert [page.gave_all for page in full.fetch(last.cursor)][-1]


def test_the_end_of_an_old_dossier_is_found_though_the_settings_changed_in_between(start: Start) -> None:
    clock, world = Clock(NOW), Edited(11, NOW, dossiers=300)
    server = start(world, clock)
    since = NOW.date() - timedelta(days=1)
    cursor, _ = pull(connect(server, since=since), None, {})
    one = next(
        one
        for one in server.world.dossiers_at(NOW)
        if one.status == "processing" and one.received_at is not None and one.received_at < NOW - timedelta(days=2)
    )
    world.edits = {one.script.dossier_id: {"status": "done", "released_at": NOW, "finished_at": NOW}}
    clock.now += timedelta(hours=1)
    records: Records = {}
    _, listed_all = pull(connect(server, since=since, due_date_means="start_of_day"), cursor, records)
    assert records[code_of(one)]["status"] == 10
    assert listed_all


@pytest.mark.parametrize("watched", [None, "x", {"A": 7, "B": "gestern", "C": "0001-01-01T00:00:00+07:00"}])
def test_what_a_cursor_should_not_hold_does_no_harm(igate: SimulatedIgate, watched: Any) -> None:
    cursor, _ = pull(connect(igate), None, {})
    _, listed_all = pull(connect(igate), {**cursor, "watched": watched, "missed": watched}, {})
    assert listed_all is not isinstance(watched, dict)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("acceptedDate", "0001-01-01T00:00:00.000+0700", "acceptedDate"),
        ("acceptedDate", "9999-12-31T23:59:59.999-0700", "acceptedDate"),
        ("applicant", None, "cannot be applied"),
    ],
)
def test_a_record_that_cannot_be_read_costs_itself_only(
    igate: SimulatedIgate, monkeypatch: pytest.MonkeyPatch, field: str, value: str | None, told: str
) -> None:
    bad = open_one(igate)
    right = igate_api.record

    def spoiled(one: Dossier, writing: igate_api.IgateWriting) -> dict[str, Any]:
        found = right(one, writing)
        return {**found, field: value} if found["code"] == code_of(bad) else found

    monkeypatch.setattr(igate_api, "record", spoiled)
    connector = connect(igate, applicant="join('', [applicant.data.identityNumber])")
    cursor: Cursor | None = None
    for _ in range(2):
        pages = list(connector.fetch(cursor))
        batches = [connector.normalise(page) for page in pages]
        [reject, *_] = [reject for batch in batches for reject in batch.rejects]
        assert told in f"{reject.column} {reject.reason}"
        assert all(mark not in repr(reject) for mark in FAKE_MARKS)
        given = {key for batch in batches for key in batch.records["source_key"]}
        assert code_of(bad) not in given
        if cursor is None:
            assert len(given) == len(igate.world.dossiers_at(NOW)) - 1
        cursor = json.loads(json.dumps(pages[-1].cursor))


def test_a_cursor_of_other_settings_starts_anew(igate: SimulatedIgate) -> None:
    cursor, _ = pull(connect(igate), None, {})
    records: Records = {}
    pull(connect(igate, due_date_means="start_of_day"), cursor, records)
    assert len(records) == len(igate.world.dossiers_at(NOW))


def test_agencies_narrow_the_records(igate: SimulatedIgate) -> None:
    records: Records = {}
    pull(connect(igate, agencies=["H99.05"]), None, records)
    assert records.keys() == {code_of(one) for one in igate.world.dossiers_at(NOW) if one.script.unit.code == "H99.05"}


def test_without_a_pattern_of_units_the_agency_itself_resolves(igate: SimulatedIgate) -> None:
    records: Records = {}
    pull(connect(igate, unit_codes=None), None, records)
    assert {one["unit_code"][:3] for one in records.values()} == {"MC-", "H99"}


@pytest.mark.parametrize(
    "faults",
    [
        {"server_errors": 2},
        {"too_many_requests": 2},
        {"truncated": 2},
        {"broken": 2},
        {"slow": 1, "slow_seconds": 1.2},
        {"slow_drip": 1, "drip_bytes": 5},
        {"token_expired": 1},
        {"repeat_pages": 3},
        {"repeat_rows": True},
    ],
    ids=lambda faults: next(iter(faults)),
)
@pytest.mark.parametrize("workers", [1, 4])
def test_passing_faults_pass(igate: SimulatedIgate, faults: dict[str, Any], workers: int) -> None:
    connector = connect(igate, timeout_seconds=1, page_size=80, workers=workers)
    next(iter(connector.fetch(None)))  # the answer that a repeated page repeats
    igate.faults.__dict__.update(faults)
    records: Records = {}
    pull(connector, None, records)
    assert_true(records, igate, NOW)


@pytest.mark.parametrize(
    ("faults", "error", "remedy"),
    [
        ({"server_errors": 99}, TransientSourceError, "HTTP 503"),
        ({"truncated": 99}, TransientSourceError, "."),
        ({"token_expired": 99}, PermanentSourceError, "does not accept"),
        ({"hit_limit": 30}, PermanentSourceError, "gives 30 of the [0-9]+ records"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_lasting_faults_are_named(
    igate: SimulatedIgate, faults: dict[str, Any], error: type[Exception], remedy: str
) -> None:
    igate.faults.__dict__.update(faults)
    with pytest.raises(error, match=remedy):
        pull(connect(igate, page_size=20), None, {})


def test_a_shifted_source_is_believed_and_its_back_dating_seen(igate: SimulatedIgate) -> None:
    done = next(one for one in igate.world.dossiers_at(NOW) if one.finished_at is not None)
    igate.faults.backdated = {done.script.dossier_id: timedelta(days=2)}
    igate.faults.shifted_zone_hours = 7
    records: Records = {}
    pull(connect(igate), None, records)
    assert done.finished_at is not None
    assert records[code_of(done)]["delivered_at"] == done.finished_at - timedelta(days=2) + timedelta(hours=7)


def test_a_password_grant_works_and_wrong_secrets_are_told_but_not_shown(igate: SimulatedIgate) -> None:
    user = {"kind": "password", "token_url": igate.token_url, "client_id": CLIENT, "client_secret": igate.secret}
    good = {**user, "username": USER, "password": igate.secret, "names_itself_in": "form"}
    lines = connect(igate, auth=good).check()
    assert lines[0].endswith(f"answers and accepts client {CLIENT}")
    assert "dossierStatus '5 Đã trả kết quả' is read as 10" in lines
    assert igate.secret not in str(lines)
    wrong = connect(igate, auth={**good, "password": "sai-mat-khau"})
    for attempt in (wrong.check, lambda: list(wrong.fetch(None))):
        with pytest.raises(PermanentSourceError, match="invalid_grant") as caught:
            attempt()
        assert "sai-mat-khau" not in str(caught.value)


@pytest.mark.parametrize("applicant", [None, "applicant.data.identityNumber"])
def test_no_personal_value_passes_the_edge(igate: SimulatedIgate, applicant: str | None) -> None:
    connector = connect(igate, applicant=applicant)
    pages = list(connector.fetch(None))
    text = told_by(pages)
    frame = pl.concat([connector.normalise(page).records for page in pages]).write_csv()
    assert all(mark not in text and mark not in frame for mark in FAKE_MARKS)


class TestConformance(Conformance):
    poison = FAKE_MARKS
    secrets = ("mat-khau-thu",)

    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with SimulatedIgate(World(7, NOW, dossiers=150), clock=Clock(NOW), secret="mat-khau-thu") as self.server:
            yield

    def connector(self) -> Connector:
        return connect(self.server, page_size=40, applicant=None)

    def broken(self) -> Iterator[Connector]:
        yield connect(self.server, url="http://127.0.0.1:9")
        self.server.faults.__dict__.update(Faults(truncated=50).__dict__)
        yield connect(self.server)
