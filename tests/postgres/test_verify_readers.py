"""A ledger read by two processes is judged as by one, also when the second one ends before its time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest
from sqlalchemy import Engine

from tests.postgres.test_ledger import DAY, START, record, take
from tests.postgres.test_verify import behind
from tthc_monitor.store import verify_links, verify_readers
from tthc_monitor.store.verify_hashing import Rows
from tthc_monitor.verification import verify


@pytest.fixture
def ledger(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Forty observations, to be read four at a time, every second time by the other process."""
    monkeypatch.setattr(verify_links, "CHUNK", 4)
    monkeypatch.setattr(verify_readers, "ALONE_FOR", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    take(engine, *(record(str(number)) for number in range(25)))
    take(engine, *(record(str(number), status=5) for number in range(15)), at=START + DAY)
    return engine


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First observations of the ranges that the second process was given."""
    given: list[int] = []
    submit = ProcessPoolExecutor.submit

    def noted(pool: ProcessPoolExecutor, call: object, first: int, *others: object) -> object:
        given.append(first)
        return submit(pool, call, first, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(ProcessPoolExecutor, "submit", noted)
    return given


def test_what_either_reads_is_judged(ledger: Engine, elsewhere: list[int]) -> None:
    verdict = verify(ledger)
    verdict.require()
    assert verdict.observations == 40
    assert elsewhere == [5, 13, 21, 29, 37], "of eight ranges of the first link, and of the second, every second one"
    with ledger.begin() as connection:
        behind(
            connection,
            "UPDATE tthc.observations SET status = 9 WHERE observation_id = 6",
            "UPDATE tthc.observations SET source_key = '3' WHERE observation_id = 38",
        )
    told = [str(one) for one in verify(ledger).broken]
    assert "observation 6 (dossier 5) was changed" in told[0]
    assert "observation 38 (dossier 3) was changed" in told[1]
    # Keys of the same name are known to be the same whoever read them.
    assert any("has the keys of 2 dossiers" in one for one in told)
    assert any("dossier 3 of source mau has 2 numbers" in one for one in told)


def test_the_second_process_sees_the_same_snapshot(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    read = verify_readers._Readers.read

    def changed_meanwhile(
        readers: verify_readers._Readers, ranges: Sequence[verify_readers.Range], version: int
    ) -> Iterator[tuple[verify_readers.Range, Rows]]:
        for number, one in enumerate(read(readers, ranges, version)):
            if number == 0:
                with ledger.begin() as connection:
                    behind(connection, "UPDATE tthc.observations SET status = 9")
            yield one

    monkeypatch.setattr(verify_readers._Readers, "read", changed_meanwhile)
    verify(ledger).require()
    assert not verify(ledger).sound


def test_a_second_process_that_ends_leaves_its_part_to_the_first(
    ledger: Engine, elsewhere: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = verify_readers._Readers._second

    def killed(readers: verify_readers._Readers) -> ProcessPoolExecutor:
        pool = second(readers)
        for one in list((pool._processes or {}).values()):
            os.kill(one.pid or 0, signal.SIGKILL)
        return pool

    monkeypatch.setattr(verify_readers._Readers, "_second", killed)
    verdict = verify(ledger)
    verdict.require()
    assert verdict.observations == 40
    assert elsewhere in ([5, 13], [5]), "once it has ended it is asked no more"


@pytest.mark.parametrize("written", ["''", "content_hash || '\\x00'", "substr(content_hash, 1, 31)"])
def test_a_hash_of_another_length_is_a_change(ledger: Engine, written: str) -> None:
    with ledger.begin() as connection:
        behind(connection, f"UPDATE tthc.observations SET content_hash = {written} WHERE observation_id = 6")
    assert "observation 6 (dossier 5) was changed" in str(verify(ledger).broken[0])
