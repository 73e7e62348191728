"""Files that a reader never sees half of, and text that no spreadsheet takes for a formula."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from xlsxwriter.exceptions import XlsxWriterException

from tthc_monitor.domain.errors import DeliveryError

_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a file beside ``path``, and put it in place when it is done.

    Returns:
        ``path``.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, XlsxWriterException) as error:
        raise DeliveryError(f"the report {path} cannot be written: {error}; check the folder and its rights") from error
    return path


def looks_like_formula(value: str) -> bool:
    """Whether a spreadsheet may take this text for a formula."""
    return value.startswith(_FORMULA_SIGNS)


def inert(value: str) -> str:
    """The text as a spreadsheet's own import leaves it a text: with ``'`` before what looks like a formula."""
    return f"'{value}" if looks_like_formula(value) else value
