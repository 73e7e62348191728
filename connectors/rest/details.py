"""What a list leaves out: one more question for each record, whose answer becomes a field of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

from connectors.http import HttpClient
from connectors.rest.expressions import ExpressionError, NotOneValueError, cell_text, reader
from connectors.rest.options import Detail

ABSENT: Final = frozenset({404, 410})
"""Answers of a source that does not have what was asked for."""

Prepares = Callable[[list[Any]], list[Any]]
"""Turns the records of a page into those that are mapped."""


def with_details(
    client: HttpClient, detail: Detail, params: Mapping[str, str | int], pool: ThreadPoolExecutor | None
) -> Prepares:
    """Puts the answers into the records; what has no key, or is not there, stays without.

    Raises, when it is applied:
        TransientSourceError: the source failed in a way that passes.
        PermanentSourceError: it refuses, or answers something else than JSON.
    """
    read = reader(detail.key)

    def complete(record: Any) -> Any:
        try:
            key = cell_text(read(record)) if isinstance(record, dict) else None
        except (ExpressionError, NotOneValueError):
            key = None
        if not key:
            return record
        return {**record, detail.field: client.get_json(path_of(detail.path, key), params, absent=ABSENT)}

    return lambda records: [complete(one) for one in records] if pool is None else list(pool.map(complete, records))


def path_of(template: str, key: str) -> str:
    """A path with the key in the place of ``{key}``."""
    return template.replace("{key}", quote(key, safe=""))
