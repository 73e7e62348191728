"""What the digests of one run are made of: read once, then cut for each recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.outputs.digest_places import read_places
from tthc_monitor.outputs.digest_rules import INTEGRITY, OVERDUE, RulesInForce, read_rules
from tthc_monitor.outputs.digest_trend import Moments, Movement, read_movement
from tthc_monitor.outputs.frames import days_late, read_frame
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head

if TYPE_CHECKING:
    from sqlalchemy import Connection

TREND_DAYS: Final = 10
"""Working days that the trend of a digest shows by default."""

_STANDING: Final = (
    *(OVERDUE, "apology_missing", "due_today", "due_soon", "due_soon_24h", "acknowledged_late", "waiting_long"),
    "supplement_requested",
)
_APOLOGY_LISTS: Final = ("apology_missing", "apology_missing_before")
COUNTED_FROM: Final = {
    OVERDUE: "due_at",
    "petitions_overdue": "due_at",
    "acknowledged_late": "since",
    "waiting_long": "requested_at",
}
"""Lists whose rows carry a number of working days, and the instant after which these are counted."""
APOLOGIES: Final = ("missing", "late", "in_time", "unknown")
"""What is known of the apology for an overdue dossier. Of several letters, or of one that came after the due instant and was
not found fault with, the rule says nothing; as the report has it.
"""

_SORTED_BY: Final = {
    OVERDUE: ("due_at", True),
    "due_today": ("due_at", True),
    "due_soon": ("due_at", True),
    "due_soon_24h": ("due_at", True),
    "acknowledged_late": ("since", True),
    "waiting_long": ("requested_at", True),
    "returned": ("since", False),
    "petitions_overdue": ("due_at", True),
    INTEGRITY: ("since", False),
}
"""By what each list is sorted where the working days are the same or are not counted, and whether the earliest is the worst."""

_UNITS: Final = """
WITH counted AS (
    SELECT coalesce(v.unit_code, '') AS unit_code, coalesce(v.sector_code, '') AS sector_code,
           count(*) FILTER (WHERE v.kind = 'dossier') AS open,
           count(*) FILTER (WHERE v.kind = 'dossier' AND v.verdict = 'cannot_tell') AS cannot_tell
    FROM audit.verdicts_as_of(%(now)s) v
    WHERE v.verdict <> 'not_received' AND (v.ended_at > %(now)s) IS NOT FALSE
    GROUP BY 1, 2
)
SELECT coalesce(u.unit_code, c.unit_code) AS unit_code, u.name AS unit_name, c.sector_code,
       coalesce(c.open, 0) AS open, coalesce(c.cannot_tell, 0) AS cannot_tell
FROM audit.units u FULL JOIN counted c USING (unit_code)
"""

# A finding of a rule about a state counts while it stands of an open dossier. What was sent back is news since the last
# working day; so is a sign of meddling that began since then, or that what was seen since then brought to light.
_ATTENTION: Final = """
WITH heard AS (
    SELECT coalesce(min(first_observation_id), 9223372036854775807) AS since FROM audit.ledger WHERE seen_at >= %(since)s
), found AS (
    SELECT f.dossier_id, f.rule_version_id, f.starts_at, (f.evidence ->> 'due_at')::timestamptz AS due_at,
           coalesce(f.evidence ->> 'acknowledged_at', f.evidence ->> 'apology_at')::timestamptz AS done_at, true AS stands
    FROM audit.flags_in_force f
    WHERE f.rule_version_id = ANY (%(standing)s::int[]) AND f.starts_at <= %(now)s AND f.ends_at > %(now)s
    UNION ALL
    SELECT f.dossier_id, f.rule_version_id, f.starts_at, (f.evidence ->> 'due_at')::timestamptz, NULL, false
    FROM audit.flags_in_force f
    WHERE f.rule_version_id = ANY (%(returned)s::int[]) AND f.starts_at <= %(now)s AND f.starts_at >= %(since)s
    UNION ALL
    SELECT f.dossier_id, f.rule_version_id, f.starts_at, (f.evidence ->> 'due_at')::timestamptz, NULL, false
    FROM audit.flags f
    WHERE f.rule_version_id = ANY (%(integrity)s::int[]) AND f.believed_to IS NULL AND f.starts_at <= %(now)s
      AND f.ends_at > %(now)s AND (f.starts_at >= %(since)s OR f.observation_id >= (SELECT since FROM heard))
)
SELECT f.dossier_id, f.rule_version_id, f.starts_at AS since, d.kind, coalesce(d.unit_code, '') AS unit_code, d.unit_name,
       coalesce(d.sector_code, '') AS sector_code, d.sector_name, d.source, coalesce(d.code, d.source_key) AS code,
       d.procedure_code, coalesce(d.procedure_name, d.procedure_code) AS procedure, d.step_name AS step,
       d.step_unit_code, d.status_name AS status, d.submitted_at, d.received_at,
       d.supplement_requested_at AS requested_at, coalesce(f.due_at, d.due_current) AS due_at, f.done_at,
       d.apology_at, coalesce(d.reappointment_count, 0) <= 1 AND coalesce(d.due_moves, 0) <= 1 AS one_promise
FROM found f JOIN audit.dossiers d USING (dossier_id)
WHERE NOT f.stands OR (d.ended_at > %(now)s) IS NOT FALSE
  -- Of what is not judged as it is now the verdict cannot be told.
  AND (f.rule_version_id <> ALL (%(overdue)s::int[]) OR d.received_at <= %(now)s AND NOT EXISTS (
      SELECT FROM audit.unjudged u WHERE d.observation_id BETWEEN u.first_observation_id AND u.last_observation_id))
"""

_SOURCES: Final = """
SELECT s.source, (SELECT max(r.finished_at) FROM audit.pull_runs r WHERE r.source = s.source AND r.outcome = 'ok')
FROM audit.sources s ORDER BY s.source
"""
_KNOWN_UNITS: Final = """
SELECT DISTINCT ON (unit_code) unit_code, name FROM audit.unit_versions WHERE known_to IS NULL
ORDER BY unit_code, valid_from DESC NULLS LAST
"""
_SECTORS: Final = "SELECT sector_code, name FROM audit.sectors WHERE name IS NOT NULL"
_UNJUDGED: Final = "SELECT coalesce(sum(row_count), 0)::bigint FROM audit.unjudged"


@dataclass(frozen=True)
class DigestFacts:
    """All that the digests of one instant need.

    Attributes:
        now: the instant they describe.
        calendars: by which days are counted, each unit's by its own.
        rules: by which was judged.
        units: one row per unit and sector ('' = none): ``unit_code``, ``unit_name``, ``sector_code``, ``open``,
            ``cannot_tell``; a unit without open dossiers has one row, with no sector.
        described: name of each unit of the register of units.
        sectors: name of each sector.
        attention: one row per dossier and list, the worst of each list first: ``list``, ``since``, codes and names,
            instants, ``days`` (working days, of its unit's calendar; 0 also where nobody knows from which day on), ``apology``
            (one of :data:`APOLOGIES`, of overdue dossiers), ``place`` (step and unit where it lies).
        movement: figures of the past.
        sources: name of each source, and the end of its last pull that went well.
        unjudged: records seen and not judged yet.
        ledger_head: the newest link of the ledger; None while the ledger is empty.
    """

    now: datetime
    calendars: Calendars
    rules: RulesInForce
    units: pd.DataFrame
    described: Mapping[str, str]
    sectors: Mapping[str, str]
    attention: pd.DataFrame
    movement: Movement
    sources: tuple[tuple[str, datetime | None], ...]
    unjudged: int
    ledger_head: LedgerHead | None
    made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was made for one scope, for others of the same scope."""

    @property
    def zone(self) -> str:
        """IANA name of the zone of days and hours."""
        return self.calendars.zone

    @cached_property
    def told(self) -> frozenset[str]:
        """Codes of the units of which some source tells."""
        return frozenset(self.units["unit_code"])

    def moments_of(self, units: frozenset[str] | None) -> Moments:
        """What yesterday is for some units: by their calendar, or the office's where they have several."""
        found = {self.calendars.of_unit(code) for code in units or ()}
        (calendar,) = found if len(found) == 1 else {self.calendars.default}
        return self.movement.moments[calendar]


def read_digest_facts(
    connection: Connection, now: datetime, calendars: Calendars, *, trend_days: int = TREND_DAYS
) -> DigestFacts:
    """Read the facts of all recipients at ``now``.

    Args:
        calendars: of the office at large and of units that work otherwise.
        trend_days: working days that the trend goes back.

    Raises:
        CalendarError: ``now`` lies outside the calendars' horizon, or there are not so many working days before it.
    """
    rules = read_rules(connection)
    movement = read_movement(connection, now, calendars, rules, trend_days)
    since = min(one.since for one in movement.moments.values())
    values: dict[str, Any] = {
        "now": now,
        "since": since,
        "standing": rules.of(*_STANDING),
        "returned": rules.of("returned"),
        INTEGRITY: rules.of(INTEGRITY),
        OVERDUE: rules.of(OVERDUE),
    }
    instants = ("since", "submitted_at", "received_at", "requested_at", "due_at", "done_at", "apology_at")
    found = _listed(read_frame(connection, _ATTENTION, values, instants=instants), rules)
    units = read_frame(connection, _UNITS, {"now": now})
    described = {row[0]: row[1] for row in connection.exec_driver_sql(_KNOWN_UNITS)}
    names = described | dict(units.loc[units["unit_name"].notna(), ["unit_code", "unit_name"]].itertuples(index=False))
    attention = _sorted(_counted(_apologies(_settled(found, now)), now, calendars))
    attention = attention.assign(place=read_places(connection, now, rules, attention, names))
    sources = connection.exec_driver_sql(_SOURCES).all()
    return DigestFacts(
        now,
        calendars,
        rules,
        units.assign(sector_code=units["sector_code"].fillna("")),
        described,
        {row[0]: row[1] for row in connection.exec_driver_sql(_SECTORS)},
        attention,
        movement,
        tuple((name, last) for name, last in sources),
        connection.exec_driver_sql(_UNJUDGED).scalar_one(),
        read_ledger_head(connection, calendars.zone),
    )


def _listed(found: pd.DataFrame, rules: RulesInForce) -> pd.DataFrame:
    """Name the list of each finding; of petitions those that are overdue and integrity findings are told."""
    lists, petitions = found["rule_version_id"].map(dict(rules.versions)), found["kind"] == "petition"
    found = found.assign(list=lists.mask(petitions & (lists == OVERDUE), "petitions_overdue").astype(object))
    return found[~petitions | found["list"].isin(["petitions_overdue", INTEGRITY])].reset_index(drop=True)


def _settled(found: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Set apart what a rule flags for good and nobody can act on any more: received late, apologised for late, or a promise
    put off without the apology owed. What lacks an apology is overdue too.
    """
    late = set(found.loc[found["list"] == OVERDUE, "dossier_id"])
    apologies = found["list"] == "apology_missing"
    done = found["done_at"] <= now
    over = (apologies & (done | ~found["dossier_id"].isin(late))) | ((found["list"] == "acknowledged_late") & done)
    return found.assign(list=found["list"].mask(over, found["list"] + "_before"))


def _apologies(found: pd.DataFrame) -> pd.DataFrame:
    """What is known of each dossier's apology, one of :data:`APOLOGIES`."""
    flagged = {
        name: found["dossier_id"].isin(found.loc[found["list"] == name, "dossier_id"]) for name in _APOLOGY_LISTS
    }
    missing, late = flagged.values()
    in_time = (found["apology_at"] < found["due_at"]) & found["one_promise"].astype(bool)
    return found.assign(apology=np.select([missing, late, in_time], APOLOGIES[:3], APOLOGIES[3]))


def _counted(found: pd.DataFrame, now: datetime, calendars: Calendars) -> pd.DataFrame:
    """Working days of each unit's own calendar, as far as a list counts any."""
    counts = pd.Series(0, index=found.index)
    for key, column in COUNTED_FROM.items():
        rows = found[(found["list"] == key) & found[column].notna()]
        for calendar, mine in calendars.partition(rows["unit_code"]):
            counts[rows.index[mine]] = days_late(calendar, rows.loc[mine, column], now, calendars.zone)
    return found.assign(days=counts)


def _sorted(found: pd.DataFrame) -> pd.DataFrame:
    parts = [rows for key, rows in found.groupby("list") if key not in _SORTED_BY]
    for key, (column, ascending) in _SORTED_BY.items():
        rows = found[found["list"] == key]
        parts.append(rows.sort_values(["days", column, "code"], ascending=[False, ascending, True]))
    return pd.concat([part for part in parts if len(part)] or [found]).reset_index(drop=True)
