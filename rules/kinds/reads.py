"""Names of the facts that the functions shared by kinds read: what :attr:`rules.kinds.kind.Kind.reads` is made of.

An evaluation loads what the rules in force read and nothing else; a test compares every name with the code.
"""

from __future__ import annotations

from typing import Final

_Names = frozenset[str]

WAITS: Final[_Names] = frozenset({"supplement_requested_at", "supplement_completed_at", "earlier_waits"})
"""Of :func:`rules.kinds.waits.waits` and :func:`rules.kinds.waits.first_request`."""

EXCUSED_MOVES: Final[_Names] = frozenset(
    {"supplement_requested_at", "earlier_waits", "supplement_count", "obligation_requested_at"}
)
"""Of :func:`rules.kinds.waits.excused_moves`."""

DUE_INSTANT: Final[_Names] = WAITS | {"received_at", "request_unknown", "answer_unknown", "supplement_count"}
"""Of :func:`rules.kinds.promise.due_instant`, beside the promise itself."""

PROMISE: Final[_Names] = DUE_INSTANT | {"due_current"}
"""Of the due instant by the promise in force."""

ENDED: Final[_Names] = frozenset({"ended_at", "end_seen_at"})
"""Of :func:`rules.kinds.seen.ended`."""

NOT_ENDED_BY: Final[_Names] = ENDED | {"status"}
"""Of :func:`rules.kinds.lateness.not_ended_by`."""

OPEN_AFTER: Final[_Names] = NOT_ENDED_BY | {"open_seen_at"}
"""Of :func:`rules.kinds.seen.open_after`."""

STEP_CLOSED: Final[_Names] = ENDED | {"step_started_at", "step_due_at", "last_step_at"}
"""Of :func:`rules.kinds.seen.step_closed_in_time`."""

PAYING: Final[_Names] = frozenset({"status", "obligation_requested_at", "obligation_completed_at"})
"""Of :func:`rules.kinds.payment.paying_at`."""

EARLIEST_REQUEST: Final[_Names] = frozenset({"supplement_requested_after", "request_unknown"})
"""Of :func:`rules.kinds.requests.earliest_request`."""

FIRST_REQUEST: Final[_Names] = EARLIEST_REQUEST | WAITS | {"supplement_count"}
"""Of :func:`rules.kinds.requests.earliest_first_request`."""

AWAITED: Final[_Names] = EARLIEST_REQUEST | {"supplement_requested_at", "supplement_completed_at"}
"""Of :func:`rules.kinds.requests.awaited_at`."""

ASKED_BEFORE_RECEPTION: Final[_Names] = EARLIEST_REQUEST | {
    "supplement_requested_at", "supplement_count", "earlier_waits", "received_at",
}  # fmt: skip
"""Of :func:`rules.kinds.requests.asked_before_reception`."""
