"""A connection to a source for one fetch: read-only, a snapshot where the server can, closed at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Executable, NullPool, create_engine

from connectors.sql.address import Address
from connectors.sql.failures import told
from connectors.sql.flavour import Kind, Snapshot
from connectors.sql.statements import sample, shape


@dataclass(frozen=True)
class Session:
    """Questions to a source inside one transaction."""

    address: Address
    connection: Connection
    snapshot: Snapshot
    timeout: timedelta

    def ask(self, statement: Executable) -> Sequence[Sequence[Any]]:
        """All rows of a statement that gives few of them."""
        with told(self.address, self.timeout):
            return self.connection.execute(statement).all()

    def shape(self, query: str) -> list[tuple[str, Kind]]:
        """Names and kinds of the query's columns, in their order."""
        with told(self.address, self.timeout):
            result = self.connection.execute(shape(query))
            found = [(str(item[0]), self.address.flavour.kind(item[1])) for item in result.cursor.description]
            result.close()
            return found

    def kind(self, query: str, name: str, kind: Kind) -> Kind:
        """What a column holds, known better from one of its values where the server's word does not tell."""
        flavour = self.address.flavour
        if flavour.tells_kinds:
            return kind
        rows = self.ask(sample(query, name))
        return flavour.refine(kind, rows[0][0]) if rows else kind

    def rights(self) -> list[str]:
        """What the account may change; empty when it can only read."""
        with told(self.address, self.timeout):
            return self.address.flavour.rights(self.connection)


@contextmanager
def open_session(address: Address, zone: ZoneInfo, timeout: timedelta) -> Iterator[Session]:
    """Connect and begin; nothing is ever committed.

    Raises:
        TthcError: see :func:`connectors.sql.failures.told`.
    """
    flavour = address.flavour
    isolation = {} if flavour.isolation is None else {"isolation_level": flavour.isolation}
    with told(address, timeout, connecting=True):
        engine = create_engine(
            address.url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args=flavour.connect_args(timeout),
            **isolation,
        )
        connection = engine.connect()
    try:
        with told(address, timeout):
            snapshot = flavour.begin(connection, zone, timeout)
        yield Session(address, connection, snapshot, timeout)
    finally:
        connection.close()
        engine.dispose()
