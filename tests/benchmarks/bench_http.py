"""Pulling over HTTP, beside a bare loop of the HTTP library that asks the same and throws the bodies away.

The server is a process of its own on this machine and answers at once, so this is the hardest case: a real one needs
longer for a page than we for reading it, and then only the requests under way at once count.
"""

from __future__ import annotations

from pathlib import Path

from connectors.base import Surroundings
from connectors.http import http_library
from connectors.opencps import OpencpsConnector, OpencpsOptions
from tests.benchmarks.harness import Measurement, Run, at_most_times, benchmark
from tests.benchmarks.page_server import FIRST_ID, NOW, page_server

PAGE = 200
PATH = "rest/v2/dossiers"
SHARE = 0.7


def bare(url: str, dossiers: int, *, histories: bool) -> None:
    with http_library.Client() as client:
        for start in range(0, dossiers, PAGE):
            asked: dict[str, str | int] = {"fromReceiveDate": "01/01/2000", "start": start, "end": start + PAGE}
            client.get(f"{url}/{PATH}", params=asked)
            for number in range(start, min(start + PAGE, dossiers)) if histories else ():
                client.get(f"{url}/{PATH}/{FIRST_ID + number}/sequences")


def pull(url: str, dossiers: int, *, histories: bool) -> None:
    options = OpencpsOptions(
        url=url,
        group_id="55001",
        username="giamsat",
        password="mat-khau",
        page_size=PAGE,
        max_hits=1_000_000,
        fetch_history=histories,
    )
    connector = OpencpsConnector("bench", options, Surroundings(lambda: NOW, Path(), applicant_key=b"khoa"))
    seen = sum(connector.normalise(page).records.height for page in connector.fetch(None))
    assert seen == dossiers


def measured(run: Run, rows: int, *, histories: bool) -> list[Measurement]:
    with page_server(rows) as url:
        return [
            run.measure("opencps, records made", lambda: pull(url, rows, histories=histories), rows=rows),
            run.measure("bare loop", lambda: bare(url, rows, histories=histories), rows=rows),
        ]


@benchmark("http.opencps", what="200 pages of 200 dossiers, without histories", budget=at_most_times(1 / SHARE))
def listing(run: Run) -> list[Measurement]:
    return measured(run, run.rows(200 * PAGE), histories=False)


@benchmark(
    "http.opencps_histories", what="10 pages of 200 dossiers, each with its history", budget=at_most_times(1 / SHARE)
)
def with_histories(run: Run) -> list[Measurement]:
    return measured(run, run.rows(10 * PAGE), histories=True)
