"""Totals that never fall, which the counters of the metrics are read from; and instants of what was last seen.

Whatever happens is counted in the transaction in which it happens, so that a process that dies neither loses nor doubles
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.durations import WORKDAY_SECONDS
from tthc_monitor.store.copy import copy_in

PROCESSING: Final = "tthc_dossier_processing_working_seconds"
USED: Final = "tthc_dossier_used_ratio"
BOUNDS: Final[Mapping[str, Sequence[float]]] = {
    PROCESSING: tuple(float(days * WORKDAY_SECONDS) for days in (1, 3, 5, 7, 10, 15, 20, 30, 60)),
    USED: (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0),
}
"""Upper bounds of the buckets of histograms, in working seconds those that limits are given in, of 8 hours a day.

Of a histogram each bucket is a total by itself, not with those below it; its last label is the bound, +Inf, or SUM.
"""
SUM: Final = "sum"
"""In place of a bound: the sum of all values."""

Added = tuple[str, Sequence[str], float]
"""A metric, the values of its labels in their order, and by how much it grows."""

_ADD = """
    INSERT INTO tthc.metric_totals AS held (metric, labels, value)
    SELECT metric, CASE WHEN labels = '' THEN ARRAY[''] ELSE string_to_array(labels, E'\\x1f') END, value
    FROM unnest(CAST(:metrics AS text[]), CAST(:labels AS text[]), CAST(:values AS float8[])) u (metric, labels, value)
    ORDER BY 1, 2
    ON CONFLICT (metric, labels) DO UPDATE SET value = held.value + excluded.value
"""
_SEEN = """
    INSERT INTO tthc.metric_totals AS held (metric, labels, value)
    VALUES (:metric, CAST(:labels AS text[]), :value)
    ON CONFLICT (metric, labels) DO UPDATE SET value = greatest(held.value, excluded.value)
"""
_COUNTS = ("finished", "finished_late", "returned")
_FIRST_PROCEDURES = f"""
    INSERT INTO tthc.procedure_totals AS held
    SELECT unit_code, procedure_code, {", ".join(_COUNTS)} FROM counted ORDER BY 1, 2
"""
_ADD_PROCEDURES = f"""{_FIRST_PROCEDURES}
    ON CONFLICT (unit_code, procedure_code) DO UPDATE
    SET {", ".join(f"{name} = held.{name} + excluded.{name}" for name in _COUNTS)}
"""


def add(connection: Connection, metric: str, labels: Sequence[str], by: float = 1) -> None:
    """Count something, in the transaction in which it happens.

    Args:
        labels: values of the metric's labels, in its order.
        by: how much more.
    """
    add_all(connection, [(metric, labels, by)])


def add_all(connection: Connection, counted: Iterable[Added]) -> None:
    """Count several things at once; of one metric and its labels each comes once."""
    # In one order, so that two processes cannot wait for each other.
    ordered = sorted((metric, "\x1f".join(labels), by) for metric, labels, by in counted if by)
    if not ordered:
        return
    metrics, labels, values = zip(*ordered, strict=True)
    connection.execute(text(_ADD), {"metrics": list(metrics), "labels": list(labels), "values": list(values)})


def note_latest(connection: Connection, metric: str, labels: Sequence[str], instant: datetime) -> None:
    """Keep when something was last so, in the transaction in which it is; an earlier instant changes nothing.

    Args:
        labels: values of the metric's labels, in its order.
    """
    connection.execute(text(_SEEN), {"metric": metric, "labels": list(labels), "value": instant.timestamp()})


def add_procedures(connection: Connection, counted: pl.DataFrame) -> None:
    """Count what ended, by unit and procedure.

    Args:
        counted: unit_code, procedure_code (empty: none), finished, finished_late, returned; each pair once.
    """
    if counted.is_empty():
        return
    connection.execute(text("DROP TABLE IF EXISTS counted"))
    connection.execute(
        text("CREATE TEMP TABLE counted ON COMMIT DROP AS SELECT * FROM tthc.procedure_totals WITH NO DATA")
    )
    copy_in(connection, "counted", counted.select("unit_code", "procedure_code", *_COUNTS))
    # A first load brings hundreds of thousands; only an evaluation adds, and there is one at a time.
    first = not connection.scalar(text("SELECT EXISTS (SELECT FROM tthc.procedure_totals)"))
    connection.execute(text(_FIRST_PROCEDURES if first else _ADD_PROCEDURES))
