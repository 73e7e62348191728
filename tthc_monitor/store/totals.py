"""Totals that never fall, which the counters of the metrics are read from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text


def add(connection: Connection, metric: str, labels: Sequence[str], by: float = 1) -> None:
    """Count something, in the transaction in which it happens.

    Args:
        labels: values of the metric's labels, in its order.
        by: how much more.
    """
    connection.execute(
        text(
            "INSERT INTO tthc.metric_totals AS held (metric, labels, value) VALUES (:metric, :labels, :by) "
            "ON CONFLICT (metric, labels) DO UPDATE SET value = held.value + excluded.value"
        ),
        {"metric": metric, "labels": list(labels), "by": by},
    )
