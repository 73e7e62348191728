"""Serves an application on this machine over real HTTP, from a thread of this process."""

from __future__ import annotations

import logging
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

_BROKEN_ON_PURPOSE: Final = "ASGI callable returned without completing response."


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != _BROKEN_ON_PURPOSE


class ServedApp:
    """Serves ``app`` on 127.0.0.1; ``port`` 0 takes a free one.

    Raises:
        OSError: the port is taken.
        RuntimeError: the server does not start within ten seconds.
    """

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._app = app
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

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
            self._app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
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
