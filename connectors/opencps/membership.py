"""Which rows are of the site that was asked for: the server's filters are text searches and may give more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from connectors.opencps.answers import Row, Scalar, text
from connectors.opencps.options import OpencpsOptions

_MOST_KNOWN: Final = 10_000
"""So many combinations are remembered; a site has some hundred."""
_TOLD: Final = attrgetter("group_id", "system_id", "originality", "gov_agency_code")


class _Accepted:
    """The values of one field that pass; the server writes them as texts or as numbers."""

    def __init__(self, values: Iterable[str], *, empty: bool) -> None:
        self._texts = frozenset(values)
        self._empty = empty

    def has(self, value: Scalar) -> bool:
        found = text(value)
        return self._empty if found is None else found in self._texts


class Membership:
    """Tells the rows of one site, by its options."""

    def __init__(self, options: OpencpsOptions) -> None:
        self._group = _Accepted([options.group_id], empty=True)
        self._system = _Accepted(options.system_ids, empty=True)
        self._originality = _Accepted(options.originality, empty=True)
        self._agency = _Accepted(options.agencies, empty=False) if options.agencies else None
        self._known: dict[tuple[Scalar, ...], bool] = {}

    def is_of_site(self, row: Row) -> bool:
        """Whether the row belongs to the site at all and was not deleted there, which is a negative originality."""
        return self._group.has(row.group_id) and not (text(row.originality) or "").startswith("-")

    def has(self, row: Row, statuses: tuple[str, ...] = ()) -> bool:
        """Whether the row was asked for; by no status, any passes."""
        if statuses and row.dossier_status not in statuses:
            return False
        return self._is_known(_TOLD(row))

    def places(self, rows: Sequence[Row | None], statuses: tuple[str, ...] = ()) -> Sequence[int]:
        """Where the rows are that were asked for, and whatever is no record."""
        told = [row for row in rows if row is not None]
        if all(map(self._is_known, set(map(_TOLD, told)))) and (
            not statuses or {row.dossier_status for row in told}.issubset(statuses)
        ):
            return range(len(rows))
        return [place for place, row in enumerate(rows) if row is None or self.has(row, statuses)]

    def _is_known(self, told: tuple[Scalar, ...]) -> bool:
        known = self._known.get(told)
        if known is None:
            known = self._passes(*told)
            if len(self._known) < _MOST_KNOWN:
                self._known[told] = known
        return known

    def _passes(self, group: Scalar, system: Scalar, originality: Scalar, agency: Scalar) -> bool:
        return (
            self._group.has(group)
            and self._system.has(system)
            and self._originality.has(originality)
            and (self._agency is None or self._agency.has(agency))
        )
