"""What units and sectors are called, by their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

_UNITS: Final = "SELECT unit_code AS code, name FROM audit.units ORDER BY 1"
_SECTORS: Final = "SELECT sector_code AS code, name FROM audit.sectors ORDER BY 1"


def unit_names(connection: Connection) -> dict[str, str | None]:
    """All units; None where no source tells a name."""
    return _names(connection, _UNITS)


def sector_names(connection: Connection) -> dict[str, str | None]:
    """All sectors; None where no source tells a name."""
    return _names(connection, _SECTORS)


def _names(connection: Connection, query: str) -> dict[str, str | None]:
    rows = read_frame(connection, query, {})
    return {
        str(code): name if isinstance(name, str) else None for code, name in rows.itertuples(index=False, name=None)
    }
