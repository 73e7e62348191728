"""The wire: one request and its whole answer, within the bounds of time, size, pace and connections."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from connectors.http.deadline import Deadline
from connectors.http.failures import Retried, from_transport
from connectors.http.library import http_library, shown
from connectors.http.pacing import Pace
from connectors.http.unpacking import ASKED_FOR, CannotUnpackError, unpacker
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError

try:
    _VERSION = version("tthc-monitor")
except PackageNotFoundError:  # run from a plain folder
    _VERSION = "0"
USER_AGENT: Final = f"tthc-monitor/{_VERSION}"

_REFUSAL_BYTES: Final = 65_536
"""As much of an answer nobody reads is taken in, so that its connection can be used again."""


@dataclass(frozen=True)
class Bounds:
    """What a server may cost us.

    ``timeout_seconds`` is the longest silence, ``total_seconds`` the longest a single answer may take (None: ten times
    that), ``max_bytes`` the largest answer, unpacked; ``connections`` the requests under way at once.
    """

    timeout_seconds: float = 30.0
    total_seconds: float | None = None
    max_bytes: int = 100 * 2**20
    connections: int = 4

    @property
    def patience(self) -> float:
        """Seconds for a whole answer."""
        return 10 * self.timeout_seconds if self.total_seconds is None else self.total_seconds


@dataclass(frozen=True)
class Reply:
    """What the server said; headers by any case of their names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Sends requests; safe to share between threads.

    TLS certificates are always verified, redirects never followed. Without ``proxy`` the environment's is used.

    Raises:
        ConfigError: ``ca_file`` cannot be read as PEM certificates.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        ca_file: Path | None = None,
        proxy: http_library.Proxy | None = None,
        pace: Pace | None = None,
        requests_per_second: float | None = None,
        contact: str | None = None,
        transport: http_library.BaseTransport | None = None,
    ) -> None:
        self._bounds = bounds
        self._pace = pace or Pace()
        self._open = ExitStack()
        self._client = http_library.Client(
            headers={
                "User-Agent": user_agent(contact),
                "Accept": "application/json",
                "Accept-Encoding": ASKED_FOR,
            },
            timeout=http_library.Timeout(bounds.timeout_seconds, pool=None),
            limits=http_library.Limits(
                max_connections=bounds.connections, max_keepalive_connections=bounds.connections
            ),
            verify=_trust(ca_file),
            follow_redirects=False,
            proxy=proxy,
            transport=transport,
        )
        self._open.callback(self._client.close)
        self._deadline = Deadline()
        self._deadline.bind(self._client)
        self._open.enter_context(self._pace.joined(requests_per_second))

    def close(self) -> None:
        """Give the connections back."""
        self._open.close()

    def send(self, method: str, url: str, headers: Mapping[str, str], *, whole: bool = True, **sent: Any) -> Reply:
        """The answer, whatever its status; ``sent`` is ``params``, ``content`` or ``data`` of the library.

        Args:
            whole: the body is wanted; else of none more than the beginning is read, as of a refusal.

        Raises:
            TransientSourceError: unreachable, slow, or broken off.
            PermanentSourceError: address or certificate must be changed, or the answer is too large.
        """
        self._pace.wait()
        try:
            with (
                self._deadline.within(self._bounds.patience),
                self._client.stream(method, url, headers=headers, **sent) as answer,
            ):
                return Reply(
                    answer.status_code, answer.headers, self._body(answer, url, whole and answer.status_code == 200)
                )
        except http_library.InvalidURL:
            raise PermanentSourceError(f"{shown(url)} is not a valid address; correct url") from None
        except http_library.RequestError as error:
            raise from_transport(error, url) from None

    def _body(self, answer: http_library.Response, url: str, whole: bool) -> bytes:
        """The whole body, unpacked; of one that says no more than its status, the beginning."""
        limit = self._bounds.max_bytes if whole else _REFUSAL_BYTES
        chunks: list[bytes] = []
        size = 0
        for chunk in _unpacked(answer, limit + 1, url, whole):
            size += len(chunk)
            if size > limit:
                if not whole:
                    break
                raise PermanentSourceError(
                    f"the answer of {shown(url)} is larger than {limit // 2**20} MB; lower page_size, or raise "
                    "max_answer_megabytes"
                )
            chunks.append(chunk)
            if self._deadline.is_over:
                raise Retried(
                    f"the answer of {shown(url)} is not complete after {self._bounds.patience:.0f} seconds; lower "
                    "page_size or raise timeout_seconds if it lasts"
                )
        return b"".join(chunks)


def _unpacked(answer: http_library.Response, most: int, url: str, whole: bool) -> Iterator[bytes]:
    """The body in pieces, ``most`` bytes in all at most. The library would unpack each piece whole, whatever it holds."""
    encoding = answer.headers.get("Content-Encoding")
    try:
        taken = unpacker(encoding)
    except CannotUnpackError:
        if not whole:
            return
        raise PermanentSourceError(
            f"the answer of {shown(url)} is packed in a way that was not asked for; ask the operator of the server, or of "
            f"the proxy before it, to send it plain or packed once with one of {ASKED_FOR}"
        ) from None
    assert isinstance(answer.stream, http_library.SyncByteStream)
    for piece in answer.stream:
        try:
            unpacked = taken.unpack(piece, most)
        except zlib.error as error:
            raise http_library.DecodingError(str(error), request=answer.request) from None
        most -= len(unpacked)
        yield unpacked
        if not most:
            return


def user_agent(contact: str | None) -> str:
    """Who asks, and how its operator can be reached; signs that no header can carry are left out."""
    reachable = "".join(sign for sign in contact or "" if sign.isascii() and sign.isprintable() and sign not in "()")
    return f"{USER_AGENT} (+{reachable.strip()})" if reachable.strip() else USER_AGENT


@cache
def _usual_authorities() -> ssl.SSLContext:
    """Reading them takes longer than a request; they are the same for every client."""
    return http_library.create_ssl_context()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return _usual_authorities()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ca_file {ca_file} cannot be read ({error.strerror or 'not PEM'}); give a file of PEM certificates"
        ) from None
