"""Files about units as people write them: our own YAML form, which describes units as they are.

A description replaces all that was known of each unit it names: its versions, if it stands under ``units``, and its
successions, if it stands as ``from`` under ``successions``. The CSV form of a reform is in
:mod:`tthc_monitor.domain.unit_changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.unit_checks import Item
from tthc_monitor.domain.units import Succession, UnitKind, UnitRegister, UnitVersion
from tthc_monitor.domain.yaml_text import parse_yaml, validate


def _as_text(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("a code of digits only reads as a number; put it in quotes")  # noqa: TRY004
    return value.strip() if isinstance(value, str) else value


Code = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Text = Annotated[
    str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value), Field(min_length=1)
]


class _Unit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Code
    name: Text
    kind: UnitKind
    parent: Code | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def version(self) -> UnitVersion:
        return UnitVersion(self.code, self.name, self.kind, self.parent, self.valid_from, self.valid_to)


class _Succession(BaseModel):
    model_config = ConfigDict(extra="forbid")

    from_: Code = Field(alias="from")
    to: Code
    # Not "on": YAML reads that as true.
    on: date = Field(alias="date")
    document: Text
    share: float | None = None
    sectors: tuple[Code, ...] = ()
    procedures: tuple[Code, ...] = ()

    def succession(self) -> Succession:
        sectors, procedures = tuple(sorted(set(self.sectors))), tuple(sorted(set(self.procedures)))
        return Succession(self.from_, self.to, self.on, self.document, self.share, sectors, procedures)


class _Description(BaseModel):
    model_config = ConfigDict(extra="forbid")

    units: list[_Unit] = Field(default_factory=list)
    successions: list[_Succession] = Field(default_factory=list)
    withdrawn: list[Code] = Field(default_factory=list)


def described(known: UnitRegister, text: str, file: str) -> tuple[UnitRegister, Mapping[Item, int]]:
    """What is known once a description is taken over, and the lines of its entries; not yet checked as a whole.

    Raises:
        ConfigError: not YAML, or not of this form; every problem at once, by line.
    """
    document = parse_yaml(text, file)
    form = validate(_Description, document)
    codes = {version.unit_code for version in known.versions}
    problems = [
        Problem(file, document.line(("withdrawn", index)), f"unit {code} is not known; correct or remove the code")
        for index, code in enumerate(form.withdrawn)
        if code not in codes
    ]
    if problems:
        raise ConfigError(problems)
    lines: dict[Item, int] = {}
    versions, successions = list[UnitVersion](), list[Succession]()
    for index, unit in enumerate(form.units):
        versions.append(unit.version())
        lines[versions[-1]] = document.line(("units", index)) or 1
    for index, one in enumerate(form.successions):
        successions.append(one.succession())
        lines[successions[-1]] = document.line(("successions", index)) or 1
    return _replaced(known, versions, successions, set(form.withdrawn)), lines


def _replaced(
    known: UnitRegister, versions: Sequence[UnitVersion], successions: Sequence[Succession], withdrawn: set[str]
) -> UnitRegister:
    named = withdrawn | {one.unit_code for one in versions}
    left = withdrawn | {one.from_code for one in successions}
    return UnitRegister(
        [*(one for one in known.versions if one.unit_code not in named), *versions],
        [*(one for one in known.successions if one.from_code not in left), *successions],
    )
