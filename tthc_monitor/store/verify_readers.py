"""Two readers of one snapshot: a second process reads and hashes every second range.

One interpreter hashes on one core only. A ledger that is read in a second or two is read by one: the other process would
not have begun by then. Where it ends before its time, for want of memory say, all is read here.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine, text

from tthc_monitor.store.chain import read_everything
from tthc_monitor.store.database import make_engine
from tthc_monitor.store.verify_hashing import Rows
from tthc_monitor.store.verify_rows import read_rows

ALONE_FOR: Final = 300_000
"""Observations that are read before it is worth while to begin a second process."""

Range: TypeAlias = tuple[int, int]
Read: TypeAlias = Callable[[Sequence[Range], int], Iterator[tuple[Range, Rows]]]
"""Reads ranges of observations, hashed as links of a version hash them, in order."""


def one_reader(connection: Connection) -> Read:
    """Everything is read through one connection."""
    seed = _seed()

    def read(ranges: Sequence[Range], version: int) -> Iterator[tuple[Range, Rows]]:
        for one in ranges:
            yield one, read_rows(connection, *one, version, seed)

    return read


@contextmanager
def two_readers(engine: Engine, connection: Connection) -> Iterator[Read]:
    """What ``connection`` sees is read by a second process too, where there is a core for it.

    Args:
        engine: whose database it is.
        connection: in a transaction of isolation level REPEATABLE READ that has written nothing.
    """
    if (os.cpu_count() or 1) < 2:
        yield one_reader(connection)
        return
    readers = _Readers(engine, connection)
    try:
        yield readers.read
    finally:
        readers.end()


class _Readers:
    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine, self._connection = engine, connection
        self._seed = _seed()
        self._pool: ProcessPoolExecutor | None = None
        self._alone = ALONE_FOR

    def read(self, ranges: Sequence[Range], version: int) -> Iterator[tuple[Range, Rows]]:
        left = list(ranges)
        while left:
            ours, theirs = left.pop(0), None
            if left and self._alone <= 0:
                theirs = left.pop(0)
                coming = self._ask(theirs, version)
            yield ours, self._here(ours, version)
            self._alone -= ours[1] - ours[0] + 1
            if theirs is not None:
                yield theirs, self._answer(coming) or self._here(theirs, version)

    def _here(self, one: Range, version: int) -> Rows:
        return read_rows(self._connection, *one, version, self._seed)

    def _ask(self, one: Range, version: int) -> Future[Rows] | None:
        try:
            return self._second().submit(_read, *one, version, self._seed)
        except BrokenProcessPool:
            self.end()
            return None

    def _answer(self, coming: Future[Rows] | None) -> Rows | None:
        try:
            return None if coming is None else coming.result()
        except BrokenProcessPool:
            self.end()
            return None

    def _second(self) -> ProcessPoolExecutor:
        if self._pool is None:
            seen, role = self._connection.execute(
                text("SELECT pg_export_snapshot(), CASE WHEN current_user <> session_user THEN current_user END")
            ).one()
            address = self._engine.url.render_as_string(hide_password=False)
            self._pool = ProcessPoolExecutor(
                max_workers=1, mp_context=get_context("spawn"), initializer=_open, initargs=(address, role, seen)
            )
        return self._pool

    def end(self) -> None:
        """End the second process, and begin no other."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self._alone = None, 1 << 62


# -- in the second process --------------------------------------------------------------------------------------------

_connections: list[Connection] = []


def _open(address: str, role: str | None, seen: str) -> None:
    connection = make_engine(address, role=role).connect()
    connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    connection.begin()
    connection.execute(text(f"SET TRANSACTION SNAPSHOT '{seen}'"))
    read_everything(connection)
    _connections.append(connection)


def _read(first: int, last: int, version: int, seed: int) -> Rows:
    return read_rows(_connections[0], first, last, version, seed)


def _seed() -> int:
    """What nobody can know who chose the keys: two that differ shall not have the same number."""
    return secrets.randbits(64)
