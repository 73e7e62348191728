"""Facts: what a rule may know of a dossier. One row a dossier, one column a fact, no clock.

Rule kinds get a pandas frame with these columns, so that the same function runs here and under Spark's mapInPandas.
Instants are ``datetime64[us, UTC]`` with NaT for unknown; texts are categories.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pandas as pd
import polars as pl

from tthc_monitor.domain.records import INSTANT, OPTIONAL_COLUMNS

FACT_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "dossier_id": pl.Int64(),
    "observation_id": pl.Int64(),
    "kind": pl.String(),
    "procedure_code": pl.String(),
    "sector_code": pl.String(),
    "unit_code": pl.String(),
    "receiving_unit_code": pl.String(),
    "channel": pl.String(),
    "status": pl.Int16(),
    "submitted_at": INSTANT,
    "postmarked_at": INSTANT,
    "received_at": INSTANT,
    "competent_received_at": INSTANT,
    "transferred_at": INSTANT,
    "due_original": INSTANT,
    "due_current": INSTANT,
    "ended_at": INSTANT,
    "end_seen_at": INSTANT,
    "result_at": INSTANT,
    "published_at": INSTANT,
    "supplement_requested_at": INSTANT,
    "supplement_requested_after": INSTANT,
    "supplement_completed_at": INSTANT,
    "supplement_count": pl.Int16(),
    "request_unknown": pl.Int8(),
    "answer_unknown": pl.Int8(),
    "earlier_waits": pl.String(),
    "obligation_requested_at": INSTANT,
    "obligation_completed_at": INSTANT,
    "stop_requested_at": INSTANT,
    "apology_at": INSTANT,
    "reappointment_count": pl.Int16(),
    "step_unit_code": pl.String(),
    "step_started_at": INSTANT,
    "step_due_at": INSTANT,
    "consulted_unit_code": pl.String(),
    "consulted_at": INSTANT,
    "consulted_due_at": INSTANT,
    "consulted_answered_at": INSTANT,
    "steps_done": pl.Int16(),
    "first_step_at": INSTANT,
    "last_step_at": INSTANT,
    "source_verdict": pl.Int8(),
    "number_day": INSTANT,
    "number_serial": pl.Int64(),
    "first_seen_at": INSTANT,
    "underway_seen_at": INSTANT,
    "open_seen_at": INSTANT,
    "due_previous": INSTANT,
    "due_unmoved_at": INSTANT,
    "due_moved_at": INSTANT,
    "due_moves": pl.Int16(),
    "due_watched": pl.Int8(),
    "vanished_seen_at": INSTANT,
    "provides": pl.Int64(),
}
"""Facts and their types on the wire. Those not told of here are the record's (:data:`OBSERVED_SCHEMA`).

``ended_at``
    when processing ended as the source claims it: end of processing, else delivery; null while open or not claimed.
``end_seen_at``
    when we first saw the dossier ended; with ``ended_at`` null it ended at some instant before this one.
``status``
    the national code; 0 when the source has a status that nobody mapped, -1 when it has none.
``supplement_requested_at`` / ``supplement_completed_at``
    as claimed, else when we saw the status come and go. A completion lies after its request, or is null.
``supplement_requested_after``
    the request was not before this: the request itself where it is claimed, else when we last saw the dossier not
    waiting; null when it was waiting at first sight. Only what lies after a limit by this is proved late.
``supplement_count``
    requests for supplements: as claimed, or the spells we saw if these were more; -1 when nothing tells.
``request_unknown``
    1 when the dossier was waiting already when we first saw it and nothing claims since when: the request is some time
    before ``supplement_requested_at``.
``answer_unknown``
    1 when a result was given after a request, and nothing tells when the applicant answered.
``earlier_waits``
    waits for supplements before the latest, as a JSON list of pairs of seconds since 1970 UTC; null when there were none.
``obligation_requested_at`` / ``obligation_completed_at``
    as claimed, else when we saw status 6 come and go.
``source_verdict``
    the source's own opinion: 1 on time, 2 late, 0 none.
``number_day`` / ``number_serial``
    the day in the dossier's number, at 00:00 as if it were UTC, and its serial number of that day (-1: none).
``first_seen_at``
    when we first saw the dossier at all.
``underway_seen_at``
    when we first saw it past registration: with a reception, or in a status other than 1.
``open_seen_at``
    of an ended dossier: the last instant at which we saw it still open.
``due_previous`` / ``due_unmoved_at`` / ``due_moved_at`` / ``due_moves``
    the promise before its latest move, when we last saw it unmoved, when we first saw it moved, and how many moves of
    the promise we saw. Null and 0 when it never moved.
``due_watched``
    1 when ``due_original`` is the first promise for certain: claimed as such, or seen within a day of the reception.
``vanished_seen_at``
    when the source, asked for it, no longer had the dossier; null while it has.
``provides``
    bits of the optional columns that the source fills (:func:`provides`).
"""

INSTANT_FACTS: Final = frozenset(name for name, dtype in FACT_SCHEMA.items() if isinstance(dtype, pl.Datetime))

_NONE_IS_ZERO: Final = frozenset(
    {"due_moves", "due_watched", "provides", "source_verdict", "request_unknown", "answer_unknown"}
)

FACT_DEFAULTS: Final[Mapping[str, int | None]] = {
    name: None
    if isinstance(dtype, pl.Datetime | pl.String)
    else 0
    if name in _NONE_IS_ZERO or name in ("dossier_id", "observation_id")
    else -1
    for name, dtype in FACT_SCHEMA.items()
}
"""What a fact is when nothing is known: NaT or no text, and for numbers 0 or -1."""

DERIVED_FACTS: Final = ("clock_started_at", "due_lawful")
"""Facts computed before rules are applied, from procedure, calendar and history: when the office's clock started by the
law in force then, and the instant the law allows at most. NaT when no limit is known, or a wait is not.
"""

DERIVED_FROM: Final = frozenset(
    {
        "procedure_code", "unit_code", "channel", "received_at", "postmarked_at", "competent_received_at",
        "supplement_requested_at", "supplement_completed_at", "supplement_count", "request_unknown", "answer_unknown",
        "earlier_waits", "obligation_requested_at", "obligation_completed_at",
    }
)  # fmt: skip
"""Facts that the derived ones are computed from (:func:`tthc_monitor.domain.lawful_due.lawful_due`)."""


def provides(facts: pd.DataFrame, column: str) -> pd.Series:
    """Whether the source of each row fills an optional column at all."""
    bit = 1 << OPTIONAL_COLUMNS.index(column)
    return pd.Series((facts["provides"].to_numpy() & bit) != 0, index=facts.index)


def provides_bits(columns: Iterable[str]) -> int:
    """The bits of these columns; those that are not optional do not count."""
    return sum(1 << OPTIONAL_COLUMNS.index(name) for name in set(columns) & set(OPTIONAL_COLUMNS))


def facts_frame(frame: pl.DataFrame) -> pd.DataFrame:
    """The pandas form of a polars frame with columns of :data:`FACT_SCHEMA`; derived facts are NaT still."""
    columns: dict[str, object] = {}
    for name, dtype in FACT_SCHEMA.items():
        if name not in frame.columns:
            continue
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
        elif name in _NONE_IS_ZERO:
            columns[name] = series.fill_null(0).to_numpy()
        else:
            columns[name] = series.fill_null(-1).to_numpy()
    for name in DERIVED_FACTS:
        columns[name] = pd.DatetimeIndex(np.full(frame.height, "NaT", "datetime64[us]")).tz_localize("UTC")
    return pd.DataFrame(columns)
