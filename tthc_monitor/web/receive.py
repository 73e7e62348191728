"""Takes messages: whatever a source sends is read, stored without personal data, and only then confirmed."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.base import Receives
from tthc_monitor.domain.errors import DatabaseError, PermanentSourceError
from tthc_monitor.installation import Installation
from tthc_monitor.store.database import first_line, transaction
from tthc_monitor.store.inbox import deliver
from tthc_monitor.web.bodies import Bounds, RefusedError

_log = structlog.get_logger(__name__)

LONGEST: Final = 16 * 1024 * 1024
_SECONDS: Final = 60
_TOGETHER: Final = 128 * 1024 * 1024
_AT_ONCE: Final = 3
"""Messages that are read at once: a long one takes many times its length while it is."""
_TYPES: Final = ("application/json", "text/json", "text/plain")


class Receiver:
    """Takes messages for all sources of an installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._bounds = Bounds(LONGEST, _SECONDS, _TOGETHER)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, request: Request, name: str, connector: Receives) -> Response:
        """Read, store and confirm; the answer is the connector's, in the sender's form.

        Raises:
            RefusedError: the message was not taken.
        """
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind not in _TYPES and not kind.endswith("+json"):
            raise RefusedError(415, "the body is not declared as JSON; send Content-Type: application/json")
        async with self._bounds.body(request) as body, self._free:
            return await run_in_threadpool(self._take, name, connector, body)

    def _take(self, name: str, connector: Receives, body: bytes) -> Response:
        try:
            received = connector.receive(body)
            with transaction(self._installation.engine) as connection:
                if received.contents:
                    deliver(connection, name, received.contents, self._installation.now())
        except PermanentSourceError as error:
            _log.warning("message_refused", source=name, bytes=len(body), reason=str(error))
            raise RefusedError(400, str(error)) from None
        except DatabaseError as error:
            _log.warning("message_not_stored", source=name, error=first_line(error))
            raise RefusedError(503, "the message was not stored; send it again later", {"Retry-After": "30"}) from None
        except Exception as error:  # noqa: BLE001 a connector may be anybody's, and the sender must be answered
            # What went wrong may quote the message, so that only its kind is told.
            _log.error("message_not_taken", source=name, bytes=len(body), fault=type(error).__name__)
            raise RefusedError(
                500, "the message was not stored, by a fault of the receiver; tell its operator"
            ) from None
        _log.info("message_taken", source=name, bytes=len(body), contents=len(received.contents))
        return JSONResponse(received.answer)
