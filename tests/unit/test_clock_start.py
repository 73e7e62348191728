"""When a dossier's clock starts, minute by minute: calendar of 2026, Mon-Fri 07:30-11:30, 13:30-17:00.

Days off used here: 02/01/2026 (worked on Saturday 10/01/2026 instead), Tết 16-20/02/2026, 31/08 to 02/09/2026 (Saturday
22/08/2026 worked instead).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lawful import at, catalogue, days, facts, limit, maybe, result, shipped_calendar
from tthc_monitor.domain.lawful_due import lawful_due


@pytest.mark.parametrize(
    ("received", "started"),
    [
        ("2026-10-05 07:29", "2026-10-05 07:30"),
        ("2026-10-05 07:30", "2026-10-05 07:30"),
        ("2026-10-05 11:29:59", "2026-10-05 11:29:59"),
        ("2026-10-05 11:30", "2026-10-05 13:30"),
        ("2026-10-05 15:00", "2026-10-05 15:00"),
        ("2026-10-05 16:59:59", "2026-10-05 16:59:59"),
        ("2026-10-05 17:00", "2026-10-06 07:30"),
        ("2026-10-05 23:59", "2026-10-06 07:30"),
        ("2026-10-10 09:00", "2026-10-12 07:30"),
        # Saturdays worked in exchange are working days; the days exchanged for them are not.
        ("2026-01-10 09:00", "2026-01-10 09:00"),
        ("2026-08-22 09:00", "2026-08-22 09:00"),
        ("2026-01-02 09:00", "2026-01-05 07:30"),
        ("2026-08-31 09:00", "2026-09-03 07:30"),
        # Tết 2026: first and last day off.
        ("2026-02-13 16:59:59", "2026-02-13 16:59:59"),
        ("2026-02-13 17:00", "2026-02-23 07:30"),
        ("2026-02-16 00:00", "2026-02-23 07:30"),
        ("2026-02-20 23:59", "2026-02-23 07:30"),
    ],
)
def test_the_clock_starts_in_working_time(received: str, started: str) -> None:
    row = result({"received_at": at(received)}, catalogue(limit(**days(5))))
    assert row["clock_started_at"] == at(started)


@pytest.mark.parametrize(
    ("policy", "received", "started"),
    [
        # Received outside hours counts from the next working day.
        ({"outside_hours": "next_day"}, "2026-10-05 07:29", "2026-10-06 07:30"),
        ({"outside_hours": "next_day"}, "2026-10-05 07:30", "2026-10-05 07:30"),
        ({"outside_hours": "next_day"}, "2026-10-05 11:30", "2026-10-06 07:30"),
        ({"outside_hours": "next_day"}, "2026-10-09 17:00", "2026-10-12 07:30"),
        ({"outside_hours": "next_day"}, "2026-10-10 10:00", "2026-10-12 07:30"),
        # NĐ 63/2024 Art. 7: received after 15:00 counts from the next working day.
        ({"cutoff": "15:00"}, "2026-10-05 14:59:59", "2026-10-05 14:59:59"),
        ({"cutoff": "15:00"}, "2026-10-05 15:00", "2026-10-06 07:30"),
        ({"cutoff": "15:00"}, "2026-10-09 15:00", "2026-10-12 07:30"),
        ({"cutoff": "15:00"}, "2026-10-10 14:00", "2026-10-12 07:30"),
        ({"cutoff": "15:00"}, "2026-10-10 16:00", "2026-10-12 07:30"),
        ({"cutoff": "15:00"}, "2026-10-05 06:00", "2026-10-05 07:30"),
        ({"cutoff": "15:00"}, "2026-02-13 15:00", "2026-02-23 07:30"),
        ({"cutoff": "15:00"}, "2026-01-09 15:00", "2026-01-10 07:30"),
        ({"cutoff": "15:30"}, "2026-10-05 15:29:59", "2026-10-05 15:29:59"),
        ({"cutoff": "15:30"}, "2026-10-05 15:30", "2026-10-06 07:30"),
        # NĐ 297/2025 Art. 6: received within the hour before closing counts from the next working day.
        ({"cutoff": "last_hour"}, "2026-10-05 15:59:59", "2026-10-05 15:59:59"),
        ({"cutoff": "last_hour"}, "2026-10-05 16:00", "2026-10-06 07:30"),
        ({"cutoff": "last_hour"}, "2026-10-05 12:00", "2026-10-05 13:30"),
        ({"cutoff": "last_hour"}, "2026-10-10 16:30", "2026-10-12 07:30"),
    ],
)
def test_outside_hours_and_cut_offs(policy: dict[str, Any], received: str, started: str) -> None:
    row = result({"received_at": at(received)}, catalogue(limit(**days(5, **policy))))
    assert row["clock_started_at"] == at(started)


@pytest.mark.parametrize("policy", [{"cutoff": "15:00"}, {"cutoff": "last_hour"}, {"outside_hours": "next_day"}])
def test_dossiers_of_one_batch_start_each_for_itself(policy: dict[str, Any]) -> None:
    rows = [{"received_at": at(text)} for text in ("2026-10-05 09:00", "2026-10-05 17:30", "2026-10-10 09:00")]
    started = lawful_due(facts(rows), shipped_calendar(), catalogue(limit(**days(5, **policy))))["clock_started_at"]
    assert started.tolist() == [at("2026-10-05 09:00"), at("2026-10-06 07:30"), at("2026-10-12 07:30")]


def test_the_last_hour_of_one_dossier_is_no_matter_of_another_on_a_day_off() -> None:
    rows = [{"received_at": at(text)} for text in ("2026-10-05 16:30", "2026-10-10 16:30", "2026-10-06 09:00")]
    limits = catalogue(limit(**days(5, cutoff="last_hour")))
    started = lawful_due(facts(rows), shipped_calendar(), limits)["clock_started_at"]
    assert started.tolist() == [at("2026-10-06 07:30"), at("2026-10-12 07:30"), at("2026-10-06 09:00")]


# NĐ 118/2025 Art. 17.3 as amended by NĐ 309/2026 Art. 8, in force 05/08/2026.
@pytest.mark.parametrize(
    ("received", "competent", "started"),
    [
        ("2026-08-04 10:00", "2026-08-06 14:00", "2026-08-04 10:00"),
        ("2026-08-04 23:59:59", "2026-08-06 14:00", "2026-08-05 07:30"),
        ("2026-08-05 00:00", "2026-08-06 14:00", "2026-08-06 14:00"),
        ("2026-08-05 10:00", "2026-08-06 18:00", "2026-08-07 07:30"),
        ("2026-08-05 10:00", None, "2026-08-05 10:00"),
        # An agency does not have a dossier before it was received; then the receipt stands.
        ("2026-08-05 10:00", "2026-08-03 10:00", "2026-08-05 10:00"),
    ],
)
def test_a_dossier_received_away_counts_from_the_competent_agency(
    received: str, competent: str | None, started: str
) -> None:
    row = {"received_at": at(received), "competent_received_at": maybe(competent)}
    assert result(row, catalogue(limit(**days(5))))["clock_started_at"] == at(started)
