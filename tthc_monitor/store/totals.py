"""Totals that never fall, which the counters of the metrics are read from.

Whatever happens is counted in the transaction in which it happens, so that a process that dies neither loses nor doubles
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.copy import copy_in

Added = tuple[str, Sequence[str], float]
"""A metric, the values of its labels in their order, and by how much it grows."""

_ADD = """
    INSERT INTO tthc.metric_totals AS held (metric, labels, value)
    SELECT metric, string_to_array(labels, E'\\x1f'), value
    FROM unnest(CAST(:metrics AS text[]), CAST(:labels AS text[]), CAST(:values AS float8[])) u (metric, labels, value)
    ORDER BY 1, 2
    ON CONFLICT (metric, labels) DO UPDATE SET value = held.value + excluded.value
"""
_COUNTS = ("finished", "finished_late", "returned")
_ADD_PROCEDURES = f"""
    INSERT INTO tthc.procedure_totals AS held
    SELECT unit_code, procedure_code, {", ".join(_COUNTS)} FROM counted ORDER BY 1, 2
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
    connection.execute(text(_ADD_PROCEDURES))
