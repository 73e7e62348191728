"""Each fault of each kind of source: outlasted, or the pull fails and keeps what was held; and afterwards nothing is missing.

The table of what became of each is printed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from sqlalchemy import Engine, text

from tests.end_to_end.fed import KINDS, WAY, Clock, Fed, States, fed
from tthc_monitor import ingest
from tthc_monitor.domain.errors import (
    ConfigError,
    DataAssertionError,
    PermanentSourceError,
    TransientSourceError,
    TthcError,
)
from tthc_monitor.domain.records import OBSERVED_SCHEMA

OUTLASTED, KEPT, TOLD = "outlasted", "fails, keeps", "takes as told"
ONCE = {
    "lost_login": (KEPT, PermanentSourceError),
    "missing": (KEPT, PermanentSourceError),
    "cut_short": (KEPT, PermanentSourceError),
    "other_header": (KEPT, ConfigError),
    "disconnected": (KEPT, TransientSourceError),
    "locked": (KEPT, TransientSourceError),
    "column_gone": (KEPT, ConfigError),
    "igate hit_limit": (KEPT, PermanentSourceError),
}
"""Faults that a pull does not outlast even when they come once, and the remedy that the error names by its class."""

SYSTEM = frozenset(
    {
        "without_history", "vanished", "backdated", "withheld", "half_a_line", "late_commit", "rubbish", "half_written",
        "clock_skew", "shifted_zone_hours",
    }
)  # fmt: skip
"""Faults that change what the system tells: it is taken as told, and put right once the system is."""


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def pull(engine: Engine, source: str, system: Fed) -> TthcError | None:
    """Pull, and tell what went wrong; anything but an error of a known class fails the test."""
    try:
        ingest.pull(engine, source, system.kind, system.connector(source), now=system.clock)
    except (TransientSourceError, PermanentSourceError, DataAssertionError, ConfigError) as error:
        return error
    return None


def held(engine: Engine, source: str) -> States:
    """What is held of a source."""
    names = ", ".join(f"d.{name}" for name in OBSERVED_SCHEMA)
    query = text(f"SELECT {names} FROM tthc.dossiers d JOIN tthc.sources s USING (source_id) WHERE s.name = :source")
    with engine.connect() as connection:
        rows = connection.execute(query, {"source": source}).mappings()
        return {row["source_key"]: dict(row) for row in rows}


def differing(found: States, expected: States) -> list[str]:
    """Keys and columns in which two states differ; dossiers that are only held have vanished at the source."""
    wrong = [f"{key} is missing" for key in sorted(expected) if key not in found]
    for key, record in expected.items():
        names = [name for name in OBSERVED_SCHEMA if key in found and record[name] != found[key][name]]
        wrong += [f"{key}: {name} {found[key][name]!r}, told {record[name]!r}" for name in names]
    return wrong


def vanished(engine: Engine, source: str) -> set[str]:
    query = text(
        "SELECT source_key FROM tthc.dossiers d JOIN tthc.sources s USING (source_id) "
        "WHERE s.name = :source AND vanished_seen_at IS NOT NULL"
    )
    with engine.connect() as connection:
        return set(connection.execute(query, {"source": source}).scalars())


Note = Callable[[str, object], None]


@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_loses_or_doubles_a_dossier(kind: str, engine: Engine, tmp_path: Path, record_property: Note) -> None:
    clock = Clock()
    with fed(kind, clock, engine, tmp_path) as system:
        system.advance(kind)
        assert pull(engine, kind, system) is None
        assert differing(held(engine, kind), system.truth()) == []
        for fault in system.faults:
            for lasting in (False, True) if fault in WAY else (False,):
                came = endure(engine, kind, system, fault, lasting=lasting)
                record_property("fault", (kind, f"{fault}{', lasting' if lasting else ''}", came))
        query = "SELECT count(*) - count(DISTINCT source_key) FROM tthc.dossiers"
        with engine.connect() as connection:
            assert connection.scalar(text(query)) == 0


def endure(engine: Engine, kind: str, system: Fed, fault: str, *, lasting: bool) -> str:
    """One fault, from before it to after it; tells what became of it."""
    system.clock.now += timedelta(hours=7)
    before = held(engine, kind)
    truth = None if fault in SYSTEM else system.truth()
    system.strike(fault, lasting=lasting)
    system.advance(kind)
    error = pull(engine, kind, system)
    after = held(engine, kind)
    if error is not None:
        came = KEPT
        assert after == before, f"{fault}: a failed pull changed what is held"
        assert str(error).count(";") or str(error).endswith("."), f"{fault}: no remedy in {error}"
    elif truth is None:
        came = TOLD
    else:
        came = OUTLASTED
        prompt = {key: record for key, record in truth.items() if not system.is_told_late(key)}
        assert differing(after, prompt) == [], fault
    if lasting:
        assert (came == KEPT) == (fault != "slow_drip"), f"{fault}, lasting: {came}, {error}"
    else:
        usual = (TOLD if fault in SYSTEM else OUTLASTED, type(None))
        expected, remedy = ONCE.get(f"{kind} {fault}", ONCE.get(fault, usual))
        assert came == expected and isinstance(error, remedy), f"{fault}: {came}, {error!r}"
    if fault == "vanished":
        gone = set(before) - set(system.truth())
        assert gone
        assert vanished(engine, kind) == set(), "one miss may be chance"
        for _ in range(2):
            system.clock.now += timedelta(days=1, minutes=1)
            system.advance(kind)
            assert pull(engine, kind, system) is None
        assert vanished(engine, kind) == {key for key in gone if before[key]["status"] in (1, 2, 4, 5, 6)}
    system.heal()
    # A day later the widest questions are asked again.
    system.clock.now += timedelta(days=1, minutes=1)
    system.advance(kind)
    assert pull(engine, kind, system) is None
    assert differing(held(engine, kind), system.truth()) == [], f"after {fault}"
    assert vanished(engine, kind) == set()
    return came if error is None else f"{came}: {type(error).__name__}"
