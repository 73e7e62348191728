"""The canonical text of an observation, and the hashes over it that the ledger's chain rests on.

A version never changes once a ledger may hold it: ``audit verify`` recomputes what was written years ago.

Version 2, in force since migration 0014, hashes in two steps: what can lead to a person (:data:`DETAILS`) has a hash of
its own, and the content's hash is over that and the text of all else. So details may be erased when their time is over:
their hash stays, and everything that is left can still be proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import Final

import numpy as np
import polars as pl

from tthc_monitor.domain.records import OBSERVED_SCHEMA

VERSION: Final = 2
"""The version of what is hashed now."""

DETAILS: Final = ("source_key", "code", "applicant_hash", "parent_key")
"""Columns that can lead to a person, which retention erases; in the order in which they are hashed."""

FIELD, RECORD = "\x1f", "\x1e"

_COLUMNS = tuple(OBSERVED_SCHEMA)
_FIRST = _COLUMNS[: _COLUMNS.index("parent_key")]
_LATER = _COLUMNS[len(_FIRST) :]
"""The columns of the first version, whose place in the canonical text is fixed, and those that came later."""

_KEPT_FIRST = tuple(name for name in _FIRST if name not in DETAILS)
_KEPT_LATER = tuple(name for name in _LATER if name not in DETAILS)


def canonical_columns(version: int = VERSION) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns whose place in a content's canonical text is fixed, and those that follow by name, when not null."""
    return (_FIRST, _LATER) if version == 1 else (_KEPT_FIRST, _KEPT_LATER)


def content_hashes(records: pl.DataFrame, version: int = VERSION) -> pl.Series:
    """SHA-256 of each record's canonical text.

    The canonical text is the first columns of a record (:data:`_FIRST`) in their order, separated by U+001F: texts as
    they are, instants as microseconds since 1970 UTC, numbers in decimal, null as nothing. Of the later columns those
    that are not null follow, each as U+001F name=value, so that a record which does not fill them keeps the hash it had
    before they existed. Records therefore may not contain U+001E or U+001F.

    Version 1 hashes that. Version 2 hashes the 32 bytes of :func:`details_hashes`, followed by the canonical text of the
    columns that are not :data:`DETAILS`.
    """
    if version == 1:
        return _series([sha256(line).digest() for line in _lines(records, _FIRST, _LATER)])
    return kept_hashes(records, details_hashes(records))


def details_hashes(records: pl.DataFrame) -> list[bytes]:
    """SHA-256 of each record's :data:`DETAILS`, separated by U+001F, null as nothing."""
    return [sha256(line).digest() for line in _lines(records, DETAILS, ())]


def kept_hashes(records: pl.DataFrame, details: Sequence[bytes]) -> pl.Series:
    """The content hashes of version 2, from the hashes of details that may be gone."""
    kept = _lines(records, _KEPT_FIRST, _KEPT_LATER)
    return _series([sha256(detail + line).digest() for detail, line in zip(details, kept, strict=True)])


def rows_bytes(dossier_ids: pl.Series, hashes: pl.Series) -> bytes:
    """What a link of version 2 hashes of its observations: of each the dossier as 8 bytes, then its content hash."""
    joined = np.empty((len(dossier_ids), 40), dtype=np.uint8)
    joined[:, :8] = dossier_ids.to_numpy().astype(">i8").view(np.uint8).reshape(-1, 8)
    joined[:, 8:] = np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32)
    return joined.tobytes()


def _lines(records: pl.DataFrame, first: tuple[str, ...], later: tuple[str, ...]) -> list[bytes]:
    filled = [name for name in later if records[name].null_count() < records.height]
    plain = records.select(*first, *filled).with_columns(pl.col(pl.Datetime).to_physical())
    named = [
        pl.when(pl.col(name).is_null()).then(pl.lit("")).otherwise(pl.format(f"{FIELD}{name}={{}}", pl.col(name)))
        for name in filled
    ]
    last = pl.concat_str(pl.col(first[-1]).cast(pl.String).fill_null(""), *named) if named else pl.col(first[-1])
    buffer = BytesIO()
    plain.select(*first[:-1], last).write_csv(
        buffer, include_header=False, separator=FIELD, line_terminator=RECORD, quote_style="never", null_value=""
    )
    return buffer.getvalue().split(RECORD.encode())[: records.height]


def _series(digests: list[bytes]) -> pl.Series:
    return pl.Series("content_hash", digests, dtype=pl.Binary())
