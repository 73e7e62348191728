"""Retention: what has been kept long enough is erased; figures, verdicts and the chain of the ledger stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from tthc_monitor.installation import Installation
from tthc_monitor.store import retention
from tthc_monitor.store.database import transaction
from tthc_monitor.store.retention import Due

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Erased:
    """What a run of retention erased: details of how many dossiers and observations, and how many other rows by table."""

    dossiers: int = 0
    observations: int = 0
    texts: Mapping[str, int] = field(default_factory=dict)


def due(installation: Installation) -> list[Due]:
    """What a run would erase now; nothing is written."""
    zone, now = installation.settings.zone, installation.now()
    with transaction(installation.engine) as connection:
        return [
            *retention.due_details(connection, now - installation.settings.retention.details, zone),
            *retention.due_texts(connection, _texts_before(installation, now), zone),
        ]


def erase(installation: Installation, progress: Callable[[int, int | None], None] | None = None) -> Erased:
    """Erase what has been kept long enough, some dossiers a transaction: one that is killed goes on when run again.

    Args:
        progress: told how many dossiers are through, and of how many.
    """
    now = installation.now()
    ended_before = now - installation.settings.retention.details
    with transaction(installation.engine) as connection:
        dossiers = retention.dossiers_to_erase(connection, ended_before)
    erased = observations = 0
    for first in range(0, len(dossiers), retention.MOST_AT_ONCE):
        installation.stop.check()
        some = dossiers[first : first + retention.MOST_AT_ONCE]
        with transaction(installation.engine) as connection:
            done = retention.erase_details(connection, some, ended_before, installation.now())
        erased, observations = erased + done[0], observations + done[1]
        if progress is not None:
            progress(first + len(some), len(dossiers))
    with transaction(installation.engine) as connection:
        texts = retention.forget_texts(connection, _texts_before(installation, now))
    log.info("retention", dossiers=erased, observations=observations, **texts)
    return Erased(erased, observations, texts)


def run(installation: Installation) -> None:
    """The nightly job."""
    erase(installation)


def _texts_before(installation: Installation, now: datetime) -> dict[str, datetime]:
    settings = installation.settings.retention
    return {name: now - getattr(settings, name) for name in retention.PERIODS}
