"""Whether issued reports are what they were: the digest over each and the one before it, and the bytes of its files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import LedgerError
from tthc_monitor.store.issued import Issue, IssueScope, Listed, MadeFrom, ReportFile, read_issues

FIRST: Final = "0" * 64
"""``previous_digest`` of the first issue."""

_LARGEST: Final = 1 << 30
"""Bytes that one stored file may unpack to."""


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
    previous = FIRST
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
    if digest_of(period, issue.scope, *told) != issue.digest:
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


def digest_of(
    period: tuple[datetime, datetime, str],
    scope: IssueScope,
    number: str,
    at: datetime,
    person: str,
    made_from: MadeFrom,
    files: Sequence[Listed],
    previous: str,
) -> str:
    """The digest over everything that is recorded of an issue (hexadecimal)."""
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
