"""Facts: what a rule may know of a dossier. One row a dossier, one column a fact, no clock.

Rule kinds get a pandas frame with these columns, so that the same function runs here and under Spark's mapInPandas.
Instants are ``datetime64[us, UTC]`` with NaT for unknown; texts are categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
import polars as pl

from tthc_monitor.domain.records import INSTANT

FACT_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "dossier_id": pl.Int64(),
    "observation_id": pl.Int64(),
    "kind": pl.String(),
    "procedure_code": pl.String(),
    "sector_code": pl.String(),
    "unit_code": pl.String(),
    "status": pl.Int16(),
    "received_at": INSTANT,
    "due_original": INSTANT,
    "due_current": INSTANT,
    "ended_at": INSTANT,
    "end_seen_at": INSTANT,
    "supplement_requested_at": INSTANT,
    "supplement_completed_at": INSTANT,
    "supplement_count": pl.Int16(),
    "request_unknown": pl.Int8(),
    "answer_unknown": pl.Int8(),
}
"""Facts and their types on the wire.

``ended_at``
    when processing ended as the source claims it: end of processing, else delivery; null while open or not claimed.
``end_seen_at``
    when we first saw the dossier ended; with ``ended_at`` null it ended at some instant before this one.
``status``
    the national code; 0 when the source has a status that nobody mapped, -1 when it has none.
``supplement_requested_at`` / ``supplement_completed_at``
    as claimed, else when we saw the status come and go. A completion lies after its request, or is null.
``request_unknown``
    1 when the dossier was waiting already when we first saw it and nothing claims since when: the request is some time
    before ``supplement_requested_at``.
``answer_unknown``
    1 when a result was given after a request, and nothing tells when the applicant answered.
"""


def facts_frame(frame: pl.DataFrame) -> pd.DataFrame:
    """The pandas form of a polars frame with the columns of :data:`FACT_SCHEMA`."""
    columns: dict[str, object] = {}
    for name, dtype in FACT_SCHEMA.items():
        series = frame.get_column(name)
        if isinstance(dtype, pl.Datetime):
            columns[name] = pd.DatetimeIndex(series.to_numpy()).tz_localize("UTC")
        elif isinstance(dtype, pl.String):
            categories = series.unique().drop_nulls().sort()
            names: list[str] = categories.to_list()
            codes = series.replace_strict(categories, range(len(categories)), default=-1, return_dtype=pl.Int32())
            columns[name] = pd.Categorical.from_codes(codes.to_numpy(), pd.Index(names))
        elif name in ("dossier_id", "observation_id"):
            columns[name] = series.to_numpy()
        else:
            columns[name] = series.fill_null(-1).to_numpy()
    return pd.DataFrame(columns)
