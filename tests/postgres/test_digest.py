"""How a digest is handed over: once, and to a real mail server. What it says is in ``test_digest_content``."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import Engine, text

from tests.awaited import free_port
from tests.postgres.seed import CALENDARS, NOW, seed
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.digest import DigestMail, build_digest, render_digest
from tthc_monitor.outputs.digest_facts import DigestFacts, read_digest_facts
from tthc_monitor.outputs.mail import make_message, send_digest
from tthc_monitor.outputs.transports import DirectoryTransport, NullTransport, SmtpTransport, UnknownDeliveryError

SENDER = "Trung tâm Phục vụ hành chính công Tỉnh Mẫu và các chi nhánh <tthc@mau.example.vn>"
RECIPIENT = "van-phong@mau.example.vn"


def facts_of(engine: Engine) -> DigestFacts:
    with engine.connect() as connection:
        return read_digest_facts(connection, NOW, CALENDARS)


@pytest.fixture
def facts(engine: Engine) -> DigestFacts:
    with engine.begin() as connection:
        seed(connection)
    return facts_of(engine)


@pytest.fixture
def mail(facts: DigestFacts) -> DigestMail:
    return render_digest(build_digest(facts))


# -- how it is handed over ------------------------------------------------------------------------------------------


class Inbox:
    """A handler that keeps what it takes, or answers what it was told to answer."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.answers: list[str] = []
        self.before_rcpt: Callable[[str], None] | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.before_rcpt is not None:
            # Another thread, as another process would be.
            await asyncio.to_thread(self.before_rcpt, address)
        if self.answers and self.answers[0].startswith("rcpt "):
            return self.answers.pop(0).removeprefix("rcpt ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            answer = self.answers.pop(0)
            if answer == "hang up":
                server.transport.close()
            return answer
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.raw.append(envelope.content)
        return "250 OK"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp(inbox: Inbox) -> Iterator[SmtpTransport]:
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    yield SmtpTransport("127.0.0.1", port, "none", None, None, SENDER, timeout=10)
    server.stop()


def delivery(engine: Engine) -> tuple[bool, str | None]:
    with engine.connect() as connection:
        sent_at, error = connection.execute(text("SELECT sent_at, error FROM tthc.deliveries")).one()
    return sent_at is not None, error


def test_the_message_arrives_whole(engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    (message,) = inbox.taken
    assert message["Subject"] == mail.subject
    assert message["To"] == RECIPIENT
    (raw,) = inbox.raw
    # The newer parser of the standard library adds spaces between encoded words of a name; mail programs do not.
    assert str(make_header(decode_header(email.message_from_bytes(raw)["From"]))) == SENDER
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@mau.example.vn>")
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    assert plain.get_content().split() == mail.text.split()
    assert html.get_content().split() == mail.html.split()
    assert delivery(engine) == (True, None)


def test_a_second_call_on_the_same_day_sends_nothing(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    assert send_digest(engine, f" {RECIPIENT.upper()} ", mail, smtp, NOW + timedelta(hours=5)) == "already_sent"
    assert send_digest(engine, "khac@mau.example.vn", mail, smtp, NOW) == "sent"
    tomorrow = replace(mail, local_date=mail.local_date + timedelta(days=1))
    assert send_digest(engine, RECIPIENT, tomorrow, smtp, NOW + timedelta(days=1)) == "sent"
    assert len(inbox.taken) == 3


def test_of_many_processes_one_sends(engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: send_digest(engine, RECIPIENT, mail, smtp, NOW), range(8)))
    assert outcomes.count("sent") == 1
    assert set(outcomes) <= {"sent", "already_sent", "in_progress"}
    assert len(inbox.taken) == 1


@pytest.mark.parametrize("answer", ["451 try later", "rcpt 450 mailbox busy"])
def test_a_failure_that_passes_is_recorded_and_tried_again(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"try later|mailbox busy") as failed:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert not failed.value.permanent
    sent, error = delivery(engine)
    assert not sent and error is not None and error.startswith("transient: ")
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
    assert delivery(engine) == (True, None)


@pytest.mark.parametrize("answer", ["554 refused", "rcpt 550 no such user"])
def test_a_failure_for_good_is_not_tried_again_unless_asked(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, answer: str
) -> None:
    inbox.answers = [answer]
    with pytest.raises(DeliveryError, match=r"refused|no such user") as failed:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert failed.value.permanent
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "sent"
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "already_sent"


def left_by_a_dead_process(engine: Engine, mail: DigestMail, lapses: timedelta, *, handing_over: bool = False) -> None:
    """A claim that somebody made and will not come back to."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.deliveries (recipient, kind, local_date, claimed_at, claim, lease_until, handing_over_at) "
                "VALUES (:to, 'digest', :day, :at, gen_random_uuid(), clock_timestamp() + :lapses, :begun)"
            ),
            {
                "to": RECIPIENT,
                "day": mail.local_date,
                "at": NOW,
                "lapses": lapses,
                "begun": NOW if handing_over else None,
            },
        )


@pytest.mark.parametrize("clock", [timedelta(days=-3), timedelta(0), timedelta(days=3)])
def test_a_claim_lapses_by_the_clock_of_the_server_whatever_the_process_believes(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, clock: timedelta
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(minutes=1))
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW + clock) == "in_progress"
    with engine.begin() as connection:
        connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW + clock) == "sent"
    assert len(inbox.taken) == 1


def test_what_was_being_handed_over_when_its_process_died_goes_out_again_only_by_order(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(0), handing_over=True)
    with pytest.raises(UnknownDeliveryError, match=r"nobody knows whether it was delivered.*digest send") as doubted:
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert doubted.value.permanent
    sent, error = delivery(engine)
    assert not sent and error is not None and error.startswith("permanent: a process ended while")
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW, again=True) == "sent"
    assert delivery(engine) == (True, None)


def test_into_a_folder_the_same_mail_is_written_again_over_itself(
    engine: Engine, mail: DigestMail, tmp_path: Path
) -> None:
    left_by_a_dead_process(engine, mail, timedelta(0), handing_over=True)
    assert send_digest(engine, RECIPIENT, mail, DirectoryTransport(tmp_path), NOW) == "sent"
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_a_server_that_breaks_off_while_it_takes_the_mail_leaves_it_in_doubt(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    inbox.answers = ["hang up"]
    with pytest.raises(UnknownDeliveryError, match="broke off while it was taking the mail"):
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "refused"
    assert inbox.taken == []


def test_a_process_that_slept_through_its_claim_hands_nothing_over(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox
) -> None:
    slept = threading.Event()

    def take_over(_: str) -> None:
        if not slept.is_set():
            slept.set()
            with engine.begin() as connection:
                connection.execute(text("UPDATE tthc.deliveries SET lease_until = clock_timestamp()"))
            assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"

    inbox.before_rcpt = take_over
    with pytest.raises(DeliveryError, match="another process has taken the mail over"):
        send_digest(engine, RECIPIENT, mail, smtp, NOW)
    assert slept.is_set() and len(inbox.taken) == 1
    assert delivery(engine) == (True, None)


def test_no_server_there_is_a_failure_that_passes(mail: DigestMail) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        transport = SmtpTransport("127.0.0.1", probe.getsockname()[1], "none", None, None, "a@b.vn", timeout=5)
        with pytest.raises(DeliveryError, match="cannot be reached") as failed:
            transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert not failed.value.permanent


def test_a_server_without_encryption_never_gets_the_mail(mail: DigestMail, smtp: SmtpTransport, inbox: Inbox) -> None:
    transport = replace(smtp, security="starttls", username="u", password="p")
    with pytest.raises(DeliveryError, match="STARTTLS") as failed:
        transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert failed.value.permanent
    assert inbox.taken == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that no system trusts, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def refusal(mail: DigestMail, transport: SmtpTransport) -> str:
    with pytest.raises(DeliveryError) as failed:
        transport.send(make_message(mail, RECIPIENT, transport, NOW))
    assert failed.value.permanent
    return str(failed.value)


def test_after_starttls_the_password_is_checked_and_the_mail_taken(
    mail: DigestMail, inbox: Inbox, certificate: tuple[Path, Path]
) -> None:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"tthc", b"mat-khau"), handled=False)

    server = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=server_context(certificate),
        authenticator=check,
        auth_required=True,
    )
    server.start()
    try:
        trusting = SmtpTransport("127.0.0.1", server.port, "starttls", "tthc", "mat-khau", SENDER, 10, certificate[0])
        trusting.send(make_message(mail, RECIPIENT, trusting, NOW))
        wrong = refusal(mail, replace(trusting, password="sai-roi"))
        assert "535" in wrong and "sai-roi" not in wrong
        assert "not trusted" in refusal(mail, replace(trusting, ca_file=None))
        assert len(inbox.taken) == 1
    finally:
        server.stop()


def test_tls_from_the_first_byte(mail: DigestMail, inbox: Inbox, certificate: tuple[Path, Path]) -> None:
    context = server_context(certificate)
    server = Controller(inbox, hostname="127.0.0.1", port=free_port(), ssl_context=context)
    server.start()
    try:
        trusting = SmtpTransport("127.0.0.1", server.port, "tls", None, None, SENDER, 10, certificate[0])
        trusting.send(make_message(mail, RECIPIENT, trusting, NOW))
        assert "not trusted" in refusal(mail, replace(trusting, ca_file=None))
        assert len(inbox.taken) == 1
    finally:
        server.stop()


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both or neither"):
        SmtpTransport("h", 25, "starttls", "u", None, "a@b.vn")
    with pytest.raises(ConfigError, match="clear"):
        SmtpTransport("h", 25, "none", "u", "p", "a@b.vn")
    with pytest.raises(ConfigError, match="ca_file"):
        SmtpTransport("h", 25, "tls", None, None, "a@b.vn", ca_file=tmp_path / "none.pem")
    assert "secret" not in repr(SmtpTransport("h", 25, "tls", "u", "secret", "a@b.vn"))


@pytest.mark.parametrize("recipient", ["", "nobody", "a@b.vn\nBcc: c@d.vn", "a b@c.vn"])
def test_a_recipient_that_is_no_address_is_refused_for_good(
    engine: Engine, mail: DigestMail, smtp: SmtpTransport, inbox: Inbox, recipient: str
) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        send_digest(engine, recipient, mail, smtp, NOW)
    assert failed.value.permanent
    assert inbox.taken == []


@pytest.mark.parametrize("sender", ["", "nobody", "Một, hai <a@b.vn>", "a@b.vn\nBcc: c@d.vn"])
def test_a_sender_that_is_no_address_is_refused_for_good(mail: DigestMail, tmp_path: Path, sender: str) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        make_message(mail, RECIPIENT, DirectoryTransport(tmp_path, sender), NOW)
    assert failed.value.permanent


def test_a_folder_keeps_the_message_and_its_html(engine: Engine, mail: DigestMail, tmp_path: Path) -> None:
    transport = DirectoryTransport(tmp_path / "mail")
    assert send_digest(engine, RECIPIENT, mail, transport, NOW) == "sent"
    assert send_digest(engine, RECIPIENT, mail, transport, NOW) == "already_sent"
    eml, html = sorted((tmp_path / "mail").iterdir())
    assert (eml.suffix, html.suffix) == (".eml", ".html")
    assert eml.stem.startswith("digest-2026-11-03-van-phong-")
    message = email.message_from_bytes(eml.read_bytes(), policy=policy.default)
    assert message["Subject"] == mail.subject
    assert html.read_text().split() == mail.html.split()


def test_a_folder_that_cannot_be_made_is_an_error(mail: DigestMail, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    transport = DirectoryTransport(tmp_path / "file" / "mail")
    with pytest.raises(DeliveryError, match="cannot be written"):
        transport.send(make_message(mail, RECIPIENT, transport, NOW))


def test_mail_switched_off_records_nothing_as_sent(engine: Engine, mail: DigestMail, smtp: SmtpTransport) -> None:
    assert send_digest(engine, RECIPIENT, mail, NullTransport(), NOW) == "discarded"
    assert send_digest(engine, RECIPIENT, mail, smtp, NOW) == "sent"
