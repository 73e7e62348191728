"""What lies below a unit, by the parents that its versions name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from tthc_monitor.domain.units import UnitRegister


def with_units_below(register: UnitRegister, codes: Iterable[str], day: date) -> frozenset[str]:
    """Units and everything below them on a day, as unit auditors see it (migration 0015).

    A unit lies below the one that it answers to on the day; one that has ended, below the last it answered to, since its
    dossiers may still be open; one that does not exist yet, nowhere. Who took over from a unit is not below it. Codes
    that the register does not know stay.
    """
    children: dict[str, list[str]] = defaultdict(list)
    for code in register.codes:
        begun = [version for version in register.versions_of(code) if version.first <= day]
        if begun and begun[-1].parent_code is not None:
            children[begun[-1].parent_code].append(code)
    found: set[str] = set()
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        if code not in found:
            found.add(code)
            waiting += children[code]
    return frozenset(found)
