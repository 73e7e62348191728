"""Who answers for a unit's work now: chains of successions followed through their dates, and never a guess.

A dossier stays with the unit that had it. Who answers for it today is found by following what happened to that unit
since: of several successors on one day the one whose procedures or sectors the dossier falls under; else the one with
the largest declared share; else nobody can say, unless all of them end up in the same unit. Each step takes successions
of a later day than the one before it, so that no chain runs for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from tthc_monitor.domain.units import Succession, UnitRegister

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Answer:
    """The unit that answers now; ``successor_code`` is None and ``ambiguous`` true where nobody can say."""

    successor_code: str | None
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class NowRow:
    """An answer that differs from "the unit itself", with when it applies.

    Attributes:
        sector_code, procedure_code: dossiers it is about; empty for all that no other row names.
        named_from, named_to: the days, the last excluded, on which the dossier was the unit's.
        at_from, at_to: the days, the last excluded, on which one asks.
    """

    unit_code: str
    sector_code: str
    procedure_code: str
    named_from: date
    named_to: date
    at_from: date
    at_to: date
    answer: Answer


def unit_as_now(
    register: UnitRegister,
    code: str,
    at: date,
    *,
    sector: str | None = None,
    procedure: str | None = None,
    named_on: date = date.min,
) -> Answer:
    """Who answers on day ``at`` for what was unit ``code``'s on ``named_on``; the code itself when it is not known.

    ``named_on`` matters for a code that goes on after a split: what it had before may be somebody else's now, what it
    got later is its own. A unit that has ended is taken as it was at its end.
    """
    named = max((day for day in _goes_on_after(register, code) if day <= named_on), default=date.min)
    found = _finals(register, code, named, at, sector, procedure)
    only = next(iter(found)) if len(found) == 1 else None
    return Answer(only, ambiguous=only is None)


def _goes_on_after(register: UnitRegister, code: str) -> Sequence[date]:
    """Days of its own successions which a unit outlived."""
    return [on for on in register.successions_of(code) if register.version_on(code, on) is not None]


def _finals(
    register: UnitRegister, code: str, after: date, at: date, sector: str | None, procedure: str | None
) -> frozenset[str | None]:
    """Units in which a unit's work may be on day ``at``; None stands for "nobody was named"."""
    for on, group in register.successions_of(code).items():
        if after < on <= at:
            heirs = _heirs(group, sector, procedure, goes_on=register.version_on(code, on) is not None)
            finals = (_finals(register, heir, on, at, sector, procedure) for heir in heirs)
            return frozenset[str | None]().union(*finals) if heirs else frozenset({None})
    return frozenset({code if at < register.end_of(code) else None})


def _heirs(group: Sequence[Succession], sector: str | None, procedure: str | None, *, goes_on: bool) -> Sequence[str]:
    """Of the successors of one day those that may have a dossier: one where scope or shares decide."""
    chosen = [one for one in group if procedure in one.procedures] or [one for one in group if sector in one.sectors]
    shares: dict[str, float | None] = {}
    for one in chosen or [one for one in group if not one.limited]:
        held = shares.get(one.to_code, 0.0)
        shares[one.to_code] = None if held is None or one.share is None else held + one.share
    code = group[0].from_code
    if not chosen and goes_on and all(one.to_code != code for one in group):
        # What nobody took over stays where it was.
        shares[code] = None
    return _by_share(shares)


def _by_share(shares: Mapping[str, float | None]) -> Sequence[str]:
    known = {code: share for code, share in shares.items() if share is not None}
    undeclared = [code for code in shares if code not in known]
    rest = 1 - sum(known.values())
    if len(undeclared) == 1:
        known, undeclared, rest = {**known, undeclared[0]: rest}, [], 0
    ranked = sorted(known.items(), key=lambda item: -item[1])
    # Whatever the undeclared ones have, together they cannot have more than the rest.
    rivals = [share for _, share in ranked[1:2]] + ([rest] if undeclared else [])
    if ranked and all(ranked[0][1] > rival + _EQUAL for rival in rivals):
        return [ranked[0][0]]
    return list(shares)


def rows_now(register: UnitRegister) -> Iterator[NowRow]:
    """The answers about all units as a table: what :func:`unit_as_now` says, for every day, sector and procedure.

    A dossier finds its row by sector and procedure, else by procedure, else by sector, else the one for all; where
    there is none, its unit answers itself.
    """
    for code in register.codes:
        dates, sectors, procedures = _reachable(register, code)
        if not dates:
            continue
        bounds = [date.min, *_goes_on_after(register, code), date.max]
        for named_from, named_to in pairwise(bounds):
            for at_from, at_to in pairwise([*dates, date.max]):
                found = _answers(register, code, at_from, named_from, sectors, procedures)
                for (sector, procedure), answer in found.items():
                    yield NowRow(code, sector, procedure, named_from, named_to, at_from, at_to, answer)


def _reachable(register: UnitRegister, code: str) -> tuple[Sequence[date], Sequence[str], Sequence[str]]:
    """Days on which the answer about a unit may change, and the sectors and procedures that may decide it."""
    dates, sectors, procedures = set[date](), set[str](), set[str]()
    seen, waiting = set[str](), [code]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        dates |= {register.end_of(current)} - {date.max}
        for on, group in register.successions_of(current).items():
            dates.add(on)
            for one in group:
                sectors.update(one.sectors)
                procedures.update(one.procedures)
                waiting.append(one.to_code)
    return sorted(dates), sorted(sectors), sorted(procedures)


def _answers(
    register: UnitRegister, code: str, at: date, named: date, sectors: Sequence[str], procedures: Sequence[str]
) -> Mapping[tuple[str, str], Answer]:
    """The answers of one day by sector and procedure, without those that the look-up finds anyway."""
    kept: dict[tuple[str, str], Answer] = {}
    keys = [("", ""), *((one, "") for one in sectors), *(("", one) for one in procedures)]
    keys += [(sector, procedure) for sector in sectors for procedure in procedures]
    for sector, procedure in keys:
        answer = unit_as_now(register, code, at, sector=sector or None, procedure=procedure or None, named_on=named)
        wider = (("", procedure), (sector, ""), ("", ""))
        if answer != next((kept[key] for key in wider if key in kept), Answer(code, ambiguous=False)):
            kept[sector, procedure] = answer
    return kept
