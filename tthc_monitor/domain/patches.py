"""Records that tell only a part of their dossiers, made whole from what was known of them.

A column that a patch leaves out stays as it was. Where columns belong together they are told together: a new status
takes the source's own word with it, a new step its name and dates, and a new request has not been answered yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Final

import polars as pl

from tthc_monitor.domain.records import NAME_SCHEMA, OBSERVED_SCHEMA, RECORD_SCHEMA

_STATUS: Final = ("status", "source_status")
_FOLLOWERS: Final[Mapping[str, tuple[str, ...]]] = {
    "step_code": ("step_name", "step_unit_code", "step_started_at", "step_due_at"),
    "supplement_requested_at": ("supplement_completed_at",),
    "obligation_requested_at": ("obligation_completed_at",),
    "consulted_at": ("consulted_unit_code", "consulted_due_at", "consulted_answered_at"),
}
"""Columns that describe another one: where that changes, what was known of them is of the one before."""
_NAMED_BY: Final[Mapping[str, str]] = {name: name.replace("_name", "_code") for name in NAME_SCHEMA}
_DEPENDENT: Final = frozenset({*_STATUS, *chain.from_iterable(_FOLLOWERS.values())})


def completed(patches: pl.DataFrame, known: pl.DataFrame, clears: Collection[str] = ()) -> pl.DataFrame:
    """Make patches whole, in order: each goes on from the one before it of the same dossier, the first from ``known``.

    Args:
        patches: canonical records of which only ``source_key`` must be filled.
        known: the last known record of those dossiers that are known, with the columns of :data:`OBSERVED_SCHEMA`.
        clears: columns that are as the patches tell them, null as well.

    Returns:
        canonical records, the last of each dossier that a patch tells of, in the order of those patches.
    """
    observed = list(OBSERVED_SCHEMA)
    rows = pl.concat(
        [
            known.select(*observed, pl.lit(None, dtype=pl.UInt32()).alias("at")),
            patches.with_row_index("at").select(*observed, "at"),
        ]
    )
    key = pl.col("source_key")
    told = pl.any_horizontal(pl.col(name).is_not_null() for name in _STATUS)
    leading = [name for name in observed if name not in _DEPENDENT and name not in clears and name != "source_key"]
    changes = {
        leader: pl.col(leader).ne_missing(pl.col(leader).shift(1)).cum_sum().over(key).alias(f"since:{leader}")
        for leader in _FOLLOWERS
    }
    belongs = dict.fromkeys(_STATUS, "since:status") | {
        follower: f"since:{leader}" for leader, followers in _FOLLOWERS.items() for follower in followers
    }
    whole = (
        rows.with_columns(pl.col(name).forward_fill().over(key) for name in leading)
        .with_columns(told.cum_sum().over(key).alias("since:status"), *changes.values())
        .with_columns(
            pl.col(name).forward_fill().over(key, since) for name, since in belongs.items() if name not in clears
        )
    )
    last = whole.filter(pl.col("at").is_not_null()).unique("source_key", keep="last", maintain_order=True)
    # A name belongs to the code that is told beside it; the code that was known before may be another one's.
    names = patches.select(
        pl.when(pl.col(code).is_not_null()).then(pl.col(name)).alias(name) for name, code in _NAMED_BY.items()
    )
    return pl.concat([last, names[last["at"].to_numpy()]], how="horizontal").sort("at").select(list(RECORD_SCHEMA))
