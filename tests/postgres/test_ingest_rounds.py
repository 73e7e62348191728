"""Pulls in rounds, and records that tell only a part: every state told is kept once, in order, whenever it breaks off."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from connectors.base import Cursor
from tests.postgres.test_ingest import ROOT, everything, others, reject, wait_until
from tests.postgres.test_ledger import DAY, START, Sheet, assert_chain_holds, dossier, query, record, take, told
from tthc_monitor.domain.errors import DataAssertionError, TransientSourceError
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.store.runs import Totals


def pull_rounds(
    engine: Engine, *sheets: Sheet | BaseException, at: datetime = START, assertions: Assertions | None = None
) -> Totals:
    """A pull of a source that lists only news."""
    source = told(*sheets)
    source.lists_all_open = False
    return pull(engine, "mau", "told", source, now=lambda: at, assertions=assertions)


def anew(*rows: dict[str, Any], cursor: Cursor | None = None, **more: Any) -> Sheet:
    """The first sheet of a round."""
    return Sheet(rows, cursor=cursor, new_round=True, **more)


def patch(*rows: dict[str, Any], **more: Any) -> Sheet:
    """A sheet of partial records."""
    return Sheet(rows, patch=True, **more)


def part(key: str, **fields: Any) -> dict[str, Any]:
    """A partial record."""
    return {"source_key": key, **fields}


def statuses(engine: Engine, key: str = "a") -> list[int | None]:
    """Every status that was observed of a dossier, in order."""
    return query(
        engine, "SELECT status FROM tthc.observations WHERE source_key = :key ORDER BY observation_id", key=key
    )


# -- rounds ---------------------------------------------------------------------------------------------------------


def test_each_round_is_observed_by_itself_and_all_are_one_pull(engine: Engine) -> None:
    done = pull_rounds(
        engine,
        Sheet([record("a", status=2), record("b")], cursor={"message": 1}),
        anew(record("a", status=4)),
        Sheet([record("c")], cursor={"message": 2}),
        anew(record("a", status=9), cursor={"message": 3}),
    )
    assert (done.rows_read, done.rows_repeated, done.rows_rejected, done.rounds) == (5, 0, 0, 3)
    assert (done.dossiers_new, done.dossiers_changed) == (3, 2)
    assert statuses(engine) == [2, 4, 9]
    assert assert_chain_holds(engine) == 3
    assert query(engine, "SELECT DISTINCT run_id FROM tthc.observation_batches") == [1]
    assert query(engine, "SELECT rounds, rows_read, dossiers_new, outcome FROM audit.pull_runs") == [(3, 5, 3, "ok")]
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"message": 3}]


def test_a_round_in_which_nothing_was_told_is_none(engine: Engine) -> None:
    done = pull_rounds(engine, anew(), anew(cursor={"message": 1}), anew(record("a")), anew())
    assert (done.rounds, done.dossiers_new) == (2, 1)
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"message": 1}]


def test_a_dossier_told_twice_in_one_round_is_a_mistake_and_in_two_is_none(engine: Engine) -> None:
    done = pull_rounds(
        engine,
        Sheet([record(f"k{number}") for number in range(40)]),
        Sheet([record("a", status=2), record("a", status=4)]),
        anew(record("a", status=5), record("b")),
        assertions=Assertions(max_reject_share=0),
    )
    assert (done.rows_repeated, done.rows_rejected) == (1, 1), "its last content was kept: no reason to fail"
    assert query(engine, "SELECT value FROM tthc.rejects") == ["a"]
    assert statuses(engine) == [4, 5]


def test_a_pull_that_fails_in_a_later_round_has_kept_the_rounds_before_with_their_cursor(engine: Engine) -> None:
    with pytest.raises(TransientSourceError):
        pull_rounds(
            engine,
            Sheet([record("a", status=2)], cursor={"message": 1}),
            anew(record("a", status=4), cursor={"message": 2}),
            anew(record("a", status=5), record("b"), cursor={"message": 3}),
            TransientSourceError("gone; try again"),
        )
    assert statuses(engine) == [2, 4]
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"message": 2}]
    row = query(engine, "SELECT outcome, rounds, dossiers_new, dossiers_changed, rows_read FROM tthc.pull_runs")
    assert row == [("failed", 2, 1, 1, 4)], "what is not kept is not counted as new"
    assert assert_chain_holds(engine) == 2


def test_a_round_that_cannot_be_read_ends_the_pull_and_the_rounds_before_stay(engine: Engine) -> None:
    good = [record(f"k{number}") for number in range(8)]
    bad = Sheet([record("b")], (reject(1), reject(2)), new_round=True)
    with pytest.raises(
        DataAssertionError, match=r"2 of 11 rows were rejected .* after the first 1 rounds was not kept"
    ):
        pull_rounds(engine, Sheet(good), bad, anew(record("c")), assertions=Assertions(max_reject_share=0.1))
    assert len(query(engine, "SELECT source_key FROM tthc.dossiers")) == 8


def test_what_is_said_of_a_whole_pull_of_several_rounds_fails_its_last(engine: Engine) -> None:
    with pytest.raises(DataAssertionError, match="gave 2 rows, fewer than min_rows 3; what came after the first 1"):
        pull_rounds(engine, Sheet([record("a")]), anew(record("b")), assertions=Assertions(min_rows=3))
    assert query(engine, "SELECT source_key FROM tthc.dossiers") == ["a"]


def test_a_listing_in_rounds_lists_what_all_of_them_gave(engine: Engine) -> None:
    take(engine, record("a"), record("b"), record("c"))
    for day in (1, 2):
        source = told(Sheet([record("a")]), anew(record("b")))
        pull(engine, "mau", "told", source, now=lambda day=day: START + day * DAY)
    assert query(engine, "SELECT source_key FROM tthc.dossiers WHERE vanished_seen_at IS NOT NULL") == ["c"]


def test_a_state_told_of_an_earlier_instant_is_no_proof_for_a_later_one(engine: Engine) -> None:
    take(engine, record("a", status=9))
    # Listed as ended on day 0. Messages then tell that it was open before that, and that it ended.
    pull_rounds(
        engine,
        anew(record("a", status=4), as_of=START - 2 * DAY),
        anew(record("a", status=9), as_of=START - DAY),
        at=START + DAY,
    )
    held = dossier(engine, "a")
    assert held["open_seen_at"] == START - 2 * DAY, "the listing of day 0 saw another state than the one that ended"


_CHILD = """
import sys, time
from tests.postgres.test_ingest_rounds import anew
from tests.postgres.test_ledger import START, Sheet, record, told
from tthc_monitor.ingest import pull
from tthc_monitor.store.database import make_engine

class Slow(type(told())):
    def fetch(self, cursor):
        for page in super().fetch(cursor):
            if page.content.cursor == {"message": 3}:
                time.sleep(600)
            yield page

source = told(
    Sheet([record("a", status=2)], cursor={"message": 1}), anew(record("a", status=4), cursor={"message": 2}),
    anew(record("x"), cursor={"message": 3}),
)
source.__class__ = Slow
pull(make_engine(sys.argv[1]), "mau", "told", source, now=lambda: START)
"""


def test_a_process_killed_between_rounds_leaves_whole_rounds_and_the_next_goes_on(
    engine: Engine, database_address: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", _CHILD, database_address], cwd=ROOT) as child:
        try:
            # The second round is staged, the first kept.
            wait_until(lambda: query(engine, "SELECT rounds FROM tthc.pull_runs") == [1])
            child.send_signal(signal.SIGKILL)
            child.wait(10)
        finally:
            child.kill()
    engine.dispose()
    wait_until(lambda: others(engine, "true") == 0)
    assert statuses(engine) == [2]
    assert query(engine, "SELECT cursor FROM tthc.sources") == [{"message": 1}]
    source = told(anew(record("a", status=4)), anew(record("a", status=9), cursor={"message": 3}))
    pull(engine, "mau", "told", source, now=lambda: START + DAY)
    assert source.asked == [{"message": 1}]
    assert statuses(engine) == [2, 4, 9]
    assert_chain_holds(engine)
    assert query(engine, "SELECT outcome, rounds FROM tthc.pull_runs ORDER BY run_id") == [("failed", 1), ("ok", 2)]


# -- patches --------------------------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "code": 'H99-"1"',
    "unit_code": "H99.01",
    "due_original": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "due_current": START.replace(microsecond=123_457),
    "submitted_at": datetime(1899, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "step_name": "Thẩm định, «bước» 2",
    "steps_done": 2,
}


def test_a_patch_keeps_what_it_does_not_tell(engine: Engine) -> None:
    pull_rounds(engine, Sheet([record("a", **FULL), record("b")]))
    done = pull_rounds(engine, patch(part("a", steps_done=3)), at=START + DAY)
    assert (done.dossiers_new, done.dossiers_changed) == (0, 1)
    held = dossier(engine, "a")
    expected = record("a", **FULL) | {"steps_done": 3}
    # What Python cannot tell apart any more, PostgreSQL can.
    assert {name: held[name] for name in expected} == expected
    assert (
        query(engine, "SELECT due_original::text FROM tthc.observations WHERE source_key = 'a'")
        == ["9999-12-31 23:59:59.999999+00"] * 2
    )
    assert_chain_holds(engine)


def test_a_patch_that_tells_nothing_new_is_no_observation(engine: Engine) -> None:
    pull_rounds(engine, Sheet([record("a", **FULL)]))
    done = pull_rounds(engine, patch(part("a", steps_done=2), part("a"), part("a", kind="dossier")))
    assert (done.dossiers_changed, done.rows_repeated, done.rows_rejected) == (0, 2, 0)


def test_patches_go_on_from_what_was_staged_before_in_the_same_round_and_in_earlier_ones(engine: Engine) -> None:
    done = pull_rounds(
        engine,
        Sheet([record("a", **FULL), record("b", status=4)]),
        patch(part("a", status=5), part("b", status=9)),
        patch(part("a", code="mới")),
        anew(part("a", status=9), patch=True),
        patch(part("a", unit_code="H99.02")),
    )
    assert statuses(engine) == [5, 9]
    seen = query(
        engine, "SELECT code, unit_code, steps_done FROM tthc.observations WHERE source_key = 'a' ORDER BY 1, 2"
    )
    assert sorted(seen) == [("mới", "H99.01", 2), ("mới", "H99.02", 2)]
    assert statuses(engine, "b") == [9]
    assert (done.rows_read, done.rows_repeated, done.rows_rejected) == (7, 4, 0), "no mistake of the source"
    assert_chain_holds(engine)


def test_a_patch_of_an_unknown_dossier_makes_a_record_of_what_it_tells(engine: Engine) -> None:
    done = pull_rounds(
        engine, patch(part("a", kind="petition", status=4), part("b", status=4)), assertions=Assertions(1)
    )
    assert (done.dossiers_new, done.rows_rejected) == (1, 1)
    assert (dossier(engine, "a")["kind"], dossier(engine, "a")["received_at"]) == ("petition", None)
    ((column, reason),) = query(engine, "SELECT column_name, reason FROM tthc.rejects")
    assert column == "kind" and "mend the mapping" in reason


def test_a_patch_of_the_first_promise_and_of_names(engine: Engine) -> None:
    pull_rounds(engine, Sheet([record("a", due_current=START + 9 * DAY, unit_code="H99.01", unit_name="Sở Xây dựng")]))
    pull_rounds(engine, patch(part("a", due_original=START + 5 * DAY, unit_name="Sở Y tế", sector_code="XD")))
    held = dossier(engine, "a")
    assert (held["due_first"], held["due_current"]) == (START + 5 * DAY, START + 9 * DAY)
    assert query(engine, "SELECT name FROM tthc.units") == ["Sở Xây dựng"], "the name came without its code"
    pull_rounds(engine, patch(part("a", unit_code="H99.02", unit_name="Sở Y tế")))
    assert query(engine, "SELECT unit_code, name FROM tthc.units ORDER BY 1") == [
        ("H99.01", "Sở Xây dựng"), ("H99.02", "Sở Y tế"),
    ]  # fmt: skip


def test_a_patch_clears_what_it_says_it_tells_wholly(engine: Engine) -> None:
    pull_rounds(engine, Sheet([record("a", **FULL, finished_at=START, status=9)]))
    pull_rounds(engine, patch(part("a", status=4), clears=frozenset({"finished_at"})), at=START + DAY)
    held = dossier(engine, "a")
    assert (held["status"], held["finished_at"], held["end_seen_at"], held["code"]) == (4, None, None, FULL["code"])


def test_any_text_survives_being_completed(engine: Engine) -> None:
    texts = ["\\.", "\\N", '","', '"', "a\nb", " x ", "𝕏\u0301", "%s"]
    pull_rounds(engine, Sheet([record(f"k{text}", code=text, step_name=text) for text in texts]))
    assert pull_rounds(engine, patch(*(part(f"k{text}") for text in texts))).dossiers_changed == 0
    done = pull_rounds(engine, patch(*(part(f"k{text}", steps_done=1) for text in texts)))
    assert done.dossiers_changed == len(texts)
    assert query(engine, "SELECT count(DISTINCT (code, step_name)) FROM tthc.observations") == [len(texts)]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(
            st.sampled_from(["code", "unit_code", "steps_done", "due_current"]),
            st.sampled_from([1, 2, 3]),
            min_size=1,
        ),
        st.sampled_from(["here", "round", "pull", "break"]),
    ),
    min_size=1,
    max_size=12,
)


def as_told(name: str, number: int) -> Any:
    return {"steps_done": number, "due_current": START + number * DAY}.get(name, f"{name} {number}")


def note_states(seen: dict[str, list[dict[str, Any]]], state: dict[str, dict[str, Any]]) -> None:
    """Add to what was seen of each dossier the state that it has now, if that is another."""
    for key, fields in state.items():
        states = seen.setdefault(key, [])
        if not states or states[-1] != fields:
            states.append(dict(fields))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_after_any_stream_of_patches_every_state_at_the_end_of_a_round_was_observed_once(
    engine: Engine, changes: list[tuple[str, dict[str, int], str]]
) -> None:
    """Patches in messages 1, 2, 3 …, cut into pages, rounds and pulls, some of which break off and are told again."""
    name = uuid4().hex
    state: dict[str, dict[str, Any]] = {}
    seen: dict[str, list[dict[str, Any]]] = {}
    messages = [
        ({"kind": "dossier", **{n: as_told(n, v) for n, v in told_.items()}}, key, cut) for key, told_, cut in changes
    ]

    class Stream(type(told())):  # type: ignore[misc]
        """Tells of messages after the cursor; breaks off once behind each message that says so."""

        broken: set[int]
        until: int

        def fetch(self, cursor: Cursor | None) -> Any:
            first = (cursor or {"message": 0})["message"]
            sheets: list[Any] = []
            for number, (fields, key, cut) in list(enumerate(messages, start=1))[first : self.until]:
                sheets.append(
                    Sheet(
                        [part(f"{name}-{key}", **fields)],
                        cursor={"message": number},
                        patch=True,
                        new_round=number > 1 and messages[number - 2][2] in ("round", "break"),
                    )
                )
                if cut == "break" and number not in self.broken:
                    self.broken.add(number)
                    sheets.append(TransientSourceError("gone; try again"))
            self.answer = sheets
            yield from super().fetch(cursor)

    for key, told_, cut in changes:
        state.setdefault(key, {"kind": "dossier"}).update({n: as_told(n, v) for n, v in told_.items()})
        if cut != "here":
            note_states(seen, state)
    note_states(seen, state)
    source = told(name=name)
    source.__class__ = Stream
    source.broken = set()  # type: ignore[attr-defined]
    ends = [number for number, (_, _, cut) in enumerate(messages, start=1) if cut == "pull"]
    for until in [*ends, len(messages)]:
        source.until = until  # type: ignore[attr-defined]
        while True:
            try:
                pull(engine, name, "told", source, now=lambda: START)
                break
            except TransientSourceError:
                continue
    columns = ("code", "unit_code", "steps_done", "due_current")
    for key, states in seen.items():
        found = query(
            engine,
            f"SELECT {', '.join(columns)} FROM tthc.observations WHERE source_key = :key ORDER BY observation_id",
            key=f"{name}-{key}",
        )
        assert found == [tuple(one.get(column) for column in columns) for one in states]
    assert_chain_holds(engine)


def test_a_patch_that_changes_nothing_leaves_everything(engine: Engine) -> None:
    pull_rounds(engine, Sheet([record("a", **FULL)]))
    held = everything(engine)
    pull_rounds(engine, patch(part("a")))
    assert everything(engine) == held
