"""Whether a process is well, and what every answer of ours carries.

``/-/healthy`` does not ask the database, else its outage would restart every process; ``/-/ready`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store.database import first_line, transaction
from tthc_monitor.store.migrate import require_head

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_log = structlog.get_logger(__name__)

_HEADERS: Final = {
    b"content-security-policy": (
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}

_PAGES_AT_ONCE: Final = 4
"""Anybody may ask for pages, so that they may not take the threads and connections of those who send to us."""

_PATIENCE_SECONDS: Final = 5.0
"""So long a page is waited for. Limits of statements are kept by the server, and one that stands still keeps none."""

Answer = Callable[[Request], Awaitable[Response]]
Make = Callable[[], Response]
InThreads = Callable[[Make, Make], Answer]


def in_threads() -> InThreads:
    """Makes handlers of functions that wait for the database; few of them work at once.

    The first function makes the page; the second, which waits for nobody, what is shown when that takes too long.
    """
    free = asyncio.Semaphore(_PAGES_AT_ONCE)
    threads = ThreadPoolExecutor(_PAGES_AT_ONCE, thread_name_prefix="pages")

    def page(make: Make, late: Make) -> Answer:
        async def made() -> Response:
            await free.acquire()
            work = asyncio.get_running_loop().run_in_executor(threads, make)
            # What hangs keeps its thread, whoever still waits for it.
            work.add_done_callback(lambda _: free.release())
            return await asyncio.shield(work)

        async def answer(_: Request) -> Response:
            try:
                return await asyncio.wait_for(made(), _PATIENCE_SECONDS)
            except TimeoutError:
                return late()

        return answer

    return page


def health_routes(engine: Engine, page: InThreads, is_alive: Callable[[], bool]) -> list[Route]:
    """The two pages that tell whether a process is well.

    Args:
        page: see :func:`in_threads`.
        is_alive: whether the process does its work; asks nobody else.
    """

    async def healthy(_: Request) -> Response:
        if not is_alive():
            _log.error("scheduler_dead")
            return PlainTextResponse("the jobs of this process stand still: restart it\n", status_code=503)
        return PlainTextResponse("ok\n")

    def not_ready(reason: str) -> Response:
        # The reason may name hosts, and anybody may ask; it goes to the log.
        _log.warning("not_ready", error=reason)
        return PlainTextResponse(
            "not ready: the database does not answer, or waits for tthc-monitor db upgrade; the log tells which\n",
            status_code=503,
        )

    def ready() -> Response:
        try:
            with transaction(engine) as connection:
                limit_statements(connection)
                require_head(connection)
        except (DatabaseError, SQLAlchemyError) as error:
            return not_ready(first_line(error))
        return PlainTextResponse("ready\n")

    def late() -> Response:
        return not_ready("the database does not answer in time")

    return [Route("/-/healthy", healthy), Route("/-/ready", page(ready, late))]


def limit_statements(connection: Connection) -> None:
    """Let no question of a page take the database for long."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = '3s'")


class SafeHeaders:
    """Adds to every answer that it is not to be framed, sniffed, cached or scripted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and add to it."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
