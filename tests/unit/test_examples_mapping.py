"""The mappings of the examples, over the real files: the verdicts of their owners come out to the row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from connectors.base import Surroundings
from connectors.files import FilesConnector, FilesOptions
from tests.shared_data import shared
from tthc_monitor.domain.yaml_text import parse_yaml, validate

EXAMPLES = Path(__file__).parents[2] / "examples"


def records(example: str, values: Mapping[str, str]) -> pl.DataFrame:
    path = EXAMPLES / example / "tthc-monitor.yaml"

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], match[2])

    document = parse_yaml(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, path.read_text("utf-8")), str(path))
    options = validate(FilesOptions, document.at("sources", 0, "options"))
    connector = FilesConnector(example, options, Surroundings(lambda: datetime.now(UTC), path.parent))
    batches = [connector.map(page) for page in connector.fetch(None)]
    assert all(batch.rejects == () and batch.unknown == {} for batch in batches)
    return pl.concat(batch.records for batch in batches)


def test_boston_judges_as_the_city_does() -> None:
    frame = records("boston311", {"BOSTON311_CSV": str(shared("boston311_2015q1/cases.csv.gz"))})
    assert frame.height == 26_788
    judged = frame.drop_nulls(["due_current", "finished_at", "source_verdict"])
    assert judged.height == 14_867
    late = judged["finished_at"] > judged["due_current"]
    assert (late == (judged["source_verdict"] == "late")).all()


@pytest.mark.parametrize(("due", "late"), [("start_of_day", 505), ("end_of_day", 433)])
def test_st_louis_depends_on_what_a_due_date_means(due: str, late: int) -> None:
    path = str(shared("stlouis_csb_2018/january_2018.csv.gz"))
    frame = records("stlouis", {"STLOUIS_CSV": path, "STLOUIS_DUE": due}).unique("source_key", keep="last")
    assert frame.height == 1_532
    assert frame["status"].null_count() == 0
    assert (frame["finished_at"] > frame["due_current"]).sum() == late
