"""A rehearsed pull tells what a pull would do, and leaves the database as it was to the last sequence."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.postgres.test_ingest import pull_told, reject
from tests.postgres.test_ingest_missing import askable
from tests.postgres.test_ingest_rounds import anew, part, patch
from tests.postgres.test_ledger import DAY, START, Sheet, query, record, told
from tthc_monitor.domain.errors import TransientSourceError
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.rehearsal import Change, Rehearsal, rehearse


def whole_database(engine: Engine) -> list[Any]:
    """Every row of every table of ours, and every sequence."""
    tables = query(
        engine,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tthc' AND table_type = 'BASE TABLE'",
    )
    rows = [query(engine, f"SELECT t::text FROM tthc.{table} t ORDER BY 1") for table in sorted(tables)]
    sequences = query(engine, "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'tthc' ORDER BY 1")
    assert len(tables) > 20 and len(sequences) > 5
    return [*rows, sequences]


def try_out(engine: Engine, *answer: Sheet | BaseException, **options: Any) -> Rehearsal:
    """A rehearsal that is proved to leave everything."""
    before = whole_database(engine)
    try:
        return rehearse(engine, "mau", told(*answer), now=lambda: START + DAY, **options)
    finally:
        assert whole_database(engine) == before


def test_a_source_that_was_never_pulled_would_be_all_new(engine: Engine) -> None:
    told_of = try_out(engine, Sheet([record("a", unit_code="H99.01"), record("b")], (reject(1),), {"page": 1}))
    assert (told_of.totals.dossiers_new, told_of.totals.dossiers_changed, told_of.unchanged) == (2, 0, 0)
    assert told_of.new[0] == record("a", unit_code="H99.01")
    assert (told_of.rejects, told_of.changed, told_of.missing) == ([reject(1)], [], 0)
    assert told_of.failed is not None and "1 of 3 rows were rejected" in told_of.failed


def test_what_would_change_is_told_field_by_field(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a", code="số 1", due_current=START), record("b"), record("c"), record("d")]))
    seen: list[tuple[int, int | None]] = []
    told_of = try_out(
        engine,
        Sheet([record("a", code="số 1", due_current=START + DAY, status=5), record("b"), record("e")]),
        Sheet([record("c", status=None, source_status="lạ")]),
        progress=lambda rows, total: seen.append((rows, total)),
    )
    assert (told_of.totals.dossiers_new, told_of.totals.dossiers_changed, told_of.unchanged) == (1, 2, 1)
    assert told_of.changed == [
        Change("a", "số 1", {"status": (4, 5), "due_current": (START, START + DAY)}),
        Change("c", None, {"status": (4, None), "source_status": (None, "lạ")}),
    ]
    assert [row["source_key"] for row in told_of.new] == ["e"]
    assert told_of.unknown == {("status", "lạ"): 1}
    assert seen == [(3, None), (4, None), (4, None)]
    assert (told_of.failed, told_of.missing, told_of.vanished, told_of.note) == (None, 1, 0, None)


def test_examples_are_bounded_and_counts_are_not(engine: Engine) -> None:
    pull_told(engine, Sheet([record(f"k{number}") for number in range(9)]))
    rows = [record(f"k{number}", status=5) for number in range(9)] + [record(f"n{number}") for number in range(9)]
    told_of = try_out(engine, Sheet(rows), examples=2)
    assert (told_of.totals.dossiers_new, told_of.totals.dossiers_changed) == (9, 9)
    assert ([one.source_key for one in told_of.changed], len(told_of.new)) == (["k0", "k1"], 2)


def test_an_assertion_that_would_fail_is_told_with_the_figures(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a"), record("b"), record("c")]))
    told_of = try_out(engine, Sheet([record("a", status=5)]), assertions=Assertions(max_drop=0.5))
    assert told_of.failed is not None and "gave 1 rows, 66.7% fewer than the 3" in told_of.failed
    assert told_of.totals.dossiers_changed == 1, "what it would have changed is told all the same"


def test_rounds_and_patches_are_told_by_what_comes_of_them(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a", code="số 1", status=2), record("b")]))
    told_of = try_out(
        engine,
        Sheet([record("a", code="số 1", status=4), record("c", code="số 3")]),
        anew(part("a", status=5), part("c", steps_done=1), patch=True),
        patch(part("a", steps_done=2)),
        anew(part("b"), patch=True),
    )
    assert (told_of.totals.dossiers_new, told_of.totals.dossiers_changed, told_of.unchanged) == (1, 1, 1)
    assert told_of.changed == [Change("a", "số 1", {"status": (2, 5), "steps_done": (None, 2)})]
    assert told_of.new == [record("c", code="số 3", steps_done=1)]
    assert (told_of.totals.rounds, told_of.totals.rows_rejected) == (3, 0)


def test_what_would_vanish_is_looked_for_and_counted(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a"), record("b"), record("c"), record("d")]))
    pull_told(engine, Sheet([record("d"), record("c")]))
    before = whole_database(engine)
    source = askable(record("d"), has=[record("a")])
    told_of = rehearse(engine, "mau", source, now=lambda: START + DAY)
    # The last key asked for was just listed: were it absent too, the look would prove nothing.
    assert (told_of.missing, told_of.vanished, source.looked) == (2, 1, [["a", "b", "d"]])
    assert whole_database(engine) == before
    assert try_out(engine, Sheet([record("d")])).vanished == 2
    unread = try_out(engine, Sheet([record("d")], (reject(1),)), assertions=Assertions(1))
    assert unread.vanished == 0


def test_a_source_that_fails_fails_the_rehearsal(engine: Engine) -> None:
    with pytest.raises(TransientSourceError):
        try_out(engine, Sheet([record("a")]), TransientSourceError("gone; try again"))


def test_a_pull_after_a_rehearsal_does_what_it_told(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a"), record("b")], cursor={"page": 1}))
    source = told(Sheet([record("a", status=5), record("b"), record("c")], cursor={"page": 2}))
    told_of = rehearse(engine, "mau", source, now=lambda: START)
    done = pull(engine, "mau", "told", source, now=lambda: START)
    assert source.asked == [{"page": 1}] * 2
    assert done == told_of.totals
