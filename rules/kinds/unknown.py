"""What cannot be told: facts missing that lateness rests on."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from rules.kinds import reads
from rules.kinds.intervals import findings
from rules.kinds.kind import Kind
from rules.kinds.lateness import received, understood
from rules.kinds.promise import due_instant, promise_before_latest_wait, wait_unknown
from rules.model import AgainstDue
from tthc_monitor.domain.worktime import WorkCalendar

Missing = Literal["due_current", "end", "wait", "status"]


class CannotTell(AgainstDue):
    """A fact that lateness rests on is missing: flagged as long as it matters, counted, never passed off as on time.

    ``missing``: the promise (``due_current``), when the dossier ended (``end``), how long the applicant was waited for
    (``wait``), or what the source's status means (``status``).
    """

    kind: Literal["cannot_tell"]
    missing: Missing


def cannot_tell(facts: pd.DataFrame, calendar: WorkCalendar, rule: CannotTell) -> pd.DataFrame:
    """Nothing in law lets a missing date count as on time; such dossiers are counted apart."""
    received, promised, ended = facts["received_at"], facts["due_current"], facts["ended_at"]
    for_good = pd.Series(pd.NaT, index=facts.index, dtype=received.dtype)
    if rule.missing == "due_current":
        return findings(facts, received.notna() & promised.isna(), received, for_good, missing=rule.missing)
    if rule.missing == "status":
        where = received.notna() & ~understood(facts)
        return findings(facts, where, received, for_good, missing=rule.missing)
    if rule.missing == "wait":
        due = promise_before_latest_wait(facts, calendar, promised)
        where = received.notna() & wait_unknown(facts, due) & (ended.isna() | (ended > due))
        return findings(facts, where, due, for_good, missing=rule.missing, due_at=due)
    due = due_instant(facts, calendar, promised, rule.clock_while_waiting)
    seen = facts["end_seen_at"]
    # Seen ended before the due instant: on time whenever it ended.
    where = ended.isna() & (seen > due)
    return findings(facts, where, due, for_good, missing=rule.missing, end_seen_at=seen, due_at=due)


KINDS = {"cannot_tell": Kind(CannotTell, cannot_tell, received, reads=reads.PROMISE | reads.NOT_ENDED_BY)}
