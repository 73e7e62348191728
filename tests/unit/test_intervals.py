"""What kinds of rules share: intervals that are findings, and instants of which some are unknown."""

from __future__ import annotations

import pandas as pd
import pytest

from rules.kinds.intervals import answerable, earlier, findings, first_known, later, utc
from tthc_monitor.domain.worktime import HORIZON

ONE, TWO, NONE = "2026-10-05 08:00", "2026-10-05 08:00:00.000001", None


def instants(*values: str | pd.Timestamp | None) -> pd.Series:
    return pd.Series(pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True, format="mixed")).astype(
        "datetime64[us, UTC]"
    )


@pytest.mark.parametrize(
    ("a", "b", "first", "last", "known"),
    [
        (ONE, TWO, ONE, TWO, ONE),
        (TWO, ONE, ONE, TWO, TWO),
        (ONE, ONE, ONE, ONE, ONE),
        # An unknown one does not count for the earlier of two, and leaves the later of them unknown.
        (ONE, NONE, ONE, NONE, ONE),
        (NONE, TWO, TWO, NONE, TWO),
        (NONE, NONE, NONE, NONE, NONE),
    ],
)
def test_of_two_instants(a: str | None, b: str | None, first: str | None, last: str | None, known: str | None) -> None:
    assert earlier(instants(a), instants(b)).equals(instants(first))
    assert later(instants(a), instants(b)).equals(instants(last))
    assert first_known(instants(a), instants(b)).equals(instants(known))
    assert first_known(instants(NONE), instants(a), instants(b)).equals(instants(known))


@pytest.mark.parametrize(
    ("where", "starts", "ends", "found"),
    [
        (True, ONE, NONE, True),
        (True, ONE, TWO, True),
        (True, ONE, ONE, False),
        (True, TWO, ONE, False),
        (True, NONE, TWO, False),
        (True, NONE, NONE, False),
        (False, ONE, TWO, False),
    ],
)
def test_a_finding_begins_and_does_not_end_as_it_begins(
    where: bool, starts: str | None, ends: str | None, found: bool
) -> None:
    facts = pd.DataFrame({"dossier_id": [7]})
    told = findings(facts, pd.Series([where]), instants(starts), instants(ends), why="x", due_at=instants(TWO))
    assert list(told.columns) == ["dossier_id", "starts_at", "ends_at", "why", "due_at"]
    assert told["dossier_id"].tolist() == ([7] if found else [])


def test_a_calendar_answers_for_instants_a_year_and_a_day_within_its_horizon() -> None:
    first, after = (pd.Timestamp(day, tz="UTC") for day in HORIZON)
    margin, least = pd.Timedelta(days=366), pd.Timedelta(microseconds=1)
    edges = instants(first + margin, first + margin + least, after - margin - least, after - margin, NONE)
    assert answerable(edges).tolist() == [False, True, True, False, False]


def test_instants_of_any_zone_are_told_in_utc() -> None:
    local = instants(ONE).dt.tz_convert("Asia/Ho_Chi_Minh")
    assert utc(local).tolist() == utc(instants(ONE)).tolist()
    assert str(utc(local).dtype) == "datetime64[us]"
