"""Supplement requests, read from the step history of one dossier."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

ROLLED_BACK = 2


@dataclass(frozen=True)
class Supplements:
    """What a history tells: number of requests, the latest one and its completion, in epoch milliseconds."""

    count: int
    requested_ms: int | None = None
    completed_ms: int | None = None

    def packed(self) -> list[int | None]:
        """Plain JSON for the cursor."""
        return [self.count, self.requested_ms, self.completed_ms]

    @classmethod
    def unpacked(cls, values: list[Any]) -> Supplements:
        """The inverse of :meth:`packed`."""
        return cls(*values)


NONE_KNOWN = Supplements(0)


class _Move(NamedTuple):
    at_ms: int
    step: str
    before: str


def as_list(value: Any) -> list[Any]:
    """The server writes a list of one as the thing itself, and leaves an empty list out."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def read_supplements(answer: Any, waiting_steps: Collection[str]) -> Supplements:
    """Count entries into a waiting step and find the latest with the move that ended it.

    Moves that were rolled back do not count; the same move may be listed twice and counts once.
    """
    moves: set[_Move] = set()
    sequences = as_list(answer.get("data")) if isinstance(answer, dict) else []
    for sequence in sequences:
        for action in as_list(sequence.get("actions")) if isinstance(sequence, dict) else []:
            if not isinstance(action, dict):
                continue
            at = action.get("createDate")
            if action.get("state") == ROLLED_BACK or not isinstance(at, int) or isinstance(at, bool) or at <= 0:
                continue
            moves.add(_Move(at, str(action.get("stepCode", "")), str(action.get("fromStepCode", ""))))
    count, requested, completed = 0, None, None
    for move in sorted(moves):
        if move.step in waiting_steps:
            if move.before not in waiting_steps:
                count, requested, completed = count + 1, move.at_ms, None
        elif requested is not None and completed is None:
            completed = move.at_ms
    return Supplements(count, requested, completed)
