"""What a run of OpenCPS remembers of histories that were refused, and which rows it takes for news."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.base import Cursor
from connectors.opencps.history import History
from connectors.opencps.state import Run

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
FIRST = History(0, None, None, 2, 5, 9, 9, mark=77)
LATER = History(1, 12, None, 3, 5, 12, 12, mark=78)


def after(*learnt: tuple[str, History | None], cursor: Cursor | None = None, hours: float = 0) -> Cursor:
    """The cursor of a run that listed these dossiers and was told these histories."""
    run = Run.begin(cursor, "scope", NOW + timedelta(hours=hours), ZONE)
    run.news([key for key, _ in learnt], [1] * len(learnt))
    for key, history in learnt:
        run.learn(key, history)
    return dict(json.loads(json.dumps(run.finished())))


def begun(cursor: Cursor, hours: float) -> Run:
    return Run.begin(cursor, "scope", NOW + timedelta(hours=hours), ZONE)


def test_a_refused_history_leaves_what_was_known_and_is_stale_until_it_is_read() -> None:
    refused = after(("7", None), ("8", None), cursor=after(("7", FIRST)), hours=1)
    run = begun(refused, 2)
    assert (run.known("7"), run.is_stale("7")) == (FIRST, True)
    assert (run.known("8"), run.is_stale("8")) == (None, False), "nothing is known of it that could be stale"
    untouched = after(cursor=refused, hours=2)
    assert begun(untouched, 3).is_stale("7")
    read = begun(after(("7", LATER), cursor=untouched, hours=3), 4)
    assert (read.known("7"), read.is_stale("7")) == (LATER, False)


def test_a_refusal_after_a_good_answer_in_the_same_run_keeps_the_answer() -> None:
    run = begun(after(("7", FIRST), ("7", None)), 1)
    assert (run.known("7"), run.is_stale("7")) == (FIRST, True)


def test_nothing_is_stale_whose_history_is_not_remembered() -> None:
    refused = after(("7", None), cursor=after(("7", FIRST)), hours=1)
    assert refused["stale"] == ["7"]
    assert after(("9", FIRST), cursor=refused, hours=30)["stale"] == [], "a wide run that no longer lists it"


def test_a_cursor_written_before_refusals_were_marked_goes_on() -> None:
    cursor = after(("7", FIRST))
    old = {name: value for name, value in cursor.items() if name != "stale"}
    old["histories"] = {key: told[:7] for key, told in cursor["histories"].items()}
    run = begun(old, 1)
    assert not run.is_first
    assert (run.known("7"), run.is_stale("7")) == (History(0, None, None, 2, 5, 9, 9), False)


@pytest.mark.parametrize(
    ("keys", "states", "places"),
    [
        (["7", "8"], [1, 1], [0, 1]),
        (["7", "7", "7"], [1, 1, 2], [0, 2]),
        ([None, None], [1, 1], [0, 1]),
    ],
    ids=["different dossiers", "one dossier in two states", "no dossier at all"],
)
def test_a_dossier_is_news_once_in_each_state(keys: list[str | None], states: list[int], places: list[int]) -> None:
    run = Run.begin(None, "scope", NOW, ZONE)
    assert run.news(keys, states) == places
    assert run.news(keys[-1:], states[-1:]) == ([0] if keys[-1] is None else [])
