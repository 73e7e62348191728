"""A catalogue of limits is kept with what was judged by it, as JSON, and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.lawful import CLOCK_STARTS, catalogue, limit
from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.limit_definition import limit_definition, limits_defined
from tthc_monitor.domain.time_limits import ClockPolicy

LIMITS = catalogue(
    limit(amount=5, unit="working_day", valid_to="2026-04-15"),
    limit(unit="same_day", channel="online", valid_from="2026-04-15", policy=ClockPolicy(clock_model="pause")),
    limit(abolished=True, unit_code="H99.02"),
    policy=ClockPolicy(cutoff="15:00", pauses=("supplement", "financial_obligation")),
)


@pytest.mark.parametrize("limits", [LIMITS, catalogue(), Limits([], ClockPolicy())])
def test_what_was_kept_is_read_again_as_it_was(limits: Limits) -> None:
    again = limits_defined(json.loads(json.dumps(limit_definition(limits))))
    assert (again.limits, again.default_policy) == (limits.limits, limits.default_policy)
    assert again.clock_starts == limits.clock_starts
    assert again.fingerprint == limits.fingerprint


def test_it_tells_all_that_results_depend_on_and_of_a_limit_only_what_is_given() -> None:
    kept = limit_definition(LIMITS)
    assert sorted(kept) == ["clock_starts", "default_policy", "limits"]
    assert len(kept["clock_starts"]) == len(CLOCK_STARTS)
    assert kept["default_policy"]["cutoff"] == "15:00"
    first = kept["limits"][0]
    assert (first["amount"], first["valid_to"]) == (5, "2026-04-15")
    assert first.keys().isdisjoint({"channel", "unit_code", "policy", "valid_from"}), "what is not given is left out"


@pytest.mark.parametrize("name", ["limits", "default_policy", "clock_starts"])
def test_a_definition_that_lacks_a_part_is_of_another_version(name: str) -> None:
    kept = {key: value for key, value in limit_definition(LIMITS).items() if key != name}
    with pytest.raises(ValueError, match=f"the definition lacks '{name}'; it was written by another version"):
        limits_defined(kept)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limits", [{"amount": 5}]),
        ("default_policy", {"clock_model": "guess"}),
        ("clock_starts", [{"instant": "sent"}]),
    ],
)
def test_a_definition_that_is_none_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        limits_defined(limit_definition(LIMITS) | {name: value})
