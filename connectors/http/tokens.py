"""Short-lived tokens: fetched when first needed, renewed before they end and once after a refusal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from connectors.http.credentials import TokenGrant, header_value
from connectors.http.failures import CredentialsRefused, not_json
from connectors.http.library import shown
from tthc_monitor.domain.errors import PermanentSourceError

LONGEST_MARGIN: Final = 60.0
"""Seconds before its end from which a token is not used any more; of a short one a tenth of its life."""

_REMEDIES: Final[Mapping[str, str]] = {
    "invalid_client": "check client_id and client_secret",
    "invalid_grant": "check username and password, and that the account is not locked",
    "unauthorized_client": "have this client allowed to use this grant",
    "unsupported_grant_type": "set grant to one that the server knows",
    "invalid_scope": "correct scope",
    "invalid_request": "check client_id, grant and scope",
}
_CHECK_ALL: Final = "check token_url, client_id, client_secret, username and password"


PostForm = Callable[[str, Mapping[str, str], Mapping[str, str]], tuple[int, bytes]]
"""Sends address, form and headers; gives status and body, and raises for what is not the server's own word."""


class Tokens:
    """The token of one client; thread-safe, and only one thread asks for a new one at a time."""

    def __init__(self, grant: TokenGrant, post: PostForm, clock: Callable[[], float] = time.monotonic) -> None:
        self._grant = grant
        self._post = post
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0.0

    def current(self) -> str:
        """A token to use now.

        Raises:
            TransientSourceError: the token server failed in a way that passes.
            PermanentSourceError: it refuses, or answers something else than a token.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._good_until:
                return self._fetch()
            return self._token

    def after_refusal(self, refused: str) -> str:
        """Another token than the one that was refused; raises as :meth:`current` does."""
        with self._lock:
            if self._token == refused or self._token is None:
                return self._fetch()
            return self._token

    def _fetch(self) -> str:
        self._token = None
        asked_at = self._clock()
        status, body = self._post(self._grant.token_url, self._grant.form(), self._grant.header())
        place = shown(self._grant.token_url)
        answer = _parsed(body)
        if answer is None and status == 200:
            raise not_json(place, body, None)
        answer = answer or {}
        if status != 200:
            code = answer.get("error")
            known = code if isinstance(code, str) and code in _REMEDIES else None
            said = f"HTTP {status}" if known is None else f"HTTP {status}, {known}"
            raise CredentialsRefused(f"{place} gives no token ({said}); {_REMEDIES.get(known or '', _CHECK_ALL)}")
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise PermanentSourceError(
                f"{place} answers without an access_token; check that token_url is that of tokens"
            )
        header_value(f"the token of {place}", token)
        life = _seconds(answer.get("expires_in"))
        self._token, self._good_until = token, asked_at + life - min(LONGEST_MARGIN, life / 10)
        return token


def _parsed(body: bytes) -> Mapping[str, object] | None:
    """The answer, empty where it is no object; None where it is not JSON at all."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> float:
    """The life of a token; without one it is kept until it is refused."""
    try:
        return max(0.0, float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("inf")
