"""The doors: ``POST /receive/{source}`` for messages and ``POST /upload/{source}`` for files.

A source has doors when its settings have a ``receive`` part. What comes in is let through by token only, and never from
a browser's page; of a body nothing is logged, and nothing is repeated in an answer. Before the token is shown, all
answers are alike, so that they tell nothing of which sources there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Connector, ReadsFiles, Receives
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import Installation, receive_token
from tthc_monitor.settings import SourceSettings
from tthc_monitor.web.access import CHALLENGE, Gate, Patience, comes_from_a_page
from tthc_monitor.web.bodies import RefusedError
from tthc_monitor.web.receive import Receiver
from tthc_monitor.web.upload import Uploads

_GONE: Final = 499
"""Of an answer that nobody waits for any more."""


@dataclass(frozen=True)
class Door:
    """A source that may be sent to."""

    source: SourceSettings
    connector: Connector
    gate: Gate


def make_doors(installation: Installation, patience: Patience | None = None) -> list[Route]:
    """The doors of all sources that have any.

    Raises:
        ConfigError: a token that cannot be read or is too short, or a source that cannot be sent anything.
    """
    doors = {source.name: _door(installation, source) for source in installation.settings.sources if source.receive}
    guard = _Guard(doors, patience or Patience())
    receiver, uploads = Receiver(installation), Uploads(installation)

    async def receive(request: Request, door: Door) -> Response:
        if not isinstance(door.connector, Receives):
            raise RefusedError(404, f"source {door.source.name} takes no messages; send files to /upload/ instead")
        return await receiver.answer(request, door.source.name, door.connector)

    async def upload(request: Request, door: Door) -> Response:
        if not isinstance(door.connector, ReadsFiles):
            raise RefusedError(404, f"source {door.source.name} takes no files; send messages to /receive/ instead")
        return await uploads.answer(request, door.source, door.connector)

    return [
        Route("/receive/{source}", guard.around(receive), methods=["POST"]),
        Route("/upload/{source}", guard.around(upload), methods=["POST"]),
    ]


def require_doors(source: SourceSettings, connector: Connector) -> None:
    """Make sure that a source with a ``receive`` part can be sent something.

    Raises:
        ConfigError: its kind takes neither messages nor files.
    """
    if source.receive is not None and not isinstance(connector, (Receives, ReadsFiles)):
        raise ConfigError(
            f"source {source.name} has a 'receive' part, but kind {source.kind} takes neither messages nor files; "
            "remove the part"
        )


def _door(installation: Installation, source: SourceSettings) -> Door:
    connector = installation.connector(source)
    require_doors(source, connector)
    token = receive_token(installation.settings, source)
    assert token is not None
    return Door(source, connector, Gate(token))


class _Guard:
    def __init__(self, doors: Mapping[str, Door], patience: Patience) -> None:
        self._doors = doors
        self._patience = patience

    async def _passed(self, request: Request) -> Door:
        if comes_from_a_page(request):
            raise RefusedError(403, "this comes from a page in a browser; send it by a program, curl for example")
        door = self._doors.get(request.path_params["source"])
        if door is not None and door.gate.admits(request):
            return door
        # A source that is not there is told like a wrong token: names are not for guessing either.
        address = request.client.host if request.client else ""
        if not await self._patience.refused(address):
            raise RefusedError(429, "too many wrong tokens; send the right one", {"Retry-After": "60"})
        raise RefusedError(
            401, "no such source, or a wrong token; send 'Authorization: Bearer TOKEN'", {"WWW-Authenticate": CHALLENGE}
        )

    def around(
        self, handler: Callable[[Request, Door], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler for those who show the token; refusals become answers, to them in the sender's form."""

        async def guarded(request: Request) -> Response:
            door = None
            try:
                door = await self._passed(request)
                return await handler(request, door)
            except RefusedError as refused:
                content = _refusal(request, door, str(refused))
                return JSONResponse(content, refused.status, refused.headers)
            except ClientDisconnect:
                return Response(status_code=_GONE)

        return guarded


def _refusal(request: Request, door: Door | None, reason: str) -> Any:
    if door is not None and isinstance(door.connector, Receives) and request.url.path.startswith("/receive/"):
        return door.connector.refusal(reason)
    return {"ok": False, "error": reason}
