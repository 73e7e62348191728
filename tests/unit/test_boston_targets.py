"""A city's own target times, reproduced for every request of six types: the count of working days is not ours alone.

City of Boston, 311 requests opened January to March 2015: N working days later at the same clock time, a request made
outside hours counting from the next opening.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tests.shared_data import shared
from tests.unit.lawful import facts
from tthc_monitor.domain.lawful_due import Limits, lawful_due
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar

ZONE = "America/New_York"
WORKING_DAYS = {
    "Building Inspection Request": 3,
    "Electrical": 5,
    "Plumbing": 5,
    "Illegal Occupancy": 5,
    "Maintenance - Homeowner": 5,
    "Unsanitary Conditions - Establishment": 2,
}
MASSACHUSETTS_2015 = [
    dt.date(2015, 1, 1),
    dt.date(2015, 1, 19),  # Martin Luther King Jr. Day
    dt.date(2015, 2, 16),  # Washington's Birthday
    dt.date(2015, 4, 20),  # Patriots' Day
    dt.date(2015, 5, 25),
    dt.date(2015, 7, 3),
]
WEEK = {day: [("08:30", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")}
POLICY = ClockPolicy(working_day="same_clock_time", outside_hours="next_opening", cutoff=None, day_zero="not_counted")


def requests() -> pd.DataFrame:
    columns = ["OPEN_DT", "TARGET_DT", "TYPE"]
    rows = pd.read_csv(shared("boston311_2015q1") / "cases.csv.gz", usecols=columns, dtype=str)
    rows = rows[rows["TYPE"].isin(list(WORKING_DAYS))].reset_index(drop=True)
    for name in ("OPEN_DT", "TARGET_DT"):
        rows[name] = pd.to_datetime(rows[name], format="%m/%d/%Y %I:%M:%S %p").dt.tz_localize(ZONE)
    return rows


def off_by(rows: pd.DataFrame, policy: ClockPolicy, days_off: list[dt.date]) -> pd.Series:
    """Seconds between our due instant and the city's target."""
    limits = [
        TimeLimit(procedure_code=name, amount=days, unit="working_day", legal_basis="service level of the city")
        for name, days in WORKING_DAYS.items()
    ]
    received = [
        {"procedure_code": kind, "received_at": opened.to_pydatetime()}
        for kind, opened in zip(rows["TYPE"], rows["OPEN_DT"], strict=True)
    ]
    found = lawful_due(facts(received), WorkCalendar(ZONE, WEEK, days_off), Limits(limits, policy))
    return (found["due_lawful"] - rows["TARGET_DT"]).dt.total_seconds().abs()


def test_every_target_is_met_within_a_minute() -> None:
    rows = requests()
    assert rows["TYPE"].value_counts().to_dict() == {
        "Building Inspection Request": 316,
        "Electrical": 154,
        "Unsanitary Conditions - Establishment": 85,
        "Illegal Occupancy": 70,
        "Plumbing": 34,
        "Maintenance - Homeowner": 30,
    }
    assert rows["TARGET_DT"].notna().all()
    assert off_by(rows, POLICY, MASSACHUSETTS_2015).max() < 60


@pytest.mark.parametrize(
    ("policy", "days_off"),
    [
        (POLICY, []),
        (POLICY.model_copy(update={"working_day": "end_of_day"}), MASSACHUSETTS_2015),
        (POLICY.model_copy(update={"working_day": "hours"}), MASSACHUSETTS_2015),
        (POLICY.model_copy(update={"outside_hours": "next_day"}), MASSACHUSETTS_2015),
        (POLICY.model_copy(update={"cutoff": "15:00"}), MASSACHUSETTS_2015),
        (POLICY.model_copy(update={"day_zero": "counted"}), MASSACHUSETTS_2015),
    ],
    ids=["no holidays", "end of day", "hours", "next day", "cut-off", "first day counted"],
)
def test_no_other_policy_fits(policy: ClockPolicy, days_off: list[dt.date]) -> None:
    assert (off_by(requests(), policy, days_off) >= 60).any()
