"""Files that a reader never sees half of."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from xlsxwriter.exceptions import XlsxWriterException

from tthc_monitor.domain.errors import DeliveryError


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


def require_folder(folder: Path) -> None:
    """Write a file into a folder and take it away again, with the folders that had to be made for it.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    missing: list[Path] = []
    try:
        missing += (one for one in (folder, *folder.parents) if not one.exists())
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as tried:
            tried.write(b"tried")
    except OSError as error:
        raise DeliveryError(f"the folder {folder} cannot be written: {error}; check it and its rights") from error
    finally:
        for one in missing:
            # Somebody else may have put something there meanwhile.
            with contextlib.suppress(OSError):
                one.rmdir()
