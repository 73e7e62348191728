"""What a rule is: data that a person writes and a lawyer can read."""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Severity = Literal["info", "warning", "critical"]
Verdict = Literal["late", "open_overdue", "cannot_tell"]
Missing = Literal["due_current", "end", "wait", "status"]

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


class _Rule(_Model):
    """What all kinds have in common.

    ``code`` is public: metrics, views and mails name it. ``verdict`` makes a rule an official one: its findings decide
    what a dossier counts as. An official rule holds for every dossier, else those it leaves out would pass for on time.
    Effective dates are those of the dossier's reception, in the calendar's zone.
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

    @model_validator(mode="after")
    def _dates_in_order(self) -> _Rule:
        if self.effective_from and self.effective_to and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must lie after effective_from; correct one of the two")
        return self

    @model_validator(mode="after")
    def _official_for_all(self) -> _Rule:
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


class _AgainstDue(_Rule):
    """A rule about a promised instant.

    ``clock_while_waiting``: whether the office's clock stands still (``stopped``) or goes on (``running``) while a
    request for supplements, made before the due instant, waits for the applicant.
    """

    clock_while_waiting: Literal["stopped", "running"] = "stopped"


class DueSoon(_AgainstDue):
    """The due instant is near: flagged from ``within_working_hours`` before it until it comes or the dossier ends."""

    kind: Literal["due_soon"]
    within_working_hours: Annotated[float, Field(gt=0, le=400)]


class Overdue(_AgainstDue):
    """Not ended at the due instant: flagged from then until the dossier ends."""

    kind: Literal["overdue"]
    against: Literal["due_current", "due_original"] = "due_current"


class FinishedLate(_AgainstDue):
    """Ended after the due instant: flagged from its end, for good."""

    kind: Literal["finished_late"]
    against: Literal["due_current", "due_original"] = "due_current"


class Returned(_Rule):
    """Ended without a result, in one of ``statuses``: flagged from its end, for good."""

    kind: Literal["returned"]
    statuses: Annotated[tuple[Annotated[int, Field(ge=1, le=10)], ...], Field(min_length=1)]


class SupplementRequested(_Rule):
    """The applicant was asked to supplement: flagged from the request until it is completed or the dossier ends."""

    kind: Literal["supplement_requested"]


class CannotTell(_AgainstDue):
    """A fact that lateness rests on is missing: flagged as long as it matters, counted, never passed off as on time.

    ``missing``: the promise (``due_current``), when the dossier ended (``end``), how long the applicant was waited for
    (``wait``), or what the source's status means (``status``).
    """

    kind: Literal["cannot_tell"]
    missing: Missing


Rule = Annotated[
    DueSoon | Overdue | FinishedLate | Returned | SupplementRequested | CannotTell, Field(discriminator="kind")
]


class Pack(_Model):
    """A file of rules."""

    pack: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
