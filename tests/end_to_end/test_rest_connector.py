"""The rest connector against a small system over real HTTP: every way of paging, lists that move, and what is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from connectors.base import Connector, Cursor, LooksDirectly, Surroundings
from connectors.mapping_engine import applicant_hash
from connectors.registry import connector_class
from connectors.rest import RestConnector, RestOptions
from connectors.testing import Conformance
from tests.listed import Listed, Record, told_by
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError
from tthc_monitor.simulator.faults import Faults

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
POISON = "Nguyễn Thị Giả 0977777000"
SIZED = {"size_param": "size", "size": 10}
WAYS: dict[str, dict[str, Any]] = {
    "page": {"paging": {"by": "page", **SIZED}},
    "page with total": {"paging": {"by": "page", **SIZED}, "total": "count"},
    "page with last": {"paging": {"by": "page", "last": "last", **SIZED}},
    "spring": {"paging": {"by": "spring", "size": 10}, "params": {"first": 0}},
    "offset": {"paging": {"by": "offset", **SIZED}},
    "offset with total": {"paging": {"by": "offset", **SIZED}, "total_header": "X-Total-Count"},
    "cursor": {"paging": {"by": "cursor", "param": "token", "next": "token"}, "total": "count"},
    "next link": {"paging": {"by": "next_link", "next": "next"}},
    "link header": {"paging": {"by": "link_header"}},
    "all at once": {"params": {"size": 1000}},
    "posted": {
        "method": "POST", "body": {"kind": "tthc", "paging": {"order": "id"}}, "total": "count",
        "paging": {"by": "page", "page_param": "paging.page", "size_param": "paging.size", "size": 10},
    },
}  # fmt: skip
NUMBERED = [name for name in WAYS if name.startswith(("page", "spring", "offset", "posted"))]


def record(number: int, changed: datetime = NOW - timedelta(days=3)) -> Record:
    """A record with something personal in every field that no mapping names."""
    return {
        "id": 2**63 + number,
        "code": f"H99-{number:06d}",
        "changed": f"{changed:%Y-%m-%dT%H:%M:%S%z}",
        "state": "open" if number % 3 else "on the moon",
        "received": {"at": round((NOW - timedelta(days=9, minutes=number)).timestamp() * 1000), "by": POISON},
        "owner": {"name": POISON, "id": f"0888{number:08d}", "phones": [POISON, {"x": POISON}]},
        "notes": [{"type": "closed", "at": "2026-11-02T08:00:00+07:00", "text": POISON}] if number % 2 else None,
        POISON: POISON,
    }


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[Listed]:
    system = Listed([])
    with system.served() as server:
        system.url = server.url
        yield system


@pytest.fixture
def system(running: Listed) -> Listed:
    fresh = Listed([record(number) for number in range(95)], url=running.url, faults=running.faults)
    running.__dict__.update(fresh.__dict__)
    running.faults.clear()
    return running


def connect(system: Listed, way: str = "page with total", now: datetime = NOW, **changes: Any) -> RestConnector:
    options: dict[str, Any] = {
        "url": f"{system.url}/api",
        "path": "records",
        "records": "data.items",
        "columns": {
            "source_key": "id",
            "code": "code",
            "status": "state",
            "received_at": {"column": "received.at", "format": "epoch_ms"},
            "finished_at": {"column": "notes[?type=='closed'].at | [-1]", "format": "%Y-%m-%dT%H:%M:%S%z"},
            "applicant_hash": "owner.id",
        },
        "statuses": {"open": 4},
        **WAYS[way],
        **changes,
    }
    return RestConnector("nguon", RestOptions(**options), Surroundings(lambda: now, Path(), b"khoa"))


def pull(connector: RestConnector, cursor: Cursor | None = None) -> tuple[list[str], Cursor | None, bool]:
    """The codes given, the cursor to go on from, and whether all open ones were listed."""
    codes: list[str] = []
    for page in connector.fetch(cursor):
        batch = connector.normalise(page)
        assert not batch.rejects
        codes += batch.records["code"].to_list()
    return codes, json.loads(json.dumps(page.cursor)), page.listed_all


def codes(system: Listed) -> set[str]:
    return {one["code"] for one in system.records}


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_paging_gives_every_record_once(system: Listed, way: str, workers: int) -> None:
    found, cursor, _ = pull(connect(system, way, workers=workers))
    assert sorted(found) == sorted(codes(system))
    assert cursor is None, "without changes there is nothing to remember"


@pytest.mark.parametrize("way", [name for name in WAYS if name != "all at once"])
@pytest.mark.parametrize("size", [0, 10, 20])
def test_lists_that_end_with_a_page_or_are_empty(system: Listed, way: str, size: int) -> None:
    system.records = system.records[:size]
    found, _, _ = pull(connect(system, way))
    assert sorted(found) == sorted(codes(system))


def test_records_are_mapped_without_loss(system: Listed) -> None:
    connector = connect(system)
    [first, *_] = [connector.normalise(page).records for page in connector.fetch(None)]
    told = first.row(1, named=True)
    assert told["source_key"] == "9223372036854775809"
    assert told["status"] == 4
    assert told["received_at"] == NOW - timedelta(days=9, minutes=1)
    assert told["finished_at"] == datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
    assert told["applicant_hash"] == applicant_hash("088800000001", b"khoa")
    assert first.row(0, named=True)["finished_at"] is None


def test_unknown_codes_are_kept_and_counted(system: Listed) -> None:
    connector = connect(system, "all at once")
    [page] = connector.fetch(None)
    batch = connector.normalise(page)
    assert batch.unknown == {("status", "on the moon"): 32}
    assert set(batch.records.filter(batch.records["status"].is_null())["source_status"]) == {"on the moon"}


def test_only_what_is_mapped_leaves_an_answer(system: Listed) -> None:
    system.records[7]["code"] = {"text": POISON}
    system.records[18]["id"] = None
    system.records[9]["received"] = POISON
    connector = connect(system, "page", steady=True, columns={"source_key": "id", "code": "code", "status": "state"})
    pages = list(connector.fetch(None))
    batches = [connector.normalise(page) for page in pages]
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert [(reject.location, reject.row, reject.column) for reject in rejects] == [
        ("/records page=1 to page=11", 8, "code"),
        ("/records page=1 to page=11", 19, "id"),
    ]
    for told in (told_by(pages), repr([batch.rejects for batch in batches]), repr([b.records.rows() for b in batches])):
        assert POISON not in told and "0888" not in told


def test_the_applicant_is_not_even_read_without_a_key(system: Listed) -> None:
    keyless = connect(system)
    keyless = RestConnector("nguon", keyless._options, Surroundings(lambda: NOW, Path()))
    pages = list(keyless.fetch(None))
    assert "0888" not in told_by(pages)
    assert "applicant_hash" not in keyless.provides
    assert {value for page in pages for value in keyless.normalise(page).records["applicant_hash"]} == {None}


# -- lists that move -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", NUMBERED)
def test_a_record_that_slips_to_an_earlier_page_is_not_lost(system: Listed, way: str) -> None:
    before = codes(system)

    def leave(pages: int) -> None:
        if pages in (2, 4, 5):
            del system.records[0]

    system.after = leave
    found, _, _ = pull(connect(system, way, workers=1))
    assert codes(system) <= set(found) <= before


@pytest.mark.parametrize("way", [*NUMBERED, "cursor", "next link"])
def test_records_created_at_either_end_lose_nothing(system: Listed, way: str) -> None:
    before = codes(system)

    def come(pages: int) -> None:
        if pages < 9:
            system.records.insert(0 if pages % 2 else len(system.records), record(1_000 + pages))

    system.after = come
    found, _, _ = pull(connect(system, way, workers=1))
    assert before <= set(found)


def test_a_steady_list_is_read_once(system: Listed) -> None:
    pull(connect(system, "page"))
    twice = len(system.asked)
    system.asked.clear()
    pull(connect(system, "page", steady=True))
    # Ten pages and an empty one, that one once more and the one behind it; then the ten again but for the last.
    assert (len(system.asked), twice) == (13, 23)


def test_a_source_that_counts_is_read_once(system: Listed) -> None:
    pull(connect(system, "page with total"))
    assert len(system.asked) == 11


def test_pages_smaller_than_asked_for_lose_nothing(system: Listed) -> None:
    system.cap = 7
    found, _, _ = pull(connect(system, "offset with total"))
    assert sorted(found) == sorted(codes(system))


@pytest.mark.parametrize("way", ["page", "offset"])
@pytest.mark.parametrize("empty", [(1,), (4,), (4, 5), (10,)])
def test_an_empty_page_in_the_middle_does_not_end_a_list(system: Listed, way: str, empty: tuple[int, ...]) -> None:
    system.empty = empty
    found, _, _ = pull(connect(system, way, workers=1))
    assert set(found) == codes(system)


@pytest.mark.parametrize("way", ["page", "offset"])
def test_a_source_that_refuses_pages_behind_its_end_is_read_to_the_end(system: Listed, way: str) -> None:
    system.strict = True
    found, _, _ = pull(connect(system, way))
    assert set(found) == codes(system)


def test_changes_too_are_not_lost_by_one_empty_page(system: Listed) -> None:
    connector = connect(system, "page", changes=CHANGES)
    _, cursor, _ = pull(connector)
    for one in system.records:
        one["changed"] = f"{NOW:%Y-%m-%dT%H:%M:%S%z}"
    system.asked.clear()
    system.empty = (1, 6)
    found, _, _ = pull(connector, cursor)
    assert set(found) == codes(system)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.dictionaries(st.integers(1, 12), st.lists(st.integers(0, 94), max_size=4), max_size=8),
    way=st.sampled_from(["page", "offset", "spring"]),
)
def test_whatever_leaves_while_the_list_is_read_takes_nothing_with_it(
    system: Listed, moves: dict[int, list[int]], way: str
) -> None:
    """Of a source that does not count, whatever stays in the list during the whole fetch is found."""
    system.records = [record(number) for number in range(95)]
    system.asked.clear()

    def leave(pages: int) -> None:
        gone = {f"H99-{number:06d}" for number in moves.get(pages, [])}
        system.records = [one for one in system.records if one["code"] not in gone]

    system.after = leave
    found, _, _ = pull(connect(system, way))
    assert codes(system) <= set(found)


# -- sources that do not do as they should ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["page", "offset with total", "cursor", "next link", "posted"])
def test_a_source_that_ignores_the_paging_is_told(system: Listed, way: str) -> None:
    system.ignores_paging = True
    with pytest.raises(PermanentSourceError, match="does not understand the paging; correct 'paging'"):
        pull(connect(system, way))


@pytest.mark.parametrize("way", ["page with total", "offset with total", "cursor"])
def test_a_list_cut_short_is_an_error_and_not_silence(system: Listed, way: str) -> None:
    system.cut = 30
    with pytest.raises(PermanentSourceError, match="gives 30 of the 95 records that it counts"):
        pull(connect(system, way))


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"records": "data"}, r"finds one object in the answer where a list should be; .*\[data\]"),
        ({"records": "datas"}, r"'records' \(datas\) finds nothing in the answer"),
        ({"records": "count"}, "finds one value"),
        ({"total": "token"}, "'token' finds no number of records"),
        ({"total_header": "X-Sum", "total": None}, "'X-Sum' finds no number of records"),
        ({"paging": {"by": "page", "last": "count", **SIZED}}, "'last' .count. finds neither true nor false"),
        ({"paging": {"by": "cursor", "param": "token", "next": "data"}}, "'next' .data. finds no text"),
        ({"paging": {"by": "next_link", "next": "length(last)"}}, "cannot be applied"),
        ({"path": "recs"}, r"HTTP 404\); correct url"),
        ({"columns": {"source_key": "idd"}}, "record 1, idd: source_key is empty"),
    ],
)
def test_settings_that_the_answers_do_not_fit_are_told(system: Listed, changes: dict[str, Any], remedy: str) -> None:
    connector = connect(system, **{"statuses": None, "columns": {"source_key": "id"}, **changes})
    with pytest.raises((PermanentSourceError, ConfigError), match=remedy) as caught:
        connector.check()
    assert POISON not in str(caught.value)


def test_a_link_to_another_server_is_not_followed(system: Listed) -> None:
    system.records[0]["elsewhere"] = "http://127.0.0.2:1/records"
    with pytest.raises(PermanentSourceError, match="credentials do not travel"):
        pull(connect(system, paging={"by": "next_link", "next": "data.items[0].elsewhere"}))


@pytest.mark.parametrize(
    "faults",
    [
        {"server_errors": 2},
        {"too_many_requests": 2},
        {"truncated": 2},
        {"broken": 2},
        {"slow_drip": 1, "drip_bytes": 5},
        {"repeat_pages": 2},
    ],
    ids=lambda faults: next(iter(faults)),
)
@pytest.mark.parametrize("way", ["page", "page with total", "cursor", "next link"])
def test_passing_faults_pass(system: Listed, faults: dict[str, Any], way: str) -> None:
    pages = connect(system, way, timeout_seconds=2, workers=1).fetch(None)
    connector = connect(system, way)
    found = set(connector.normalise(next(pages)).records["code"])
    system.faults.__dict__.update(faults)
    found |= {code for page in pages for code in connector.normalise(page).records["code"]}
    assert found == codes(system)


def test_a_page_given_twice_in_the_place_of_another_is_found_out(system: Listed) -> None:
    connector = connect(system, "page", workers=1)
    next(iter(connector.fetch(None)))
    system.faults.repeat_pages = 2
    found, _, _ = pull(connector)
    assert set(found) == codes(system)


def test_lasting_faults_are_named(system: Listed) -> None:
    system.faults.server_errors = 99
    with pytest.raises(TransientSourceError, match="HTTP 503"):
        pull(connect(system))


# -- changes -------------------------------------------------------------------------------------------------------------

CHANGES = {"from_param": "since", "format": "%Y-%m-%dT%H:%M:%S%z", "overlap": "10m", "sweep_every": "1d"}


def test_changes_are_asked_for_from_an_overlap_before_the_last_fetch(system: Listed) -> None:
    _, cursor, listed_all = pull(connect(system, changes=CHANGES, lists_all_open=True))
    assert listed_all
    later = NOW + timedelta(hours=2)
    system.records[3]["changed"] = f"{NOW - timedelta(minutes=9):%Y-%m-%dT%H:%M:%S%z}"
    system.records[4]["changed"] = f"{later:%Y-%m-%dT%H:%M:%S%z}"
    system.records[5]["changed"] = f"{NOW - timedelta(minutes=11):%Y-%m-%dT%H:%M:%S%z}"
    system.asked.clear()
    found, cursor, listed_all = pull(connect(system, now=later, changes=CHANGES, lists_all_open=True), cursor)
    assert sorted(found) == ["H99-000003", "H99-000004"]
    assert not listed_all
    assert {asked["since"] for asked in system.asked} == {"2026-11-20T02:50:00+0000"}
    found, _, listed_all = pull(
        connect(system, now=NOW + timedelta(days=1), changes=CHANGES, lists_all_open=True), cursor
    )
    assert sorted(found) == sorted(codes(system))
    assert listed_all


def test_other_settings_hosts_and_headers_list_everything_again_and_other_ways_of_asking_do_not(system: Listed) -> None:
    _, cursor, _ = pull(connect(system, changes=CHANGES))
    found, _, _ = pull(connect(system, changes=CHANGES, timeout_seconds=9), cursor)
    assert found == []
    same_system = system.url.replace("127.0.0.1", "localhost")
    for changes in ({"null_values": ["-"]}, {"headers": {"X-Tenant": "b"}}, {"url": f"{same_system}/api"}):
        found, _, _ = pull(connect(system, changes=CHANGES, **changes), cursor)
        assert len(found) == 95, changes


def test_where_clocks_are_set_back_changes_are_asked_for_from_the_earliest_time_they_show(system: Listed) -> None:
    fall_back = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    zoned: dict[str, Any] = {"changes": {**CHANGES, "format": "%Y-%m-%d %H:%M:%S"}, "zone": "Europe/Paris"}
    _, cursor, _ = pull(connect(system, now=fall_back - timedelta(minutes=20), **zoned))
    system.asked.clear()
    system.records[3]["changed"] = "2026-10-25 02:05:00"
    found, _, _ = pull(connect(system, now=fall_back + timedelta(minutes=10), **zoned), cursor)
    assert "H99-000003" in found
    assert system.asked[0]["since"] == "2026-10-25 01:30:00"


def test_the_applicants_identity_is_a_hash_before_a_page_leaves(system: Listed) -> None:
    connector = connect(system, look={"path": "records/{key}"})
    assert isinstance(connector, LooksDirectly)
    pages = [*connector.fetch(None), *connector.look([str(2**63 + 1)])]
    assert "0888" not in told_by(pages)
    hashes = connector.normalise(pages[-1]).records["applicant_hash"].to_list()
    assert hashes == [applicant_hash("088800000001", b"khoa")]


def test_fixed_parameters_headers_and_those_of_changes_are_sent(system: Listed) -> None:
    changes = {**CHANGES, "to_param": "until", "format": "epoch_s", "params": {"sort": "changed"}}
    settings_: dict[str, Any] = {"params": {"unit": "H99", "deleted": True}, "headers": {"X-Caller": "tthc"}}
    _, cursor, _ = pull(connect(system, changes=changes, **settings_))
    assert {"sort", "since", "until"}.isdisjoint(system.asked[0])
    system.records = []
    pull(connect(system, now=NOW + timedelta(hours=1), changes=changes, **settings_), cursor)
    asked = system.asked[-1]
    assert {name: asked[name] for name in ("unit", "deleted", "sort", "until")} == {
        "unit": "H99", "deleted": "true", "sort": "changed", "until": str(int(NOW.timestamp()) + 3600),
    }  # fmt: skip
    assert asked["since"] == str(int(NOW.timestamp()) - 600)
    assert system.headers[-1]["x-caller"] == "tthc"


def test_a_search_by_post_has_its_parameters_in_the_body(system: Listed) -> None:
    pull(connect(system, "posted", workers=1, params={"v": 2}))
    assert system.bodies[1] == {"kind": "tthc", "paging": {"order": "id", "page": 2, "size": 10}}
    assert system.asked[1] == {"v": "2"}


def test_a_list_that_is_as_it_was_is_not_given_again_but_once_a_day(system: Listed) -> None:
    system.etag = '"a"'
    found, cursor, _ = pull(connect(system, "all at once", lists_all_open=True))
    assert len(found) == 95
    assert list(connect(system, "all at once", lists_all_open=True).fetch(cursor)) == []
    system.etag = '"b"'
    found, cursor, listed_all = pull(connect(system, "all at once", lists_all_open=True), cursor)
    assert len(found) == 95
    assert listed_all
    assert len(pull(connect(system, "all at once", now=NOW + timedelta(days=1), lists_all_open=True), cursor)[0]) == 95


# -- who asks ------------------------------------------------------------------------------------------------------------


def says(name: str, value: str) -> Callable[[Request], bool]:
    return lambda request: request.headers.get(name) == value


def with_token(request: Request) -> bool:
    return request.headers.get("Authorization", "").startswith("Bearer phieu-")


BASIC = base64.b64encode(b"giam sat:m\xe1\xba\xadt").decode()


@pytest.mark.parametrize(
    ("auth", "authorized"),
    [
        ({"kind": "basic", "username": "giam sat", "password": "mật"}, says("Authorization", f"Basic {BASIC}")),
        ({"kind": "bearer", "token": "phieu"}, says("Authorization", "Bearer phieu")),
        ({"kind": "key", "name": "X-Key", "key": "chia"}, says("X-Key", "chia")),
        ({"kind": "key", "name": "k", "place": "query", "key": "chia"}, lambda r: r.query_params.get("k") == "chia"),
        ({"kind": "client_credentials", "client_id": "c", "client_secret": "s"}, with_token),
        (
            {"kind": "password", "client_id": "c", "username": "u", "password": "p"},
            with_token,
        ),
    ],
    ids=["basic", "bearer", "header", "query", "client", "user"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["page with total", "next link"])
def test_every_way_to_say_who_asks(
    system: Listed, way: str, auth: dict[str, Any], authorized: Callable[[Request], bool]
) -> None:
    if auth["kind"] in ("client_credentials", "password"):
        auth = {**auth, "token_url": f"{system.url}/token"}
    system.authorized = authorized
    connector = connect(system, way, auth=auth)
    assert len(pull(connector)[0]) == 95
    assert connector.check()[0] == f"{system.url}/api answers and accepts the credentials"
    system.authorized = lambda _: False
    for attempt in (connector.check, lambda: pull(connector)):
        with pytest.raises(PermanentSourceError, match="credentials") as caught:
            attempt()
        assert not any(secret in str(caught.value) for secret in ("mật", "phieu", "chia"))


def test_secrets_come_from_files_and_from_the_environment(
    system: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "khoa.txt").write_text("chia\n")
    monkeypatch.setenv("KHOA", "chia")
    system.authorized = says("X-Key", "chia")
    for way in ({"key_file": "khoa.txt"}, {"key_env": "KHOA"}):
        options = connect(system, auth={"kind": "key", "name": "X-Key", **way})._options
        connector = RestConnector("nguon", options, Surroundings(lambda: NOW, tmp_path))
        assert len(pull(connector)[0]) == 95
    monkeypatch.delenv("KHOA")
    with pytest.raises(ConfigError, match="set the environment variable KHOA"):
        pull(connector)


# -- looking and checking ------------------------------------------------------------------------------------------------


def test_single_dossiers_are_asked_for_where_the_settings_say_how(system: Listed) -> None:
    connector = connect(system, look={"path": "records/{key}"})
    assert isinstance(connector, LooksDirectly)
    keys = [str(2**63 + 5), "no/such", str(2**63 + 6)]
    found = [code for page in connector.look(keys) for code in connector.normalise(page).records["code"]]
    assert found == ["H99-000005", "H99-000006"]
    assert not isinstance(connect(system), LooksDirectly)


def test_what_the_list_leaves_out_is_asked_for_and_mapped(system: Listed) -> None:
    system.records = system.records[:25]
    system.brief = ("id", "state")
    columns = {"source_key": "id", "status": "state", "code": "more.code"}
    detail = {"path": "records/{key}", "key": "id", "field": "more"}
    for workers in (1, 4):
        connector = connect(system, columns=columns, detail=detail, look={"path": "records/{key}"}, workers=workers)
        assert sorted(pull(connector)[0]) == sorted(codes(system))
        [looked] = [connector.normalise(page).records for page in connector.look([str(2**63 + 5)])]
        assert looked["code"].to_list() == ["H99-000005"]
    assert "10 of these 10 records can be read" in connector.check()
    del system.records[3]["code"]
    assert None in pull(connector)[0], "a detail without the field leaves it empty"


def test_a_check_says_what_would_come(system: Listed) -> None:
    system.records[2]["id"] = []
    for one in system.records:
        one["code"] = None
    lines = connect(system).check()
    assert lines == [
        f"{system.url}/api answers",
        "the first page gives 10 of 95 records, and leads on to the next",
        "9 of these 10 records can be read",
        "record 3 would be refused: id is a list, not one value; choose one in the mapping, for example by id[0] or a "
        "field of it",
        "'code' finds nothing in any of these records; see that this is right",
        "status does not know 'on the moon' (4 of these records)",
    ]


def test_the_kind_is_found_by_its_name() -> None:
    assert connector_class("rest") is RestConnector


class TestConformance(Conformance):
    poison = (POISON,)
    secrets = ("bi-mat-thu",)

    @pytest.fixture(autouse=True)
    def _served(self, system: Listed) -> None:
        self.system = system

    def connector(self) -> Connector:
        return connect(
            self.system,
            changes=CHANGES,
            lists_all_open=True,
            look={"path": "records/{key}"},
            auth={"kind": "bearer", "token": "bi-mat-thu"},
        )

    def broken(self) -> Iterator[Connector]:
        yield connect(self.system, url="http://127.0.0.1:9")
        self.system.faults.__dict__.update(Faults(truncated=50).__dict__)
        yield connect(self.system)
