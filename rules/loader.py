"""Reads rule packs: the ones shipped with the program, and files of the office's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import get_args

from rules.kinds.unknown import Missing
from rules.model import Rule
from rules.registry import Pack
from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.yaml_text import parse_yaml, validate


def shipped_packs() -> list[str]:
    """Names of the packs that come with the program."""
    return sorted(item.name.removesuffix(".yaml") for item in files("rules").joinpath("packs").iterdir())


def parse_pack(text: str, file: str) -> tuple[Rule, ...]:
    """Rules of one pack.

    Raises:
        ConfigError: every problem of the file at once, each with its line.
    """
    document = parse_yaml(text, file)
    pack = validate(Pack, document)
    problems, seen = [], set()
    for index, rule in enumerate(pack.rules):
        if rule.code in seen:
            problems.append(
                Problem(
                    file, document.line(("rules", index)), f"rule '{rule.code}' stands twice; rename one of the two"
                )
            )
        seen.add(rule.code)
    if problems:
        raise ConfigError(problems)
    return pack.rules


def load_packs(names: Sequence[str], base_dir: Path) -> tuple[Rule, ...]:
    """Rules of several packs; a name is a shipped pack, or a path ending in .yaml. A later rule replaces an earlier one
    of the same code, so an office overrides single rules.

    Raises:
        ConfigError: unknown pack, or problems in one.
    """
    rules: dict[str, Rule] = {}
    for name in names:
        if name.endswith((".yaml", ".yml")):
            path = base_dir / name
            try:
                text, file = path.read_text(encoding="utf-8"), str(path)
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"rule pack {path} cannot be read: {error}; correct rules.packs") from None
        elif name in shipped_packs():
            text, file = files("rules").joinpath("packs", f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"
        else:
            raise ConfigError(
                f"rule pack '{name}' is not shipped; use one of {', '.join(shipped_packs())}, or a path ending in .yaml"
            )
        rules |= {rule.code: rule for rule in parse_pack(text, file)}
    _require_verdicts(rules.values())
    return tuple(rules.values())


def _require_verdicts(rules: Iterable[Rule]) -> None:
    """Without one of the official rules, what it would find would count as on time."""
    given = {(rule.verdict, getattr(rule, "missing", None)) for rule in rules if rule.verdict is not None}
    needed = {("late", None), ("open_overdue", None), *(("cannot_tell", missing) for missing in get_args(Missing))}
    for verdict, missing in sorted(needed - given, key=str):
        about = f" (missing: {missing})" if missing else ""
        raise ConfigError(
            f"no rule gives the verdict {verdict}{about}; put the pack 'core' first in rules.packs, and keep 'verdict' "
            "in a rule that replaces one of its own"
        )


def ruleset_fingerprint(rules: Sequence[Rule]) -> str:
    """SHA-256 over all rules in force, whatever their order."""
    return sha256("".join(sorted(rule.fingerprint() for rule in rules)).encode()).hexdigest()
