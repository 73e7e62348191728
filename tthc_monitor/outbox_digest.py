"""The morning digests, and what superiors are told: made for every recipient, and handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tthc_monitor import judging
from tthc_monitor.delivery import Parcel, Tell, deliver
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.audience import NO_LINKS, Audience, Links
from tthc_monitor.outputs.channels import sender_of
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.escalation import Escalation
from tthc_monitor.outputs.escalation_mail import render_escalation
from tthc_monitor.outputs.letters import Kind, letter_of
from tthc_monitor.outputs.transports import DirectoryTransport
from tthc_monitor.settings import Settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Order
from tthc_monitor.turns import Turn, channel_of, escalations_on, turns_on

_PREVIEW: Final = "preview@localhost"


def digest_facts(installation: Installation) -> DigestFacts:
    """What all digests of this moment need, judged and read at once."""
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        return read_digest_facts(
            connection, installation.now(), installation.calendars, trend_days=installation.settings.digest.trend_days
        )


def digest_mail(facts: DigestFacts, audience: Audience, links: Links = NO_LINKS) -> DigestMail:
    """The digest for an audience."""
    return render_digest(build_digest(facts, audience, links=links))


def send_digests(
    installation: Installation,
    tell: Tell | None = None,
    *,
    order: Order = "due",
    on_days_off: bool = False,
    only: Sequence[str] = (),
) -> None:
    """Send today's digest to every recipient who has not had it, and tell superiors of what stands still.

    One who fails does not keep the others waiting. Who rests today gets his next one when he is back.

    Args:
        tell: told each address and what came of it, in words.
        order: what a person wants sent besides what is due.
        on_days_off: serve also those who rest today.
        only: addresses to keep to; none: everybody.

    Raises:
        ConfigError: the settings send nothing, or to nobody, or not to one of these addresses.
        DeliveryError: some could not be sent; the message numbers them.
        StoppedError: it was asked to end; the next run sends the rest.
    """
    require_recipients(installation.settings)
    wanted = _known(installation.settings, only)
    facts = cache(lambda: digest_facts(installation))
    turns = _turns(installation, on_days_off=on_days_off)
    if wanted:
        turns = [turn for turn in turns if turn.recipient.address.strip().lower() in wanted]
    if tell is not None:
        for turn in turns:
            if turn.skipped == "rests":
                tell(turn.recipient.address, "rests today")
    digests = [_digest(installation, turn, facts) for turn in turns if turn.skipped != "rests"]
    failures: list[DeliveryError] = []

    def run(kind: Kind, parcels: Sequence[Parcel]) -> None:
        if not parcels:
            return
        try:
            deliver(installation, kind, today(installation), parcels, order=order, tell=tell)
        except DeliveryError as error:
            failures.append(error)

    run("digest", digests)
    escalations = _escalations(installation, on_days_off=on_days_off)
    run("escalation", [one for one in escalations if not wanted or one.address.strip().lower() in wanted])
    if failures:
        raise DeliveryError(
            " ".join(str(failure) for failure in failures), permanent=all(failure.permanent for failure in failures)
        )


def resend_digest(installation: Installation, address: str, tell: Tell) -> None:
    """Send today's digest to one recipient, whatever became of it so far, and whether or not he rests.

    Raises:
        ConfigError: the settings send nothing, or not to this address.
        DeliveryError: it could not be sent.
    """
    require_recipients(installation.settings)
    facts = cache(lambda: digest_facts(installation))
    turns = _turns(installation, on_days_off=True)
    parcels = [_digest(installation, turn, facts) for turn in turns if _is(turn, address)]
    if not parcels:
        raise ConfigError(f"'{address}' gets no digest by these settings; name one of digest.recipients")
    deliver(installation, "digest", today(installation), parcels, order="resend", tell=tell)


def require_recipients(settings: Settings) -> None:
    """Refuse settings that send no digest.

    Raises:
        ConfigError: they send nothing, or to nobody.
    """
    if settings.digest.transport == "none":
        raise ConfigError("digest.transport is none, so no digest is sent; set it to smtp, webhook or directory")
    if not settings.digest.recipients:
        raise ConfigError("digest.recipients names nobody to send a digest to; add an address")


def today(installation: Installation) -> date:
    """The day that a digest of this moment is for."""
    return installation.now().astimezone(ZoneInfo(installation.settings.zone)).date()


def preview_digests(
    installation: Installation, folder: Path, units: Sequence[str] = (), address: str | None = None
) -> list[Path]:
    """Write digests of this moment into a folder, recording nothing: of these units, of one recipient, or of each.

    They hold no signed links: whoever looks at a mail cannot answer for its recipient.

    Returns:
        the HTML files.

    Raises:
        ConfigError: there is no such recipient.
        DeliveryError: the folder cannot be written.
    """
    wanted = [(_PREVIEW, Audience(frozenset(units) or None))]
    if not units and (address is not None or installation.settings.digest.recipients):
        turns = _turns(installation, on_days_off=True)
        wanted = [(turn.recipient.address, turn.audience) for turn in turns if address is None or _is(turn, address)]
        if not wanted:
            raise ConfigError(f"'{address}' gets no digest by these settings; name one of digest.recipients, or --unit")
    facts = digest_facts(installation)
    transport = DirectoryTransport(folder, sender_of(installation.settings))
    written = []
    for to, audience in wanted:
        letter = letter_of("digest", to, digest_mail(facts, audience), transport.sender, installation.now())
        transport.send(letter)
        written.append(transport.html_path(letter))
    return written


def _known(settings: Settings, addresses: Sequence[str]) -> frozenset[str]:
    wanted = frozenset(address.strip().lower() for address in addresses)
    recipients = settings.digest.recipients
    known = {one.address.strip().lower() for one in recipients} | {
        (one.superior or "").strip().lower() for one in recipients
    }
    if unknown := sorted(wanted - known):
        raise ConfigError(f"{', '.join(unknown)}: gets no mails by these settings; name some of digest.recipients")
    return wanted


def _turns(installation: Installation, *, on_days_off: bool) -> list[Turn]:
    with transaction(installation.engine) as connection:
        return turns_on(installation, connection, installation.now(), on_days_off=on_days_off)


def _is(turn: Turn, address: str) -> bool:
    return turn.recipient.address.strip().lower() == address.strip().lower()


def _digest(installation: Installation, turn: Turn, facts: Callable[[], DigestFacts]) -> Parcel:
    settings = installation.settings.digest

    def make() -> DigestMail | None:
        mail = digest_mail(facts(), turn.audience, turn.links)
        return None if mail.empty and not settings.wants_all_clear(turn.recipient) else mail

    return Parcel(
        turn.number,
        turn.recipient.address,
        settings.transport_of(turn.recipient),
        make,
        turn.recipient.units,
        turn.links,
        unsubscribed=turn.skipped == "opted_out",
    )


def _escalations(installation: Installation, *, on_days_off: bool) -> list[Parcel]:
    recipients = installation.settings.digest.recipients
    if all(one.superior is None for one in recipients):
        return []
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        found = escalations_on(installation, connection, installation.now(), on_days_off=on_days_off)

    def units(escalation: Escalation) -> tuple[str, ...]:
        below = [one.units for one in recipients if (one.superior or "").lower() == escalation.superior]
        return tuple(sorted({code for codes in below for code in codes})) if all(below) else ()

    def parcel(number: int, escalation: Escalation) -> Parcel:
        channel = channel_of(installation, escalation.superior)
        return Parcel(number, escalation.superior, channel, lambda: render_escalation(escalation), units(escalation))

    return [parcel(number, escalation) for number, escalation in enumerate(found, 1)]
