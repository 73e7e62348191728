"""Reports that were issued: of which period and units, by whom, what they were made from, and the list of their files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, text

from tthc_monitor.domain.periods import Period

_COLUMNS: Final = (
    "issued_report_id, from_at, to_at, zone, month, kind, unit_codes, subtree, units_as, number, issued_at, person, "
    "frozen_at, ledger_link, ledger_head, ruleset_fingerprint, engine_version, calendar_version_id, limit_version_id, "
    "units_hash, template_hash, settings_hash, program_version, previous_digest, digest"
)


@dataclass(frozen=True, slots=True)
class IssueScope:
    """Which units a report is about: codes in order, empty for all; those below too; as then or as now."""

    units: tuple[str, ...] = ()
    subtree: bool = True
    units_as: Literal["then", "now"] = "then"


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a report was made from: heads, versions and hashes (hexadecimal). None where there was nothing yet."""

    ledger_link: int | None
    ledger_head: str | None
    ruleset_fingerprint: str | None
    engine_version: str | None
    calendar_version_id: int | None
    limit_version_id: int | None
    units_hash: str
    template_hash: str
    settings_hash: str
    program_version: str


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file of a report: its name within the folder, its format, its bytes."""

    name: str
    format: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a file without its bytes."""

    name: str
    format: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Issue:
    """An issued report.

    Attributes:
        number: number and symbol of the document, empty when it was not told.
        frozen_at: when its figures were frozen (UTC).
        digest: over all of this, its files and ``previous_digest``, so that issues are a chain.
    """

    issue_id: int
    from_at: datetime
    to_at: datetime
    zone: str
    period: str
    kind: str
    scope: IssueScope
    number: str
    at: datetime
    person: str
    frozen_at: datetime
    made_from: MadeFrom
    files: tuple[Listed, ...]
    previous_digest: str
    digest: str


def find_issue(connection: Connection, period: Period, scope: IssueScope) -> Issue | None:
    """The issued report of this very period and of these units; None when there is none."""
    for issue in read_issues(connection, (period.start, period.end, period.zone)):
        if issue.scope == scope:
            return issue
    return None


def read_issues(connection: Connection, of: tuple[datetime, datetime, str] | None = None) -> tuple[Issue, ...]:
    """Issued reports in the order in which they were issued.

    Args:
        of: first instant, end and zone of a period; None means every period.
    """
    start, end, zone = of or (None, None, None)
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM audit.issued_reports WHERE CAST(:zone AS text) IS NULL "
            "OR from_at = :start AND to_at = :end AND zone = :zone ORDER BY issued_report_id"
        ),
        {"start": start, "end": end, "zone": zone},
    ).all()
    files: dict[int, list[Listed]] = {}
    for number, *told in connection.execute(
        text(
            "SELECT issued_report_id, name, format, size, sha256 FROM audit.issued_files "
            'WHERE issued_report_id = ANY(:ids) ORDER BY issued_report_id, name COLLATE "C"'
        ),
        {"ids": [row.issued_report_id for row in rows]},
    ):
        files.setdefault(number, []).append(Listed(*told))
    return tuple(
        Issue(
            issue_id=row.issued_report_id,
            from_at=row.from_at,
            to_at=row.to_at,
            zone=row.zone,
            period=row.month,
            kind=row.kind,
            scope=IssueScope(tuple(row.unit_codes), row.subtree, row.units_as),
            number=row.number,
            at=row.issued_at,
            person=row.person,
            frozen_at=row.frozen_at,
            made_from=MadeFrom(**{field.name: getattr(row, field.name) for field in fields(MadeFrom)}),
            files=tuple(files.get(row.issued_report_id, ())),
            previous_digest=row.previous_digest,
            digest=row.digest,
        )
        for row in rows
    )
