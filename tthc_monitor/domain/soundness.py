"""What no record may be, whichever connector made it: such a record is a reject, and the others land."""

from __future__ import annotations

from typing import Final

import polars as pl

from tthc_monitor.domain.records import INSTANT_COLUMNS, KINDS, Reject

LONGEST_CODE: Final = 500
"""Characters. Keys and codes stand in indexes, which take no more than some 2,000 bytes; no real one comes near."""

FIRST_MICROSECOND: Final = -62_135_596_800_000_000
BEYOND_MICROSECOND: Final = 253_402_300_800_000_000
"""Claimed instants lie in the years 1 to 9999: what lies outside no date in Python can hold."""

_INDEXED: Final = ("source_key", "unit_code", "procedure_code", "sector_code")


def _faults() -> dict[str, tuple[pl.Expr, str]]:
    too_long = f"longer than {LONGEST_CODE} characters; shorten it at the source"
    faults = {name: (pl.col(name).str.len_chars() > LONGEST_CODE, too_long) for name in _INDEXED}
    for name in INSTANT_COLUMNS:
        micros = pl.col(name).to_physical()
        outside = (micros < FIRST_MICROSECOND) | (micros >= BEYOND_MICROSECOND)
        faults[name] = (outside, "not in the years 1 to 9999; correct it at the source")
    faults["status"] = (~pl.col("status").is_between(1, 10), "not a national status 1..10; mend the mapping")
    faults["source_key:"] = (pl.col("source_key").is_null(), "missing; mend the mapping or the source")
    unknown_kind = pl.col("kind").is_null() | ~pl.col("kind").is_in(KINDS)
    faults["kind:"] = (unknown_kind, f"not one of {', '.join(KINDS)}; mend the mapping")
    return faults


_FAULTS: Final = _faults()


def sift(records: pl.DataFrame, location: str, *, patch: bool = False) -> tuple[pl.DataFrame, list[Reject]]:
    """Part sound records from the others.

    Args:
        patch: the records tell only a part of their dossiers and may leave the kind out.

    Returns:
        the sound ones, and a reject for each of the others that names its first fault.
    """
    broken = pl.any_horizontal(fault.fill_null(value=False) for fault, _ in _FAULTS.values())
    looked_at = records.with_columns(pl.col("kind").fill_null(KINDS[0])) if patch else records
    marked = looked_at.select(broken.alias("broken")).to_series()
    if not marked.any():
        return records, []
    rejects = [_reject(looked_at[index], location) for index in marked.arg_true()]
    return records.filter(~marked), rejects


def _reject(record: pl.DataFrame, location: str) -> Reject:
    for name, (fault, reason) in _FAULTS.items():
        if record.select(fault.fill_null(value=False)).item():
            return Reject(location, None, name.rstrip(":"), reason, record["source_key"].str.head(80).item())
    raise AssertionError("only broken records come here")
