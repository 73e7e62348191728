"""Instants of a mapping that are numbers since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from connectors.mapping import MappingOptions
from connectors.mapping_engine import Mapper
from connectors.raw_table import RawTable


def read(text: str, form: str | list[str]) -> datetime | None:
    """The instant that a text is; None when it is refused."""
    columns = {"source_key": {"column": "key"}, "received_at": {"column": "at", "format": form}}
    mapper = Mapper(MappingOptions.model_validate({"columns": columns}))
    mapped = mapper.apply(RawTable("here", pl.DataFrame({"key": ["1"], "at": [text]})))
    assert mapped.records.height + len(mapped.rejects) == 1
    found: list[datetime] = mapped.records["received_at"].to_list()
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "form", "instant"),
    [
        ("1760000000", "epoch_s", datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        ("1760000000.25", "epoch_s", datetime(2025, 10, 9, 8, 53, 20, 250_000, tzinfo=UTC)),
        ("1760000000.1234567", "epoch_s", datetime(2025, 10, 9, 8, 53, 20, 123_456, tzinfo=UTC)),
        ("1760000000123", "epoch_ms", datetime(2025, 10, 9, 8, 53, 20, 123_000, tzinfo=UTC)),
        ("1760000000123.0", "epoch_ms", datetime(2025, 10, 9, 8, 53, 20, 123_000, tzinfo=UTC)),
        ("1760000000123.5", "epoch_ms", datetime(2025, 10, 9, 8, 53, 20, 123_500, tzinfo=UTC)),
    ],
)
def test_numbers_since_1970_are_instants_to_the_microsecond(text: str, form: str, instant: datetime) -> None:
    assert read(text, form) == instant


@pytest.mark.parametrize("text", ["0", "-62135596800", "99999999999999999999", "1,760", "1e9", "now", "1760000000123"])
def test_what_is_no_instant_of_our_time_is_refused(text: str) -> None:
    assert read(text, "epoch_s") is None


def test_a_number_may_be_one_of_several_forms() -> None:
    forms = ["%Y-%m-%dT%H:%M:%S%z", "epoch_ms"]
    assert read("2025-10-09T15:53:20+0700", forms) == read("1760000000000", forms)


def test_no_zone_is_needed() -> None:
    columns = {"source_key": "key", "received_at": {"column": "at", "format": "epoch_s"}}
    assert MappingOptions.model_validate({"columns": columns}).zone is None
