"""Messages that a source sent by itself and that wait to be pulled: all of them, in order, none lost.

Numbers grow in the order in which deliveries are committed, since a source's deliveries take turns: a pull that has
read up to a number has read all before it. A message stays until seven days before the beginning of a good pull, so long
that what was read wrongly can be read again after the mapping was mended.

Cursors are opaque, so pruning cannot ask how far a connector has read. It relies on the contract of
:class:`connectors.base.Inbox`: a pull reads all messages that were there when it began, or fails. Messages of a source
whose pulls fail, or which is no longer pulled, stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

from tthc_monitor.domain.messages import Message
from tthc_monitor.store.database import transaction

KEPT = timedelta(days=7)
"""How long a message stays after it could have been pulled; also more than a clock is wrong and a commit takes."""

_LOCK = 7_411_004
_PORTION_ROWS = 200
_PORTION_BYTES = 8 << 20


def deliver(connection: Connection, source: str, contents: Sequence[Any], now: datetime) -> None:
    """Keep messages of a source in their order, in the caller's transaction; a message sent again is kept again.

    The sender may be told of success only after the commit. Until then other deliveries of the same source wait.

    Raises:
        ValueError: a content is not plain JSON.
    """
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, hashtext(:source))"), {"lock": _LOCK, "source": source}
    )
    connection.execute(
        text(
            "INSERT INTO tthc.inbox (source, received_at, content) SELECT :source, :now, value "
            "FROM json_array_elements(CAST(:contents AS json)) WITH ORDINALITY ORDER BY ordinality"
        ),
        {"source": source, "now": now, "contents": json.dumps(list(contents), allow_nan=False)},
    )


def prune(connection: Connection, source: str, pulled_at: datetime) -> int:
    """Forget messages that were there long before a good pull began at ``pulled_at``; returns their number."""
    return connection.execute(
        text("DELETE FROM tthc.inbox WHERE source = :source AND received_at < :before"),
        {"source": source, "before": pulled_at - KEPT},
    ).rowcount


class StoredInbox:
    """The messages of one source, as :class:`connectors.base.Inbox`."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine = engine
        self._source = source

    def messages(self, after: int) -> Iterator[Message]:
        """Those above ``after`` that are there when it is asked, in order, a portion in memory at a time.

        No transaction is open while the caller works on a portion.

        Raises:
            DatabaseError: the database cannot be asked.
        """
        with transaction(self._engine) as connection:
            last = connection.scalar(
                text("SELECT max(number) FROM tthc.inbox WHERE source = :source"), {"source": self._source}
            )
        while last is not None and after < last:
            portion = self._portion(after, last)
            if not portion:
                return
            yield from portion
            after = portion[-1].number

    def _portion(self, after: int, last: int) -> list[Message]:
        query = """
            SELECT number, received_at, content FROM (
                SELECT number, received_at, content::text AS content,
                       sum(octet_length(content::text)) OVER (ORDER BY number) - octet_length(content::text) AS before
                FROM (SELECT * FROM tthc.inbox WHERE source = :source AND number > :after AND number <= :last
                      ORDER BY number LIMIT :rows) waiting
            ) measured WHERE before < :bytes ORDER BY number
        """
        values = {"source": self._source, "after": after, "last": last, "rows": _PORTION_ROWS, "bytes": _PORTION_BYTES}
        with transaction(self._engine) as connection:
            rows = connection.execute(text(query), values).all()
        return [Message(row.number, row.received_at, json.loads(row.content)) for row in rows]
