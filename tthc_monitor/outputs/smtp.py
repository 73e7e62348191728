"""Hands letters to a mail server: one connection for as many as it takes, encrypted and checked before anything is said.

What fails is told apart by who must do what: the server cannot be reached (wait), it does not let us in (mend the settings;
it is not asked again), it does not take this one letter for now or for good, or nobody knows.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import ClassVar, Final, Literal

from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.stopping import Check, Stop, never
from tthc_monitor.outputs.letters import Letter
from tthc_monitor.outputs.mail import make_message, require_one_address
from tthc_monitor.outputs.minute_rate import MinuteRate, rate_of
from tthc_monitor.outputs.smtp_connection import Handover, Smtp, SmtpOverTls
from tthc_monitor.outputs.transports import IN_DOUBT, ChannelError, UnknownDeliveryError
from tthc_monitor.store.database import first_line
from tthc_monitor.transport_settings import Channel

Security = Literal["none", "starttls", "tls"]

_MECHANISMS: Final = ("PLAIN", "LOGIN", "CRAM-MD5")
_CLOSING: Final = 421
"""By which a server says that it ends the connection: it has taken enough by this one, or goes down."""
_GOODBYE: Final = 5.0
"""Seconds that a server may take to answer ours."""


class _OutwornError(Exception):
    """A connection that letters went through does no more; a new one may."""


@dataclass(eq=False)
class SmtpTransport:
    """Hands letters to a mail server.

    Args:
        host, port: of the server.
        security: ``tls`` from the first byte, ``starttls`` before anything is said, or ``none``.
        username, password: given both or neither; never sent without encryption.
        sender: address that letters are from, with or without a name before it.
        timeout: seconds that one step may take, to the last byte of its answer.
        ca_file: certificates to trust besides the system's, for a server with a certificate of its own authority.
        envelope_sender: address to which what cannot be delivered comes back; None: the sender's.
        rate_per_minute: how many letters the server may be given in any minute.
        attempts, retry_seconds: see :class:`~tthc_monitor.outputs.transports.Transport`.
        rate: what was given to the server so far; None: what this process gave it.
        check: called between steps and while an answer is awaited, until the text of a letter begins to leave.

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
    envelope_sender: str | None = None
    rate_per_minute: int = 60
    attempts: int = 3
    retry_seconds: float = 5.0
    rate: MinuteRate | None = field(default=None, repr=False)
    check: Check = field(default=never, repr=False)
    name: ClassVar[Channel] = "smtp"
    delivers: ClassVar[bool] = True
    repeatable: ClassVar[bool] = False
    _server: Smtp | SmtpOverTls | None = field(default=None, init=False, repr=False)
    _worked: bool = field(default=False, init=False, repr=False)
    _closed: ChannelError | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ConfigError("mail: username and password belong together; give both or neither")
        if self.username is not None and self.security == "none":
            raise ConfigError("mail: the password would travel in clear; set security to starttls or tls")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigError(f"mail: the certificate file {self.ca_file} does not exist; correct ca_file")
        self._address = _one_address(self.sender)

    @property
    def _where(self) -> str:
        return f"mail server {self.host}:{self.port}"

    def pause(self, stop: Stop) -> None:
        """Wait until the server may be given another letter; see :class:`Transport`."""
        if self._closed is None:
            (self.rate or rate_of(f"{self.host}:{self.port}")).wait(self.rate_per_minute, stop)

    def send(self, letter: Letter, before: Callable[[], None] = never) -> str | None:
        """Hand over one letter; see :class:`Transport`."""
        if self._closed is not None:
            # Asking again with the same password could lock the account.
            raise ChannelError(str(self._closed), permanent=True)
        message = make_message(letter, self.sender)
        try:
            try:
                return self._hand_over(message, letter.recipient, before)
            except _OutwornError:
                return self._hand_over(message, letter.recipient, before)
        except ChannelError as error:
            if error.permanent:
                self._closed = error
            raise

    def close(self) -> None:
        """Say goodbye; that the server is rude about it changes nothing."""
        if self._server is not None:
            self._server.timeout, self._server.check = min(self.timeout, _GOODBYE), never
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._server.quit()
        self._drop()

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server, self._worked = None, False

    def _hand_over(self, message: EmailMessage, recipient: str, before: Callable[[], None]) -> str:
        server = self._server or self._connected()
        server.handover = handover = Handover(before)
        try:
            server.send_message(message, self.envelope_sender or self._address, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            ((code, answer),) = error.recipients.values()
            self._unless_ended(code, answer, error)
            remedy = "check the address" if code >= 500 else "it is tried again"
            raise DeliveryError(
                f"{self._where} refuses the recipient: {code} {_text(answer)}; {remedy}", permanent=code >= 500
            ) from error
        except smtplib.SMTPSenderRefused as error:
            self._unless_ended(error.smtp_code, error.smtp_error, error)
            remedy = "check sender, envelope_sender and what this user may send as"
            raise ChannelError(
                f"{self._where} refuses the sender: {error.smtp_code} {_text(error.smtp_error)}; "
                f"{remedy if error.smtp_code >= 500 else 'it is tried again'}",
                permanent=error.smtp_code >= 500,
            ) from error
        except smtplib.SMTPResponseException as error:
            self._unless_ended(error.smtp_code, error.smtp_error, error)
            raise DeliveryError(
                f"{self._where} answered {error.smtp_code} {_text(error.smtp_error)}; "
                f"{'look into its log' if error.smtp_code >= 500 else 'it is tried again'}",
                permanent=error.smtp_code >= 500,
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(
                f"{self._where} cannot take the address: {error}; write it in ASCII", permanent=True
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            if handover.began:
                self._drop()
                raise UnknownDeliveryError(
                    f"{self._where} broke off while it was taking the mail: {first_line(error)}; {IN_DOUBT}"
                ) from error
            self._unless_outworn()
            raise self._unreachable(error) from error
        except BaseException:
            # The letter is half announced: its claim was lost, the database is away, or the run is to end.
            self._drop()
            raise
        self._worked = True
        return _text(handover.answer)

    def _unless_ended(self, code: int, answer: bytes | str, error: Exception) -> None:
        """Go on unless the server ends the connection: that is its wish, whoever the letter is for."""
        if code == _CLOSING:
            self._unless_outworn()
            raise ChannelError(
                f"{self._where} wants to be left alone: {code} {_text(answer)}; it is tried again"
            ) from error

    def _unless_outworn(self) -> None:
        """Let go of a connection that the server ends; had it served before, a new one is worth a try at once."""
        worked = self._worked
        self._drop()
        if worked:
            raise _OutwornError

    def _connected(self) -> Smtp | SmtpOverTls:
        try:
            server = self._opened()
        except smtplib.SMTPResponseException as error:
            raise ChannelError(
                f"{self._where} answered {error.smtp_code} {_text(error.smtp_error)}; check user name and password, and that "
                "it lets this machine in",
                permanent=error.smtp_code >= 500,
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise ChannelError(f"{self._where}: {error}; check mail security and port", permanent=True) from error
        except ssl.SSLCertVerificationError as error:
            raise ChannelError(
                f"{self._where} shows a certificate that is not trusted: {error.verify_message}; set ca_file",
                permanent=True,
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise self._unreachable(error) from error
        self._server, self._worked = server, False
        return server

    def _opened(self) -> Smtp | SmtpOverTls:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        server: Smtp | SmtpOverTls
        if self.security == "tls":
            server = SmtpOverTls(self.host, self.port, timeout=self.timeout, context=context, check=self.check)
        else:
            server = Smtp(self.host, self.port, timeout=self.timeout, check=self.check)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.username is not None and self.password is not None:
                _log_in(server, self.username, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _unreachable(self, error: Exception) -> ChannelError:
        return ChannelError(f"{self._where} cannot be reached or broke off: {first_line(error)}; it is tried again")


def _log_in(server: smtplib.SMTP, username: str, password: str) -> None:
    """Log in by one mechanism; the library tries each with the same wrong password, and accounts are locked by that."""
    server.ehlo_or_helo_if_needed()
    offered = server.esmtp_features.get("auth", "").upper().split()
    mechanism = next((one for one in _MECHANISMS if one in offered), None)
    if mechanism is None:
        raise smtplib.SMTPNotSupportedError("it takes no user name and password")
    server.user, server.password = username, password
    server.auth(mechanism, getattr(server, f"auth_{mechanism.lower().replace('-', '_')}"))


def _one_address(sender: str) -> str:
    """The bare address of a sender.

    Raises:
        ConfigError: it is none, or several.
    """
    probe = EmailMessage()
    try:
        probe["From"] = sender
        require_one_address(probe)
    except (ValueError, IndexError, DeliveryError):
        raise ConfigError(
            f"mail: the sender '{sender}' is not one mail address; correct it, and put a name with a comma in quotes"
        ) from None
    address: str = probe["From"].addresses[0].addr_spec
    return address


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    words = " ".join(text.split())
    return "".join(letter for letter in words if unicodedata.category(letter) != "Cc")[:300]
