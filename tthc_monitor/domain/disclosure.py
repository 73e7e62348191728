"""What of a setting may be shown to those who read the record of changes: secrets never, addresses of people masked.

A value is hidden when its type or its name says that it is a secret, and parts of it are when they look like one, or are
one that stands elsewhere as such. In doubt it is hidden: a record that shows too little can be asked about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "(secret)"

_LONGEST: Final = 2_000
_SHORTEST_SECRET: Final = 4
"""Shorter values occur in other texts by chance."""

_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase|code)|pwd|secret|token|credential|authori[sz]ation|cookie|bearer|private|signature"
    r"|(^|[-_. ])(pin|otp|sas|sig|auth)$"
    r"|((^|[-_. ])(api|access|app|client|auth|subscription|signing|encryption|shared|account|session)[-_ ]?|^)keys?$"
    r"|x-.*key",
    re.IGNORECASE,
)
_NOT_ITSELF: Final = re.compile(
    r"[-_](file|env|url|param|field|path|kind|name|id|place|seconds|header)$", re.IGNORECASE
)
"""Names of settings that say where a secret lies or how it travels, and are none."""

_PARTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), shown)
    for pattern, shown in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", HIDDEN),
        # As far as the last @ before the next blank: passwords hold slashes, question marks and @ where nobody escaped them.
        (r"//[^\s]*@", "//***@"),
        (r"([?&;]|\b)([\w.-]*(?:password|passwd|pwd|secret|token|api_?key|access_?key|sig(?:nature)?|auth)[\w.-]*\s*=\s*)[^&;\s]+", r"\1\2***"),
        (r"\b(Bearer|Basic|ApiKey|Token)\s+[\w.+/=~-]+", r"\1 ***"),
        (r"\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?", "***"),
    )
)  # fmt: skip
_RANDOM: Final = re.compile(
    r"(?=.*[a-z])(?=.*[A-Z])(?=(?:.*\d){2})[A-Za-z0-9+/=_-]{24,}|[0-9a-fA-F]{32,}|(?=.*\d)[a-z0-9]{32,}"
)
"""What only a machine writes: keys and tokens whose setting has a name that does not say so."""
_ADDRESS: Final = re.compile(r"""([^\s@<>,;:/*"'()\[\]{}=])[^\s@<>,;:/*"()\[\]{}=]*@([^\s@<>,;:/"'()\[\]{}]+)""")


@dataclass(frozen=True)
class Disclosed:
    """A value as it may be shown.

    Attributes:
        shown: the text.
        hidden: the value itself, where the text does not tell all of it; else None.
    """

    shown: str
    hidden: str | None = None


def names_a_secret(name: str) -> bool:
    """Whether what a setting of that name holds is a secret."""
    return _SECRET_NAME.search(name) is not None and _NOT_ITSELF.search(name) is None


def masked_addresses(text: str) -> str:
    """A text with addresses of mail reduced to their first letter and domain."""
    return _ADDRESS.sub(r"\1***@\2", text)


def disclosed(name: str, value: str, secrets: Collection[str] = ()) -> Disclosed:
    """What may be shown of a value.

    Args:
        name: of the setting, without what it is part of.
        secrets: values that are secret wherever they stand.
    """
    if not value:
        return Disclosed(value)
    if names_a_secret(name) or _RANDOM.fullmatch(value):
        return Disclosed(HIDDEN, value)
    shown = value
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            # In a list it stands as JSON writes it.
            for form in (secret, json.dumps(secret, ensure_ascii=False)[1:-1]):
                shown = shown.replace(form, "***")
        elif shown == secret:
            return Disclosed(HIDDEN, value)
    for pattern, instead in _PARTS:
        shown = pattern.sub(instead, shown)
    shown = masked_addresses(shown)
    if len(shown) > _LONGEST:
        return Disclosed(f"{shown[:_LONGEST]}… ({len(value)} characters)", value)
    return Disclosed(shown) if shown == value else Disclosed(shown, value)
