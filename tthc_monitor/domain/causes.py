"""The list of causes of delay: what each is called, whether it is real delay, and what proves it. Edited by the office.

Only what is proved by records is given a cause; the rest stays unknown until a person says why. Nothing here decides
lateness: official figures stay as they are, the causes explain them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.yaml_text import parse_yaml, validate

CauseClass = Literal["subjective", "objective", "software", "late_click"]
"""Real delay by the office's own doing, or by others'; and apparent delay: software, or closed late with the work in time."""

UNKNOWN: Final = "unknown"
"""The class of what neither records nor a person explain."""
CLASS_TITLES: Final[dict[str, str]] = {
    "subjective": "Chủ quan",
    "objective": "Khách quan",
    "software": "Phần mềm, đồng bộ (không phải chậm thực)",
    "late_click": "Bấm kết thúc chậm (không phải chậm thực)",
    UNKNOWN: "Chưa rõ nguyên nhân",
}
"""How each class is called, in the order in which they are shown."""
APPARENT: Final = frozenset({"software", "late_click"})
"""Classes of what was ready in time: late on record only."""

COLUMNS: Final = ("Mã hồ sơ", "Nguyên nhân", "Ghi chú")
"""Columns of a file in which people say why: the dossier's number, the cause (its name or its code), a note."""
TAKE_BACK: Final = "-"
"""In the column of the cause: what was said before of the dossier holds no more."""
BETWEEN: Final = " – "
"""Between code and name, where a cell has both."""

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Proof(_Part):
    """One way to recognise a cause; everything said in it must hold. What it rests on is exactly one of the first four.

    ``rule``
        a finding of this rule touches the delay; ``lasting`` asks that it stands to the end of it. ``evidence`` are values
        that it must carry, ``holder`` whether the unit named in it is the resolving one (or below it) or another,
        ``unit_name_has`` words of that unit's name.
    ``wait``
        the time that the applicant was waited for (``supplement``, ``obligation``: payment) is at least
        ``percent_of_delay`` of the delay, in working time, counted from the reception or only from the due instant.
    ``by_due``
        this instant was told and lies between reception and due instant.
    ``inherited_within_days``
        the dossier was taken over from a unit that ended, and fell due no later than so many days after that.
    ``delay_at_most_hours``
        the dossier has ended, late by no more than so many working hours.
    ``unless``
        rules none of whose findings may stand.
    ``procedures``, ``sectors``
        only of these; empty means all.
    ``priority``
        of several proofs the one with the smallest number says the cause.
    """

    priority: Annotated[int, Field(ge=1, le=999)]
    rule: _Word | None = None
    wait: Literal["supplement", "obligation"] | None = None
    by_due: Literal["result_at", "delivered_at"] | None = None
    inherited_within_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    lasting: bool = False
    evidence: dict[_Word, str] = {}
    holder: Literal["own", "other"] | None = None
    unit_name_has: tuple[_Name, ...] = ()
    percent_of_delay: Annotated[float, Field(gt=0, le=1000)] = 100
    counted_from: Literal["reception", "due"] = "due"
    delay_at_most_hours: Annotated[float, Field(gt=0, le=10_000)] | None = None
    unless: tuple[_Word, ...] = ()
    procedures: tuple[_Name, ...] = ()
    sectors: tuple[_Name, ...] = ()

    @model_validator(mode="after")
    def _rests_on_one_thing(self) -> Self:
        told = [name for name in ("rule", "wait", "by_due", "inherited_within_days") if getattr(self, name) is not None]
        if len(told) != 1:
            raise ValueError(
                f"a proof rests on one of rule, wait, by_due, inherited_within_days, here on {' and '.join(told) or 'none'}; "
                "give one, and another proof beside it for another"
            )
        for names, owner in (
            (("lasting", "evidence", "holder", "unit_name_has"), "rule"),
            (("percent_of_delay", "counted_from"), "wait"),
        ):
            strange = [name for name in names if name in self.model_fields_set and owner not in told]
            if strange:
                raise ValueError(f"'{strange[0]}' is said of a proof by '{owner}' only; remove it")
        return self


class Cause(_Part):
    """A cause: its code, its name on paper, its class, and what proves it; without proofs only a person can assign it."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    name: _Name
    kind: CauseClass = Field(alias="class")
    recognised_by: tuple[Proof, ...] = ()


class CauseList(_Part):
    """All causes, in the order in which they are shown."""

    causes: Annotated[tuple[Cause, ...], Field(min_length=1)]

    @field_validator("causes")
    @classmethod
    def _each_once(cls, causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
        codes = [cause.code for cause in causes]
        if UNKNOWN in codes:
            raise ValueError(f"'{UNKNOWN}' is the code of what nothing explains; give the cause another")
        names = [cause.name.casefold() for cause in causes]
        for cause in causes:
            if names.count(cause.name.casefold()) > 1:
                raise ValueError(f"several causes are called '{cause.name}'; people choose by name, give each its own")
        return causes

    def get(self, code: str) -> Cause | None:
        """The cause of a code; None when the list has none."""
        return next((cause for cause in self.causes if cause.code == code), None)

    @property
    def rules(self) -> tuple[str, ...]:
        """Every rule that a proof names, once."""
        named = [
            rule
            for cause in self.causes
            for proof in cause.recognised_by
            for rule in (*((proof.rule,) if proof.rule else ()), *proof.unless)
        ]
        return tuple(dict.fromkeys(named))

    @property
    def quoted(self) -> tuple[str, ...]:
        """Rules whose evidence a proof looks at, once."""
        proofs = [proof for cause in self.causes for proof in cause.recognised_by]
        return tuple(dict.fromkeys(proof.rule for proof in proofs if proof.rule and proof.evidence))


def parse_causes(text: str, file: str) -> CauseList:
    """Read a list of causes.

    Raises:
        ConfigError: every problem of the file, each with its line.
    """
    document = parse_yaml(text, file)
    found = validate(CauseList, document)
    seen: dict[str, int] = {}
    problems = []
    for place, cause in enumerate(found.causes):
        line = document.line(("causes", place, "code"))
        if cause.code in seen:
            message = f"the code '{cause.code}' stands already on line {seen[cause.code]}; give this cause another"
            problems.append(Problem(file, line, message))
        elif line is not None:
            seen[cause.code] = line
    if problems:
        raise ConfigError(problems)
    return found
