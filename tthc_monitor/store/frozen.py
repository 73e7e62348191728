"""Report periods whose figures stand: freezing one, who froze it, and what is known better since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import ConfigError, DatabaseError
from tthc_monitor.domain.periods import Period
from tthc_monitor.store.flags import EVALUATION_LOCK

# Counted and checked in one statement, so that both see the same records.
_KEEP_FIGURES = """
WITH kept AS (
    INSERT INTO tthc.frozen_figures SELECT :id, f.* FROM audit.figures(:start, :end, :zone) f RETURNING 1
)
SELECT (SELECT count(*) FROM kept) AS rows, (SELECT count(*) FROM audit.unjudged) AS unjudged
"""
_ERRATA = """
SELECT coalesce(e.unit_code, '') AS unit_code, u.name AS unit_name, e.sector_code, s.name AS sector_name,
       e.procedure_code, p.name AS procedure_name, e.kind, e.figure, e.frozen_count, e.count_now
FROM audit.errata(:start, :end, :zone) e
LEFT JOIN audit.units u USING (unit_code)
LEFT JOIN audit.sectors s USING (sector_code)
LEFT JOIN audit.procedures p USING (procedure_code)
WHERE (CAST(:units AS text[]) IS NULL OR e.unit_code = ANY(CAST(:units AS text[])))
  AND (CAST(:kind AS text) IS NULL OR e.kind = :kind)
ORDER BY e.unit_code NULLS LAST, e.kind, e.procedure_code NULLS LAST, e.sector_code NULLS LAST,
         (SELECT attnum FROM pg_attribute WHERE attrelid = 'audit.frozen_figures'::regclass AND attname = e.figure)
"""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Who let the figures of a period stand, and when (UTC)."""

    at: datetime
    person: str


@dataclass(frozen=True, slots=True)
class Erratum:
    """One count of a frozen period that would be another today.

    Attributes:
        unit_code: empty for dossiers that name no unit.
        figure: the count, by its name in ``audit.figures``.
        frozen: dossiers counted when the period was frozen; ``now``: by what is known now.
    """

    unit_code: str
    unit_name: str | None
    sector_code: str | None
    sector_name: str | None
    procedure_code: str | None
    procedure_name: str | None
    kind: str
    figure: str
    frozen: int
    now: int


def read_frozen(connection: Connection, period: Period) -> Frozen | None:
    """Who froze this very period and when; None when its figures still follow the data."""
    found = connection.execute(
        text(
            "SELECT frozen_at, person FROM audit.frozen_periods WHERE from_at = :start AND to_at = :end AND zone = :zone"
        ),
        _range(period),
    ).one_or_none()
    return None if found is None else Frozen(*found)


def freeze(connection: Connection, period: Period, person: str, at: datetime) -> int:
    """Let the figures of a period stand as they are now.

    What waits to be judged must have been judged; an evaluation under way is waited for.

    Args:
        person: who decides it; kept for good.
        at: the present instant.

    Returns:
        the rows kept: one for each unit, procedure, sector and kind that has something to count.

    Raises:
        ConfigError: the period has not ended, is frozen already, or nobody is named.
        DatabaseError: records came in since they were judged.
    """
    person = person.strip()
    if not person:
        raise ConfigError("figures are frozen by somebody; give the name with --by")
    if at < period.end:
        ended = f"{period.end.astimezone(ZoneInfo(period.zone)):%Y-%m-%d %H:%M}"
        raise ConfigError(f"the period {period.name} has not ended; freeze it after {ended}, or ask for an earlier one")
    hold_evaluations(connection)
    if before := read_frozen(connection, period):
        since = f"{before.at.astimezone(ZoneInfo(period.zone)):%Y-%m-%d %H:%M}"
        raise ConfigError(
            f"the period {period.name} was frozen by {before.person} on {since} and stays as it is; "
            "see what changed since with: tthc-monitor report errata"
        )
    values = _range(period) | {"month": period.name, "kind": period.kind, "at": at, "person": person}
    values["id"] = connection.scalar(
        text(
            "INSERT INTO tthc.frozen_periods (from_at, to_at, zone, month, kind, frozen_at, person) "
            "VALUES (:start, :end, :zone, :month, :kind, :at, :person) RETURNING frozen_period_id"
        ),
        values,
    )
    kept = connection.execute(text(_KEEP_FIGURES), values).one()
    if kept.unjudged:
        raise DatabaseError(f"records that came in meanwhile are not judged yet; repeat the freezing of {period.name}")
    return int(kept.rows)


def hold_evaluations(connection: Connection) -> None:
    """Wait for an evaluation under way, and let none begin before this transaction ends."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": EVALUATION_LOCK})


def read_errata(
    connection: Connection, period: Period, units: Sequence[str] | None = None, kind: str | None = None
) -> tuple[Erratum, ...]:
    """What would be counted otherwise now in a frozen period, by unit, counts in the order of the form.

    Nothing when it is not frozen.

    Args:
        units: codes to tell of; None means all, dossiers of no unit included.
        kind: ``dossier`` or ``petition``; None means both.
    """
    values = _range(period) | {"units": None if units is None else list(units), "kind": kind}
    return tuple(Erratum(*row) for row in connection.execute(text(_ERRATA), values))


def _range(period: Period) -> dict[str, Any]:
    return {"start": period.start, "end": period.end, "zone": period.zone}
