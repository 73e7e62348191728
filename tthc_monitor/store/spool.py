"""The records of one pull on local disk, page by page, until the database has said which of them are news."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from types import TracebackType
from typing import IO

import polars as pl

from tthc_monitor.domain.records import OBSERVED_SCHEMA


class Spool:
    """Pages of canonical records in a file without a name: it is gone with the process, however that ends.

    Memory holds one page at a time, however many there are. To be used as a context manager.

    Args:
        keeps_rounds: whether the records of a round stay when the next one begins.
    """

    def __init__(self, *, keeps_rounds: bool = False) -> None:
        self.rows = 0
        self.keeps_rounds = keeps_rounds
        self._opened: IO[bytes] | None = None
        self._pages: list[tuple[int, int, int]] = []
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _file(self) -> IO[bytes]:
        if self._opened is None:
            self._opened = tempfile.TemporaryFile(prefix="tthc-pull-")  # noqa: SIM115  (closed by __exit__)
        return self._opened

    def add(self, records: pl.DataFrame) -> int:
        """Keep a page; returns the position of its first record, counted over what is kept."""
        position = self.rows
        if records.height:
            page = BytesIO()
            records.write_ipc(page, compression="lz4")
            self._file.seek(self._end)
            size = self._file.write(page.getbuffer())
            self._pages.append((position, self._end, size))
            self._end += size
            self.rows += records.height
        return position

    def pages(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The pages in order, each with the position of its first record."""
        for position, start, size in self._pages:
            yield position, self._read(start, size)

    def take(self, positions: Sequence[int]) -> pl.DataFrame:
        """The records at these positions, which must be in order; columns that were added beside a record come too."""
        wanted = pl.Series("position", positions, dtype=pl.Int64())
        parts: list[pl.DataFrame] = []
        done = 0
        for index, (position, start, size) in enumerate(self._pages):
            beyond = self._pages[index + 1][0] if index + 1 < len(self._pages) else self.rows
            until = wanted.search_sorted(beyond)
            if until > done:
                parts.append(self._read(start, size)[(wanted[done:until] - position).to_numpy()])
            done = until
        return pl.concat(parts) if parts else pl.DataFrame(schema=dict(OBSERVED_SCHEMA))

    def end_round(self) -> None:
        """Forget what is kept, unless rounds stay."""
        if not self.keeps_rounds:
            self._pages.clear()
            self._file.truncate(0)
            self.rows = self._end = 0

    def _read(self, start: int, size: int) -> pl.DataFrame:
        self._file.seek(start)
        return pl.read_ipc(BytesIO(self._file.read(size)))
