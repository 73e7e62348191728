"""Reports that were issued: their bytes, what they were made from, and whether both are what they were."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import ConfigError, LedgerError
from tthc_monitor.domain.periods import Period

_FIRST: Final = "0" * 64
"""``previous_digest`` of the first issue."""

_LARGEST: Final = 1 << 30
"""Bytes that one stored file may unpack to."""

_COLUMNS: Final = (
    "issued_report_id, from_at, to_at, zone, month, kind, unit_codes, subtree, units_as, number, issued_at, person, "
    "frozen_at, ledger_link, ledger_head, ruleset_fingerprint, engine_version, calendar_version_id, limit_version_id, "
    "units_hash, template_hash, settings_hash, program_version, previous_digest, digest"
)
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


def read_made_from(connection: Connection, *, template: str, settings: str, program: str) -> MadeFrom:
    """Heads and versions as they are now.

    Args:
        template, settings: SHA-256 of the Word template and of the report's part of the configuration.
        program: version of the program.
    """
    row = connection.execute(text(_MADE_FROM.replace(":", "\\:"))).mappings().one()
    return MadeFrom(**row, template_hash=template, settings_hash=settings, program_version=program)


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
    previous = connection.scalar(text("SELECT digest FROM audit.issued_reports ORDER BY issued_report_id DESC LIMIT 1"))
    listed = tuple(
        Listed(one.name, one.format, len(one.content), sha256(one.content).hexdigest())
        for one in sorted(files, key=lambda one: one.name)
    )
    digest = _digest(
        (period.start, period.end, period.zone), scope, number, at, person, made_from, listed, previous or _FIRST
    )
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
        "previous": previous or _FIRST,
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


def unpack(connection: Connection, issue: Issue, formats: Sequence[str]) -> list[ReportFile]:
    """The stored files of some formats, byte for byte as they were issued.

    Raises:
        LedgerError: what is stored is not what was issued.
    """
    if wrong := _why_not(issue):
        raise LedgerError(f"{_told(issue)}: {wrong}; {_REMEDY}")
    found = []
    for one in issue.files:
        if one.format in formats:
            content, wrong = _content(connection, issue, one)
            if wrong:
                raise LedgerError(f"{_told(issue)}: {wrong}; {_REMEDY}")
            found.append(ReportFile(one.name, one.format, content))
    return found


_REMEDY: Final = (
    "do not change anything; keep this database and its backups as they are, ask who had access to it, and compare with the "
    "paper that was signed"
)


def issues_that_changed(connection: Connection) -> Iterator[str]:
    """What is stored of issued reports and is not what was issued, in words; nothing when all is as it was."""
    previous = _FIRST
    for issue in read_issues(connection):
        if issue.previous_digest != previous:
            yield f"{_told(issue)}: the issue before it is not the one that it was issued after"
        previous = issue.digest
        if wrong := _why_not(issue):
            yield f"{_told(issue)}: {wrong}"
        for one in issue.files:
            if wrong := _content(connection, issue, one)[1]:
                yield f"{_told(issue)}: {wrong}"
        yield from _other_link(connection, issue)


def _other_link(connection: Connection, issue: Issue) -> Iterator[str]:
    link, head = issue.made_from.ledger_link, issue.made_from.ledger_head
    if link is not None:
        query = text("SELECT chain_hash FROM audit.ledger WHERE batch_id = :link")
        if connection.scalar(query, {"link": link}) != head:
            yield f"{_told(issue)}: link {link} of the ledger has another hash than when it was issued"


def _why_not(issue: Issue) -> str | None:
    period = (issue.from_at, issue.to_at, issue.zone)
    told = (issue.number, issue.at, issue.person, issue.made_from, issue.files, issue.previous_digest)
    if _digest(period, issue.scope, *told) != issue.digest:
        return "what is recorded of it, or the list of its files, was changed"
    return None


def _content(connection: Connection, issue: Issue, one: Listed) -> tuple[bytes, str | None]:
    packed = connection.scalar(
        text("SELECT packed FROM tthc.issued_files WHERE issued_report_id = :issue AND name = :name"),
        {"issue": issue.issue_id, "name": one.name},
    )
    try:
        content = zlib.decompressobj().decompress(bytes(packed), min(one.size + 1, _LARGEST))
    except zlib.error:
        return b"", f"the bytes of {one.name} cannot be unpacked"
    if len(content) != one.size or sha256(content).hexdigest() != one.sha256:
        return b"", f"the bytes of {one.name} are not those that were issued"
    return content, None


def _told(issue: Issue) -> str:
    units = f" for {', '.join(issue.scope.units)}" if issue.scope.units else ""
    return f"issued report {issue.issue_id} of {issue.period}{units}"


def _digest(
    period: tuple[datetime, datetime, str],
    scope: IssueScope,
    number: str,
    at: datetime,
    person: str,
    made_from: MadeFrom,
    files: Sequence[Listed],
    previous: str,
) -> str:
    start, end, zone = period
    told = {
        "period": [_instant(start), _instant(end), zone],
        "scope": asdict(scope),
        "number": number,
        "at": _instant(at),
        "person": person,
        "made_from": asdict(made_from),
        "files": [asdict(one) for one in files],
        "previous": previous,
    }
    return sha256(json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")
