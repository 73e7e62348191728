"""HTTP for connectors, and for letters that go out by it: one client, one retry policy, one mapping of failures to remedies.

The only package that uses the HTTP library. No message and no log line contains a secret or the body of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Surroundings
from connectors.http.client import Answer, HttpClient, Retries
from connectors.http.credentials import ApiKey, Basic, Bearer, Credentials, TokenGrant, read_secret
from connectors.http.failures import seconds_of
from connectors.http.library import http_library, shown
from connectors.http.pacing import Pace, pace_of
from connectors.http.wire import USER_AGENT, Bounds, Reply, Wire
from connectors.http_options import HttpOptions

__all__ = [
    "USER_AGENT",
    "Answer",
    "ApiKey",
    "Basic",
    "Bearer",
    "Bounds",
    "Credentials",
    "HttpClient",
    "Pace",
    "Reply",
    "Retries",
    "TokenGrant",
    "Wire",
    "asked_to_wait",
    "http_library",
    "open_client",
    "read_secret",
    "shown",
]


def open_client(
    options: HttpOptions,
    surroundings: Surroundings,
    base_url: str,
    *,
    credentials: Credentials | None = None,
    headers: Mapping[str, str] | None = None,
    not_authenticated: frozenset[int] = frozenset({401}),
) -> HttpClient:
    """A client with the manners that the options ask for; a context manager, safe to share between threads.

    Raises:
        ConfigError: a file that the options name cannot be read, or a credential cannot travel in a header.
    """
    address = http_library.URL(base_url)
    return HttpClient(
        base_url,
        credentials=credentials,
        headers=headers,
        retries=Retries(attempts=options.attempts),
        bounds=Bounds(
            timeout_seconds=options.timeout_seconds,
            max_bytes=options.max_answer_megabytes * 2**20,
            connections=options.workers,
        ),
        ca_file=surroundings.base_dir / options.ca_file if options.ca_file else None,
        proxy=_proxy(options, surroundings),
        pace=pace_of(address.netloc.decode()),
        requests_per_second=options.requests_per_second,
        contact=surroundings.contact,
        not_authenticated=not_authenticated,
    )


def asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to be left alone for (``Retry-After``); None when it asks for nothing."""
    return seconds_of(headers.get("retry-after"))


def _proxy(options: HttpOptions, surroundings: Surroundings) -> http_library.Proxy | None:
    if options.proxy is None:
        return None
    if options.proxy_username is None:
        return http_library.Proxy(options.proxy)
    password = read_secret(
        "proxy_password",
        options.proxy_password,
        options.proxy_password_file,
        options.proxy_password_env,
        surroundings.base_dir,
    )
    return http_library.Proxy(options.proxy, auth=(options.proxy_username, password.get_secret_value()))
