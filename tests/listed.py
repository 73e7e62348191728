"""A small system that lists its records over HTTP in every way of paging, and moves while it is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Page
from tthc_monitor.simulator.faults import Faults, FaultyWay
from tthc_monitor.simulator.serving import ServedApp

Record = dict[str, Any]


@dataclass
class Listed:
    """``/records`` lists ``records``; ``after`` is called with the number of pages given so far, to move the list.

    ``ignores_paging``: every answer is the first page. ``cap``: no page has more. ``cut``: nothing behind so many is
    listed, though the total counts it. ``authorized`` judges each request. ``etag`` marks the state of the list.
    ``brief`` names the only fields that the list gives; a single record has all. ``empty`` are the numbers of answers,
    counted as for ``after``, that hold no record though there are some. ``strict``: a page far behind the end is an error.
    """

    records: list[Record]
    after: Callable[[int], None] | None = None
    ignores_paging: bool = False
    cap: int = 1_000
    cut: int | None = None
    authorized: Callable[[Request], bool] = bool
    faults: Faults = field(default_factory=Faults)
    asked: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    etag: str | None = None
    brief: tuple[str, ...] | None = None
    empty: tuple[int, ...] = ()
    strict: bool = False
    url: str = ""

    def served(self) -> ServedApp:
        routes = [
            Route("/api/records", self._list, methods=["GET", "POST"]),
            Route("/api/records/{key}", self._one),
            Route("/token", self._token, methods=["POST"]),
        ]
        return ServedApp(FaultyWay(Starlette(routes=routes), self.faults))

    async def _token(self, request: Request) -> Response:
        form = dict(item.split("=", 1) for item in (await request.body()).decode().split("&"))
        if "fail" in form.get("client_id", ""):
            return JSONResponse({"error": "invalid_client"}, 401)
        self.tokens += 1
        return JSONResponse({"access_token": f"phieu-{self.tokens}", "expires_in": 3600})

    async def _one(self, request: Request) -> Response:
        found = [one for one in self.records if str(one["id"]) == request.path_params["key"]]
        return JSONResponse(found[0]) if found else Response("", 404)

    async def _list(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.asked.append(dict(query))
        self.headers.append(dict(request.headers))
        if not self.authorized(request):
            return Response("", 401)
        if request.method == "POST":
            body = await request.json()
            self.bodies.append(body)
            query |= {name: str(value) for name, value in body.get("paging", {}).items()}
            query |= {name: str(value) for name, value in body.items() if not isinstance(value, dict | list)}
        size = min(int(query.get("size", 10)), self.cap)
        if "page" in query:
            start = (int(query["page"]) - int(query.get("first", "1"))) * size
        elif "token" in query:
            start = int(base64.b64decode(query["token"]))
        else:
            start = int(query.get("offset", 0))
        start = 0 if self.ignores_paging else start
        kept = [one for one in self.records if "since" not in query or one["changed"] >= query["since"]]
        listed = kept[: self.cut]
        if self.strict and start > len(listed) + size:
            return Response("", 404)
        page = listed[start : start + size] if len(self.asked) not in self.empty else []
        end = start + len(page)
        if self.brief is not None:
            page = [{name: one[name] for name in self.brief} for one in page]
        more = end < len(listed)
        token = base64.b64encode(str(end).encode()).decode()
        answer: dict[str, Any] = {"data": {"items": page}, "count": len(kept), "last": not more}
        answer["token"] = token if more else None
        answer["next"] = f"records?offset={end}&size={size}" if more else None
        link = f'<{self.url}/api/records?offset=0>; rel="first", </api/records?offset={end}&size={size}>; rel="next"'
        if self.etag is not None and request.headers.get("If-None-Match") == self.etag:
            return Response("", 304)
        tag = {} if self.etag is None else {"ETag": self.etag}
        headers = {**tag, "X-Total-Count": str(len(kept)), **({"Link": link} if more else {})}
        response = Response(json.dumps(answer), headers=headers, media_type="application/json")
        if self.after is not None:
            self.after(len(self.asked))
        return response


def told_by(pages: Iterable[Page]) -> str:
    """Everything that pages of tables hold, as one text."""
    told = [(page.content.frame.rows(), repr(page.content.broken), repr(page.cursor), page.location) for page in pages]
    return json.dumps(told, ensure_ascii=False)
