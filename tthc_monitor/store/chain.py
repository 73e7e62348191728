"""The links of the ledger's chain as they stand, and their hashes computed here, apart from the server's function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store.database import session

GENESIS: Final = bytes(32)
"""``previous_hash`` of the first link."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE: Final = 10_000


def micros(instant: str) -> str:
    """SQL: microseconds from 1970 UTC of an expression, exactly; of what is no instant of a calendar an impossible number."""
    return (
        # Up to 2250 a double tells each of them, and a tenth of the time.
        f"CASE WHEN {instant} BETWEEN '1700-01-01' AND '2250-01-01' THEN (date_part('epoch', {instant}) * 1000000)::bigint "
        f"WHEN isfinite({instant}) THEN (extract(epoch FROM {instant}) * 1000000)::bigint "
        f"WHEN {instant} IS NOT NULL THEN {2**63 - 1} END"
    )


_LINKS = f"""
    SELECT b.batch_id, b.version, b.kind, b.source_id, s.name, {micros("b.seen_at")}, {micros("b.linked_at")},
           b.first_observation_id, b.last_observation_id, b.row_count, {micros("b.asked_at")},
           {micros("b.unchanged_at")}, b.held_until, b.rows_hash, b.previous_hash, b.chain_hash
    FROM tthc.observation_batches b LEFT JOIN tthc.sources s USING (source_id)
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it stands; instants in microseconds since 1970 UTC. ``source`` is None when there is no such source."""

    number: int
    version: int
    kind: str
    source_id: int
    source: str | None
    seen: int
    linked: int | None
    first: int | None
    last: int | None
    rows: int
    asked: int | None
    unchanged: int | None
    held: int | None
    rows_hash: bytes
    previous_hash: bytes
    chain_hash: bytes

    @property
    def seen_at(self) -> datetime | None:
        """When its source was seen so; None when that is no instant of a calendar."""
        return instant(self.seen)


def instant(microseconds: int) -> datetime | None:
    """An instant from microseconds since 1970 UTC; None beyond the calendar."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def chain_hash(link: Link) -> bytes:
    """The hash that a link must have, from what it holds."""
    if link.version == 1:
        told = f"{link.source_id}|{link.seen}|{link.first}|{link.rows}|"
        return sha256(link.previous_hash + told.encode() + link.rows_hash).digest()
    numbers = (link.seen, link.linked, link.first, link.last, link.rows, link.asked, link.unchanged, link.held)
    texts = ("2", link.kind, str(link.source_id), link.source or "", *("" if n is None else str(n) for n in numbers))
    return sha256(link.previous_hash + "|".join(texts).encode() + link.rows_hash).digest()


def links(connection: Connection) -> Iterator[list[Link]]:
    """All links in order, some thousands at a time."""
    after = -(2**63)
    while True:
        page = text(f"{_LINKS} WHERE b.batch_id > :after ORDER BY b.batch_id LIMIT {_PAGE}")
        found = [_link(row) for row in connection.execute(page, {"after": after})]
        if not found:
            return
        yield found
        after = found[-1].number


def find_link(connection: Connection, digits: str) -> Link | None:
    """The link whose hash begins with these hexadecimal digits, an even number of them."""
    low, high = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    found = connection.execute(
        text(f"{_LINKS} WHERE b.chain_hash BETWEEN :low AND :high ORDER BY b.batch_id LIMIT 1"),
        {"low": low, "high": high},
    ).one_or_none()
    return None if found is None else _link(found)


def newest_link(connection: Connection, at: datetime | None = None) -> Link | None:
    """The last link; or the last that was linked by an instant (of version 1: seen, for it does not tell more)."""
    found = connection.execute(
        text(
            f"{_LINKS} WHERE CAST(:at AS timestamptz) IS NULL OR coalesce(b.linked_at, b.seen_at) <= :at "
            "ORDER BY b.batch_id DESC LIMIT 1"
        ),
        {"at": at},
    ).one_or_none()
    return None if found is None else _link(found)


def _link(row: Row[Any]) -> Link:
    values: list[Any] = [*row[:-3], *(bytes(one) for one in row[-3:])]
    return Link(*values)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """The database as it is at this instant, to read only; pulls go on meanwhile.

    Raises:
        DatabaseError: see :func:`tthc_monitor.store.database.session`; also when the role would be shown part of the rows.
    """
    with session(engine) as connection:
        frozen = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with frozen.begin():
            read_everything(frozen)
            yield frozen


_HIDDEN = """
    SELECT c.relname FROM pg_class c
    WHERE c.oid = ANY(ARRAY['tthc.observations', 'tthc.observation_batches', 'tthc.ledger_events', 'tthc.sources',
                            'tthc.flags', 'tthc.evaluations']::regclass[])
      AND row_security_active(c.oid)
      AND (EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd IN ('*', 'r'))
           OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
                          AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND EXISTS (
                              SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(current_user, r, 'USAGE'))))
    ORDER BY 1 LIMIT 1
"""


def read_everything(connection: Connection) -> None:
    """Make this transaction fit to read the whole ledger by ranges: no row left out, no scan of all for a part.

    Raises:
        DatabaseError: row-level security hides rows from this role.
    """
    hidden = connection.scalar(text(_HIDDEN))
    if hidden is not None:
        raise DatabaseError(
            f"row-level security may hide rows of tthc.{hidden} from this role, and who does not see all cannot verify; name "
            "the service's login or the owner in database.url"
        )
    connection.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL jit = off"))
