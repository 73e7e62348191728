"""The files of the repository, as a reader sees them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", "build", "dist", "out", "__pycache__"}


@cache
def repository_files() -> tuple[Path, ...]:
    """Files under version control or about to be; by walking the folder where git does not know it."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(
                part in _NOT_OURS or part.endswith("_cache") or part == ".hypothesis"
                for part in path.relative_to(ROOT).parts
            )
        ]
    return tuple(sorted(path for path in paths if path.is_file()))


def text_of(path: Path) -> str | None:
    """Content of a text file; None for anything else."""
    try:
        content = path.read_bytes()
        return None if b"\0" in content else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def relative(path: Path) -> str:
    """A path as it stands in the repository."""
    return path.relative_to(ROOT).as_posix()
