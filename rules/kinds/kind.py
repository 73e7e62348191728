"""A kind of rule: its parameters, the function that judges it, and when it has an answer at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from rules.model import Rule
from tthc_monitor.domain.worktime import WorkCalendar

GroupedBy = Literal["closing_day", "filing", "number_day"]
"""What makes dossiers a group.

``closing_day``
    one unit's dossiers whose claimed end (``ended_at``) falls on one local day.
``filing``
    filings of one applicant (by keyed hash) for one procedure.
``number_day``
    dossiers whose numbers differ in the serial only: one prefix, one day.
"""


def everywhere(facts: pd.DataFrame, rule: Any) -> pd.Series:
    """True for every row."""
    return pd.Series(data=True, index=facts.index)


@dataclass(frozen=True)
class Kind:
    """One kind of rule.

    Attributes:
        model: what a rule of this kind says in YAML.
        judge: pure: (facts, calendar, rule) to findings (see :func:`rules.kinds.intervals.findings`). A kind with
            ``groups`` gets whole groups, named by an int64 column ``group`` beside the facts.
        applies: (facts, rule) to the rows that the rule has anything to say about; elsewhere it is not applicable.
        told: (facts, rule) to the rows whose facts suffice; where it applies and they do not, it cannot tell.
        unsure: (facts, calendar, rule) to rows that cannot be told for what their facts mean in the calendar's zone.
        groups: what makes a group; None when a dossier is judged by itself.
        smallest_group: for a rule, the size below which a group cannot be flagged.
        findings_scoped: whether members out of a rule's scope still count in a group of its, and only what is found of
            them is left out. Otherwise they are no members.
        reads: facts that ``judge`` reads, derived ones among them, beside ``dossier_id``. An evaluation loads what the
            rules in force read, and what their scopes look at; ``applies``, ``told`` and ``unsure`` get all facts.
    """

    model: type[Rule]
    judge: Callable[[pd.DataFrame, WorkCalendar, Any], pd.DataFrame]
    applies: Callable[[pd.DataFrame, Any], pd.Series] = everywhere
    told: Callable[[pd.DataFrame, Any], pd.Series] = everywhere
    unsure: Callable[[pd.DataFrame, WorkCalendar, Any], pd.Series] | None = None
    groups: GroupedBy | None = None
    smallest_group: Callable[[Any], int] = lambda _rule: 2
    findings_scoped: bool = False
    reads: frozenset[str] = field(kw_only=True)
