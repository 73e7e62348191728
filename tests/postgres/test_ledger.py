"""The ledger over whole pulls: what is appended, what the projection remembers of it, and that nobody can touch it.

Also the source that other tests pull from: :class:`Told`, a connector whose pages a test writes down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from connectors.base import Connector, ConnectorOptions, Cursor, Page, Surroundings
from tthc_monitor.domain.records import INSTANT, OBSERVED_SCHEMA, RECORD_SCHEMA, Batch, Reject, conform
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.store.runs import Totals

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 08:00 in Viet Nam."""
DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DETAILS = ("source_key", "code", "applicant_hash", "parent_key")


@dataclass(frozen=True)
class Sheet:
    """One page of a told source."""

    rows: Sequence[dict[str, Any]] = ()
    rejects: tuple[Reject, ...] = ()
    cursor: Cursor | None = None
    as_of: datetime | None = None
    new_round: bool = False
    patch: bool = False
    clears: frozenset[str] = frozenset()
    unknown: Mapping[tuple[str, str], int] = field(default_factory=dict)
    undated: bool = False


class Told:
    """A source whose answer is what a test says: sheets in order, an exception where one is to be raised."""

    Options: ClassVar[type[ConnectorOptions]] = ConnectorOptions
    provides: frozenset[str] = frozenset()
    lists_all_open = True
    gives_all = False

    def __init__(self, name: str, options: Any, surroundings: Surroundings) -> None:
        self.name = name
        self.answer: Sequence[Sheet | BaseException] = ()
        self.asked: list[Cursor | None] = []

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        self.asked.append(cursor)
        for number, sheet in enumerate(self.answer, start=1):
            if isinstance(sheet, BaseException):
                raise sheet
            dated = {"as_of": sheet.as_of, "undated": sheet.undated}
            yield Page(sheet, f"{self.name}/{number}", sheet.cursor, new_round=sheet.new_round, **dated)
        yield Page(Sheet(), f"{self.name}/end", listed_all=self.lists_all_open, gave_all=self.gives_all)

    def normalise(self, page: Page) -> Batch:
        sheet: Sheet = page.content
        frame = pl.DataFrame(list(sheet.rows), schema=dict(RECORD_SCHEMA), orient="row")
        rows_read = len(sheet.rows) + len(sheet.rejects)
        return Batch(conform(frame), sheet.rejects, rows_read, sheet.patch, sheet.clears, sheet.unknown)

    def check(self) -> list[str]:
        return [f"{self.name} is told"]


def told(*answer: Sheet | BaseException, name: str = "mau") -> Told:
    """A connector that gives these sheets."""
    source = Told(name, ConnectorOptions(), Surroundings(lambda: START, Path()))
    source.answer = answer
    return source


def record(key: str, **fields: Any) -> dict[str, Any]:
    """A record of a dossier received on the first day; ``fields`` add to it or replace."""
    return {"source_key": key, "kind": "dossier", "received_at": START, "status": 4, **fields}


def take(
    engine: Engine,
    *rows: dict[str, Any],
    at: datetime = START,
    name: str = "mau",
    assertions: Assertions | None = None,
) -> Totals:
    """One pull that finds these rows at an instant."""
    return pull(engine, name, "told", told(Sheet(rows), name=name), now=lambda: at, assertions=assertions)


def query(engine: Engine, statement: str, **values: Any) -> list[Any]:
    """Rows of a SELECT; of a single column its values."""
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(statement), values)]
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


def dossier(engine: Engine, key: str) -> dict[str, Any]:
    """What the projection holds of a dossier."""
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM tthc.dossiers WHERE source_key = :key"), {"key": key}).one()
        return dict(row._mapping)


def assert_chain_holds(engine: Engine) -> int:
    """Compute all hashes of the ledger from its rows, without the code under test; returns the number of links."""
    links = query(
        engine,
        "SELECT b.batch_id, b.kind, b.source_id, s.name, b.seen_at, b.linked_at, b.first_observation_id, "
        "b.last_observation_id, b.row_count, b.asked_at, b.unchanged_at, b.held_until, b.rows_hash, b.previous_hash, "
        "b.chain_hash FROM tthc.observation_batches b JOIN tthc.sources s USING (source_id) ORDER BY batch_id",
    )
    previous, covered, noted = bytes(32), 0, 0
    for link, kind, source, name, seen, *head, rows_hash, before, chain in links:
        if kind == "observations":
            over_rows = observed_hash(engine, source, seen, *head[1:4])
            covered += head[3]
        else:
            over_rows = events_hash(engine, link, head[3])
            noted += head[3]
        assert over_rows == bytes(rows_hash)
        assert bytes(before) == previous
        texts = ["2", kind, str(source), name, canonical(seen), *map(canonical, head)]
        previous = sha256(previous + "|".join(texts).encode() + over_rows).digest()
        assert previous == bytes(chain)
    assert covered == query(engine, "SELECT count(*) FROM tthc.observations")[0], "every observation is under a link"
    assert noted == query(engine, "SELECT count(*) FROM tthc.ledger_events")[0], "every event is under a link"
    return len(links)


def observed_hash(engine: Engine, source: int, seen: datetime, first: int, last: int, count: int) -> bytes:
    """SHA-256 over the observations of a link, from their columns."""
    kept = [name for name in OBSERVED_SCHEMA if name not in DETAILS]
    of_old = kept.index("source_verdict") + 1
    rows = query(
        engine,
        "SELECT source_id, seen_at, dossier_id, content_hash, details_hash, "
        f"{', '.join((*DETAILS, *kept))} FROM tthc.observations "
        f"WHERE observation_id BETWEEN {first} AND {last} ORDER BY observation_id",
    )
    assert len(rows) == count == last - first + 1
    over_rows = sha256()
    for of_source, seen_row, dossier_id, stored, erased, *values in rows:
        assert (of_source, seen_row) == (source, seen)
        details, facts = values[: len(DETAILS)], values[len(DETAILS) :]
        old = [canonical(value) for value in facts[:of_old]]
        later = [
            f"{name}={canonical(v)}" for name, v in zip(kept[of_old:], facts[of_old:], strict=True) if v is not None
        ]
        over_details = sha256("\x1f".join(map(canonical, details)).encode()).digest()
        if erased is not None:
            assert details == ["", None, None, None]
            over_details = bytes(erased)
        digest = sha256(over_details + "\x1f".join([*old, *later]).encode()).digest()
        assert digest == bytes(stored)
        over_rows.update(dossier_id.to_bytes(8, "big") + digest)
    return over_rows.digest()


def events_hash(engine: Engine, link: int, count: int) -> bytes:
    """SHA-256 over the events of a link."""
    events = query(
        engine, "SELECT dossier_id, event FROM tthc.ledger_events WHERE batch_id = :link ORDER BY 1, 2", link=link
    )
    assert len(events) == count
    return sha256("\n".join(f"{dossier_id}|{event}" for dossier_id, event in events).encode()).digest()


def canonical(value: Any) -> str:
    """A value in the text that is hashed."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(microseconds=1))
    return str(value)


def test_the_told_source_is_a_connector() -> None:
    assert isinstance(told(), Connector)


# -- what is appended -----------------------------------------------------------------------------------------------


def test_pulling_the_same_twice_adds_no_observation(engine: Engine) -> None:
    rows = [record("a"), record("b", unit_code="H99.01", unit_name="Sở Xây dựng")]
    first = take(engine, *rows)
    again = take(engine, *reversed(rows), at=START + DAY)
    assert (first.dossiers_new, again.dossiers_new, again.dossiers_changed) == (2, 0, 0)
    assert query(engine, "SELECT count(*) FROM tthc.observations") == [2]
    assert query(engine, "SELECT count(*) FROM tthc.observation_batches") == [1], "no news, no link"
    assert dossier(engine, "a")["changed_at"] == START


CHANGES: dict[str, Any] = {
    name: (
        START + timedelta(hours=5, microseconds=1)
        if dtype == INSTANT
        else 7
        if dtype == pl.Int16()
        else "petition"
        if name == "kind"
        else f"đổi {name}"
    )
    for name, dtype in OBSERVED_SCHEMA.items()
    if name != "source_key"
}


@pytest.mark.parametrize("field", list(CHANGES))
def test_any_changed_field_adds_one_observation_and_moves_the_projection(engine: Engine, field: str) -> None:
    take(engine, record("a"), record("b"))
    done = take(engine, record("a", **{field: CHANGES[field]}), record("b"), at=START + DAY)
    assert (done.dossiers_new, done.dossiers_changed) == (0, 1)
    seen = query(engine, f"SELECT {field}, seen_at FROM tthc.observations WHERE source_key = 'a' ORDER BY seen_at")
    assert seen == [(record("a").get(field), START), (CHANGES[field], START + DAY)]
    held = dossier(engine, "a")
    assert (held[field], held["changed_at"], held["first_seen_at"]) == (CHANGES[field], START + DAY, START)
    assert query(engine, "SELECT count(*) FROM tthc.observations WHERE source_key = 'b'") == [1]


def test_a_field_that_becomes_empty_is_news_too(engine: Engine) -> None:
    take(engine, record("a", due_current=START + DAY, unit_code="H99.01"))
    assert take(engine, record("a", unit_code="H99.01"), at=START + DAY).dossiers_changed == 1
    assert dossier(engine, "a")["due_current"] is None


def test_going_back_to_an_earlier_state_is_observed_again(engine: Engine) -> None:
    for day, status in enumerate((4, 5, 4)):
        take(engine, record("a", status=status), at=START + day * DAY)
    statuses = query(engine, "SELECT status FROM tthc.observations ORDER BY observation_id")
    assert statuses == [4, 5, 4]


def test_a_dossier_that_vanished_from_the_source_keeps_its_last_state(engine: Engine) -> None:
    take(engine, record("a", status=4), record("b"))
    take(engine, record("b", status=9), at=START + DAY)
    assert dossier(engine, "a")["status"] == 4
    assert query(engine, "SELECT count(*) FROM tthc.observations WHERE source_key = 'a'") == [1]


def test_the_same_key_in_two_sources_is_two_dossiers(engine: Engine) -> None:
    take(engine, record("a", status=4), name="mot")
    take(engine, record("a", status=9), name="hai")
    take(engine, record("a", status=5), name="mot", at=START + DAY)
    held = query(
        engine, "SELECT s.name, d.status FROM tthc.dossiers d JOIN tthc.sources s USING (source_id) ORDER BY s.name"
    )
    assert held == [("hai", 9), ("mot", 5)]


# -- the chain ------------------------------------------------------------------------------------------------------


def test_hashes_and_chain_can_be_computed_from_the_stored_rows(engine: Engine) -> None:
    everything: dict[str, Any] = {**CHANGES, "code": 'H99.01-260302-0001 "nhanh", gấp', "step_name": "\\N \\. ;\t'"}
    take(engine, record("a"), record("b", **everything), record("Hồ sơ số 1/2026"))
    take(engine, record("a", status=5, received_at=datetime(1899, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)), name="hai")
    take(engine, record("a", due_current=datetime(2254, 1, 1, microsecond=1, tzinfo=UTC)), at=START + DAY)
    take(engine, *(record(f"k{number}") for number in range(500)), at=START + DAY + timedelta(microseconds=1))
    assert assert_chain_holds(engine) == 6, "four of observations, two of dossiers that were not listed"


def test_pages_of_one_pull_make_one_link_in_the_order_given(engine: Engine) -> None:
    sheets = [Sheet([record(f"{page}-{row}") for row in range(3)]) for page in "cab"]
    pull(engine, "mau", "told", told(Sheet(), *sheets, Sheet()), now=lambda: START)
    keys = query(engine, "SELECT source_key FROM tthc.observations ORDER BY observation_id")
    assert keys == [row["source_key"] for sheet in sheets for row in sheet.rows]
    assert assert_chain_holds(engine) == 1


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("observations", "seen_at"),
        ("observations_y2026m03", "seen_at"),
        ("observation_batches", "seen_at"),
        ("ledger_events", "event"),
    ],
)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tthc.{0} SET {1} = {1}",
        "DELETE FROM tthc.{0}",
        "DELETE FROM tthc.{0} WHERE false",
        "TRUNCATE tthc.{0} CASCADE",
        "MERGE INTO tthc.{0} t USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_the_ledger_refuses_every_change_even_to_its_owner(
    engine: Engine, table: str, column: str, statement: str
) -> None:
    take(engine, record("a"))
    with pytest.raises(DBAPIError, match="the ledger is append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table, column)))
    assert assert_chain_holds(engine) == 1


# -- what the projection remembers ----------------------------------------------------------------------------------


def test_the_first_promise_stays_when_the_promise_in_force_moves(engine: Engine) -> None:
    first, second, third = (START + days * DAY for days in (5, 9, 2))
    take(engine, record("a"))
    assert dossier(engine, "a")["due_first"] is None
    for day, due in enumerate((first, second, third, None, second), start=1):
        take(engine, record("a", due_current=due), at=START + day * DAY)
        assert (dossier(engine, "a")["due_first"], dossier(engine, "a")["due_current"]) == (first, due)


def test_a_first_promise_that_the_source_gives_beats_the_one_we_saw(engine: Engine) -> None:
    take(engine, record("a", due_current=START + 9 * DAY), record("b", due_current=START + 9 * DAY))
    take(engine, record("a", due_original=START + 5 * DAY, due_current=START + 9 * DAY), record("b"), at=START + DAY)
    assert dossier(engine, "a")["due_first"] == START + 5 * DAY
    take(engine, record("a", due_current=START + 12 * DAY), at=START + 2 * DAY)
    assert dossier(engine, "a")["due_first"] == START + 5 * DAY, "a promise once known is not forgotten"
    assert dossier(engine, "b")["due_first"] == START + 9 * DAY


FOLDS: list[tuple[dict[str, Any], tuple[int, int | None, int | None, int | None]]] = [
    # what the source says on each day; since when the status, the end, the request and its end are known, in days
    ({"status": 2}, (0, None, None, None)),
    ({"status": 2, "step_code": "x"}, (0, None, None, None)),
    ({"status": 5}, (2, None, 2, None)),
    ({"status": 5, "step_code": "x"}, (2, None, 2, None)),
    ({"status": 4}, (4, None, 2, 4)),
    ({"status": 4, "step_code": "x"}, (4, None, 2, 4)),
    ({"status": 5}, (6, None, 6, None)),
    # It ended while it waited: nobody answered.
    ({"status": 9}, (7, 7, 6, None)),
    ({"status": 10, "delivered_at": START}, (8, 7, 6, None)),
    ({"status": None}, (9, None, 6, None)),
    ({"status": None, "finished_at": START}, (9, 10, 6, None)),
    ({"status": 7}, (11, 10, 6, None)),
    ({"status": 4}, (12, None, 6, None)),
    ({"status": 5}, (13, None, 13, None)),
    ({"status": 6}, (14, None, 13, 14)),
]


def test_what_only_history_tells_is_folded_pull_by_pull(engine: Engine) -> None:
    def days(*instants: datetime | None) -> tuple[int | None, ...]:
        return tuple(None if instant is None else (instant - START) // DAY for instant in instants)

    for day, (fields, expected) in enumerate(FOLDS):
        take(engine, record("a", **fields), at=START + day * DAY)
        held = dossier(engine, "a")
        seen = (held[f"{name}_at"] for name in ("status_seen", "end_seen", "supplement_seen", "supplement_left"))
        assert days(*seen) == expected, f"day {day}: {fields}"


@pytest.mark.parametrize(
    ("fields", "ended", "asked"),
    [
        ({"status": 10}, True, False),
        ({"status": 3, "received_at": None}, True, False),
        ({"status": 4, "delivered_at": START}, True, False),
        ({"status": None, "finished_at": START}, True, False),
        ({"status": 5}, False, True),
        ({"status": 1}, False, False),
        ({"status": None}, False, False),
    ],
)
def test_a_dossier_may_begin_in_any_state(engine: Engine, fields: dict[str, Any], ended: bool, asked: bool) -> None:
    take(engine, record("a", **fields))
    held = dossier(engine, "a")
    assert (held["end_seen_at"], held["supplement_seen_at"]) == (START if ended else None, START if asked else None)
    assert (held["status_seen_at"], held["supplement_left_at"]) == (START, None)


def test_a_projection_is_the_fold_of_the_observations_alone(engine: Engine) -> None:
    for day, (fields, _) in enumerate(FOLDS):
        take(engine, record("a", **fields), record("b", **FOLDS[-1 - day][0]), at=START + day * DAY)
    newest = query(
        engine,
        f"SELECT DISTINCT ON (dossier_id) dossier_id, observation_id, seen_at, content_hash, {', '.join(OBSERVED_SCHEMA)} "
        "FROM tthc.observations ORDER BY dossier_id, observation_id DESC",
    )
    held = query(
        engine,
        f"SELECT dossier_id, observation_id, changed_at, content_hash, {', '.join(OBSERVED_SCHEMA)} "
        "FROM tthc.dossiers ORDER BY dossier_id",
    )
    assert [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in newest] == [
        [bytes(v) if isinstance(v, memoryview) else v for v in row] for row in held
    ]


# -- catalogues and texts -------------------------------------------------------------------------------------------


def test_names_are_learnt_replaced_and_never_erased(engine: Engine) -> None:
    def names() -> list[Any]:
        return [
            *query(engine, "SELECT unit_code, name FROM tthc.units ORDER BY 1"),
            *query(engine, "SELECT procedure_code, name, sector_code FROM tthc.procedures ORDER BY 1"),
            *query(engine, "SELECT sector_code, name FROM tthc.sectors ORDER BY 1"),
        ]

    codes = {"unit_code": "H99.01", "procedure_code": "1.000001", "sector_code": "XD"}
    take(engine, record("a", **codes))
    assert names() == [("H99.01", None), ("1.000001", None, "XD"), ("XD", None)]
    named = {"unit_name": "Sở Xây dựng", "procedure_name": "Cấp phép", "sector_name": "Xây dựng"}
    take(engine, record("a", **codes, **named), record("b", **codes), at=START + DAY)
    learnt = [("H99.01", "Sở Xây dựng"), ("1.000001", "Cấp phép", "XD"), ("XD", "Xây dựng")]
    assert names() == learnt
    take(engine, record("a", **codes), at=START + 2 * DAY)
    take(engine, record("c", procedure_code="1.000001"), at=START + 2 * DAY)
    assert names() == learnt
    take(engine, record("a", **codes, unit_name="Sở Xây dựng và Giao thông"), at=START + 3 * DAY)
    assert names()[0] == ("H99.01", "Sở Xây dựng và Giao thông")
    assert query(engine, "SELECT first_seen_at FROM tthc.units") == [START]


def test_a_name_without_its_code_teaches_nothing(engine: Engine) -> None:
    take(engine, record("a", unit_name="Sở không mã", sector_name="Lĩnh vực không mã"))
    for table in ("units", "procedures", "sectors"):
        assert query(engine, f"SELECT * FROM tthc.{table}") == []


@pytest.mark.parametrize(
    "value",
    [
        "a\x00b\x1fc\x1ed\ne\r\nf\tg",
        "\\.",
        "\\N",
        "a\n\\.\nb",
        '"',
        '","',
        "'; DROP TABLE tthc.dossiers; --",
        " khoảng trắng ",
        "Ủy ban 𝕏 👩‍⚖️ \u0301\u202e",
        "%s %(x)s :x {x}",
    ],
)
def test_any_text_arrives_as_it_was_with_blanks_for_control_characters(engine: Engine, value: str) -> None:
    expected = "".join(max(character, " ") for character in value)
    fields = {"code": value, "unit_code": value, "unit_name": value, "source_status": value, "step_name": value}
    take(engine, record(f"k{value}", **fields), record("next"))
    held = dossier(engine, f"k{expected}")
    assert {held[name] for name in ("code", "unit_code", "source_status", "step_name")} == {expected}
    assert query(engine, "SELECT unit_code, name FROM tthc.units") == [(expected, expected)]
    assert take(engine, record(f"k{value}", **fields), record("next"), at=START + DAY).dossiers_changed == 0
    assert_chain_holds(engine)


def test_a_huge_text_is_kept_whole(engine: Engine) -> None:
    huge = "đơn thư " * 200_000
    take(engine, record("a", step_name=huge), record("b"))
    assert dossier(engine, "a")["step_name"] == huge
    assert_chain_holds(engine)
