"""Reads the files of a spool as messages, and tells the whole ones from those that are still being written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.dvcqg.messages import HalfAMessageError, NotAMessageError, read_messages
from connectors.dvcqg.rows import RecordReader
from connectors.dvcqg.spool import LARGEST, FileMark, SpoolFile, SpoolMemory, content_digest, list_files
from connectors.dvcqg.windows import Arrival, arrival

_HALF: Final = "is not whole JSON in UTF-8; have the platform write it whole, it is read again when it changes"
_LONG: Final = f"is longer than {LARGEST} bytes; have the platform write shorter messages"


class SpoolReader:
    """One reading of a folder, at one instant of our clock."""

    def __init__(
        self, folder: Path, reader: RecordReader, applicant_key: bytes | None, patience: timedelta, now: datetime
    ) -> None:
        self._folder = folder
        self._reader = reader
        self._key = applicant_key
        self._patience = patience
        self._now = now

    def arrivals(self, memory: SpoolMemory, only: Collection[str] | None = None) -> Iterator[Arrival]:
        """What the files tell that were not read as they are now, those named in ``only`` or all.

        It ends before a file that may still be being written: what those after it tell came later. The memory learns
        what is waited for; that a file was read it learns from who takes it.

        Raises:
            PermanentSourceError: the folder cannot be read.
        """
        files = list_files(self._folder)
        memory.forget_gone(files)
        for file in files:
            if memory.knows(file) or (only is not None and file.name not in only):
                continue
            found = self._read(file, memory)
            if found is None:
                return
            yield found

    def _read(self, file: SpoolFile, memory: SpoolMemory) -> Arrival | None:
        """A file as a message, of no records where it tells nothing new; None while it is to be waited for."""
        try:
            if file.size > LARGEST:
                return self._refused(file, _LONG)
            with file.path.open("rb") as opened:
                content = opened.read(file.size + 1)
            if len(content) != file.size:
                return self._half(file, memory)
            digest = content_digest(content)
            contents = [] if memory.has_told(file, digest) else read_messages(content, self._key)
        except HalfAMessageError:
            return self._half(file, memory)
        except NotAMessageError as error:
            return self._refused(file, str(error))
        except OSError as error:
            return self._refused(file, f"cannot be read ({error.strerror}); make it readable for this program")
        found = arrival(FileMark(file.name, file.stamp, digest), file.name, self._now, contents)
        moments = [moment for told in found.told if (moment := self._reader.moment(told)) is not None]
        # The writer's clock may be wrong; but no file is older than what it tells.
        return replace(found, arrived_at=min(max([file.written_at, *moments]), self._now))

    def _refused(self, file: SpoolFile, reason: str) -> Arrival:
        return Arrival(FileMark(file.name, file.stamp, None), self._now, (), [[file.name, None, None, reason]])

    def _half(self, file: SpoolFile, memory: SpoolMemory) -> Arrival | None:
        """A half-written file is waited for: for a while by our own clock, and once."""
        if file.name not in memory.given_up:
            if memory.waited is None or memory.waited[0] != file.name:
                memory.waited = (file.name, self._now)
            if self._now - memory.waited[1] < self._patience:
                return None
        return self._refused(file, _HALF)
