"""The records of one pull on local disk, page by page, until the database has said which of them are news."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from io import BytesIO
from types import TracebackType

import polars as pl


class Spool:
    """Pages of canonical records in a file without a name: it is gone with the process, however that ends.

    Memory holds one page at a time, however many there are. To be used as a context manager.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._file = tempfile.TemporaryFile(prefix="tthc-pull-")  # noqa: SIM115  (closed by __exit__)
        self._pages: list[tuple[int, int]] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, records: pl.DataFrame) -> int:
        """Keep a page; returns the position of its first record, counted over the whole pull."""
        position = self.rows
        if records.height:
            page = BytesIO()
            records.write_ipc(page, compression="lz4")
            self._pages.append((position, self._file.write(page.getbuffer())))
            self.rows += records.height
        return position

    def pages(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The pages in order, each with the position of its first record."""
        self._file.seek(0)
        for position, size in self._pages:
            yield position, pl.read_ipc(BytesIO(self._file.read(size)))
