"""What may be wrong with a register of units; everything that is, at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.units import Succession, UnitRegister, UnitVersion

Item = UnitVersion | Succession
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, at one entry of the register; the message ends with what to do."""

    item: Item
    message: str


def require_sound(register: UnitRegister, file: str, lines: Mapping[Item, int]) -> None:
    """Refuse a register that contradicts itself.

    Args:
        lines: line in ``file`` of the entries that come from it; others were known before.

    Raises:
        ConfigError: every fault at once, by line.
    """
    problems = [Problem(file, lines.get(fault.item), fault.message) for fault in faults(register)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: (one.line or 0, one.message)))


def faults(register: UnitRegister) -> Sequence[Fault]:
    """Everything that is wrong with a register; empty when it is sound."""
    return [*_dates(register), *_parents(register), *_successions(register), *_shares(register)]


def _dates(register: UnitRegister) -> Iterator[Fault]:
    for one in register.versions:
        if one.first >= one.end:
            yield Fault(one, f"unit {one.unit_code} ends on {one.end}, not after its first day; correct one of the two")
    for code in register.codes:
        for earlier, later in pairwise(register.versions_of(code)):
            if later.first < earlier.end:
                yield Fault(
                    later,
                    f"unit {code} has two versions on {max(later.first, earlier.first)}; end the earlier one where "
                    "the later one begins, or remove one",
                )
            elif later.first > earlier.end:
                yield Fault(
                    later,
                    f"code {code} is used again from {later.first} after its end on {earlier.end}; give the new unit "
                    "a code of its own",
                )


def _parents(register: UnitRegister) -> Iterator[Fault]:
    parents: dict[str, set[str]] = defaultdict(set)
    for one in register.versions:
        if one.parent_code is not None:
            parents[one.unit_code].add(one.parent_code)
    above: dict[str, set[str]] = {}
    for one in register.versions:
        if one.parent_code is None:
            continue
        if not register.versions_of(one.parent_code):
            yield Fault(
                one, f"parent {one.parent_code} of unit {one.unit_code} is not known; add it, or correct the code"
            )
        if one.parent_code not in above:
            above[one.parent_code] = _reached(one.parent_code, parents)
        if one.unit_code in above[one.parent_code]:
            yield Fault(
                one, f"unit {one.unit_code} stands above its own parent {one.parent_code}; correct one of the two"
            )


def _reached(code: str, steps: Mapping[str, Iterable[str]]) -> set[str]:
    seen, waiting = set[str](), [code]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(steps.get(current, ()))
    return seen


def _successions(register: UnitRegister) -> Iterator[Fault]:
    for one, times in Counter(register.successions).items():
        if times > 1:
            yield Fault(one, f"{_told(one)} stands {times} times; remove all but one")
    for one in register.successions:
        if register.version_on(one.from_code, one.on - timedelta(days=1)) is None:
            yield Fault(
                one,
                f"{_told(one)}: {one.from_code} {_absence(register, one.from_code, one.on - timedelta(days=1))}; "
                "add the unit, or correct its dates or the day",
            )
        if register.version_on(one.to_code, one.on) is None:
            if _leads_back(register, one):
                yield Fault(
                    one,
                    f"{_told(one)} closes a circle: the work of {one.to_code}, which has ended, comes back to it; "
                    "remove one of its successions",
                )
            yield Fault(
                one,
                f"{_told(one)}: {one.to_code} {_absence(register, one.to_code, one.on)}; "
                "add the unit, or correct its dates or the day",
            )


def _absence(register: UnitRegister, code: str, day: date) -> str:
    return f"does not exist on {day}" if register.versions_of(code) else "is not known"


def _leads_back(register: UnitRegister, closing: Succession) -> bool:
    """Whether the work of ``closing.to_code`` reaches ``closing.from_code`` by that day."""
    seen, waiting = set[str](), [closing.to_code]
    while waiting:
        code = waiting.pop()
        if code == closing.from_code:
            return closing.from_code != closing.to_code
        if code not in seen:
            seen.add(code)
            groups = register.successions_of(code).items()
            waiting.extend(one.to_code for on, group in groups if on <= closing.on for one in group)
    return False


def _shares(register: UnitRegister) -> Iterator[Fault]:
    for one in register.successions:
        if one.share is not None and not 0 < one.share <= 1:
            yield Fault(one, f"{_told(one)}: share {one.share:g} is not between 0 and 1; write 25 % as 0.25")
    for code in {one.from_code for one in register.successions}:
        for on, group in register.successions_of(code).items():
            for scope, parts in _by_scope(group).items():
                total = sum(one.share for one in parts if one.share is not None and 0 < one.share <= 1)
                if total > 1 + _ROUNDING:
                    what = f" of {scope}" if scope else ""
                    yield Fault(
                        parts[-1],
                        f"the successors of {code} on {on} share {total:.4g} of its work{what}, more than all; "
                        "lower the shares to 1 together",
                    )


def _by_scope(group: Iterable[Succession]) -> Mapping[str, Sequence[Succession]]:
    found: dict[str, list[Succession]] = defaultdict(list)
    for one in group:
        scopes = [f"sector {code}" for code in one.sectors] + [f"procedure {code}" for code in one.procedures]
        for scope in scopes or [""]:
            found[scope].append(one)
    return found


def _told(one: Succession) -> str:
    return f"succession {one.from_code} to {one.to_code} on {one.on}"
