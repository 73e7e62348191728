"""A mail server that drips, talks without end or goes away in the middle: each step ends, and it is clear what was handed over."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest

from tests.posted import SENDER, letter
from tthc_monitor.domain.errors import DeliveryError, StoppedError
from tthc_monitor.domain.stopping import Stop, never
from tthc_monitor.outputs.smtp import SmtpTransport
from tthc_monitor.outputs.transports import ChannelError, UnknownDeliveryError

Talk = Callable[[socket.socket], object]


def drip(connection: socket.socket) -> None:
    """A byte now and then: each reading succeeds, and the line never ends."""
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"250-and more\r\n")


def one_line(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"y" * 8000)


def said(answer: bytes) -> Talk:
    return lambda connection: connection.sendall(answer)


def then(*talks: Talk) -> Talk:
    def talk(connection: socket.socket) -> None:
        for one in talks:
            one(connection)

    return talk


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


class Rude:
    """What it does instead of an answer, by step: banner, EHLO, MAIL, RCPT, DATA, "." (after the text)."""

    def __init__(self) -> None:
        self.does: dict[str, Talk] = {}
        self.heard: list[str] = []
        self.texts: list[bytes] = []
        self.stopped = Event()

    def talk(self, connection: socket.socket) -> None:
        answers = {"banner": b"220 hi\r\n", "DATA": b"354 go on\r\n"}

        def answer(step: str) -> None:
            self.does.get(step, said(answers.get(step, b"250 ok\r\n")))(connection)

        with connection, suppress(OSError), connection.makefile("rb") as lines:
            answer("banner")
            for line in lines:
                word = line[:4].decode().upper()
                self.heard.append(word)
                if word == "DATA" and word not in self.does:
                    answer(word)
                    text = list(iter(lines.readline, b".\r\n"))
                    self.texts.append(b"".join(text))
                    answer(".")
                else:
                    answer(word)


@contextmanager
def listening(rude: Rude) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def accept() -> None:
            while not rude.stopped.is_set():
                with suppress(TimeoutError, OSError):
                    connection, _ = server.accept()
                    connection.settimeout(20)
                    Thread(target=rude.talk, args=(connection,), daemon=True).start()

        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            rude.stopped.set()
            thread.join(5)


@pytest.fixture
def rude() -> Rude:
    return Rude()


@pytest.fixture
def smtp(rude: Rude) -> Iterator[SmtpTransport]:
    with listening(rude) as port:
        transport = SmtpTransport("127.0.0.1", port, "none", None, None, SENDER, timeout=0.4)
        yield transport
        transport.close()


def failed(smtp: SmtpTransport, before: Callable[[], Any] = never) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        smtp.send(letter(), before)
    return error.value


@pytest.mark.parametrize("step", ["banner", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("does", [drip, flood, one_line, hang_up])
def test_before_the_text_a_server_that_does_not_answer_is_away_and_nothing_was_handed_over(
    smtp: SmtpTransport, rude: Rude, step: str, does: Talk
) -> None:
    rude.does = {step: does}
    began: list[int] = []
    since = time.monotonic()
    error = failed(smtp, lambda: began.append(1))
    assert time.monotonic() - since < 3
    if does in (flood, one_line):
        assert "more than" in str(error)
    assert isinstance(error, ChannelError) and not error.permanent
    assert began == [] and rude.texts == []
    rude.does = {}
    assert smtp.send(letter()) == "250 ok"


@pytest.mark.parametrize("does", [drip, flood, one_line, hang_up, said(b"what?\r\n"), said(b"299 hm\r\n")])
def test_after_the_text_it_is_in_doubt(smtp: SmtpTransport, rude: Rude, does: Talk) -> None:
    rude.does = {".": does}
    since = time.monotonic()
    assert isinstance(failed(smtp), UnknownDeliveryError)
    assert time.monotonic() - since < 3 and len(rude.texts) == 1
    rude.does = {}
    assert smtp.send(letter()) == "250 ok", "by a new connection"


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "."])
def test_a_server_that_ends_a_fresh_connection_wants_to_be_left_alone_whoever_the_letter_is_for(
    smtp: SmtpTransport, rude: Rude, step: str
) -> None:
    rude.does = {step: said(b"421 4.7.0 too many\r\n")}
    error = failed(smtp)
    assert isinstance(error, ChannelError) and not error.permanent and "421" in str(error)


def test_a_server_that_takes_the_text_slowly_is_not_waited_for_longer_than_set(smtp: SmtpTransport, rude: Rude) -> None:
    rude.does = {"DATA": then(said(b"354 go on\r\n"), lambda _: rude.stopped.wait(10))}
    since = time.monotonic()
    assert isinstance(failed(smtp), UnknownDeliveryError)
    assert time.monotonic() - since < 3


def test_whoever_may_not_hand_over_any_more_leaves_before_the_text(smtp: SmtpTransport, rude: Rude) -> None:
    def lost() -> None:
        raise DeliveryError("another has it")

    assert str(failed(smtp, lost)) == "another has it"
    assert rude.texts == []
    assert smtp.send(letter()) == "250 ok" and rude.heard.count("EHLO") == 2, "by a new connection"


def test_asked_to_end_it_does_not_wait_for_an_answer(smtp: SmtpTransport, rude: Rude) -> None:
    stop = Stop()
    smtp.timeout, smtp.check = 60, stop.check
    rude.does = {"RCPT": then(lambda _: stop.set("the service stops"), drip)}
    since = time.monotonic()
    with pytest.raises(StoppedError, match="the service stops"):
        smtp.send(letter())
    assert time.monotonic() - since < 5 and rude.texts == []


def test_what_was_handed_over_is_recorded_though_asked_to_end(smtp: SmtpTransport, rude: Rude) -> None:
    stop = Stop()
    smtp.check = stop.check
    rude.does = {".": then(lambda _: stop.set("the service stops"), said(b"250 taken\r\n"))}
    assert smtp.send(letter()) == "250 taken"


@pytest.mark.parametrize(("code", "remedy"), [(450, "it is tried again"), (550, "check the address")])
def test_the_address_is_to_be_checked_only_where_it_is_refused_for_good_and_no_control_letters_are_kept(
    smtp: SmtpTransport, rude: Rude, code: int, remedy: str
) -> None:
    rude.does = {"RCPT": said(b"%d no \x1b[31msuch\x07 \xc2\x9buser\x00\r\n" % code)}
    error = str(failed(smtp))
    assert error.endswith(f"{code} no [31msuch user; {remedy}")
