"""The faults of the simulated systems: each switch does what it says, and nothing goes wrong without one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.http import http_library
from tthc_monitor.simulator.faults import Faults, FaultyWay
from tthc_monitor.simulator.opencps_api import Writing, detail, listing, row, select, sequences
from tthc_monitor.simulator.serving import ServedApp
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
BODY = b'{"page":"1","text":"' + b"x" * 500 + b'"}'


async def page(request: Request) -> JSONResponse:
    known = request.headers.get("Authorization") != "nobody"
    return JSONResponse({"page": request.query_params["page"], "text": "x" * 500}, 200 if known else 203)


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults(retry_after_seconds=7, slow_seconds=0.2, drip_seconds=0.001)


@pytest.fixture(scope="module")
def client(faults: Faults) -> Iterator[http_library.Client]:
    way = FaultyWay(Starlette(routes=[Route("/list", page)]), faults, 203)
    with ServedApp(way) as served, http_library.Client(base_url=served.url) as one:
        yield one


def ask(client: http_library.Client, page: int = 1, **headers: str) -> http_library.Response:
    return client.get("/list", params={"page": page}, headers=headers)


def test_without_a_switch_nothing_goes_wrong(client: http_library.Client) -> None:
    for _ in range(3):
        assert ask(client).content == BODY


@pytest.mark.parametrize(
    ("name", "status", "headers"),
    [
        ("server_errors", 503, {}),
        ("too_many_requests", 429, {"Retry-After": "7"}),
        ("lost_login", 203, {}),
    ],
)
def test_a_refusal_hits_as_many_requests_as_it_says(
    client: http_library.Client, faults: Faults, name: str, status: int, headers: dict[str, str]
) -> None:
    setattr(faults, name, 2)
    answers = [ask(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert headers.items() <= {name.title(): value for name, value in answers[0].headers.items()}.items()


def test_only_those_who_bring_a_token_can_hear_that_it_has_expired(client: http_library.Client, faults: Faults) -> None:
    faults.token_expired = 1
    assert ask(client).status_code == 200
    assert [ask(client, Authorization="Bearer t").status_code for _ in range(2)] == [203, 200]


def test_a_truncated_answer_is_whole_for_http_and_half_for_json(client: http_library.Client, faults: Faults) -> None:
    faults.truncated = 1
    assert ask(client).content == BODY[: len(BODY) // 2]
    assert ask(client).content == BODY


def test_a_broken_answer_breaks_the_connection(client: http_library.Client, faults: Faults) -> None:
    faults.broken = 1
    with pytest.raises(http_library.RemoteProtocolError, match="without sending complete"):
        ask(client)
    assert ask(client).content == BODY


@pytest.mark.parametrize(("name", "least"), [("slow", 0.2), ("slow_drip", 0.1)])
def test_a_slow_answer_is_whole(client: http_library.Client, faults: Faults, name: str, least: float) -> None:
    setattr(faults, name, 1)
    began = time.monotonic()
    assert ask(client).content == BODY
    assert time.monotonic() - began >= least


def test_a_page_is_given_twice(client: http_library.Client, faults: Faults) -> None:
    ask(client, 1)
    faults.repeat_pages = 1
    other = client.get("/list", params={"page": 5, "status": "new"})
    assert other.json()["page"] == "5", "that is another question"
    assert [ask(client, number).json()["page"] for number in (2, 3)] == ["1", "3"]


def test_a_refusal_is_no_page_that_is_given_twice(client: http_library.Client, faults: Faults) -> None:
    ask(client, 1)
    assert ask(client, 2, Authorization="nobody").status_code == 203
    faults.repeat_pages = 1
    again = ask(client, 3)
    assert (again.status_code, again.json()["page"]) == (200, "1")


def test_all_switches_can_be_cleared() -> None:
    faults = Faults(server_errors=3, vanished={1}, shifted_zone_hours=7)
    faults.clear()
    assert faults == Faults()


def test_dossiers_vanish_are_held_back_and_end_earlier_than_they_did() -> None:
    dossiers = World(3, NOW, dossiers=60).dossiers_at(NOW)
    ended = next(one for one in dossiers if one.finished_at)
    gone = next(one for one in dossiers if one is not ended)
    by = timedelta(days=9)
    faults = Faults(vanished={gone.script.dossier_id}, backdated={ended.script.dossier_id: by}, withheld=2)
    seen = {one.script.dossier_id: one for one in faults.seen(dossiers)}
    assert [one.script.dossier_id for one in dossiers if one.script.dossier_id not in seen] == [
        gone.script.dossier_id,
        *(one.script.dossier_id for one in dossiers[-2:]),
    ]
    told = seen[ended.script.dossier_id]
    assert (told.finished_at, told.released_at) == (
        ended.finished_at and ended.finished_at - by,
        ended.released_at and ended.released_at - by,
    )
    assert told.received_at == ended.received_at


def test_zone_and_clock_shift_what_is_written_and_what_is_searched() -> None:
    dossiers = World(3, NOW, dossiers=60).dossiers_at(NOW)
    one = next(item for item in dossiers if item.received_at)
    skew, zone = timedelta(minutes=10), timedelta(hours=-7)
    right, off = Writing(), Writing(skew, zone)

    def received(writing: Writing) -> datetime:
        return datetime.strptime(row(one, NOW, writing)["receiveDate"], "%d/%m/%Y %H:%M:%S").replace(tzinfo=UTC)

    assert received(off) - received(right) == skew + zone
    first = sequences(one, right)["data"], sequences(one, off)["data"]
    starts = [(data if isinstance(data, dict) else data[0])["startDate"] for data in first]
    assert starts[1] - starts[0] == skew.total_seconds() * 1000
    for day in {received(off).date(), received(right).date()}:
        query = {"fromReceiveDate": f"{day:%d/%m/%Y}", "toReceiveDate": f"{day:%d/%m/%Y}", "systemId": "0,5"}
        query["originality"] = "1,2,3"
        for writing in (right, off):
            assert (one in select(dossiers, query, writing)) == (received(writing).date() == day)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_json_is_odd_or_plain(count: int) -> None:
    rows: list[dict[str, Any]] = [{"dossierId": 1, "applicantIdNo": "007", "online": "true"}] * count
    odd = [{"dossierId": 1, "applicantIdNo": 7, "online": True}] * count
    assert listing(rows, count).get("data") == [None, odd[:1] and odd[0], odd][count]
    assert listing(rows, count, Writing(is_plain=True))["data"] == rows


def test_text_searches_find_too_much_unless_they_are_strict() -> None:
    dossiers = World(3, NOW, dossiers=600).dossiers_at(NOW)
    query = {"status": "cancelling", "systemId": "0,5", "originality": "1,2,3"}
    assert {one.status for one in select(dossiers, query)} == {"cancelled"}
    assert not select(dossiers, query, strict=True)


def test_a_single_dossier_lacks_what_only_the_list_tells() -> None:
    one = World(3, NOW, dossiers=60).dossiers_at(NOW)[0]
    listed, single = row(one, NOW), detail(one, NOW)
    assert listed.keys() - single.keys() == {"domainCode", "domainName", "endorsementDate"}
    assert single["stepOverdue"] is True, "of every dossier"
