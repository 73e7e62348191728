"""Findings of rules as flags: from the pandas frames in which rules speak to the rows that the store keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import polars as pl

from rules.grounds import Finding
from rules.kinds.intervals import FINDING_COLUMNS
from tthc_monitor.store.flags import FLAG_SCHEMA

DESCRIBED = ("dossier_id", "observation_id", "unit_code", "procedure_code")
"""Facts that a flag carries."""


def flags_of(findings: Iterable[Finding], facts: pl.DataFrame | None, version_ids: Mapping[str, int]) -> pl.DataFrame:
    """Flags in the shape of :data:`FLAG_SCHEMA`.

    Args:
        facts: of the dossiers that were judged; None only when there are no findings.
        version_ids: version number of each rule by its code.
    """
    found = [
        _to_polars(frame).with_columns(pl.lit(version_ids[rule.code], dtype=pl.Int32()).alias("rule_version_id"))
        for rule, frame in findings
    ]
    if not found:
        return pl.DataFrame(schema=dict(FLAG_SCHEMA))
    assert facts is not None
    described = facts.select(DESCRIBED)
    return pl.concat(found).join(described, on="dossier_id", how="left").select(list(FLAG_SCHEMA))


def _to_polars(findings: pd.DataFrame) -> pl.DataFrame:
    columns: dict[str, Any] = {}
    for name in findings.columns:
        values = findings[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            instants = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
            columns[name] = pl.Series(instants).dt.replace_time_zone("UTC")
        elif isinstance(values.dtype, pd.CategoricalDtype):
            columns[name] = pl.Series(values.astype(object).where(values.notna(), None).to_list(), dtype=pl.String())
        else:
            columns[name] = pl.Series(values.to_numpy(), nan_to_null=True)
    frame = pl.DataFrame(columns).with_columns(pl.col("starts_at", "ends_at").dt.cast_time_unit("us"))
    evidence = [name for name in frame.columns if name not in FINDING_COLUMNS]
    readable = frame.select(pl.col(evidence)).with_columns(pl.col(pl.Datetime).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    return frame.select(list(FINDING_COLUMNS)).with_columns(
        readable.select(pl.struct(evidence).struct.json_encode()).to_series().alias("evidence")
    )
