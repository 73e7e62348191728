"""The parameters of each kind of rule: what is meant where a rule leaves one out, and which values it takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rules.model import AgainstDue
from rules.registry import KINDS
from tests.unit.judged import rule

NEEDED: dict[str, dict[str, Any]] = {
    "due_soon": {"within_working_hours": 8},
    "overdue_tier": {"after_working_days": 5},
    "returned": {"statuses": [8]},
    "cannot_tell": {"missing": "end"},
    "late_against": {"against": "due_lawful"},
    **{
        f"petition_{what}_late": {"within_working_days": 5}
        for what in ("refused", "supplement", "handled", "published")
    },
}
"""What a rule of such a kind has to say itself."""

MUST = "must be given"

# Kind, parameter, what it is when left out, the least and the greatest value that it takes.
NUMBERS: list[tuple[str, str, float | str, float, float]] = [
    ("due_soon", "within_working_hours", MUST, 0.5, 400),
    ("overdue_tier", "after_working_days", MUST, 1, 200),
    ("supplement_again", "allowed", 1, 1, 20),
    ("supplement_after_window", "working_days", 3, 0, 60),
    ("waiting_long", "working_days", 15, 1, 200),
    ("late_766", "requests_allowed", 1, 1, 100),
    ("cannot_tell_766", "requests_allowed", 1, 1, 100),
    ("acknowledged_late", "working_hours", 8, 0.5, 400),
    ("transferred_late", "grace_working_hours", 1, 0, 24),
    ("apology_missing", "days_before", 1, 0, 30),
    ("reappointed_again", "allowed", 1, 0, 20),
    ("due_moved_without_apology", "within_working_days", 1, 0, 60),
    ("returned_near_due", "working_days_before", 1, 0, 30),
    ("returned_near_due", "notice_working_days", 3, 0, 60),
    ("petition_refused_late", "within_working_days", MUST, 0, 400),
    ("petition_supplement_late", "within_working_days", MUST, 0, 400),
    ("petition_handled_late", "within_working_days", MUST, 0, 400),
    ("petition_published_late", "within_working_days", MUST, 0, 400),
    ("finish_backdated", "tolerance_minutes", 15, 0, 10_000),
    ("reception_after_first_sight", "tolerance_minutes", 15, 0, 10_000),
    ("reception_after_first_sight", "grace_working_hours", 1, 0, 24),
    ("steps_within_minutes", "min_steps", 3, 2, 1_000),
    ("steps_within_minutes", "within_minutes", 5, 0, 10_000),
    ("steps_within_minutes", "idle_working_hours", 7, 0.5, 1_000),
    ("steps_within_minutes", "min_promised_working_days", 1, 0, 400),
    ("reception_later_than_number", "tolerance_days", 0, 0, 1_000),
    ("reception_later_than_number", "answered_working_hours", 8, 0.5, 400),
    ("number_date_differs", "tolerance_days", 0, 0, 1_000),
    ("bulk_closing", "min_count", 20, 2, 100_000),
    ("bulk_closing", "within_minutes", 10, 0.5, 120),
    ("bulk_closing", "times_expected", 3, 1, 1_000),
    ("refiled", "within_working_days", 5, 0, 400),
    ("refiled", "max_filings", 12, 2, 100_000),
    ("number_gap", "min_missing", 3, 1, 1_000_000),
    ("number_gap", "max_missing", 200, 1, 1_000_000),
    ("number_gap", "settle_working_days", 2, 0, 400),
]

# Kind, parameter, what it is when left out.
CHOICES: list[tuple[str, str, Any]] = [
    ("overdue", "against", "due_current"),
    ("overdue", "clock_while_waiting", "stopped"),
    ("finished_late", "against", "due_current"),
    ("late_766", "supplement_time", "working_time"),
    ("late_opencps", "hidden_while_waiting", "supplement"),
    ("late_against", "after_supplement", "restarted"),
    ("acknowledged_late", "channels", ("online",)),
    ("transferred_late", "channels", ("direct",)),
    ("transferred_late", "cutoff", "15:00"),
    ("reception_after_first_sight", "cutoff", "15:00"),
    ("apology_missing", "days", "calendar"),
    ("apology_missing", "accept_on_due_date", False),
    ("refused_late", "statuses", (3,)),
    ("returned_near_due", "statuses", (3, 8)),
    ("returned_near_due", "supplements", True),
    ("returned_near_due", "abolished", {}),
    ("petition_handled_late", "counted_from", "last_transfer"),
    ("lead_late_because_consulted_late", "attribution", "covered"),
    ("bulk_closing", "only_period_end", True),
    ("bulk_closing", "period_ends", ("day_14", "month")),
    ("refiled", "statuses", (3, 7, 8)),
]


def value(kind: str, parameter: str, **given: Any) -> Any:
    """What a rule has that gives only what it must, and ``given``."""
    return getattr(rule(kind, **{**NEEDED.get(kind, {}), **given}), parameter)


@pytest.mark.parametrize(("kind", "parameter", "meant", "least", "greatest"), NUMBERS)
def test_a_number_is_taken_from_the_least_to_the_greatest(
    kind: str, parameter: str, meant: float | str, least: float, greatest: float
) -> None:
    for given in (least, greatest):
        assert value(kind, parameter, **{parameter: given}) == given
    # 0.5 stands for anything above zero.
    below = 0 if least == 0.5 else least - 1
    whole = KINDS[kind].model.model_fields[parameter].annotation is int
    for given in (below, greatest + 1 if whole else greatest + 0.5):
        with pytest.raises(ValidationError, match=parameter):
            value(kind, parameter, **{parameter: given})
    if meant == MUST:
        with pytest.raises(ValidationError, match=parameter):
            rule(kind)
    else:
        assert value(kind, parameter) == meant


@pytest.mark.parametrize(("kind", "parameter", "meant"), CHOICES)
def test_a_choice_that_is_left_out(kind: str, parameter: str, meant: Any) -> None:
    assert value(kind, parameter) == meant


def test_every_parameter_that_is_a_number_stands_in_the_table() -> None:
    numbers = {
        (kind, name)
        for kind, one in KINDS.items()
        for name, field in one.model.model_fields.items()
        if field.annotation in (int, float)
    }
    assert {(kind, parameter) for kind, parameter, *_ in NUMBERS} == numbers


@pytest.mark.parametrize("kind", [kind for kind, one in KINDS.items() if "statuses" in one.model.model_fields])
def test_statuses_are_national_ones_and_at_least_one(kind: str) -> None:
    assert value(kind, "statuses", statuses=[1, 10]) == (1, 10)
    for wrong in ([], [0], [11]):
        with pytest.raises(ValidationError, match="statuses"):
            value(kind, "statuses", statuses=wrong)


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [("acknowledged_late", "channels"), ("transferred_late", "channels"), ("bulk_closing", "period_ends")],
)
def test_a_list_of_choices_has_one_at_least(kind: str, parameter: str) -> None:
    with pytest.raises(ValidationError, match=parameter):
        value(kind, parameter, **{parameter: []})


@pytest.mark.parametrize("kind", ["transferred_late", "reception_after_first_sight"])
@pytest.mark.parametrize("written", ["24:00", "15", "7:30", "15:60"])
def test_a_cutoff_is_a_time_of_day(kind: str, written: str) -> None:
    assert value(kind, "cutoff", cutoff="23:59") == "23:59"
    with pytest.raises(ValidationError, match="cutoff"):
        value(kind, "cutoff", cutoff=written)


def test_the_clock_stands_still_while_the_applicant_is_waited_for() -> None:
    against_due = [kind for kind, one in KINDS.items() if issubclass(one.model, AgainstDue)]
    assert {value(kind, "clock_while_waiting") for kind in against_due} == {"stopped"}
