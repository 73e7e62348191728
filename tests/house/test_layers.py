"""Imports run one way, and what no import contract can say: who makes engines."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.files import ROOT, relative

OURS = ("tthc_monitor", "connectors", "rules")
# Names of SQLAlchemy that a module above the store may use: what it is handed, and errors.
HANDED_AROUND = {"Connection", "Engine", "text", "SQLAlchemyError"}


def sources() -> list[Path]:
    return sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_every_module_has_its_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = set(re.findall(r"[a-z_.]+", " ".join(layers)))
    modules = {
        f"tthc_monitor.{path.stem}"
        for path in (ROOT / "tthc_monitor").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert modules <= placed, f"enter {sorted(modules - placed)} into the layers of pyproject.toml"


def test_only_the_store_makes_engines() -> None:
    found = []
    for path in sources():
        # The sql connector's source is a database of somebody else; it makes an engine for that.
        if path.is_relative_to(ROOT / "tthc_monitor" / "store") or path.is_relative_to(ROOT / "connectors" / "sql"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
                names = {alias.name for alias in node.names} - HANDED_AROUND
                found += [f"{relative(path)}:{node.lineno}: {name}" for name in names]
            elif isinstance(node, ast.Import):
                found += [
                    f"{relative(path)}:{node.lineno}: import {alias.name}"
                    for alias in node.names
                    if alias.name.split(".")[0] == "sqlalchemy"
                ]
    assert not found, "move these into tthc_monitor.store:\n" + "\n".join(found)
