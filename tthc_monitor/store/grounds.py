"""Versions of what is judged by, and which of them each evaluation used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class JudgedBy:
    """What an evaluation judges by, as version numbers."""

    ruleset_fingerprint: str
    rule_version_ids: tuple[int, ...]
    calendar_version_id: int
    limit_version_id: int | None
    engine_version: str


def register_calendar(
    connection: Connection, name: str, fingerprint: str, definition: Mapping[str, Any], at: datetime
) -> int:
    """Version number of a calendar, given on first use."""
    return _register(
        connection, "calendar_version", {"name": name, "fingerprint": fingerprint, "definition": definition}, at
    )


def register_limits(connection: Connection, fingerprint: str, definition: Mapping[str, Any], at: datetime) -> int:
    """Version number of a set of time limits, given on first use."""
    return _register(connection, "limit_version", {"fingerprint": fingerprint, "definition": definition}, at)


def register_rule(connection: Connection, definition: Mapping[str, Any], fingerprint: str, at: datetime) -> int:
    """Version number of a rule, given on first use."""
    columns = {name: definition.get(name) for name in ("kind", "title", "severity", "verdict", "legal_basis")}
    return _register(
        connection,
        "rule_version",
        {"rule_code": definition["code"], **columns, "fingerprint": fingerprint, "definition": definition},
        at,
    )


def _register(connection: Connection, what: str, values: Mapping[str, Any], at: datetime) -> int:
    parameters = {**values, "at": at}
    known = text(f"SELECT {what}_id FROM tthc.{what}s WHERE fingerprint = :fingerprint")
    version: int | None = connection.scalar(known, parameters)
    if version is None:
        # Two processes may meet a new version at once; whoever comes second finds the other's.
        names = ", ".join(values)
        slots = ", ".join(f"CAST(:{name} AS jsonb)" if name == "definition" else f":{name}" for name in values)
        insert = (
            f"INSERT INTO tthc.{what}s ({names}, known_from) VALUES ({slots}, :at) ON CONFLICT (fingerprint) DO NOTHING"
        )
        written = {**parameters, "definition": json.dumps(values["definition"], ensure_ascii=False)}
        connection.execute(text(insert), written)
        version = connection.execute(known, parameters).scalar_one()
    return version


def known_versions(
    connection: Connection, ruleset: str, rules: Sequence[str], calendar: str, limits: str, engine: str
) -> JudgedBy | None:
    """The versions with these fingerprints; None when one of them is not known, or the calendar is not kept compiled."""
    row = connection.execute(
        text(
            "SELECT array(SELECT rule_version_id FROM tthc.rule_versions WHERE fingerprint = ANY(:rules) ORDER BY 1), "
            "(SELECT calendar_version_id FROM tthc.calendar_versions c WHERE fingerprint = :calendar AND EXISTS "
            "(SELECT FROM tthc.calendar_variants v WHERE v.calendar_version_id = c.calendar_version_id)), "
            "(SELECT limit_version_id FROM tthc.limit_versions WHERE fingerprint = :limits)"
        ),
        {"rules": list(rules), "calendar": calendar, "limits": limits},
    ).one()
    if len(row[0]) < len(set(rules)) or row[1] is None or row[2] is None:
        return None
    return JudgedBy(ruleset, tuple(row[0]), row[1], row[2], engine)


def judged_by_since(connection: Connection) -> set[JudgedBy]:
    """By what the flags held may have been judged: the last completed evaluation, and those begun after it."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ruleset_fingerprint, rule_version_ids, calendar_version_id, limit_version_id, "
            "engine_version FROM tthc.evaluations WHERE evaluation_id >= coalesce((SELECT max(evaluation_id) "
            "FROM tthc.evaluations WHERE finished_at IS NOT NULL), 0)"
        )
    )
    return {JudgedBy(row[0], tuple(row[1] or ()), row[2], row[3], row[4]) for row in rows}


def first_evaluated(connection: Connection) -> datetime | None:
    """When the first evaluation was over; None: none ever was."""
    found: datetime | None = connection.execute(text("SELECT min(finished_at) FROM tthc.evaluations")).scalar_one()
    return found


def definition(connection: Connection, what: str, version: int) -> Mapping[str, Any]:
    """What a version of a ``calendar``, ``limit`` or ``rule`` says."""
    query = text(f"SELECT definition FROM tthc.{what}_versions WHERE {what}_version_id = :version")
    found: Mapping[str, Any] = connection.execute(query, {"version": version}).scalar_one()
    return found


def codes_of(connection: Connection, rule_version_ids: Sequence[int]) -> set[str]:
    """The codes of these rule versions."""
    query = text("SELECT rule_code FROM tthc.rule_versions WHERE rule_version_id = ANY(:ids)")
    return set(connection.execute(query, {"ids": list(rule_version_ids)}).scalars())


def all_codes(connection: Connection) -> set[str]:
    """Codes of every rule that was ever in force."""
    return set(connection.execute(text("SELECT DISTINCT rule_code FROM tthc.rule_versions")).scalars())


def open_evaluation(connection: Connection, at: datetime, reason: str, person: str | None, by: JudgedBy) -> int:
    """Record that an evaluation begins."""
    evaluation_id: int = connection.execute(
        text(
            "INSERT INTO tthc.evaluations (started_at, reason, person, engine_version, ruleset_fingerprint, "
            "rule_version_ids, calendar_version_id, limit_version_id) "
            "VALUES (:at, :reason, :person, :engine, :rules, :rule_ids, :calendar, :limits) RETURNING evaluation_id"
        ),
        {
            "at": at,
            "reason": reason,
            "person": person,
            "engine": by.engine_version,
            "rules": by.ruleset_fingerprint,
            "rule_ids": list(by.rule_version_ids),
            "calendar": by.calendar_version_id,
            "limits": by.limit_version_id,
        },
    ).scalar_one()
    return evaluation_id


def close_evaluation(
    connection: Connection, evaluation_id: int, at: datetime, judged: int, opened: int, closed: int
) -> None:
    """Record what an evaluation did."""
    connection.execute(
        text(
            "UPDATE tthc.evaluations SET finished_at = :at, dossiers_judged = :judged, flags_opened = :opened, "
            "flags_closed = :closed WHERE evaluation_id = :id"
        ),
        {"id": evaluation_id, "at": at, "judged": judged, "opened": opened, "closed": closed},
    )
