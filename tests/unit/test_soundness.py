"""What no record may be, whichever connector made it: one reject for each, with its first fault; the others land."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tthc_monitor.domain.records import INSTANT, INSTANT_COLUMNS, RECORD_SCHEMA
from tthc_monitor.domain.soundness import BEYOND_MICROSECOND, FIRST_MICROSECOND, LONGEST_CODE, sift

FILE = "t10.csv"
LONG = "x" * LONGEST_CODE
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    """Records by their differences from a sound one; instants as microseconds since 1970."""
    full = [{"source_key": f"k{number}", "kind": "dossier", **row} for number, row in enumerate(rows)]
    physical = {name: pl.Int64() if dtype == INSTANT else dtype for name, dtype in RECORD_SCHEMA.items()}
    frame = pl.DataFrame(full, schema=physical, orient="row")
    return frame.cast(dict.fromkeys(INSTANT_COLUMNS, INSTANT))


def micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"kind": "petition"},
        {"status": 1},
        {"status": 10},
        {"source_key": LONG, "unit_code": LONG, "procedure_code": LONG, "sector_code": LONG},
        {"source_status": LONG + "x", "step_name": LONG + "x"},
        dict.fromkeys(INSTANT_COLUMNS, FIRST_MICROSECOND),
        dict.fromkeys(INSTANT_COLUMNS, BEYOND_MICROSECOND - 1),
    ],
)
def test_a_sound_record_lands_as_it_is(row: dict[str, Any]) -> None:
    given = records(row)
    sound, rejects = sift(given, FILE)
    assert (sound.equals(given), rejects) == (True, [])


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"source_key": None}, "source_key", "missing; mend the mapping or the source"),
        ({"source_key": LONG + "x"}, "source_key", "longer than 500 characters; shorten it at the source"),
        ({"unit_code": LONG + "x"}, "unit_code", "longer than 500 characters; shorten it at the source"),
        ({"procedure_code": LONG + "x"}, "procedure_code", "longer than 500 characters; shorten it at the source"),
        ({"sector_code": LONG + "x"}, "sector_code", "longer than 500 characters; shorten it at the source"),
        ({"kind": None}, "kind", "not one of dossier, petition; mend the mapping"),
        ({"kind": "thư"}, "kind", "not one of dossier, petition; mend the mapping"),
        ({"status": 0}, "status", "not a national status 1..10; mend the mapping"),
        ({"status": 11}, "status", "not a national status 1..10; mend the mapping"),
        *(
            ({name: edge}, name, "not in the years 1 to 9999; correct it at the source")
            for name in INSTANT_COLUMNS
            for edge in (FIRST_MICROSECOND - 1, BEYOND_MICROSECOND)
        ),
    ],
)
def test_an_unsound_record_is_a_reject_that_says_what_to_mend(row: dict[str, Any], column: str, reason: str) -> None:
    given = records({}, row, {})
    sound, (reject,) = sift(given, FILE)
    assert (reject.location, reject.row, reject.column, reject.reason) == (FILE, None, column, reason)
    assert sound.equals(given[[0, 2]]), "those beside it land"


def test_a_record_with_several_faults_is_one_reject_for_the_first() -> None:
    sound, rejects = sift(records({"status": 99, "kind": None, "unit_code": LONG + "x"}, {"status": 0}), FILE)
    assert sound.is_empty()
    assert [reject.column for reject in rejects] == ["unit_code", "status"]


def test_a_reject_names_its_record_by_the_first_80_characters_of_its_key() -> None:
    _, rejects = sift(records({"source_key": LONG, "status": 0}, {"source_key": None}), FILE)
    assert [reject.value for reject in rejects] == ["x" * 80, None]


def test_a_patch_may_leave_the_kind_out_and_nothing_else() -> None:
    given = records({"kind": None}, {"kind": "thư"}, {"kind": None, "status": 11})
    sound, rejects = sift(given, FILE, patch=True)
    assert sound.equals(given[:1]), "and it still tells no kind"
    assert [reject.column for reject in rejects] == ["kind", "status"]


def test_the_years_that_a_record_may_tell_are_those_of_python() -> None:
    assert (micros(FIRST), micros(LAST) + 1) == (FIRST_MICROSECOND, BEYOND_MICROSECOND)


def test_no_records_are_sound() -> None:
    assert sift(records(), FILE)[1] == []
