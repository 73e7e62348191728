"""Dossier numbers of every form in use, and texts that are none."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tthc_monitor.domain.dossier_numbers import number_day, number_serial


def read(*codes: str | None) -> list[tuple[datetime | None, int | None]]:
    frame = pl.DataFrame({"code": list(codes)}, schema={"code": pl.String()})
    return frame.select(number_day("code"), number_serial("code")).rows()


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


NUMBERS: list[tuple[str, datetime | None, int | None]] = [
    # TT 01/2018 Art. 19
    ("000.00.01.H28-230915-0001", day(2023, 9, 15), 1),
    ("000.00.01.H28-260302-010001", day(2026, 3, 2), 10_001),
    # TT 03/2025 Art. 13
    ("H28.12.34-260302-0123", day(2026, 3, 2), 123),
    ("H28.12.34-260302-10123", day(2026, 3, 2), 10_123),
    # TT 03/2025 Art. 13.3, in force 25/01/2026: two digits of the system's owner, then the serial number
    ("H28.12.34-260124-010123", day(2026, 1, 24), 10_123),
    ("H28.12.34-260125-010123", day(2026, 1, 25), 123),
    ("H28.12.34-260302-0110123", day(2026, 3, 2), 10_123),
    # ministries, date with century
    ("G09.20-20260609-0092637", day(2026, 6, 9), 92_637),
    # the leap day, and days that never were; the serial number still is one
    ("H28.12.34-240229-0001", day(2024, 2, 29), 1),
    ("H28.12.34-250229-0001", None, 1),
    ("H28.12.34-261301-0001", None, 1),
    ("H28.12.34-000000-0001", None, 1),
    ("H28.12.34-990101-0001", None, 1),
    ("H28.12.34-18991231-0001", None, 1),
    ("H28.12.34-19991231-0001", None, 1),
    ("H28.12.34-20000101-0001", day(2000, 1, 1), 1),
    ("H28.12.34-20991231-0001", day(2099, 12, 31), 1),
    ("H28.12.34-21000101-0001", None, 1),
    ("  H28.12.34-260302-0123 ", day(2026, 3, 2), 123),
    # no number of a dossier
    ("H28.12.34-260302-012", None, None),
    ("H28.12.34-2603021-0123", None, None),
    ("H28.12.34-260302-0123/A", None, None),
    ("-260302-0123", None, None),
    ("BOS-101004", None, None),
    ("", None, None),
]


@pytest.mark.parametrize(("code", "named", "serial"), NUMBERS)
def test_a_number_tells_its_day_and_its_serial(code: str, named: datetime | None, serial: int | None) -> None:
    assert read(code) == [(named, serial)]


def test_numbers_are_read_together_as_each_alone() -> None:
    assert read(None, *(code for code, _, _ in NUMBERS)) == [(None, None), *((a, b) for _, a, b in NUMBERS)]


@given(st.lists(st.none() | st.text(), max_size=5) | st.lists(st.from_regex(r"\A\w*-\d{6,8}-\d{3,25}\Z"), max_size=5))
def test_no_text_is_an_error(codes: list[str | None]) -> None:
    assert len(read(*codes)) == len(codes)
