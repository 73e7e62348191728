"""The one shape in which connectors hand over what they saw: what is added, what is put in order, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tthc_monitor.domain.records import (
    INSTANT,
    INSTANT_COLUMNS,
    NAME_SCHEMA,
    OBSERVED_SCHEMA,
    OPTIONAL_COLUMNS,
    RECORD_SCHEMA,
    Batch,
    conform,
    empty_records,
)

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
RECORD = {"source_key": "a", "kind": "dossier"}


def frame(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({**{name: [value] for name, value in RECORD.items()}, **columns})


def test_missing_columns_are_added_empty_and_all_stand_in_order() -> None:
    made = conform(frame(unit_name=["Sở Y tế"], status=[4]).select("unit_name", "status", "kind", "source_key"))
    assert made.schema == pl.Schema(RECORD_SCHEMA)
    (row,) = made.to_dicts()
    told = {name: value for name, value in row.items() if value is not None}
    assert told == {"source_key": "a", "kind": "dossier", "status": 4, "unit_name": "Sở Y tế"}


@pytest.mark.parametrize("dtype", [INSTANT, pl.Datetime("ms", "UTC"), pl.Datetime("us", "Asia/Ho_Chi_Minh")])
def test_an_aware_instant_of_any_zone_is_the_same_one_in_utc(dtype: pl.DataType) -> None:
    there = NOON.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    made = conform(frame(received_at=pl.Series([there], dtype=dtype)))
    assert (made["received_at"].dtype, made["received_at"].to_list()) == (INSTANT, [NOON])


def test_a_column_in_which_nothing_is_known_has_no_zone_and_needs_none() -> None:
    made = conform(frame(received_at=[None]))
    assert (made["received_at"].dtype, made["received_at"].to_list()) == (INSTANT, [None])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"kind": "dossier"}, "column source_key is required; add it to the mapping"),
        ({"source_key": "a"}, "column kind is required; add it to the mapping"),
        (RECORD | {"ho_ten": "Mẫu"}, r"columns \['ho_ten'\] are not canonical; map them or leave them out"),
        (
            RECORD | {"due_current": NOON.replace(tzinfo=None)},
            "column due_current has type .* naive .*; give it a zone",
        ),
        (RECORD | {"due_current": "2026-03-02"}, "column due_current has type String, a naive .*; give it a zone"),
    ],
)
def test_what_is_no_record_is_refused_with_what_to_do(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        conform(pl.DataFrame([columns]))


def test_no_records_have_the_canonical_columns_too() -> None:
    assert empty_records().equals(conform(frame()[:0]))
    assert empty_records().schema == pl.Schema(RECORD_SCHEMA)


def test_columns_are_told_by_what_they_are() -> None:
    assert {*INSTANT_COLUMNS} == {name for name in OBSERVED_SCHEMA if name.endswith("_at") or name.startswith("due_")} | {
        "step_due_at", "consulted_due_at",
    }  # fmt: skip
    assert OPTIONAL_COLUMNS[0] == "applicant_hash"
    assert OPTIONAL_COLUMNS[-1] == list(OBSERVED_SCHEMA)[-1]
    assert "source_verdict" not in OPTIONAL_COLUMNS
    assert RECORD_SCHEMA.keys() == OBSERVED_SCHEMA.keys() | NAME_SCHEMA.keys()
    assert OBSERVED_SCHEMA.keys().isdisjoint(NAME_SCHEMA)


def test_a_batch_tells_whole_dossiers_and_no_trouble_unless_it_says_otherwise() -> None:
    batch = Batch(empty_records())
    assert (batch.patch, batch.rows_read, batch.rejects, batch.clears, batch.unknown) == (False, 0, (), frozenset(), {})
