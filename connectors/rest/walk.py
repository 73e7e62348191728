"""Walks through a list page by page so that nothing is lost while it moves under the walker.

Where pages are places in the list, something that leaves it moves what stands behind it to an earlier page, perhaps one
that was read already. So after the way forward, unless the source's own count proves that nothing was lost, the pages
are read again from the last to the first: what moves to an earlier page then moves to one that is still to be read.
What is added meanwhile is news of the next fetch. An empty page that ends a list is asked for again, for it may be a
failure told as nothing; in a full listing the page behind it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectors.http import Answer
from connectors.http.failures import CredentialsRefused
from connectors.raw_table import RawTable, clean_header
from connectors.rest.cells import Cells, joined, record_list, same_content
from connectors.rest.details import Prepares
from connectors.rest.expressions import ExpressionError, Reads, reader
from connectors.rest.paging import Ask, PagingOptions
from tthc_monitor.domain.errors import PermanentSourceError

Send = Callable[[Ask], Answer]
"""Asks a source one question about a list.

Raises:
    TransientSourceError: the source failed in a way that passes.
    PermanentSourceError: it refuses, or what it answers cannot be read.
"""

_TRIES: Final = 4
"""So often the same is asked when an answer cannot be right, before the source is said to do so on purpose."""


@dataclass(frozen=True)
class Piece:
    """The rows of one page; ``total`` is what the source says the whole list has."""

    table: RawTable
    given: int
    total: int | None


@dataclass(frozen=True)
class Shape:
    """Where records and their number stand in an answer; ``total_header`` is a header's lower-case name."""

    records: str = "@"
    total: str | None = None
    total_header: str | None = None


class Walk:
    """One list, asked for by ``send``, which gives the answer to a question about it.

    ``key_columns`` of the cells tell one record from another.
    ``prepare`` may turn the records of a page into others, or leave some out, before their cells are read.
    ``thorough``: nothing may be missing, so that what stands behind an empty page is looked at too.
    """

    def __init__(
        self,
        send: Send,
        pager: PagingOptions,
        shape: Shape,
        cells: Cells,
        *,
        place: str,
        key_columns: Sequence[str],
        base: str = "",
        steady: bool = False,
        pool: ThreadPoolExecutor | None = None,
        workers: int = 1,
        prepare: Prepares | None = None,
        thorough: bool = False,
    ) -> None:
        self._send = send
        self._pager = pager
        self._shape = shape
        self._records = reader(shape.records)
        self._total: Reads | None = None if shape.total is None else reader(shape.total)
        self._cells = cells
        self._place = place
        self._key_columns = [clean_header(name) for name in key_columns]
        self._base = base
        self._steady = steady
        self._pool = pool
        self._workers = workers
        self._prepare = prepare
        self._thorough = thorough
        self._ahead: deque[tuple[Ask, Future[Answer]]] = deque()

    def pieces(self) -> Iterator[Piece]:
        """The pages, those that were read again and had changed at the end.

        Raises:
            TransientSourceError: the source failed in a way that passes.
            PermanentSourceError: it ignores the paging, cuts the list short, or answers in another shape.
        """
        walked: list[tuple[Ask, int]] = []
        count = _Count(self._key_columns)
        for _ in range(_TRIES):  # a list that is cut short may have been so by accident
            walked, count = [], _Count(self._key_columns)
            try:
                for ask, piece in self._forward():
                    walked.append((ask, count.add(piece)))
                    yield piece
            finally:
                self._stop_looking()
            if not count.is_short:
                break
        if len(walked) > 1 and self._pager.numbered and not self._steady and not count.proves_all:
            back = _Count(self._key_columns)
            back.add(piece)
            for ask, digest in reversed(walked[:-1]):
                _, piece = self._read(ask)
                if back.add(piece) != digest:
                    yield piece
            count = back
        if count.is_short:
            raise PermanentSourceError(
                f"{self._place} gives {count.given} of the {count.least_total} records that it counts; if it cuts long "
                "lists short, ask in smaller parts (params) or have its limit raised"
            )

    def first(self) -> tuple[Piece, Answer]:
        """The first page alone."""
        answer, piece = self._read(self._pager.first_ask())
        return piece, answer

    def _forward(self) -> Iterator[tuple[Ask, Piece]]:
        asked: set[Ask] = set()
        ask: Ask | None = self._pager.first_ask()
        before: tuple[Ask, Piece] | None = None
        given = 0
        while ask is not None:
            if ask in asked:
                raise self._ignored(f"leads back to {ask.label or 'the first page'}")
            asked.add(ask)
            answer, piece = self._read(ask)
            if not piece.given and piece.total != given and self._pager.beyond(ask) is not None:
                answer, piece = self._read(ask)
            if before is not None and piece.given and same_content(before[1].table, piece.table):
                answer, piece, mended = self._once_more(ask, *before)
                if mended is not None:
                    yield before[0], mended
            following = self._pager.following(ask, answer, piece.given, self._base)
            if following is None and piece.total != given and not piece.given:
                following = self._behind(ask)
            if following is not None and not piece.given and before is not None and not before[1].given:
                raise self._ignored("gives one empty page after another")
            if following is not None:
                self._look_ahead(following, piece, given + piece.given)
            given += piece.given
            yield ask, piece
            before, ask = (ask, piece), following

    def _behind(self, empty: Ask) -> Ask | None:
        """The question after an empty page, when everything is to be listed and that page is not empty too."""
        try:
            behind = self._pager.beyond(empty) if self._thorough else None
            return behind if behind is not None and self._read(behind)[1].given else None
        except PermanentSourceError as error:
            if isinstance(error, CredentialsRefused):
                raise
        return None  # it has no such page

    def _once_more(self, ask: Ask, ask_before: Ask, before: Piece) -> tuple[Answer, Piece, Piece | None]:
        """Asked again, and the page before if that was the wrong one: one given twice may be an accident (a cache, say)."""
        for _ in range(_TRIES - 1):
            answer, piece = self._read(ask)
            if not same_content(before.table, piece.table):
                return answer, piece, None
        _, mended = self._read(ask_before)
        if same_content(mended.table, piece.table):
            raise self._ignored("gives the same page again")
        return answer, piece, mended

    def _look_ahead(self, following: Ask, piece: Piece, given: int) -> None:
        """Ask for the next pages already, as many as there must be by the source's count, up to ``workers``."""
        if self._pool is None or self._workers < 2 or not self._pager.numbered or not piece.total or not piece.given:
            return
        if self._ahead and self._ahead[0][0] != following:
            self._stop_looking()
        left = -(-(piece.total - given) // piece.given)
        while len(self._ahead) < min(self._workers, left):
            ask = self._pager.ahead(self._ahead[-1][0], piece.given) if self._ahead else following
            if ask is None:
                return
            self._ahead.append((ask, self._pool.submit(self._send, ask)))

    def _stop_looking(self) -> None:
        for _, future in self._ahead:
            future.cancel()
        self._ahead.clear()

    def _answer(self, ask: Ask) -> Answer:
        if self._ahead and self._ahead[0][0] == ask:
            return self._ahead.popleft()[1].result()
        return self._send(ask)

    def _read(self, ask: Ask) -> tuple[Answer, Piece]:
        answer = self._answer(ask)
        for _ in range(_TRIES - 1):
            if self._pager.fits(ask, answer):
                break
            answer = self._send(ask)
        else:
            raise self._ignored("gives another page than the one asked for")
        location = f"{self._place} {ask.label}".strip()
        try:
            found = record_list(self._records(answer.content), self._shape.records)
            total = None if self._total is None else _number(self._total(answer.content), self._shape.total)
        except ExpressionError as error:
            raise PermanentSourceError(str(error)) from None
        if self._shape.total_header is not None:
            total = _number(answer.headers.get(self._shape.total_header.lower()), self._shape.total_header)
        records = found if self._prepare is None else self._prepare(found)
        return answer, Piece(self._cells.table(records, location), len(found), total)

    def _ignored(self, what: str) -> PermanentSourceError:
        return PermanentSourceError(
            f"{self._place} {what} instead of going on, so it does not understand the paging; correct 'paging' in the "
            "source's options"
        )


def gathered(pieces: Iterator[Piece], rows: int = 2_000) -> Iterator[Piece]:
    """Small pages together, about ``rows`` of them: mapping costs as much for a few rows as for many."""
    waiting: list[Piece] = []
    given = 0
    for piece in pieces:
        waiting.append(piece)
        given += piece.given
        if given >= rows:
            yield _together(waiting, given)
            waiting, given = [], 0
    if waiting:
        yield _together(waiting, given)


def _together(pieces: Sequence[Piece], given: int) -> Piece:
    return Piece(joined([piece.table for piece in pieces]), given, pieces[-1].total)


class _Count:
    """How many records a way through the list gave, against what the source counts."""

    def __init__(self, key_columns: Sequence[str]) -> None:
        self.given = 0
        self._key_columns = key_columns
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._totals: list[int] = []
        self._doubted = False
        self._digests: set[int] = set()

    def add(self, piece: Piece) -> int:
        """Count a page; returns a digest of what it holds."""
        self.given += piece.given
        table = piece.table
        self._keys.append(table.frame.select(self._key_columns).hash_rows().to_numpy())
        digest = hash((*table.frame.hash_rows().to_list(), *((item.row, item.column) for item in table.broken)))
        # A page given twice may stand in the place of another.
        self._doubted = self._doubted or piece.total is None or (piece.given > 0 and digest in self._digests)
        self._digests.add(digest)
        if piece.total is not None:
            self._totals = [min([*self._totals, piece.total]), max([*self._totals, piece.total])]
        return digest

    @property
    def least_total(self) -> int:
        return self._totals[0] if self._totals else 0

    @property
    def proves_all(self) -> bool:
        """The source counted the same on every page, and gave just as many, none of them twice."""
        if self._doubted or self._totals != [self.given, self.given]:
            return False
        keys = np.concatenate(self._keys)
        return bool(np.unique(keys).size == keys.size)

    @property
    def is_short(self) -> bool:
        return self.given < self.least_total


def _number(value: Any, where: str | None) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise PermanentSourceError(f"'{where}' finds no number of records in the answer; correct or remove 'total'")
    return int(text)
