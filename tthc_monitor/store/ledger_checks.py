"""What came of each check of the ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Check:
    """One recomputation of the whole ledger.

    ``observations``
        how many were recomputed.
    ``found``
        the first place that is wrong; None when all is as it was.
    """

    checked_at: datetime
    intact: bool
    observations: int
    found: str | None
    seconds: float


def keep_check(connection: Connection, check: Check) -> None:
    """Record a check."""
    connection.execute(
        text(
            "INSERT INTO tthc.ledger_checks (checked_at, intact, observations, found, seconds) "
            "VALUES (:checked_at, :intact, :observations, :found, :seconds)"
        ),
        asdict(check),
    )
