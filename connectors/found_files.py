"""Files as they are found or handed in: what they hold by their names, how old they are, whether they stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError

Format = Literal["csv", "xlsx"]
SUFFIXES: Final[dict[str, Format]] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".csv.gz", ".txt.gz", ".tsv.gz"), "csv"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), "xlsx"),
}


def format_of(name: str) -> Format | None:
    """The format that a file's ending tells, None when it tells nothing."""
    lower = name.lower()
    return next((form for suffix, form in SUFFIXES.items() if lower.endswith(suffix)), None)


@dataclass(frozen=True)
class HandedFile:
    """A file that a person handed in, what it is called, whether it is all there is, and whose instant's state it tells."""

    path: Path
    name: str
    whole: bool
    as_of: datetime | None


@dataclass(frozen=True)
class FoundFile:
    """A file to be read as ``location``; ``stamp`` is its size and modification time in nanoseconds."""

    path: Path
    location: str
    format: Format
    stamp: list[int]
    number: int
    as_of: datetime | None

    @property
    def written(self) -> int:
        """Modification time in nanoseconds."""
        return self.stamp[1]

    def is_as_it_was(self) -> bool:
        """Whether the file is the same, with the same size and modification time, as when it was found."""
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        return [now.st_size, now.st_mtime_ns] == self.stamp and now.st_ino == self.number


def refused_file(location: str, error: OSError) -> PermanentSourceError | TransientSourceError:
    """What to raise where the operating system refuses to read a file."""
    reason = error.strerror or str(error)
    if isinstance(error, (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return PermanentSourceError(f"{location}: {reason}; make the file readable for this program")
    return TransientSourceError(f"{location}: {reason}; the next run tries again")
