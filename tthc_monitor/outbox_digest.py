"""The morning digests: made for every recipient, and handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tthc_monitor import judging
from tthc_monitor.delivery import Parcel, Tell, deliver
from tthc_monitor.digest_settings import Recipient
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import Installation
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.channels import sender_of
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.letters import Letter, message_id, thread_root
from tthc_monitor.outputs.transports import DirectoryTransport
from tthc_monitor.settings import Settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Order

_PREVIEW: Final = "preview@localhost"


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
    installation: Installation,
    tell: Tell | None = None,
    *,
    order: Order = "due",
    only: str | None = None,
) -> None:
    """Send today's digest to every recipient who has not had it; one who fails does not keep the others waiting.

    Args:
        tell: told each address and what came of it, in words.
        order: what a person wants sent besides what is due.
        only: to this address alone.

    Raises:
        ConfigError: the settings send nothing, or to nobody, or not to this address.
        DeliveryError: some could not be sent; the message numbers them.
        StoppedError: it was asked to end; the next run sends the rest.
    """
    recipients = recipients_of(installation.settings)
    if only is not None:
        recipients = [(number, one) for number, one in recipients if one.address.lower() == only.strip().lower()]
        if not recipients:
            raise ConfigError(f"'{only}' gets no digest by these settings; name one of digest.recipients")
    day = today(installation)
    facts = cache(lambda: digest_facts(installation))
    parcels = [_parcel(installation.settings, number, one, facts) for number, one in recipients]
    deliver(installation, "digest", day, parcels, order=order, tell=tell)


def recipients_of(settings: Settings) -> list[tuple[int, Recipient]]:
    """Who gets the digest by some way, each with his place in the settings.

    Raises:
        ConfigError: nobody does.
    """
    digest = settings.digest
    if not digest.recipients:
        raise ConfigError("digest.recipients names nobody to send a digest to; add an address")
    found = [(place, one) for place, one in enumerate(digest.recipients, 1) if digest.transport_of(one) != "none"]
    if not found:
        raise ConfigError("digest.transport is none, so no digest is sent; set it to smtp, webhook or directory")
    return found


def today(installation: Installation) -> date:
    """The day that a digest of this moment is for."""
    return installation.now().astimezone(ZoneInfo(installation.settings.zone)).date()


def _parcel(settings: Settings, number: int, recipient: Recipient, facts: Callable[[], DigestFacts]) -> Parcel:
    return Parcel(
        number,
        recipient.address,
        settings.digest.transport_of(recipient),
        lambda: digest_mail(facts(), recipient.units),
        recipient.units,
        links_of(settings),
    )


def links_of(settings: Settings) -> Links:
    """The links of a digest: who wants it no more writes to where it comes from."""
    return Links(unsubscribe=None if settings.smtp is None else _mail_to(sender_of(settings)))


def _mail_to(sender: str) -> str:
    return f"mailto:{sender.rpartition('<')[2].rstrip('> ')}?subject=unsubscribe"


def preview_digests(
    installation: Installation, folder: Path, units: Sequence[str] = (), address: str | None = None
) -> list[Path]:
    """Write digests of this moment into a folder, recording nothing: of these units, of one recipient, or of each.

    Returns:
        the HTML files.

    Raises:
        ConfigError: there is no such recipient.
        DeliveryError: the folder cannot be written.
    """
    settings = installation.settings
    wanted = [(one.address.lower(), one.units) for one in settings.digest.recipients]
    if units or not (wanted or address):
        wanted = [(_PREVIEW, tuple(units))]
    elif address is not None:
        wanted = [(to, of) for to, of in wanted if to == address.strip().lower()]
        if not wanted:
            raise ConfigError(f"'{address}' gets no digest by these settings; name one of digest.recipients, or --unit")
    facts = digest_facts(installation)
    sender = sender_of(settings)
    transport = DirectoryTransport(folder, sender)
    written = []
    for to, of in wanted:
        mail = digest_mail(facts, of)
        identity = message_id("digest", to, mail.local_date, sender)
        root = thread_root("digest", to, mail.local_date, mail.thread, sender)
        letter = Letter("digest", to, identity, root, mail, installation.now(), of, links_of(settings))
        transport.send(letter)
        written.append(transport.html_path(letter))
    return written
