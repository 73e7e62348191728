"""The simulated OpenCPS over real HTTP: an application, and a context manager that serves it on this machine."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tthc_monitor.simulator.catalogue import GROUP_ID
from tthc_monitor.simulator.faults import Faults, FaultyWay
from tthc_monitor.simulator.opencps_api import Writing, detail, listing, row, select, sequences
from tthc_monitor.simulator.scripts import Dossier
from tthc_monitor.simulator.serving import ServedApp
from tthc_monitor.simulator.world import World

__all__ = ["DEFAULT_SEED", "DEFAULT_USER", "Faults", "SimulatedApi", "SimulatedServer"]

DEFAULT_USER = "giamsat"
DEFAULT_SEED = 99
NOT_AUTHENTICATED = 203
_BASE = "/o/rest/v2/dossiers"


class SimulatedApi:
    """The endpoints, over a world and a clock."""

    def __init__(
        self, world: World, clock: Callable[[], datetime], username: str, password: str, faults: Faults
    ) -> None:
        self.world = world
        self.faults = faults
        self._clock = clock
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._authorization = f"Basic {token}"
        routes = [
            Route(_BASE, self._list),
            Route(_BASE + "/{dossier_id:int}", self._detail),
            Route(_BASE + "/{dossier_id:int}/sequences", self._sequences),
        ]
        self.application = FaultyWay(Starlette(routes=routes), faults, NOT_AUTHENTICATED)
        """What to serve."""

    @property
    def requests(self) -> int:
        """What was asked so far, the failed included."""
        return self.application.requests

    def _refusal(self, request: Request) -> Response | None:
        sent = request.headers.get("Authorization", "")
        if secrets.compare_digest(sent.encode(), self._authorization.encode()):
            return None
        return Response("Non-Authoritative Information", NOT_AUTHENTICATED)

    def _now(self) -> datetime:
        return self._clock() + self.faults.clock_skew

    def _dossiers(self) -> list[Dossier]:
        return self.faults.seen(self.world.dossiers_at(self._clock()))

    @property
    def _writing(self) -> Writing:
        faults = self.faults
        return Writing(faults.clock_skew, timedelta(hours=faults.shifted_zone_hours), faults.plain_json)

    async def _list(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        faults = self.faults
        if request.headers.get("groupId") != str(GROUP_ID):
            return JSONResponse(listing([], 0, self._writing))
        try:
            found = select(self._dossiers(), request.query_params, self._writing, strict=faults.strict_filters)
            start = int(request.query_params.get("start", "0"))
            end = int(request.query_params.get("end", "0")) or len(found)
        except ValueError:
            return Response("No Content.", 403)
        faults.take("withheld")
        if faults.repeat_rows and start:
            start -= 1
        page = found[start : min(end, faults.hit_limit)]
        now, writing = self._now(), self._writing
        return JSONResponse(listing((row(one, now, writing) for one in page), len(found), writing))

    def _one(self, request: Request) -> Dossier | None:
        wanted = request.path_params["dossier_id"]
        if request.headers.get("groupId") != str(GROUP_ID):
            return None
        return next((one for one in self._dossiers() if one.script.dossier_id == wanted), None)

    async def _detail(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        found = self._one(request)
        if found is None or found.script.dossier_id in self.faults.without_detail:
            return Response("No Content.", 403)
        return JSONResponse(detail(found, self._now(), self._writing))

    async def _sequences(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        found = self._one(request)
        if found is None or found.script.dossier_id in self.faults.without_history:
            return Response("No Content.", 403)
        return JSONResponse(sequences(found, self._writing))


class SimulatedServer(ServedApp):
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
        super().__init__(self.api.application, port)

    @property
    def url(self) -> str:
        """What the connector's option ``url`` takes."""
        return f"{super().url}/o"
