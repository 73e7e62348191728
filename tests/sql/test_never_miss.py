"""Whatever happens at the source between pulls, nothing is missed: each pull within the overlap, the sweep beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.epar import NOON, add, connector, make_tables
from tests.sql.servers import Source

KEYS = st.integers(1, 12)
Step = tuple[Literal["write", "hold", "release", "unknown", "backdate", "delete", "pull"], int]
STEPS = st.lists(
    st.one_of(
        *(st.tuples(st.just(name), KEYS) for name in ("write", "write", "hold", "unknown", "backdate", "delete")),
        st.tuples(st.sampled_from(["release", "pull", "pull"]), st.just(0)),
    ),
    max_size=30,
)


class Office:
    """People at work in a source: each change gives a row another status, at a time that may be told wrongly."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.count = 0
        self.held: list[tuple[int, str]] = []
        source.run("DELETE FROM t_record")

    def put(self, key: int, changed: str) -> None:
        """Write a row whose time of change is this expression."""
        self.count += 1
        self.source.run("DELETE FROM t_record WHERE pk_record = :key", key=key)
        self.source.run(
            f"INSERT INTO t_record (pk_record, c_status, c_updated) VALUES (:key, :status, {changed})",
            key=key,
            status=str(self.count),
        )

    def do(self, action: str, key: int) -> None:
        source = self.source
        match action:
            case "write":
                self.put(key, source.here)
            case "hold":  # begun now, committed later
                [(at,)] = source.rows(f"SELECT CAST({source.here} AS char(26))")
                self.held.append((key, str(at)))
            case "release":
                for late, at in self.held:
                    self.put(late, f"'{at}'")
                self.held.clear()
            case "unknown":
                self.put(key, "NULL")
            case "backdate":  # further back than any overlap: only a sweep can find it
                self.put(key, f"{source.here} - INTERVAL '3' HOUR")
            case "delete":
                source.run("DELETE FROM t_record WHERE pk_record = :key", key=key)

    def rows(self) -> dict[str, str]:
        return {str(key): status for key, status in self.source.rows("SELECT pk_record, c_status FROM t_record")}


def given_by(source: Source, cursor: Mapping[str, Any] | None, day: int) -> tuple[dict[str, str], Any, bool]:
    """What a pull on that day gives, the cursor it leaves, and whether it listed everything."""
    sql = connector(source, now=NOON + timedelta(days=day), page_rows=3, lists_all_open=True)
    found: dict[str, str] = {}
    for page in sql.fetch(cursor):
        for key, status in sql.normalise(page).records.select("source_key", "source_status").rows():
            assert key not in found, "a row was given twice"
            found[key] = status
    return found, page.cursor, page.listed_all


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_our_records_follow_the_source(source: Source, steps: list[Step]) -> None:
    make_tables_once(source)
    office = Office(source)
    ours, cursor, _ = given_by(source, None, 0)
    out_of_reach: set[str] = set()
    for action, key in [*steps, ("pull", 0)]:
        if action != "pull":
            office.do(action, key)
            if action == "backdate":
                out_of_reach.add(str(key))
            elif action in ("write", "unknown"):
                out_of_reach.discard(str(key))
            elif action == "release":
                out_of_reach -= {key for key in out_of_reach if key in given_by_now(office)}
            continue
        news, cursor, swept = given_by(source, cursor, 0)
        assert not swept
        ours.update(news)
        for key_text, status in office.rows().items():
            if key_text not in out_of_reach:
                assert ours.get(key_text) == status, "an incremental pull missed a change within the overlap"
    news, cursor, swept = given_by(source, cursor, 1)
    assert swept
    assert news == office.rows()


def given_by_now(office: Office) -> set[str]:
    """Keys whose rows say a time of change that is not far back."""
    recent = f"SELECT pk_record FROM t_record WHERE c_updated > {office.source.here} - INTERVAL '1' HOUR"
    return {str(key) for (key,) in office.source.rows(recent)}


def make_tables_once(source: Source) -> None:
    """Hypothesis runs many examples over one database."""
    tables = {name.lower() for (name,) in source.rows("SELECT table_name FROM information_schema.tables")}
    if "t_record" not in tables:
        make_tables(source)


def test_a_sweep_alone_finds_what_was_backdated_and_tells_what_is_gone(source: Source) -> None:
    make_tables(source)
    add(source, 1, 2)
    _, cursor, _ = given_by(source, None, 0)
    source.run("DELETE FROM t_record WHERE pk_record = 1")
    add(source, 3, c_updated="2026-01-01 00:00:00")
    assert given_by(source, cursor, 0)[0].keys() == {"2"}
    found, _, swept = given_by(source, cursor, 1)
    assert swept and found.keys() == {"2", "3"}
