"""The one import of the HTTP library; moving to a compatible fork means changing that line.

The library logs the address of each request with its query, which may hold a key, and what it reads and writes on the
lower level. Here the first loses its query, and the second is switched off.
"""

from __future__ import annotations

import logging
from typing import Final

import httpx as http_library

__all__ = ["http_library", "shown"]


def shown(url: http_library.URL | str) -> str:
    """An address as messages and logs may name it: without user, query and fragment."""
    try:
        parsed = http_library.URL(url)
    except http_library.InvalidURL:
        return str(url).partition("?")[0].rpartition("@")[2]
    if not parsed.host:
        return parsed.path
    port = "" if parsed.port is None else f":{parsed.port}"
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"{parsed.scheme}://{host}{port}{parsed.path}"


class _NoQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(shown(item) if isinstance(item, http_library.URL) else item for item in record.args)
        return True


_REQUESTS: Final = logging.getLogger("httpx")
_REQUESTS.addFilter(_NoQueries())
logging.getLogger("httpcore").setLevel(logging.INFO)
