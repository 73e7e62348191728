"""What may go wrong with a system and on the way to it: switches, and the middleware that applies those of the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tthc_monitor.simulator.scripts import Dossier


@dataclass
class Faults:
    """Misbehaviour to switch on. Nothing goes wrong by default.

    On the way, each a number of requests that it hits next, counting down:

    ``server_errors`` answer 503; ``too_many_requests`` 429 with ``Retry-After: retry_after_seconds``.
    ``slow`` wait ``slow_seconds`` before anything is done.
    ``lost_login`` answer as if the caller were not known; ``token_expired`` too, but only those that bring a token.
    ``truncated`` answers lose their second half. ``broken`` ones too, and the connection breaks in the middle.
    ``slow_drip`` answers send their first ``drip_bytes`` bytes one by one, ``drip_seconds`` apart.
    ``repeat_pages`` requests are answered with the page before theirs: what was answered last to the same question but
    for its numbers.

    In the system, for as long as they are set:

    ``hit_limit`` is the search window: rows behind it are never listed, though the total counts them.
    ``repeat_rows`` makes every page but the first begin with the last row of the page before.
    ``without_history`` are dossier ids whose history is refused, ``without_detail`` those that nobody may look at alone.
    ``vanished`` are dossier ids that are there no more. ``backdated`` moves the ends of dossiers earlier, by id.
    ``withheld`` so many of the newest dossiers are not there yet; each page listed lets one of them in.
    ``shifted_zone_hours`` is added to every local time written. ``clock_skew`` is how far the system's clock is ahead.
    ``strict_filters`` gives exactly what was asked; otherwise text searches find more.
    ``plain_json`` writes texts as texts, lists as lists, empty ones included; otherwise as the real server does.
    """

    server_errors: int = 0
    too_many_requests: int = 0
    retry_after_seconds: int = 1
    slow: int = 0
    slow_seconds: float = 2.0
    lost_login: int = 0
    token_expired: int = 0
    truncated: int = 0
    broken: int = 0
    slow_drip: int = 0
    drip_seconds: float = 0.01
    drip_bytes: int = 100
    repeat_pages: int = 0

    hit_limit: int = 10_000
    repeat_rows: bool = False
    without_history: set[int] = field(default_factory=set)
    without_detail: set[int] = field(default_factory=set)
    vanished: set[int] = field(default_factory=set)
    backdated: dict[int, timedelta] = field(default_factory=dict)
    withheld: int = 0
    shifted_zone_hours: float = 0
    clock_skew: timedelta = timedelta(0)
    strict_filters: bool = False
    plain_json: bool = False

    def take(self, name: str) -> bool:
        """Whether the named fault hits this request; uses up one."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.__dict__.update(Faults().__dict__)

    def seen(self, dossiers: Iterable[Dossier]) -> list[Dossier]:
        """The dossiers as the system tells them, by whatever interface: some gone, some not there yet, some back-dated."""
        found = [
            self._backdated(one) if one.script.dossier_id in self.backdated else one
            for one in dossiers
            if one.script.dossier_id not in self.vanished
        ]
        return found[: max(0, len(found) - self.withheld)]

    def _backdated(self, dossier: Dossier) -> Dossier:
        by = self.backdated[dossier.script.dossier_id]

        def earlier(moment: datetime | None) -> datetime | None:
            return None if moment is None else moment - by

        return replace(dossier, released_at=earlier(dossier.released_at), finished_at=earlier(dossier.finished_at))


class FaultyWay:
    """Applies the faults of the way to any application; ``requests`` counts what was asked, the failed included.

    ``not_authenticated`` is the status by which the system says that it does not know the caller.
    """

    def __init__(self, app: ASGIApp, faults: Faults, not_authenticated: int = 401) -> None:
        self.requests = 0
        self._app = app
        self._faults = faults
        self._not_authenticated = not_authenticated
        self._answered: dict[Hashable, Message] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.requests += 1
        if self._faults.take("slow"):
            await asyncio.sleep(self._faults.slow_seconds)
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        start, body = await self._answer(scope, receive)
        await self._pass_on(start, body, send)

    def _refusal(self, headers: Mapping[str, str]) -> Response | None:
        faults = self._faults
        if faults.take("server_errors"):
            return Response("Service Unavailable", 503)
        if faults.take("too_many_requests"):
            return Response("", 429, {"Retry-After": str(faults.retry_after_seconds)})
        brings_token = headers.get("Authorization", "").startswith("Bearer ")
        if faults.take("lost_login") or (brings_token and faults.take("token_expired")):
            return Response("Not authenticated", self._not_authenticated)
        return None

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        sent: list[bytes] = []
        messages: list[Message] = []

        async def listen() -> Message:
            message = await receive()
            sent.append(message.get("body", b""))
            return message

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, listen, collect)
        start, *rest = messages
        start["body"] = b"".join(message.get("body", b"") for message in rest)
        question = _question(scope, b"".join(sent))
        before = self._answered.get(question)
        if before is not None and self._faults.take("repeat_pages"):
            start = before
        if start["status"] == 200:
            # A refusal is no page, and would tell a later caller who is known that he is not.
            self._answered[question] = start
        return start, start["body"]

    async def _pass_on(self, start: Message, body: bytes, send: Send) -> None:
        faults, told = self._faults, len(body)
        broken = faults.take("broken")
        if broken:
            body = body[: told // 2]
        elif faults.take("truncated"):
            body = body[: told // 2]
            told = len(body)
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        headers = [*kept, (b"content-length", str(told).encode())]
        await send({"type": "http.response.start", "status": start["status"], "headers": headers})
        if faults.take("slow_drip"):
            for number in range(min(faults.drip_bytes, len(body))):
                await send({"type": "http.response.body", "body": body[number : number + 1], "more_body": True})
                await asyncio.sleep(faults.drip_seconds)
            body = body[faults.drip_bytes :]
        await send({"type": "http.response.body", "body": body, "more_body": broken})


def _question(scope: Scope, body: bytes) -> Hashable:
    """What is asked, whatever the page: path, parameters and JSON fields but those that are numbers."""
    asked = dict(parse_qsl(scope["query_string"].decode()))
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        asked |= {name: str(value) for name, value in fields.items()}
    return scope["path"], frozenset((name, value) for name, value in asked.items() if not value.isdigit())
