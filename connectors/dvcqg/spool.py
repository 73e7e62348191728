"""A folder into which a platform writes messages, one file each. It is only read: the files are not ours to delete.

Which files were read is remembered by three short digests a file, so that a folder of a hundred thousand files fits into a
cursor of three megabytes: of its name, of its size and times, which spares reading it again, and of its content, by which
a file is known whose times changed and nothing else. No decision rests on a clock of the machine that writes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, Self

from tthc_monitor.domain.errors import PermanentSourceError

SUFFIX: Final = ".json"
LARGEST: Final = 64 * 1024 * 1024
"""Bytes. A message of so many records would be no message any more."""
_REMEMBERED_GONE: Final = 100_000
"""Files that are no longer in the folder and still remembered: a folder may be away for a while, and come back."""
_GIVEN_UP: Final = 200
_ENTRY: Final = struct.Struct(">QIQ")


@dataclass(frozen=True)
class SpoolFile:
    """A file as the folder lists it. ``stamp`` changes when the file does."""

    name: str
    path: Path
    size: int
    written_at: datetime
    stamp: int
    order: tuple[int, str]


@dataclass(frozen=True)
class FileMark:
    """What is remembered of a file that was taken; ``digest`` is that of its content, None where it was given up."""

    name: str
    stamp: int
    digest: int | None


def list_files(folder: Path) -> list[SpoolFile]:
    """The message files of a folder and of those in it, oldest first, by modification time and then by name.

    Raises:
        PermanentSourceError: the folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise PermanentSourceError(
            f"spool {error.filename}: {error.strerror}; make the folder, or make it readable for this program"
        ) from None

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".") or not name.lower().endswith(SUFFIX):
                continue
            file = _file(folder, Path(place, name))
            if file is not None:
                found.append(file)
    return sorted(found, key=lambda file: file.order)


def _file(folder: Path, path: Path) -> SpoolFile | None:
    try:
        stat = path.stat()
    except OSError:  # moved on by the platform meanwhile, or a link to nowhere
        return None
    if not S_ISREG(stat.st_mode):  # a pipe, say: reading it would wait for a writer for ever
        return None
    name = os.fsencode(path.relative_to(folder)).decode(errors="replace")
    stamp = _digest(struct.pack(">qqq", stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)) & 0xFFFFFFFF
    written = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stat.st_mtime_ns // 1000)
    return SpoolFile(name, path, stat.st_size, written, stamp, (stat.st_mtime_ns, name))


def content_digest(content: bytes) -> int:
    """What a file told."""
    return _digest(content)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def _key(name: str) -> int:
    return _digest(name.encode())


@dataclass
class SpoolMemory:
    """What was read of a folder.

    ``read``
        digest of the name of each file read → its stamp and the digest of its content, as they were then.
    ``waited``
        the half-written file that those after it wait for, and since when, by our clock.
    ``given_up``
        files that stayed half-written, with the digest of what they were when they were reported.
    """

    read: dict[int, tuple[int, int]] = field(default_factory=dict)
    waited: tuple[str, datetime] | None = None
    given_up: dict[str, int] = field(default_factory=dict)

    def knows(self, file: SpoolFile) -> bool:
        """Whether the file was read as it is, or given up."""
        stamp, _ = self.read.get(_key(file.name), (None, None))
        return stamp == file.stamp or self.given_up.get(file.name) == file.stamp

    def has_told(self, file: SpoolFile, digest: int) -> bool:
        """Whether this content was what the file told when it was last read."""
        _, told = self.read.get(_key(file.name), (None, None))
        return told == digest

    def remember(self, mark: FileMark) -> None:
        """Note that a file was read, or reported as one that cannot be."""
        self.given_up.pop(mark.name, None)
        if self.waited is not None and self.waited[0] == mark.name:
            self.waited = None
        if mark.digest is not None:
            self.read[_key(mark.name)] = (mark.stamp, mark.digest)
            return
        self.given_up[mark.name] = mark.stamp
        while len(self.given_up) > _GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]

    def forget_gone(self, files: list[SpoolFile]) -> None:
        """Bound what is remembered of files that are no longer there; the longest known go first."""
        present = {_key(file.name) for file in files}
        gone = [key for key in self.read if key not in present]
        for key in gone[: max(0, len(gone) - _REMEMBERED_GONE)]:
            del self.read[key]
        names = {file.name for file in files}
        self.given_up = {name: stamp for name, stamp in self.given_up.items() if name in names}

    def packed(self) -> dict[str, Any]:
        """As plain JSON values."""
        entries = b"".join(_ENTRY.pack(key, *told) for key, told in self.read.items())
        return {
            "read": base64.b64encode(entries).decode(),
            "waited": None if self.waited is None else [self.waited[0], self.waited[1].isoformat()],
            "given_up": {name: f"{stamp:08x}" for name, stamp in self.given_up.items()},
        }

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> Self:
        """The opposite of :meth:`packed`."""
        waited = packed["waited"]
        return cls(
            {key: (stamp, told) for key, stamp, told in _ENTRY.iter_unpack(base64.b64decode(packed["read"]))},
            None if waited is None else (waited[0], datetime.fromisoformat(waited[1])),
            {name: int(stamp, 16) for name, stamp in packed["given_up"].items()},
        )
