"""Ways to hand over a message: a mail server, a folder, or nowhere."""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import structlog

from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.stopping import never
from tthc_monitor.store.database import first_line

Security = Literal["none", "starttls", "tls"]

_log = structlog.get_logger(__name__)


class Transport(Protocol):
    """A way to hand over one message.

    Attributes:
        sender: address that messages are from.
        delivers: whether a message handed over reaches anybody; if not, nothing is recorded as sent.
        repeatable: whether handing the same message over again does no harm.
    """

    @property
    def sender(self) -> str:
        """Address that messages are from."""
        ...

    @property
    def delivers(self) -> bool:
        """Whether a message handed over reaches anybody."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether handing the same message over again does no harm."""
        ...

    def send(self, message: EmailMessage, before: Callable[[], None] = never) -> None:
        """Hand over one message.

        Args:
            before: called right before its text leaves; until then nothing can have been delivered.

        Raises:
            UnknownDeliveryError: whether it was taken nobody knows.
            DeliveryError: it was not taken; ``permanent`` when the same try will never succeed.
        """


class UnknownDeliveryError(DeliveryError):
    """Whether a mail was taken nobody knows; it is not sent again by itself, since it may be there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


IN_DOUBT = (
    "nobody knows whether it was delivered, so it is not sent again by itself; look into the mail server's log for the "
    "Message-ID that begins with digest- and the day, and where it is missing run: tthc-monitor digest send"
)


class _Handover:
    """The moment from which on a mail may have been delivered."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before, self.began = before, False

    def begin(self) -> None:
        self._before()
        self.began = True


class _Smtp(smtplib.SMTP):
    """Tells when the text of a mail begins to leave: sender and recipient were accepted by then."""

    handover: _Handover

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.handover.begin()
        return super().data(msg)


class _SmtpOverTls(smtplib.SMTP_SSL):
    """:class:`_Smtp`, encrypted from the first byte."""

    handover: _Handover

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.handover.begin()
        return super().data(msg)


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
    repeatable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ConfigError("mail: username and password belong together; give both or neither")
        if self.username is not None and self.security == "none":
            raise ConfigError("mail: the password would travel in clear; set security to starttls or tls")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigError(f"mail: the certificate file {self.ca_file} does not exist; correct ca_file")

    def send(self, message: EmailMessage, before: Callable[[], None] = never) -> None:
        """Hand over one message; see :class:`Transport`."""
        where = f"mail server {self.host}:{self.port}"
        handover = _Handover(before)
        try:
            self._deliver(message, handover)
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
            if handover.began:
                raise UnknownDeliveryError(
                    f"{where} broke off while it was taking the mail: {first_line(error)}; {IN_DOUBT}"
                ) from error
            raise DeliveryError(
                f"{where} cannot be reached or broke off: {first_line(error)}; it is tried again"
            ) from error

    def _deliver(self, message: EmailMessage, handover: _Handover) -> None:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        server: _Smtp | _SmtpOverTls
        if self.security == "tls":
            server = _SmtpOverTls(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = _Smtp(self.host, self.port, timeout=self.timeout)
        server.handover = handover
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
    repeatable: ClassVar[bool] = True

    def send(self, message: EmailMessage, before: Callable[[], None] = never) -> None:
        """Write one message; see :class:`Transport`."""
        html = message.get_body(("html",))
        path = self.html_path(message)
        before()
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
    repeatable: ClassVar[bool] = True

    def send(self, message: EmailMessage, before: Callable[[], None] = never) -> None:
        """Drop one message."""
        _log.info("mail_discarded", subject=str(message["Subject"]), reason="mail is switched off")


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
