"""The monthly report: written for a period, frozen, and what changed since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import time
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, text

from tthc_monitor import judging
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, last_ended_month
from tthc_monitor.domain.schedules import Monthly
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.report import IssuedPaper, build_report
from tthc_monitor.outputs.report_files import Step, make_writer
from tthc_monitor.outputs.report_units import UnitsAs
from tthc_monitor.reissue import issued_files, write_files
from tthc_monitor.report_settings import ReportFormat
from tthc_monitor.settings import Settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import Erratum, Frozen, freeze, read_errata, read_frozen
from tthc_monitor.store.issued import IssueScope

log = structlog.get_logger(__name__)

_LONGEST_SCOPE = 100


def monthly_report(
    installation: Installation,
    period: Period,
    folder: Path,
    units: tuple[str, ...] = (),
    formats: Sequence[ReportFormat] = ("xlsx",),
    step: Step = nullcontext,
    *,
    subtree: bool = True,
    units_as: UnitsAs = "then",
    anew: bool = False,
) -> list[Path]:
    """Write the report of a period into a folder; returns the files.

    What was issued is given out as it was issued; what is made beside it has another name.

    Args:
        units, subtree, units_as: what it is about; see :func:`~tthc_monitor.outputs.report.build_report`.
        anew: make it from what is known now, although it was issued.
        formats: what to write; PDF needs LibreOffice.
        step: shows what is being done.

    Raises:
        ConfigError: a unit code that no source has named yet, a template that cannot be filled, no LibreOffice.
        DeliveryError: the folder cannot be written.
    """
    settings = installation.settings
    scope = IssueScope(tuple(sorted(set(units))), subtree, units_as)
    issue, held = issued_files(installation, period, scope, () if anew else formats)
    written = []
    if issue is not None and held:
        with step(f"the report of {period.name} as {issue.person} issued it"):
            written = write_files(held, folder)
        formats = [one for one in formats if one not in {file.format for file in held}]
        if not formats:
            return written
    writer = make_writer(settings.report, settings.base_dir, formats)
    with step(f"figures of {period.name}"):
        judging.refresh(installation)
        with transaction(installation.engine) as connection:
            report = build_report(
                connection,
                period,
                installation.now(),
                settings.calendar.compile(),
                settings=settings.report,
                base_dir=settings.base_dir,
                units=list(units) or None,
                subtree=subtree,
                units_as=units_as,
            )
    if issue is not None:
        paper = IssuedPaper(issue.number, issue.at, issue.previous_digest, issue.digest)
        report = replace(report, paper=paper)
    stem = file_stem(period, units, subtree=subtree, units_as=units_as)
    beside = "" if issue is None else f"-lap-lai-{installation.now().astimezone(ZoneInfo(period.zone)):%Y%m%d-%H%M%S}"
    return written + writer.write(report, folder / f"{stem}{beside}", step)


def freeze_period(installation: Installation, period: Period, person: str) -> int:
    """Judge what waits, then let the figures of a period stand; see :func:`tthc_monitor.store.frozen.freeze`."""
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        return freeze(connection, period, person, installation.now())


def errata(installation: Installation, period: Period) -> tuple[Frozen, tuple[Erratum, ...]]:
    """Who froze a period, and what would be counted otherwise now.

    Raises:
        ConfigError: it is not frozen.
    """
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        frozen = read_frozen(connection, period)
        if frozen is None:
            raise ConfigError(
                f"the period {period.name} is not frozen, so it has no errata; run: tthc-monitor report freeze"
            )
        return frozen, read_errata(connection, period)


def require_units(connection: Connection, units: tuple[str, ...]) -> None:
    """Refuse unit codes that no source has named yet.

    Raises:
        ConfigError: one of them is not known.
    """
    known = set(connection.scalars(text("SELECT unit_code FROM audit.units"))) if units else set()
    unknown = sorted(set(units) - known)
    if unknown:
        raise ConfigError(
            f"no source has named a unit {', '.join(repr(code) for code in unknown)} so far; "
            "correct the code (audit.units lists those that are known)"
        )


def file_stem(period: Period, units: tuple[str, ...], *, subtree: bool = True, units_as: UnitsAs = "then") -> str:
    """A name of its own for each kind of period, each period and choice of units, whatever their codes are written with."""
    marks = [
        "nd09-" if period.reckoning == "nd09" else "",
        "don-vi-hien-nay-" if units_as == "now" else "",
        "rieng-" if units and not subtree else "",
    ]
    written = "-".join(units)
    scope = re.sub(r"[^A-Za-z0-9.-]+", "-", written)[:_LONGEST_SCOPE]
    if scope != written:
        # What was lost must not make two choices one file.
        scope += "-" + sha256("\0".join(units).encode()).hexdigest()[:8]
    return f"bao-cao-tthc-{''.join(marks)}{period.name}{'-' if scope else ''}{scope}"


def write_last_months_report(installation: Installation) -> None:
    """The report of the month that had ended when its time came, into the folder and in the formats of the settings."""
    settings = installation.settings
    # A late start still owes the report of the slot that was missed.
    due = report_schedule(settings).slot(installation.now())
    period = last_ended_month(settings.report.kind, due, settings.zone)
    folder = installation.folder(settings.report.directory)
    files = monthly_report(installation, period, folder, formats=settings.report.formats)
    log.info("report_written", period=period.name, files=[str(file) for file in files])


def report_schedule(settings: Settings) -> Monthly:
    """When the report of a month is due."""
    return Monthly(settings.report.day, time.fromisoformat(settings.report.at), settings.zone)
