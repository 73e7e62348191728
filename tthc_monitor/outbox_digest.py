"""The morning digests: made for every recipient, and handed over."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from tthc_monitor import judging
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.mail import Outcome, make_message, send_digest
from tthc_monitor.outputs.transports import (
    DirectoryTransport,
    NullTransport,
    SmtpTransport,
    Transport,
)
from tthc_monitor.settings import Settings, SmtpSettings
from tthc_monitor.store.database import transaction

log = structlog.get_logger(__name__)

_PREVIEW = "preview@localhost"
_OUTCOMES: Final[dict[Outcome, str]] = {
    "sent": "sent",
    "already_sent": "already sent today",
    "in_progress": "being sent by another process",
    "refused": "refused for good earlier today",
    "discarded": "discarded, as mail is switched off",
}


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
