"""Reads when a dossier's clock starts: the rules shipped with the program, or a file of the office's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tthc_monitor.domain.clock_start import checked
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.time_limits import ClockStart
from tthc_monitor.domain.yaml_text import parse_yaml, validate


class _ClockFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clock_starts: list[ClockStart] = Field(min_length=1)


def parse_clock_starts(text: str, file: str) -> tuple[ClockStart, ...]:
    """Clock starts of one file, in the order they came into force.

    Raises:
        ConfigError: every problem of the file at once, each with its line; or rules that clash or leave a gap.
    """
    document = parse_yaml(text, file)
    starts = validate(_ClockFile, document).clock_starts
    try:
        return checked(starts)
    except ConfigError as error:
        raise ConfigError([Problem(file, document.line(("clock_starts",)), str(error))]) from None


def load_clock_starts(name: str, base_dir: Path) -> tuple[ClockStart, ...]:
    """Clock starts by name: a shipped set ("vn"), or a path ending in .yaml.

    Raises:
        ConfigError: unknown name, a file that cannot be read, or problems in it.
    """
    if name.endswith((".yaml", ".yml")):
        path = base_dir / name
        try:
            return parse_clock_starts(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"clock starts {path} cannot be read: {error}; correct the path or the file") from None
    shipped = sorted(item.name.removesuffix(".yaml") for item in files("rules").joinpath("clock").iterdir())
    if name not in shipped:
        known = ", ".join(shipped)
        raise ConfigError(f"clock starts '{name}' are not shipped; use one of {known}, or a path ending in .yaml")
    return parse_clock_starts(
        files("rules").joinpath("clock", f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"
    )
