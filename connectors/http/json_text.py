"""JSON as it comes: read strictly and fast, and leniently where a server is sloppy."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def parse_json(body: bytes) -> Any:
    """The value of a JSON text.

    What only a lenient reader takes is read leniently: a byte order mark, UTF-16, NaN. Half a surrogate pair, which no
    database stores, becomes a question mark.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.json.decode(body)
    except ValueError:
        found = json.loads(body)
    return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
