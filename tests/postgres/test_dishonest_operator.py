"""An operator with every right on the database against the ledger: refused, found by verification, or told by an old mail.

Each attack has a database of its own with the same small history. The head is the one that a mail printed on the third day.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import polars as pl
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.conftest import _URL, _admin, _database
from tests.postgres.seed import CALENDARS
from tests.postgres.test_ledger import DAY, START, assert_chain_holds, query, record, take
from tthc_monitor.domain.errors import LedgerError
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.outputs.digest import build_digest, render_digest
from tthc_monitor.outputs.digest_facts import read_digest_facts
from tthc_monitor.store.canonical import content_hashes, rows_bytes
from tthc_monitor.store.copy import copy_out
from tthc_monitor.store.database import database_url, make_engine, transaction
from tthc_monitor.verification import Verdict, verify

CODES = {"a": "H99.01-260302-0001", "b": "H99.01-260302-0002", "c": "H99.01-260302-0003"}


def told(key: str, **fields: object) -> dict[str, object]:
    return record(key, code=CODES[key], unit_code="H99.01", **fields)


@dataclass(frozen=True)
class World:
    """A database with a history, and the head that a mail printed when its fourth link was the newest."""

    name: str
    printed: str


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Links 1 (a, b, c), 2 (a), 3 (b), 4 (c was missed), and of another month 5 (a) and 6 (c has vanished)."""
    addresses = _database(os.environ[_URL], "tthc_template")
    address = next(addresses)
    engine = make_engine(address)
    with engine.begin() as connection:
        _let_serve(connection)
    take(engine, told("a"), told("b"), told("c"))
    take(engine, told("a", status=5), told("b"), told("c"), at=START + DAY)
    take(engine, told("a", status=5), told("b", due_current=START + 9 * DAY), at=START + 2 * DAY)
    with engine.connect() as connection:
        facts = read_digest_facts(connection, START + 2 * DAY + timedelta(hours=1), CALENDARS)
    mail = render_digest(build_digest(facts)).text
    take(engine, told("a", status=9), told("b", due_current=START + 9 * DAY), at=START + 40 * DAY)
    assert assert_chain_holds(engine) == 6
    engine.dispose()
    found = re.search(r"Mã niêm phong sổ cái \(mắt xích số 4, ngày 04/03/2026\):\n((?:[0-9a-f]{8} ?){8})\n", mail)
    assert found is not None, mail
    yield World(database_url(address).database or "", found[1])
    addresses.close()


def _let_serve(connection: object) -> None:
    """Make the role that a running service has, where the migrations do not, with the rights that it needs."""
    run = connection.execute  # type: ignore[attr-defined]
    if not run(text("SELECT count(*) FROM pg_roles WHERE rolname = 'tthc_service'")).scalar():
        run(text("CREATE ROLE tthc_service NOLOGIN"))
    if not run(text("SELECT has_table_privilege('tthc_service', 'tthc.observations', 'INSERT')")).scalar():
        given = "run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, rows_hash, kind, asked_at"
        for right in (
            "USAGE ON SCHEMA tthc", "SELECT ON ALL TABLES IN SCHEMA tthc", "USAGE ON ALL SEQUENCES IN SCHEMA tthc",
            "INSERT ON tthc.observations, tthc.ledger_events", f"INSERT ({given}) ON tthc.observation_batches",
            "EXECUTE ON ALL FUNCTIONS IN SCHEMA tthc", "EXECUTE ON FUNCTION pg_catalog.pg_advisory_xact_lock(bigint)",
        ):  # fmt: skip
            run(text(f"GRANT {right} TO tthc_service"))


@contextmanager
def attacked(world: World) -> Iterator[Engine]:
    name = f"t_{uuid4().hex}"
    _admin(os.environ[_URL], f"CREATE DATABASE {name} TEMPLATE {world.name}")
    engine = make_engine(database_url(os.environ[_URL]).set(database=name))
    try:
        yield engine
    finally:
        engine.dispose()
        _admin(os.environ[_URL], f"DROP DATABASE {name} WITH (FORCE)")


def test_what_nobody_touched_holds_and_a_mail_proves_it(world: World) -> None:
    with attacked(world) as engine:
        verdict = verify(engine, head=world.printed)
        verdict.require()
        assert (verdict.links, verdict.observations, verdict.events) == (6, 6, 2)
        assert verdict.known is not None and verdict.known.number == 4
        newest = query(engine, "SELECT linked_at FROM tthc.observation_batches ORDER BY batch_id")
        assert verify(engine, head=world.printed, at=newest[3]).sound
        assert verify(engine, head=world.printed[:26], at=newest[4] - timedelta(microseconds=1)).sound
        assert verify(engine, head=world.printed, at=newest[4]).sound, "a mail is written a while before it is sent"
        later = verify(engine, head=world.printed, at=newest[5] + timedelta(minutes=16))
        assert [one.what for one in later.broken if "link 6 was the newest linked by" in one.what]


REFUSED: list[tuple[str, str]] = [
    ("UPDATE tthc.observations SET status = 9 WHERE observation_id = 3", "permission denied|append-only"),
    ("UPDATE tthc.observations SET seen_at = seen_at + interval '1 day'", "permission denied|append-only"),
    ("UPDATE tthc.observations SET dossier_id = 1 WHERE dossier_id = 2", "permission denied|append-only"),
    ("UPDATE tthc.observations SET source_key = '', code = NULL, details_hash = sha256('x')", "permission denied|append-only"),
    ("DELETE FROM tthc.observations WHERE observation_id = 3", "permission denied|append-only"),
    ("DELETE FROM tthc.observations_y2026m04", "permission denied|append-only"),
    ("TRUNCATE tthc.observations", "permission denied|append-only"),
    ("TRUNCATE tthc.observations_y2026m03", "permission denied|append-only"),
    ("UPDATE tthc.observation_batches SET seen_at = seen_at - interval '1 day' WHERE batch_id = 3", "permission denied|append-only"),
    ("DELETE FROM tthc.observation_batches WHERE batch_id = 6", "permission denied|append-only"),
    ("TRUNCATE tthc.observation_batches CASCADE", "permission denied|append-only"),
    ("UPDATE tthc.ledger_events SET event = 'left_out'", "permission denied|append-only"),
    ("DELETE FROM tthc.ledger_events", "permission denied|append-only"),
    ("INSERT INTO tthc.observation_batches OVERRIDING SYSTEM VALUE SELECT * FROM tthc.observation_batches WHERE batch_id = 3",
     "permission denied|duplicate key"),
]  # fmt: skip


def attempt(engine: Engine, statement: str, role: str | None) -> None:
    with engine.begin() as connection:
        if role is not None:
            connection.execute(text(f"SET LOCAL ROLE {role}"))
        connection.execute(text(statement))


@pytest.mark.parametrize("role", ["tthc_service", None])
@pytest.mark.parametrize(("statement", "refusal"), REFUSED)
def test_what_is_written_cannot_be_changed(refused: Engine, role: str | None, statement: str, refusal: str) -> None:
    with pytest.raises(DBAPIError, match=refusal):
        attempt(refused, statement, role)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER only_erasure ON tthc.observations",
        "ALTER TABLE tthc.observations DISABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = replica",
        "ALTER TABLE tthc.observations DETACH PARTITION tthc.observations_y2026m03",
        "CREATE OR REPLACE FUNCTION tthc.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, row_count, rows_hash, kind, previous_hash, chain_hash) "
        "VALUES (1, 1, now(), 1, '', 'events', '', '')",
    ],
)
def test_the_service_cannot_take_the_guards_away(refused: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        attempt(refused, statement, "tthc_service")


@pytest.fixture(scope="module")
def refused(world: World) -> Iterator[Engine]:
    """A database in which every attack is refused, so that all may share it; it still holds at the end."""
    with attacked(world) as engine:
        yield engine
        verify(engine, head=world.printed).require()


def behind(*statements: str, role: str | None = None) -> Callable[[Engine], None]:
    """Statements of somebody who may switch all triggers off for the session."""

    def attack(engine: Engine) -> None:
        with engine.begin() as connection:
            if role is None:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                connection.execute(text(f"SET LOCAL ROLE {role}"))
            for statement in statements:
                connection.execute(text(statement))

    return attack


def openly(*statements: str) -> Callable[[Engine], None]:
    """Statements of the owner with all triggers on."""

    def attack(engine: Engine) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    return attack


LIKE_THREE = ", ".join(["source_id", *OBSERVED_SCHEMA, "content_hash"])
ANOTHER = f"INSERT INTO tthc.observations (observation_id, dossier_id, seen_at, {LIKE_THREE}) SELECT {{0}}, {{1}}, {{2}}, {LIKE_THREE} FROM tthc.observations WHERE observation_id = 3"
LINK_OF_ITS_OWN = (
    "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, "
    "rows_hash) SELECT 1, 1, seen_at, observation_id, observation_id, 1, sha256(int8send(dossier_id) || content_hash) "
    "FROM tthc.observations WHERE observation_id = 7"
)
CHAIN_ANEW = """
    DO $$
    DECLARE
        before bytea := decode(repeat('00', 32), 'hex');
        link tthc.observation_batches;
    BEGIN
        FOR link IN SELECT * FROM tthc.observation_batches ORDER BY batch_id LOOP
            link.previous_hash := before;
            before := tthc.link_hash(link);
            UPDATE tthc.observation_batches SET previous_hash = link.previous_hash, chain_hash = before
            WHERE batch_id = link.batch_id;
        END LOOP;
    END $$"""


def consistently(statement: str, *, chain: bool = True) -> Callable[[Engine], None]:
    """A change of observations after which all their hashes, and those of all links, are right again."""

    def attack(engine: Engine) -> None:
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(statement))
            schema = {"observation_id": pl.Int64(), "dossier_id": pl.Int64(), **OBSERVED_SCHEMA}
            rows = copy_out(
                connection, f"SELECT {', '.join(schema)} FROM tthc.observations ORDER BY 1", schema, exact=True
            )
            rows = rows.with_columns(content_hashes(rows))
            set_content = text("UPDATE tthc.observations SET content_hash = :hash WHERE observation_id = :number")
            for number, digest in rows.select("observation_id", "content_hash").iter_rows():
                connection.execute(set_content, {"number": number, "hash": digest})
            if not chain:
                return
            links = "SELECT batch_id, first_observation_id, last_observation_id FROM tthc.observation_batches"
            for link, first, last in connection.execute(text(f"{links} WHERE kind = 'observations'")).all():
                mine = rows.filter(pl.col("observation_id").is_between(first, last))
                digest = sha256(rows_bytes(mine["dossier_id"], mine["content_hash"])).digest()
                set_rows = text("UPDATE tthc.observation_batches SET rows_hash = :hash WHERE batch_id = :link")
                connection.execute(set_rows, {"link": link, "hash": digest})
            connection.execute(text(CHAIN_ANEW))

    return attack


@dataclass(frozen=True)
class Attack:
    """What is done, the first broken link that must be named (None: none is), and a word of what is said about it."""

    what: str
    do: Callable[[Engine], None]
    link: int | None
    said: str


_FACT = "UPDATE tthc.observations SET due_current = due_current + interval '3 days' WHERE observation_id = 5"
_ERASED = (
    "UPDATE tthc.observations SET details_hash = sha256(convert_to(concat(source_key, E'\\x1f', code, E'\\x1f', "
    "applicant_hash, E'\\x1f', parent_key), 'UTF8')), source_key = '', code = NULL WHERE observation_id = 5"
)
FOUND: list[Attack] = [
    Attack("the trigger dropped, and a fact changed", openly("DROP TRIGGER only_erasure ON tthc.observations", _FACT),
           3, f"observation 5 (dossier {CODES['b']}) was changed"),
    Attack("the trigger dropped, and nothing changed yet", openly("DROP TRIGGER append_only ON tthc.observation_batches"),
           None, "trigger append_only of table tthc.observation_batches"),
    Attack("a trigger of one month disabled", openly("ALTER TABLE tthc.observations_y2026m03 DISABLE TRIGGER append_only"),
           None, "trigger append_only of table tthc.observations_y2026m03 is disabled"),
    Attack("the guard's function emptied",
           openly("CREATE OR REPLACE FUNCTION tthc.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"),
           None, "function tthc.refuse_change is not the one"),
    Attack("a trigger that nobody knows",
           openly("CREATE TRIGGER mine BEFORE INSERT ON tthc.observations FOR EACH ROW EXECUTE FUNCTION tthc.refuse_change()"),
           None, "has the trigger mine, which no migration made"),
    Attack("the right to change granted to everybody", openly("GRANT UPDATE ON tthc.observations TO PUBLIC"),
           None, "role PUBLIC may UPDATE table tthc.observations"),
    Attack("a fact changed behind the triggers", behind(_FACT), 3, f"observation 5 (dossier {CODES['b']}) was changed"),
    Attack("a fact changed with its own hash", consistently(_FACT, chain=False), 3, "together with its own hash"),
    Attack("two columns moved into one, with the same text in all",
           behind("UPDATE tthc.observations SET source_status = E'\\x1f', step_code = NULL WHERE observation_id = 4"),
           2, "control characters"),
    Attack("a column given by name moved into another, with the same text in all",
           behind("UPDATE tthc.observations SET step_unit_code = E'x\\x1estep_started_at=1', step_started_at = NULL "
                  "WHERE observation_id = 4"), 2, "control characters"),
    Attack("an instant without end in place of none",
           behind("UPDATE tthc.observations SET finished_at = 'infinity' WHERE observation_id = 4"), 2, "observation 4"),
    Attack("a row deleted", behind("DELETE FROM tthc.observations WHERE observation_id = 2"), 1, "observation 2 is missing"),
    Attack("the last row deleted", behind("DELETE FROM tthc.observations WHERE observation_id = 6"), 5, "observation 6 is missing"),
    Attack("a row given to another dossier",
           behind("UPDATE tthc.observations SET dossier_id = 2 WHERE observation_id = 4"), 2, "given to another dossier"),
    Attack("a row twice", behind(ANOTHER.format(3, 9, "seen_at")), 1, "two observations have the number 3"),
    Attack("a row in the past under no link", behind(ANOTHER.format(7, 3, "seen_at + interval '2 hours'"), role="tthc_service"),
           None, f"observation 7 (dossier {CODES['c']}) is under no link"),
    Attack("a row between two others, under no link", behind(ANOTHER.format(0, 3, "seen_at")), None, "observation 0 (dossier"),
    Attack("a row in the past with a link of its own",
           behind(ANOTHER.format(7, 3, "seen_at + interval '2 hours'"), LINK_OF_ITS_OWN, role="tthc_service"),
           7, "put into the past"),
    Attack("a dossier made two, with a link of its own",
           behind(ANOTHER.format(7, 99, "seen_at + interval '41 days'"), LINK_OF_ITS_OWN, role="tthc_service"),
           None, "dossier c of source mau has 2 numbers: 3, 99"),
    Attack("two dossiers made one, with a link of its own",
           behind(ANOTHER.format(7, 1, "seen_at + interval '41 days'"), LINK_OF_ITS_OWN, role="tthc_service"),
           None, "dossier number 1 has the keys of 2 dossiers"),
    Attack("an event added by the service", behind("INSERT INTO tthc.ledger_events VALUES (6, 3, 'back')", role="tthc_service"),
           6, "tells of 1 event, but 2"),
    Attack("an event under a link of observations",
           behind("INSERT INTO tthc.ledger_events VALUES (5, 3, 'back')", role="tthc_service"), 5, "covers observations"),
    Attack("an event removed", behind("DELETE FROM tthc.ledger_events WHERE batch_id = 4"), 4, "tells of 1 event, but 0"),
    Attack("an event changed", behind("UPDATE tthc.ledger_events SET event = 'left_out' WHERE batch_id = 4"), 4, "event under it"),
    Attack("an event of no link", behind("INSERT INTO tthc.ledger_events VALUES (99, 3, 'back')"), None, "1 event under no link"),
    Attack("details erased and nothing said", openly(_ERASED), 3, "no event tells of it"),
    Attack("details erased, and others put in their place",
           behind(_ERASED, "UPDATE tthc.observations SET code = 'H99.01-260302-0009' WHERE observation_id = 5"),
           3, "without details, was changed"),
    Attack("details erased, and a fact changed with them",
           behind(_ERASED, _FACT), 3, "observation 5 (dossier 2), without details, was changed"),
    Attack("a month detached", openly("ALTER TABLE tthc.observations DETACH PARTITION tthc.observations_y2026m04"),
           5, "observation 6 is missing"),
    Attack("a month dropped", openly("ALTER TABLE tthc.observations DETACH PARTITION tthc.observations_y2026m03",
                                     "DROP TABLE tthc.observations_y2026m03"), 1, "observation 1 is missing, the first of 3"),
    Attack("a link removed from the middle",
           behind("DELETE FROM tthc.ledger_events WHERE batch_id = 4", "DELETE FROM tthc.observation_batches WHERE batch_id = 4"),
           5, "a link between them is missing"),
    Attack("the first link removed", behind("DELETE FROM tthc.observation_batches WHERE batch_id = 1"), 2, "observation 1 (dossier"),
    Attack("seen_at of a link moved",
           behind("UPDATE tthc.observation_batches SET seen_at = seen_at - interval '1 hour' WHERE batch_id = 3"),
           3, "seen at another instant"),
    Attack("seen_at of link and rows moved",
           behind("UPDATE tthc.observation_batches SET seen_at = seen_at - interval '1 hour' WHERE batch_id = 3",
                  "UPDATE tthc.observations SET seen_at = seen_at - interval '1 hour' WHERE observation_id = 5"),
           3, "its hash does not follow"),
    Attack("seen_at of a row moved", behind("UPDATE tthc.observations SET seen_at = seen_at + interval '40 days' WHERE observation_id = 4"),
           2, "seen at another instant"),
    Attack("the server's clock of a link moved",
           behind("UPDATE tthc.observation_batches SET linked_at = linked_at - interval '1 hour' WHERE batch_id = 3"),
           3, "its hash does not follow"),
    Attack("when a source was asked moved",
           behind("UPDATE tthc.observation_batches SET asked_at = asked_at - interval '1 hour' WHERE batch_id = 2"),
           2, "its hash does not follow"),
    Attack("a source renamed", openly("UPDATE tthc.sources SET name = 'khac'"), 1, "its hash does not follow"),
    Attack("a link with another hash of its own",
           behind("UPDATE tthc.observation_batches b SET row_count = 1, last_observation_id = 1 WHERE batch_id = 1",
                  "UPDATE tthc.observation_batches b SET chain_hash = tthc.link_hash(b) WHERE batch_id = 1"),
           1, "not the ones that were linked"),
    Attack("a link that says it is of before",
           behind("UPDATE tthc.observation_batches SET version = 1 WHERE batch_id = 3"), 3, "observation 5 "),
    Attack("flags deleted",
           openly("INSERT INTO tthc.calendar_versions (name, fingerprint, definition, known_from) VALUES ('x', 'x', '{}', now())",
                  "INSERT INTO tthc.evaluations (started_at, finished_at, reason, engine_version, ruleset_fingerprint, "
                  "calendar_version_id, flags_opened) VALUES (now(), now(), 'x', 'x', 'x', 1, 2)"),
           None, "evaluation 1 opened 2 flags, but 0 of it are held"),
    Attack("all hashes made anew from the change on", consistently(_FACT), None, "no link of this ledger has the head"),
    Attack("all hashes made anew after a row was removed with its link",
           behind("DELETE FROM tthc.observations WHERE observation_id = 4", "DELETE FROM tthc.observation_batches WHERE batch_id = 2",
                  CHAIN_ANEW), None, "no link of this ledger has the head"),
    Attack("the end cut off, to before the mail",
           behind("DELETE FROM tthc.ledger_events", "DELETE FROM tthc.observation_batches WHERE batch_id > 2",
                  "DELETE FROM tthc.observations WHERE observation_id > 4"), None, "no link of this ledger has the head"),
    Attack("everything removed",
           behind("DELETE FROM tthc.ledger_events", "DELETE FROM tthc.observation_batches", "DELETE FROM tthc.observations"),
           None, "no link of this ledger has the head"),
]  # fmt: skip


@pytest.mark.parametrize("attack", FOUND, ids=lambda attack: attack.what.replace(" ", "-").replace(",", ""))
def test_what_was_changed_all_the_same_is_found(world: World, attack: Attack) -> None:
    with attacked(world) as engine:
        attack.do(engine)
        verdict = verify(engine, head=world.printed)
        by_itself = verify(engine)
        assert by_itself.sound == attack.said.startswith("no link of this"), "only the mail tells what all hashes hide"
        first = first_link(verdict)
        assert (first, attack.said in str(verdict.broken[0]) or attack.said in "".join(map(str, verdict.broken))) == (
            attack.link,
            True,
        ), [str(one) for one in verdict.broken]
        said = (
            "the ledger agrees with itself: .*this head is not proved: "
            if by_itself.sound
            else "the ledger is broken, "
        )
        with pytest.raises(LedgerError, match=f"^{said}"):
            verdict.require()


def first_link(verdict: Verdict) -> int | None:
    return next((one.link.number for one in verdict.broken if one.link is not None), None)
