"""The example of Chicago: the city's own answers, served with the paging of the real interface, by configuration alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Surroundings
from connectors.rest import RestConnector, RestOptions
from tests.listed import told_by
from tests.shared_data import shared
from tthc_monitor.domain.yaml_text import parse_yaml, validate
from tthc_monitor.simulator.serving import ServedApp

EXAMPLE = Path(__file__).parents[2] / "examples" / "chicago311" / "tthc-monitor.yaml"
VARIABLE = "${CHICAGO311_URL:-http://311api.cityofchicago.org/open311/v2}"

INVENTED: list[dict[str, Any]] = [
    {
        "service_request_id": f"14-{number:08d}",
        "status": "open" if number == 70 else "closed",
        "service_name": "Pothole in Street",
        "service_code": "4fd3b656e750846c53000004",
        "agency_responsible": "Streets",
        "requested_datetime": f"2014-0{1 + number % 2 * 5}-09T19:02:21-0{6 - number % 2}:00",
        "address": "1 NOWHERE ST",
        "extended_attributes": {"channel": ["phone", "web", "open311"][number % 3]},
        "notes": [
            {"datetime": "2014-07-29T14:11:58-05:00", "type": "follow_on_closed", "description": "1 NOWHERE ST"},
            {"datetime": "2014-08-01T08:00:00-05:00", "type": "closed"},
            {"datetime": "2014-11-30T08:00:00-06:00", "type": "follow_on_closed"},
            {"datetime": "2014-12-01T08:00:00-06:00", "type": "closed"},
        ][: 0 if number == 70 else 4],
    }
    for number in range(120)
]


def interface(requests: list[dict[str, Any]]) -> Starlette:
    """Pages from 1, fifty to a page unless asked otherwise, an empty list behind the last."""

    async def listing(request: Request) -> Response:
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("page_size", 50))
        return JSONResponse(requests[(page - 1) * size : page * size])

    async def one(request: Request) -> Response:
        found = [item for item in requests if item["service_request_id"] == request.path_params["key"]]
        return JSONResponse(found) if found else JSONResponse([{"code": 404}], 404)

    return Starlette(routes=[Route("/requests.json", listing), Route("/requests/{key}.json", one)])


def connect(url: str, page_size: int) -> RestConnector:
    text = EXAMPLE.read_text("utf-8")
    assert VARIABLE in text
    text = (
        text.replace(VARIABLE, url).replace("size: 50", f"size: {page_size}").replace("requests_per_second: 2\n", "\n")
    )
    options = validate(RestOptions, parse_yaml(text, str(EXAMPLE)).at("sources", 0, "options"))
    return RestConnector("chicago311", options, Surroundings(lambda: datetime.now(UTC), EXAMPLE.parent))


def records(requests: list[dict[str, Any]], page_size: int) -> pl.DataFrame:
    with ServedApp(interface(requests)) as server:
        connector = connect(server.url, page_size)
        pages = list(connector.fetch(None))
        batches = [connector.normalise(page) for page in pages]
        looked = next(connector.look([requests[0]["service_request_id"], "14-x"]))
        assert connector.check()[1].startswith(f"the first page gives {page_size} records, and leads on")
    assert all(batch.rejects == () and batch.unknown == {} for batch in batches)
    told = told_by(pages)
    assert not any(item["address"] in told for item in requests)
    found = pl.concat(batch.records for batch in batches)
    assert connector.normalise(looked).records.equals(found.head(1))
    return found


@pytest.fixture
def chicago() -> Iterator[list[dict[str, Any]]]:
    with gzip.open(shared("chicago_open311/service_requests.json.gz"), "rt", encoding="utf-8") as file:
        yield json.load(file)


@pytest.mark.parametrize("page_size", [10, 20])
def test_the_requests_of_the_city_load_by_configuration_alone(chicago: list[dict[str, Any]], page_size: int) -> None:
    frame = records(chicago, page_size)
    assert frame.height == frame["source_key"].n_unique() == 50
    assert frame["status"].value_counts().sort("status").rows() == [(4, 1), (10, 49)]
    assert frame["channel"].value_counts().sort("channel").rows() == [("direct", 37), ("online", 13)]
    assert frame.filter(frame["status"] == 10)["finished_at"].null_count() == 0
    assert (frame["finished_at"] >= frame["received_at"]).drop_nulls().all()
    assert (frame["steps_done"] > 0).sum() == 48
    first = frame.filter(frame["source_key"] == "14-00684314").row(0, named=True)
    assert first["received_at"] == datetime(2014, 5, 10, 0, 2, 21, tzinfo=UTC)
    assert first["finished_at"] == datetime(2015, 10, 10, 15, 15, 40, tzinfo=UTC)
    assert (first["steps_done"], first["last_step_at"]) == (2, datetime(2015, 10, 10, 15, 15, 39, tzinfo=UTC))


def test_nested_notes_and_offsets_of_both_seasons_are_read() -> None:
    frame = records(INVENTED, 50)
    assert frame.height == 120
    rows = {row["source_key"]: row for row in frame.to_dicts()}
    assert rows["14-00000000"]["received_at"] == datetime(2014, 1, 10, 1, 2, 21, tzinfo=UTC)
    assert rows["14-00000001"]["received_at"] == datetime(2014, 6, 10, 0, 2, 21, tzinfo=UTC)
    assert rows["14-00000001"]["finished_at"] == datetime(2014, 12, 1, 14, 0, tzinfo=UTC)
    assert rows["14-00000001"]["steps_done"] == 2
    assert (rows["14-00000070"]["finished_at"], rows["14-00000070"]["status"]) == (None, 4)
