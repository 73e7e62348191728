"""Writes requirements/*.txt from pyproject.toml: exact versions, with the hashes of every file of each release.

Run it as ``make lock``; it needs pip-tools. ``make lock`` keeps the versions that still satisfy pyproject.toml;
``make lock UPGRADE=1`` takes the newest. The files are resolved once, on the oldest supported Python, and hold the
hashes for all platforms; a package that another platform or Python would need in addition makes pip stop with an
error there (``--require-hashes``), it is never installed unpinned.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PYPROJECT = FOLDER.parent / "pyproject.toml"
OLDEST = (3, 11)

# A file, and the parts of pyproject.toml that it locks. Each file is held to the versions of those before it.
FILES = {
    "build.txt": ("build-system",),
    "run.txt": ("dependencies",),
    "dev.txt": ("dependencies", "test", "lint", "bench", "build", "build-system"),
}
EDITABLE = ["editables>=0.5"]
"""What hatchling asks for on the fly when it makes an editable install."""


def wanted() -> dict[str, list[str]]:
    """Requirements of each part, as pyproject.toml has them."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    return {
        "dependencies": project["project"]["dependencies"],
        "build-system": [*project["build-system"]["requires"], *EDITABLE],
        **project["dependency-groups"],
    }


def compile_file(name: str, parts: dict[str, list[str]], earlier: list[str], *, upgrade: bool) -> None:
    """Resolve one file and write it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for other in (name, *earlier):
            if (FOLDER / other).exists():
                (folder / other).write_text((FOLDER / other).read_text(encoding="utf-8"), encoding="utf-8")
        for part in FILES[name]:
            (folder / f"{part}.in").write_text("\n".join(parts[part]) + "\n", encoding="utf-8")
        command = [
            *(sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--strip-extras"),
            *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"),
            *("--allow-unsafe", "--no-reuse-hashes", "--output-file", name),
            *(["--upgrade"] if upgrade else []),
            *(word for other in earlier for word in ("--constraint", other)),
            *(f"{part}.in" for part in FILES[name]),
        ]
        subprocess.run(
            command, cwd=folder, check=True, env={**os.environ, "CUSTOM_COMPILE_COMMAND": "make lock"}, timeout=1800
        )
        text = (folder / name).read_text(encoding="utf-8")
    text = re.sub(r"-r (\S+)\.in\b", r"pyproject.toml (\1)", text)
    address = re.search(
        r"https?://\S+|file:\S+|--(?:extra-)?index-url\S*|--find-links\S*|--trusted-host\S*|\s@\s", text
    )
    if address is not None:
        raise SystemExit(
            f"{name}: '{address.group()}' is an address; a locked file must name none. Nothing was written."
        )
    (FOLDER / name).write_text(text, encoding="utf-8")
    count = len(re.findall(r"^\S+==", text, flags=re.MULTILINE))
    print(f"requirements/{name}: {count} packages, {text.count('--hash=')} hashes")


def main() -> None:
    """Lock all files."""
    parser = argparse.ArgumentParser(description="Write requirements/*.txt from pyproject.toml.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    if sys.version_info[:2] != OLDEST:
        raise SystemExit(
            f"lock with the oldest supported Python, {'.'.join(map(str, OLDEST))}, not {sys.version.split()[0]}: "
            "make lock PYTHON=python3.11 VENV=build/venv-lock"
        )
    parts = wanted()
    done: list[str] = []
    for name in FILES:
        compile_file(name, parts, done, upgrade=options.upgrade)
        done.append(name)


if __name__ == "__main__":
    main()
