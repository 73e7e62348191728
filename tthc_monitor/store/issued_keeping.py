"""Keeping a report that is issued: its bytes, what they were made from, and its place in the chain of issues."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period
from tthc_monitor.store.issued import Issue, IssueScope, Listed, MadeFrom, ReportFile, find_issue
from tthc_monitor.store.issued_proof import FIRST, digest_of

_MADE_FROM: Final = """
SELECT l.batch_id AS ledger_link, l.chain_hash AS ledger_head, e.ruleset_fingerprint, e.engine_version,
       e.calendar_version_id, e.limit_version_id,
       encode(sha256(convert_to(coalesce((
           SELECT string_agg(concat_ws(E'\\x1f', v.unit_code, v.name, v.kind, v.parent_code, v.valid_from, v.valid_to), E'\\n'
                             ORDER BY v.unit_code, v.valid_from)
           FROM audit.unit_versions v WHERE v.known_to IS NULL), '') || E'\\n' || coalesce((
           SELECT string_agg(concat_ws(E'\\x1f', s.from_code, s.to_code, s.succeeds_on, s.document, s.share,
                                       s.sector_codes, s.procedure_codes), E'\\n'
                             ORDER BY s.from_code, s.succeeds_on, s.to_code, s.document)
           FROM audit.unit_successions s WHERE s.known_to IS NULL), ''), 'UTF8')), 'hex') AS units_hash
FROM (SELECT) one
LEFT JOIN (SELECT batch_id, chain_hash FROM audit.ledger ORDER BY batch_id DESC LIMIT 1) l ON true
LEFT JOIN (SELECT * FROM audit.evaluations WHERE finished_at IS NOT NULL ORDER BY evaluation_id DESC LIMIT 1) e ON true
"""


def read_made_from(connection: Connection, *, template: str, settings: str, program: str) -> MadeFrom:
    """Heads and versions as they are now.

    Args:
        template, settings: SHA-256 of the Word template, and of the report's part of the configuration with the files that
            it names and :func:`read_said_by_people`.
        program: version of the program.
    """
    row = connection.execute(text(_MADE_FROM.replace(":", "\\:"))).mappings().one()
    return MadeFrom(**row, template_hash=template, settings_hash=settings, program_version=program)


def read_said_by_people(connection: Connection) -> str:
    """The newest cause that somebody assigned, and the newest published figures that somebody imported, by their numbers."""
    query = (
        "SELECT concat_ws(' ', 'cause', coalesce((SELECT max(assignment_id) FROM audit.assigned_causes), 0), "
        "'published', coalesce((SELECT max(published_import_id) FROM audit.published_imports), 0))"
    )
    return str(connection.execute(text(query)).scalar_one())


def newest_digest(connection: Connection) -> str:
    """The digest of the newest issue: what the next one is chained to."""
    query = text("SELECT digest FROM audit.issued_reports ORDER BY issued_report_id DESC LIMIT 1")
    return connection.scalar(query) or FIRST


def keep_issue(
    connection: Connection,
    period: Period,
    scope: IssueScope,
    files: Sequence[ReportFile],
    made_from: MadeFrom,
    *,
    number: str,
    person: str,
    at: datetime,
) -> Issue:
    """Store the files of a report of a frozen period, for good; the caller holds the lock of the freezing.

    Raises:
        ConfigError: a report of this period and these units was issued already.
    """
    if before := find_issue(connection, period, scope):
        raise ConfigError(_ISSUED.format(period.name, before.person, f"{before.at:%Y-%m-%d %H:%M} UTC"))
    previous = newest_digest(connection)
    listed = tuple(
        Listed(one.name, one.format, len(one.content), sha256(one.content).hexdigest())
        for one in sorted(files, key=lambda one: one.name)
    )
    digest = digest_of((period.start, period.end, period.zone), scope, number, at, person, made_from, listed, previous)
    values: dict[str, Any] = asdict(made_from) | {
        "start": period.start,
        "end": period.end,
        "zone": period.zone,
        "units": list(scope.units),
        "subtree": scope.subtree,
        "units_as": scope.units_as,
        "number": number,
        "at": at,
        "person": person,
        "previous": previous,
        "digest": digest,
    }
    issue = connection.scalar(
        text(
            "INSERT INTO tthc.issued_reports (frozen_period_id, unit_codes, subtree, units_as, number, issued_at, person, "
            "ledger_link, ledger_head, ruleset_fingerprint, engine_version, calendar_version_id, limit_version_id, "
            "units_hash, template_hash, settings_hash, program_version, previous_digest, digest) "
            "SELECT p.frozen_period_id, CAST(:units AS text[]), :subtree, :units_as, :number, :at, :person, :ledger_link, "
            ":ledger_head, :ruleset_fingerprint, :engine_version, :calendar_version_id, :limit_version_id, :units_hash, "
            ":template_hash, :settings_hash, :program_version, :previous, :digest FROM audit.frozen_periods p "
            "WHERE p.from_at = :start AND p.to_at = :end AND p.zone = :zone RETURNING issued_report_id"
        ),
        values,
    )
    connection.execute(
        text(
            "INSERT INTO tthc.issued_files (issued_report_id, name, format, size, sha256, packed) "
            "VALUES (:issue, :name, :format, :size, :sha256, :packed)"
        ),
        [
            asdict(told) | {"issue": issue, "packed": zlib.compress(one.content)}
            for told, one in zip(listed, sorted(files, key=lambda one: one.name), strict=True)
        ],
    )
    found = find_issue(connection, period, scope)
    assert found is not None
    return found


_ISSUED: Final = (
    "the report of {0} for these units was issued by {1} on {2} and stays as it is; get it again with: tthc-monitor report "
    "monthly, and what changed since with: tthc-monitor report erratum"
)
