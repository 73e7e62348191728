"""The text of a CSV file, plain or gzipped and in any encoding, as blocks of UTF-8 with plain line feeds."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Final

import numpy as np
import polars as pl

from tthc_monitor.domain.errors import PermanentSourceError

MAX_UNPACKED: Final = 1 << 30
"""Bytes that a gzipped file may become at any rate."""
MAX_RATIO: Final = 200
"""How many times its packed size it may become beyond that."""
_LONGEST_CHARACTER: Final = 4
_LINE_FEED: Final = 10


def text_blocks(path: Path, location: str, encoding: str, block_bytes: int) -> Iterator[bytes]:
    """The text from the first line on, without BOM, in blocks of about ``block_bytes``.

    CR LF becomes LF, a CR alone a blank.

    Raises:
        PermanentSourceError: the file is damaged, in another encoding, or has no end for its size.
        OSError: the operating system refuses to read it.
    """
    raw = _raw(path, location, block_bytes)
    utf8 = encoding in ("utf-8", "utf-8-sig")
    held = b""
    first = True
    for block in _utf8(raw, location) if utf8 else _decoded(raw, location, encoding):
        text = held + block if held else block
        held = b"\r" if text.endswith(b"\r") else b""
        text = text[: len(text) - len(held)] if held else text
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
            if first and b"\n" not in text:
                raise PermanentSourceError(
                    f"{location}: lines end in a carriage return alone; save the file with usual line ends"
                )
            text = text.replace(b"\r", b" ")
        first = first and not text
        if text:
            yield text


def _raw(path: Path, location: str, block_bytes: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=plain) if zipped else plain
            most = max(MAX_UNPACKED, MAX_RATIO * path.stat().st_size) if zipped else None
            given = 0
            while block := stream.read(block_bytes):
                given += len(block)
                if most is not None and given > most:
                    raise PermanentSourceError(
                        f"{location}: unpacked, the file takes more than {MAX_RATIO} times its size; save it unpacked"
                    )
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PermanentSourceError(
            f"{location}: the gzip file is damaged or cut short ({error}); copy or export it again"
        ) from None


def _utf8(raw: Iterator[bytes], location: str) -> Iterator[bytes]:
    """The blocks cut between characters, each proved to be UTF-8 without a Python text being made of it."""
    held = b""
    offset, lines = 0, 1
    for block in chain(raw, [b""]):
        text = held + block if held else block
        cut = len(text) if not block else _between_characters(text)
        held, text = text[cut:], text[:cut] if cut < len(text) else text
        if not _is_utf8(text):
            try:
                text.decode()
            except UnicodeDecodeError as error:
                raise _wrong(location, "utf-8", error, offset, lines) from None
        lines += int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _LINE_FEED))
        start = len(codecs.BOM_UTF8) if offset == 0 and text.startswith(codecs.BOM_UTF8) else 0
        offset += len(text)
        yield text[start:] if start else text


def _between_characters(text: bytes) -> int:
    """The length without an incomplete character at the end."""
    for back in range(1, min(_LONGEST_CHARACTER, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(text) - back if size > back else len(text)
    return len(text)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        pl.Series([text], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    return True


def _decoded(raw: Iterator[bytes], location: str, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, lines = 0, 1
    for block in chain(raw, [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _wrong(location, encoding, error, offset + len(block) - len(error.object), lines) from None
        except UnicodeError as error:
            raise PermanentSourceError(f"{location}: {error}; set csv.encoding to the file's encoding") from None
        offset += len(block)
        lines += text.count("\n")
        yield text.encode(errors="replace")


def _wrong(location: str, encoding: str, error: UnicodeDecodeError, base: int, lines: int) -> PermanentSourceError:
    line = lines + bytes(error.object[: error.start]).count(b"\n")
    start = bytes(error.object[:2])
    hint = "utf-16" if base == 0 and start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "cp1258, say"
    return PermanentSourceError(
        f"{location}: byte {base + error.start} (line {line}) is not {encoding} ({error.reason}); "
        f"set csv.encoding to the file's encoding ({hint})"
    )
