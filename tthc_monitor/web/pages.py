"""What may be read: metrics, health, runbooks, and a landing page with what is late now, unit by unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.metrics import VERSION, Exposition, ScrapeSettings
from tthc_monitor.store.database import first_line, transaction
from tthc_monitor.web.health import SafeHeaders, health_routes, in_threads, limit_statements
from tthc_monitor.web.protection import Protected, Protection
from tthc_monitor.web.runbooks import runbooks_page
from tthc_monitor.web.scrapes import Scrapes

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_log = structlog.get_logger(__name__)

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


def _always() -> bool:
    return True


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
    is_alive: Callable[[], bool] = _always,
    protection: Protection | None = None,
) -> Starlette:
    """The application.

    Args:
        engine: where the figures are.
        scraped: what a scrape is told beside the figures; its calendars name the zone in which the page tells times.
        doors: where something may be sent to; see :func:`~tthc_monitor.web.doors.make_doors`.
        is_alive: whether the process does its work; asks nobody else.
        protection: what must be shown to read pages and metrics; see :func:`~tthc_monitor.web.protection.make_protection`.
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
    shown_runbooks = runbooks_page(environment)

    async def runbooks(_: Request) -> Response:
        return HTMLResponse(shown_runbooks)

    def without_figures(reason: str) -> Response:
        _log.warning("landing_without_figures", error=reason)
        return HTMLResponse(template.render(version=VERSION, up=False, taken_at=None, units=[]), status_code=503)

    def late() -> Response:
        return without_figures("the database does not answer in time")

    def landing() -> Response:
        try:
            with transaction(engine) as connection:
                taken_at, units = _landing_figures(connection)
        except (DatabaseError, SQLAlchemyError) as error:
            return without_figures(first_line(error))
        when = wording.instant(taken_at, scraped.calendars.zone) if taken_at else None
        return HTMLResponse(template.render(version=VERSION, up=True, taken_at=when, units=units))

    page = in_threads()
    routes = [
        Route("/", page(landing, late)),
        Route("/metrics", Scrapes(Exposition(engine, scraped)).answer),
        Route("/runbooks", runbooks),
        *health_routes(engine, page, is_alive),
        *doors,
    ]
    around = [Middleware(SafeHeaders)]
    if protection is not None:
        around.append(Middleware(Protected, protection))
    return Starlette(routes=routes, middleware=around)


def _landing_figures(connection: Connection) -> tuple[datetime | None, list[UnitLine]]:
    limit_statements(connection)
    taken_at = connection.exec_driver_sql("SELECT taken_at FROM tthc.metric_snapshot_taken").scalar()
    rows = connection.exec_driver_sql(_UNITS)
    return taken_at, [UnitLine(wording.unit_label(code, name), *counts) for code, name, *counts in rows]
