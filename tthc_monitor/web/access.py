"""Who may send: one token a source, as a bearer or as a password, and no haste for those who guess."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request

CHALLENGE: Final = 'Bearer realm="tthc-monitor"'
"""Passwords are taken but not asked for: a browser would ask its user, and then show the token for pages of others too."""

_FORGIVEN_AFTER: Final = 300.0
_ADDRESSES: Final = 1_000
_LONGEST_WAIT: Final = 5.0
_MOST_WAITING: Final = 50


def comes_from_a_page(request: Request) -> bool:
    """Whether a browser sends this for a page, which might be anybody's; programs that send to us are no browsers."""
    site = request.headers.get("sec-fetch-site", "none").lower()
    return "origin" in request.headers or site not in ("none", "same-origin")


class Gate:
    """Knows the token of a source, by its hash."""

    def __init__(self, token: SecretStr) -> None:
        self._digest = sha256(token.get_secret_value().encode()).digest()

    def admits(self, request: Request) -> bool:
        """Whether the request shows the token: ``Bearer TOKEN``, or ``Basic`` with it as the password of any user."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            shown = basic(shown)[1]
        elif scheme.lower() != "bearer":
            return False
        # Hashes are of one length, so that the time taken tells nothing of the token.
        return hmac.compare_digest(sha256(shown.strip().encode("utf-8", "replace")).digest(), self._digest)


def basic(encoded: str) -> tuple[str, str]:
    """Name and password of ``Basic`` credentials; empty ones where nothing can be read."""
    try:
        shown = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    name, _, password = shown.partition(":")
    return name, password


class Patience:
    """Makes whoever shows a wrong token wait for the answer, longer each time; a right token never waits."""

    def __init__(self, second: float = 1.0) -> None:
        self._second = second
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def refused(self, address: str) -> bool:
        """Count a refusal and wait; False when so many wait already that this one is not even kept waiting."""
        now = time.monotonic()
        count, since = self._failures.pop(address, (0, now))
        count = 1 if now - since > _FORGIVEN_AFTER else count + 1
        self._failures[address] = (count, now)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)
        if self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(min(count, _LONGEST_WAIT) * self._second)
        finally:
            self._waiting -= 1
        return True
