"""What the last check of the ledger found, for the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from tthc_monitor.outputs.metrics_of_snapshot import family, rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LAST = "SELECT intact, extract(epoch FROM checked_at) FROM tthc.ledger_checks ORDER BY check_id DESC LIMIT 1"


def ledger_families(connection: Connection) -> Iterator[Metric]:
    """Whether it was intact, and when that was looked at; nothing before the first check."""
    for intact, checked_at in rows(connection, _LAST):
        yield family("tthc_ledger_intact", [((), intact)])
        yield family("tthc_ledger_checked_timestamp_seconds", [((), checked_at)])
