"""An office's own file of limits: exceptions by unit or channel, temporary limits, abolished procedures, remote areas.

A file says everything about the procedures that it names; limits of other procedures stay as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tthc_monitor.domain.calendars import Day
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.yaml_text import Document, parse_yaml, validate


class Defaults(BaseModel):
    """What holds for every limit of the file that does not say otherwise; a policy is completed field by field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    legal_basis: Annotated[str, Field(min_length=1)] | None = None
    policy: ClockPolicy | None = None
    valid_from: Day | None = None


class LimitsFile(BaseModel):
    """The file: ``defaults`` and the list of ``limits``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: Defaults = Defaults()
    limits: Annotated[tuple[TimeLimit, ...], Field(min_length=1)]


def read_yaml(path: Path) -> list[SourcedLimit]:
    """The limits of a file.

    Raises:
        ConfigError: everything wrong with the file at once, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; name a readable UTF-8 file") from None
    return [SourcedLimit(limit) for limit in parse_limits(text, str(path))]


def parse_limits(text: str, file: str) -> list[TimeLimit]:
    """The limits of a file's text; errors as in :func:`read_yaml`."""
    document = parse_yaml(text, file)
    problems: list[Problem] = []
    if not isinstance(document.data, dict):
        raise ConfigError([Problem(file, 1, "the file is no mapping with 'limits'; see docs/procedures.md")])
    data = dict(document.data)
    if isinstance(data.get("limits"), list):
        defaults = _sound(data.get("defaults"))
        data["limits"] = [
            _completed(_code_as_text(item, index, document, problems), defaults)
            for index, item in enumerate(data["limits"])
        ]
    try:
        found = validate(LimitsFile, Document(file, data, document.lines)).limits
    except ConfigError as error:
        raise ConfigError(_in_order([*problems, *error.problems])) from None
    problems += _overlaps(found, document)
    if problems:
        raise ConfigError(_in_order(problems))
    return list(found)


def _code_as_text(item: Any, index: int, document: Document, problems: list[Problem]) -> Any:
    """YAML reads a bare 1.004230 as a number and loses its end; nothing but a text is the code that was meant."""
    if not isinstance(item, dict) or isinstance(item.get("procedure_code", ""), str):
        return item
    message = "'procedure_code' must stand in quotes, such as \"1.004230\": without them its last zeros are lost"
    problems.append(Problem(document.file, document.line(("limits", index, "procedure_code")), message))
    return {**item, "procedure_code": f"(item {index + 1})"}


def _completed(item: Any, defaults: dict[str, Any]) -> Any:
    """A limit with the file's defaults where it says nothing itself."""
    if not isinstance(item, dict):
        return item
    known = {name: defaults[name] for name in ("legal_basis", "valid_from") if defaults.get(name) is not None}
    full = {**known, **item}
    general, own = defaults.get("policy"), item.get("policy", {})
    if isinstance(general, dict) and isinstance(own, dict):
        full["policy"] = {**general, **own}
    return full


def _sound(defaults: Any) -> dict[str, Any]:
    """The defaults less what is wrong with them, which is told once, where it stands."""
    if not isinstance(defaults, dict):
        return {}
    try:
        Defaults.model_validate(defaults)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
        return {name: value for name, value in defaults.items() if name not in wrong}
    return defaults


def _overlaps(limits: Sequence[TimeLimit], document: Document) -> list[Problem]:
    """Limits that hold at the same time for the same procedure, channel and unit."""
    problems = []
    seen: dict[tuple[str, str | None, str | None], list[tuple[int, TimeLimit]]] = {}
    for index, limit in enumerate(limits):
        line = document.line(("limits", index)) or 1
        for other_line, other in seen.get(limit.key, ()):
            if _starts(limit) < _ends(other) and _starts(other) < _ends(limit):
                message = (
                    f"procedure {limit.procedure_code} has a limit for the same channel, unit and days on line "
                    f"{other_line}; end one with valid_to where the other begins, or remove it"
                )
                problems.append(Problem(document.file, line, message))
        seen.setdefault(limit.key, []).append((line, limit))
    return problems


def _starts(limit: TimeLimit) -> dt.date:
    return limit.valid_from or dt.date.min


def _ends(limit: TimeLimit) -> dt.date:
    return limit.valid_to or dt.date.max


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line or 0)
