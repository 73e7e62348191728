"""What a process shows that runs jobs only: whether it is well, and what it uses of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tthc_monitor.outputs.metrics import CONTENT_TYPE, VERSION
from tthc_monitor.web.health import SafeHeaders, health_routes, in_threads
from tthc_monitor.web.protection import Protected, Protection

if TYPE_CHECKING:
    from sqlalchemy import Engine


def make_worker_app(engine: Engine, *, is_alive: Callable[[], bool], protection: Protection | None = None) -> Starlette:
    """The application of a worker. Figures about dossiers are told by those who serve pages: once is enough.

    Args:
        is_alive: whether its scheduler still ticks.
        protection: what must be shown to read the metrics.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    build = Gauge("tthc_monitor_build_info", "Version of the program.", ["version"], registry=registry)
    build.labels(VERSION).set(1)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE)

    routes = [Route("/metrics", metrics), *health_routes(engine, in_threads(), is_alive)]
    around = [Middleware(SafeHeaders)]
    if protection is not None:
        around.append(Middleware(Protected, protection))
    return Starlette(routes=routes, middleware=around)
