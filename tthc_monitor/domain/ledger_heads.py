"""The head of the ledger as people write it: 64 hexadecimal digits in groups of eight."""

from __future__ import annotations

import re
from typing import Final

from tthc_monitor.domain.errors import ConfigError

SHORTEST: Final = 16
"""Digits that tell a head from every other."""


def grouped(head: str) -> str:
    """A head in groups of eight digits, as mails print it."""
    return " ".join(head[begin : begin + 8] for begin in range(0, len(head), 8))


def digits(head: str) -> str:
    """A head, or its beginning, as a mail or a person writes it: as digits only.

    Raises:
        ConfigError: it is none, or too short a part of one.
    """
    plain = re.sub(r"[\s.:·-]", "", head).lower()
    if not SHORTEST <= len(plain) <= 64 or not re.fullmatch(r"[0-9a-f]+", plain):
        raise ConfigError(
            f"'{head}' is not a head of the ledger, or fewer than {SHORTEST} of its hexadecimal digits; copy it from the "
            "foot of a mail or a report"
        )
    return plain
