"""Mails that left or are to leave: one row for each kind, recipient and local day, claimed before it is sent.

Of any number of processes the primary key lets one through. A claim is a lease by the clock of the database server. What
came of an attempt is counted (metric ``tthc_deliveries_total``) in the transaction that records it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection

from tthc_monitor.store import totals
from tthc_monitor.store.database import storable

Result = Literal["sent", "failed", "refused", "in_doubt", "unsubscribed", "nothing"]
"""What came of an attempt. ``failed`` passes by itself, ``refused`` does not; of ``in_doubt`` nobody knows; the last two
were not sent: who gets it wants none, or there was nothing to tell."""

Skipped = Literal["failed", "unsubscribed", "nothing"]
"""Why no attempt was made; ``failed``: there is no way to make one."""

RESULTS: Final[tuple[Result, ...]] = ("sent", "failed", "refused", "in_doubt", "unsubscribed", "nothing")
METRIC: Final = "tthc_deliveries_total"

Order = Literal["due", "again", "resend"]
"""``again``: a person has also what was refused for good or is in doubt sent; ``resend``: even what was sent."""

Standing = Literal["already_sent", "in_progress", "refused", "in_doubt", "lapsed"]
"""Why a mail is not ours to send; ``lapsed``: a process ended while it handed it over."""

_STATE: Final = """CASE WHEN outcome IS NOT NULL THEN outcome WHEN lease_until >= clock_timestamp() THEN 'under_way'
    WHEN sent_at IS NOT NULL THEN 'sent' WHEN handing_over_at IS NOT NULL THEN 'in_doubt' ELSE 'failed' END"""
_ROW: Final = "recipient = %(recipient)s AND kind = %(kind)s AND local_date = %(day)s"
_CLAIM: Final = """
INSERT INTO tthc.deliveries AS d (recipient, kind, local_date, claimed_at, message_id, claim, lease_until, channel, units,
                                  counts)
VALUES (%(recipient)s, %(kind)s, %(day)s, %(now)s, %(message_id)s, %(claim)s, clock_timestamp() + %(lasts)s, %(channel)s,
        %(units)s, %(counts)s)
ON CONFLICT (recipient, kind, local_date) DO UPDATE
    SET claimed_at = excluded.claimed_at, message_id = excluded.message_id, outcome = NULL, error = NULL, answer = NULL,
        claim = excluded.claim, lease_until = excluded.lease_until, handing_over_at = NULL, channel = excluded.channel,
        units = excluded.units, counts = excluded.counts, attempts = d.attempts + 1
    WHERE d.outcome IN ('failed', 'unsubscribed', 'nothing')
       OR d.outcome IN ('refused', 'in_doubt') AND %(again)s
       OR d.outcome = 'sent' AND %(resend)s
       OR d.outcome IS NULL AND coalesce(d.lease_until < clock_timestamp(), true)
          AND CASE WHEN d.sent_at IS NOT NULL THEN %(resend)s
              ELSE d.handing_over_at IS NULL OR %(again)s OR %(repeatable)s AND d.channel = excluded.channel END
RETURNING true
"""
_STANDING: Final = f"""
SELECT CASE WHEN sent_at IS NOT NULL AND NOT %(resend)s THEN 'already_sent' WHEN outcome IN ('refused', 'in_doubt') THEN outcome
            WHEN outcome IS NOT NULL OR lease_until >= clock_timestamp() THEN 'in_progress' ELSE 'lapsed' END
FROM tthc.deliveries WHERE {_ROW}
"""
_LAPSED: Final = f"""
UPDATE tthc.deliveries SET outcome = 'in_doubt', error = %(error)s
WHERE {_ROW} AND sent_at IS NULL AND outcome IS NULL AND lease_until < clock_timestamp() RETURNING channel
"""
_BEGIN: Final = f"""
UPDATE tthc.deliveries SET handing_over_at = %(now)s, lease_until = clock_timestamp() + %(lasts)s
WHERE {_ROW} AND claim = %(claim)s AND outcome IS NULL
"""
# Another process may have called it in doubt meanwhile; who sent it knows better. A failed resending leaves it sent.
_RECORD: Final = f"""
UPDATE tthc.deliveries
SET outcome = CASE WHEN sent_at IS NOT NULL THEN 'sent' ELSE %(outcome)s END, error = %(error)s, answer = %(answer)s,
    sent_at = CASE WHEN %(outcome)s = 'sent' THEN %(now)s ELSE sent_at END
WHERE {_ROW} AND claim = %(claim)s AND (outcome IS NULL OR outcome = 'in_doubt')
"""
_SKIP: Final = """
INSERT INTO tthc.deliveries AS d (recipient, kind, local_date, claimed_at, outcome, channel, units, error, attempts)
VALUES (%(recipient)s, %(kind)s, %(day)s, %(now)s, %(outcome)s, %(channel)s, %(units)s, %(error)s, 0)
ON CONFLICT (recipient, kind, local_date) DO UPDATE
    SET outcome = excluded.outcome, error = excluded.error, claimed_at = excluded.claimed_at, channel = excluded.channel
    WHERE d.outcome IN ('failed', 'unsubscribed', 'nothing')
      AND (d.outcome <> excluded.outcome OR d.error IS DISTINCT FROM excluded.error)
"""
_SETTLE: Final = f"""
UPDATE tthc.deliveries SET outcome = 'sent', sent_at = coalesce(handing_over_at, %(now)s), error = NULL, answer = %(answer)s
WHERE {_ROW} AND sent_at IS NULL
  AND (outcome = 'in_doubt' OR outcome IS NULL AND handing_over_at IS NOT NULL AND lease_until < clock_timestamp())
RETURNING channel
"""
_OF_DAYS: Final = f"""
SELECT recipient, kind, local_date, units, {_STATE} AS state, channel, attempts, claimed_at, sent_at, message_id, answer, error
FROM tthc.deliveries WHERE local_date BETWEEN %(first)s AND %(last)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)
ORDER BY local_date DESC, kind, recipient
"""


@dataclass(frozen=True, slots=True)
class Key:
    """Which mail, and which attempt at it.

    Attributes:
        day: local day that it is for.
        channel: way by which it is to go.
        claim: a name of the attempt that no other has.
    """

    kind: str
    recipient: str
    day: date
    channel: str
    claim: str

    def values(self) -> dict[str, Any]:
        """For statements, by name."""
        return {
            "kind": self.kind, "recipient": self.recipient, "day": self.day, "channel": self.channel, "claim": self.claim,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a mail stands.

    Attributes:
        state: one of :data:`RESULTS`, or ``under_way``.
        tried_at: when its last attempt began.
        answer: what the server said when it took it.
        error: why the last attempt came to nothing.
    """

    recipient: str
    kind: str
    local_date: date
    units: tuple[str, ...]
    state: str
    channel: str | None
    attempts: int
    tried_at: datetime
    sent_at: datetime | None
    message_id: str | None
    answer: str | None
    error: str | None


def claim(
    connection: Connection,
    key: Key,
    *,
    message_id: str,
    now: datetime,
    lasts: timedelta,
    units: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
    repeatable: bool = False,
    order: Order = "due",
) -> Standing | None:
    """Take a mail to send it: one that nobody sent yet, whose last attempt failed, or whose process died.

    Args:
        lasts: when the claim lapses.
        repeatable: handing it over again by the same channel does no harm.
        order: what a person wants sent besides.

    Returns:
        None when it is ours; else where it stands.
    """
    values = key.values() | {
        "message_id": message_id,
        "now": now,
        "lasts": lasts,
        "units": list(units),
        "counts": None if counts is None else json.dumps(dict(counts)),
        "repeatable": repeatable,
        "again": order != "due",
        "resend": order == "resend",
    }
    if connection.exec_driver_sql(_CLAIM, values).scalar():
        return None
    standing: Standing = connection.exec_driver_sql(_STANDING, values).scalar_one()
    return standing


def call_in_doubt(connection: Connection, key: Key, error: str) -> None:
    """Record of a mail whose process ended while it was handing it over that nobody knows what came of it."""
    channel = connection.exec_driver_sql(_LAPSED, key.values() | {"error": error}).scalar()
    if channel is not None:
        totals.add(connection, METRIC, (key.kind, channel, "in_doubt"))


def begin(connection: Connection, key: Key, now: datetime, lasts: timedelta) -> bool:
    """Mark that the text leaves now, and hold the claim so long from now on; False when it is another's by now."""
    return connection.exec_driver_sql(_BEGIN, key.values() | {"now": now, "lasts": lasts}).rowcount == 1


def record(
    connection: Connection,
    key: Key,
    result: Result,
    now: datetime,
    *,
    error: str | None = None,
    answer: str | None = None,
) -> None:
    """Record and count what came of our attempt; nothing where another process has taken it over."""
    values = key.values() | {"outcome": result, "now": now, "error": storable(error), "answer": storable(answer)}
    if connection.exec_driver_sql(_RECORD, values).rowcount == 1:
        totals.add(connection, METRIC, (key.kind, key.channel, result))


def skip(
    connection: Connection,
    key: Key,
    result: Skipped,
    now: datetime,
    units: Sequence[str] = (),
    *,
    error: str | None = None,
) -> None:
    """Record and count that a mail is not sent, and why; once a day for each reason, and not over an attempt under way."""
    values = key.values() | {"outcome": result, "now": now, "units": list(units), "error": storable(error)}
    if connection.exec_driver_sql(_SKIP, values).rowcount == 1:
        totals.add(connection, METRIC, (key.kind, key.channel, result))


def settle(connection: Connection, kind: str, recipient: str, day: date, now: datetime, answer: str) -> bool:
    """Record and count as sent a mail in doubt that a person found to be delivered, as of when it was handed over.

    Returns:
        whether there was one in doubt.
    """
    values = {"kind": kind, "recipient": recipient, "day": day, "now": now, "answer": answer}
    row = connection.exec_driver_sql(_SETTLE, values).one_or_none()
    if row is None:
        return False
    totals.add(connection, METRIC, (kind, row[0], "sent"))
    return True


def of_days(connection: Connection, first: date, last: date, kind: str | None = None) -> list[Delivery]:
    """Mails of some local days, both included, the newest day first.

    Args:
        kind: only of this one; None: of all.
    """
    rows = connection.exec_driver_sql(_OF_DAYS, {"first": first, "last": last, "kind": kind})
    return [Delivery(row[0], row[1], row[2], tuple(row[3]), *row[4:]) for row in rows]
