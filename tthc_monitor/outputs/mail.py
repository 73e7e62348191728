"""Mail: the message made of a digest, and the claim that keeps it from going out twice."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.outputs.digest import DigestMail
from tthc_monitor.outputs.transports import Transport
from tthc_monitor.store.database import transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

Outcome = Literal["sent", "already_sent", "in_progress", "refused", "discarded"]

CLAIM_LASTS: Final = timedelta(hours=1)
"""A claim that neither sent nor failed within this belongs to a process that died; the next call takes it over."""

_PERMANENT: Final = "permanent: "


class _MailPolicy(EmailPolicy):
    """Folds the headers that people read by the older code: the newer one loses spaces between the encoded words of a
    long Vietnamese subject (Python 3.11 does, later versions do not all).
    """

    def fold(self, name: str, value: Any) -> str:
        text = str(value)
        if text.isascii() or name.lower() not in ("subject", "from"):
            folded: str = super().fold(name, value)
            return folded
        words, address = (text, "") if name.lower() == "subject" else parseaddr(text)
        encoded = Header(words, "utf-8", maxlinelen=76, header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{f'{self.linesep} <{address}>' if address else ''}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8", "surrogateescape")


def make_message(mail: DigestMail, recipient: str, transport: Transport, now: datetime) -> EmailMessage:
    """A digest as a message: plain text with HTML as the alternative, marked as sent by a machine.

    Raises:
        DeliveryError: the recipient or the sender is not a mail address.
    """
    try:
        address = Address(addr_spec=recipient)
        message = EmailMessage(policy=_MailPolicy(linesep="\r\n"))
        message["From"] = transport.sender
        message["To"] = address
        message["Subject"] = mail.subject
    except (ValueError, MessageError, IndexError) as error:
        raise DeliveryError(f"'{recipient}' or the sender is not a mail address: {error}", permanent=True) from error
    senders = message["From"].addresses
    if len(senders) != 1 or not (senders[0].username and senders[0].domain):
        raise DeliveryError(
            f"the sender '{transport.sender}' is not one mail address; put a name with a comma in quotes",
            permanent=True,
        )
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _message_id(recipient, mail, transport.sender)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(mail.text, charset="utf-8")
    message.add_alternative(mail.html, subtype="html", charset="utf-8")
    return message


def send_digest(
    engine: Engine, recipient: str, mail: DigestMail, transport: Transport, now: datetime, *, again: bool = False
) -> Outcome:
    """Send a digest unless this recipient has had the one of that local day.

    A row in ``tthc.deliveries`` is claimed before sending, so of any number of processes one sends. A failure is
    recorded and gives the claim back: one that passes by itself is tried again by the next call, one that does not only
    with ``again``. A process that dies while sending leaves a claim that lapses after :data:`CLAIM_LASTS`; the digest
    may then arrive twice, with one Message-ID, rather than not at all.

    Returns:
        ``sent``; ``already_sent`` today; ``in_progress`` elsewhere; ``refused`` for good by an earlier try today;
        ``discarded`` by a transport that does not deliver.

    Raises:
        DeliveryError: this try failed; recorded already.
        DatabaseError: the claim could not be read or written.
    """
    recipient = recipient.strip().lower()
    message = make_message(mail, recipient, transport, now)
    if not transport.delivers:
        transport.send(message)
        return "discarded"
    key = {"recipient": recipient, "day": mail.local_date}
    standing = _claim(engine, key, str(message["Message-ID"]), now, again)
    if standing is not None:
        return standing
    try:
        transport.send(message)
    except DeliveryError as error:
        text = f"{_PERMANENT if error.permanent else 'transient: '}{error}"
        _record(engine, "UPDATE tthc.deliveries SET error = %(value)s", key | {"value": text})
        raise
    _record(engine, "UPDATE tthc.deliveries SET sent_at = %(value)s", key | {"value": now})
    return "sent"


_CLAIM: Final = """
INSERT INTO tthc.deliveries AS d (recipient, kind, local_date, claimed_at, message_id)
VALUES (%(recipient)s, 'digest', %(day)s, %(now)s, %(id)s)
ON CONFLICT (recipient, kind, local_date) DO UPDATE
    SET claimed_at = excluded.claimed_at, message_id = excluded.message_id, error = NULL
    WHERE d.sent_at IS NULL AND (
        d.error IS NOT NULL AND (%(again)s OR NOT starts_with(d.error, %(permanent)s))
        OR d.error IS NULL AND d.claimed_at < %(lapsed)s)
RETURNING true
"""
_STANDING: Final = """
SELECT CASE WHEN sent_at IS NOT NULL THEN 'already_sent' WHEN error IS NOT NULL THEN 'refused' ELSE 'in_progress' END
FROM tthc.deliveries WHERE recipient = %(recipient)s AND kind = 'digest' AND local_date = %(day)s
"""
_WHICH: Final = " WHERE recipient = %(recipient)s AND kind = 'digest' AND local_date = %(day)s"


def _claim(engine: Engine, key: dict[str, object], message_id: str, now: datetime, again: bool) -> Outcome | None:
    values = key | {
        "id": message_id,
        "now": now,
        "again": again,
        "permanent": _PERMANENT,
        "lapsed": now - CLAIM_LASTS,
    }
    with transaction(engine) as connection:
        if connection.exec_driver_sql(_CLAIM, values).scalar():
            return None
        standing: Outcome = connection.exec_driver_sql(_STANDING, key).scalar_one()
        return standing


def _record(engine: Engine, update: str, values: dict[str, object]) -> None:
    with transaction(engine) as connection:
        connection.exec_driver_sql(update + _WHICH, values)


def _message_id(recipient: str, mail: DigestMail, sender: str) -> str:
    plain = unicodedata.normalize("NFKD", recipient.partition("@")[0]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "recipient"
    mark = sha256(recipient.encode()).hexdigest()[:10]
    domain = re.sub(r"[^a-z0-9.-]", "", sender.lower().rpartition("@")[2]) or "localhost"
    return f"<digest-{mail.local_date.isoformat()}-{name}-{mark}@{domain}>"
