"""Letters to a real mail server: encrypted, checked, in one connection, and every way it may say no."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.awaited import free_port
from tests.posted import SENDER, Inbox, letter, mail_server, make_certificate, server_context
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.smtp import SmtpTransport
from tthc_monitor.outputs.transports import ChannelError, UnknownDeliveryError


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp(inbox: Inbox) -> Iterator[SmtpTransport]:
    with mail_server(inbox) as port:
        transport = SmtpTransport("127.0.0.1", port, "none", None, None, SENDER, timeout=10)
        yield transport
        transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


class Door:
    """Lets in who knows the password, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.asked += 1
        return AuthResult(success=(data.login, data.password) == (b"tthc", b"mat-khau"), handled=False)


def failed_by(transport: SmtpTransport, kind: type[DeliveryError] = DeliveryError) -> DeliveryError:
    with pytest.raises(kind) as failed:
        transport.send(letter())
    return failed.value


def test_several_letters_go_in_one_connection_under_the_envelope_that_was_set(
    smtp: SmtpTransport, inbox: Inbox
) -> None:
    transport = replace(smtp, envelope_sender="tra-lai@mau.example.vn")
    answers = [transport.send(letter(recipient=f"{name}@mau.example.vn")) for name in "abc"]
    assert answers == ["250 OK queued as 1", "250 OK queued as 2", "250 OK queued as 3"]
    assert inbox.envelopes == [("tra-lai@mau.example.vn", [f"{name}@mau.example.vn"]) for name in "abc"]
    assert len(inbox.connections) == 1
    transport.close()
    smtp.send(letter())
    assert inbox.envelopes[-1][0] == "tthc@mau.example.vn", "else the sender's own, without the name"


@pytest.mark.parametrize("how", ["mail hang up", "mail 421 enough by this connection", "rcpt 421 enough"])
def test_a_connection_that_the_server_ends_between_letters_is_made_anew(
    smtp: SmtpTransport, inbox: Inbox, how: str
) -> None:
    smtp.send(letter(recipient="a@mau.example.vn"))
    inbox.answers = [how]
    smtp.send(letter(recipient="b@mau.example.vn"))
    assert [to for _, (to,) in inbox.envelopes] == ["a@mau.example.vn", "b@mau.example.vn"]
    assert len(inbox.connections) == 2


def test_a_new_connection_that_is_ended_at_once_is_a_server_that_is_away(smtp: SmtpTransport, inbox: Inbox) -> None:
    inbox.answers = ["mail 421 too busy"]
    assert not failed_by(smtp, ChannelError).permanent
    smtp.send(letter())
    assert len(inbox.taken) == 1


def test_after_a_refused_recipient_the_connection_serves_the_next(smtp: SmtpTransport, inbox: Inbox) -> None:
    inbox.of = {"khong-co@mau.example.vn": "550 no such user"}
    smtp.send(letter(recipient="a@mau.example.vn"))
    with pytest.raises(DeliveryError, match="550 no such user") as failed:
        smtp.send(letter(recipient="khong-co@mau.example.vn"))
    assert failed.value.permanent and not isinstance(failed.value, ChannelError)
    smtp.send(letter(recipient="b@mau.example.vn"))
    assert len(inbox.taken) == 2 and len(inbox.connections) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "permanent"),
    [
        ("rcpt 450 mailbox busy", DeliveryError, False),
        ("rcpt 550 no such user", DeliveryError, True),
        ("451 try later", DeliveryError, False),
        ("554 refused", DeliveryError, True),
        ("mail 550 you may not send as that", ChannelError, True),
        ("mail 452 no room", ChannelError, False),
        ("hang up", UnknownDeliveryError, True),
    ],
)
def test_a_refusal_says_whom_it_is_about_and_whether_it_passes(
    smtp: SmtpTransport, inbox: Inbox, answer: str, kind: type[DeliveryError], permanent: bool
) -> None:
    inbox.answers = [answer]
    error = failed_by(smtp)
    assert (type(error), error.permanent) == (kind, permanent)
    assert inbox.taken == []


def test_no_server_there_is_a_failure_of_the_way_that_passes() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        transport = SmtpTransport("127.0.0.1", probe.getsockname()[1], "none", None, None, "a@b.vn", timeout=5)
        error = failed_by(transport, ChannelError)
    assert "cannot be reached" in str(error) and not error.permanent


def test_a_server_that_says_nothing_is_not_waited_for_longer_than_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = SmtpTransport("127.0.0.1", silent.getsockname()[1], "none", None, None, "a@b.vn", timeout=0.2)
        error = failed_by(transport, ChannelError)
    assert "timed out" in str(error) and not error.permanent


def test_a_server_without_encryption_never_gets_the_mail(smtp: SmtpTransport, inbox: Inbox) -> None:
    error = failed_by(replace(smtp, security="starttls", username="u", password="p"), ChannelError)
    assert "STARTTLS" in str(error) and error.permanent
    assert inbox.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_the_password_is_checked_and_the_mail_taken(
    inbox: Inbox, certificate: tuple[Path, Path], security: str
) -> None:
    door, context = Door(), server_context(certificate)
    options = {"tls_context": context, "auth_required": True}
    if security == "tls":
        # Of encryption from the first byte the server of the tests does not know.
        options = {"ssl_context": context, "auth_require_tls": False}
    with mail_server(inbox, authenticator=door, **options) as port, ExitStack() as stack:
        trusting = SmtpTransport("127.0.0.1", port, security, "tthc", "mat-khau", SENDER, 10, certificate[0])  # type: ignore[arg-type]
        stack.callback(trusting.close)
        trusting.send(letter())
        assert len(inbox.taken) == 1 and door.asked == 1
        wrong = replace(trusting, password="sai-roi")
        first = failed_by(wrong, ChannelError)
        assert first.permanent and "535" in str(first) and "sai-roi" not in str(first)
        for _ in range(3):
            assert str(failed_by(wrong, ChannelError)) == str(first)
        assert door.asked == 2, "a wrong password is shown once"
        distrusting = failed_by(replace(trusting, ca_file=None), ChannelError)
        assert "not trusted" in str(distrusting) and distrusting.permanent
        assert len(inbox.taken) == 1


def test_a_server_that_takes_no_password_is_told_apart(inbox: Inbox, certificate: tuple[Path, Path]) -> None:
    with mail_server(inbox, tls_context=server_context(certificate), auth_exclude_mechanism=["LOGIN", "PLAIN"]) as port:
        transport = SmtpTransport("127.0.0.1", port, "starttls", "tthc", "mat-khau", SENDER, 10, certificate[0])
        error = failed_by(transport, ChannelError)
    assert "no user name and password" in str(error) and error.permanent


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both or neither"):
        SmtpTransport("h", 25, "starttls", "u", None, "a@b.vn")
    with pytest.raises(ConfigError, match="clear"):
        SmtpTransport("h", 25, "none", "u", "p", "a@b.vn")
    with pytest.raises(ConfigError, match="ca_file"):
        SmtpTransport("h", 25, "tls", None, None, "a@b.vn", ca_file=tmp_path / "none.pem")
    for sender in ("", "nobody", "Một, hai <a@b.vn>", "a@b.vn\nBcc: c@d.vn"):
        with pytest.raises(ConfigError, match="one mail address"):
            SmtpTransport("h", 25, "tls", None, None, sender)
    assert "secret" not in repr(SmtpTransport("h", free_port(), "tls", "u", "secret", "a@b.vn"))
