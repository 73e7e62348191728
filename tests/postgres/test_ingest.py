"""One pull as a whole: all or nothing, whatever goes wrong and whoever else is pulling."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from connectors.base import Cursor, Page
from tests.postgres.test_ledger import DAY, START, Sheet, Told, assert_chain_holds, dossier, query, record, take, told
from tthc_monitor.domain.errors import (
    DataAssertionError,
    DatabaseError,
    PermanentSourceError,
    TransientSourceError,
    TthcError,
)
from tthc_monitor.domain.records import INSTANT, Batch, Reject
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.store.runs import rejects_of

ROOT = Path(__file__).parents[2]


def pull_told(engine: Engine, *answer: Sheet | BaseException, at: datetime = START, **options: Any) -> Any:
    """A pull of a told source; returns totals."""
    return pull(engine, "mau", "told", told(*answer), now=lambda: at, **options)


def runs(engine: Engine) -> list[tuple[Any, ...]]:
    """Outcome and error of every pull, oldest first."""
    return query(engine, "SELECT outcome, error FROM tthc.pull_runs ORDER BY run_id")


def everything(engine: Engine) -> list[Any]:
    """All that a pull may change besides its own run and rejects."""
    tables = (
        "observations",
        "observation_batches",
        "dossiers",
        "units",
        "procedures",
        "sectors",
        "pending_evaluations",
    )
    found = [query(engine, f"SELECT t::text FROM tthc.{table} t ORDER BY 1") for table in tables]
    return [*found, query(engine, "SELECT name, cursor::text FROM tthc.sources ORDER BY 1")]


def reject(row: int, reason: str = "no date", value: str | None = "31/02/2026") -> Reject:
    return Reject("ho-so.csv", row, "Ngày tiếp nhận", reason, value)


# -- repeated, rejected, unmapped -----------------------------------------------------------------------------------


def test_a_key_given_twice_alike_counts_as_repeated_and_is_no_reject(engine: Engine) -> None:
    done = pull_told(engine, Sheet([record("a"), record("b"), record("a")]), Sheet([record("a")]))
    assert (done.rows_read, done.rows_repeated, done.dossiers_new) == (4, 2, 2)
    assert rejects_of(engine.connect(), "mau", 9) == []


def test_of_a_key_given_with_different_content_the_last_is_kept_and_told(engine: Engine) -> None:
    first, last = record("a", status=4), record("a", status=9)
    done = pull_told(engine, Sheet([last, first, record("b")]), Sheet([first, last]))
    assert (done.rows_read, done.rows_repeated, done.dossiers_new) == (5, 3, 2)
    assert dossier(engine, "a")["status"] == 9
    (row,) = query(engine, "SELECT location, row_number, column_name, value, reason FROM tthc.rejects")
    assert row[:4] == ("mau", None, "source_key", "a")
    assert "the last was kept" in row[4]
    assert_chain_holds(engine)


def test_a_key_that_differs_only_before_the_last_two_is_told_too(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a", status=4), record("a", status=9), record("a", status=9)]))
    assert query(engine, "SELECT value FROM tthc.rejects") == ["a"]


def test_rejects_are_kept_with_place_reason_and_value(engine: Engine) -> None:
    found = (reject(7), Reject("trang 2", None, None, 'dòng "lạ", có phẩy\nvà xuống dòng', None))
    rows = [record(f"k{number}") for number in range(40)]
    done = pull_told(engine, Sheet(rows, found))
    assert (done.rows_read, done.rows_rejected, done.dossiers_new) == (42, 2, 40)
    with engine.connect() as connection:
        kept = rejects_of(connection, "mau", 9)
        assert rejects_of(connection, "mau", 1) == kept[:1]
        assert rejects_of(connection, "khong-co", 9) == []
    assert kept[0] == ("ho-so.csv", 7, "Ngày tiếp nhận", "31/02/2026", "no date")
    assert kept[1][:4] == ("trang 2", None, None, None)
    assert kept[1][4].startswith('dòng "lạ", có phẩy')


@pytest.mark.parametrize("value", ["a\x00b", "\x00", "a\n\\.\nb", "\\."])
@pytest.mark.parametrize("good", [True, False], ids=["in a good pull", "in a failed pull"])
def test_a_reject_may_hold_any_character(engine: Engine, value: str, good: bool) -> None:
    answer: list[Sheet | BaseException] = [Sheet([record("a")], (reject(1, f"bad {value}", value), reject(2)))]
    if good:
        pull_told(engine, *answer, assertions=Assertions(max_reject_share=1))
    else:
        with pytest.raises(TransientSourceError):
            pull_told(engine, *answer, TransientSourceError(f"gone {value}"), assertions=Assertions(max_reject_share=1))
    assert [outcome for outcome, _ in runs(engine)] == ["ok" if good else "failed"]
    kept = query(engine, "SELECT row_number, value FROM tthc.rejects ORDER BY 1")
    assert [row for row, _ in kept] == [1, 2]
    assert kept[1][1] == "31/02/2026"


def test_a_status_that_is_not_mapped_is_counted_and_kept(engine: Engine) -> None:
    rows = [
        record("a", status=None, source_status="lạ"),
        record("b", status=None, source_status=None),
        record("c", status=4, source_status="đang xử lý"),
    ]
    done = pull_told(engine, Sheet(rows), Sheet([record("d", status=None, source_status="lạ")]))
    assert done.rows_unmapped_status == 2
    assert dossier(engine, "a")["source_status"] == "lạ"
    assert query(engine, "SELECT rows_unmapped_status FROM tthc.pull_runs") == [2]


def test_an_empty_source_is_a_good_pull_unless_rows_are_demanded(engine: Engine) -> None:
    done = pull_told(engine)
    assert (done.rows_read, done.dossiers_new) == (0, 0)
    with pytest.raises(DataAssertionError, match=r"gave 0 rows, fewer than min_rows 1.*lower min_rows"):
        pull_told(engine, assertions=Assertions(min_rows=1))
    assert [outcome for outcome, _ in runs(engine)] == ["ok", "failed"]


# -- pulls that do not look right -----------------------------------------------------------------------------------


def test_too_many_rejects_keep_yesterdays_data_and_todays_rejects(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a", status=4)], cursor={"day": 1}))
    held = everything(engine)
    rows = [record("a", status=9, unit_code="H99.01"), *(record(f"k{number}") for number in range(7))]
    bad = Sheet(rows, (reject(1), reject(2)), cursor={"day": 2})
    with pytest.raises(DataAssertionError, match=r"2 of 10 rows were rejected \(20\.0%\).*sources rejects"):
        pull_told(engine, bad, at=START + DAY, assertions=Assertions(max_reject_share=0.19))
    assert everything(engine) == held
    assert [row for _, row, *_ in rejects_of(engine.connect(), "mau", 9)] == [1, 2]
    (_, (outcome, error)) = runs(engine)
    assert outcome == "failed" and "max_reject_share 19.0%" in error
    assert query(engine, "SELECT rows_read, rows_rejected, dossiers_new FROM tthc.pull_runs ORDER BY run_id")[1] == (
        10,
        2,
        0,
    )


def test_a_share_of_rejects_exactly_at_the_limit_is_allowed(engine: Engine) -> None:
    sheet = Sheet([record(f"k{number}") for number in range(8)], (reject(1), reject(2)))
    assert pull_told(engine, sheet, assertions=Assertions(max_reject_share=0.2)).dossiers_new == 8


def test_nothing_but_rejects_is_too_many(engine: Engine) -> None:
    with pytest.raises(DataAssertionError, match=r"2 of 2 rows were rejected \(100\.0%\)"):
        pull_told(engine, Sheet((), (reject(1), reject(2))))


def test_too_few_rows_change_nothing(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a"), record("b")]))
    held = everything(engine)
    with pytest.raises(DataAssertionError, match="gave 1 rows, fewer than min_rows 2"):
        pull_told(engine, Sheet([record("a", status=9)], cursor={"day": 2}), assertions=Assertions(min_rows=2))
    assert everything(engine) == held


def test_a_pull_that_goes_on_from_a_cursor_may_bring_little(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a"), record("b")], cursor={"day": 1}))
    done = pull_told(engine, Sheet([record("a", status=9)], cursor={"day": 2}), assertions=Assertions(min_rows=2))
    assert done.dossiers_changed == 1


# -- pulls that break -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        TransientSourceError("the source is asleep; try again"),
        PermanentSourceError("the source refuses; change the password"),
        RuntimeError("a fault of the connector"),
        KeyboardInterrupt(),
        SystemExit(3),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("pages", [0, 1, 3])
def test_a_source_that_fails_midway_leaves_nothing(engine: Engine, error: BaseException, pages: int) -> None:
    pull_told(engine, Sheet([record("a")], cursor={"page": 0}))
    held = everything(engine)
    sheets = [Sheet([record("a", status=9), record(f"k{n}")], (reject(n),), {"page": n}) for n in range(1, pages + 1)]
    with pytest.raises(type(error)):
        pull_told(engine, *sheets, error, assertions=Assertions(max_reject_share=1))
    assert everything(engine) == held
    outcome, told_error = runs(engine)[1]
    expected = str(error) if isinstance(error, TthcError) else f"unexpected {type(error).__name__} at "
    assert outcome == "failed" and expected in told_error
    assert query(engine, "SELECT count(*) FROM tthc.rejects")[0] <= pages
    assert pull_told(engine, *sheets, assertions=Assertions(max_reject_share=1)).dossiers_new == pages


@pytest.mark.parametrize("fields", [{"source_key": None}, {"kind": None}, {"kind": "letter"}], ids=str)
def test_a_record_without_key_or_kind_is_a_reject_and_the_others_are_taken(
    engine: Engine, fields: dict[str, Any]
) -> None:
    sheet = Sheet([record("a"), record("b") | fields])
    done = pull_told(engine, sheet, assertions=Assertions(max_reject_share=0.5))
    assert (done.rows_read, done.rows_rejected, done.dossiers_new) == (2, 1, 1)
    ((place, reason),) = query(engine, "SELECT location, reason FROM tthc.rejects")
    assert place == "mau/1" and "mend the mapping" in reason
    with pytest.raises(DataAssertionError):
        pull_told(engine, sheet)


class Claiming(Told):
    """A told source whose records all claim one promise, in microseconds since 1970."""

    promise: int

    def normalise(self, page: Page) -> Batch:
        batch = super().normalise(page)
        claimed = pl.lit(self.promise).cast(INSTANT).alias("due_current")
        return Batch(batch.records.with_columns(claimed), (), batch.rows_read)


@pytest.mark.parametrize("promise", [253_402_300_800_000_000, -62_135_596_800_000_001, 2**63 - 1])
def test_an_instant_outside_the_years_1_to_9999_is_a_reject_and_no_crash(engine: Engine, promise: int) -> None:
    source = told(Sheet([record("a")]))
    source.__class__ = Claiming
    assert isinstance(source, Claiming)
    source.promise = promise
    done = pull(engine, "mau", "told", source, now=lambda: START, assertions=Assertions(max_reject_share=1))
    assert (done.rows_rejected, done.dossiers_new) == (1, 0)


@pytest.mark.parametrize("field", ["source_key", "unit_code", "procedure_code", "sector_code"])
def test_a_key_or_code_of_absurd_length_is_a_reject_and_no_crash(engine: Engine, field: str) -> None:
    # What cannot be compressed does not fit into an index.
    absurd = "".join(random.Random(1).choices("0123456789abcdef", k=20_000))
    sheet = Sheet([record("a"), record("b", **{field: absurd})])
    done = pull_told(engine, sheet, assertions=Assertions(max_reject_share=1))
    assert (done.rows_rejected, done.dossiers_new) == (1, 1)


def test_a_cursor_is_stored_with_the_records_and_given_to_the_next_pull(engine: Engine) -> None:
    source = told(
        Sheet([record("a")], cursor={"after": 1}), Sheet([record("b")]), Sheet((), cursor={"after": "ngày 3"})
    )
    pull(engine, "mau", "told", source, now=lambda: START)
    source.answer = [Sheet([record("c")]), TransientSourceError("gone; try again")]
    with pytest.raises(TransientSourceError):
        pull(engine, "mau", "told", source, now=lambda: START + DAY)
    source.answer = []
    pull(engine, "mau", "told", source, now=lambda: START + DAY)
    assert source.asked == [None, {"after": "ngày 3"}, {"after": "ngày 3"}]
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"after": "ngày 3"}], "a pull without one leaves it"


def test_a_cursor_moves_even_when_the_records_are_no_news(engine: Engine) -> None:
    pull_told(engine, Sheet([record("a")], cursor={"page": 1}))
    pull_told(engine, Sheet([record("a")], cursor={"page": 2}))
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"page": 2}]


def test_progress_tells_rows_so_far(engine: Engine) -> None:
    seen: list[tuple[int, int | None]] = []
    pull_told(
        engine,
        Sheet([record("a"), record("b")]),
        Sheet([record("c")], (reject(1),)),
        progress=lambda rows, total: seen.append((rows, total)),
        assertions=Assertions(max_reject_share=1),
    )
    assert seen == [(2, None), (4, None), (4, None)], "once a page; the last of a listing may be empty"


def test_nothing_of_a_pull_stays_on_disk(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pull_told(engine, Sheet([record("a")]))
    with pytest.raises(RuntimeError):
        pull_told(engine, Sheet([record("b")]), RuntimeError("broken"))
    assert list(tmp_path.iterdir()) == []


# -- killed ---------------------------------------------------------------------------------------------------------

_CHILD = """
import sys, time
from tests.postgres.test_ledger import DAY, START, Sheet, record, told
from tthc_monitor.ingest import pull
from tthc_monitor.store.database import make_engine

class Slow(type(told())):
    def fetch(self, cursor):
        yield from super().fetch(cursor)
        print("given", flush=True)
        time.sleep(float(sys.argv[2]))

source = told(Sheet([record("a", status=9), record("b")], cursor={"page": 2}))
source.__class__ = Slow
pull(make_engine(sys.argv[1]), "mau", "told", source, now=lambda: START + DAY)
print("done", flush=True)
"""


@contextmanager
def pulling_process(address: str, sleep: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that pulls the same source, and has read all its rows."""
    command = [sys.executable, "-c", _CHILD, address, str(sleep)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "given\n"
            yield child
        finally:
            child.kill()


def wait_until(true: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_the_next_pull_takes_all(engine: Engine) -> None:
    done = pull_told(engine, Sheet([record("a", status=9), record("b")], cursor={"page": 3}), at=START + 2 * DAY)
    assert (done.dossiers_new, done.dossiers_changed) == (1, 1)
    assert runs(engine) == [("ok", None), ("failed", "the process ended before the run did"), ("ok", None)]
    assert query(engine, "SELECT finished_at FROM tthc.pull_runs WHERE outcome = 'failed'") == [START + 2 * DAY]
    assert_chain_holds(engine)


def others(engine: Engine, condition: str) -> int:
    """How many other connections to this database there are of which a condition holds."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        f"AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND {condition}"
    )
    found: int = query(engine, statement)[0]
    return found


def test_a_process_killed_while_it_reads_leaves_nothing(engine: Engine, database_address: str) -> None:
    pull_told(engine, Sheet([record("a")], cursor={"page": 1}))
    held = everything(engine)
    with pulling_process(database_address, sleep=600) as child:
        wait_until(lambda: ("running", None) in runs(engine))
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    assert everything(engine) == held
    engine.dispose()
    wait_until(lambda: others(engine, "true") == 0)
    assert_the_next_pull_takes_all(engine)


def test_a_process_killed_while_it_appends_leaves_nothing(engine: Engine, database_address: str) -> None:
    pull_told(engine, Sheet([record("a")], cursor={"page": 1}))
    held = everything(engine)
    engine.dispose()
    with engine.connect() as blocker:
        # Observations and projection are written by then; the link of the chain is not.
        blocker.execute(text("LOCK TABLE tthc.observation_batches IN SHARE MODE"))
        with pulling_process(database_address, sleep=0) as child:
            wait_until(
                lambda: others(engine, "wait_event_type = 'Lock' AND query LIKE '%INSERT INTO tthc.observation_b%'")
            )
            child.send_signal(signal.SIGKILL)
            child.wait(10)
        blocker.rollback()
    engine.dispose()
    wait_until(lambda: others(engine, "true") == 0)
    assert everything(engine) == held
    assert_the_next_pull_takes_all(engine)


# -- at once --------------------------------------------------------------------------------------------------------


class Waiting(Told):
    """A told source that waits for a signal before its last page."""

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        yield from super().fetch(cursor)
        self.wait()

    wait: Callable[[], object]


def waiting(wait: Callable[[], object], *sheets: Sheet, name: str) -> Waiting:
    source = told(*sheets, name=name)
    source.__class__ = Waiting
    assert isinstance(source, Waiting)
    source.wait = wait
    return source


def test_of_two_pulls_of_one_source_the_second_is_sent_away(engine: Engine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            pull, engine, "mau", "told", waiting(wait, Sheet([record("a")]), name="mau"), now=lambda: START
        )
        try:
            assert begun.wait(20)
            with pytest.raises(TransientSourceError, match="source mau is being pulled already; wait"):
                take(engine, record("b"))
        finally:
            go_on.set()
        assert first.result().dossiers_new == 1
    assert query(engine, "SELECT source_key FROM tthc.dossiers") == ["a"]
    assert runs(engine) == [("ok", None)], "a pull sent away is no run, and closes none"
    assert take(engine, record("b")).dossiers_new == 1


def test_different_sources_are_pulled_at_once_and_the_chain_holds(engine: Engine) -> None:
    together = threading.Barrier(3, timeout=20)

    def one(name: str) -> int:
        sheets = [Sheet([record(f"{name}{page}{row}") for row in range(50)]) for page in range(3)]
        source = waiting(together.wait, *sheets, name=name)
        return pull(engine, name, "told", source, now=lambda: START).dossiers_new

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one, ("mot", "hai", "ba"))) == [150] * 3
    assert assert_chain_holds(engine) == 3
    spans = query(
        engine, "SELECT first_observation_id, last_observation_id FROM tthc.observation_batches ORDER BY batch_id"
    )
    assert all(after[0] > before[1] for before, after in pairwise(spans))


def test_a_database_gone_is_named_and_the_next_pull_works(engine: Engine) -> None:
    def cut() -> None:
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid()"
                )
            )

    with pytest.raises(DatabaseError, match="stopped answering"):
        pull(engine, "mau", "told", waiting(cut, Sheet([record("a")]), name="mau"), now=lambda: START)
    assert everything(engine)[0] == []
    assert take(engine, record("a")).dossiers_new == 1
    assert [outcome for outcome, _ in runs(engine)] == ["failed", "ok"]


# -- any history ----------------------------------------------------------------------------------------------------

KEYS = ("a", "b", "c", "d")
STATES = st.dictionaries(
    st.sampled_from(KEYS),
    st.fixed_dictionaries(
        {
            "status": st.sampled_from([None, 4, 5, 9]),
            "due_current": st.sampled_from([None, START + DAY, START + 2 * DAY]),
        }
    ),
    max_size=len(KEYS),
)
FAULTS = st.sampled_from(["none", "none", "none", "raises", "interrupted", "rejects", "too few", "repeats"])
HISTORIES = st.lists(st.tuples(STATES, FAULTS, st.integers(1, 3)), min_size=1, max_size=6)


def pages_of(rows: Sequence[dict[str, Any]], size: int) -> list[Sheet]:
    return [Sheet(rows[start : start + size]) for start in range(0, len(rows), size)]


def state_of(fields: dict[str, Any]) -> tuple[Any, Any]:
    return fields["status"], fields["due_current"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_after_any_history_the_projection_is_the_last_good_state_and_the_ledger_each_state_once(
    engine: Engine, history: list[tuple[dict[str, dict[str, Any]], str, int]]
) -> None:
    name = uuid4().hex
    seen: dict[str, list[dict[str, Any]]] = {}
    for number, (state, fault, size) in enumerate(history):
        rows = [record(key, **fields) for key, fields in state.items()]
        answer: list[Sheet | BaseException] = list(pages_of(rows, size))
        assertions, error = Assertions(), None
        if fault == "raises":
            answer.insert(len(answer) // 2 + 1, error := TransientSourceError("gone"))
        elif fault == "interrupted":
            answer.append(error := KeyboardInterrupt())
        elif fault == "rejects":
            answer.append(Sheet((), (reject(1),) * 9))
            error = DataAssertionError("")
        elif fault == "too few":
            assertions, error = Assertions(min_rows=9), DataAssertionError("")
        elif fault == "repeats":
            answer = [*pages_of([row | {"status": 10} for row in rows], 9), *answer]
        source = told(*answer, name=name)

        def run(source: Told = source, assertions: Assertions = assertions, day: int = number) -> None:
            pull(engine, name, "told", source, now=lambda: START + day * DAY, assertions=assertions)

        if error is not None:
            with pytest.raises(type(error)):
                run()
            continue
        run()
        for key, fields in state.items():
            states = seen.setdefault(key, [])
            if not states or states[-1] != fields:
                states.append(fields)
    source_id = query(engine, "SELECT source_id FROM tthc.sources WHERE name = :name", name=name)[0]
    projected = query(
        engine, f"SELECT source_key, status, due_current FROM tthc.dossiers WHERE source_id = {source_id} ORDER BY 1"
    )
    assert projected == [(key, *state_of(seen[key][-1])) for key in sorted(seen)]
    ledger = query(
        engine,
        f"SELECT source_key, status, due_current FROM tthc.observations WHERE source_id = {source_id} "
        "ORDER BY source_key, observation_id",
    )
    assert ledger == [(key, *state_of(fields)) for key in sorted(seen) for fields in seen[key]]
    assert_chain_holds(engine)
