"""Rows of the ledger as the server writes them, hashed anew: a split and two hashes for each, all else for many at once."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl

from tthc_monitor.store.canonical import DETAILS, FIELD, RECORD

PORTION: Final = 10_000
"""Rows whose numbers are read and compared at once; more would be no faster, and would keep the server waiting."""

Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

_FIELD, _RECORD = FIELD.encode(), RECORD.encode()
_GROUP: Final = _FIELD + _RECORD + _FIELD
_NO_DETAILS: Final = _FIELD * (len(DETAILS) - 1)
_DIGEST: Final = 32
_HEAD: Final = {
    "number": pl.Int64(),
    "dossier": pl.Int64(),
    "content": pl.String(),
    "over_details": pl.String(),
    "source": pl.Int64(),
    "seen": pl.Int64(),
}
"""What a line begins with, up to the first :data:`_GROUP`; after it details, what has its place, and what has a name."""


@dataclass(frozen=True)
class Rows:
    """Observations in the order of their numbers, one entry each.

    ``prints``
        what a link hashes of each, a row of bytes with the content hash that is stored.
    ``sources``, ``seen``
        from where, and when (microseconds since 1970 UTC).
    ``changed``
        what is wrong with the content of an observation, by its number.
    ``erased``
        observations without details, and the dossier of each.
    ``keys``, ``dossiers``
        a number for the source's key, and the dossier, of each where the key is still there; in no order.
    """

    numbers: Numbers
    prints: Bytes
    sources: Numbers
    seen: Numbers
    keys: Numbers
    dossiers: Numbers
    changed: dict[int, str] = field(default_factory=dict)
    erased: dict[int, int] = field(default_factory=dict)


class Reader:
    """What COPY writes to, line by line as the protocol gives them; :meth:`rows` when it has ended.

    Args:
        version: of the links that the observations are under.
        seed: of the numbers for keys; see :class:`Rows`.
    """

    def __init__(self, version: int, seed: int) -> None:
        self._two_steps, self._seed = version != 1, seed
        self._done: list[Rows] = []
        self._heads: list[bytes] = []
        self._details: list[bytes] = []
        self._found: list[bytes] = []
        self._rests: dict[int, bytes] = {}
        self.write = self._taker()

    def _taker(self) -> Callable[[bytes], int]:
        """Takes one row. Verification spends its time here: all it needs is at hand as a local name, and it keeps no lists,
        which the collector of garbage would look through again and again.
        """
        field, record, group, no_details, two_steps = _FIELD, _RECORD, _GROUP, _NO_DETAILS, self._two_steps
        heads, rests, end, refuse = self._heads, self._rests, self._end_portion, self._refuse
        add_head, add_details, add_found = heads.append, self._details.append, self._found.append

        def take(line: bytes) -> int:
            size = len(line)
            # What was taken in has no control characters, so that only a backslash of the text can be escaped.
            if b"\\" in line:
                line = line.replace(b"\\\\", b"\\") if b"\\" not in line.replace(b"\\\\", b"") else line + group
            try:
                head, details, rest, named = line.split(group)
            except ValueError:
                refuse(line)
                return size
            if named != b"\n":
                rest += field + named[:-1].replace(record, field)
            if details == no_details:
                rests[len(heads)] = rest
            add_found((sha256(sha256(details).digest() + rest) if two_steps else sha256(rest)).digest())
            add_head(head)
            add_details(details)
            if len(heads) == PORTION:
                end()
            return size

        return take

    def rows(self) -> Rows:
        """All that was written."""
        self._end_portion()
        names = ("numbers", "prints", "sources", "seen", "keys", "dossiers")
        whole = {name: np.concatenate([getattr(part, name) for part in self._done]) for name in names}
        numbers = whole["numbers"]
        if np.any(numbers[1:] < numbers[:-1]):
            order = np.argsort(numbers, kind="stable")
            whole |= {name: whole[name][order] for name in ("numbers", "prints", "sources", "seen")}
        changed, erased = (
            {number: told for part in self._done for number, told in getattr(part, name).items()}
            for name in ("changed", "erased")
        )
        return Rows(**whole, changed=changed, erased=erased)

    def _end_portion(self) -> None:
        head, details, found = _heads(self._heads), self._details, self._found
        numbers, dossiers = head["number"].to_numpy(), head["dossier"].to_numpy()
        stored, whole = _digests(head["content"])
        told = head["over_details"].is_null().to_numpy()
        without = np.flatnonzero(~told).tolist()
        for place in without:
            # Of version 1 nothing can be computed without details.
            found[place] = b"" if place not in self._rests else bytes(stored[place])
            if place in self._rests and self._two_steps:
                found[place] = sha256(unhexlify(head["over_details"][place]) + self._rests[place]).digest()
        computed, possible = _rows_of(found)
        differs = np.any(computed != stored, axis=1) | ~(whole & possible)
        changed = {
            int(numbers[place]): f"observation {numbers[place]} ({_named(int(dossiers[place]), details[place])})"
            f"{'' if told[place] else ', without details,'} was changed"
            for place in np.flatnonzero(differs).tolist()
        }
        sources = head["source"].to_numpy()
        keys = self._numbers([one.partition(_FIELD)[0] for one in details], pl.Binary()) ^ self._numbers(
            sources, pl.Int64()
        )
        erased = {int(numbers[place]): int(dossiers[place]) for place in without}
        prints = _prints(dossiers, stored, two_steps=self._two_steps)
        seen = head["seen"].to_numpy()
        self._done.append(Rows(numbers, prints, sources, seen, keys[told], dossiers[told], changed, erased))
        for gathered in (self._heads, self._details, self._found, self._rests):
            gathered.clear()

    def _numbers(self, values: Sequence[bytes] | Numbers, dtype: pl.DataType) -> Numbers:
        """A number for each value; alike for the same."""
        return pl.Series(values, dtype=dtype).hash(self._seed).to_numpy().view(np.int64)

    def _refuse(self, line: bytes) -> None:
        """Note an observation whose text holds what no source can give."""
        head = _heads([_FIELD.join(line.split(_FIELD, 6)[:6])])
        stored, _ = _digests(head["content"])
        number, dossier = head.row(0)[:2]
        told = f"observation {number} (dossier {dossier}) was changed: it has control characters, which no pull lets in"
        prints = _prints(head["dossier"].to_numpy(), stored, two_steps=self._two_steps)
        none, sources, seen = np.array([], np.int64), head["source"].to_numpy(), head["seen"].to_numpy()
        self._done.append(Rows(head["number"].to_numpy(), prints, sources, seen, none, none, {number: told}))


def _heads(heads: Sequence[bytes]) -> pl.DataFrame:
    if not heads:
        return pl.DataFrame(schema=_HEAD)
    lines = BytesIO(b"\n".join(heads))
    return pl.read_csv(lines, separator=FIELD, has_header=False, schema=_HEAD, quote_char=None)


def _digests(written: pl.Series) -> tuple[Bytes, Flags]:
    """Digests written as hexadecimal digits; see :func:`_rows_of`."""
    return _rows_of([unhexlify(one) for one in written.fill_null("")])


def _rows_of(digests: Sequence[bytes]) -> tuple[Bytes, Flags]:
    """Digests as rows of bytes, and which of them are as long as one; the others are cut or filled up."""
    whole = np.array([len(one) == _DIGEST for one in digests], np.bool_)
    joined = b"".join(digests if whole.all() else [one[:_DIGEST].ljust(_DIGEST, b"\0") for one in digests])
    return np.frombuffer(joined, np.uint8).reshape(-1, _DIGEST), whole


def _prints(dossiers: Numbers, stored: Bytes, *, two_steps: bool) -> Bytes:
    if not two_steps:
        return stored
    return np.hstack([dossiers.astype(">i8").view(np.uint8).reshape(-1, 8), stored])


def _named(dossier: int, details: bytes) -> str:
    """How people call a dossier: by its code, else by the source's key, else by our number."""
    key, code, *_ = details.decode(errors="replace").split(FIELD)
    return f"dossier {code or key or dossier}"
