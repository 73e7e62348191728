"""PDF of a Word document, made by LibreOffice: in a profile of its own, within bounded time."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.outputs.whole_file import write_whole

LONGEST: Final = 1800.0
"""Seconds after which LibreOffice is taken to hang; twenty thousand rows take it some minutes."""

_CREATED: Final = re.compile(rb"/CreationDate\(D:\d{14}")
_NAME: Final = re.compile(rb"\b[0-9A-F]{32}\b")
_PROGRAMS: Final = ("soffice", "libreoffice")


def find_converter() -> str:
    """The path of LibreOffice.

    Raises:
        ConfigError: there is none.
    """
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise ConfigError(
        "PDF is made by LibreOffice, and there is no soffice on the PATH; install it (Debian, Ubuntu: apt-get install "
        "libreoffice-writer fonts-croscore), or choose the formats docx and xlsx only"
    )


def write_pdf(document: Path, path: Path, made_at: datetime, *, longest: float = LONGEST) -> Path:
    """Convert a document; a reader never sees half of the PDF.

    Args:
        made_at: what the PDF says of when it was made.
        longest: seconds that LibreOffice may take.

    Returns:
        ``path``.

    Raises:
        ConfigError: there is no LibreOffice, or it lacks Writer.
        DeliveryError: it did not end in time, or the folder cannot be written.
    """
    program = find_converter()
    with tempfile.TemporaryDirectory(prefix="tthc-pdf-") as name:
        folder = Path(name)
        said = _convert(program, document, folder, longest)
        made = folder / f"{document.stem}.pdf"
        if not made.is_file():
            raise ConfigError(
                f"LibreOffice made no PDF of {document.name} ({said or 'it gave no reason'}); install its Writer (Debian, "
                "Ubuntu: apt-get install libreoffice-writer), or choose the formats docx and xlsx only"
            )
        content = _settled(made.read_bytes(), made_at)
        return write_whole(path, lambda temporary: temporary.write_bytes(content))


def _settled(content: bytes, made_at: datetime) -> bytes:
    """The file with the given date, and named by its content: LibreOffice dates and names each run anew.

    What is replaced keeps its length, for places in a PDF are counted in bytes.
    """
    dated = _CREATED.sub(f"/CreationDate(D:{made_at.astimezone(UTC):%Y%m%d%H%M%S}".encode(), content)
    start = dated.rfind(b"trailer")
    body, trailer = dated[:start], dated[start:]
    name = hashlib.sha256(body + _NAME.sub(b"", trailer)).hexdigest()[:32].upper().encode()
    return body + _NAME.sub(name, trailer)


def _convert(program: str, document: Path, folder: Path, longest: float) -> str:
    """Run LibreOffice to its end; gives the last line that it said."""
    command = [
        *(
            program,
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--norestore",
            "--nolockcheck",
        ),
        *("--convert-to", "pdf:writer_pdf_Export", "--outdir", str(folder), str(document)),
    ]
    # A session of its own: soffice starts others, and all of them must end when the time is over.
    running = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = running.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        raise DeliveryError(
            f"LibreOffice had not converted {document.name} after {longest:.0f} seconds; choose the formats docx and xlsx, "
            "and save the document as PDF in Word"
        ) from None
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
