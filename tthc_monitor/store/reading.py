"""Reading for others: one snapshot for many queries, with an auditor's rights, and rows as a stream of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

import polars as pl
import psycopg2
from sqlalchemy import Connection, Engine, text

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.store.database import first_line, raw_cursor, session
from tthc_monitor.store.read_columns import ReadColumn, decoded, read_as
from tthc_monitor.store.rights import AUDITOR

_CHUNK_ROWS: Final = 50_000
_CHUNK_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Snapshot:
    """A state of the database in which all queries read.

    Attributes:
        as_of: when the transaction began, by the server's clock.
        role: whose rights hold.
        identity: the transactions that are seen, as PostgreSQL writes it.
    """

    connection: Connection
    as_of: datetime
    role: str
    identity: str


@contextmanager
def snapshot(engine: Engine, zone: str) -> Iterator[Snapshot]:
    """A transaction that sees one state of the database and can change nothing.

    It has the rights of an auditor, where the login may take them; else those of the login, and still cannot write.

    Args:
        zone: in which the server reads and writes local times meanwhile, as it does for auditors' own logins.

    Raises:
        DatabaseError: as in :func:`tthc_monitor.store.database.session`.
    """
    with session(engine) as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            _become_auditor(connection)
            connection.execute(
                text("SELECT set_config('search_path', 'audit', true), set_config('timezone', :zone, true)"),
                {"zone": zone},
            )
            as_of, role, identity = connection.execute(
                text("SELECT now(), current_user::text, pg_current_snapshot()::text")
            ).one()
            yield Snapshot(connection, as_of.astimezone(UTC), role, identity)


def _become_auditor(connection: Connection) -> None:
    with raw_cursor(connection) as cursor:
        cursor.execute("SAVEPOINT auditor")
        try:
            cursor.execute(f"SET LOCAL ROLE {AUDITOR}")
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidParameterValue):
            cursor.execute("ROLLBACK TO SAVEPOINT auditor")


def ledger_head(connection: Connection) -> tuple[int, str] | None:
    """The newest link of the ledger's chain: its number, and its hash as hexadecimal digits; None while there is none."""
    row = connection.execute(text("SELECT batch_id, chain_hash FROM audit.ledger ORDER BY batch_id DESC LIMIT 1"))
    found = row.one_or_none()
    return None if found is None else (found.batch_id, found.chain_hash)


def audit_views(connection: Connection) -> dict[str, str]:
    """The views of schema audit, by name, with what they say of themselves."""
    rows = connection.execute(
        text(
            "SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment FROM pg_class c "
            "WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY 1"
        )
    )
    return {row.relname: row.comment for row in rows}


def column_comments(connection: Connection, view: str) -> dict[str, str]:
    """What the columns of a view say of themselves."""
    rows = connection.execute(
        text(
            "SELECT a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a "
            "ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relnamespace = 'audit'::regnamespace AND c.relname = :view"
        ),
        {"view": view},
    )
    return {name: comment for name, comment in rows if comment}


def describe(connection: Connection, query: str) -> tuple[ReadColumn, ...]:
    """The columns of a query, without running it.

    Raises:
        ConfigError: the server refuses it, or two of its columns have one name.
    """
    with raw_cursor(connection) as cursor:
        try:
            cursor.execute(f"SELECT * FROM (\n{query}\n) q LIMIT 0")
        except psycopg2.Error as error:
            raise _refused(error) from None
        described = [(column.name, column.type_code) for column in cursor.description or ()]
        cursor.execute(
            "SELECT oid, format_type(oid, NULL), typcategory = 'A' FROM pg_type WHERE oid = ANY(%s)",
            ([oid for _, oid in described],),
        )
        types = {oid: (name, is_array) for oid, name, is_array in cursor.fetchall()}
    names = [name for name, _ in described]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"the query has two columns named '{name}'; name one of them otherwise, with AS")
    if not names:
        raise ConfigError("the query has no columns; name at least one")
    return tuple(
        ReadColumn(name, *read_as(oid, *types[oid], f"c{position}"))
        for position, (name, oid) in enumerate(described, start=1)
    )


def stream(
    connection: Connection, query: str, columns: Sequence[ReadColumn], take: Callable[[pl.DataFrame], None]
) -> None:
    """Run a query and hand over its rows, some ten thousand at a time; memory does not grow with their number.

    Raises:
        ConfigError: the server refuses the query, or gives it up on the way.
    """
    names = ", ".join(f"c{position}" for position in range(1, len(columns) + 1))
    # The leading 1 tells a row of one empty column from no row.
    wire = ", ".join(["1", *(column.wire for column in columns)])
    rows = _Rows(columns, take)
    with raw_cursor(connection) as cursor:
        try:
            cursor.copy_expert(f"COPY (SELECT {wire} FROM (\n{query}\n) q ({names})) TO STDOUT (FORMAT csv)", rows)
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise
            raise _refused(error) from None
    rows.hand_over()


def _refused(error: psycopg2.Error) -> ConfigError | psycopg2.Error:
    """A fault of the query as an error of whoever wrote it; any other as it is."""
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return ConfigError(f"the query is refused: {first_line(error)}; read from the views of schema audit only")
    if isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return ConfigError(f"the query would write: {first_line(error)}; remove all but what reads")
    if isinstance(error, psycopg2.OperationalError) or error.pgcode is None:
        return error
    return ConfigError(f"the database refuses the query: {first_line(error)}; correct it and try again")


class _Rows:
    """What COPY writes to: it gathers rows, and hands them over as a frame when they are enough.

    PostgreSQL sends each row as one message, and the driver writes each message at once.
    """

    def __init__(self, columns: Sequence[ReadColumn], take: Callable[[pl.DataFrame], None]) -> None:
        self._columns, self._take = columns, take
        self._rows: list[bytes] = []
        self._bytes = 0

    def write(self, row: bytes) -> int:
        self._rows.append(row)
        self._bytes += len(row)
        if len(self._rows) >= _CHUNK_ROWS or self._bytes >= _CHUNK_BYTES:
            self.hand_over()
        return len(row)

    def hand_over(self) -> None:
        """Give on what was gathered."""
        if not self._rows:
            return
        content = BytesIO(b"".join(self._rows))
        self._rows, self._bytes = [], 0
        self._take(decoded(content, self._columns))
