"""How texts go through mail servers: in lines of 7 bits, by whichever encoding makes them shorter.

Servers on the way may not understand bytes beyond ASCII. The library chooses by the first ten lines, which in our mails are
nothing like the rest: a style sheet, then Vietnamese.
"""

from __future__ import annotations

from binascii import b2a_qp
from typing import Final, Literal

Encoding = Literal["quoted-printable", "base64"]

LARGEST: Final = 97_000
"""Bytes of text and HTML together, encoded. Programs cut off what is longer than 100 kB or so; the rest is for headers."""

_LINE: Final = 57
"""Bytes that make a line of base64 of 76 characters and its end."""


def encoding_of(text: str) -> Encoding:
    """The encoding that makes a text shorter."""
    return _shortest(text)[1]


def encoded_size(*texts: str) -> int:
    """Bytes that texts take on the wire, each in its shorter encoding."""
    return sum(_shortest(text)[0] for text in texts)


def _shortest(text: str) -> tuple[int, Encoding]:
    lines = "\r\n".join([*text.splitlines(), ""]).encode()
    full, rest = divmod(len(lines), _LINE)
    base64 = 78 * full + (-(-rest // 3) * 4 + 2 if rest else 0)
    quoted = len(b2a_qp(lines))
    return (quoted, "quoted-printable") if quoted < base64 else (base64, "base64")
