"""The part of the configuration about the morning mail: when it goes, by which way, and who gets what."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tthc_monitor.recipient_settings import AcknowledgeSettings, Address, Recipient
from tthc_monitor.report_settings import ClockTime
from tthc_monitor.source_settings import Part
from tthc_monitor.transport_settings import Channel


class DigestSettings(Part):
    """The morning mail: sent at ``at`` on working days of each recipient's units, by mail or webhook, or into a
    folder.

    ``all_clear``
        whether a digest goes out also when nothing needs action.
    ``trend_days``
        working days in the picture of how it went.
    ``acknowledge``
        lets recipients take note by a signed link; without it mails carry no links to answer by.
    ``unsubscribe``
        how one stops getting it: by a mail to ``contact`` (or to the sender), by a signed link, or not.
    """

    at: ClockTime = "07:30"
    transport: Channel = "none"
    directory: str = "digests"
    all_clear: bool = False
    trend_days: Annotated[int, Field(ge=2, le=15)] = 10
    acknowledge: AcknowledgeSettings | None = None
    unsubscribe: Literal["mailto", "link", "none"] = "mailto"
    contact: Address | None = None
    recipients: tuple[Recipient, ...] = ()

    @model_validator(mode="after")
    def _links_are_signed(self) -> Self:
        if self.unsubscribe == "link" and self.acknowledge is None:
            raise ValueError(
                "unsubscribe is link, but there is no key to sign links with; add acknowledge with key_file"
            )
        return self

    @model_validator(mode="after")
    def _somebody_sends(self) -> Self:
        for recipient in self.recipients:
            if self.transport == "none" and recipient.transport not in (None, "none"):
                raise ValueError(
                    f"a recipient has transport {recipient.transport}, but digest.transport is none, so that nothing is "
                    "sent at all; set digest.transport, and transport: none with the others"
                )
        return self

    def transport_of(self, recipient: Recipient) -> Channel:
        """How a recipient gets mails."""
        return recipient.transport or self.transport

    def wants_all_clear(self, recipient: Recipient) -> bool:
        """Whether a recipient gets a digest also when nothing needs action."""
        return self.all_clear if recipient.all_clear is None else recipient.all_clear
