"""The nightly job that recomputes the ledger and keeps what came of it, for metrics, auditors and an alert."""

from __future__ import annotations

import time

import structlog

from tthc_monitor.installation import Installation
from tthc_monitor.store.database import transaction
from tthc_monitor.store.ledger_checks import Check, keep_check
from tthc_monitor.verification import Verdict, told, verify

log = structlog.get_logger(__name__)


def run(installation: Installation) -> None:
    """Verify the whole ledger. One that is not what it was is a finding, no failure of the job.

    Raises:
        DatabaseError: it could not be looked at; nothing is recorded.
        StoppedError: it was asked to end; nothing is recorded.
    """
    at, began = installation.now(), time.monotonic()

    def progress(_done: int, _total: int) -> None:
        installation.stop.check()

    verdict = verify(installation.engine, progress=progress)
    seconds = round(time.monotonic() - began, 3)
    found = _found(verdict)
    with transaction(installation.engine) as connection:
        keep_check(connection, Check(at, verdict.sound, verdict.observations, found, seconds))
    counts = {"links": verdict.links, "observations": verdict.observations, "seconds": seconds}
    if verdict.sound:
        log.info("ledger_intact", **counts)
    else:
        log.error("ledger_broken", found=found, findings=len(verdict.broken), **counts)


def _found(verdict: Verdict) -> str | None:
    """Where the first thing wrong is, not what: that may quote a dossier."""
    if verdict.sound:
        return None
    first = verdict.broken[0]
    place = told(first.link) if first.link is not None else f"behind link {first.place}"
    others = f" and {len(verdict.broken) - 1} other places" if len(verdict.broken) > 1 else ""
    return f"{place}{others}; run: tthc-monitor audit verify"
