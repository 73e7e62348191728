"""What only history tells, pull by pull through real PostgreSQL, and the facts that rules get of it."""

from __future__ import annotations

import json
import runpy
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.postgres.test_ledger import DAY, START, Sheet, dossier, query, record, take, told
from tthc_monitor.domain.facts import FACT_SCHEMA, facts_frame, provides
from tthc_monitor.domain.records import OBSERVED_SCHEMA, Reject, conform
from tthc_monitor.domain.statuses import ENDED
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.store.canonical import content_hashes
from tthc_monitor.store.database import transaction
from tthc_monitor.store.judgements import load_facts
from tthc_monitor.store.ledger import prepare

BACKFILL: str = runpy.run_path(
    str(Path(__file__).parents[2] / "alembic" / "versions" / "0004_observed_and_history.py")
)["BACKFILL"]


def on(day: float) -> datetime:
    """An instant, in days after the first pull."""
    return START + day * DAY


def days(instant: datetime | None) -> float | None:
    """The inverse of :func:`on`."""
    return None if instant is None else (instant - START) / DAY


def tell(engine: Engine, *states: dict[str, Any]) -> dict[str, Any]:
    """Pull one dossier day by day, in these states; what the projection holds at last."""
    for day, state in enumerate(states):
        take(engine, record("a", **state), at=on(day))
    return dossier(engine, "a")


def facts(engine: Engine) -> dict[str, dict[str, Any]]:
    """Facts of all dossiers, by source key."""
    keys = dict(query(engine, "SELECT dossier_id, source_key FROM tthc.dossiers"))
    with transaction(engine) as connection:
        loaded = load_facts(connection, "SELECT dossier_id FROM tthc.dossiers")
    assert loaded.schema == pl.Schema(FACT_SCHEMA)
    return {keys[row["dossier_id"]]: row for row in loaded.to_dicts()}


def waits(row: dict[str, Any]) -> list[tuple[float, float]] | None:
    """Earlier waits in days."""
    if row["earlier_waits"] is None:
        return None
    return [
        (days(datetime.fromtimestamp(a, UTC)) or 0, days(datetime.fromtimestamp(b, UTC)) or 0)
        for a, b in json.loads(row["earlier_waits"])
    ]


# -- hashes ---------------------------------------------------------------------------------------------------------


def test_a_record_that_fills_no_later_column_keeps_the_hash_it_had_before_they_existed() -> None:
    # Computed by the canonical text of 24 columns, before parent_key and those after it existed.
    early = "830e72f9af6e0982933e7b7dd9b8aff6474c47769e41802061586c45620354f2"
    given = pl.DataFrame(
        {
            "source_key": ["55001/7", "55001/7", "55001/7"],
            "kind": ["dossier"] * 3,
            "status": [4] * 3,
            "step_name": ["Thẩm định"] * 3,
            "received_at": [START] * 3,
            "supplement_count": [1] * 3,
            "applicant_hash": ["ab12"] * 3,
            "parent_key": [None, "55001/3", None],
            "steps_done": [None, None, 0],
        }
    )
    hashes = [digest.hex() for digest in content_hashes(prepare(conform(given)), 1)]
    assert hashes[0] == early
    assert content_hashes(prepare(conform(given.head(1))), 1)[0].hex() == early
    assert len(set(hashes)) == 3, "a later column that is filled is content, nought included"


# -- one column at a time -------------------------------------------------------------------------------------------

NEW: dict[str, Any] = {"status": 1, "received_at": None}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([{"status": 4}], 0),
        ([NEW, {"status": 2, "received_at": None}], 1),
        ([NEW, NEW, {"status": 1}], 2),
        ([NEW], None),
        ([{"status": None, "source_status": "lạ", "received_at": None}], None),
        ([{"status": None, "source_status": "lạ"}], 0),
        ([NEW, {"status": 3, "received_at": None}, NEW], 1),
    ],
)
def test_when_it_was_first_seen_past_registration(
    engine: Engine, states: list[dict[str, Any]], expected: int | None
) -> None:
    assert days(tell(engine, *states)["underway_seen_at"]) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([{}, {"status": 9}], 0),
        # Not changed, but listed by two more pulls.
        ([{}, {}, {}, {"status": 9}], 2),
        ([{}, {"status": 9}, {"status": 10}], 0),
        ([{}, {"status": 9}, {}], None),
        ([{}, {"status": 9}, {}, {}, {"finished_at": START}], 3),
        ([{"status": 9}], None),
        ([{"status": 9}, {"status": 10}], None),
    ],
)
def test_when_it_was_last_seen_open(engine: Engine, states: list[dict[str, Any]], expected: int | None) -> None:
    assert days(tell(engine, *states)["open_seen_at"]) == expected


def test_of_a_source_that_lists_only_news_nobody_saw_the_dossier_unchanged(engine: Engine) -> None:
    for day, row in enumerate((record("a"), record("b"), record("a", status=9))):
        source = told(Sheet([row]))
        source.lists_all_open = False
        pull(engine, "mau", "told", source, now=partial(on, day))
    assert days(dossier(engine, "a")["open_seen_at"]) == 0


def test_what_a_pull_tells_is_no_younger_than_when_it_began_or_its_file_was_written(engine: Engine) -> None:
    readings = iter([on(0), on(0.5), on(0.5)])
    pull(engine, "mau", "told", told(Sheet([record("a"), record("b")])), now=lambda: next(readings))
    file = told(Sheet([record("a", status=4, step_code="x"), record("b")], as_of=on(0.75)))
    pull(engine, "mau", "told", file, now=lambda: on(1))
    take(engine, record("a", status=9), record("b", status=9), at=on(2))
    assert (days(dossier(engine, "a")["changed_at"]), days(dossier(engine, "a")["open_seen_at"])) == (2, 0.75)
    assert days(dossier(engine, "b")["open_seen_at"]) == 0.75


def test_a_failed_pull_saw_nothing(engine: Engine) -> None:
    take(engine, record("a"))
    with pytest.raises(RuntimeError):
        pull(engine, "mau", "told", told(Sheet([record("a")]), RuntimeError("đứt mạng")), now=lambda: on(1))
    take(engine, record("a", status=9), at=on(2))
    assert days(dossier(engine, "a")["open_seen_at"]) == 0


def test_two_moves_of_the_promise(engine: Engine) -> None:
    first, second, third = ({"due_current": on(day)} for day in (5, 9, 7))
    held = tell(engine, {}, first, first, second)
    assert (held["due_previous"], days(held["due_unmoved_at"]), days(held["due_moved_at"]), held["due_moves"]) == (
        on(5), 2, 3, 1,
    )  # fmt: skip
    for day, state in enumerate(({}, first, third), start=4):
        take(engine, record("a", **state), at=on(day))
    held = dossier(engine, "a")
    assert (held["due_previous"], days(held["due_unmoved_at"]), days(held["due_moved_at"]), held["due_moves"]) == (
        on(5), 5, 6, 3,
    )  # fmt: skip
    row = facts(engine)["a"]
    assert (row["due_original"], row["due_current"], row["due_previous"], row["due_moves"]) == (on(5), on(7), on(5), 3)


PROMISES: list[tuple[str, list[float | None], tuple[float | None, ...]]] = [
    # the promise day by day; held: the one before, last seen unmoved, first seen moved, moves
    ("none", [None, None], (None, None, None, 0)),
    ("the first, later", [None, None, 5], (None, None, None, 0)),
    ("kept", [5, 5, 5], (None, None, None, 0)),
    ("moved", [5, 5, 9], (5, 1, 2, 1)),
    ("taken away", [5, 5, None], (5, 1, 2, 1)),
    ("taken away for long", [5, None, None, None], (5, 0, 1, 1)),
    ("taken away, another later: one move", [5, 5, None, None, 9], (5, 1, 4, 1)),
    ("taken away, put back as it was: none", [5, None, None, 5], (None, None, None, 0)),
    ("taken away and put back, then moved", [5, None, 5, 9], (5, 2, 3, 1)),
    ("taken away twice, put back once", [5, None, 5, None], (5, 2, 3, 1)),
    ("the first, later, and taken away", [None, 5, None], (5, 1, 2, 1)),
    ("moved, taken away, another", [5, 9, None, 7], (9, 1, 3, 2)),
    ("moved, taken away", [5, 9, None], (9, 1, 2, 2)),
    ("moved, taken away, the one before the move", [5, 9, None, 5], (9, 1, 3, 2)),
    ("another and another", [5, None, 9, None, 7], (9, 2, 4, 2)),
]


@pytest.mark.parametrize(("promises", "expected"), [case[1:] for case in PROMISES], ids=[case[0] for case in PROMISES])
def test_a_promise_taken_away_is_moved(
    engine: Engine, promises: list[float | None], expected: tuple[float | None, ...]
) -> None:
    states = [{"due_current": None if promise is None else on(promise)} for promise in promises]
    # What else changes must not matter.
    held = tell(engine, *[{**state, "step_code": str(day)} for day, state in enumerate(states)])
    columns = ("due_previous", "due_unmoved_at", "due_moved_at")
    assert (*(days(held[name]) for name in columns), held["due_moves"]) == expected
    row = facts(engine)["a"]
    assert (*(days(row[name]) for name in columns), row["due_moves"]) == expected
    assert row["due_current"] == states[-1]["due_current"]
    with transaction(engine) as connection:
        connection.execute(
            text(
                "UPDATE tthc.dossiers SET due_previous = NULL, due_unmoved_at = NULL, due_moved_at = NULL, due_moves = 0"
            )
        )
        connection.execute(text(BACKFILL))
    held = dossier(engine, "a")
    assert (days(held["due_previous"]), days(held["due_moved_at"]), held["due_moves"]) == (
        expected[0], expected[2], expected[3],
    )  # fmt: skip


def test_a_promise_put_back_leaves_the_moves_before_it(engine: Engine) -> None:
    held = tell(engine, *({"due_current": on(due) if due else None} for due in (5, 9, None, 9)))
    assert (held["due_previous"], held["due_moves"]) == (on(9), 1), "which one it was moved from is not held any more"


def test_an_ended_dossier_is_not_listed_so_its_promise_was_last_seen_when_it_ended(engine: Engine) -> None:
    held = tell(engine, {"due_current": on(5)}, *[{"due_current": on(5), "status": 9}] * 3, {"due_current": on(6)})
    assert (days(held["due_unmoved_at"]), days(held["due_moved_at"])) == (1, 4)


def ask(day: float, answered: float | None = None, **others: Any) -> dict[str, Any]:
    """A state that claims a request for supplements."""
    return {
        "supplement_requested_at": on(day),
        "supplement_completed_at": None if answered is None else on(answered),
        **others,
    }


WAIT: dict[str, Any] = {"status": 5}
SPELLS: list[tuple[str, list[dict[str, Any]], int | None, list[tuple[float, float]] | None]] = [
    # what is told day by day; requests counted; earlier waits in days
    ("none", [{}, {}], None, None),
    ("one seen", [{}, WAIT, WAIT, {}], 1, None),
    ("two seen", [{}, WAIT, {}, WAIT], 2, [(1, 2)]),
    ("three seen", [{}, WAIT, {}, WAIT, {}, WAIT], 3, [(1, 2), (3, 4)]),
    ("one claimed", [{}, ask(0.5), ask(0.5, 1.5)], 1, None),
    ("two claimed", [{}, ask(0.5, 0.9), ask(1.5)], 2, [(0.5, 0.9)]),
    ("two claimed, the first never answered", [{}, ask(0.5, status=5), ask(1.5, status=5)], 2, None),
    ("a claim and its status are one", [{}, ask(0.5, status=5), ask(0.5, 1.5)], 1, None),
    ("a status and its claim afterwards are one", [{}, WAIT, ask(0.5, status=5), ask(0.5, 2.5)], 1, None),
    ("a claim and its status afterwards are one", [{}, ask(0.5), ask(0.5, status=5), ask(0.5)], 1, None),
    ("two of both kinds", [ask(-1, -0.5), ask(0.5, status=5), ask(0.5, 1.5), ask(2.5, status=5)], 3,
     [(-1, -0.5), (0.5, 1.5)]),
    ("the second is seen before it is claimed", [ask(-1, -0.5), ask(-1, -0.5, status=5), ask(0.5, status=5)], 2,
     [(-1, -0.5)]),
    ("a claim put right is no request", [ask(-1, -0.5), ask(-0.9, -0.5)], 1, None),
    ("a claim that comes and goes is no request", [ask(-1, -0.5), {}, ask(-1, -0.5)], 1, None),
    ("more are claimed than seen", [{}, WAIT, {"supplement_count": 4}], 4, None),
    ("fewer are claimed than seen", [WAIT, {}, WAIT | {"supplement_count": 1}], 2, [(0, 1)]),
    ("none is claimed and none seen", [{"supplement_count": 0}], 0, None),
    ("an end while waiting answers nothing", [WAIT, {"status": 9}, WAIT], 2, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("states", "count", "earlier"), [case[1:] for case in SPELLS], ids=[case[0] for case in SPELLS]
)
def test_requests_for_supplements_are_counted_once_each(
    engine: Engine, states: list[dict[str, Any]], count: int | None, earlier: list[tuple[float, float]] | None
) -> None:
    tell(engine, *states)
    row = facts(engine)["a"]
    assert (row["supplement_count"], waits(row)) == (count, earlier)


@pytest.mark.parametrize(
    ("states", "after"),
    [
        ([{}, {}, {}, WAIT], 2),
        # Seen waiting at first sight, or in a status that nobody mapped: it may have waited before.
        ([WAIT], None),
        ([WAIT, {}, {}, WAIT], 2),
        ([{"status": None, "source_status": "lạ"}, WAIT], None),
        # A claim tells itself.
        ([{}, ask(-3, status=5)], -3),
        ([{}, WAIT, ask(0.5, 1.5)], 0.5),
        # An ended dossier is not listed: it was last seen not waiting when it ended.
        ([{}, {"status": 9}, {"status": 9}, {"status": 9}, WAIT], 1),
        ([{}, {}], None),
        # Of the latest spell, and kept while it lasts and after.
        ([{}, WAIT, WAIT | {"step_code": "x"}, {}, {}], 0),
    ],
)
def test_a_request_lies_after_the_last_sight_without_it(
    engine: Engine, states: list[dict[str, Any]], after: float | None
) -> None:
    tell(engine, *states)
    assert days(facts(engine)["a"]["supplement_requested_after"]) == after


@pytest.mark.parametrize(
    ("state", "watched"),
    [
        ({"received_at": on(-1)}, 1),
        ({"received_at": on(-1) - timedelta(seconds=1)}, 0),
        ({"received_at": on(3)}, 1),
        ({"received_at": None}, 0),
        ({"received_at": on(-9), "due_original": on(5)}, 1),
        ({"received_at": None, "due_original": on(5)}, 1),
    ],
)
def test_the_first_promise_is_certain_when_claimed_or_seen_at_once(
    engine: Engine, state: dict[str, Any], watched: int
) -> None:
    tell(engine, {"due_current": on(5), **state})
    assert facts(engine)["a"]["due_watched"] == watched


@pytest.mark.parametrize(
    ("states", "requested", "completed"),
    [
        ([{}, {"status": 6}], 1, None),
        ([{}, {"status": 6}, {"status": 6}, {}], 1, 3),
        ([{}, {"status": 6}, {}, {"status": 6}], 3, None),
        ([{}, {"status": 6}, {"status": 9}], 1, None),
        ([{"obligation_requested_at": on(-2)}, {"obligation_requested_at": on(-2), "status": 6}], -2, None),
        ([{"obligation_requested_at": on(-2), "obligation_completed_at": on(-1)}], -2, -1),
        ([{"obligation_requested_at": on(-2), "obligation_completed_at": on(-3)}], -2, 0),
    ],
)
def test_financial_obligations_come_and_go(
    engine: Engine, states: list[dict[str, Any]], requested: float | None, completed: float | None
) -> None:
    tell(engine, *states)
    row = facts(engine)["a"]
    assert (days(row["obligation_requested_at"]), days(row["obligation_completed_at"])) == (requested, completed)


# -- facts ----------------------------------------------------------------------------------------------------------


def test_every_observed_fact_arrives_as_it_was_told(engine: Engine) -> None:
    same = [name for name in FACT_SCHEMA if name in OBSERVED_SCHEMA and name not in ("kind", "source_verdict")]
    told_of: dict[str, Any] = {}
    for number, name in enumerate(same, start=1):
        dtype = OBSERVED_SCHEMA[name]
        told_of[name] = (
            on(number) if isinstance(dtype, pl.Datetime) else number % 10 + 1 if dtype == pl.Int16() else f"mã {name}"
        )
    told_of |= {"supplement_completed_at": on(90), "obligation_completed_at": on(91)}
    code = "G09.20-20260609-0092637"
    take(
        engine,
        record("a", code=code, source_verdict="late", **told_of),
        record("b", source_verdict="on_time"),
        record("c"),
    )
    rows = facts(engine)
    assert {name: rows["a"][name] for name in told_of} == told_of
    assert [rows[key]["source_verdict"] for key in "abc"] == [2, 1, 0]
    assert (rows["a"]["number_day"], rows["a"]["number_serial"]) == (datetime(2026, 6, 9, tzinfo=UTC), 92_637)
    assert (rows["b"]["number_day"], rows["b"]["number_serial"]) == (None, None)
    assert rows["a"]["first_seen_at"] == START


def test_what_a_source_provides_is_kept_and_told_of_each_of_its_dossiers(engine: Engine) -> None:
    def give(name: str, *columns: str) -> None:
        source = told(Sheet([record(f"{name}-1")]), name=name)
        source.provides = frozenset({"source_key", "kind", *columns})
        pull(engine, name, "told", source, now=lambda: START)

    give("mot", "steps_done", "apology_at")
    give("hai")
    assert query(engine, "SELECT provides FROM tthc.sources ORDER BY name") == [[], ["apology_at", "steps_done"]]
    with transaction(engine) as connection:
        frame = facts_frame(load_facts(connection, "SELECT dossier_id FROM tthc.dossiers").sort("dossier_id"))
    assert {name: provides(frame, name).tolist() for name in ("steps_done", "apology_at", "last_step_at")} == {
        "steps_done": [True, False],
        "apology_at": [True, False],
        "last_step_at": [False, False],
    }
    give("mot", "last_step_at")
    assert query(engine, "SELECT provides FROM tthc.sources WHERE name = 'mot'") == [["last_step_at"]]


# -- vanished --------------------------------------------------------------------------------------------------------


def test_a_dossier_missed_by_two_good_pulls_in_a_row_has_vanished(engine: Engine) -> None:
    def gone() -> dict[str, float | None]:
        return {key: days(at) for key, at in query(engine, "SELECT source_key, vanished_seen_at FROM tthc.dossiers")}

    def pending() -> list[str]:
        keys = "SELECT source_key FROM tthc.pending_dossiers JOIN tthc.dossiers USING (dossier_id) ORDER BY 1"
        return query(engine, keys)

    take(engine, record("a"), record("b"), record("c", status=9))
    take(engine, record("x"), name="khac")
    take(engine, record("b"), at=on(1))
    assert gone() == {"a": None, "b": None, "c": None, "x": None}
    take(engine, record("a"), at=on(2))
    take(engine, record("b"), at=on(3))
    assert pending() == [], "missed twice, but not twice in a row"
    with pytest.raises(RuntimeError):
        pull(engine, "mau", "told", told(Sheet([record("b")]), RuntimeError("đứt mạng")), now=lambda: on(4))
    assert gone()["a"] is None
    take(engine, record("b"), at=on(5))
    assert (gone(), pending()) == ({"a": 5, "b": None, "c": None, "x": None}, ["a"])
    assert days(facts(engine)["a"]["vanished_seen_at"]) == 5
    take(engine, record("b"), at=on(6))
    assert gone()["a"] == 5, "when it vanished stays"
    with transaction(engine) as connection:
        connection.execute(text("DELETE FROM tthc.pending_dossiers"))
    take(engine, record("a"), record("b"), at=on(7))
    assert (gone()["a"], pending()) == (None, ["a"]), "listed again as it was: no observation, but judged again"
    assert query(engine, "SELECT count(*) FROM tthc.missing") == [0]


def test_a_dossier_that_was_missing_was_not_seen_unchanged(engine: Engine) -> None:
    take(engine, record("a"), record("b"))
    take(engine, record("b"), at=on(1))
    take(engine, record("a", status=9), record("b", status=9), at=on(2))
    assert [days(dossier(engine, key)["open_seen_at"]) for key in "ab"] == [0, 1]


def test_nothing_vanishes_while_records_are_rejected_or_the_source_lists_only_news(engine: Engine) -> None:
    refused = (Reject("mau/1", 1, None, "không đọc được"),)
    take(engine, record("a"), record("b"))
    for day in (1, 2, 3):
        sheet = Sheet([record("b")], refused)
        loose = Assertions(max_reject_share=1)
        pull(engine, "mau", "told", told(sheet), now=partial(on, day), assertions=loose)
    take(engine, record("x"), record("y"), name="khac")
    for day in (1, 2, 3):
        source = told(Sheet([record("y")]), name="khac")
        source.lists_all_open = False
        pull(engine, "khac", "told", source, now=partial(on, day))
    assert query(engine, "SELECT count(vanished_seen_at) FROM tthc.dossiers") == [0]


def vanished(engine: Engine) -> list[str]:
    return query(engine, "SELECT source_key FROM tthc.dossiers WHERE vanished_seen_at IS NOT NULL ORDER BY 1")


def test_a_dossier_whose_number_lives_on_under_another_key_has_not_vanished(engine: Engine) -> None:
    take(engine, record("a", code="mot"), record("b", code="hai"), record("c", code="ba"), record("x", code="tu"))
    take(engine, record("x", code="tu"), record("hai", code="hai"), at=on(1))
    take(engine, record("x", code="tu"), record("hai", code="hai"), at=on(2))
    assert vanished(engine) == ["a", "c"]
    # Its new key may come late, and its end under that key is no reason to miss the old one.
    take(engine, record("x", code="tu"), record("hai", code="hai", status=9), record("mot", code="mot"), at=on(3))
    assert vanished(engine) == ["c"]
    take(engine, record("x", code="tu"), record("mot", code="mot"), at=on(4))
    assert vanished(engine) == ["c"]
    take(engine, record("x", code="tu"), at=on(5))
    take(engine, record("x", code="tu"), at=on(6))
    assert "mot" in vanished(engine), "gone under its new key too"


def test_a_dossier_in_a_status_nobody_mapped_was_perhaps_not_asked_for(engine: Engine) -> None:
    strange = record("a", status=None, source_status="lạ")
    take(engine, strange, record("b"), record("x"))
    for day in (1, 2, 3):
        take(engine, record("x"), at=on(day))
    assert vanished(engine) == ["b"]
    take(engine, record("a", status=9), record("x"), at=on(4))
    assert days(dossier(engine, "a")["open_seen_at"]) == 0, "no pull since had seen it open"


@pytest.mark.parametrize(("held", "missing", "believed"), [(100, 21, False), (100, 20, True), (105, 21, True)])
def test_when_too_many_are_missing_at_once_the_pull_is_not_believed(
    engine: Engine, held: int, missing: int, believed: bool
) -> None:
    rows = [record(str(number)) for number in range(held)]
    take(engine, *rows)
    for day in (1, 2):
        take(engine, *rows[missing:], at=on(day))
    assert len(vanished(engine)) == (missing if believed else 0)
    reasons = query(engine, "SELECT reason FROM tthc.rejects")
    assert len(reasons) == (0 if believed else 2)
    assert all(f"{missing} of {held} open dossiers were not listed" in reason for reason in reasons)
    # A dossier that such a pull did not list was not seen open by it.
    take(engine, *rows[1:], record("0", status=9), at=on(3))
    assert days(dossier(engine, "0")["open_seen_at"]) == 0
    # Those that vanished long ago are no reason to doubt every pull after.
    take(engine, *rows[1:-1], at=on(4))
    take(engine, *rows[1:-1], at=on(5))
    assert vanished(engine) == [str(held - 1)]


# -- any sequence ---------------------------------------------------------------------------------------------------

STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from([1, 2, 4, 5, 6, 9, 10, None]),
        "received_at": st.sampled_from([None, START]),
        "due_current": st.sampled_from([None, on(3), on(6)]),
        "finished_at": st.sampled_from([None, None, None, on(2)]),
        "supplement_requested_at": st.sampled_from([None, None, on(0.5), on(1.5)]),
        "supplement_completed_at": st.sampled_from([None, on(1), on(1.7)]),
    }
)
HISTORIES = st.lists(STATES, min_size=1, max_size=5)
HELD = (
    "underway_seen_at", "end_seen_at", "open_seen_at", "due_previous", "due_unmoved_at", "due_moved_at", "due_moves",
    "supplement_seen_at", "supplement_left_at", "supplement_unseen_at", "supplement_spells", "obligation_seen_at", "obligation_left_at",
    "status_seen_at", "changed_at", "first_seen_at",
)  # fmt: skip


def folded(states: list[dict[str, Any]]) -> dict[str, Any]:
    """What must be held after these daily states, told in plain Python and without the claims' fine print."""
    held: dict[str, Any] = dict.fromkeys(HELD) | {"due_moves": 0, "supplement_spells": 0}
    before: dict[str, Any] | None = None
    for day, state in enumerate(states):
        now = on(day)
        if state == before:
            continue
        was = before or dict.fromkeys(state)
        ended = state["status"] in ENDED or state["finished_at"] is not None
        # A pull a day, each of which lists all open dossiers; ended ones are known by their last observation.
        unchanged = held["changed_at"] if held["end_seen_at"] else on(day - 1)
        if held["underway_seen_at"] is None and (state["received_at"] or state["status"] not in (1, None)):
            held["underway_seen_at"] = now
        if was["due_current"] and was["due_current"] != state["due_current"]:
            held |= {"due_previous": was["due_current"], "due_unmoved_at": unchanged, "due_moved_at": now}
            held["due_moves"] += 1
        elif not was["due_current"] and state["due_current"] and held["due_previous"]:
            if state["due_current"] != held["due_previous"]:
                held["due_moved_at"] = now
            else:
                held["due_moves"] -= 1
                if not held["due_moves"]:
                    held |= dict.fromkeys(("due_previous", "due_unmoved_at", "due_moved_at"))
        if not ended:
            held["open_seen_at"] = held["end_seen_at"] = None
        elif held["end_seen_at"] is None:
            held |= {"end_seen_at": now, "open_seen_at": None if before is None else unchanged}
        asked, claimed = state["supplement_requested_at"], was["supplement_requested_at"]
        done, seen = state["supplement_completed_at"], held["supplement_seen_at"]
        begins = state["status"] == 5 and was["status"] != 5
        again = bool(asked and claimed and asked > claimed) and not (
            done == was["supplement_completed_at"] and done and done >= asked
        )
        known_by_claim = bool(asked and asked == claimed and not done and not (seen and seen >= asked))
        known_by_sight = bool(asked and seen and seen >= asked)
        if before is not None and ((begins and not known_by_claim) or (again and not known_by_sight)):
            held["supplement_spells"] += 1
        elif asked or state["status"] == 5:
            held["supplement_spells"] = max(held["supplement_spells"], 1)
        for what, status in (("supplement", 5), ("obligation", 6)):
            if state["status"] == status:
                held[f"{what}_left_at"] = None
                if was["status"] != status:
                    held[f"{what}_seen_at"] = now
                    if what == "supplement" and before is not None:
                        held["supplement_unseen_at"] = None if was["status"] is None else unchanged
            elif was["status"] == status and not ended:
                held[f"{what}_left_at"] = now
        if before is None:
            held["first_seen_at"] = now
        if before is None or was["status"] != state["status"]:
            held["status_seen_at"] = now
        held["changed_at"], before = now, state
    return held


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.generate],  # a pull is too slow for shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(histories=st.lists(HISTORIES, min_size=5, max_size=8))
def test_the_projection_is_the_fold_of_any_history(engine: Engine, histories: list[list[dict[str, Any]]]) -> None:
    name = uuid4().hex
    longest = max(map(len, histories))
    padded = [[*history, *[history[-1]] * (longest - len(history))] for history in histories]
    for day in range(longest):
        rows = [record(f"{name}-{index}", **history[day]) for index, history in enumerate(padded)]
        take(engine, *rows, at=on(day), name=name)
    for index, history in enumerate(padded):
        held = dossier(engine, f"{name}-{index}")
        expected = folded(history)
        wrong = {column: (held[column], expected[column]) for column in HELD if held[column] != expected[column]}
        assert not wrong, history


def test_earlier_waits_never_overlap_the_latest_one(engine: Engine) -> None:
    tell(engine, ask(-2, -1), ask(-1.5, 0.5), ask(0.2, 2))
    row = facts(engine)["a"]
    latest = (days(row["supplement_requested_at"]), days(row["supplement_completed_at"]))
    assert (waits(row), latest) == ([(-2, 0.2)], (0.2, 2)), "one after the other, each ended by the next at the latest"
