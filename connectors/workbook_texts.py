"""Bounds what a workbook's shared texts become: a text is written once, and copied into every cell that names it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

import numpy as np

# Strict, so that a number found is the one that the parser takes: anything else may name the longest text.
_REFERENCE: Final = re.compile(
    rb"\bt=\"s\"(?:\s+[\w:]+=\"[^\"<>]*\")*\s*>\s*<(?:\w+:)?v>\s*(\d{1,9})\s*</(?:\w+:)?v>\s*</(?:\w+:)?c>"
)

Pieces = Callable[[], Iterator[bytes]]
"""Unpacks a part of a workbook anew."""


@dataclass
class SharedTexts:
    """Texts of a workbook by their length in bytes, and how often cells name each; ``unknown`` cells name one of them."""

    lengths: list[int] = field(default_factory=list)
    named: Counter[int] = field(default_factory=Counter)
    unknown: int = 0

    def most(self) -> int:
        """Bytes that the cells can take at most: as if the longest text were the one that is named most often.

        The numbers that cells give are not trusted to count the texts as we do.
        """
        if not self.lengths:
            return 0
        lengths = np.sort(np.array(self.lengths, dtype=np.int64))[::-1]
        often = np.sort(np.array(list(self.named.values()), dtype=np.int64))[::-1]
        both = min(len(lengths), len(often))
        return int((lengths[:both] * often[:both]).sum()) + self.unknown * int(lengths[0])


def cells_naming_texts(text: bytes) -> int:
    """How many cells of a piece of a sheet name a shared text, at most."""
    return text.count(b'"s"') + text.count(b"'s'")


def has_texts(text: bytes) -> bool:
    """Whether shared texts may stand in a piece of a part."""
    return b"<si" in text or b":si" in text


def most_bytes(cells: int, sheets: list[Pieces], texts: list[Pieces], enough: int) -> int:
    """Bytes that the shared texts take in the cells of a workbook, at most.

    ``cells`` that name a text stand in ``sheets``; ``texts`` are the parts that texts stand in. Where a rougher bound
    is below ``enough``, that is given.

    Raises:
        ExpatError: a part with texts is not well-formed.
    """
    found = SharedTexts([length for part in texts for length in _lengths(part)])
    rough = cells * max(found.lengths, default=0)
    if rough <= enough:
        return rough
    for part in sheets:
        held = b""
        for piece in part():
            text = held + piece
            # A cell that begins here ends in the next piece.
            cut = max(text.rfind(b"</"), 0)
            held, text = text[cut:], text[:cut]
            numbers = _REFERENCE.findall(text)
            found.named.update(map(int, numbers))
            found.unknown += cells_naming_texts(text) - len(numbers)
        found.unknown += cells_naming_texts(held)
    return found.most()


def _lengths(part: Pieces) -> Iterator[int]:
    """Bytes of each text of a part."""
    lengths: list[int] = []

    def start(name: str, _: object) -> None:
        if name.rpartition(":")[2] == "si":
            lengths.append(0)

    def written(text: str) -> None:
        if lengths:
            lengths[-1] += len(text.encode())

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.CharacterDataHandler = written
    for piece in part():
        parser.Parse(piece, False)
    yield from lengths
