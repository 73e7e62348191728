"""What recipients answered to their digests: that they know, by when they mean to be done, and that they want none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, text

MOST_OF_A_MAIL: Final = 50
"""So often a mail may be answered: whoever has its link could fill the table."""

_LOCK: Final = 7411024


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That somebody took note of the digest of a day.

    Attributes:
        units: what he is named for in the settings; empty: the whole office.
        done_before: the day before which he means to be done with what was overdue then.
    """

    recipient: str
    day: date
    at: datetime
    units: tuple[str, ...]
    role: str
    done_before: date | None = None
    note: str | None = None

    def says_the_same(self, other: Acknowledgement) -> bool:
        """Whether nothing but the time differs that its author chose."""
        return (self.done_before, self.note) == (other.done_before, other.note)


def newest_acknowledgement(connection: Connection, recipient: str, day: date) -> Acknowledgement | None:
    """What a recipient said last about the digest of a day."""
    found = connection.execute(
        text(
            "SELECT acknowledged_at, unit_codes, role, done_before, note "
            "FROM tthc.acknowledgements WHERE recipient = :recipient AND local_date = :day "
            "ORDER BY acknowledgement_id DESC LIMIT 1"
        ),
        {"recipient": recipient, "day": day},
    ).one_or_none()
    if found is None:
        return None
    units = tuple(found.unit_codes or ())
    return Acknowledgement(recipient, day, found.acknowledged_at, units, found.role, found.done_before, found.note)


def figures_told(connection: Connection, recipient: str, day: date) -> Mapping[str, int]:
    """The figures of the digest that a recipient got on a day; empty when none was sent or they are not kept any more."""
    found: Mapping[str, int] | None = connection.execute(
        text(
            "SELECT counts FROM tthc.deliveries WHERE kind = 'digest' AND recipient = :recipient AND local_date = :day "
            "AND sent_at IS NOT NULL"
        ),
        {"recipient": recipient, "day": day},
    ).scalar()
    return found or {}


def acknowledge(connection: Connection, said: Acknowledgement) -> bool:
    """Put on record what a recipient says; what he said last is not recorded again.

    Returns:
        False when he has answered the same mail so often that nothing more is taken.
    """
    # Two taps on the button at once are one answer.
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, hashtext(:key))"),
        {"lock": _LOCK, "key": f"{said.recipient} {said.day}"},
    )
    last = newest_acknowledgement(connection, said.recipient, said.day)
    if last is not None and last.says_the_same(said):
        return True
    known = text("SELECT count(*) FROM tthc.acknowledgements WHERE recipient = :recipient AND local_date = :day")
    if connection.execute(known, {"recipient": said.recipient, "day": said.day}).scalar_one() >= MOST_OF_A_MAIL:
        return False
    connection.execute(
        text(
            "INSERT INTO tthc.acknowledgements (recipient, local_date, acknowledged_at, unit_codes, role, done_before, note) "
            "VALUES (:recipient, :day, :at, CAST(:units AS text[]), :role, :done_before, :note)"
        ),
        {
            "recipient": said.recipient,
            "day": said.day,
            "at": said.at,
            "units": list(said.units) or None,
            "role": said.role,
            "done_before": said.done_before,
            "note": said.note,
        },
    )
    return True


def opted_out(connection: Connection) -> Mapping[str, datetime]:
    """Who wants no digests, by address in small letters, and since when."""
    rows = connection.execute(
        text("SELECT recipient, opted_out_at FROM tthc.digest_optouts WHERE taken_back_at IS NULL")
    )
    return {row.recipient: row.opted_out_at for row in rows}


def opt_out(connection: Connection, recipient: str, at: datetime) -> None:
    """From now on a recipient wants no digests; who wanted none already goes on wanting none since then."""
    connection.execute(
        text(
            "INSERT INTO tthc.digest_optouts (recipient, opted_out_at) VALUES (:recipient, :at) "
            "ON CONFLICT (recipient) WHERE taken_back_at IS NULL DO NOTHING"
        ),
        {"recipient": recipient, "at": at},
    )


def take_back(connection: Connection, recipient: str, at: datetime) -> bool:
    """From now on a recipient gets digests again; False when he wanted them all along."""
    done = connection.execute(
        text(
            "UPDATE tthc.digest_optouts SET taken_back_at = :at WHERE recipient = :recipient AND taken_back_at IS NULL"
        ),
        {"recipient": recipient, "at": at},
    )
    return bool(done.rowcount)
