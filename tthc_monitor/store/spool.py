"""The records of one pull on local disk, page by page, until the database has said which of them are news."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import polars as pl


@dataclass
class Spool:
    """Pages of canonical records in a private folder that vanishes with the pull.

    Memory holds one page at a time, however many there are.
    """

    rows: int = 0
    _pages: list[tuple[int, int]] = field(default_factory=list)

    def __enter__(self) -> Spool:
        self._folder = tempfile.TemporaryDirectory(prefix="tthc-pull-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def add(self, records: pl.DataFrame) -> int:
        """Keep a page; returns the position of its first record, counted over the whole pull."""
        position = self.rows
        if records.height:
            records.write_ipc(self._path(position), compression="lz4")
            self._pages.append((position, records.height))
            self.rows += records.height
        return position

    def pages(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The pages in order, each with the position of its first record."""
        for position, _ in self._pages:
            yield position, pl.read_ipc(self._path(position))

    def _path(self, position: int) -> Path:
        return Path(self._folder.name) / f"{position}.arrow"
