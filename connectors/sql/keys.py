"""What a key column may hold where we know a dossier by this key: keys are cleaned on their way in, columns are not."""

from __future__ import annotations

import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connectors.sql.flavour import Kind

_TONES: Final = "\u0300\u0301\u0303\u0309\u0323"


def forms(key: str, kind: Kind) -> list[Any]:
    """The values of a column of that kind that would become this key, but for blanks around them; empty when none can."""
    if kind in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT):
        try:
            number = Decimal(key)
        except InvalidOperation:
            return []
        if not number.is_finite():
            return []
        return [int(number)] if number == number.to_integral_value() else [] if kind is Kind.INTEGER else [number]
    return list(dict.fromkeys((key, unicodedata.normalize("NFD", key), _tones_apart(key))))


def _tones_apart(text: str) -> str:
    """A text with its tone marks behind their letters, as encodings of Windows for Vietnamese have them."""
    letters = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tones = "".join(part for part in parts if part in _TONES)
        letters.append(unicodedata.normalize("NFC", "".join(part for part in parts if part not in _TONES)) + tones)
    return "".join(letters)
