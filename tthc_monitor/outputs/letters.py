"""What is handed over: what a mail of any kind says, and to whom and as what it goes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Final, Literal, Protocol

from tthc_monitor.outputs.audience import Links

Kind = Literal["digest", "escalation"]
"""What a mail is about; each recipient gets one of a kind for a local day."""

KINDS: Final[tuple[Kind, ...]] = ("digest", "escalation")


class Attached(Protocol):
    """A file that goes with a mail."""

    @property
    def name(self) -> str:
        """File name that it goes by."""
        ...

    @property
    def content(self) -> bytes:
        """What is in it."""
        ...

    @property
    def mime(self) -> str:
        """Media type, such as ``text/csv``."""
        ...


class Mail(Protocol):
    """What a mail says, whoever made it."""

    @property
    def subject(self) -> str:
        """One line."""
        ...

    @property
    def html(self) -> str:
        """The body for mail programs."""
        ...

    @property
    def text(self) -> str:
        """The body in plain text."""
        ...

    @property
    def local_date(self) -> date:
        """Day that it is for."""
        ...

    @property
    def attachments(self) -> Sequence[Attached]:
        """Files that go with it."""
        ...

    @property
    def thread(self) -> str:
        """Stable name of what it is about."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Its figures by name."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail on its way.

    Attributes:
        recipient: address, in lower case.
        message_id: with its brackets; the same for each attempt, so that a mail that came twice shows as one.
        root: Message-ID under which mail programs gather what is about the same; nothing has it itself.
        made_at: when.
        units: codes of the units that it is about; none: the whole office.
    """

    kind: Kind
    recipient: str
    message_id: str
    root: str
    mail: Mail
    made_at: datetime
    units: tuple[str, ...] = ()
    links: Links = field(default_factory=Links)


def letter_of(
    kind: Kind,
    recipient: str,
    mail: Mail,
    sender: str,
    now: datetime,
    *,
    units: Sequence[str] = (),
    links: Links | None = None,
    another: datetime | None = None,
) -> Letter:
    """A mail on its way to a recipient.

    Args:
        sender: address that it is from.
        units: codes of the units that it is about; none: the whole office.
        another: see :func:`message_id`.
    """
    to, day = recipient.strip().lower(), mail.local_date
    identity, root = message_id(kind, to, day, sender, another=another), thread_root(kind, to, day, mail.thread, sender)
    return Letter(kind, to, identity, root, mail, now, tuple(units), links or Links())


def message_id(kind: Kind, recipient: str, day: date, sender: str, *, another: datetime | None = None) -> str:
    """The Message-ID of a mail: made of kind, day and recipient.

    Args:
        another: when a person had it sent again on purpose: mail programs drop a second mail of the same id.
    """
    plain = unicodedata.normalize("NFKD", recipient.partition("@")[0]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "recipient"
    copy = "" if another is None else f"-again-{another.timestamp() * 1_000_000:.0f}"
    return f"<{kind}-{day.isoformat()}-{name}-{_mark(recipient)}{copy}@{domain_of(sender)}>"


def thread_root(kind: Kind, recipient: str, day: date, thread: str, sender: str) -> str:
    """The Message-ID that all mails of a kind to a recipient about the same answer in a month."""
    return f"<{kind}-{day:%Y-%m}-{_mark(recipient, thread)}@{domain_of(sender)}>"


def domain_of(sender: str) -> str:
    """The domain of an address, with or without a name before it, fit for a Message-ID."""
    return re.sub(r"[^a-z0-9.-]", "", sender.lower().rpartition("@")[2]) or "localhost"


def _mark(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:10]
