"""Periods as people write them in settings: a number above zero, and a unit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tthc_monitor.domain.durations import Period, written

PERIOD: TypeAdapter[timedelta] = TypeAdapter(Period)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1s", timedelta(seconds=1)),
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("6 h", timedelta(hours=6)),
        ("1d", timedelta(days=1)),
        # Settings that were read once are read again as they are.
        (timedelta(minutes=5), timedelta(minutes=5)),
    ],
)
def test_what_is_meant(text: Any, meant: timedelta) -> None:
    assert PERIOD.validate_python(text) == meant


@pytest.mark.parametrize(
    "text", ["0s", "-1h", "1.5h", "h", "10", "10 phút", "1h30m", " 1h", "999999999999d", 600, None]
)
def test_what_is_no_period_is_refused_with_how_to_write_one(text: Any) -> None:
    with pytest.raises(ValidationError, match="is not a period; write a number and a unit, such as 30s, 10m, 6h or 1d"):
        PERIOD.validate_python(text)


def test_editors_are_told_how_a_period_is_written() -> None:
    assert PERIOD.json_schema() == {"type": "string", "pattern": r"^[0-9]+\s*(s|m|h|d)$"}


@pytest.mark.parametrize("text", ["1s", "59s", "90s", "1m", "61m", "1h", "36h", "1d", "7d"])
def test_a_period_is_written_in_the_largest_unit_that_fits(text: str) -> None:
    assert written(PERIOD.validate_python(text)) == text


@pytest.mark.parametrize(("text", "same"), [("60s", "1m"), ("60m", "1h"), ("48h", "2d"), ("86400s", "1d")])
def test_one_that_fits_a_larger_unit_is_written_in_that(text: str, same: str) -> None:
    assert written(PERIOD.validate_python(text)) == same
