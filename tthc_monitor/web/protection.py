"""Who may read the pages and the metrics, where the settings say that not everybody may.

All paths are protected but those of :data:`_OPEN`, so a page that comes later is too. A request that shows nothing is
asked at once; one that shows something wrong is kept waiting, longer each time, as at the doors.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tthc_monitor.installation import pages_password, pages_token
from tthc_monitor.settings import Settings
from tthc_monitor.web.access import Patience, basic

_log = structlog.get_logger(__name__)

_OPEN: Final = frozenset({"/-/healthy", "/-/ready"})
_DOORS: Final = ("/receive/", "/upload/", "/digest/")
"""These have tokens of their own; see :mod:`tthc_monitor.web.doors` and :mod:`tthc_monitor.web.acknowledge`."""

_REALM: Final = 'realm="tthc-monitor"'


@dataclass(frozen=True)
class Protection:
    """What lets a reader in, by its hashes: a bearer token, a user with password, or either."""

    token: bytes | None = None
    user: tuple[bytes, bytes] | None = None

    def admits(self, request: Request) -> bool:
        """Whether a request shows one of them."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.token is not None:
            return hmac.compare_digest(_digest(shown.strip()), self.token)
        if scheme.lower() == "basic" and self.user is not None:
            name, password = basic(shown)
            # Both are compared whatever the first gives, so that the time taken tells nothing of the name.
            right = (
                hmac.compare_digest(_digest(name), self.user[0]),
                hmac.compare_digest(_digest(password), self.user[1]),
            )
            return all(right)
        return False

    def challenge(self) -> list[str]:
        """What a client is asked for; a browser asks its user for a name and a password where there is one."""
        asked = [] if self.user is None else [f'Basic {_REALM}, charset="UTF-8"']
        return asked + ([] if self.token is None else [f"Bearer {_REALM}"])


def make_protection(settings: Settings) -> Protection | None:
    """The protection that the settings ask for; None: everybody who reaches the port may read.

    Raises:
        ConfigError: a secret that cannot be read, or is too short to keep anybody out.
    """
    protect = settings.serve.protect
    if protect is None:
        return None
    token, password = pages_token(settings), pages_password(settings)
    user = None
    if protect.username is not None and password is not None:
        user = (_digest(protect.username), _secret_digest(password))
    return Protection(None if token is None else _secret_digest(token), user)


class Protected:
    """The application behind a protection."""

    def __init__(self, app: ASGIApp, protection: Protection, patience: Patience | None = None) -> None:
        self._app = app
        self._protection = protection
        self._patience = patience or Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            path = scope["path"]
            if path not in _OPEN and not path.startswith(_DOORS) and not self._protection.admits(request):
                await (await self._refusal(request))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, request: Request) -> Response:
        # What a body holds is not read, so the connection cannot be used again.
        close = {"Connection": "close"}
        if "authorization" in request.headers:
            address = request.client.host if request.client else ""
            _log.warning("wrong_credentials", address=address)
            if not await self._patience.refused(address):
                return PlainTextResponse(
                    "too many wrong passwords or tokens; wait, then show the right one\n",
                    status_code=429,
                    headers={"Retry-After": "60", **close},
                )
        answer = PlainTextResponse(
            "show who you are: the user and password, or the token, of serve.protect\n", status_code=401, headers=close
        )
        for challenge in self._protection.challenge():
            answer.headers.append("WWW-Authenticate", challenge)
        return answer


def _digest(shown: str) -> bytes:
    # Hashes are of one length, so that the time taken tells nothing of what is hashed.
    return sha256(shown.encode("utf-8", "replace")).digest()


def _secret_digest(secret: SecretStr) -> bytes:
    return _digest(secret.get_secret_value())
