"""Lists dossiers completely, though the server pages by offset over data that move and cuts long lists silently.

Three traps are met here. Offsets shift while records enter and leave a filter, so every page overlaps the one before
and a page without a known record makes the walk step back. One question lists at most ``max_hits`` records, so larger
ones are split by days, then by status. And ``total`` is held against what was really listed: a shortfall is walked
again, split, and at last an error, never silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice
from typing import Final, Literal, Self

from connectors.http import HttpClient
from connectors.opencps.answers import Row, Rows, read_listing
from connectors.opencps.options import OpencpsOptions
from tthc_monitor.domain.errors import PermanentSourceError

PATH: Final = "rest/v2/dossiers"
OLDEST_DAY: Final = date(2000, 1, 1)
DateField = Literal["Receive", "Release", "Finish"]


@dataclass(frozen=True)
class Query:
    """One question: some statuses (none: all), and a range of days, both included, of one date field."""

    statuses: tuple[str, ...] = ()
    field: DateField | None = None
    first: date = OLDEST_DAY
    last: date = OLDEST_DAY

    def params(self) -> dict[str, str]:
        """The part of the request that differs between questions; both bounds are always sent."""
        found = {"status": ",".join(self.statuses)} if self.statuses else {}
        if self.field is not None:
            found[f"from{self.field}Date"] = f"{self.first:%d/%m/%Y}"
            found[f"to{self.field}Date"] = f"{self.last:%d/%m/%Y}"
        return found

    def __str__(self) -> str:
        return f"{PATH}?" + "&".join(f"{name}={value}" for name, value in self.params().items())


@dataclass(frozen=True)
class Piece:
    """Rows not listed before by the same question.

    ``total`` is what the server says the whole question has; ``complete_through`` is set on the last piece of a range
    of days, to its last day.
    """

    rows: Rows
    location: str
    total: int
    complete_through: date | None = None

    def after(self, earlier: Piece) -> Piece:
        """Both as one."""
        return replace(self, rows=earlier.rows.and_then(self.rows), location=earlier.location)


@dataclass(frozen=True)
class _Answer:
    """A page: its rows beside the keys by which they are known to a walk; what names no dossier is known by its place."""

    start: int
    rows: Rows
    keys: Sequence[str]
    total: int


class Lister:
    """Asks one site for lists of dossiers.

    ``today`` bounds the ranges it invents when it must split; ``pool`` fetches the next pages while the caller is busy
    with this one. ``applicant_key`` is the key of what :class:`Rows` keep of the applicant.
    """

    def __init__(
        self,
        client: HttpClient,
        options: OpencpsOptions,
        today: date,
        pool: Executor,
        applicant_key: bytes | None = None,
    ) -> None:
        self._client = client
        self._applicant_key = applicant_key
        self._pool = pool
        self._options = options
        self._today = today
        self._fixed = {
            "systemId": ",".join(options.system_ids),
            "originality": ",".join(options.originality),
            **({"agency": ",".join(options.agencies)} if options.agencies else {}),
        }
        # Pages grow old while histories are read; otherwise they keep the workers busy while rows become records.
        self._most_ahead = 1 if options.fetch_history else 4 * options.workers
        self._overlap = max(1, min(10, options.page_size // 40))

    def first_page(self, query: Query) -> tuple[Sequence[Row | None], int]:
        """Rows of the first page, and the total."""
        answer = self._ask(query, 0)
        return answer.rows.read, answer.total

    def walk(self, query: Query) -> Iterator[Piece]:
        """Every row that answers a question, days in ascending order; a superset is possible.

        Raises:
            TransientSourceError: the source failed in a way that passes.
            PermanentSourceError: the source refuses, or lists fewer records than it says it has.
        """
        first = self._ask(query, 0)
        yield from self._walk(query, first, first.total, set())

    def _walk(self, query: Query, first: _Answer, grand_total: int, listed: set[str]) -> Iterator[Piece]:
        ids: set[str] = set()
        if first.total <= self._options.max_hits:
            for piece in self._pages(query, first, ids):
                yield replace(piece, total=grand_total)
            listed |= ids
            if len(ids) >= self._ask_total_if_short(query, first.total, ids):
                yield Piece(Rows(), str(query), grand_total, query.last if query.field and not query.statuses else None)
                return
        inner: set[str] = set()
        for part in self._split(query, len(ids) or self._options.max_hits, first.total):
            yield from self._walk(part, self._ask(part, 0), grand_total, inner)
        listed |= inner
        if len(inner | ids) < self._ask_total_if_short(query, first.total, inner | ids):
            raise _truncated(query, len(inner | ids), first.total)

    def _ask_total_if_short(self, query: Query, total: int, ids: set[str]) -> int:
        return total if len(ids) >= total else min(total, self._ask(query, 0).total)

    def _pages(self, query: Query, first: _Answer, ids: set[str]) -> Iterator[Piece]:
        """Walk the offsets, a second time when the first walk listed fewer than the total."""
        for _ in range(2):
            with _Ahead(self._pool, lambda start: self._ask(query, start), self._most_ahead) as ahead:
                answer, totals = first, {first.total}
                while True:
                    keys, start = answer.keys, answer.start
                    totals.add(answer.total)
                    if start and keys and not any(key in ids for key in keys[: self._overlap]):
                        answer = ahead.next(max(0, start - self._options.page_size))
                        continue
                    fresh = answer.rows.at([place for place, key in enumerate(keys) if key not in ids])
                    ids.update(keys)
                    is_last = not keys or start + len(keys) >= answer.total
                    step = max(1, len(keys) - self._overlap)
                    ahead.ask(() if is_last else range(start + step, answer.total, step))
                    if fresh:
                        yield Piece(fresh, f"{query}&start={start}", answer.total)
                    if is_last:
                        break
                    answer = ahead.next(start + step)
            is_whole = len(ids) >= answer.total
            if is_whole and len(totals) == 1:
                return
            first = self._ask(query, 0)
            if is_whole and ids.issuperset(first.keys):  # the list moved meanwhile, and no page was of another one
                return

    def _split(self, query: Query, found: int, total: int) -> list[Query]:
        if query.field is not None and query.first < query.last:
            middle = query.first + (query.last - query.first) // 2
            return [replace(query, last=middle), replace(query, first=middle + timedelta(days=1))]
        if len(query.statuses) > 1:
            return [replace(query, statuses=(status,)) for status in query.statuses]
        if query.field is None:
            return [replace(query, field="Receive", first=OLDEST_DAY, last=self._today + timedelta(days=1))]
        if not query.statuses:
            return [replace(query, statuses=(status,)) for status in self._options.all_statuses()]
        raise _truncated(query, found, total)

    def _ask(self, query: Query, start: int) -> _Answer:
        page: dict[str, str | int] = {"start": start, "end": start + self._options.page_size}
        question = {**self._fixed, **query.params(), **page}
        total, rows = self._client.get_json(PATH, question, parse=self._read)
        if total is None:
            raise PermanentSourceError(
                f"{self._client.base_url}/{PATH} answers JSON without a total; check that url is that of OpenCPS v2"
            )
        keys = [
            f"at {place}" if row is None or row.dossier_id is None else str(row.dossier_id)
            for place, row in enumerate(rows.read, start)
        ]
        return _Answer(start, rows, keys, total)

    def _read(self, body: bytes) -> tuple[int | None, Rows]:
        listing = read_listing(body)
        return listing.total, Rows.of(listing.rows, self._applicant_key)


class _Ahead:
    """Pages under way before they are needed, at most ``most`` of them."""

    def __init__(self, pool: Executor, ask: Callable[[int], _Answer], most: int) -> None:
        self._pool = pool
        self._ask = ask
        self._most = most
        self._asked: dict[int, Future[_Answer]] = {}

    def ask(self, starts: Iterable[int]) -> None:
        """Begin with the pages that will most likely be needed, in their order; forget others."""
        wanted = list(islice(starts, self._most))
        for start in self._asked.keys() - set(wanted):
            self._asked.pop(start).cancel()
        for start in wanted:
            if start not in self._asked:
                self._asked[start] = self._pool.submit(self._ask, start)

    def next(self, start: int) -> _Answer:
        """The page that begins here."""
        under_way = self._asked.pop(start, None)
        return self._ask(start) if under_way is None else under_way.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ask(())


def _truncated(query: Query, found: int, total: int) -> PermanentSourceError:
    return PermanentSourceError(
        f"{query}: the server says it has {total} dossiers and lists only {found} of them; set agencies and make one "
        "source for each group of units, or have the operator raise the search window of the server"
    )
