"""The part of the configuration about the morning mail: when it goes, by which way, and who gets what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tthc_monitor.report_settings import ClockTime
from tthc_monitor.source_settings import Part
from tthc_monitor.transport_settings import Channel


class Recipient(Part):
    """Who gets the digest. ``units`` limits it to these unit codes; empty means all.

    ``transport``
        how this one gets it; None: as ``digest.transport`` says.
    """

    address: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    units: tuple[str, ...] = ()
    transport: Channel | None = None


class DigestSettings(Part):
    """The morning mail: sent at ``at`` on working days of the calendar, by mail or webhook, or written to ``directory``."""

    at: ClockTime = "07:30"
    transport: Channel = "none"
    directory: str = "digests"
    recipients: tuple[Recipient, ...] = ()

    def transport_of(self, recipient: Recipient) -> Channel:
        """How a recipient gets mails."""
        return recipient.transport or self.transport
