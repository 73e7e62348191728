"""Prepares the next page while the database takes this one: client and server each keep a core busy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order; each is made in another thread while its predecessor is used.

    An exception of the producer is raised where its item would have come.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, iterator, _END)
            yield item  # type: ignore[misc]
