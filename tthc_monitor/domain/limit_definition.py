"""A catalogue of limits as plain data and back: what an evaluation judged by is kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tthc_monitor.domain.lawful_due import Limits
from tthc_monitor.domain.time_limits import ClockPolicy, ClockStart, TimeLimit


def limit_definition(limits: Limits) -> dict[str, Any]:
    """All that results depend on, as JSON."""
    return {
        "default_policy": limits.default_policy.model_dump(mode="json"),
        "clock_starts": [start.model_dump(mode="json") for start in limits.clock_starts],
        "limits": [limit.model_dump(mode="json", exclude_none=True) for limit in limits.limits],
    }


def limits_defined(definition: Mapping[str, Any]) -> Limits:
    """The catalogue that :func:`limit_definition` told.

    Raises:
        ValueError: it is not one.
    """
    try:
        return Limits(
            [TimeLimit.model_validate(one) for one in definition["limits"]],
            ClockPolicy.model_validate(definition["default_policy"]),
            [ClockStart.model_validate(one) for one in definition["clock_starts"]],
        )
    except KeyError as error:
        raise ValueError(f"the definition lacks {error}; it was written by another version") from None
