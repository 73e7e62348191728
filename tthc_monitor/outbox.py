"""What leaves the house by itself: the morning digests and the monthly report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, text

from tthc_monitor import judging
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.periods import Period, last_ended_month
from tthc_monitor.domain.schedules import Monthly
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.mail import Outcome, make_message, send_digest
from tthc_monitor.outputs.report import build_report
from tthc_monitor.outputs.report_files import Step, make_writer
from tthc_monitor.outputs.report_units import UnitsAs
from tthc_monitor.outputs.transports import (
    DirectoryTransport,
    NullTransport,
    SmtpTransport,
    Transport,
)
from tthc_monitor.report_settings import ReportFormat
from tthc_monitor.settings import Settings, SmtpSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import Erratum, Frozen, freeze, read_errata, read_frozen

log = structlog.get_logger(__name__)

_PREVIEW = "preview@localhost"
_OUTCOMES: Final[dict[Outcome, str]] = {
    "sent": "sent",
    "already_sent": "already sent today",
    "in_progress": "being sent by another process",
    "refused": "refused for good earlier today",
    "discarded": "discarded, as mail is switched off",
}
_LONGEST_SCOPE = 100


def digest_facts(installation: Installation) -> DigestFacts:
    """What all digests of this moment need, judged and read at once."""
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        settings = installation.settings
        return read_digest_facts(connection, installation.now(), settings.zone, settings.calendar.compile())


def digest_mail(facts: DigestFacts, units: tuple[str, ...]) -> DigestMail:
    """The digest for these units; none means all."""
    return render_digest(build_digest(facts, list(units) or None))


def send_digests(
    installation: Installation, tell: Callable[[str, str], None] | None = None, *, again: bool = False
) -> None:
    """Send today's digest to every recipient who has not had it; one who fails does not keep the others waiting.

    Args:
        tell: told each address and what came of it, in words.
        again: try also what an earlier try today was refused for good.

    Raises:
        ConfigError: the settings send nothing, or to nobody.
        DeliveryError: some could not be sent; the message names them.
    """
    settings = installation.settings
    if settings.digest.transport == "none":
        raise ConfigError("digest.transport is none, so no digest is sent; set it to smtp or directory")
    if not settings.digest.recipients:
        raise ConfigError("digest.recipients names nobody to send a digest to; add an address")
    transport = make_transport(settings, installation.data_dir)
    facts = digest_facts(installation)
    failures: list[DeliveryError] = []
    for number, recipient in enumerate(settings.digest.recipients, 1):
        installation.stop.check()
        mail = digest_mail(facts, recipient.units)
        # Addresses are people's: the log names the place in the settings.
        bound = log.bind(recipient=number, units=list(recipient.units) or "all")
        try:
            outcome = send_digest(
                installation.engine, recipient.address, mail, transport, installation.now(), again=again
            )
            bound.info("digest", outcome=outcome)
            if tell is not None:
                tell(recipient.address, _OUTCOMES[outcome])
            if outcome == "in_progress":
                failures.append(
                    DeliveryError(f"the digest for recipient {number} is with another process; wait for it")
                )
            elif outcome == "refused":
                # Nobody got it: a run that passes it over has not gone well, and the alarm about it goes on.
                failures.append(
                    DeliveryError(
                        f"the digest for recipient {number} was refused for good earlier today; correct its address",
                        permanent=True,
                    )
                )
        except DeliveryError as error:
            pattern = re.compile(re.escape(recipient.address), re.IGNORECASE)
            nameless = pattern.sub(f"recipient {number}", str(error))
            failures.append(DeliveryError(nameless, permanent=error.permanent))
            if tell is not None:
                tell(recipient.address, "not delivered")
            bound.warning("digest_failed", error=nameless, permanent=error.permanent)
    log.info("digests", recipients=len(settings.digest.recipients), failed=len(failures))
    if failures:
        raise DeliveryError(
            f"{len(failures)} of {len(settings.digest.recipients)} digests were not delivered: "
            + "; ".join(str(failure) for failure in failures)
            + ". Send them again with: tthc-monitor digest send",
            permanent=all(failure.permanent for failure in failures),
        )


def render_digests(installation: Installation, transport: DirectoryTransport, units: tuple[str, ...]) -> list[Path]:
    """Write digests into a folder, recording nothing: for these units, or one for each recipient's.

    Returns:
        the HTML files.
    """
    recipients = installation.settings.digest.recipients
    wanted = [(_PREVIEW, units)] if units or not recipients else [(r.address, r.units) for r in recipients]
    facts = digest_facts(installation)
    written = []
    for address, codes in wanted:
        message = make_message(digest_mail(facts, codes), address, transport, installation.now())
        transport.send(message)
        written.append(transport.html_path(message))
    return written


def make_transport(settings: Settings, data_dir: Path) -> Transport:
    """The transport that the settings choose.

    Raises:
        ConfigError: the password file cannot be read, or settings contradict each other.
    """
    if settings.digest.transport == "smtp" and settings.smtp is not None:
        smtp = settings.smtp
        return SmtpTransport(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            username=smtp.username,
            password=_password(smtp, settings.base_dir),
            sender=smtp.sender,
            timeout=smtp.timeout_seconds,
        )
    if settings.digest.transport == "directory":
        return DirectoryTransport(data_dir / settings.digest.directory)
    return NullTransport()


def _password(smtp: SmtpSettings, base_dir: Path) -> str | None:
    if smtp.password_file is None:
        return smtp.password.get_secret_value() if smtp.password is not None else None
    path = base_dir / smtp.password_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"smtp.password_file {path} cannot be read: {error.strerror}; make it readable") from None


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
) -> list[Path]:
    """Write the report of a period into a folder; returns the files.

    Args:
        units, subtree, units_as: what it is about; see :func:`~tthc_monitor.outputs.report.build_report`.
        formats: what to write; PDF needs LibreOffice.
        step: shows what is being done.

    Raises:
        ConfigError: a unit code that no source has named yet, a template that cannot be filled, no LibreOffice.
        DeliveryError: the folder cannot be written.
    """
    settings = installation.settings
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
    return writer.write(report, folder / _file_stem(period, units, subtree, units_as), step)


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


def _file_stem(period: Period, units: tuple[str, ...], subtree: bool, units_as: UnitsAs) -> str:
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
