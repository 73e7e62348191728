"""Whatever happens between pulls and during them: in the end we hold what the source tells, and every state ever pulled.

Sources of every kind are changed, broken, and their pulls killed in random order. A day later, with nothing wrong any
more, the projection is the source's state, each dossier is there once, and the ledger holds each state that a pull gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from connectors.base import Connector, Cursor, Page
from tests.end_to_end.fed import KINDS, START, Clock, Fed, fed
from tests.end_to_end.test_fault_matrix import differing, held
from tthc_monitor import ingest
from tthc_monitor.domain.errors import TthcError
from tthc_monitor.domain.records import OBSERVED_SCHEMA, Batch

_WRONG_INSTANTS = ("shifted_zone_hours", "backdated", "clock_skew")
"""Faults that put wrong instants into the ledger, where they stay for dossiers that ended long before the next question."""


class Killed(BaseException):
    """The process ends."""


class Watched:
    """A connector that notes what it gave, and may be killed before a page."""

    def __init__(self, inner: Connector, dies_at: int | None) -> None:
        self._inner = inner
        self._dies_at = dies_at
        self.given: list[Batch] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for number, page in enumerate(self._inner.fetch(cursor)):
            if number == self._dies_at:
                raise Killed
            yield page

    def normalise(self, page: Page) -> Batch:
        batch = self._inner.normalise(page)
        self.given.append(batch)
        return batch


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_end_nothing_is_missing_and_nothing_is_there_twice(kind: str, engine: Engine, tmp_path: Path) -> None:
    clock = Clock()
    with fed(kind, clock, engine, tmp_path) as system:
        sources = (f"nguon-{number}" for number in range(1_000))
        faults = [name for name in system.faults if name not in _WRONG_INSTANTS]
        moves = st.one_of(
            st.tuples(st.just("time"), st.integers(1, 30)),
            st.tuples(st.just("pull"), st.none()),
            st.tuples(st.just("kill"), st.integers(0, 2)),
            st.tuples(st.just("fault"), st.tuples(st.sampled_from(faults), st.booleans())),
            st.tuples(st.just("heal"), st.none()),
        )

        @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(moves, min_size=3, max_size=9))
        def live(story: list[tuple[str, Any]]) -> None:
            source = next(sources)
            system.heal()
            clock.now = START
            told = [states for move in story for states in act(engine, source, system, move)]
            end(engine, source, system, told)

        live()


def act(engine: Engine, source: str, system: Fed, move: tuple[str, Any]) -> list[tuple[Any, ...]]:
    """One move; gives the states that a committed pull told."""
    what, how = move
    if what == "time":
        system.clock.now += timedelta(hours=how)
    elif what == "fault":
        system.strike(how[0], lasting=how[1])
    elif what == "heal":
        system.heal()
    else:
        system.advance(source)
        return pulled(engine, source, system, dies_at=how)
    return []


def pulled(engine: Engine, source: str, system: Fed, dies_at: int | None = None) -> list[tuple[Any, ...]]:
    """Pull; a pull that ends badly must leave everything as it was, unless it had come to the end of a round."""
    before = held(engine, source)
    connector = Watched(system.connector(source), dies_at)
    try:
        done = ingest.pull(engine, source, system.kind, connector, now=system.clock)
    except (TthcError, Killed):
        done = None
    if done is None:
        # Whole rounds stay, and only messages come in several.
        assert system.kind.startswith("dvcqg") or held(engine, source) == before
        return []
    return [] if done.rows_rejected else whole_states(connector.given)


def whole_states(batches: list[Batch]) -> list[tuple[Any, ...]]:
    """States told whole; patches tell columns only."""
    return [
        row for batch in batches if not batch.patch for row in batch.records.select(list(OBSERVED_SCHEMA)).iter_rows()
    ]


def end(engine: Engine, source: str, system: Fed, told: list[tuple[Any, ...]]) -> None:
    """All is well again, and a day passes; then two pulls, for what is missed once may be chance."""
    system.heal()
    for _ in range(2):
        system.clock.now += timedelta(days=1, minutes=1)
        system.advance(source)
        told += pulled(engine, source, system)
    truth, found = system.truth(), held(engine, source)
    assert differing(found, truth) == []
    assert set(found) == set(truth) or not system.lists_all
    columns = ", ".join(f"o.{name}" for name in OBSERVED_SCHEMA)
    query = f"SELECT {columns} FROM tthc.observations o JOIN tthc.sources s USING (source_id) WHERE s.name = :source"
    twice = (
        "SELECT count(*) FROM (SELECT o.content_hash, lag(o.content_hash) OVER (PARTITION BY dossier_id "
        "ORDER BY observation_id) AS before FROM tthc.observations o JOIN tthc.sources s USING (source_id) "
        "WHERE s.name = :source) h WHERE content_hash = before"
    )
    with engine.connect() as connection:
        ledger = {tuple(row) for row in connection.execute(text(query), {"source": source})}
        assert connection.scalar(text(twice), {"source": source}) == 0, "a state that had not changed was written again"
    assert [row for row in told if row not in ledger] == []
