"""The simulated iGate over real HTTP: tokens that end, the search, and a context manager that serves both."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tthc_monitor.simulator.faults import Faults, FaultyWay
from tthc_monitor.simulator.igate_api import IgateWriting, answer, select
from tthc_monitor.simulator.serving import ServedApp
from tthc_monitor.simulator.world import World

DEFAULT_SEED = 99
CLIENT = "giam-sat"
USER = "giamsat"
_TOKEN_PATH = "/auth/realms/mau/protocol/openid-connect/token"  # noqa: S105  (an address)


class IgateApi:
    """The endpoints, over a world and a clock; a token lasts ``token_seconds`` by that clock."""

    def __init__(
        self, world: World, clock: Callable[[], datetime], secret: str, faults: Faults, token_seconds: float
    ) -> None:
        self.world = world
        self.faults = faults
        self.tokens_given = 0
        self._clock = clock
        self._secret = secret
        self._life = timedelta(seconds=token_seconds)
        self._tokens: dict[str, datetime] = {}
        routes = [Route(_TOKEN_PATH, self._token, methods=["POST"]), Route("/pa/dossier/search", self._search)]
        self.application = FaultyWay(Starlette(routes=routes), faults)
        """What to serve."""

    @property
    def requests(self) -> int:
        """What was asked so far, the failed included."""
        return self.application.requests

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{self._secret}".encode()).decode()
        named = request.headers.get("Authorization") == f"Basic {basic}" or (
            form.get("client_id") == CLIENT and form.get("client_secret") == self._secret
        )
        if not named:
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = form.get("grant_type")
        if grant == "password":
            if (form.get("username"), form.get("password")) != (USER, self._secret):
                return JSONResponse({"error": "invalid_grant"}, 400)
        elif grant != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(16)
        self._tokens[token] = self._clock() + self._life
        self.tokens_given += 1
        return JSONResponse(
            {"access_token": token, "expires_in": int(self._life.total_seconds()), "token_type": "Bearer"}
        )

    async def _search(self, request: Request) -> Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens or self._tokens[token] <= self._clock():
            return JSONResponse({"error": "invalid_token"}, 401)
        faults = self.faults
        query = dict(request.query_params)
        try:
            found = select(faults.seen(self.world.dossiers_at(self._clock())), query, faults.clock_skew)
            told = answer(
                found,
                query,
                IgateWriting(faults.clock_skew + timedelta(hours=faults.shifted_zone_hours)),
                window=faults.hit_limit,
                repeat_rows=faults.repeat_rows,
            )
        except ValueError:
            return JSONResponse({"status": 400, "error": "Bad Request"}, 400)
        faults.take("withheld")
        return JSONResponse(told)


class SimulatedIgate(ServedApp):
    """Serves the simulated iGate on 127.0.0.1 from a thread of this process.

    ``world`` defaults to one built around the clock's present; ``port`` 0 takes a free one; ``secret``, of the client
    and of the user alike, is made up anew when not given.

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
        secret: str | None = None,
        faults: Faults | None = None,
        token_seconds: float = 300,
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.world = world or World(DEFAULT_SEED, self.clock())
        self.secret = secret or secrets.token_urlsafe(9)
        self.faults = faults or Faults()
        self.api = IgateApi(self.world, self.clock, self.secret, self.faults, token_seconds)
        super().__init__(self.api.application, port)

    @property
    def token_url(self) -> str:
        """What ``token_url`` of the connector's option ``auth`` takes."""
        return self.url + _TOKEN_PATH
