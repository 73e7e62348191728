"""HTTP for connectors: one client, one retry policy, one mapping of failures to remedies.

The only module that imports the HTTP library; moving to a compatible fork means changing that one import line. No
message and no log line contains a secret or the body of an answer.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx as http_library
import stamina
from pydantic import SecretStr

from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError

__all__ = ["USER_AGENT", "Basic", "Bearer", "HttpClient", "Retries", "http_library", "read_secret"]

Params = Mapping[str, str | int]

try:
    _VERSION = version("tthc-monitor")
except PackageNotFoundError:  # run from a plain folder
    _VERSION = "0"
USER_AGENT: Final = f"tthc-monitor/{_VERSION}"

RETRIED_STATUSES: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Basic:
    """HTTP Basic credentials."""

    username: str
    password: SecretStr


@dataclass(frozen=True)
class Bearer:
    """A token for ``Authorization: Bearer``."""

    token: SecretStr


@dataclass(frozen=True)
class Retries:
    """How stubborn a client is; all times in seconds.

    ``attempts`` counts the first try. Waits double from ``wait_initial`` to ``wait_max``, plus up to ``wait_jitter``.
    A ``Retry-After`` of the server is honoured up to ``longest_retry_after``; a longer one ends the run instead.
    """

    attempts: int = 5
    wait_initial: float = 0.5
    wait_max: float = 20.0
    wait_jitter: float = 1.0
    longest_retry_after: float = 60.0


def read_secret(
    what: str, value: SecretStr | None, file: Path | None, environment: str | None, base_dir: Path
) -> SecretStr:
    """Take a secret from exactly one of: the settings, a file (outer blanks cut), an environment variable.

    ``what`` is the option's name, for messages; relative files start at ``base_dir``.

    Raises:
        ConfigError: none or several are given, or the file or variable cannot be read or is empty.
    """
    ways = f"{what}, {what}_file or {what}_env"
    if sum(item is not None for item in (value, file, environment)) != 1:
        raise ConfigError(f"exactly one of {ways} must be given; set one")
    if value is not None:
        found = value.get_secret_value()
        remedy = f"give {what} a value"
    elif file is not None:
        path = base_dir / file
        remedy = f"write the secret into {path}"
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"{what}_file {path} cannot be read ({reason}); correct the path or its rights") from None
    else:
        found = os.environ.get(str(environment), "")
        remedy = f"set the environment variable {environment}"
    if not found:
        raise ConfigError(f"{what} is empty; {remedy}")
    return SecretStr(found)


class _Retried(TransientSourceError):
    """A failure worth another try; ``wait`` is the server's own wish, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class HttpClient:
    """Asks one server for JSON, with retries; safe to share between threads.

    ``not_authenticated`` lists the statuses by which this server says that it does not know the caller.

    Raises:
        ConfigError: ``ca_file`` cannot be read as PEM certificates.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Basic | Bearer | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        retries: Retries | None = None,
        ca_file: Path | None = None,
        not_authenticated: frozenset[int] = frozenset({401}),
        transport: http_library.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._retries = retries or Retries()
        self._not_authenticated = not_authenticated
        sent = {"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})}
        auth: http_library.BasicAuth | None = None
        if isinstance(credentials, Basic):
            auth = http_library.BasicAuth(credentials.username, credentials.password.get_secret_value())
        elif isinstance(credentials, Bearer):
            sent["Authorization"] = f"Bearer {credentials.token.get_secret_value()}"
        self._client = http_library.Client(
            headers=sent,
            auth=auth,
            timeout=timeout_seconds,
            verify=_trust(ca_file),
            follow_redirects=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def get_json(self, path: str, params: Params | None = None, *, absent: frozenset[int] = frozenset()) -> Any:
        """The parsed JSON answer to a GET of ``path`` below the base URL; None for a status in ``absent``.

        Raises:
            TransientSourceError: unreachable, slow, overloaded, or answering half; retries are used up.
            PermanentSourceError: credentials, rights, address or certificate must be changed, or it is not JSON.
        """
        url = f"{self.base_url}/{path.lstrip('/')}"
        policy = self._retries
        for attempt in stamina.retry_context(
            on=_wait_before_retry,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.wait_initial,
            wait_max=policy.wait_max,
            wait_jitter=policy.wait_jitter,
        ):
            with attempt:
                return self._get_once(url, params, absent)
        raise AssertionError("the retry loop always returns or raises")

    def _get_once(self, url: str, params: Params | None, absent: frozenset[int]) -> Any:
        try:
            answer = self._client.get(url, params=params)
        except http_library.InvalidURL as error:
            raise PermanentSourceError(f"{url} is not a valid address ({error}); correct url") from None
        except http_library.RequestError as error:
            raise _from_transport(error, url) from None
        status = answer.status_code
        if status in absent:
            return None
        if status in self._not_authenticated or status == 401:
            raise PermanentSourceError(
                f"{url} does not accept the credentials (HTTP {status}); check user name and password, and that the "
                "account is not locked"
            )
        if status in RETRIED_STATUSES:
            raise self._busy(answer, url)
        if status != 200:
            raise _refused(answer, url)
        return _parse(answer, url)

    def _busy(self, answer: http_library.Response, url: str) -> TransientSourceError:
        wait = _retry_after(answer.headers.get("Retry-After"))
        if wait is not None and wait > self._retries.longest_retry_after:
            return TransientSourceError(
                f"{url} answers HTTP {answer.status_code} and asks for {wait:.0f} seconds of peace; "
                "nothing to do now, the next run tries again"
            )
        if answer.status_code == 429:
            return _Retried(f"{url} says too many requests (HTTP 429); run less often or ask for a higher quota", wait)
        return _Retried(
            f"{url} fails on its side (HTTP {answer.status_code}); the next run tries again, "
            "tell the system's operator if it lasts",
            wait,
        )


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ca_file {ca_file} cannot be read ({error.strerror or 'not PEM'}); give a file of PEM certificates"
        ) from None


def _wait_before_retry(error: Exception) -> bool | float:
    if not isinstance(error, _Retried):
        return False
    return True if error.wait is None else error.wait


def _retry_after(value: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number or an HTTP date; None when absent or unreadable."""
    if value is None:
        return None
    text = value.strip()
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


def _from_transport(error: http_library.RequestError, url: str) -> TthcError:
    causes = list(_causes(error))
    host = http_library.URL(url).host
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return PermanentSourceError(
                f"the certificate of {host} is not trusted; set ca_file to the certificate authority that signed it, "
                "or have the certificate renewed"
            )
        return PermanentSourceError(f"no TLS connection with {host}; check that url has the right scheme and port")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return _Retried(f"the name {host} cannot be resolved; check url and the DNS of this machine")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return _Retried(f"{url} refuses the connection; check the port in url and that the system is running")
    if isinstance(error, http_library.TimeoutException):
        return _Retried(f"{url} does not answer in time; raise timeout_seconds or lower page_size if it lasts")
    if isinstance(error, http_library.UnsupportedProtocol):
        return PermanentSourceError(f"{url} is not an http or https address; correct url")
    return _Retried(
        f"the connection to {url} broke ({type(error).__name__}); the next run tries again, check the network if it "
        "lasts"
    )


def _refused(answer: http_library.Response, url: str) -> PermanentSourceError:
    status = answer.status_code
    if status == 403:
        return PermanentSourceError(f"{url} denies access (HTTP 403); ask for the right to read it for this account")
    if status in (404, 410):
        return PermanentSourceError(f"{url} does not exist (HTTP {status}); correct url")
    if answer.is_redirect:
        target = http_library.URL(answer.headers.get("Location", ""))
        place = f"{target.scheme}://{target.host}{target.path}" if target.host else target.path
        return PermanentSourceError(f"{url} has moved to {place} (HTTP {status}); put the new address into url")
    return PermanentSourceError(f"{url} refuses the request (HTTP {status}); check url and the options of this source")


def _parse(answer: http_library.Response, url: str) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        if answer.content.lstrip()[:1] in (b"{", b"["):
            raise _Retried(f"the answer of {url} breaks off in the middle; lower page_size if it lasts") from None
    kind = answer.headers.get("Content-Type", "no content type").split(";")[0]
    raise PermanentSourceError(
        f"{url} answers {len(answer.content)} bytes that are not JSON ({kind}); check that url is that of the "
        "interface, not of a web page or a login form"
    )
