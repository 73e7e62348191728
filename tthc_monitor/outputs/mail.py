"""Mail: messages, the ways to hand them over, and the claim that keeps a digest from going out twice."""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import ssl
import tempfile
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

import structlog

from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.digest import DigestMail
from tthc_monitor.store.database import transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

Security = Literal["none", "starttls", "tls"]
Outcome = Literal["sent", "already_sent", "in_progress", "refused", "discarded"]

CLAIM_LASTS: Final = timedelta(hours=1)
"""A claim that neither sent nor failed within this belongs to a process that died; the next call takes it over."""

_PERMANENT: Final = "permanent: "
_log = structlog.get_logger(__name__)


class Transport(Protocol):
    """A way to hand over one message.

    Attributes:
        sender: address that messages are from.
        delivers: whether a message handed over reaches anybody; if not, nothing is recorded as sent.
    """

    @property
    def sender(self) -> str: ...
    @property
    def delivers(self) -> bool: ...
    def send(self, message: EmailMessage) -> None:
        """Hand over one message.

        Raises:
            DeliveryError: it was not taken; ``permanent`` when the same try will never succeed.
        """


@dataclass(frozen=True)
class SmtpTransport:
    """Hands messages to a mail server.

    Args:
        host, port: of the server.
        security: ``tls`` from the first byte, ``starttls`` before anything is said, or ``none``.
        username, password: given both or neither; never sent without encryption.
        sender: address that messages are from.
        timeout: seconds that one step may take.
        ca_file: certificates to trust besides the system's, for a server with a certificate of its own authority.

    Raises:
        ConfigError: the settings contradict each other.
    """

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None = field(repr=False)
    sender: str
    timeout: float = 30.0
    ca_file: Path | None = None
    delivers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ConfigError("mail: username and password belong together; give both or neither")
        if self.username is not None and self.security == "none":
            raise ConfigError("mail: the password would travel in clear; set security to starttls or tls")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigError(f"mail: the certificate file {self.ca_file} does not exist; correct ca_file")

    def send(self, message: EmailMessage) -> None:
        """Hand over one message; see :class:`Transport`."""
        where = f"mail server {self.host}:{self.port}"
        try:
            self._deliver(message)
        except smtplib.SMTPRecipientsRefused as error:
            answers = [f"{code} {_text(answer)}" for code, answer in error.recipients.values()]
            permanent = all(code >= 500 for code, _ in error.recipients.values())
            raise DeliveryError(
                f"{where} refuses the recipient: {'; '.join(answers)}; check the address", permanent=permanent
            ) from error
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"{where} answered {error.smtp_code} {_text(error.smtp_error)}; check sender, user name and password",
                permanent=error.smtp_code >= 500,
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(f"{where}: {error}; check mail security and port", permanent=True) from error
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(
                f"{where} shows a certificate that is not trusted: {error.verify_message}; set ca_file", permanent=True
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(
                f"{where} cannot be reached or broke off: {error or type(error).__name__}; it is tried again"
            ) from error

    def _deliver(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        server: smtplib.SMTP
        if self.security == "tls":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password)
            server.send_message(message)
            # Taken by now; a server that says a rude goodbye must not make us send it twice.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()


@dataclass(frozen=True)
class DirectoryTransport:
    """Writes each message as ``.eml``, and its HTML beside it, into a folder; for trying out and for archives."""

    folder: Path
    sender: str = "tthc-monitor@localhost"
    delivers: ClassVar[bool] = True

    def send(self, message: EmailMessage) -> None:
        """Write one message; see :class:`Transport`."""
        html = message.get_body(("html",))
        path = self.html_path(message)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if html is not None:
                _write(path, html.get_content().encode())
            _write(path.with_suffix(".eml"), message.as_bytes())
        except OSError as error:
            raise DeliveryError(
                f"the mail folder {self.folder} cannot be written: {error}; check its rights"
            ) from error

    def html_path(self, message: EmailMessage) -> Path:
        """Where the HTML of a message is written."""
        return self.folder / f"{str(message['Message-ID']).strip('<>').partition('@')[0]}.html"


@dataclass(frozen=True)
class NullTransport:
    """Sends nothing and says so in the log; what it is given is not recorded as sent."""

    sender: str = "tthc-monitor@localhost"
    delivers: ClassVar[bool] = False

    def send(self, message: EmailMessage) -> None:
        """Drop one message."""
        _log.info("mail_discarded", subject=str(message["Subject"]), reason="mail is switched off")


class _MailPolicy(EmailPolicy):
    """Folds the headers that people read by the older code: the newer one loses spaces between the encoded words of a
    long Vietnamese subject (Python 3.11 does, later versions do not all)."""

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


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:300]


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
