"""Supplement requests and steps, read from the step history of one dossier."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

from connectors.opencps.answers import as_list

ROLLED_BACK = 2


@dataclass(frozen=True)
class History:
    """What a history tells; instants in epoch milliseconds.

    ``supplements`` / ``requested_ms`` / ``completed_ms``
        number of supplement requests, the latest one and its completion.
    ``steps`` / ``first_ms`` / ``last_ms``
        moves after the reception: how many, the first and the last. ``steps`` is None when an earlier version, which
        did not look for them, read the history.
    ``entered_ms``
        when the dossier came to the step it is at.
    ``mark``
        what the row looked like beside which it was read; None where an earlier version read it.
    """

    supplements: int = 0
    requested_ms: int | None = None
    completed_ms: int | None = None
    steps: int | None = 0
    first_ms: int | None = None
    last_ms: int | None = None
    entered_ms: int | None = None
    mark: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the latest supplement request has no answer yet."""
        return self.requested_ms is not None and self.completed_ms is None

    def packed(self) -> list[int | None]:
        """Plain JSON for the cursor."""
        return list(astuple(self))

    @classmethod
    def unpacked(cls, values: list[Any]) -> History:
        """The inverse of :meth:`packed`."""
        return cls(*values)


class _Move(NamedTuple):
    at_ms: int
    step: str
    before: str


def read_history(
    answer: Any, waiting_steps: Collection[str], *, received_ms: int | None = None, step: str | None = None
) -> History:
    """Read an answer: supplement requests are entries into a waiting step, each ended by the next move out of it.

    Moves that were rolled back do not count; the same move may be listed twice and counts once.

    Args:
        received_ms: the reception, to the second; the move that is the reception is no step. None: not received.
        step: the step that the dossier is at.
    """
    moves = _moves(answer)
    count, requested, completed = 0, None, None
    for move in moves:
        if move.step in waiting_steps:
            if move.before not in waiting_steps:
                count, requested, completed = count + 1, move.at_ms, None
        elif requested is not None and completed is None:
            completed = move.at_ms
    steps = [] if received_ms is None else [move.at_ms for move in moves if move.at_ms >= received_ms + 1000]
    entered = None
    for move in reversed(moves):
        if move.step != step:
            break
        entered = move.at_ms
    return History(
        count, requested, completed, len(steps), steps[0] if steps else None, steps[-1] if steps else None, entered
    )


def _moves(answer: Any) -> list[_Move]:
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
    return sorted(moves)
