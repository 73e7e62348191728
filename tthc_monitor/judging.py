"""Judges what waits to be judged, before anything is told from it."""

from __future__ import annotations

from tthc_monitor.evaluate import evaluate
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.snapshot import take_snapshot
from tthc_monitor.store.database import transaction


def refresh(installation: Installation) -> None:
    """Judge what waits to be judged; renew the metrics when anything did."""
    installation.record_configuration()
    done = evaluate(installation.engine, installation.grounds(), now=installation.now)
    if done.dossiers:
        snapshot(installation)


def snapshot(installation: Installation) -> None:
    """Renew the small table that the metrics are read from; time alone moves dossiers from due soon to overdue."""
    with transaction(installation.engine) as connection:
        take_snapshot(connection, installation.now(), installation.calendars)
