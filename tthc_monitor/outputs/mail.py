"""Mail: the message made of a digest, and the claim that keeps it from going out twice."""

from __future__ import annotations

import re
import time
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
from uuid import uuid4

from tthc_monitor.domain.errors import DatabaseError, DeliveryError
from tthc_monitor.outputs.digest import DigestMail
from tthc_monitor.outputs.transports import IN_DOUBT, Transport, UnknownDeliveryError
from tthc_monitor.store.database import transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

Outcome = Literal["sent", "already_sent", "in_progress", "refused", "discarded"]

CLAIM_LASTS: Final = timedelta(minutes=5)
"""A claim that neither sent nor failed within this belongs to a process that died; the next call takes it over."""

_RECORDING_SECONDS = 60.0
"""So long it is tried to record what came of a mail, while the database does not answer."""
_RECORDING_PAUSE = 0.5

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


def make_message(
    mail: DigestMail, recipient: str, transport: Transport, now: datetime, kind: str = "digest"
) -> EmailMessage:
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
    message["Message-ID"] = _message_id(kind, recipient, mail, transport.sender)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(mail.text, charset="utf-8")
    message.add_alternative(mail.html, subtype="html", charset="utf-8")
    return message


def send_digest(
    engine: Engine,
    recipient: str,
    mail: DigestMail,
    transport: Transport,
    now: datetime,
    *,
    kind: str = "digest",
    again: bool = False,
    lasts: timedelta | None = None,
) -> Outcome:
    """Send a digest unless this recipient has had the one of that local day.

    A row in ``tthc.deliveries`` is claimed before sending, so of any number of processes one sends, and marked right
    before the text of the mail leaves. A failure is recorded and gives the claim back: one that passes by itself is tried
    again by the next call, one that does not only with ``again``. A process that dies while sending leaves a claim that
    lapses, by the clock of the database server: the next call sends what had not begun to leave; what had is sent again
    only by a transport that may repeat itself, or with ``again``. So no digest is sent twice without a person's order.

    Args:
        kind: of the kinds of mails that each comes once a day.
        again: try also what an earlier try was refused for good, and what nobody knows the end of.
        lasts: when a claim lapses; by default after :data:`CLAIM_LASTS`.

    Returns:
        ``sent``; ``already_sent`` today; ``in_progress`` elsewhere; ``refused`` for good by an earlier try today;
        ``discarded`` by a transport that does not deliver.

    Raises:
        UnknownDeliveryError: whether it was delivered nobody knows; recorded already.
        DeliveryError: this try failed; recorded already.
        DatabaseError: the claim could not be read or written.
    """
    recipient = recipient.strip().lower()
    message = make_message(mail, recipient, transport, now, kind)
    if not transport.delivers:
        transport.send(message)
        return "discarded"
    key: _Key = {"recipient": recipient, "kind": kind, "day": mail.local_date, "claim": str(uuid4())}
    lapses = {"lasts": CLAIM_LASTS if lasts is None else lasts, "repeats": transport.repeatable or again}
    standing = _claim(engine, key | lapses, str(message["Message-ID"]), now, again)
    if standing is not None:
        return standing
    try:
        transport.send(message, lambda: _begin(engine, key | {"value": now}))
    except DeliveryError as error:
        _record(engine, "error", key | {"value": f"{_PERMANENT if error.permanent else 'transient: '}{error}"})
        raise
    _record(engine, "sent_at", key | {"value": now})
    return "sent"


_Key = dict[str, object]
_CLAIM: Final = """
INSERT INTO tthc.deliveries AS d (recipient, kind, local_date, claimed_at, message_id, claim, lease_until)
VALUES (%(recipient)s, %(kind)s, %(day)s, %(now)s, %(id)s, %(claim)s, clock_timestamp() + %(lasts)s)
ON CONFLICT (recipient, kind, local_date) DO UPDATE
    SET claimed_at = excluded.claimed_at, message_id = excluded.message_id, error = NULL, claim = excluded.claim,
        lease_until = excluded.lease_until, handing_over_at = NULL
    WHERE d.sent_at IS NULL AND (
        d.error IS NOT NULL AND (%(again)s OR NOT starts_with(d.error, %(permanent)s))
        OR d.error IS NULL AND coalesce(d.lease_until < clock_timestamp(), true)
           AND (d.handing_over_at IS NULL OR %(repeats)s))
RETURNING true
"""
_STANDING: Final = """
SELECT CASE WHEN sent_at IS NOT NULL THEN 'already_sent' WHEN error IS NOT NULL THEN 'refused'
            WHEN lease_until < clock_timestamp() THEN 'in_doubt' ELSE 'in_progress' END
FROM tthc.deliveries WHERE recipient = %(recipient)s AND kind = %(kind)s AND local_date = %(day)s
"""
_DOUBT: Final = """
UPDATE tthc.deliveries SET error = %(value)s WHERE recipient = %(recipient)s AND kind = %(kind)s
AND local_date = %(day)s AND sent_at IS NULL AND error IS NULL AND lease_until < clock_timestamp()
"""
_OURS: Final = (
    " = %(value)s WHERE recipient = %(recipient)s AND kind = %(kind)s AND local_date = %(day)s AND claim = %(claim)s "
    "AND sent_at IS NULL"
)


def _claim(engine: Engine, key: _Key, message_id: str, now: datetime, again: bool) -> Outcome | None:
    values = key | {"id": message_id, "now": now, "again": again, "permanent": _PERMANENT}
    with transaction(engine) as connection:
        if connection.exec_driver_sql(_CLAIM, values).scalar():
            return None
        standing: Outcome | Literal["in_doubt"] = connection.exec_driver_sql(_STANDING, values).scalar_one()
        if standing != "in_doubt":
            return standing
        error = f"a process ended while it was handing over the mail; {IN_DOUBT}"
        connection.exec_driver_sql(_DOUBT, values | {"value": f"{_PERMANENT}{error}"})
    raise UnknownDeliveryError(error)


def _begin(engine: Engine, values: _Key) -> None:
    """Mark that the text of the mail leaves now; whoever lost the claim meanwhile must not send it."""
    with transaction(engine) as connection:
        ours = connection.exec_driver_sql("UPDATE tthc.deliveries SET handing_over_at" + _OURS, values).rowcount
    if ours != 1:
        raise DeliveryError("another process has taken the mail over; it is not sent from here, wait for that one")


def _record(engine: Engine, column: str, values: _Key) -> None:
    """Record what came of a mail; that the database is away for a while must not leave it in doubt."""
    patience = time.monotonic() + _RECORDING_SECONDS
    while True:
        try:
            with transaction(engine) as connection:
                connection.exec_driver_sql(f"UPDATE tthc.deliveries SET {column}" + _OURS, values)
        except DatabaseError:
            if time.monotonic() >= patience:
                raise
            time.sleep(_RECORDING_PAUSE)
        else:
            return


def _message_id(kind: str, recipient: str, mail: DigestMail, sender: str) -> str:
    plain = unicodedata.normalize("NFKD", recipient.partition("@")[0]).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "recipient"
    mark = sha256(recipient.encode()).hexdigest()[:10]
    domain = re.sub(r"[^a-z0-9.-]", "", sender.lower().rpartition("@")[2]) or "localhost"
    return f"<{kind}-{mail.local_date.isoformat()}-{name}-{mark}@{domain}>"
