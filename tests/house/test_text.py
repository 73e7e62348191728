"""What the repository says: nothing private, nothing unfinished, every shipped file readable, every error with a remedy."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import connectors
import rules
from rules.loader import load_packs, shipped_packs
from tests.house.files import ROOT, relative, repository_files, text_of
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.yaml_text import validate
from tthc_monitor.settings import load_settings, shipped_calendar

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
HOME = re.compile(r"(?<![\w.~$}])/(?:home|Users)/[a-z]\w*/")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in repository_files():
        for number, line in enumerate((text_of(path) or "").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()[:120]}")
    return found


def test_nothing_is_left_unfinished() -> None:
    assert not lines_with(UNFINISHED)


def test_no_path_of_a_machine_is_named() -> None:
    assert not lines_with(HOME)
    # Where this checkout lies, whoever holds it. A folder right below the root says it too.
    above = ROOT.parent if len(ROOT.parent.parts) > 1 and ROOT.parts[1] != "tmp" else ROOT
    assert not lines_with(re.compile(rf"(?<![\w.]){re.escape(above.as_posix())}(?=/)"))


def test_no_package_index_is_named() -> None:
    index = pytest.importorskip("pip._internal.models.index").PyPI
    hosts = "|".join(re.escape(host) for host in (index.netloc, index.file_storage_domain))
    assert not lines_with(re.compile(rf"\b({hosts})|://[^\s/]+/(\S+/)?simple\b"))
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"://|^\s*--?(?!hash=)[a-z]|\s@\s", text, flags=re.MULTILINE), path.name


def test_locked_requirements_have_versions_and_hashes_and_agree() -> None:
    pins: dict[str, dict[str, str]] = {}
    for name in ("build", "run", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        entries = [
            entry for entry in re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE)) if entry
        ]
        for entry in entries:
            match = re.match(r"([a-z0-9][a-z0-9.-]*)==(\S+) \\\n", entry)
            assert match, entry[:80]
            assert "--hash=sha256:" in entry, match[1]
            pins.setdefault(match[1], {})[name] = match[2]
    for package, versions in pins.items():
        assert len(set(versions.values())) == 1, f"{package}: {versions}; run make lock"


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    def missing(wanted: list[str], file: str) -> list[str]:
        text = (ROOT / "requirements" / file).read_text(encoding="utf-8")
        locked = set(re.findall(r"^([a-z0-9.-]+)==", text, flags=re.MULTILINE))
        return [name for name in wanted if re.split(r"[<>=!~\[; ]", name)[0].lower().replace("_", "-") not in locked]

    assert not missing(project["project"]["dependencies"], "run.txt")
    assert not missing([name for group in project["dependency-groups"].values() for name in group], "dev.txt")
    assert not missing(project["build-system"]["requires"], "build.txt")


def test_migrations_are_not_a_package() -> None:
    # It would shadow the library alembic.
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_our_top_level_names_are_ours() -> None:
    owners = packages_distributions()
    for package in (rules, connectors):
        assert package.__file__ is not None
        assert set(owners.get(package.__name__, ["tthc-monitor"])) == {"tthc-monitor"}
        assert Path(package.__file__).resolve().is_relative_to(ROOT), (
            f"{package.__name__} comes from {package.__file__}"
        )


def test_every_shipped_rule_pack_and_calendar_loads() -> None:
    assert "core" in shipped_packs()
    for name in shipped_packs():
        assert load_packs(["core", name], ROOT), name
    calendars = sorted((ROOT / "rules" / "calendars").glob("*.yaml"))
    assert calendars
    for path in calendars:
        validate(CalendarSpec, shipped_calendar(path.stem)).compile()


EXAMPLES = sorted((ROOT / "examples").rglob("tthc-monitor*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=relative)
def test_every_example_configuration_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", path.read_text(encoding="utf-8")):
        monkeypatch.setenv(name, "1")
    load_settings(path)


ERRORS = {
    *("TthcError", "ConfigError", "TransientSourceError", "PermanentSourceError", "DataAssertionError"),
    *("DatabaseError", "DeliveryError", "CalendarError", "Problem"),
}
"""RecordError is left out: its message becomes a reject, read beside the row it is about."""
REMEDY = re.compile(
    r"[;:.,(–]\s+(?:then |else |please |or |and |to \w+ it, )?(?:try|add|ask|change|check|choose|close|copy|correct|create|delete|"
    r"drop|export|fetch|free|give|install|look|lower|make|mend|move|name|open|point|put|raise|read|reinstall|remove|rename|repeat|"
    r"replace|report|restart|restore|run|save|see|set|shorten|split|start|state|switch|take|upgrade|use|wait|widen|write|"
    r"it is tried again|the next (?:run|pull)|nothing was)\b",
    re.IGNORECASE,
)


def messages() -> Iterator[tuple[str, str]]:
    """Place and text of every message that an error of ours is raised with; {} stands for what is filled in."""
    for package in ("tthc_monitor", "connectors", "rules"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS):
                    continue
                argument = node.args[-1] if node.args else None
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield f"{relative(path)}:{node.lineno}", argument.value
                elif isinstance(argument, ast.JoinedStr):
                    parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in argument.values)
                    yield f"{relative(path)}:{node.lineno}", "".join(parts)


def test_every_error_message_says_what_to_do() -> None:
    found = list(messages())
    assert len(found) > 50
    # A message that is filled in from another error, or from a reject, ends with that one's remedy.
    filled = re.compile(r"\{\}$|: \{\} \(no row could be read\)$")
    without = [
        f"{place}: {message}" for place, message in found if not REMEDY.search(message) and not filled.search(message)
    ]
    assert not without, "say what to do about it:\n" + "\n".join(without)
