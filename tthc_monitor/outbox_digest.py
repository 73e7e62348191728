"""The morning digests: made for every recipient, and handed over."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from tthc_monitor import judging
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.audience import Audience, Links
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.escalation_mail import render_escalation
from tthc_monitor.outputs.mail import Outcome, make_message, send_digest
from tthc_monitor.outputs.transports import (
    DirectoryTransport,
    NullTransport,
    SmtpTransport,
    Transport,
)
from tthc_monitor.recipient_settings import Channel
from tthc_monitor.settings import Settings, SmtpSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.turns import Skipped, channel_of, escalations_on, turns_on

log = structlog.get_logger(__name__)

_PREVIEW = "preview@localhost"
_OUTCOMES: Final[dict[Outcome, str]] = {
    "sent": "sent",
    "already_sent": "already sent today",
    "in_progress": "being sent by another process",
    "refused": "refused for good earlier today",
    "discarded": "discarded, as mail is switched off",
}

_SKIPPED: Final[dict[Skipped, str]] = {
    "rests": "rests today",
    "opted_out": "wants no digests; tthc-monitor digest subscribe takes it back",
}


def digest_facts(installation: Installation) -> DigestFacts:
    """What all digests of this moment need, judged and read at once."""
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        return read_digest_facts(
            connection, installation.now(), installation.calendars, trend_days=installation.settings.digest.trend_days
        )


def digest_mail(facts: DigestFacts, audience: Audience, links: Links = Links()) -> DigestMail:  # noqa: B008
    """The digest for an audience."""
    return render_digest(build_digest(facts, audience, links=links))


def send_digests(
    installation: Installation,
    tell: Callable[[str, str], None] | None = None,
    *,
    again: bool = False,
    on_days_off: bool = False,
) -> None:
    """Send today's digest to every recipient who has not had it, and tell superiors of what stands still.

    One who fails does not keep the others waiting. Who rests today gets his next one when he is back.

    Args:
        tell: told each address and what came of it, in words.
        again: try also what an earlier try today was refused for good.
        on_days_off: serve also those who rest today.

    Raises:
        ConfigError: the settings send nothing, or to nobody.
        DeliveryError: some could not be sent; the message names them.
    """
    settings = installation.settings
    if settings.digest.transport == "none":
        raise ConfigError("digest.transport is none, so no digest is sent; set it to smtp or directory")
    if not settings.digest.recipients:
        raise ConfigError("digest.recipients names nobody to send a digest to; add an address")
    facts = digest_facts(installation)
    with transaction(installation.engine) as connection:
        turns = turns_on(installation, connection, facts.now, on_days_off=on_days_off)
    delivery = _Round(installation, tell, again=again)
    for turn in turns:
        installation.stop.check()
        address, name = turn.recipient.address, f"recipient {turn.number}"
        # Addresses are people's: the log names the place in the settings.
        with bound_contextvars(recipient=turn.number, units=list(turn.recipient.units) or "all"):
            if turn.skipped is None:
                delivery.hand_over("digest", name, address, digest_mail(facts, turn.audience, turn.links))
            else:
                delivery.skip(turn.skipped, address)
    with transaction(installation.engine) as connection:
        escalations = escalations_on(installation, connection, facts.now, on_days_off=on_days_off)
    for number, escalation in enumerate(escalations, 1):
        installation.stop.check()
        with bound_contextvars(superior=number, dossiers=escalation.total, new=escalation.new):
            mail = render_escalation(escalation)
            delivery.hand_over("escalation", f"superior {number}", escalation.superior, mail)
    delivery.end()


class _Round:
    """The mails of one run: each is handed over, and what failed is told at the end."""

    def __init__(self, installation: Installation, tell: Callable[[str, str], None] | None, *, again: bool) -> None:
        self._installation = installation
        self._tell = tell or (lambda _address, _words: None)
        self._again = again
        self._transports: dict[Channel, Transport] = {}
        self._mails = 0
        self._failures: list[DeliveryError] = []

    def hand_over(self, kind: str, name: str, address: str, mail: DigestMail) -> None:
        """Hand over one mail, unless it was before."""
        self._mails += 1
        transport, now = self._transport(channel_of(self._installation, address)), self._installation.now()
        try:
            outcome = send_digest(
                self._installation.engine, address, mail, transport, now, kind=kind, again=self._again
            )
        except DeliveryError as error:
            pattern = re.compile(re.escape(address), re.IGNORECASE)
            nameless = pattern.sub(name, str(error))
            self._failures.append(DeliveryError(nameless, permanent=error.permanent))
            self._tell(address, "not delivered")
            log.warning("digest_failed", kind=kind, error=nameless, permanent=error.permanent)
            return
        log.info("digest", kind=kind, outcome=outcome)
        self._tell(address, _OUTCOMES[outcome])
        if outcome == "in_progress":
            self._failures.append(DeliveryError(f"the {kind} for {name} is with another process; wait for it"))
        elif outcome == "refused":
            # Nobody got it: a run that passes it over has not gone well, and the alarm about it goes on.
            told = f"the {kind} for {name} was refused for good earlier today; correct its address"
            self._failures.append(DeliveryError(told, permanent=True))

    def skip(self, why: Skipped, address: str) -> None:
        """Pass somebody over."""
        log.info("digest", kind="digest", outcome=why)
        self._tell(address, _SKIPPED[why])

    def end(self) -> None:
        """Tell what came of all.

        Raises:
            DeliveryError: some were not delivered.
        """
        log.info("digests", mails=self._mails, failed=len(self._failures))
        if self._failures:
            raise DeliveryError(
                f"{len(self._failures)} of {self._mails} digests were not delivered: "
                + "; ".join(str(failure) for failure in self._failures)
                + ". Send them again with: tthc-monitor digest send",
                permanent=all(failure.permanent for failure in self._failures),
            )

    def _transport(self, channel: Channel) -> Transport:
        if channel not in self._transports:
            installation = self._installation
            self._transports[channel] = make_transport(installation.settings, installation.data_dir, channel)
        return self._transports[channel]


def render_digests(installation: Installation, transport: DirectoryTransport, units: tuple[str, ...]) -> list[Path]:
    """Write digests into a folder, recording nothing: for these units, or one for each recipient's.

    Returns:
        the HTML files.
    """
    recipients = installation.settings.digest.recipients
    facts = digest_facts(installation)
    wanted = [(_PREVIEW, Audience(frozenset(units) or None))]
    if recipients and not units:
        with transaction(installation.engine) as connection:
            turns = turns_on(installation, connection, facts.now)
        wanted = [(turn.recipient.address, turn.audience) for turn in turns]
    written = []
    for address, audience in wanted:
        message = make_message(digest_mail(facts, audience), address, transport, installation.now())
        transport.send(message)
        written.append(transport.html_path(message))
    return written


def make_transport(settings: Settings, data_dir: Path, channel: Channel) -> Transport:
    """A transport as the settings describe it.

    Raises:
        ConfigError: the password file cannot be read, or settings contradict each other.
    """
    if channel == "smtp" and settings.smtp is not None:
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
    if channel == "directory":
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
