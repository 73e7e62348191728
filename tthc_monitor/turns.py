"""Whose turn it is: which recipients get a digest on a day, and of what superiors are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from tthc_monitor.audiences import audience_of, works_on
from tthc_monitor.domain.units import UnitRegister
from tthc_monitor.installation import Installation, digest_key
from tthc_monitor.outputs.audience import Audience, Links
from tthc_monitor.outputs.escalation import Answerable, Escalation, read_escalations
from tthc_monitor.outputs.links import make_links
from tthc_monitor.outputs.scopes import scope_name, unit_names
from tthc_monitor.recipient_settings import Recipient
from tthc_monitor.store.acknowledgements import opted_out
from tthc_monitor.store.units import read_register
from tthc_monitor.transport_settings import Channel

if TYPE_CHECKING:
    from sqlalchemy import Connection

Skipped = Literal["rests", "opted_out"]
"""``rests``: none of his units works on the day; ``opted_out``: he wants no digests."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One recipient on one day.

    Attributes:
        number: his place in the settings, from 1; logs name him by it.
        skipped: why he gets nothing today; None: he gets his digest.
    """

    number: int
    recipient: Recipient
    audience: Audience
    links: Links
    skipped: Skipped | None


def turns_on(
    installation: Installation, connection: Connection, now: datetime, *, on_days_off: bool = False
) -> list[Turn]:
    """All recipients in the order of the settings.

    Args:
        now: by its local date it is said who works, and what lies below which unit.
        on_days_off: serve also those who rest.

    Raises:
        ConfigError: the key of links cannot be read.
    """
    settings, key = installation.settings, digest_key(installation.settings)
    register, unwilling = read_register(connection), opted_out(connection)
    day = _local_day(installation, now)

    def skipped(recipient: Recipient) -> Skipped | None:
        if _address(recipient.address) in unwilling:
            return "opted_out"
        return None if on_days_off or works_on(recipient, installation.calendars, day) else "rests"

    return [
        Turn(
            number,
            recipient,
            audience_of(recipient, register, day),
            make_links(settings, key, recipient, day),
            skipped(recipient),
        )
        for number, recipient in enumerate(settings.digest.recipients, 1)
    ]


def escalations_on(
    installation: Installation, connection: Connection, now: datetime, *, on_days_off: bool = False
) -> list[Escalation]:
    """What superiors are to be told now; those who rest are told when they are back.

    Raises:
        CalendarError: ``now`` lies outside the calendars' horizon.
    """
    recipients = installation.settings.digest.recipients
    people = [one for one in recipients if one.superior is not None]
    if not people:
        return []
    day = _local_day(installation, now)
    register, unwilling = read_register(connection), opted_out(connection)
    names = unit_names(connection, [code for one in people for code in one.units])
    answerable = [_answerable(one, register, names, unwilling, day) for one in people]
    awake = {
        one.superior
        for one in answerable
        if on_days_off or works_on(as_recipient(recipients, one.superior), installation.calendars, day)
    }
    return read_escalations(
        connection, now, installation.calendars, [one for one in answerable if one.superior in awake]
    )


def channel_of(installation: Installation, address: str) -> Channel:
    """How somebody gets mails, be he a recipient or only a superior."""
    digest = installation.settings.digest
    return digest.transport_of(as_recipient(digest.recipients, address))


def as_recipient(recipients: tuple[Recipient, ...], address: str) -> Recipient:
    """The recipient of an address; for who is none, one of the whole office: so a superior rests when the office does."""
    wanted = _address(address)
    return next((one for one in recipients if _address(one.address) == wanted), Recipient(address=address))


def _answerable(
    recipient: Recipient,
    register: UnitRegister,
    names: Mapping[str, str],
    unwilling: Mapping[str, datetime],
    day: date,
) -> Answerable:
    assert recipient.superior is not None
    address = _address(recipient.address)
    return Answerable(
        address,
        audience_of(recipient, register, day),
        _address(recipient.superior),
        recipient.escalate_after_days,
        scope_name(names, recipient.units, subtree=recipient.subtree),
        unwilling.get(address),
    )


def _local_day(installation: Installation, now: datetime) -> date:
    return now.astimezone(ZoneInfo(installation.settings.zone)).date()


def _address(written: str) -> str:
    return written.strip().lower()
