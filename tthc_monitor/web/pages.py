"""What may be read: metrics, health, and a landing page with what is late now, unit by unit.

``/-/healthy`` does not ask the database, else its outage would restart every process; ``/-/ready`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.metrics import VERSION, Exposition, ScrapeSettings
from tthc_monitor.store.database import first_line, transaction
from tthc_monitor.store.migrate import require_head
from tthc_monitor.web.scrapes import Scrapes

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

_UNITS: Final = """
SELECT f.unit_code, u.name,
       coalesce(sum(f.value) FILTER (WHERE f.metric = 'tthc_dossiers_overdue'), 0)::bigint,
       coalesce(sum(f.value) FILTER (WHERE f.metric = 'tthc_dossiers_due_soon'), 0)::bigint,
       coalesce(sum(f.value) FILTER (WHERE f.metric = 'tthc_dossiers_open'), 0)::bigint,
       coalesce(sum(f.value) FILTER (WHERE f.metric = 'tthc_dossiers_cannot_tell'), 0)::bigint
FROM (
    SELECT s.metric, p.unit_code, p.value FROM tthc.metric_snapshot s
    CROSS JOIN LATERAL unnest(s.label_1, s.figures) p (unit_code, value)
    WHERE s.metric IN ('tthc_dossiers_overdue', 'tthc_dossiers_due_soon', 'tthc_dossiers_open', 'tthc_dossiers_cannot_tell')
) f LEFT JOIN audit.units u USING (unit_code)
GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC, 5 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class UnitLine:
    """What stands of one unit on the landing page; counts of dossiers."""

    name: str
    overdue: int
    due_soon: int
    open: int
    cannot_tell: int


def make_app(
    engine: Engine,
    scraped: ScrapeSettings,
    *,
    doors: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application.

    Args:
        engine: where the figures are.
        scraped: what a scrape is told beside the figures; its calendars name the zone in which the page tells times.
        doors: where something may be sent to; see :func:`~tthc_monitor.web.doors.make_doors`.
    """
    environment = Environment(
        loader=PackageLoader("tthc_monitor.outputs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": wording.number}
    template = environment.get_template("landing.html")

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready() -> Response:
        try:
            with transaction(engine) as connection:
                _limit(connection)
                require_head(connection)
        except (DatabaseError, SQLAlchemyError) as error:
            # The message may name hosts, and anybody may ask; it goes to the log.
            _log.warning("not_ready", error=first_line(error))
            return PlainTextResponse("not ready: see the log, then run: tthc-monitor db upgrade\n", status_code=503)
        return PlainTextResponse("ready\n")

    def landing() -> Response:
        try:
            with transaction(engine) as connection:
                taken_at, units = _landing_figures(connection)
        except (DatabaseError, SQLAlchemyError) as error:
            _log.warning("landing_without_figures", error=first_line(error))
            page = template.render(version=VERSION, up=False, taken_at=None, units=[])
            return HTMLResponse(page, status_code=503)
        when = wording.instant(taken_at, scraped.calendars.zone) if taken_at else None
        return HTMLResponse(template.render(version=VERSION, up=True, taken_at=when, units=units))

    threads = asyncio.Semaphore(_PAGES_AT_ONCE)

    def page(make: Callable[[], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            async with threads:
                return await run_in_threadpool(make)

        return answer

    routes = [
        Route("/", page(landing)),
        Route("/metrics", Scrapes(Exposition(engine, scraped)).answer),
        Route("/-/healthy", healthy),
        Route("/-/ready", page(ready)),
        *doors,
    ]
    return Starlette(routes=routes, middleware=[Middleware(_SafeHeaders)])


class _SafeHeaders:
    """Adds to every answer that it is not to be framed, sniffed, cached or scripted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _limit(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL statement_timeout = '3s'")


def _landing_figures(connection: Connection) -> tuple[datetime | None, list[UnitLine]]:
    _limit(connection)
    taken_at = connection.exec_driver_sql("SELECT taken_at FROM tthc.metric_snapshot_taken").scalar()
    rows = connection.exec_driver_sql(_UNITS)
    return taken_at, [UnitLine(wording.unit_label(code, name), *counts) for code, name, *counts in rows]
