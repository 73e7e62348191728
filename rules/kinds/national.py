"""The national rule: index 766 (QĐ 766/QĐ-TTg), item 2.1, as a second verdict beside the official one.

On time if and only if the end of processing (đã xử lý xong, else đã trả kết quả, else dừng or từ chối of a dossier that
was received) is not after NgayHenTra, the time of supplements subtracted; while the applicant is awaited, the request is
the end; asked more than once counts as overdue; without NgayHenTra the procedure's maximum time stands in; unfinished
is compared with the end of the reporting period.

All of that moves the due instant and nothing else: the time subtracted never falls as time passes, so a dossier that is
late at one instant is late at every later one. A finding is therefore ``[since, without end)``, and late by item 2.1 at
the end T of a period means a finding in force at T. Whether the dossier had ended by then is not the rule's question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from rules.kinds import reads
from rules.kinds.intervals import answerable, earlier, findings, first_known, later, utc
from rules.kinds.kind import Kind
from rules.kinds.lateness import understood
from rules.kinds.waits import Instants, waits
from rules.model import Rule, Scope
from tthc_monitor.domain.worktime import WorkCalendar

_NEVER = np.datetime64("NaT", "us")
Numbers = np.ndarray[Any, np.dtype[np.float64]]


class SecondVerdict(Rule):
    """A rule of a verdict beside the official one: it holds for every dossier, else those left out would pass for on
    time in ``audit.verdicts_by``. It may leave out petitions, which these verdicts are not about.
    """

    @model_validator(mode="after")
    def _for_every_dossier(self) -> SecondVerdict:
        whole = Scope(kinds=self.applies_to.kinds)
        if "dossier" not in whole.kinds or self.applies_to != whole or self.effective_from or self.effective_to:
            raise ValueError(
                f"a rule of kind {self.kind} holds for every dossier; remove the effective dates and all of applies_to "
                "but kinds"
            )
        return self


class By766(SecondVerdict):
    """What the two kinds of item 2.1 have in common; a pack gives both the same values.

    ``supplement_time``: the time of a supplement is subtracted as ``working_time``, or as ``clock_time`` from request to
    answer, nights and days off included; the formula document does not say which. ``requests_allowed``: one more request
    than this counts as overdue.
    """

    supplement_time: Literal["working_time", "clock_time"] = "working_time"
    requests_allowed: Annotated[int, Field(ge=1, le=100)] = 1


class Late766(By766):
    """Late by item 2.1: flagged from the instant that was too much, for good."""

    kind: Literal["late_766"]


class CannotTell766(By766):
    """A fact that item 2.1 rests on is missing: flagged from where it matters, for good."""

    kind: Literal["cannot_tell_766"]


@dataclass(frozen=True)
class _Due:
    """``at``: the instant that may not be passed, NaT when there is none or an open wait keeps it away; ``doubtful``: it
    lies there or later, nobody knows; ``subtracted``: seconds taken out, in the rule's measure.
    """

    at: pd.Series
    doubtful: pd.Series
    subtracted: pd.Series


def late_766(facts: pd.DataFrame, calendar: WorkCalendar, rule: Late766) -> pd.DataFrame:
    """Index 766 item 2.1."""
    due, second = _due(facts, calendar, rule), _one_too_many(facts, rule)
    ended = facts["ended_at"]
    passed = due.at.notna() & ~due.doubtful & understood(facts) & _end_told(facts) & (ended.isna() | (ended > due.at))
    since = later(earlier(due.at.where(passed), second), facts["received_at"])
    by_request = second.notna() & (~passed | (second < due.at))
    by_law = facts["due_current"].isna()
    return findings(
        facts,
        since.notna(),
        since,
        _never(facts),
        due_at=due.at,
        promised_at=facts["due_current"],
        lawful_due_at=facts["due_lawful"],
        ended_at=ended,
        counted=np.where(by_request, "second_supplement", np.where(by_law, "lawful_limit", "promise")),
        requests=facts["supplement_count"].clip(lower=0),
        subtracted_seconds=due.subtracted,
    )


def cannot_tell_766(facts: pd.DataFrame, calendar: WorkCalendar, rule: CannotTell766) -> pd.DataFrame:
    """Nothing in item 2.1 lets a missing fact count as on time; such dossiers are counted apart."""
    due = _due(facts, calendar, rule)
    received, ended = facts["received_at"], facts["ended_at"]
    end_told = _end_told(facts)
    # Seen ended before the due instant: on time whenever it ended.
    passed = first_known(ended, facts["end_seen_at"]) > due.at
    still_open = ended.isna() & end_told
    missing = pd.Series("", index=facts.index)
    missing[due.doubtful & due.at.notna() & (still_open | passed)] = "wait"
    missing[~end_told & passed] = "end"
    missing[_unplaced(facts, rule)] = "request"
    missing[_limit(facts).isna()] = "limit"
    missing[~understood(facts)] = "status"
    since = received.where(~missing.isin(("wait", "end")), later(due.at, received))
    return findings(facts, missing != "", since, _never(facts), missing=missing, due_at=due.at)


def was_received(facts: pd.DataFrame, rule: Rule) -> pd.Series:
    """Item 2.1 counts refused, stopped and withdrawn dossiers only when they had been received; so with all others."""
    return facts["received_at"].notna()


def told(facts: pd.DataFrame, rule: Late766) -> pd.Series:
    """Whether the facts suffice, short of what only a calendar tells: a wait in doubt counts as soon as the bare promise
    has passed.
    """
    limit = _limit(facts)
    ended = first_known(facts["ended_at"], facts["end_seen_at"])
    in_time = ended <= limit
    doubt = (facts["request_unknown"] == 1) | (facts["answer_unknown"] == 1) | ~_end_told(facts)
    return understood(facts) & limit.notna() & ~_unplaced(facts, rule) & (~doubt | in_time)


def _limit(facts: pd.DataFrame) -> pd.Series:
    """NgayHenTra, else the end of the procedure's maximum time; NaT when neither is known or nothing was received."""
    return facts["due_current"].fillna(facts["due_lawful"]).where(facts["received_at"].notna())


def _due(facts: pd.DataFrame, calendar: WorkCalendar, rule: By766) -> _Due:
    """Moves the limit by every wait that began before it. The lawful one has the waits in it already."""
    at = utc(_limit(facts)).copy()
    promised = facts["due_current"].notna().to_numpy()
    subtracted = np.zeros(len(facts))
    doubtful = (facts["request_unknown"] == 1).to_numpy() & facts["supplement_requested_at"].notna().to_numpy()
    answer_unknown = (facts["answer_unknown"] == 1).to_numpy()
    for wait in waits(facts):
        before, answered = wait.requested < at, ~np.isnat(wait.answered)
        # Answered nobody knows when: not before the request, so the limit does not come earlier than it is.
        unknown = before & ~answered & answer_unknown
        doubtful |= unknown
        at[before & ~answered & ~unknown] = _NEVER
        moved = np.flatnonzero(before & answered & promised)
        if moved.size:
            later_at, seconds = _moved(at[moved], wait.requested[moved], wait.answered[moved], calendar, rule)
            at[moved] = later_at
            subtracted[moved] += seconds
    return _Due(_column(at, facts), pd.Series(doubtful, index=facts.index), pd.Series(subtracted, index=facts.index))


def _moved(
    due: Instants, requested: Instants, answered: Instants, calendar: WorkCalendar, rule: By766
) -> tuple[Instants, Numbers]:
    """The limits with one wait each taken out, and how many seconds that were; every request lies before its limit."""
    wait = answered - requested
    result, seconds = due + wait, wait / np.timedelta64(1, "s")
    if rule.supplement_time == "clock_time":
        return result, seconds
    # Where the calendar does not reach, clock time has to do: such a limit lies decades away.
    known = np.logical_and.reduce([_answerable(one) for one in (due, requested, answered, due + 2 * wait)])
    seconds[known] = calendar.elapsed(requested[known], answered[known])
    inside, over = known & (answered > due), known & (answered <= due)
    # What was left at the request is left at the answer; a wait that was over before the limit moves it as it is.
    result[inside] = calendar.add(answered[inside], calendar.elapsed(requested[inside], due[inside]))
    result[over] = calendar.add(due[over], seconds[over])
    return result, seconds


def _one_too_many(facts: pd.DataFrame, rule: By766) -> pd.Series:
    """The instant by which one request more than allowed was made, for certain; NaT when there was none, or it has no
    instant. Of a dossier that ended, its end at the latest.
    """
    requests = np.sort(np.column_stack([wait.requested for wait in waits(facts)]), axis=1)  # NaT goes last
    known = np.sum(~np.isnat(requests), axis=1)
    # Requests that nobody saw came before the latest one: then the last that is known is proof enough.
    which = np.clip(known - 1, 0, rule.requests_allowed)
    instant = _column(np.take_along_axis(requests, which[:, np.newaxis], axis=1)[:, 0], facts)
    # A source that counts nothing has not shown a second one.
    asked = np.maximum(facts["supplement_count"].to_numpy(), known) > rule.requests_allowed
    return earlier(instant, facts["ended_at"]).where(asked & facts["received_at"].notna())


def _unplaced(facts: pd.DataFrame, rule: By766) -> pd.Series:
    """Asked too often by what the source counts, with no instant to count it from: no request is known, nor an end."""
    return (facts["supplement_count"] > rule.requests_allowed) & _one_too_many(facts, rule).isna()


def _end_told(facts: pd.DataFrame) -> pd.Series:
    """Not so when a dossier was seen ended and nothing claims since when."""
    return facts["ended_at"].notna() | facts["end_seen_at"].isna()


def _answerable(values: Instants) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return answerable(pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"))).to_numpy()


def _column(values: Instants, facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"), index=facts.index)


def _never(facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NaT, index=facts.index, dtype=facts["received_at"].dtype)


_READS = reads.PROMISE | reads.NOT_ENDED_BY | {"due_lawful"}

KINDS = {
    "late_766": Kind(Late766, late_766, applies=was_received, told=told, reads=_READS),
    "cannot_tell_766": Kind(CannotTell766, cannot_tell_766, applies=was_received, reads=_READS),
}
