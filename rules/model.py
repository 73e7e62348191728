"""What every rule has: data that a person writes and a lawyer can read.

The parameters of each kind stand with its function in :mod:`rules.kinds`; :mod:`rules.registry` puts them together.
"""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Severity = Literal["info", "warning", "critical"]
Verdict = Literal["late", "open_overdue", "cannot_tell"]
LocalTime = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?)?$")]
"""A local date, or date and time of day, in quotes."""

_VERDICT_OF_KIND = {"overdue": "open_overdue", "finished_late": "late", "cannot_tell": "cannot_tell"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Model):
    """Whom a rule is about. An empty list sets no limit."""

    kinds: tuple[Literal["dossier", "petition"], ...] = ("dossier", "petition")
    procedures: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    except_procedures: tuple[str, ...] = ()
    except_units: tuple[str, ...] = ()


class Beside(_Model):
    """Another dossier of an example's group, ``times`` over."""

    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    dossier: dict[str, Any]


class Flagged(_Model):
    """The interval that an example expects; ``until`` left out means without end. Local times, "2026-10-05 07:30"."""

    since: LocalTime
    until: LocalTime | None = None


class Example(_Model):
    """A worked example of a rule: a story that an official follows, its facts, and what the rule must answer.

    ``dossier`` gives facts (:data:`tthc_monitor.domain.facts.FACT_SCHEMA`) that differ from a usual dossier under way;
    times are local to the shipped calendar, as "2026-10-05 07:30". ``beside`` are other dossiers of the same group.
    ``answer`` is ``flagged`` exactly when ``flagged`` is given.
    """

    story: Annotated[str, Field(min_length=1)]
    dossier: dict[str, Any]
    beside: tuple[Beside, ...] = ()
    flagged: Flagged | None = None
    answer: Literal["flagged", "clear", "not_applicable", "cannot_tell"] = "flagged"

    @model_validator(mode="after")
    def _one_answer(self) -> Example:
        if (self.flagged is not None) != (self.answer == "flagged"):
            raise ValueError("give 'flagged' with its interval, or 'answer' with another answer")
        return self


class Rule(_Model):
    """What all kinds have in common.

    ``code`` is public: metrics, views and mails name it. ``verdict`` makes a rule an official one: its findings decide
    what a dossier counts as. An official rule holds for every dossier, else those it leaves out would pass for on time.
    Effective dates are those of the dossier's reception, in the calendar's zone. ``examples`` are run by the tests and
    by ``tthc-monitor check``; they are no part of the rule's version.
    """

    kind: str

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    severity: Severity
    verdict: Verdict | None = None
    legal_basis: Annotated[str, Field(min_length=1)]
    applies_to: Scope = Scope()
    effective_from: date | None = None
    effective_to: date | None = None
    examples: tuple[Example, ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _dates_in_order(self) -> Rule:
        if self.effective_from and self.effective_to and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must lie after effective_from; correct one of the two")
        return self

    @model_validator(mode="after")
    def _official_for_all(self) -> Rule:
        if self.verdict is None:
            return self
        if _VERDICT_OF_KIND.get(self.kind) != self.verdict:
            raise ValueError(f"a rule of kind {self.kind} cannot give the verdict {self.verdict}; remove 'verdict'")
        if self.applies_to != Scope() or self.effective_from or self.effective_to:
            raise ValueError(
                "a rule that gives a verdict holds for every dossier; remove applies_to and the effective dates, "
                "or remove 'verdict' and let it stand beside the official rule"
            )
        if getattr(self, "against", "due_current") != "due_current":
            raise ValueError("the official verdict is against due_current; remove 'verdict', or correct 'against'")
        return self

    def fingerprint(self) -> str:
        """SHA-256 of the definition: the rule's version."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class AgainstDue(Rule):
    """A rule about a promised instant.

    ``clock_while_waiting``: whether the office's clock stands still (``stopped``) or goes on (``running``) while a
    request for supplements, made before the due instant, waits for the applicant.
    """

    clock_while_waiting: Literal["stopped", "running"] = "stopped"
