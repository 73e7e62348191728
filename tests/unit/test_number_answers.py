"""Whether a gap before a dossier's number can be told at all: it takes a number, its day, and when we saw it first."""

from __future__ import annotations

from typing import Any

import pytest

from rules.judge import answers
from tests.unit.pack_facts import calendar, facts, pack

NUMBERED = {"number_day": "2026-10-05", "number_serial": 1, "first_seen_at": "2026-10-05 08:00", "group": 1}


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({}, "clear"),
        ({"number_serial": 2}, "clear"),
        ({"number_serial": 0}, "cannot_tell"),
        ({"number_serial": -1}, "cannot_tell"),
        ({"number_day": None}, "cannot_tell"),
        ({"first_seen_at": None}, "cannot_tell"),
        ({"number_day": None, "first_seen_at": None}, "cannot_tell"),
    ],
)
def test_what_a_gap_is_told_by(row: dict[str, Any], answer: str) -> None:
    (told,) = answers(facts(NUMBERED | row), calendar(), pack("integrity")["number_gap"])
    assert told == answer
