"""Whether a dossier of ours is one dossier of a source, and the other way round, over all observations that still tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.verify_hashing import Numbers

_SHOWN: Final = 20
_SCHEMA: Final = {"dossier": pl.Int64(), "key": pl.Int64()}


class Identities:
    """Dossiers and keys met so far: 16 bytes for each pair, and as many again while new ones are gathered."""

    def __init__(self) -> None:
        self._known = pl.DataFrame(schema=_SCHEMA)
        self._fresh: list[pl.DataFrame] = []
        self._waiting = 0

    def add(self, dossiers: Numbers, keys: Numbers) -> None:
        """Note pairs; a key is a number that stands for a source and its key."""
        pairs = pl.DataFrame({"dossier": dossiers, "key": keys}, schema=_SCHEMA).unique()
        self._fresh.append(pairs)
        self._waiting += pairs.height
        if self._waiting > max(1_000_000, self._known.height):
            self._settle()

    def _settle(self) -> None:
        self._known = pl.concat([self._known, *self._fresh]).unique()
        self._fresh, self._waiting = [], 0

    def contradictions(self, connection: Connection) -> Iterator[str]:
        """Dossiers of two keys, and keys of two dossiers, in words; the first of them only."""
        self._settle()
        doubled = self._known.filter(pl.col("dossier").is_duplicated() | pl.col("key").is_duplicated())
        suspects = doubled["dossier"].unique().sort().head(2 * _SHOWN).to_list()
        if not suspects:
            return
        rows = connection.execute(
            text(
                "SELECT DISTINCT o.dossier_id, s.name, o.source_key, o.code FROM tthc.observations o "
                "LEFT JOIN tthc.sources s USING (source_id) "
                "WHERE o.dossier_id = ANY(:dossiers) AND o.details_hash IS NULL ORDER BY 1, 2, 3"
            ),
            {"dossiers": suspects},
        )
        keys: defaultdict[int, set[tuple[str | None, str]]] = defaultdict(set)
        dossiers: defaultdict[tuple[str | None, str], set[int]] = defaultdict(set)
        for dossier_id, source, key, _code in rows:
            keys[dossier_id].add((source, key))
            dossiers[source, key].add(dossier_id)
        for dossier_id, held in keys.items():
            if len(held) > 1:
                yield f"dossier number {dossier_id} has the keys of {len(held)} dossiers of its sources"
        for (source, key), ours in dossiers.items():
            if len(ours) > 1:
                numbers = ", ".join(map(str, sorted(ours)))
                yield f"dossier {key} of source {source} has {len(ours)} numbers: {numbers}"
