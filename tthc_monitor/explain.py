"""Why a dossier has the verdict it has: everything that went into it, so that a person can check it line by line.

The verdict and the findings are those that stand in the database; the working time behind them is written out from the
same calendar, and adds up to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, text

from rules.grounds import Grounds, with_derived
from rules.judge import answers
from rules.kinds.promise import due_instant
from rules.model import AgainstDue
from rules.registry import KINDS
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.domain.lawful_steps import Step, lawful_steps
from tthc_monitor.domain.statuses import Status
from tthc_monitor.domain.time_ledger import TimeLedger, Wait, time_ledger
from tthc_monitor.store import judgements

_WAITING = int(Status.SUPPLEMENT_REQUESTED)
_SHOWN = (
    "status", "source_status", "unit_code", "submitted_at", "received_at", "competent_received_at", "transferred_at",
    "due_original", "due_current", "result_at", "finished_at", "delivered_at", "published_at",
    "supplement_requested_at", "supplement_completed_at", "supplement_count", "step_code", "step_name",
    "step_unit_code", "step_due_at", "consulted_unit_code", "consulted_due_at", "consulted_answered_at",
    "apology_at", "stop_requested_at",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A finding that stands, and by which versions."""

    rule_code: str
    title: str
    severity: str
    verdict: str | None
    legal_basis: str
    starts_at: datetime
    ends_at: datetime | None
    evidence: Mapping[str, Any]
    rule_version_id: int
    calendar_version_id: int
    engine_version: str
    observation_id: int
    believed_from: datetime


@dataclass(frozen=True)
class Record:
    """One observation: when we saw what, and which of the fields shown differ from the one before."""

    observation_id: int
    seen_at: datetime
    changed: Mapping[str, Any]


@dataclass(frozen=True)
class Explanation:
    """All of it. Instants are aware.

    ``due_at`` is the instant that lateness counts from, waits for the applicant taken out; ``ledger`` the working time
    from reception to the end (or ``as_of``), parted at ``due_at`` by :func:`late_seconds`; ``unanswered`` the rules that
    cannot tell, by code with their titles.
    """

    as_of: datetime
    zone: str
    dossier: Mapping[str, Any]
    verdict: str
    due_at: datetime | None
    ledger: TimeLedger | None
    lawful: Sequence[Step]
    findings: Sequence[Finding]
    unanswered: Mapping[str, str]
    records: Sequence[Record]
    names: Mapping[str, str]

    @property
    def late_seconds(self) -> float | None:
        """Working seconds past the due instant; None when it is not late."""
        if self.verdict not in ("late", "open_overdue") or self.ledger is None or self.due_at is None:
            return None
        return sum(
            (line.end - max(line.start, self.due_at)).total_seconds()
            for line in self.ledger.lines
            if line.end > self.due_at
        )


def explain(connection: Connection, grounds: Grounds, name: str, as_of: datetime) -> Explanation:
    """Explain the verdict on a dossier at an instant, by what is known now.

    Args:
        name: the dossier's code (mã hồ sơ), its key in its source, or its number in the database.

    Raises:
        ConfigError: no dossier is called so, or several are.
    """
    dossier = _find(connection, name)
    number = int(dossier["dossier_id"])
    query = f"SELECT dossier_id FROM tthc.dossiers WHERE dossier_id = {number}"
    wire = judgements.load_facts(connection, query, erased=True)
    calendar = grounds.calendars.of_unit(dossier["unit_code"])
    facts = with_derived(facts_frame(wire), calendar, grounds.limits)
    clock = _official_clock(grounds)
    due = due_instant(facts, calendar, facts["due_current"], clock).iloc[0]
    row = {str(name): None if pd.isna(value) else value for name, value in facts.iloc[0].to_dict().items()}
    records, findings = _records(connection, number), _findings(connection, number)
    verdict: str = connection.execute(
        text("SELECT verdict FROM audit.verdicts_as_of(:at) WHERE dossier_id = :number"),
        {"at": as_of, "number": number},
    ).scalar_one()
    return Explanation(
        as_of,
        grounds.calendars.zone,
        dossier,
        verdict,
        _aware(due),
        _ledger(grounds, dossier, row, records if clock == "stopped" else None, _aware(due), as_of),
        lawful_steps(row, calendar, grounds.limits),
        findings,
        {
            rule.code: rule.title
            for rule in grounds.rules
            if KINDS[rule.kind].groups is None and answers(facts, calendar, rule).iloc[0] == "cannot_tell"
        },
        records,
        _names(connection, findings, records),
    )


def _names(connection: Connection, findings: Sequence[Finding], records: Sequence[Record]) -> dict[str, str]:
    """Names of the units named in evidence and records, by code; codes of other dossiers, as ``dossier 12``."""
    told = [value for finding in findings for value in finding.evidence.values() if isinstance(value, str)]
    told += [value for one in records for name, value in one.changed.items() if name.endswith("unit_code") and value]
    units = connection.execute(
        text("SELECT unit_code, name FROM audit.units WHERE unit_code = ANY(:codes) AND name IS NOT NULL"),
        {"codes": told},
    )
    others = [
        int(finding.evidence["refiled_dossier_id"]) for finding in findings if "refiled_dossier_id" in finding.evidence
    ]
    dossiers = connection.execute(
        text(
            "SELECT 'dossier ' || dossier_id, coalesce(code, source_key) FROM audit.dossiers WHERE dossier_id = ANY(:ids)"
        ),
        {"ids": others},
    )
    return {str(key): str(value) for key, value in (*units, *dossiers)}


def _official_clock(grounds: Grounds) -> Literal["stopped", "running"]:
    """Whether the office's clock stands still while the applicant is awaited, as the official rule has it."""
    official = next((rule for rule in grounds.rules if rule.verdict == "open_overdue"), None)
    return official.clock_while_waiting if isinstance(official, AgainstDue) else "stopped"


def _find(connection: Connection, name: str) -> Mapping[str, Any]:
    query = "SELECT * FROM audit.dossiers WHERE code = :name OR source_key = :name"
    if name.isdecimal() and len(name) < 19:
        query += f" OR dossier_id = {int(name)}"
    rows = connection.execute(text(query + " ORDER BY dossier_id LIMIT 20"), {"name": name}).mappings().all()
    if not rows:
        raise ConfigError(f"no dossier is called '{name}'; give its code, its key in the source, or its number")
    if len(rows) > 1:
        each = ", ".join(f"{row['dossier_id']} ({row['source']})" for row in rows)
        raise ConfigError(f"{len(rows)} dossiers are called '{name}'; give the number of one: {each}")
    return dict(rows[0])


def _ledger(
    grounds: Grounds,
    dossier: Mapping[str, Any],
    row: Mapping[str, Any],
    records: Sequence[Record] | None,
    due: datetime | None,
    as_of: datetime,
) -> TimeLedger | None:
    """From the reception, or from a promise before it, to the end; ``records`` None: no wait stops the clock."""
    received, ended = row["received_at"], row["ended_at"] or row["end_seen_at"]
    if received is None or received >= as_of:
        return None
    until = min(ended or as_of, as_of)
    if until <= received:
        return None
    waits = [] if records is None else _waits(row, records)
    # After the due instant nothing excuses: a request made then stops no clock.
    waits = [Wait(wait.start, wait.end, wait.reason) for wait in waits if due is None or wait.start < due]
    unit = dossier["unit_code"]
    start = received if due is None else min(received, due)
    return time_ledger(grounds.calendar, grounds.calendars.of_unit(unit), unit, start, until, waits)


def _waits(row: Mapping[str, Any], records: Sequence[Record]) -> list[Wait]:
    """Every wait for the applicant that is known, with the record in which we first saw it."""
    earlier = json.loads(row["earlier_waits"]) if row["earlier_waits"] else []
    spans = [(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in earlier]
    if row["supplement_requested_at"] is not None:
        spans.append((row["supplement_requested_at"], row["supplement_completed_at"]))
    told = [
        one for one in records if one.changed.get("supplement_requested_at") or one.changed.get("status") == _WAITING
    ]
    return [Wait(start, end, f"chờ công dân bổ sung hồ sơ ({_seen_in(told, start)})") for start, end in spans]


def _seen_in(records: Sequence[Record], start: datetime) -> str:
    """The record that tells of a request: the first that was seen at or after it."""
    found = next((record for record in records if record.seen_at >= start), None)
    return f"ghi nhận số {found.observation_id}" if found else "chưa rõ ghi nhận nào"


def _findings(connection: Connection, dossier_id: int) -> list[Finding]:
    query = """
        SELECT f.rule_code, f.title, f.severity, f.verdict, f.legal_basis, f.starts_at, nullif(f.ends_at, 'infinity'),
               f.evidence, f.rule_version_id, f.calendar_version_id, f.engine_version, f.observation_id, f.believed_from
        FROM audit.flags f WHERE f.dossier_id = :number AND f.believed_to IS NULL
        ORDER BY f.verdict IS NULL, f.starts_at, f.rule_code
    """
    return [Finding(*row) for row in connection.execute(text(query), {"number": dossier_id})]


def _records(connection: Connection, dossier_id: int) -> list[Record]:
    query = (
        f"SELECT observation_id, seen_at, {', '.join(_SHOWN)} FROM tthc.observations "
        "WHERE dossier_id = :number ORDER BY observation_id"
    )
    found: list[Record] = []
    before: dict[str, Any] = {}
    for number, seen_at, *values in connection.execute(text(query), {"number": dossier_id}):
        now = dict(zip(_SHOWN, values, strict=True))
        changed = {name: value for name, value in now.items() if value != before.get(name)}
        found.append(Record(number, seen_at, changed))
        before = now
    return found


def _aware(value: Any) -> datetime | None:
    return None if value is pd.NaT or value is None else value.to_pydatetime().astimezone(UTC)
