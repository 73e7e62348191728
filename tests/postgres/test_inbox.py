"""Messages wait for their source in the order in which their deliveries were committed, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.base import Cursor, Inbox, Page
from tests.postgres.test_ledger import DAY, START, Sheet, Told, query, record, told
from tthc_monitor.domain.errors import TransientSourceError
from tthc_monitor.ingest import pull
from tthc_monitor.rehearsal import rehearse
from tthc_monitor.store import inbox
from tthc_monitor.store.database import transaction
from tthc_monitor.store.inbox import StoredInbox, deliver


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


def send(engine: Engine, *contents: Any, source: str = "mau", at: Any = START) -> None:
    with transaction(engine) as connection:
        deliver(connection, source, contents, at)


def waiting(engine: Engine, after: int = 0, source: str = "mau") -> list[Any]:
    return [message.content for message in StoredInbox(engine, source).messages(after)]


class Sent(Told):
    """A told source whose messages are records; its cursor is the number of the last one."""

    letters: Inbox
    failure: BaseException | None = None

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for message in self.letters.messages(0 if cursor is None else cursor["number"]):
            yield Page(Sheet([record(message.content)]), "inbox", {"number": message.number}, new_round=True)
        if self.failure is not None:
            raise self.failure


def sent(engine: Engine) -> Sent:
    source = told()
    source.__class__ = Sent
    assert isinstance(source, Sent)
    source.letters = StoredInbox(engine, "mau")
    return source


def test_messages_come_in_order_to_their_own_source(engine: Engine) -> None:
    send(engine, "a", "b")
    send(engine, "x", source="khac")
    send(engine, "c", "a")
    found = list(StoredInbox(engine, "mau").messages(0))
    assert [message.content for message in found] == ["a", "b", "c", "a"], "one sent again is kept again"
    assert [message.number for message in found] == sorted({message.number for message in found})
    assert {message.received_at for message in found} == {START}
    assert waiting(engine, found[1].number) == ["c", "a"]
    assert waiting(engine, found[-1].number) == waiting(engine, source="ai") == []
    assert waiting(engine, source="khac") == ["x"]


def test_any_json_comes_back_as_it_was(engine: Engine) -> None:
    texts = ["", "\x00", "\ud800", "' %s :x \\u0000 \\", "x" * 300_000]
    contents = [None, 0, 2**70, 1.5, *texts, {"b": [1, {"a": None}], "a": "Ủy ban"}, [], [[]]]
    send(engine, *contents)
    assert waiting(engine) == contents


def test_what_is_no_json_is_refused_and_nothing_is_kept(engine: Engine) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        send(engine, "a", float("nan"))
    send(engine)
    assert waiting(engine) == []


def test_portions_are_bounded_by_rows_and_by_size(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_PORTION_ROWS", 3)
    monkeypatch.setattr(inbox, "_PORTION_BYTES", 50)
    contents = ["a", "b" * 60, "c" * 60, "d", "e", "f", "g", "h"]
    send(engine, *contents)
    box = StoredInbox(engine, "mau")
    sizes = []
    original = box._portion

    def portion(after: int, last: int) -> Any:
        found = original(after, last)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(box, "_portion", portion)
    assert [message.content for message in box.messages(0)] == contents
    assert sizes == [2, 1, 3, 2]


def test_what_arrives_while_messages_are_read_waits_for_the_next_pull(engine: Engine) -> None:
    send(engine, "a", "b")
    reading = StoredInbox(engine, "mau").messages(0)
    first = next(reading)
    send(engine, "c")
    rest = list(reading)
    assert [message.content for message in (first, *rest)] == ["a", "b"]
    assert waiting(engine, rest[-1].number) == ["c"]


def test_a_reader_holds_no_transaction_between_portions(engine: Engine) -> None:
    send(engine, "a", "b")
    reading = StoredInbox(engine, "mau").messages(0)
    next(reading)
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert query(engine, open_ones) == [0]


def test_deliveries_take_turns_so_that_no_number_appears_behind_one_that_was_read(engine: Engine) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction(engine) as connection:
            deliver(connection, "mau", ["first"], START)
            inside.set()
            assert go_on.wait(20)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow)
        assert inside.wait(20)
        second = pool.submit(send, engine, "second")
        send(engine, "x", source="khac")
        assert waiting(engine) == [], "the second does not overtake the first; another source does not wait"
        go_on.set()
        first.result()
        second.result()
    assert waiting(engine) == ["first", "second"]


def test_a_pull_reads_each_message_once_and_a_failed_one_loses_none(engine: Engine) -> None:
    send(engine, "a", "b")
    source = sent(engine)
    assert pull(engine, "mau", "told", source, now=lambda: START).dossiers_new == 2
    send(engine, "c")
    source.failure = TransientSourceError("gone; try again")
    with pytest.raises(TransientSourceError):
        pull(engine, "mau", "told", source, now=lambda: START + DAY)
    source.failure = None
    done = pull(engine, "mau", "told", source, now=lambda: START + DAY)
    assert (done.rows_read, done.dossiers_new) == (1, 1)
    assert query(engine, "SELECT source_key FROM tthc.observations ORDER BY observation_id") == ["a", "b", "c"]


def test_messages_are_forgotten_a_week_after_a_good_pull_could_read_them(engine: Engine) -> None:
    source, week = sent(engine), timedelta(days=7)
    send(engine, "a")
    send(engine, "b", at=START + DAY)
    send(engine, "x", source="khac")
    pull(engine, "mau", "told", source, now=lambda: START + DAY)
    source.failure = TransientSourceError("gone; try again")
    with pytest.raises(TransientSourceError):
        pull(engine, "mau", "told", source, now=lambda: START + 30 * DAY)
    assert waiting(engine) == ["a", "b"], "a failed pull proves nothing, however late it is"
    source.failure = None
    pull(engine, "mau", "told", source, now=lambda: START + week)
    assert waiting(engine) == ["a", "b"]
    rehearse(engine, "mau", source, now=lambda: START + 30 * DAY)
    pull(engine, "mau", "told", source, now=lambda: START + week + timedelta(microseconds=1))
    assert (waiting(engine), waiting(engine, source="khac")) == (["b"], ["x"])
