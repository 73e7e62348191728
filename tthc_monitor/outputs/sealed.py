"""The head of the ledger, printed in whatever leaves the house, so that a later change contradicts what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tthc_monitor.domain.ledger_heads import grouped
from tthc_monitor.outputs import wording

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NEWEST: Final = "SELECT batch_id, seen_at, chain_hash FROM audit.ledger ORDER BY batch_id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The newest link: its number, the local day on which its source was seen, and its hash in hexadecimal."""

    link: int
    day: date
    digits: str

    @property
    def grouped(self) -> str:
        """The hash in groups of eight digits."""
        return grouped(self.digits)

    @property
    def place(self) -> str:
        """Which link it is, in Vietnamese."""
        return f"mắt xích số {self.link}, ngày {wording.day(self.day)}"


def read_ledger_head(connection: Connection, zone: str) -> LedgerHead | None:
    """The head as it is now; None while the ledger is empty.

    Args:
        zone: IANA name of the zone of the day.
    """
    row = connection.exec_driver_sql(_NEWEST).one_or_none()
    return None if row is None else LedgerHead(row[0], row[1].astimezone(ZoneInfo(zone)).date(), row[2])


def head_line(head: LedgerHead | None) -> str:
    """The head in one line of Vietnamese."""
    return "Mã niêm phong sổ cái: chưa có" if head is None else f"Mã niêm phong sổ cái ({head.place}): {head.grouped}"
