"""Dated units and who succeeded whom: mergers, splits and transfers of competence, many to many.

A code names one body for ever. A body may change its name, kind or parent: then it has several versions, one after the
other without a gap. Dates are days of the office's zone; ``valid_to`` is the first day on which a version no longer
holds, so a unit abolished by the reform of 1 July 2025 has ``valid_to`` 2025-07-01.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

UnitKind = Literal[
    "province",
    "department",
    "district",
    "commune",
    "ward",
    "special_zone",
    "one_stop_centre",
    "branch",
    "vertical",
    "other",
]
KIND_NAMES: Final[Mapping[UnitKind, str]] = {
    "province": "Tỉnh, thành phố",
    "department": "Sở, ban, ngành",
    "district": "Cấp huyện",
    "commune": "Xã",
    "ward": "Phường",
    "special_zone": "Đặc khu",
    "one_stop_centre": "Trung tâm Phục vụ hành chính công",
    "branch": "Chi nhánh, điểm tiếp nhận",
    "vertical": "Cơ quan ngành dọc",
    "other": "Khác",
}


@dataclass(frozen=True, slots=True)
class UnitVersion:
    """What a unit was called and whom it belonged to in ``[valid_from, valid_to)``; None is without bound."""

    unit_code: str
    name: str
    kind: UnitKind
    parent_code: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def first(self) -> date:
        """First day; the earliest day there is when nobody knows it."""
        return self.valid_from or date.min

    @property
    def end(self) -> date:
        """First day after; the last day there is while it goes on."""
        return self.valid_to or date.max

    def holds(self, day: date) -> bool:
        """Whether this version is in force on a day."""
        return self.first <= day < self.end


@dataclass(frozen=True, slots=True)
class Succession:
    """From ``on`` a unit's work, or the part of it that ``sectors`` or ``procedures`` name, is another unit's.

    Attributes:
        on: first day of the successor's responsibility.
        share: declared part of the work, over 0 and at most 1; None when nobody declared it.
        sectors, procedures: codes that this succession is limited to; both empty means no limit.
        document: the decision it rests on.

    ``from_code`` and ``to_code`` may be the same: a unit that goes on under its code while others take a part of it.
    """

    from_code: str
    to_code: str
    on: date
    document: str
    share: float | None = None
    sectors: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether it is about some sectors or procedures only."""
        return bool(self.sectors or self.procedures)


@dataclass(frozen=True)
class UnitRegister:
    """All units and successions that are known at one instant; the order says nothing."""

    versions: Sequence[UnitVersion] = ()
    successions: Sequence[Succession] = ()
    _versions_of: dict[str, list[UnitVersion]] = field(init=False, repr=False, compare=False)
    _successions_of: dict[str, dict[date, list[Succession]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        versions: dict[str, list[UnitVersion]] = defaultdict(list)
        for version in sorted(self.versions, key=lambda one: (one.first, one.end)):
            versions[version.unit_code].append(version)
        successions: dict[str, dict[date, list[Succession]]] = defaultdict(dict)
        for one in sorted(self.successions, key=lambda one: (one.on, one.to_code)):
            successions[one.from_code].setdefault(one.on, []).append(one)
        object.__setattr__(self, "_versions_of", dict(versions))
        object.__setattr__(self, "_successions_of", dict(successions))

    @property
    def codes(self) -> Sequence[str]:
        """Codes of all units, each once."""
        return list(self._versions_of)

    def versions_of(self, code: str) -> Sequence[UnitVersion]:
        """Versions of a unit, the oldest first; none when the code is unknown."""
        return self._versions_of.get(code, ())

    def version_on(self, code: str, day: date) -> UnitVersion | None:
        """The version in force on a day; None when the unit did not exist then, or is unknown."""
        return next((one for one in self.versions_of(code) if one.holds(day)), None)

    def end_of(self, code: str) -> date:
        """First day on which a unit no longer exists; the last day there is while it goes on or is unknown."""
        return max((one.end for one in self.versions_of(code)), default=date.max)

    def successions_of(self, code: str) -> Mapping[date, Sequence[Succession]]:
        """What other units took over from a unit, by day, the earliest first."""
        return self._successions_of.get(code, {})

    def predecessors_of(self, code: str) -> Sequence[Succession]:
        """What a unit took over from others, the earliest first."""
        found = (one for one in self.successions if one.to_code == code and one.from_code != code)
        return sorted(found, key=lambda one: (one.on, one.from_code))
