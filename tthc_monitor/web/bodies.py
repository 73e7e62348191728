"""Bodies of requests, never longer, slower or more at once than was agreed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Final

from starlette.requests import Request

TOO_LONG: Final = 413
TOO_SLOW: Final = 408
TOO_MANY: Final = 503


class RefusedError(Exception):
    """A request that is not taken, with the status of the answer and what to do, for the one who sent it."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        # What is left of the body is not read, so the connection cannot be used again.
        self.headers = {"Connection": "close", **(headers or {})}


@dataclass
class Bounds:
    """How long a body may be, in bytes; how long it may take, in seconds; and how much of all bodies is held at once.

    Only what :meth:`body` holds counts to ``together``.
    """

    longest: int
    seconds: float
    together: int
    _held: int = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; it counts as held until the caller is done with it.

        Raises:
            RefusedError: it is too long or too slow, or too much is being read already.
            ClientDisconnect: the sender went away before its end.
        """
        found = bytearray()
        try:
            async with self._in_time():
                async for chunk in self._chunks(request):
                    self._held += len(chunk)
                    found += chunk
                    if self._held > self.together:
                        raise RefusedError(TOO_MANY, "too much is being sent at once; send again later", _LATER)
            yield bytes(found)
        finally:
            self._held -= len(found)

    async def save(self, request: Request, file: IO[bytes]) -> int:
        """Write the body of a request into a file; returns its length.

        Raises:
            RefusedError: it is too long or too slow.
            ClientDisconnect: the sender went away before its end.
        """
        length = 0
        async with self._in_time():
            async for chunk in self._chunks(request):
                length += len(chunk)
                await asyncio.to_thread(file.write, chunk)
        return length

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.seconds):
                yield
        except TimeoutError:
            raise RefusedError(
                TOO_SLOW, f"the body took more than {self.seconds:.0f} seconds; send it faster"
            ) from None

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        declared = request.headers.get("content-length", "0")
        too_long = RefusedError(TOO_LONG, f"the body is longer than {self.longest} bytes; send it in smaller parts")
        if not declared.isdecimal() or int(declared) > self.longest:
            raise too_long
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RefusedError(415, "the body is compressed; send it without Content-Encoding")
        length = 0
        async for chunk in request.stream():
            length += len(chunk)
            if length > self.longest:
                raise too_long
            yield chunk


_LATER: Final = {"Retry-After": "30"}
