"""One letter sent once: claimed, handed over, and what came of it recorded, whatever dies in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from uuid import uuid4

from tthc_monitor.domain.errors import DatabaseError, DeliveryError, StoppedError
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.letters import Kind, Letter, Mail, letter_of
from tthc_monitor.outputs.transports import IN_DOUBT, Transport, UnknownDeliveryError
from tthc_monitor.store import deliveries
from tthc_monitor.store.database import transaction
from tthc_monitor.store.deliveries import Key, Order, Result

if TYPE_CHECKING:
    from sqlalchemy import Engine

Outcome = Literal["sent", "already_sent", "in_progress", "refused", "in_doubt", "discarded"]

CLAIM_LASTS: Final = timedelta(minutes=5)
"""A claim that neither sent nor failed within this belongs to a process that died; the next call takes it over.

It is held anew right before the text leaves, and is longer than what a mail server may take for the text and for its answer
(each ``timeout_seconds``, at most two minutes, to the last byte). The steps before that may take longer together: whoever
lost the claim by them sends nothing. No pause is made while it is held.
"""

_RECORDING_SECONDS = 60.0
"""So long it is tried to record what came of a letter, while the database does not answer."""
_RECORDING_PAUSE = 0.5


def send(
    engine: Engine,
    kind: Kind,
    recipient: str,
    mail: Mail,
    transport: Transport,
    now: datetime,
    *,
    units: Sequence[str] = (),
    links: Links | None = None,
    order: Order = "due",
    lasts: timedelta | None = None,
) -> Outcome:
    """Send a mail unless this recipient has had the one of that kind and local day.

    A row in ``tthc.deliveries`` is claimed before sending, so of any number of processes one sends, and marked right
    before the text leaves. A failure is recorded and gives the claim back: one that passes by itself is tried again by the
    next call, one that does not only by order of a person. A process that dies while sending leaves a claim that lapses, by
    the clock of the database server: the next call sends what had not begun to leave; what had is sent again only by a
    channel that may repeat itself, or by order. So nothing is sent twice without a person's order.

    Args:
        units: codes of the units that it is about; none: the whole office.
        links: that it names.
        order: what a person wants sent besides what is due.
        lasts: when a claim lapses; by default after :data:`CLAIM_LASTS`.

    Returns:
        ``sent``; ``already_sent`` that day; ``in_progress`` elsewhere; ``refused`` for good or ``in_doubt`` since an earlier
        try; ``discarded`` by a transport that does not deliver.

    Raises:
        UnknownDeliveryError: whether it was delivered nobody knows; recorded already.
        DeliveryError: this try failed; recorded already.
        StoppedError: it was asked to end before the text left; recorded already as failed.
        DatabaseError: the claim could not be read or written.
    """
    another = now if order == "resend" else None
    letter = letter_of(kind, recipient, mail, transport.sender, now, units=units, links=links, another=another)
    if not transport.delivers:
        transport.send(letter)
        return "discarded"
    key = Key(kind, letter.recipient, mail.local_date, transport.name, str(uuid4()))
    held = CLAIM_LASTS if lasts is None else lasts
    standing = _claim(engine, key, letter, transport, held, order)
    if standing is not None:
        return standing
    try:
        answer = transport.send(letter, lambda: _begin(engine, key, now, held))
    except UnknownDeliveryError as error:
        _record(engine, key, "in_doubt", now, error=str(error))
        raise
    except DeliveryError as error:
        _record(engine, key, "refused" if error.permanent else "failed", now, error=str(error))
        raise
    except StoppedError as error:
        # It ends only what has not begun to leave.
        _record(engine, key, "failed", now, error=str(error))
        raise
    _record(engine, key, "sent", now, answer=answer)
    return "sent"


def _claim(
    engine: Engine, key: Key, letter: Letter, transport: Transport, lasts: timedelta, order: Order
) -> Outcome | None:
    with transaction(engine) as connection:
        standing = deliveries.claim(
            connection,
            key,
            message_id=letter.message_id,
            now=letter.made_at,
            lasts=lasts,
            units=letter.units,
            counts=letter.mail.counts,
            repeatable=transport.repeatable,
            order=order,
        )
        if standing != "lapsed":
            return standing
        error = f"a process ended while it was handing over the mail; {IN_DOUBT}"
        deliveries.call_in_doubt(connection, key, error)
    raise UnknownDeliveryError(error)


def _begin(engine: Engine, key: Key, now: datetime, lasts: timedelta) -> None:
    """Mark that the text leaves now; whoever lost the claim meanwhile must not send it."""
    with transaction(engine) as connection:
        ours = deliveries.begin(connection, key, now, lasts)
    if not ours:
        raise DeliveryError("another process has taken the mail over; it is not sent from here, wait for that one")


def _record(
    engine: Engine, key: Key, result: Result, now: datetime, *, error: str | None = None, answer: str | None = None
) -> None:
    """Record what came of a letter; that the database is away for a while must not leave it in doubt."""
    patience = time.monotonic() + _RECORDING_SECONDS
    while True:
        try:
            with transaction(engine) as connection:
                deliveries.record(connection, key, result, now, error=error, answer=answer)
        except DatabaseError:
            if time.monotonic() >= patience:
                raise
            time.sleep(_RECORDING_PAUSE)
        else:
            return
