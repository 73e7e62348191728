"""How what a recipient is answerable for is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tthc_monitor.outputs import wording

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAMED: Final = 3
"""So many units are named; of more, the first ones and how many there are besides."""


def unit_names(connection: Connection, codes: Iterable[str]) -> Mapping[str, str]:
    """What units are called, by code; those that no source has named are left out."""
    rows = connection.exec_driver_sql(
        "SELECT unit_code, name FROM audit.units WHERE unit_code = ANY (%(codes)s) AND name <> ''",
        {"codes": sorted(set(codes))},
    )
    return {row[0]: row[1] for row in rows}


def scope_name(names: Mapping[str, str], units: Sequence[str], *, subtree: bool = False) -> str:
    """The units that a recipient is named for, in words; the whole office when there are none."""
    if not units:
        return "Toàn bộ đơn vị"
    labels = [wording.unit_label(code, names.get(code)) for code in units]
    if len(labels) > _NAMED:
        labels = [*labels[: _NAMED - 1], f"{wording.number(len(labels) - _NAMED + 1)} đơn vị khác"]
    listed = " và ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
    return f"{listed}{', cùng các đơn vị trực thuộc' if subtree else ''}"
