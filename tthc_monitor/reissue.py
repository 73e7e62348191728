"""A report that was issued is given out again byte for byte, not made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tthc_monitor.domain.periods import Period
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.store.database import transaction
from tthc_monitor.store.issued import Issue, IssueScope, ReportFile, find_issue
from tthc_monitor.store.issued_proof import unpack


def issued_files(
    installation: Installation, period: Period, scope: IssueScope, formats: Sequence[str]
) -> tuple[Issue | None, list[ReportFile]]:
    """The issued report of a period and of these units, and its files in the formats that are asked for.

    Raises:
        LedgerError: what is stored is not what was issued.
    """
    with transaction(installation.engine) as connection:
        issue = find_issue(connection, period, scope)
        return issue, [] if issue is None else unpack(connection, issue, formats)


def write_files(files: Sequence[ReportFile], folder: Path) -> list[Path]:
    """Write files as they are; returns where.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    return [_write(one, folder / one.name) for one in files]


def _write(file: ReportFile, path: Path) -> Path:
    return write_whole(path, lambda temporary: temporary.write_bytes(file.content))
