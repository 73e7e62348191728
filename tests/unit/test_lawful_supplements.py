"""What a wait for the applicant does to the lawful due instant: restart, pause and legacy, case by case.

Calendar of 2026, Mon-Fri 07:30-11:30, 13:30-17:00; 05/10/2026 is a Monday.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lawful import at, days, due_of, maybe
from tthc_monitor.domain.time_limits import ClockPolicy


def waiting(requested: str, completed: str | None, **more: Any) -> dict[str, Any]:
    """Received 05/10/2026 10:15 with five working days: due 12/10/2026 10:15."""
    return {
        "received_at": at("2026-10-05 10:15"),
        "supplement_requested_at": at(requested),
        "supplement_completed_at": maybe(completed),
        "supplement_count": 1,
        **more,
    }


def earlier(*pairs: tuple[str, str]) -> str:
    return str([[at(start).timestamp(), at(end).timestamp()] for start, end in pairs])


FIRST = {"supplement_count": 2, "earlier_waits": earlier(("2026-10-06 08:00", "2026-10-07 09:00"))}


# NĐ 61/2018 Art. 19.4: the limit is counted anew from the day the dossier is complete.
@pytest.mark.parametrize(
    ("row", "end"),
    [
        (waiting("2026-10-08 09:00", "2026-10-14 15:00"), "2026-10-21 15:00"),
        (waiting("2026-10-08 09:00", "2026-10-10 10:00"), "2026-10-19 07:30"),
        (waiting("2026-10-08 09:00", None), None),
        # A request after the limit has run out does not bring it back.
        (waiting("2026-10-12 10:14:59", "2026-10-14 15:00"), "2026-10-21 15:00"),
        (waiting("2026-10-12 10:15", "2026-10-14 15:00"), "2026-10-12 10:15"),
        (waiting("2026-10-12 10:15", None), "2026-10-12 10:15"),
        (waiting("2026-10-08 09:00", "2026-10-14 15:00", **FIRST), "2026-10-21 15:00"),
        (waiting("2026-10-14 08:59:59", "2026-10-14 15:00", **FIRST), "2026-10-21 15:00"),
        (waiting("2026-10-14 09:00", "2026-10-14 15:00", **FIRST), "2026-10-14 09:00"),
        # The third of three, each within the limit that the one before began.
        (
            waiting(
                "2026-10-14 09:00",
                "2026-10-15 10:00",
                supplement_count=3,
                earlier_waits=earlier(
                    ("2026-10-06 08:00", "2026-10-07 09:00"), ("2026-10-09 09:00", "2026-10-12 09:00")
                ),
            ),
            "2026-10-22 10:00",
        ),
        # What was asked and answered before the reception is no matter.
        (waiting("2026-09-28 09:00", "2026-09-30 09:00"), "2026-10-12 10:15"),
        # Not known.
        (waiting("2026-10-08 09:00", None, answer_unknown=1), None),
        (waiting("2026-10-12 10:15", None, answer_unknown=1), "2026-10-12 10:15"),
        (waiting("2026-10-08 09:00", "2026-10-14 15:00", answer_unknown=1), None),
        ({"received_at": at("2026-10-05 10:15"), "request_unknown": 1}, None),
        (waiting("2026-10-08 09:00", "2026-10-14 15:00", request_unknown=1), "2026-10-21 15:00"),
        (waiting("2026-10-12 10:15", "2026-10-14 15:00", request_unknown=1), None),
        (waiting("2026-10-08 09:00", "2026-10-14 15:00", supplement_count=2), "2026-10-21 15:00"),
        (waiting("2026-10-12 10:15", "2026-10-14 15:00", supplement_count=2), None),
        ({"received_at": at("2026-10-05 10:15"), "supplement_count": 1}, None),
        ({"received_at": at("2026-10-05 10:15"), "supplement_count": 0}, "2026-10-12 10:15"),
    ],
)
def test_restart(row: dict[str, Any], end: str | None) -> None:
    assert due_of(row, days(5, clock_model="restart")) == maybe(end)


def test_a_restart_obeys_the_cut_off_too() -> None:
    row = waiting("2026-10-08 09:00", "2026-10-14 15:00")
    assert due_of(row, days(5, cutoff="15:00")) == at("2026-10-22 07:30")


OBLIGATION = {
    "obligation_requested_at": at("2026-10-07 13:30"),
    "obligation_completed_at": at("2026-10-09 07:30"),
}


# Index 766, item 2.1: the time of the supplement is subtracted.
@pytest.mark.parametrize(
    ("row", "end"),
    [
        (waiting("2026-10-07 09:00", "2026-10-08 09:00"), "2026-10-13 10:15"),
        (waiting("2026-10-07 17:00", "2026-10-08 07:30"), "2026-10-12 10:15"),
        (waiting("2026-10-07 09:00", None), None),
        (waiting("2026-10-12 10:15", None), "2026-10-12 10:15"),
        (waiting("2026-10-12 10:15", "2026-10-14 10:15"), "2026-10-12 10:15"),
        (waiting("2026-10-08 09:00", "2026-10-09 09:00", **FIRST), "2026-10-14 11:15"),
        (waiting("2026-10-07 09:00", "2026-10-08 09:00", supplement_count=2), None),
        (waiting("2026-10-07 09:00", "2026-10-08 09:00", request_unknown=1), None),
        (waiting("2026-10-07 09:00", None, answer_unknown=1), None),
        (waiting("2026-10-07 09:00", "2026-10-08 09:00", **OBLIGATION), "2026-10-13 10:15"),
    ],
)
def test_pause(row: dict[str, Any], end: str | None) -> None:
    assert due_of(row, days(5, clock_model="pause")) == maybe(end)


BOTH = ("supplement", "financial_obligation")


# NĐ 151/2025 Part II item 10: the time to meet financial obligations for land does not count.
@pytest.mark.parametrize(
    ("model", "row", "end"),
    [
        ("pause", waiting("2026-10-07 09:00", "2026-10-08 09:00", **OBLIGATION), "2026-10-14 08:45"),
        ("restart", {"received_at": at("2026-10-05 10:15"), **OBLIGATION}, "2026-10-13 15:45"),
        ("restart", waiting("2026-10-06 09:00", "2026-10-07 09:00", **OBLIGATION), "2026-10-15 14:30"),
        ("pause", {"received_at": at("2026-10-05 10:15"), "obligation_requested_at": at("2026-10-07 13:30")}, None),
    ],
)
def test_financial_obligations_pause_where_the_policy_says_so(model: str, row: dict[str, Any], end: str | None) -> None:
    assert due_of(row, days(5, clock_model=model, pauses=BOTH)) == maybe(end)


def test_a_supplement_that_pauses_nothing_changes_nothing() -> None:
    row = waiting("2026-10-07 09:00", None, answer_unknown=1, supplement_count=3)
    for model in ("restart", "pause", "legacy"):
        assert due_of(row, days(5, clock_model=model, pauses=())) == at("2026-10-12 10:15")


@pytest.mark.parametrize(
    ("fields", "row", "end"),
    [
        (
            days(5, clock_model="pause", working_day="end_of_day"),
            ("2026-10-07 09:00", "2026-10-07 11:00"),
            "2026-10-13 17:00",
        ),
        (
            days(5, clock_model="pause", working_day="end_of_day"),
            ("2026-10-07 17:00", "2026-10-08 07:30"),
            "2026-10-12 17:00",
        ),
        (
            days(5, clock_model="pause", working_day="hours"),
            ("2026-10-07 09:00", "2026-10-08 09:00"),
            "2026-10-13 14:45",
        ),
        ({"amount": 8, "unit": "working_hour"}, ("2026-10-05 11:00", "2026-10-06 11:00"), "2026-10-07 10:45"),
        ({"unit": "same_day"}, ("2026-10-05 11:00", "2026-10-06 11:00"), "2026-10-06 17:00"),
        # Of a limit in calendar days a wait takes as many days as lie between its first and its last.
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", "2026-10-09 16:00"), "2026-10-20 00:00"),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", "2026-10-07 16:00"), "2026-10-16 00:00"),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", None), None),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-16 00:00", None), "2026-10-16 00:00"),
        ({"amount": 1, "unit": "month"}, ("2026-10-07 09:00", "2026-10-08 09:00"), "2026-11-07 00:00"),
    ],
)
def test_pauses_of_other_units(fields: dict[str, Any], row: tuple[str, str | None], end: str | None) -> None:
    policy = fields.get("policy") or ClockPolicy(clock_model="pause")
    assert due_of(waiting(*row), fields | {"policy": policy}) == maybe(end)


@pytest.mark.parametrize(
    ("fields", "row", "end"),
    [
        # Two working days of 7.5 hours waited, less a day of 8: seven hours more.
        ({"amount": 5, "unit": "working_day"}, ("2026-10-07 09:00", "2026-10-09 09:00"), "2026-10-13 09:45"),
        ({"amount": 5, "unit": "working_day"}, ("2026-10-07 09:00", "2026-10-08 09:00"), "2026-10-12 10:15"),
        ({"amount": 5, "unit": "working_day"}, ("2026-10-07 09:00", None), None),
        ({"amount": 5, "unit": "working_day"}, ("2026-10-12 10:15", "2026-10-16 10:15"), "2026-10-12 10:15"),
        # With a limit in hours the eight hours come back.
        ({"amount": 8, "unit": "working_hour"}, ("2026-10-05 11:00", "2026-10-06 11:00"), "2026-10-07 10:45"),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", "2026-10-12 16:00"), "2026-10-20 00:00"),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", "2026-10-08 16:00"), "2026-10-16 00:00"),
        ({"amount": 10, "unit": "calendar_day"}, ("2026-10-07 09:00", "2026-10-09 08:00"), "2026-10-17 00:00"),
        # The extra day of a remote area is given once.
        (
            {"amount": 10, "unit": "calendar_day", "extra_working_days": 1},
            ("2026-10-07 09:00", "2026-10-09 08:00"),
            "2026-10-20 00:00",
        ),
        # A wait of one day and one second, of 8 hours a day.
        (days(5), ("2026-10-07 09:00", "2026-10-08 09:30"), "2026-10-12 10:15"),
        (days(5), ("2026-10-07 09:00", "2026-10-08 09:30:01"), "2026-10-12 10:15:01"),
    ],
)
def test_legacy(fields: dict[str, Any], row: tuple[str, str | None], end: str | None) -> None:
    policy = ClockPolicy(clock_model="legacy")
    assert due_of(waiting(*row), fields | {"policy": policy}) == maybe(end)


def test_legacy_does_not_guess_a_wait_it_does_not_know() -> None:
    for unknown in ({"request_unknown": 1}, {"supplement_count": 2}):
        row = waiting("2026-10-07 09:00", "2026-10-09 09:00", **unknown)
        assert due_of(row, days(5, clock_model="legacy")) is None


def test_a_day_within_two_waits_is_counted_once() -> None:
    both = ClockPolicy(clock_model="pause", pauses=("supplement", "financial_obligation"))
    row = waiting(
        "2026-10-07 09:00",
        "2026-10-09 16:00",
        obligation_requested_at=at("2026-10-08 09:00"),
        obligation_completed_at=at("2026-10-12 09:00"),
    )
    assert due_of(row, {"amount": 10, "unit": "calendar_day", "policy": both}) == at("2026-10-21 00:00")


def test_a_due_instant_moved_to_the_closing_is_the_next_opening() -> None:
    row = waiting("2026-10-07 07:30", "2026-10-07 14:15")
    assert due_of(row, days(5, clock_model="pause")) == at("2026-10-13 07:30")
    row = waiting("2026-10-07 07:30", "2026-10-07 14:14:59")
    assert due_of(row, days(5, clock_model="pause")) == at("2026-10-12 16:59:59")
