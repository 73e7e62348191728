"""A time by which a whole answer must be there, whatever the server does in between.

The library knows only how long a single reading may take; a server that sends a byte now and then, of its headers even,
would hold a thread for days. A request is served wholly by the thread that asks, so a deadline of the thread, looked at
below the library at each reading and writing, bounds everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.http.library import http_library

SHORTEST = 0.001
"""Seconds that a reading is given after the deadline: too few for anything that was not there already."""
READ_BYTES = 2**20
"""Most bytes of one reading. The library would take 64 kB at a time, and each reading costs it as much as a row costs us."""


class Deadline:
    """The deadlines of the requests of one client, one for each thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Whatever this thread reads or writes meanwhile is over after so many seconds."""
        self._local.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._local.at = None

    def left(self, timeout: float | None) -> float | None:
        """A timeout cut to what is left."""
        at: float | None = getattr(self._local, "at", None)
        if at is None:
            return timeout
        left = max(SHORTEST, at - time.monotonic())
        return left if timeout is None else min(timeout, left)

    @property
    def is_over(self) -> bool:
        """Whether this thread's time is up."""
        at: float | None = getattr(self._local, "at", None)
        return at is not None and time.monotonic() >= at

    def bind(self, client: http_library.Client) -> None:
        """Look at the deadline whenever this client reads or writes."""
        for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001  (there is no public way)
            if isinstance(transport, http_library.HTTPTransport):
                pool: Any = transport._pool  # noqa: SLF001
                pool._network_backend = _Backend(pool._network_backend, self)  # noqa: SLF001


class _Stream:
    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        found: bytes = self._stream.read(max(max_bytes, READ_BYTES), self._deadline.left(timeout))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(secured, self._deadline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Backend:
    def __init__(self, backend: Any, deadline: Deadline) -> None:
        self._backend = backend
        self._deadline = deadline

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **others: Any) -> _Stream:
        stream = self._backend.connect_tcp(host=host, port=port, timeout=self._deadline.left(timeout), **others)
        return _Stream(stream, self._deadline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)
