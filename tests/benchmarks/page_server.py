"""A server of rendered pages in a process of its own, so that what is measured is the client.

It speaks just enough HTTP: GET with keep-alive. ``/o/rest/v2/dossiers`` pages by ``start`` and ``end`` when the question
has no statuses and asks by reception, and lists nothing otherwise; ``/o/rest/v2/dossiers/{id}/sequences`` gives a history.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import parse_qs

from tthc_monitor.simulator.opencps_api import listing, row, sequences
from tthc_monitor.simulator.world import World

NOW: Final = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
FIRST_ID: Final = 1_000_000
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: %d\r\n\r\n"


class _Pages:
    def __init__(self, rows: int) -> None:
        world = World(7, NOW, dossiers=2_000)
        told = world.dossiers_at(NOW)
        self.rows = []
        self.history = json.dumps(sequences(told[0]), ensure_ascii=False).encode()
        for number in range(rows):
            one = told[number % len(told)]
            unique = {"dossierId": FIRST_ID + number, "dossierNo": f"H99.05-261101-{number:06d}"}
            written = listing([row(one, NOW) | unique], 1)["data"]
            self.rows.append(json.dumps(written, ensure_ascii=False).encode())

    def answer(self, target: str) -> bytes:
        path, _, query = target.partition("?")
        if path.endswith("/sequences"):
            return self.history
        asked = parse_qs(query)
        if "status" in asked or "fromReceiveDate" not in asked:
            return b'{"total":0}'
        start, end = int(asked["start"][0]), int(asked["end"][0])
        return b'{"total":%d,"data":[%s]}' % (len(self.rows), b",".join(self.rows[start:end]))


class _Protocol(asyncio.Protocol):
    def __init__(self, pages: _Pages) -> None:
        self._pages = pages
        self._waiting = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, self._waiting = self._waiting.split(b"\r\n\r\n", 1)
            body = self._pages.answer(head.split(b" ", 2)[1].decode())
            self._transport.writelines([_HEAD % len(body), body])


def _serve(rows: int, ready: Connection) -> None:
    pages = _Pages(rows)

    async def run() -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        server = await asyncio.get_running_loop().create_server(lambda: _Protocol(pages), sock=listener)
        ready.send(listener.getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def page_server(rows: int) -> Iterator[str]:
    """The address up to ``/o`` of a server with so many dossiers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(rows, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/o"
    finally:
        process.terminate()
        process.join(10)
