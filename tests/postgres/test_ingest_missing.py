"""What is gone from a source and what only was not listed; and what listing now and then still proves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.base import LooksDirectly, Page
from tests.postgres.test_history_facts import days, on, vanished
from tests.postgres.test_ingest import reject
from tests.postgres.test_ledger import START, Sheet, Told, dossier, query, record, take, told
from tthc_monitor import intake
from tthc_monitor.domain.errors import ConfigError, DataAssertionError, PermanentSourceError, TransientSourceError
from tthc_monitor.ingest import Assertions, pull
from tthc_monitor.store.runs import Totals


@pytest.fixture
def engine(service_engine: Engine) -> Engine:
    """With the rights of the service: all that is done here, it must be able to do."""
    return service_engine


class Askable(Told):
    """A told source that can be asked for single dossiers: those it lists, unless it is blind, and others it has."""

    has: Sequence[dict[str, Any]] = ()
    refused = 0
    blind = False
    failure: BaseException | None = None

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        self.looked.append(list(keys))
        if self.failure is not None:
            raise self.failure
        listed = [] if self.blind else [row for sheet in self.answer if isinstance(sheet, Sheet) for row in sheet.rows]
        found = [row for row in (*self.has, *listed) if row["source_key"] in keys]
        yield Page(Sheet(found, tuple(reject(number) for number in range(self.refused))), f"{self.name}/look")

    looked: list[list[str]]


def askable(*rows: dict[str, Any], has: Sequence[dict[str, Any]] = (), **more: Any) -> Askable:
    source = told(Sheet(rows))
    source.__class__ = Askable
    assert isinstance(source, Askable)
    source.has, source.looked = has, []
    for name, value in more.items():
        setattr(source, name, value)
    return source


def take_with(engine: Engine, source: Told, day: float, **options: Any) -> Totals:
    return pull(engine, "mau", "told", source, now=lambda: on(day), **options)


def notes(engine: Engine) -> list[str | None]:
    return query(engine, "SELECT note FROM audit.pull_runs ORDER BY run_id")


def missing(engine: Engine) -> list[str]:
    return query(engine, "SELECT source_key FROM tthc.missing JOIN tthc.dossiers USING (dossier_id) ORDER BY 1")


def only_news(engine: Engine, day: float, *rows: dict[str, Any], as_of: datetime | None = None) -> None:
    """A pull of a source that lists only what changed."""
    source = told(Sheet(rows, as_of=as_of))
    source.lists_all_open = False
    take_with(engine, source, day)


# -- asked for directly ---------------------------------------------------------------------------------------------


def test_only_an_askable_source_is_asked() -> None:
    assert isinstance(askable(), LooksDirectly)
    assert not isinstance(told(), LooksDirectly)


def test_a_dossier_missed_twice_is_asked_for_and_only_what_the_source_does_not_have_has_vanished(
    engine: Engine,
) -> None:
    take(engine, *(record(key) for key in "abcd"))
    first = askable(record("d"))
    take_with(engine, first, 1)
    assert first.looked == [], "missed once"
    second = askable(record("d"), has=[record("a"), record("b", status=9)])
    done = take_with(engine, second, 2)
    assert second.looked == [["a", "b", "c", "d"]], "with one that was just listed"
    assert (vanished(engine), missing(engine)) == (["c"], ["c"])
    assert (done.dossiers_changed, done.rows_rejected, dossier(engine, "b")["status"]) == (1, 0, 9)
    assert days(dossier(engine, "b")["open_seen_at"]) == 0
    # The one found open was only not listed: it is missed for the first time again.
    third = askable(record("d"))
    take_with(engine, third, 3)
    assert third.looked == []
    assert (vanished(engine), missing(engine)) == (["c"], ["a", "c"])
    assert notes(engine) == [None] * 4


@pytest.mark.parametrize(
    "failure",
    [TransientSourceError("it sleeps; try again"), PermanentSourceError("no such right; ask for it")],
    ids=repr,
)
def test_when_the_source_cannot_be_asked_nothing_vanishes_and_the_pull_is_good(
    engine: Engine, failure: BaseException
) -> None:
    take(engine, record("a"), record("d"))
    take_with(engine, askable(record("d")), 1)
    done = take_with(engine, askable(record("d", status=5), failure=failure), 2)
    assert (done.dossiers_changed, vanished(engine), missing(engine)) == (1, [], ["a"])
    assert query(engine, "SELECT outcome FROM tthc.pull_runs ORDER BY run_id") == ["ok"] * 3
    assert (
        notes(engine)[2] == f"1 dossiers were missed again and could not be asked for, so none has vanished: {failure}"
    )
    take_with(engine, askable(record("d", status=5)), 3)
    assert vanished(engine) == ["a"], "as soon as it can be asked"


def test_wrong_settings_found_by_asking_fail_the_pull(engine: Engine) -> None:
    take(engine, record("a"), record("d"))
    take_with(engine, askable(record("d")), 1)
    with pytest.raises(ConfigError):
        take_with(engine, askable(record("d"), failure=ConfigError("wrong; correct it")), 2)
    assert vanished(engine) == []


def test_a_dossier_that_is_found_but_cannot_be_read_has_not_vanished(engine: Engine) -> None:
    take(engine, record("a"), record("b"), record("d"))
    take_with(engine, askable(record("d")), 1)
    done = take_with(engine, askable(record("d"), has=[record("b")], refused=1), 2)
    assert (done.rows_rejected, vanished(engine), missing(engine)) == (1, [], ["a"])
    assert len(query(engine, "SELECT value FROM tthc.rejects")) == 1


def test_a_listing_that_is_not_believed_asks_for_nothing(engine: Engine) -> None:
    keys = [str(number) for number in range(100)]
    take(engine, *map(record, keys))
    for day in (1, 2):
        source = askable(*map(record, keys[21:]))
        take_with(engine, source, day)
        assert source.looked == []
    assert "too many at once" in str(notes(engine)[2])


def test_rows_that_could_not_be_read_do_not_keep_what_the_source_does_not_have_from_vanishing(engine: Engine) -> None:
    keys = [str(number) for number in range(100)]
    take(engine, *map(record, keys))
    take_with(engine, askable(*map(record, keys[1:])), 1)
    unread = askable()
    unread.answer = (Sheet([record(key) for key in keys[1:]], (reject(1),)),)
    take_with(engine, unread, 2)
    assert (len(unread.looked), vanished(engine), notes(engine)[2]) == (1, ["0"], None)


def test_where_it_cannot_be_asked_rows_that_could_not_be_read_may_be_what_is_missing_and_the_note_says_so(
    engine: Engine,
) -> None:
    keys = [str(number) for number in range(100)]
    take(engine, *map(record, keys))
    take(engine, *map(record, keys[1:]), at=on(1))
    take_with(engine, told(Sheet([record(key) for key in keys[1:]], (reject(1),))), 2)
    assert (vanished(engine), missing(engine)) == ([], ["0"])
    assert "may be among the 1 rows that could not be read" in str(notes(engine)[2])


def test_a_source_that_does_not_even_have_what_it_just_listed_proves_nothing_when_asked(engine: Engine) -> None:
    take(engine, record("a"), record("d"))
    take_with(engine, askable(record("d")), 1)
    take_with(engine, askable(record("d"), blind=True), 2)
    assert (vanished(engine), missing(engine)) == ([], ["a"])
    assert "asked for one that was just listed the source did not have it either" in str(notes(engine)[2])
    take_with(engine, askable(record("d")), 3)
    assert vanished(engine) == ["a"]


# -- what is no proof -----------------------------------------------------------------------------------------------


def test_a_source_that_lists_nothing_open_is_not_believed(engine: Engine) -> None:
    keys = [f"k{number}" for number in range(15)]
    take(engine, *map(record, keys))
    for day in (1, 2, 3):
        take(engine, record("e", status=9), at=on(day))
    assert (vanished(engine), missing(engine)) == ([], [])
    assert "15 of 15 open dossiers were not listed by this pull, which listed no open" in str(notes(engine)[3])


def test_two_misses_within_an_hour_are_one(engine: Engine) -> None:
    take(engine, record("a"), record("d"))
    for minutes in (0, 10, 59):
        take(engine, record("d"), at=on(1 + minutes / 1440))
    assert (vanished(engine), missing(engine)) == ([], ["a"])
    take(engine, record("d"), at=on(1 + 60 / 1440))
    assert vanished(engine) == ["a"]


def test_a_listing_of_before_tells_nothing_of_what_was_learnt_since(engine: Engine) -> None:
    take(engine, record("a"), record("d"), at=on(2))
    for day in (3, 4):
        take_with(engine, told(Sheet([record("d")], as_of=on(1))), day)
    assert missing(engine) == [], "older than the newest listing"
    only_news(engine, 5, record("new"))
    for day in (6, 7):
        take_with(engine, told(Sheet([record("a"), record("d")], as_of=on(day - 1.5))), day)
    assert (missing(engine), vanished(engine)) == (["new"], []), "missed once: the first listing is of before it"
    only_news(engine, 8, record("d", status=9))
    assert days(dossier(engine, "d")["open_seen_at"]) == 5.5


def test_an_older_state_does_not_replace_a_newer_one_and_the_note_tells(engine: Engine) -> None:
    take(engine, record("a", status=4), record("b", status=4))
    take_with(engine, told(Sheet([record("a", status=5), record("c")], as_of=on(2))), 3)
    take_with(engine, told(Sheet([record("a", status=4), record("b", status=5), record("n")], as_of=on(1))), 4)
    assert [dossier(engine, key)["status"] for key in "abn"] == [5, 5, 4]
    assert notes(engine) == [
        None,
        None,
        "1 dossiers were left out: what is held of them is newer than what was given",
    ]
    assert (missing(engine), vanished(engine)) == (["b"], [])


def test_of_messages_each_counts_although_one_that_came_before_the_last_pull_began_is_read_after_it(
    engine: Engine,
) -> None:
    take(engine, record("a"), at=on(2))
    source = told(Sheet([record("a", status=5)], as_of=on(1), new_round=True))
    source.lists_all_open = False
    take_with(engine, source, 3)
    assert (dossier(engine, "a")["status"], notes(engine)) == (5, [None, None])


def test_of_pages_of_different_age_each_is_compared_by_its_own(engine: Engine) -> None:
    take_with(engine, told(Sheet([record("a"), record("b")], as_of=on(2))), 3)
    pages = (Sheet([record("a", status=5)], as_of=on(1)), Sheet([record("b", status=5)], as_of=on(3)))
    take_with(engine, told(*pages), 4)
    assert [dossier(engine, key)["status"] for key in "ab"] == [4, 5]


def test_what_nobody_can_date_is_taken_in_and_proves_nothing(engine: Engine) -> None:
    take(engine, record("a"), record("b"), record("d"))
    for day in (1, 2):
        undated = told(Sheet([record("a", steps_done=day), record("b", status=5), record("n")], undated=True))
        take_with(engine, undated, day)
    assert (vanished(engine), missing(engine)) == ([], []), "no listing"
    assert query(engine, "SELECT listed_open_at FROM audit.pull_runs ORDER BY run_id")[1:] == [None, None]
    only_news(engine, 3, *(record(key, status=9) for key in "abnd"))
    seen = {key: dossier(engine, key)["open_seen_at"] for key in "abnd"}
    assert {key: at and days(at) for key, at in seen.items()} == {"a": 0, "b": None, "n": None, "d": 0}


def test_what_a_narrower_configuration_leaves_out_does_not_vanish(engine: Engine) -> None:
    keys = [f"k{number:02}" for number in range(40)]
    take_with(engine, told(Sheet(list(map(record, keys)))), 0, scope="all")
    for day in (1, 2, 3):
        take_with(engine, told(Sheet(list(map(record, keys[30:])))), day, scope="some")
    assert (vanished(engine), len(missing(engine))) == ([], 30)
    assert "30 open dossiers are not listed since then" in str(notes(engine)[1])
    assert notes(engine)[2:] == [None, None], "and they raise no doubt"
    # Given again, one is like any other.
    take_with(engine, told(Sheet(list(map(record, keys[29:])))), 4, scope="some")
    for day in (5, 6):
        take_with(engine, told(Sheet(list(map(record, keys[30:])))), day, scope="some")
    assert vanished(engine) == ["k29"]


def test_a_source_that_gives_no_page_or_a_part_is_not_held_to_the_volume_of_a_full_pull(engine: Engine) -> None:
    class Silent(Told):
        def fetch(self, cursor: Any) -> Iterator[Page]:
            yield from (Page(sheet, "part", part=True) for sheet in self.answer)

    least = Assertions(min_rows=5, max_drop=0.1)
    for answer in ((), (Sheet([record("a")]),)):
        source = told(*answer)
        source.__class__ = Silent
        take_with(engine, source, 1, assertions=least)
    assert query(engine, "SELECT outcome, was_full FROM audit.pull_runs ORDER BY run_id") == [("ok", False)] * 2


def test_volumes_count_each_dossier_once(engine: Engine) -> None:
    rows = [record(f"k{number}") for number in range(6)]
    least = Assertions(max_drop=0.3)
    take_with(engine, told(Sheet(rows), Sheet(rows)), 0, assertions=least)
    take_with(engine, told(Sheet(rows[:5])), 1, assertions=least)
    assert query(engine, "SELECT rows_read, rows_open FROM audit.pull_runs ORDER BY run_id") == [(12, 6), (5, 5)]


def test_many_are_asked_for_in_portions_and_the_rest_in_the_next_pull(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "LOOK_PORTION", 3)
    monkeypatch.setattr(intake, "LOOKS_A_PULL", 5)
    take(engine, *(record(f"k{number:02}") for number in range(8)), record("x"))
    take_with(engine, askable(record("x")), 1)
    source = askable(record("x"), has=[record("k01")])
    take_with(engine, source, 2)
    assert source.looked == [["k00", "k01", "k02", "x"], ["k03", "k04", "x"]]
    assert vanished(engine) == ["k00", "k02", "k03", "k04"]
    again = askable(record("x"), has=[record("k01")])
    take_with(engine, again, 3)
    assert again.looked == [["k05", "k06", "k07", "x"]], "the one found waits for its second miss"


# -- listings now and then ------------------------------------------------------------------------------------------


def test_between_two_listings_a_dossier_that_was_given_is_not_missed_twice_in_a_row(engine: Engine) -> None:
    take(engine, record("a"), record("b"), record("x"))
    take(engine, record("x"), at=on(1))
    only_news(engine, 2, record("a"))
    assert missing(engine) == ["b"]
    take(engine, record("x"), at=on(3))
    assert (vanished(engine), missing(engine)) == (["b"], ["a", "b"])
    only_news(engine, 4, record("b"))
    assert (vanished(engine), missing(engine)) == ([], ["a"]), "it is there again, as it was"
    assert query(engine, "SELECT count(*) FROM tthc.observations WHERE source_key = 'b'") == [1]
    assert query(engine, "SELECT source_key FROM tthc.pending_dossiers JOIN tthc.dossiers USING (dossier_id)") == ["b"]


@pytest.mark.parametrize(
    ("pulls", "open_seen"),
    [
        # What pulls 1, 2 … do: "all" lists, "news" lists only others' news, "missed" lists without it, "doubted" lists
        # without most, "given" gives it unchanged as news, "old" the same from a file of before, "fails" breaks off. Then
        # it is told as ended.
        ([], 0),
        (["news"], 0),
        (["all", "news", "news"], 1),
        (["all", "news", "all", "news"], 3),
        (["all", "fails", "news"], 1),
        (["all", "doubted", "news"], 1),
        # Not listed by the newest: then that one proves nothing, and what an earlier one proved is not kept.
        (["all", "missed", "news"], 0),
        (["all", "missed", "all", "news"], 3),
        # Given after it was missed, it must have been there: since the listing at least.
        (["all", "missed", "given", "news"], 2),
        (["all", "missed", "old", "news"], 0),
        (["missed", "doubted"], 0),
    ],
)
@pytest.mark.parametrize("ends_in", ["news", "listing"])
def test_an_ended_dossier_was_seen_open_by_the_newest_listing_that_had_it(
    engine: Engine, pulls: list[str], open_seen: float, ends_in: str
) -> None:
    rest = [record(f"k{number}") for number in range(30)]
    take(engine, record("a"), *rest)
    for day, what in enumerate(pulls, start=1):
        if what == "all":
            take(engine, record("a"), *rest, at=on(day))
        elif what == "missed":
            take(engine, *rest, at=on(day))
        elif what == "doubted":
            take(engine, *rest[:3], at=on(day))
        elif what == "news":
            only_news(engine, day, record("k0", steps_done=day))
        elif what in ("given", "old"):
            only_news(engine, day, record("a"), as_of=on(0.5) if what == "old" else None)
        else:
            with pytest.raises(TransientSourceError):
                take_with(engine, told(Sheet(rest), TransientSourceError("gone; try again")), day)
    end = len(pulls) + 1
    if ends_in == "news":
        only_news(engine, end, record("a", status=9))
    else:
        take(engine, record("a", status=9), *rest, at=on(end))
    assert days(dossier(engine, "a")["open_seen_at"]) == open_seen


def test_what_was_learnt_between_listings_is_proved_by_its_own_pull_only(engine: Engine) -> None:
    take(engine, record("a", due_current=on(5)), record("b"))
    # A file that is older than the pull that read it: the promise it tells was in force then, and no later.
    only_news(engine, 1, record("a", due_current=on(9)), as_of=on(0.5))
    only_news(engine, 2, record("a", due_current=on(7)), record("c"))
    held = dossier(engine, "a")
    assert (held["due_previous"], days(held["due_unmoved_at"]), days(held["due_moved_at"])) == (on(9), 0.5, 2)
    only_news(engine, 3, record("c", status=9), record("b", status=9))
    assert [days(dossier(engine, key)["open_seen_at"]) for key in "bc"] == [0, 2], (
        "new since the listing; held before it"
    )


def test_a_pull_that_lists_only_news_does_not_hide_the_listing_before_it_from_the_next(engine: Engine) -> None:
    take(engine, record("a", due_current=on(5)))
    take(engine, record("a", due_current=on(5)), at=on(1))
    only_news(engine, 2)
    take(engine, record("a", due_current=on(8)), at=on(3))
    assert days(dossier(engine, "a")["due_unmoved_at"]) == 1
    listed = query(engine, "SELECT listed_open_at FROM audit.pull_runs ORDER BY run_id")
    assert [days(at) for at in listed] == [0, 1, None, 3]


def test_listings_before_the_first_record_prove_nothing(engine: Engine) -> None:
    take(engine)
    only_news(engine, 1, record("a"))
    only_news(engine, 2, record("a", status=9))
    assert days(dossier(engine, "a")["open_seen_at"]) == 1


# -- volumes, codes, repeated keys ----------------------------------------------------------------------------------

LOSS = Assertions(max_drop=0.5)


def test_a_listing_that_lost_most_of_its_open_dossiers_fails_and_the_next_is_compared_with_the_good_one(
    engine: Engine,
) -> None:
    ended = [record(f"e{number}", status=9) for number in range(10)]
    first = told(Sheet([*map(record, "abcdef"), *ended], cursor={"day": 0}))
    take_with(engine, first, 0, assertions=LOSS)
    for day in (1, 2):
        few = told(Sheet([record("a", status=5), record("b"), *ended]))
        with pytest.raises(
            DataAssertionError, match=r"gave 2 open dossiers, 66\.7% fewer than the 6 of the last good pull that"
        ):
            take_with(engine, few, day, assertions=LOSS)
    assert dossier(engine, "a")["status"] == 4
    take_with(engine, told(Sheet(list(map(record, "abc")))), 3, assertions=LOSS)
    runs = query(engine, "SELECT outcome, was_full, rows_open, rows_read FROM audit.pull_runs ORDER BY run_id")
    assert runs == [("ok", True, 6, 16), ("failed", False, 2, 12), ("failed", False, 2, 12), ("ok", False, 3, 3)]


def test_a_full_pull_is_compared_with_the_last_full_one(engine: Engine) -> None:
    def full(rows: int, **options: Any) -> Totals:
        source = told(Sheet([record(f"k{number}", status=9) for number in range(rows)]))
        source.lists_all_open = False
        return take_with(engine, source, 0, **options)

    full(10, assertions=LOSS)
    full(5, assertions=LOSS)
    with pytest.raises(DataAssertionError, match=r"gave 2 rows, 60\.0% fewer than the 5 of the last good full pull"):
        full(2, assertions=LOSS)
    full(2, assertions=Assertions(max_drop=0.6))
    full(1, assertions=LOSS)


def test_a_sweep_is_a_full_pull_although_it_has_a_cursor(engine: Engine) -> None:
    def sweep(rows: int, *, sweeps: bool) -> Totals:
        source = told(Sheet([record(f"k{number}", status=9) for number in range(rows)], cursor={"day": rows}))
        source.lists_all_open, source.gives_all = False, sweeps
        return take_with(engine, source, 0, assertions=LOSS)

    sweep(10, sweeps=False)
    sweep(2, sweeps=False)
    with pytest.raises(DataAssertionError, match=r"gave 4 rows, 60\.0% fewer than the 10 of the last good full pull"):
        sweep(4, sweeps=True)
    sweep(6, sweeps=True)
    runs = query(engine, "SELECT outcome, was_full FROM audit.pull_runs ORDER BY run_id")
    assert runs == [("ok", True), ("ok", False), ("failed", False), ("ok", True)]


def test_a_column_that_the_source_stopped_filling_fails_a_full_pull_with_figures(engine: Engine) -> None:
    filled = Assertions(min_fill={"due_current": 0.6})
    rows = [record(str(number), due_current=START if number < 3 else None) for number in range(5)]
    take_with(engine, told(Sheet(rows)), 0, assertions=filled)
    emptied = told(Sheet([*rows[:2], record("2"), record("3"), record("4", status=9)]))
    with pytest.raises(
        DataAssertionError, match=r"due_current is filled in 2 of 5 records \(40.0%\), less than min_fill 60.0%"
    ):
        take_with(engine, emptied, 1, assertions=filled)
    assert dossier(engine, "4")["status"] == 4
    assert "lower min_fill" in query(engine, "SELECT error FROM audit.pull_runs WHERE outcome = 'failed'")[0]
    # Patches tell a part only, and what changed is no sample of all.
    source = told(Sheet([{"source_key": "4", "status": 9}], patch=True))
    take_with(engine, source, 2, assertions=Assertions(min_fill={"due_current": 1}))


def test_codes_that_nobody_mapped_are_counted_by_pull_and_the_last_of_each_is_kept(engine: Engine) -> None:
    strange = [record("a", status=None, source_status="lạ"), record("b", status=None, source_status="lạ"), record("c")]
    sheets = Sheet(strange, unknown={("channel", "bồ câu"): 2}), Sheet((), unknown={("channel", "bồ câu"): 1})
    take_with(engine, told(*sheets), 0)
    seen = "SELECT field, code, row_count FROM audit.unknown_codes WHERE run_id = {} ORDER BY 1, 2"
    assert query(engine, seen.format(1)) == [("channel", "bồ câu", 3), ("status", "lạ", 2)]
    told_itself = told(Sheet(strange, unknown={("status", "LẠ\x00"): 7, ("channel", "x" * 900): 1}))
    take_with(engine, told_itself, 1)
    assert query(engine, seen.format(2)) == [("channel", "x" * 200, 1), ("status", "LẠ\ufffd", 7)]
    for day in range(2, 14):
        take_with(engine, told(Sheet(strange[:1])), day)
    kept = query(engine, "SELECT run_id, code FROM audit.unknown_codes ORDER BY 1, 2")
    assert kept[:3] == [(1, "bồ câu"), (2, "LẠ\ufffd"), (2, "x" * 200)], "when each was met last stays"
    assert kept[3:] == [(run, "lạ") for run in range(5, 15)]


def test_codes_of_a_failed_pull_are_kept_too(engine: Engine) -> None:
    with pytest.raises(TransientSourceError):
        take_with(engine, told(Sheet((), unknown={("channel", "x"): 1}), TransientSourceError("gone; try again")), 0)
    assert query(engine, "SELECT source, field, code, row_count FROM audit.unknown_codes") == [
        ("mau", "channel", "x", 1)
    ]


def test_keys_repeated_with_other_content_are_counted_as_they_are_listed(engine: Engine) -> None:
    twice = [record("a", status=4), record("a", status=9), record("b"), record("b")]
    done = take_with(engine, told(Sheet(twice, (reject(1),))), 0, assertions=Assertions(max_reject_share=0.2))
    assert (done.rows_rejected, done.rows_repeated) == (2, 2)
    assert len(query(engine, "SELECT value FROM tthc.rejects")) == 2
    assert query(engine, "SELECT rows_rejected FROM tthc.pull_runs") == [2]


def test_a_key_repeated_with_other_content_hides_no_dossier_that_is_gone(engine: Engine) -> None:
    take(engine, record("a"), record("b"))
    for day in (1, 2):
        take_with(engine, told(Sheet([record("b"), record("b", status=5)])), day)
    assert vanished(engine) == ["a"]
