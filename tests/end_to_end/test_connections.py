"""Connections to the service's port: who says nothing, or does not listen, is cut off in good time; who asks gets in."""

from __future__ import annotations

import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import ClassVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tthc_monitor.serving import PatientProtocol, WebServer

HEAD_SECONDS = 0.3
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = 10


class Hasty(PatientProtocol):
    head_seconds: ClassVar[float] = HEAD_SECONDS
    most: ClassVar[int] = MOST


class Unread(PatientProtocol):
    read_seconds: ClassVar[float] = 1.0
    most: ClassVar[int] = MOST


class Unhurried(PatientProtocol):
    most: ClassVar[int] = MOST


async def echo(request: Request) -> Response:
    return PlainTextResponse(b"told: " + await request.body())


async def much(request: Request) -> Response:
    return PlainTextResponse(b"a" * int(request.path_params["number"]) + b"told: ")


APP = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), Route("/{number}", much)])
ASK_SOME = ASK.replace(b"/ ", b"/40000 ", 1)
ASK_MUCH = ASK.replace(b"/ ", b"/8000000 ", 1)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer(APP, "127.0.0.1", 0, Hasty) as running:
        yield running


@contextmanager
def connected(web: WebServer, first: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        connection.sendall(first)
        yield connection


def deaf(web: WebServer, asks: bytes = ASK_MUCH) -> socket.socket:
    """A connection that asks and takes next to nothing of what it is told."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", web.port))
    with suppress(ConnectionError):  # it may have had to make room already
        connection.sendall(asks)
    return connection


def is_gone(connection: socket.socket, within: float = 8.0) -> bool:
    """Whether the other side has dropped the connection, within so many seconds; nothing is read from it."""
    end = select.poll()
    end.register(connection, select.POLLERR | select.POLLHUP | select.POLLRDHUP)
    return bool(end.poll(within * 1000))


def is_answered(connection: socket.socket, ending: bytes = b"told: ") -> bool:
    """Whether a good answer comes, to its end."""
    found = b""
    while not found.endswith(ending) and (piece := connection.recv(65536)):
        found += piece
    return found.startswith(b"HTTP/1.1 200 ") and found.endswith(ending)


def is_cut_off(connection: socket.socket) -> bool:
    """Whether the other side ends the connection; it says nothing before."""
    try:
        return connection.recv(65536) == b""
    except ConnectionResetError:
        return True


def drips_until_cut_off(connection: socket.socket) -> bool:
    """Whether a connection over which a byte comes now and then is ended all the same."""
    for _ in range(200):
        time.sleep(HEAD_SECONDS / 6)
        try:
            connection.sendall(b"a")
        except OSError:
            return True
    return False


def test_who_sends_no_whole_head_in_time_is_cut_off(web: WebServer) -> None:
    for first in (b"", b"GET", ASK[:-2]):
        with connected(web, first) as connection:
            assert is_cut_off(connection)


def test_dripping_bytes_win_no_time(web: WebServer) -> None:
    answered_before_its_body = b"POST /no/where HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    for first in (b"G", ASK, answered_before_its_body):
        with connected(web, first) as connection:
            if len(first) > 1:
                assert connection.recv(65536).startswith(b"HTTP/1.1 ")
            assert drips_until_cut_off(connection)


def test_a_connection_that_is_kept_for_the_next_question_stays(web: WebServer) -> None:
    with connected(web) as connection:
        for _ in range(4):
            connection.sendall(ASK)
            assert is_answered(connection)
            time.sleep(HEAD_SECONDS * 1.5)


def test_a_body_may_take_longer_than_a_head(web: WebServer) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    with connected(web, head) as connection:
        for at in range(5):
            time.sleep(HEAD_SECONDS / 2)
            connection.sendall(b"%d" % at)
        assert is_answered(connection, b"told: 01234")


def test_who_asks_gets_in_however_many_say_nothing() -> None:
    silent: list[socket.socket] = []
    with WebServer(APP, "127.0.0.1", 0, Unhurried) as web:
        try:
            for _ in range(4):
                silent += [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(2 * MOST)]
                assert httpx.get(web.url, trust_env=False, timeout=20).text == "told: "
            assert all(is_cut_off(one) for one in silent[:-MOST]), "the oldest made room"
            silent[-1].sendall(ASK)
            assert is_answered(silent[-1]), "the newest did not"
        finally:
            for one in silent:
                one.close()


def test_when_all_are_being_answered_no_more_come_in() -> None:
    begun = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\na"
    with WebServer(APP, "127.0.0.1", 0, Unhurried) as web:
        busy = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(MOST)]
        try:
            for one in busy:
                one.sendall(begun)
                assert one.recv(65536).startswith(b"HTTP/1.1 100 "), "its body is being read"
            with connected(web) as late:
                assert is_cut_off(late)
            for one in busy:
                one.sendall(b"b")
                assert is_answered(one, b"told: ab")
        finally:
            for one in busy:
                one.close()


# Of a small answer something is left for us to keep where the system takes little.
@pytest.mark.parametrize(("asks", "system_takes"), [(ASK_MUCH, 1_000_000), (ASK_SOME, 4096)])
def test_who_does_not_read_the_answer_is_cut_off_and_who_reads_is_not(asks: bytes, system_takes: int) -> None:
    web = WebServer(APP, "127.0.0.1", 0, Unread)
    web._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, system_takes)
    with web:
        began = time.monotonic()
        with closing(deaf(web, asks)) as connection:
            assert is_gone(connection)
            assert time.monotonic() - began >= Unread.read_seconds
        with connected(web, asks) as connection:
            assert is_answered(connection)
            time.sleep(Unread.read_seconds * 1.5)
            connection.sendall(ASK)
            assert is_answered(connection), "what was read in time counts no more"


def test_who_asks_gets_in_however_many_do_not_read() -> None:
    with WebServer(APP, "127.0.0.1", 0, Unhurried) as web, ExitStack() as held:
        rude = [held.enter_context(closing(deaf(web))) for _ in range(3 * MOST)]
        for _ in range(3):
            assert httpx.get(web.url, trust_env=False, timeout=20).text == "told: "
        deadline = time.monotonic() + 8
        while sum(is_gone(one, 0) for one in rude) < 2 * MOST:
            assert time.monotonic() < deadline, "they made room"
            time.sleep(0.02)


def test_who_has_not_read_for_long_makes_room_before_who_has_not_asked_yet() -> None:
    class Slow(Unhurried):
        slow_seconds: ClassVar[float] = 0.3

    with WebServer(APP, "127.0.0.1", 0, Slow) as web, ExitStack() as held:
        silent = [held.enter_context(connected(web)) for _ in range(MOST - 1)]
        rude = held.enter_context(closing(deaf(web)))
        time.sleep(Slow.slow_seconds * 3)
        with connected(web, ASK) as asking:
            assert is_answered(asking)
        assert is_gone(rude)
        for one in silent:
            one.sendall(ASK)
            assert is_answered(one)


_RAISED = """
import resource
from tthc_monitor.serving import allow_open_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_service_takes_as_many_open_files_as_it_may() -> None:
    ran = subprocess.run([sys.executable, "-c", _RAISED], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    assert ran.stdout.split("\n")[:2] == [f"{soft} {hard}"] * 2
