"""The simulated system over real HTTP: an application, and a context manager that serves it on this machine."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tthc_monitor.simulator.catalogue import GROUP_ID
from tthc_monitor.simulator.opencps_api import listing, row, select, sequences
from tthc_monitor.simulator.world import World

DEFAULT_USER = "giamsat"
DEFAULT_SEED = 99


@dataclass
class Faults:
    """Misbehaviour to switch on; counters apply to the next so many requests and count down.

    ``slow`` requests wait ``slow_seconds``. ``truncated`` answers lose their second half. ``hit_limit`` is the search
    window: rows behind it are never listed, though ``total`` counts them. ``without_history`` are dossier ids whose
    history answers 403. ``repeat_rows`` makes every page but the first begin with the last row of the page before.
    """

    server_errors: int = 0
    too_many_requests: int = 0
    retry_after_seconds: int = 1
    truncated: int = 0
    slow: int = 0
    slow_seconds: float = 2.0
    lost_login: int = 0
    hit_limit: int = 10_000
    repeat_rows: bool = False
    without_history: set[int] = field(default_factory=set)

    def take(self, name: str) -> bool:
        """Whether the named fault hits this request; uses up one."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


class SimulatedApi:
    """The endpoints, over a world and a clock. ``requests`` counts what was asked, the failed included."""

    def __init__(
        self, world: World, clock: Callable[[], datetime], username: str, password: str, faults: Faults
    ) -> None:
        self.world = world
        self.faults = faults
        self.requests = 0
        self._clock = clock
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._authorization = f"Basic {token}"

    def application(self) -> Starlette:
        """The application to serve."""
        base = "/o/rest/v2/dossiers"
        return Starlette(routes=[Route(base, self._list), Route(base + "/{dossier_id:int}/sequences", self._sequences)])

    async def _refusal(self, request: Request) -> Response | None:
        self.requests += 1
        faults = self.faults
        if faults.take("slow"):
            await asyncio.sleep(faults.slow_seconds)
        if faults.take("server_errors"):
            return Response("Service Unavailable", 503)
        if faults.take("too_many_requests"):
            return Response("", 429, {"Retry-After": str(faults.retry_after_seconds)})
        sent = request.headers.get("Authorization", "")
        if faults.take("lost_login") or not secrets.compare_digest(sent.encode(), self._authorization.encode()):
            return Response("Non-Authoritative Information", 203)
        return None

    def _answer(self, content: dict[str, Any]) -> Response:
        response = JSONResponse(content)
        if self.faults.take("truncated"):
            body = bytes(response.body)
            return Response(body[: len(body) // 2], media_type="application/json")
        return response

    async def _list(self, request: Request) -> Response:
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        if request.headers.get("groupId") != str(GROUP_ID):
            return self._answer(listing([], 0))
        now = self._clock()
        try:
            found = select(self.world.dossiers_at(now), request.query_params)
            start = int(request.query_params.get("start", "0"))
            end = int(request.query_params.get("end", "0")) or len(found)
        except ValueError:
            return Response("No Content.", 403)
        if self.faults.repeat_rows and start:
            start -= 1
        page = found[start : min(end, self.faults.hit_limit)]
        return self._answer(listing((row(one, now) for one in page), len(found)))

    async def _sequences(self, request: Request) -> Response:
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        wanted = request.path_params["dossier_id"]
        if wanted not in self.faults.without_history:
            for one in self.world.dossiers_at(self._clock()):
                if one.script.dossier_id == wanted:
                    return self._answer(sequences(one))
        return Response("No Content.", 403)


class SimulatedServer:
    """Serves the simulated system on 127.0.0.1 from a thread of this process.

    ``world`` defaults to one built around the clock's present; ``port`` 0 takes a free one; ``password`` is made up
    anew when not given.

    Raises:
        OSError: the port is taken.
        RuntimeError: the server does not start within ten seconds.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        port: int = 0,
        username: str = DEFAULT_USER,
        password: str | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.world = world or World(DEFAULT_SEED, self.clock())
        self.username = username
        self.password = password or secrets.token_urlsafe(9)
        self.group_id = GROUP_ID
        self.faults = faults or Faults()
        self.api = SimulatedApi(self.world, self.clock, self.username, self.password, self.faults)
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What the connector's option ``url`` takes."""
        return f"http://127.0.0.1:{self._port}/o"

    def start(self) -> None:
        """Begin to serve; returns when requests are answered."""
        # asyncio sends small answers at once only on sockets whose protocol is named; otherwise each costs 40 ms
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.api.application(), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="simulated-server", daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                server.should_exit = True
                listener.close()
                raise RuntimeError("the simulated server did not start; look at the log above and try another port")
            time.sleep(0.01)
        self._server, self._thread = server, thread

    def stop(self) -> None:
        """Stop serving; open requests get two seconds."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
