"""LEGACY: late as OpenCPS computes it, so that an office sees why its own figures differ.

OpenCPS holds the release date against the due date in force and knows no lawful limit. Its lists and its statistics do
not agree with each other; the parameters say which of its ways is meant.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from rules.kinds import reads
from rules.kinds.intervals import findings, later, utc
from rules.kinds.kind import Kind
from rules.kinds.national import SecondVerdict, was_received
from rules.kinds.waits import Instants, waits
from tthc_monitor.domain.worktime import WorkCalendar


class LateOpencps(SecondVerdict):
    """Late as OpenCPS shows it: overdue from the due date until the release, and released after it for good.

    ``hidden_while_waiting``: what an overdue dossier waits for when it does not show. The list of overdue dossiers
    (``top=overdue``) and the monthly statistics hide those waiting for a supplement; a site that pauses for payments
    hides these too (``supplement_or_payment``); with ``nothing`` all show. A dossier without a due date is early in every
    one of these ways: it is never flagged.
    """

    kind: Literal["late_opencps"]
    hidden_while_waiting: Literal["supplement", "supplement_or_payment", "nothing"] = "supplement"


def late_opencps(facts: pd.DataFrame, calendar: WorkCalendar, rule: LateOpencps) -> pd.DataFrame:
    """``getValueCompareRelease``: late when released after the due date; not released, when the due date has passed and
    the dossier neither waits nor is paused. A wait moves nothing: OpenCPS moves the due date itself, or does not.

    A dossier that waits when it is overdue already shows, is hidden, and shows again: two findings.
    """
    due, ended = facts["due_current"], facts["ended_at"]
    late = facts["received_at"].notna() & due.notna() & (ended.isna() | (ended > due))
    shown_from, ends = utc(later(due, facts["received_at"])).copy(), utc(ended)
    pieces = []
    for requested, answered in _hidden(facts, rule):
        hides = (requested < ends) | (np.isnat(ends) & ~np.isnat(requested))
        shown = late & hides & (requested > shown_from)
        if shown.any():
            until = _column(requested, facts)
            pieces.append(findings(facts, shown, _column(shown_from, facts), until, due_at=due, ended_at=ended))
        # Released while it waited: the release ends the wait.
        back = np.where(np.isnat(answered) | (answered > ends), ends, answered)
        over = back <= shown_from
        shown_from = np.where(hides & ~over, back, shown_from)
    for_good = _column(np.full(len(facts), "NaT", dtype="datetime64[us]"), facts)
    pieces.append(findings(facts, late, _column(shown_from, facts), for_good, due_at=due, ended_at=ended))
    return pd.concat([one for one in pieces if not one.empty] or pieces[-1:])


def _hidden(facts: pd.DataFrame, rule: LateOpencps) -> list[tuple[Instants, Instants]]:
    """The waits that hide a dossier, in the order of their requests: requests and answers, NaT where there are fewer."""
    if rule.hidden_while_waiting == "nothing":
        return []
    grounds = [(wait.requested, wait.answered) for wait in waits(facts)]
    if rule.hidden_while_waiting == "supplement_or_payment":
        grounds.append((utc(facts["obligation_requested_at"]), utc(facts["obligation_completed_at"])))
    requested, answered = (np.column_stack(columns) for columns in zip(*grounds, strict=True))
    order = np.argsort(requested, axis=1, kind="stable")
    requested, answered = (np.take_along_axis(one, order, axis=1) for one in (requested, answered))
    return list(zip(requested.T, answered.T, strict=True))


def _column(values: Instants, facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"), index=facts.index)


KINDS = {
    "late_opencps": Kind(
        LateOpencps,
        late_opencps,
        applies=was_received,
        reads=reads.WAITS
        | {"received_at", "due_current", "ended_at", "obligation_requested_at", "obligation_completed_at"},
    )
}
