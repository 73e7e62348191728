"""Dossiers that stand in another column of the form now than when a period was frozen, and what of it they do not explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from tthc_monitor.domain.periods import Period
from tthc_monitor.store.frozen import Erratum, read_errata

_MOVES = """
SELECT e.dossier_id, e.code, e.kind, e.causes, e.first_seen_at, e.changed_at,
       e.frozen_unit_code, w.name AS frozen_unit_name, e.frozen_procedure_code, e.frozen_sector_code, e.frozen_intake,
       e.frozen_outcome, e.unit_code, u.name AS unit_name, e.procedure_code, e.sector_code, e.intake, e.outcome,
       e.frozen_received_at, e.received_at, e.frozen_due, e.due_current, e.frozen_ended_at, e.ended_at
FROM audit.erratum_dossiers(:start, :end, :zone) e
LEFT JOIN audit.units w ON w.unit_code = e.frozen_unit_code
LEFT JOIN audit.units u ON u.unit_code = e.unit_code
WHERE (CAST(:kind AS text) IS NULL OR e.kind = :kind)
  AND (CAST(:units AS text[]) IS NULL OR e.frozen_unit_code = ANY(CAST(:units AS text[]))
       OR e.unit_code = ANY(CAST(:units AS text[])))
ORDER BY coalesce(e.frozen_unit_code, e.unit_code) NULLS LAST, e.code
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dossier stands in the form: in a unit, in the column that it came in by and the one it stood in at the end.

    ``intake`` and ``outcome`` are counts of ``audit.figures``; both None: it is not in the period.
    """

    unit_code: str | None
    unit_name: str | None
    procedure_code: str | None
    sector_code: str | None
    intake: str | None
    outcome: str | None

    @property
    def is_counted(self) -> bool:
        """Whether the period counts the dossier."""
        return self.intake is not None


@dataclass(frozen=True, slots=True)
class Facts:
    """The instants that decide of a dossier, as told then or now (UTC)."""

    received_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Move:
    """A dossier that stands elsewhere now.

    Attributes:
        causes: codes, see :data:`tthc_monitor.outputs.erratum_tables.CAUSES`.
        learnt_at: when the newest of what is told of it was seen.
    """

    dossier_id: int
    code: str
    kind: str
    causes: tuple[str, ...]
    first_seen_at: datetime
    learnt_at: datetime
    before: Place
    now: Place
    told: Facts
    tell: Facts


@dataclass(frozen=True)
class ErratumOfPeriod:
    """Errata of a period, dossier by dossier.

    Attributes:
        figures: what would be counted otherwise now, as ``audit.errata`` says.
        moves: the dossiers behind it.
        unexplained: by unit, procedure, sector, kind and figure, by how many the counts differ that no dossier explains.
    """

    figures: tuple[Erratum, ...]
    moves: tuple[Move, ...]
    unexplained: dict[tuple[str | None, str | None, str | None, str, str], int]


def read_erratum(
    connection: Connection, period: Period, units: Sequence[str] | None = None, kind: str | None = "dossier"
) -> ErratumOfPeriod:
    """What changed since a period was frozen; nothing when it is not frozen.

    Args:
        units: codes to tell of, dossiers that came from or went to another unit included; None means all.
        kind: ``dossier`` or ``petition``; None means both.
    """
    values = {"start": period.start, "end": period.end, "zone": period.zone, "kind": kind}
    rows = connection.execute(text(_MOVES), values | {"units": None if units is None else list(units)})
    moves = tuple(
        Move(
            row.dossier_id,
            row.code,
            row.kind,
            tuple(row.causes),
            row.first_seen_at,
            row.changed_at,
            Place(*row[6:12]),
            Place(*row[12:18]),
            Facts(row.frozen_received_at, row.frozen_due, row.frozen_ended_at),
            Facts(row.received_at, row.due_current, row.ended_at),
        )
        for row in rows
    )
    figures = read_errata(connection, period, units, kind)
    return ErratumOfPeriod(figures, moves, _left_over(figures, moves, units))


def _left_over(
    figures: Sequence[Erratum], moves: Sequence[Move], units: Sequence[str] | None
) -> dict[tuple[str | None, str | None, str | None, str, str], int]:
    left: Counter[tuple[str | None, str | None, str | None, str, str]] = Counter()
    for one in figures:
        left[one.unit_code or None, one.procedure_code, one.sector_code, one.kind, one.figure] += one.now - one.frozen
    for move in moves:
        for place, sign in ((move.before, -1), (move.now, 1)):
            if units is None or place.unit_code in units:
                for figure in filter(None, (place.intake, place.outcome)):
                    left[place.unit_code, place.procedure_code, place.sector_code, move.kind, figure] -= sign
    return {key: value for key, value in left.items() if value}
