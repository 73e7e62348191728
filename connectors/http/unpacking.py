"""Takes an answer out of its packing, and never more of it than was asked for.

A kilobyte of zeros packed twice is a gigabyte. So an answer is packed once or not at all, and it is the unpacking, not
what came over the line, that is bounded.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

ASKED_FOR: Final = "gzip, deflate"
"""What a server is told that it may send."""
_GZIP: Final = zlib.MAX_WBITS | 16


class CannotUnpackError(ValueError):
    """The packing is not one of those asked for."""


class Unpacker(Protocol):
    """What is left of a stream after the pieces before."""

    def unpack(self, piece: bytes, most: int) -> bytes:
        """The next bytes, ``most`` at most: of a piece that holds more, the rest is lost.

        Raises:
            zlib.error: the piece is damaged.
        """
        ...


class _Plain:
    def unpack(self, piece: bytes, most: int) -> bytes:
        return piece[:most]


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def unpack(self, piece: bytes, most: int) -> bytes:
        # The stream would keep whatever comes after its end.
        return b"" if self._stream.eof else self._stream.decompress(piece, most)


class _Deflate:
    """With the two bytes of head that the standard asks for, or without them, as some servers send it."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._begun = False

    def unpack(self, piece: bytes, most: int) -> bytes:
        if self._stream.eof:
            return b""
        try:
            return self._stream.decompress(piece, most)
        except zlib.error:
            if self._begun:
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._stream.decompress(piece, most)
        finally:
            self._begun = self._begun or bool(piece)


def unpacker(content_encoding: str | None) -> Unpacker:
    """What unpacks an answer with this header ``Content-Encoding``.

    Raises:
        CannotUnpackError: it is packed in a way that was not asked for, or more than once.
    """
    match (content_encoding or "").strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case _:
            raise CannotUnpackError
