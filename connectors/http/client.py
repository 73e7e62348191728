"""The client: asks one server for JSON with bounded patience, memory and concurrency."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import stamina

from connectors.http.credentials import ApiKey, Basic, Bearer, Credentials, TokenGrant, basic, header_value
from connectors.http.failures import (
    RETRIED_STATUSES,
    CredentialsRefused,
    PeaceWanted,
    Retried,
    busy,
    credentials_refused,
    not_json,
    refused,
)
from connectors.http.json_text import parse_json
from connectors.http.library import http_library, shown
from connectors.http.pacing import Breaker, Pace
from connectors.http.tokens import Tokens
from connectors.http.wire import Bounds, Reply, Wire
from tthc_monitor.domain.errors import PermanentSourceError, TthcError

Params = Mapping[str, str | int]
Parse = Callable[[bytes], Any]
"""Reads the body of an answer; raises ValueError when it is not JSON."""

_VALIDATORS: Final = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True)
class Retries:
    """How stubborn a client is; all times in seconds.

    ``attempts`` counts the first try. Waits double from ``wait_initial`` to ``wait_max``, plus up to ``wait_jitter``.
    A ``Retry-After`` of the server is honoured up to ``longest_retry_after``; a longer one ends the run instead.
    After ``failures_in_a_row`` requests that used up their attempts nothing more is asked.
    """

    attempts: int = 5
    wait_initial: float = 0.5
    wait_max: float = 20.0
    wait_jitter: float = 1.0
    longest_retry_after: float = 60.0
    failures_in_a_row: int = 3


@dataclass(frozen=True)
class Answer:
    """What came back: the parsed JSON, None when there is none; headers by their lower-case names.

    ``unmodified``: the content is still what it was when the validators were given.
    """

    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    unmodified: bool = False

    @property
    def validators(self) -> dict[str, str]:
        """What to pass to the next :meth:`HttpClient.get` of the same question; empty where the server offers none."""
        return {asked: self.headers[name] for name, asked in _VALIDATORS.items() if name in self.headers}


@dataclass(frozen=True)
class _Question:
    method: Literal["GET", "POST"]
    url: str
    params: Params | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()
    parse: Parse = parse_json


class HttpClient:
    """Asks one server for JSON, with retries; safe to share between threads.

    ``not_authenticated`` lists the statuses by which this server says that it does not know the caller. TLS
    certificates are always verified, redirects never followed.

    Raises:
        ConfigError: ``ca_file`` cannot be read as PEM certificates, or a credential cannot travel in a header.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        retries: Retries | None = None,
        bounds: Bounds | None = None,
        ca_file: Path | None = None,
        proxy: http_library.Proxy | None = None,
        pace: Pace | None = None,
        requests_per_second: float | None = None,
        contact: str | None = None,
        not_authenticated: frozenset[int] = frozenset({401}),
        transport: http_library.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._retries = retries or Retries()
        self._not_authenticated = not_authenticated | {401}
        self._breaker = Breaker(self._retries.failures_in_a_row)
        self._headers = {name: header_value(f"header {name}", value) for name, value in (headers or {}).items()}
        self._params: Params = {}
        self._tokens: Tokens | None = None
        match credentials:
            case Basic():
                self._headers["Authorization"] = basic(credentials.username, credentials.password)
            case Bearer():
                token = header_value("the token", credentials.token.get_secret_value())
                self._headers["Authorization"] = f"Bearer {token}"
            case ApiKey(place="header"):
                self._headers[credentials.name] = header_value("the key", credentials.value.get_secret_value())
            case ApiKey():
                self._params = {credentials.name: credentials.value.get_secret_value()}
            case TokenGrant():
                self._tokens = Tokens(credentials, self._post_form)
        self._wire = Wire(
            bounds or Bounds(),
            ca_file=ca_file,
            proxy=proxy,
            pace=pace,
            requests_per_second=requests_per_second,
            contact=contact,
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
        self._wire.close()

    def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        absent: frozenset[int] = frozenset(),
        parse: Parse = parse_json,
    ) -> Any:
        """The parsed JSON answer to a GET of ``path`` below the base URL; None for a status in ``absent``.

        ``path`` may be a whole address on the same server, as links to a next page are.

        Raises:
            TransientSourceError: unreachable, slow, overloaded, or answering half; retries are used up.
            PermanentSourceError: credentials, rights, address or certificate must be changed, or it is not JSON.
        """
        return self._ask(_Question("GET", self._address(path), params, absent=absent, parse=parse)).content

    def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        absent: frozenset[int] = frozenset(),
        validators: Mapping[str, str] | None = None,
    ) -> Answer:
        """As :meth:`get_json`, with the headers; ``validators`` of an earlier answer make the question conditional."""
        return self._ask(_Question("GET", self._address(path), params, None, validators or {}, absent))

    def post_json(self, path: str, body: Any, *, absent: frozenset[int] = frozenset()) -> Any:
        """As :meth:`get_json`, for servers whose search is a POST of JSON; it is tried again like a GET."""
        sent = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        return self._ask(_Question("POST", self._address(path), None, sent, headers, absent)).content

    def _address(self, path: str) -> str:
        if "://" not in path.partition("?")[0] and not path.startswith("//"):
            return f"{self.base_url}/{path.lstrip('/')}"
        if _origin(path) != _origin(self.base_url):
            raise PermanentSourceError(
                f"the source points to {shown(path)}, which is not on {shown(self.base_url)}, and credentials do not "
                "travel there; set url to the address that the source names itself by"
            )
        return path

    def _ask(self, question: _Question) -> Answer:
        try:
            answer = self._persist(question)
        except CredentialsRefused as error:
            self._breaker.open(error)
            raise
        except PeaceWanted as error:
            self._breaker.open(error)
            raise
        except Retried as error:
            self._breaker.failed(error)
            raise
        self._breaker.succeeded()
        return answer

    def _persist(self, question: _Question) -> Answer:
        try:
            return self._once(question)
        except Retried as error:
            first: Retried | None = error
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
                if first is not None:  # the try above was the first of them
                    failed, first = first, None
                    raise failed
                return self._once(question)
        raise AssertionError("the retry loop always returns or raises")

    def _once(self, question: _Question) -> Answer:
        self._breaker.check()
        token = None if self._tokens is None else self._tokens.current()
        reply = self._authorized(question, token)
        if reply.status in self._not_authenticated and token is not None and self._tokens is not None:
            reply = self._authorized(question, self._tokens.after_refusal(token))
        status = reply.status
        if status in question.absent:
            return Answer(None, reply.headers)
        if status == 304 and question.headers:
            return Answer(None, reply.headers, unmodified=True)
        if status != 200 or status in self._not_authenticated:
            raise self._failure(shown(question.url), status, reply.headers)
        try:
            return Answer(question.parse(reply.body), reply.headers)
        except (ValueError, RecursionError):
            raise not_json(shown(question.url), reply.body, reply.headers.get("content-type")) from None

    def _failure(self, url: str, status: int, headers: Mapping[str, str]) -> TthcError:
        if status in self._not_authenticated:
            return credentials_refused(url, status)
        if status in RETRIED_STATUSES:
            return busy(url, status, headers.get("retry-after"), self._retries.longest_retry_after)
        return refused(url, status, headers.get("location"))

    def _authorized(self, question: _Question, token: str | None) -> Reply:
        headers = {**self._headers, **question.headers}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        params: Any = {**self._params, **(question.params or {})}
        if "?" in question.url:
            # The library replaces the query of an address by the parameters; a link to a next page keeps its own.
            params = http_library.QueryParams(urlsplit(question.url).query).merge(params)
        return self._wire.send(question.method, question.url, headers, params=params, content=question.body)

    def _post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        reply = self._wire.send("POST", url, headers, data=form)
        if reply.status in RETRIED_STATUSES:
            raise busy(shown(url), reply.status, reply.headers.get("retry-after"), self._retries.longest_retry_after)
        if 300 <= reply.status < 400:
            raise refused(shown(url), reply.status, reply.headers.get("location"))
        return reply.status, reply.body


def _origin(address: str) -> tuple[str, str, int | None] | None:
    try:
        url = http_library.URL(address)
    except http_library.InvalidURL:
        return None
    return url.scheme, url.host, url.port


def _wait_before_retry(error: Exception) -> bool | float:
    if not isinstance(error, Retried):
        return False
    return True if error.wait is None else error.wait
