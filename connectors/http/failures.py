"""Failures of HTTP as errors by remedy: what happened, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.http.library import http_library, shown
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError, TthcError

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Retried(TransientSourceError):
    """A failure worth another try; ``wait`` is the server's own wish, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class CredentialsRefused(PermanentSourceError):
    """The server does not know the caller; asking again could lock the account."""


class PeaceWanted(TransientSourceError):
    """The server asks to be left alone for longer than a run should wait."""


def credentials_refused(url: str, status: int) -> CredentialsRefused:
    """The error for a status that says: not authenticated."""
    return CredentialsRefused(
        f"{url} does not accept the credentials (HTTP {status}); check user name and password, and that the "
        "account is not locked"
    )


def busy(url: str, status: int, retry_after: str | None, longest_retry_after: float) -> TransientSourceError:
    """The error for a status of :data:`RETRIED_STATUSES`."""
    wait = seconds_of(retry_after)
    if wait is not None and wait > longest_retry_after:
        return PeaceWanted(
            f"{url} answers HTTP {status} and asks for {wait:.0f} seconds of peace; "
            "nothing to do now, the next run tries again"
        )
    if status == 429:
        return Retried(
            f"{url} says too many requests (HTTP 429); run less often, set requests_per_second or ask for a higher quota",
            wait,
        )
    return Retried(
        f"{url} fails on its side (HTTP {status}); the next run tries again, tell the system's operator if it lasts",
        wait,
    )


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number or an HTTP date; None when absent or unreadable."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def from_transport(error: http_library.RequestError, address: str) -> TthcError:
    """The error for a request that got no whole answer."""
    causes = list(_causes(error))
    host, url = http_library.URL(address).host, shown(address)
    if isinstance(error, http_library.ProxyError) or any(isinstance(one, http_library.ProxyError) for one in causes):
        return Retried(f"the proxy does not let {url} through; check proxy, proxy_username and proxy_password")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return PermanentSourceError(
                f"the certificate of {host} is not trusted; set ca_file to the certificate authority that signed it, "
                "or have the certificate renewed"
            )
        return PermanentSourceError(f"no TLS connection with {host}; check that url has the right scheme and port")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Retried(f"the name {host} cannot be resolved; check url and the DNS of this machine")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Retried(f"{url} refuses the connection; check the port in url and that the system is running")
    if isinstance(error, http_library.TimeoutException):
        return Retried(f"{url} does not answer in time; raise timeout_seconds or lower page_size if it lasts")
    if isinstance(error, http_library.UnsupportedProtocol):
        return PermanentSourceError(f"{url} is not an http or https address; correct url")
    return Retried(
        f"the connection to {url} broke ({type(error).__name__}); the next run tries again, check the network if it "
        "lasts"
    )


def refused(url: str, status: int, location: str | None) -> PermanentSourceError:
    """The error for every other status that is not an answer."""
    if status == 403:
        return PermanentSourceError(f"{url} denies access (HTTP 403); ask for the right to read it for this account")
    if status in (404, 410):
        return PermanentSourceError(f"{url} does not exist (HTTP {status}); correct url")
    if status == 407:
        return PermanentSourceError(
            "the proxy does not accept the credentials (HTTP 407); check proxy, proxy_username and proxy_password"
        )
    if location is not None and 300 <= status < 400:
        return PermanentSourceError(
            f"{url} has moved to {shown(location)} (HTTP {status}); put the new address into url"
        )
    return PermanentSourceError(f"{url} refuses the request (HTTP {status}); check url and the options of this source")


def not_json(url: str, body: bytes, content_type: str | None) -> TthcError:
    """The error for an answer that cannot be read as JSON: broken off in the middle, or something else altogether."""
    if body.lstrip()[:1] in (b"{", b"["):
        return Retried(f"the answer of {url} breaks off in the middle or is not JSON; lower page_size if it lasts")
    kind = (content_type or "no content type").split(";")[0]
    return PermanentSourceError(
        f"{url} answers {len(body)} bytes that are not JSON ({kind}); check that url is that of the "
        "interface, not of a web page or a login form"
    )
