"""From the ledger alone come the projection and the flags that are held, byte for byte; and what was known at any instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from rules.loader import load_packs
from tests.postgres.test_ledger import DAY, START, Sheet, assert_chain_holds, query, record, take, told
from tests.postgres.test_recompute import EXTRA, LIMIT, grounds
from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.evaluate import evaluate
from tthc_monitor.ingest import pull
from tthc_monitor.rebuild import Checked, check, keep_replay, rebuild
from tthc_monitor.store import replays
from tthc_monitor.store.database import transaction
from tthc_monitor.store.replay import REPLAYED, differences, dump, replay

NOW = datetime(2026, 6, 1, 1, tzinfo=UTC)
RULES = (*load_packs(["core", "integrity"], Path()), *EXTRA)
GROUNDS = grounds(RULES, limits=(LIMIT,))

DOSSIERS = "SELECT * FROM {} ORDER BY dossier_id"


def dumps(connection: Connection) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What is held, and what the ledger told just now, as canonical text."""
    held = {
        "dossiers": dump(connection, DOSSIERS.format("tthc.dossiers")),
        "missing": dump(connection, DOSSIERS.format("tthc.missing")),
        "flags": dump(connection, f"{replays.STANDING} {replays.IN_ORDER}"),
    }
    rebuilt = {
        "dossiers": dump(connection, DOSSIERS.format(REPLAYED.dossiers)),
        "missing": dump(connection, DOSSIERS.format(REPLAYED.missing)),
        "flags": dump(connection, f"{replays.JUDGED} {replays.IN_ORDER}"),
    }
    return held, rebuilt


def assert_rebuilt_alike(engine: Engine) -> Checked:
    compared: list[tuple[dict[str, bytes], dict[str, bytes]]] = []
    done = check(engine, GROUNDS, now=lambda: NOW, compared=lambda connection: compared.append(dumps(connection)))
    held, rebuilt = compared[0]
    assert rebuilt == held
    assert done.equal
    assert held["dossiers"]
    return done


INSTANTS = st.sampled_from([None, *(START + days * DAY for days in (-1, 2, 5, 9, 20))])
STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from([None, 1, 2, 4, 4, 5, 6, 7, 9, 10]),
        "received_at": st.sampled_from([START, None, START - DAY]),
        "due_original": st.sampled_from([None, None, START + 4 * DAY]),
        "due_current": INSTANTS,
        "finished_at": st.sampled_from([None, None, None, START + DAY, START + 12 * DAY]),
        "supplement_requested_at": st.sampled_from([None, None, START + DAY, START + 3 * DAY]),
        "supplement_completed_at": st.sampled_from([None, None, START + 4 * DAY]),
        "supplement_count": st.sampled_from([None, 0, 1, 3]),
        "unit_code": st.sampled_from(["H99.01", "H99.02", None]),
        "procedure_code": st.sampled_from(["1.000001", "1.000002", None]),
        "code": st.sampled_from(["H99-260302-0001", "H99-260302-0002", None]),
    }
)
PULLS = st.lists(
    st.tuples(
        st.sampled_from(["mau", "hai"]),
        st.sampled_from([timedelta(minutes=20), timedelta(hours=3), DAY, 2 * DAY]),
        st.dictionaries(st.sampled_from("abcdef"), STATES, max_size=6),
        st.sampled_from(["all", "all", "all", "news", "undated", "old", "fails", "rescoped"]),
    ),
    min_size=3,
    max_size=9,
)


def play(
    engine: Engine, pulls: Sequence[tuple[str, timedelta, dict[str, dict[str, Any]], str]], at: datetime = START
) -> datetime:
    """Pull what the source has in each state; returns when that was done last."""
    for number, (name, later, states, how) in enumerate(pulls):
        at += later
        rows = [record(key, **state) for key, state in sorted(states.items())]
        sheet = Sheet(rows, undated=how == "undated", as_of=at - 2 * DAY if how == "old" else None)
        answer = [sheet, *([RuntimeError("gone")] if how == "fails" else [])]
        source = told(*answer, name=name)
        if how == "news":
            source.__class__ = type("News", (type(source),), {"lists_all_open": False})
        try:
            scope = f"scope {number}" if how == "rescoped" else "scope"
            pull(engine, name, "told", source, now=lambda at=at: at, scope=scope)  # type: ignore[misc]
        except RuntimeError:
            pass
    return at


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],  # a pull is too slow for shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pulls=PULLS, then=st.integers(0, 8))
def test_any_history_is_rebuilt_from_the_ledger_and_known_as_of_any_instant(
    engine: Engine, pulls: list[tuple[str, timedelta, dict[str, dict[str, Any]], str]], then: int
) -> None:
    names = {"mau": f"mau {uuid4()}", "hai": f"hai {uuid4()}"}  # the examples share a database
    at = play(engine, [(names[name], *rest) for name, *rest in pulls[: then + 1]])
    as_it_was = known(engine, "audit.dossiers", names)
    if not as_it_was:
        return
    play(engine, [(names[name], *rest) for name, *rest in pulls[then + 1 :]], at)
    assert_rebuilt_alike(engine)
    assert_chain_holds(engine)
    assert known(engine, f"audit.dossiers_as_of('{at.isoformat()}')", names) == as_it_was


KNOWN = (
    "source_key, code, kind, procedure_code, sector_code, unit_code, receiving_unit_code, channel, status, source_status, "
    "step_code, step_name, submitted_at, received_at, competent_received_at, due_original, due_current, finished_at, "
    "delivered_at, ended_at, supplement_requested_at, supplement_completed_at, supplement_count, source_verdict, "
    "first_seen_at, changed_at, vanished_seen_at, observation_id"
)


def known(engine: Engine, where: str, names: dict[str, str]) -> list[Any]:
    return query(
        engine,
        f"SELECT {KNOWN} FROM {where} d WHERE source = ANY(:names) ORDER BY observation_id",
        names=list(names.values()),
    )


def test_what_was_changed_behind_the_ledgers_back_is_told_by_dossier_and_column(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 5 * DAY), record("b"), record("c", due_current=START + 5 * DAY))
    assert assert_rebuilt_alike(engine).dossiers == 3
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE tthc.dossiers SET due_current = due_current + interval '9 days', status = 2 WHERE source_key = 'a'"
            )
        )
        connection.execute(text("DELETE FROM tthc.dossiers WHERE source_key = 'b'"))
        connection.execute(
            text("INSERT INTO tthc.missing SELECT dossier_id, now() FROM tthc.dossiers WHERE source_key = 'c'")
        )
        connection.execute(
            text(
                "DELETE FROM tthc.flags WHERE dossier_id = (SELECT dossier_id FROM tthc.dossiers WHERE source_key = 'c')"
            )
        )
    done = check(engine, GROUNDS, now=lambda: NOW)
    told_of = {(one.table, one.columns) for one in done.projection}
    assert told_of == {
        ("tthc.dossiers", ("status", "due_current")),
        ("tthc.dossiers", ("only in the ledger",)),
        ("tthc.missing", ("not in the ledger",)),
    }
    assert any("does not stand, but the ledger gives it: dossier 3" in one for one in done.flags_differing)
    rebuild(engine, GROUNDS, now=lambda: NOW)
    assert_rebuilt_alike(engine)
    assert query(engine, "SELECT due_current FROM tthc.dossiers WHERE source_key = 'a'") == [START + 5 * DAY]


def test_a_rebuilt_projection_goes_on_with_the_next_pull(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 5 * DAY), record("b"))
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tthc.dossiers, tthc.missing, tthc.flags"))
        connection.execute(text("SELECT setval('tthc.dossier_ids', 1, false)"))
    with pytest.raises(DatabaseError, match="run: tthc-monitor audit rebuild"):
        take(engine, record("a"))
    rebuild(engine, GROUNDS, now=lambda: NOW)
    done = take(engine, record("a", due_current=START + 6 * DAY), record("b"), record("c"), at=START + DAY)
    assert (done.dossiers_new, done.dossiers_changed) == (1, 1)
    assert query(engine, "SELECT source_key, dossier_id FROM tthc.dossiers ORDER BY 1") == [
        ("a", 1),
        ("b", 2),
        ("c", 3),
    ]
    assert_rebuilt_alike(engine)


def test_folding_until_an_instant_is_the_projection_of_that_instant(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 5 * DAY), record("b"))
    with transaction(engine) as connection:
        then = dump(connection, DOSSIERS.format("tthc.dossiers"))
    take(engine, record("a", status=9, finished_at=START), at=START + DAY)
    take(engine, record("a", status=9, finished_at=START), at=START + 2 * DAY)
    with transaction(engine) as connection:
        assert replay(connection, START + timedelta(hours=1)) == 1
        assert dump(connection, DOSSIERS.format(REPLAYED.dossiers)) == then
        assert {one.columns for one in differences(connection, 9)} != set()


# -- flags as of ----------------------------------------------------------------------------------------------------


def believed(engine: Engine, seen: datetime, judged: datetime) -> list[tuple[str, str]]:
    return query(
        engine,
        f"SELECT d.source_key, f.rule_code FROM audit.flags_as_of('{seen.isoformat()}', '{judged.isoformat()}') f "
        "JOIN audit.dossiers d USING (dossier_id) WHERE f.rule_code IN ('overdue', 'finished_late') ORDER BY 1, 2",
    )


def test_what_was_believed_stays_though_the_source_corrects_itself(engine: Engine) -> None:
    day = iter(range(99))
    for state in ({"due_current": START + 2 * DAY}, {"due_current": START + 40 * DAY}):
        at = START + 10 * next(day) * DAY
        take(engine, record("a", **state), at=at)
        evaluate(engine, GROUNDS, now=lambda at=at: at)  # type: ignore[misc]
    then, now = START + DAY, START + 12 * DAY
    assert believed(engine, then, then) == [("a", "overdue")]
    assert query(engine, f"SELECT starts_at FROM audit.flags_as_of('{now}', '{now}') WHERE rule_code = 'overdue'") > [
        START + 39 * DAY
    ]


def test_what_was_known_then_is_judged_by_the_rules_of_now_once_that_was_asked_for(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 2 * DAY), record("b", due_current=START + 30 * DAY))
    evaluate(engine, GROUNDS, now=lambda: START)
    take(
        engine, record("a", due_current=START + 40 * DAY), record("b", due_current=START + 30 * DAY), at=START + 5 * DAY
    )
    stricter = grounds((*RULES[1:], RULES[0].model_copy(update={"title": "khác"})))
    evaluate(engine, stricter, now=lambda: NOW)
    then = START + DAY
    with pytest.raises(DBAPIError, match="was not judged again") as refused:
        believed(engine, then, NOW)
    assert "tthc-monitor audit replay --seen-at 2026-03-03T08:00:00.000000+07:00 --by NAME" in str(refused.value)
    kept = keep_replay(engine, stricter, then, "Thanh tra Mẫu", now=lambda: NOW)
    assert kept.dossiers == 2
    assert believed(engine, then, NOW) == [("a", "overdue"), ("b", "overdue")]
    told_of = query(
        engine,
        f"SELECT DISTINCT f.starts_at < '{START + 3 * DAY}', f.title FROM audit.flags_as_of('{then}', '{NOW}') f "
        "JOIN audit.dossiers d USING (dossier_id) WHERE d.source_key = 'a' AND rule_code = 'overdue'",
    )
    assert told_of[0][0]
    assert query(engine, "SELECT person, dossiers FROM audit.replays") == [("Thanh tra Mẫu", 2)]
    with pytest.raises(DBAPIError, match="nobody can judge what was not known yet"):
        believed(engine, NOW, then)


def test_where_nothing_came_between_no_replay_is_needed(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 2 * DAY))
    evaluate(engine, GROUNDS, now=lambda: START + DAY)
    assert believed(engine, START + timedelta(hours=1), NOW) == [("a", "overdue")]
    assert believed(engine, START, START) == [], "nothing had been judged then"


def test_a_dossier_that_vanished_and_came_back_was_gone_in_between(engine: Engine) -> None:
    for hours, rows in ((0, "ab"), (2, "b"), (4, "b"), (6, "ab")):
        take(engine, *(record(key) for key in rows), at=START + timedelta(hours=hours))
    gone = START + timedelta(hours=4)
    for hours, expected in ((3, None), (5, gone), (7, None)):
        at = START + timedelta(hours=hours)
        told_of = query(
            engine, f"SELECT vanished_seen_at FROM audit.dossiers_as_of('{at.isoformat()}') WHERE source_key = 'a'"
        )
        assert told_of == [expected]
