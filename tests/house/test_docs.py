"""The documents and the program say the same."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from tests.house.cli_tree import commands, problem_with
from tests.house.files import ROOT, relative, repository_files, text_of
from tthc_monitor.domain import errors

DOCUMENTS = [path for path in repository_files() if path.suffix == ".md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    """Lines of code blocks, and short code in running text, as somebody would type them."""
    blocks = re.findall(r"^[ \t]*```[a-z]*\n(.*?)^[ \t]*```", text, flags=re.MULTILINE | re.DOTALL)
    short = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()] + short
    return [line.strip().removeprefix("$ ").strip() for line in lines]


def calls(text: str) -> list[str]:
    """Command lines of ours in a document."""
    found = []
    for line in shell_lines(text):
        for part in re.split(r"\s(?:\||&&|\|\||;|>)\s?", line):
            match = re.match(r"^(?:[A-Z_]+=\S* )*(?:\S*/)?tthc-monitor(?: (.*))?$", part.strip())
            if match is not None and "/tthc-monitor" not in part.split(" ")[0].removesuffix("bin/tthc-monitor"):
                found.append(re.sub(r"\s+#.*$", "", match[1] or ""))
    return found


def test_every_command_is_documented() -> None:
    texts = " ".join(text_of(path) or "" for path in DOCUMENTS)
    missing = [" ".join(one.path) for one in commands() if f"tthc-monitor {' '.join(one.path)}" not in texts]
    assert not missing, f"README.md or docs/ must name: {missing}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_documented_command_exists(path: Path) -> None:
    wrong = []
    for call in calls(text_of(path) or ""):
        # Placeholders of grammar, such as [--once] or a|b, are not typed.
        words = shlex.split(re.sub(r"\[|\]|…|\.\.\.", " ", call), comments=True)
        problem = None if any("|" in word for word in words) else problem_with(words)
        if problem is not None:
            wrong.append(f"tthc-monitor {call}: {problem}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_documented_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    for line in shell_lines(text_of(path) or ""):
        match = re.match(r"make ([a-z-]+)\b", line)
        assert match is None or match[1] in targets, line


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_link_inside_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path) or ""):
        if re.match(r"[a-z]+:|#", target):
            continue
        assert (path.parent / target.partition("#")[0]).exists(), f"{relative(path)} links to {target}"


def test_the_readme_begins_with_what_a_newcomer_types() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for needed in ("make demo", "make test", "docs/exit-codes.md", "Apache-2.0"):
        assert needed in readme, f"README.md must mention {needed}"


def all_errors() -> dict[str, int]:
    """Every error class of ours and its exit code, wherever it is defined."""
    for package in ("tthc_monitor", "connectors", "rules"):
        module = importlib.import_module(package)
        for item in pkgutil.walk_packages(module.__path__, f"{package}."):
            if "_alembic" not in item.name and not item.name.endswith("__main__"):
                importlib.import_module(item.name)

    def below(kind: type[errors.TthcError]) -> list[type[errors.TthcError]]:
        return [kind, *(deeper for one in kind.__subclasses__() for deeper in below(one))]

    return {
        kind.__name__: kind.exit_code
        for kind in below(errors.TthcError)
        if kind.__module__.startswith(("tthc_monitor.", "connectors.", "rules."))
    }


def test_exit_codes_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {
        name: int(code)
        for code, names in re.findall(r"^\| (\d+) \| ([^|]+) \|", text, flags=re.MULTILINE)
        for name in names.strip().split(", ")
        if name != "–"
    }
    known = all_errors()
    public = {name: code for name, code in known.items() if hasattr(errors, name)}
    assert documented == public
    # Errors that a module keeps to itself still end with a code that is explained.
    assert set(known.values()) <= set(documented.values())


def test_interruption_ends_with_the_documented_code() -> None:
    from tthc_monitor import cli

    assert cli._INTERRUPTED == 130
    assert "| 130 |" in (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
