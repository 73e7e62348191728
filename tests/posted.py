"""Mails to send in tests, and those who take them: a real SMTP server that answers as it is told, and a certificate for it."""

from __future__ import annotations

import asyncio
import email
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.awaited import free_port
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.digest_attachment import Attachment
from tthc_monitor.outputs.letters import Kind, Letter, letter_of

NOW = datetime(2026, 11, 3, 0, 30, tzinfo=UTC)
DAY = date(2026, 11, 3)
SENDER = "Trung tâm Phục vụ hành chính công Tỉnh Mẫu và các chi nhánh <tthc@mau.example.vn>"
RECIPIENT = "van-phong@mau.example.vn"


@dataclass(frozen=True)
class Told:
    """A mail as whoever makes one hands it over."""

    subject: str = "[TTHC] 03/11/2026: 4 hồ sơ quá hạn đang xử lý, 1 đến hạn hôm nay – Toàn bộ đơn vị"
    html: str = "<html><body><p>Quá hạn đang xử lý: <b>4</b></p></body></html>"
    text: str = "Quá hạn đang xử lý: 4\n"
    local_date: date = DAY
    attachments: tuple[Attachment, ...] = ()
    thread: str = "*"
    counts: Mapping[str, int] = field(default_factory=lambda: {"overdue": 4, "due_today": 1})


def letter(
    mail: Told | None = None,
    recipient: str = RECIPIENT,
    *,
    sender: str = SENDER,
    kind: Kind = "digest",
    links: Links | None = None,
    units: tuple[str, ...] = (),
) -> Letter:
    """A mail on its way, as sending it makes one."""
    return letter_of(kind, recipient, mail or Told(), sender, NOW, units=units, links=links)


class Inbox:
    """A handler that keeps what it takes, or answers what it was told to answer.

    ``answers`` are for the next letters; one that begins with ``mail``, ``rcpt`` or ``data`` is for that step, and after
    "hang up" the connection is cut. ``of`` is what is always answered about some recipients.
    """

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.connections: set[int] = set()
        self.answers: list[str] = []
        self.of: dict[str, str] = {}
        self.before_rcpt: Callable[[str], None] | None = None

    def _next(self, step: str) -> str | None:
        return (
            self.answers.pop(0).removeprefix(f"{step} ") if self.answers and self.answers[0].startswith(step) else None
        )

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (answer := self._next("mail")) is not None:
            if answer == "hang up":
                server.transport.close()
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.before_rcpt is not None:
            # Another thread, as another process would be.
            await asyncio.to_thread(self.before_rcpt, address)
        answer = self._next("rcpt") or self.of.get(address)
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers and not self.answers[0].startswith(("mail ", "rcpt ")):
            answer = self.answers.pop(0)
            if answer == "hang up":
                server.transport.close()
            return answer
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.raw.append(envelope.content)
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.connections.add(id(session))
        return f"250 OK queued as {len(self.taken)}"


@contextmanager
def mail_server(inbox: Inbox, **options: Any) -> Iterator[int]:
    """A mail server while the block lasts; its port."""
    server = Controller(inbox, hostname="127.0.0.1", port=options.pop("port", None) or free_port(), **options)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that no system trusts, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server shows a certificate by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
