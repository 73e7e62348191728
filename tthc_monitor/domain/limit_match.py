"""Which limit of the catalogue a dossier has: by procedure, unit, channel and the day it was received or postmarked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.time_limits import TimeLimit
from tthc_monitor.domain.worktime_arrays import Times

Codes = npt.NDArray[np.int64]

EVER: Final = np.iinfo(np.int64).max
NAT_DAY: Final = np.iinfo(np.int64).min


class LimitIndex:
    """A catalogue arranged for look-up.

    Args:
        limits: the catalogue.
        postmark: of each limit, whether a dossier postmarked before it came into force keeps the one before it.

    Raises:
        ConfigError: two limits for the same procedure, channel and unit hold on the same day, and neither lies within
            the other's dates.
    """

    def __init__(self, limits: Sequence[TimeLimit], postmark: Sequence[bool]) -> None:
        self._procedures = _numbered(limit.procedure_code for limit in limits)
        self._units = _numbered(limit.unit_code for limit in limits if limit.unit_code is not None)
        self._channels = _numbered(str(limit.channel) for limit in limits if limit.channel is not None)
        keys = np.array([self._key_of(limit) for limit in limits], dtype=np.int64)
        order = sorted(range(len(limits)), key=lambda i: (keys[i], _since(limits[i]), -_until(limits[i])))
        for _, members in groupby(order, key=lambda i: keys[i]):
            _refuse_overlaps([limits[i] for i in members])
        self._order = np.array(order, dtype=np.int64)
        self._since = np.array([_since(limits[i]) for i in order], dtype=np.int64)
        self._until = np.array([_until(limits[i]) for i in order], dtype=np.int64)
        self._by_postmark = np.array([postmark[i] for i in order], dtype=np.bool_)
        self._keys, self._first, counts = np.unique(keys[self._order], return_index=True, return_counts=True)
        self._size = counts.astype(np.int64)
        self._ends_by_postmark = self._by_postmark.copy()
        for position, until in enumerate(self._until[:-1]):
            # Where one limit takes over from another, the new law says whether a postmark keeps the old.
            following = position + 1
            if keys[order[following]] == keys[order[position]] and self._since[following] == until:
                self._ends_by_postmark[position] = self._by_postmark[following]
        self._levels = sorted(
            {(limit.unit_code is not None, limit.channel is not None) for limit in limits}, reverse=True
        )

    def match(self, facts: pd.DataFrame, received: Times, postmarked: Times) -> npt.NDArray[np.int32]:
        """Position of each dossier's limit in the catalogue, -1 for none.

        Args:
            facts: rows with procedure_code, unit_code and channel.
            received, postmarked: days in the calendar's zone, NaT for unknown. A postmark counts for dossiers by post, and
                none after the reception.
        """
        out = np.full(len(facts), -1, dtype=np.int64)
        if not self._order.size:
            return out.astype(np.int32)
        procedure = _codes(facts["procedure_code"], self._procedures)
        unit, channel = _codes(facts["unit_code"], self._units), _codes(facts["channel"], self._channels)
        by_post = _codes(facts["channel"], {"postal": 0}) == 0
        reception = received.astype("datetime64[D]").astype(np.int64)
        posted = (
            np.where(by_post & (postmarked <= received), postmarked, received).astype("datetime64[D]").astype(np.int64)
        )
        for with_unit, with_channel in self._levels:
            rows = (out < 0) & (procedure >= 0) & (reception != NAT_DAY)
            rows &= (unit >= 0) if with_unit else True
            rows &= (channel >= 0) if with_channel else True
            at = np.flatnonzero(rows)
            none = np.full(at.size, -1, dtype=np.int64)
            key = self._key(procedure[at], unit[at] if with_unit else none, channel[at] if with_channel else none)
            out[at] = self._in_force(key, reception[at], posted[at])
        return np.where(out >= 0, self._order[out], -1).astype(np.int32)

    def _in_force(self, key: Codes, reception: Codes, posted: Codes) -> Codes:
        """Position in order of the innermost limit of each key on its day, -1 for none."""
        out = np.full(key.size, -1, dtype=np.int64)
        group = np.minimum(np.searchsorted(self._keys, key), self._keys.size - 1)
        known = self._keys[group] == key
        for back in range(1, int(self._size[group[known]].max(initial=0)) + 1):
            open_rows = np.flatnonzero(known & (out < 0) & (self._size[group] >= back))
            at = self._first[group[open_rows]] + self._size[group[open_rows]] - back
            begun = np.where(self._by_postmark[at], posted[open_rows], reception[open_rows]) >= self._since[at]
            ended = np.where(self._ends_by_postmark[at], posted[open_rows], reception[open_rows]) >= self._until[at]
            out[open_rows] = np.where(begun & ~ended, at, -1)
        return out

    def _key_of(self, limit: TimeLimit) -> int:
        unit = -1 if limit.unit_code is None else self._units[limit.unit_code]
        channel = -1 if limit.channel is None else self._channels[str(limit.channel)]
        one = (np.array([code]) for code in (self._procedures[limit.procedure_code], unit, channel))
        return int(self._key(*one)[0])

    def _key(self, procedure: Codes, unit: Codes, channel: Codes) -> Codes:
        return (procedure * (len(self._units) + 1) + unit + 1) * (len(self._channels) + 1) + channel + 1


def _numbered(names: object) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)))}  # type: ignore[call-overload]


def _codes(column: pd.Series, known: Mapping[str, int]) -> Codes:
    """The number of each row's text, -1 for one that is not known."""
    texts = column.astype("category").cat
    numbers = [known.get(str(name), -1) for name in texts.categories]
    return np.array([*numbers, -1], dtype=np.int64)[texts.codes.to_numpy()]


def _since(limit: TimeLimit) -> int:
    return NAT_DAY if limit.valid_from is None else int(np.datetime64(limit.valid_from, "D").astype(np.int64))


def _until(limit: TimeLimit) -> int:
    return EVER if limit.valid_to is None else int(np.datetime64(limit.valid_to, "D").astype(np.int64))


def _refuse_overlaps(limits: Sequence[TimeLimit]) -> None:
    """Limits of one key, by first day and then the longest first: each lies within an earlier one or after it."""
    around: list[TimeLimit] = []
    for limit in limits:
        while around and _until(around[-1]) <= _since(limit):
            around.pop()
        if around:
            outer = around[-1]
            same = (_since(outer), _until(outer)) == (_since(limit), _until(limit))
            if same or _until(outer) < _until(limit):
                raise ConfigError(
                    f"two limits of {' / '.join(part for part in limit.key if part)} hold on the same days: {_told(outer)} "
                    f"and {_told(limit)}; give one a valid_to not after the other's valid_from, or remove one"
                )
        around.append(limit)


def _told(limit: TimeLimit) -> str:
    return f"'{limit.legal_basis}' ({limit.valid_from or 'ever'} to {limit.valid_to or 'ever'})"
