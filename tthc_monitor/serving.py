"""Serves the web face from a thread, so that the caller keeps the terminal and its signals."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import struct
import threading
import time
from typing import ClassVar, Final

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from tthc_monitor.domain.errors import BusyError, ConfigError

_OPEN_FILES: Final = 65_536
_BACKLOG: Final = 128
"""Connections that may wait to be accepted, and so the most that are accepted before one of them is looked at."""

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""As ``SO_LINGER``: closing throws away what was not sent."""


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Raises:
        BusyError: another process uses the address.
        ConfigError: it is not ours.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        # Who holds it may be on its way out, so that trying again helps; an address that is not ours never will be.
        kind = BusyError if error.errno == errno.EADDRINUSE else ConfigError
        raise kind(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another serve.port (the demo's --port), "
            "or stop what uses it"
        ) from None
    return bound


def allow_open_files() -> None:
    """Let this process open as many files and sockets as the system grants it without asking, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class PatientProtocol(H11Protocol):
    """HTTP over one of a bounded number of connections, each of which must ask, and read its answer, in good time.

    A connection that has shown no whole head of a request after :attr:`head_seconds`, counted from its first byte where
    an answer was given before, is closed; so is one that has not taken after :attr:`read_seconds` what was sent to it.
    When there are more than :attr:`most`, the first of these makes room: who has not read for :attr:`slow_seconds`, who
    has waited longest for a head, who has not read for a shorter while. When all are being answered, the new one goes. So
    strangers who connect and say nothing, or ask and do not listen, cannot use up the sockets of the service, and those
    who ask get in.
    """

    head_seconds: ClassVar[float] = 20.0
    read_seconds: ClassVar[float] = 20.0
    slow_seconds: ClassVar[float] = 2.0
    most: ClassVar[int] = 200

    waiting: asyncio.TimerHandle | None = None
    """What ends the wait for a head; None while there is none to wait for."""

    unread: asyncio.TimerHandle | None = None
    """What ends the wait for the other side to read; None while the system has taken all that we sent."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, and make room where there is none."""
        super().connection_made(transport)
        # Else we would hear of what is not read only beyond 64 KiB, and small answers would keep their connections for ever.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > self.most:
            others = [one for one in self.connections if isinstance(one, PatientProtocol)]
            min((one for one in others if one.waiting or one.unread), key=PatientProtocol._rank, default=self).give_up()
        if not transport.is_closing():
            self._await_head()

    def give_up(self) -> None:
        """Close the connection at once, whatever is under way on it."""
        self._wait_no_longer()
        if self.unread is not None:
            # Else the system itself would go on to offer what nobody reads.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._all_is_read()
        # Those that come before the loop tells of the loss must not count it any more.
        self.connections.discard(self)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        self._all_is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Something that was sent lies here; it must be taken in time, be it much or little."""
        super().pause_writing()
        if self.unread is None:
            self.unread = self.loop.call_later(self.read_seconds, self.give_up)

    def resume_writing(self) -> None:
        """The system has taken all."""
        self._all_is_read()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take what came; as long as no request is under way, time runs."""
        super().data_received(data)
        if self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
            self._wait_no_longer()
        else:
            self._await_head()

    def _await_head(self) -> None:
        if self.waiting is None:
            self.waiting = self.loop.call_later(self.head_seconds, self.give_up)

    def _wait_no_longer(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def _all_is_read(self) -> None:
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None

    def _rank(self) -> tuple[int, float]:
        """Who makes room first has the least."""
        if self.unread is None:
            return 1, self.waiting.when() if self.waiting is not None else float("inf")
        began = self.unread.when() - self.read_seconds
        if self.loop.time() - began >= self.slow_seconds:
            return 0, began
        # Whoever reads a long answer is behind for a moment, too.
        return 2, began


class WebServer:
    """A running web server.

    Args:
        protocol: how connections are treated.

    Raises:
        BusyError: another process uses the address.
        ConfigError: it is not ours.
    """

    def __init__(
        self, app: Starlette, host: str, port: int, protocol: type[asyncio.Protocol] = PatientProtocol
    ) -> None:
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            backlog=_BACKLOG,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="web", daemon=True
        )

    def __enter__(self) -> WebServer:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
