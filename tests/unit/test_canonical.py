"""Hashes that outlive versions of the program: of an observation, with its details and after they are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import polars as pl
import pytest

from tthc_monitor.domain.records import OBSERVED_SCHEMA, conform
from tthc_monitor.store.canonical import DETAILS, content_hashes, details_hashes, kept_hashes, rows_bytes

FIELDS: dict[str, Any] = {
    "source_key": "55001/7",
    "kind": "dossier",
    "code": "H99-260302-0001",
    "status": 4,
    "step_name": "Thẩm định",
    "received_at": datetime(2026, 3, 2, 1, tzinfo=UTC),
    "supplement_count": 1,
    "applicant_hash": "ab12",
    "parent_key": "55001/3",
    "steps_done": 0,
}


def one(**changes: Any) -> pl.DataFrame:
    return conform(pl.DataFrame([{**FIELDS, **changes}]))


def test_version_2_is_the_hash_of_details_and_the_text_of_all_else() -> None:
    over_details = sha256(b"55001/7\x1fH99-260302-0001\x1fab12\x1f55001/3").digest()
    kept = ["dossier", *[""] * 5, "4", "", "", "Thẩm định", "", "1772413200000000", *[""] * 7, "1", ""]
    text = "\x1f".join(kept) + "\x1fsteps_done=0"
    assert details_hashes(one())[0] == over_details
    assert content_hashes(one())[0] == sha256(over_details + text.encode()).digest()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", [name for name in OBSERVED_SCHEMA if name != "kind"])
def test_every_column_counts(name: str, version: int) -> None:
    other: Any = {pl.String(): "khác", pl.Int16(): 9}.get(OBSERVED_SCHEMA[name], datetime(2026, 1, 1, tzinfo=UTC))
    assert content_hashes(one(**{name: other}), version)[0] != content_hashes(one(), version)[0]


def test_erased_details_leave_a_hash_that_proves_the_rest() -> None:
    details, content = details_hashes(one()), content_hashes(one())
    erased = one().with_columns(
        pl.lit("").alias("source_key"), *(pl.lit(None, pl.String).alias(n) for n in DETAILS[1:])
    )
    assert kept_hashes(erased, details)[0] == content[0]
    moved = erased.with_columns(pl.lit(9, pl.Int16).alias("status"))
    assert kept_hashes(moved, details)[0] != content[0]


def test_a_row_hashes_alike_alone_and_among_others() -> None:
    rows = pl.concat([one(), one(steps_done=None), one(parent_key=None), one(source_key="ơ", status=None)])
    for version in (1, 2):
        alone = [content_hashes(rows[[number]], version)[0] for number in range(rows.height)]
        assert content_hashes(rows, version).to_list() == alone


def test_a_link_covers_whose_each_row_is() -> None:
    hashes = content_hashes(pl.concat([one(), one(status=5)]))
    ids = pl.Series([7, 300], dtype=pl.Int64)
    assert rows_bytes(ids, hashes) == b"".join(
        number.to_bytes(8, "big") + digest for number, digest in zip(ids, hashes, strict=True)
    )
