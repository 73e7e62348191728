"""The program as a process of its own: its arguments, folder, environment, exit code and what it says.

:func:`run_afresh` starts it from nothing, as a shell does. That costs two seconds of processor time, nearly all of them
imports. :func:`run` forks it from a process that has imported it and done nothing else, through the same entry point;
that is for the many tests that are about commands. Nothing else is shared: a command finds no state of another one.
"""

from __future__ import annotations

import multiprocessing
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("tthc-monitor")
ENOUGH = 120
"""Seconds in which any command must end."""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tthc_monitor.cli", "tests.end_to_end.preloaded"])


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def good(self) -> Ran:
        assert self.code == 0, self.err
        assert "Traceback" not in self.err
        return self


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TTHC_")}
    return {**kept, "NO_COLOR": "1", **changes}


def run_afresh(*arguments: object, cwd: Path, **variables: str) -> Ran:
    """Run a command to its end, from the console script on."""
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        timeout=ENOUGH,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def run(*arguments: object, cwd: Path, **variables: str) -> Ran:
    """Run a command to its end, in a process that has the program imported."""
    with tempfile.TemporaryDirectory(prefix="tthc-ran-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        code = _forked(arguments, cwd, environment(**variables), out, err)
        return Ran(code, out.read_bytes().decode(), err.read_bytes().decode())


def run_in_terminal(*arguments: object, cwd: Path, columns: int) -> Ran:
    """Run a command like :func:`run`, with what it says going to a terminal so wide."""
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory(prefix="tthc-ran-") as folder, ThreadPoolExecutor(1) as pool:
        told, err = pool.submit(_read_to_the_end, ours), Path(folder, "err")
        try:
            variables = environment(COLUMNS=str(columns), TERM="xterm")
            code = _forked(arguments, cwd, variables, Path(os.ttyname(theirs)), err)
        finally:
            os.close(theirs)
        said = told.result(ENOUGH)
        os.close(ours)
        return Ran(code, said.decode(), err.read_bytes().decode())


def _read_to_the_end(terminal: int) -> bytes:
    said = b""
    with suppress(OSError):  # so a terminal tells that its other side was closed
        while more := os.read(terminal, 4096):
            said += more
    return said


def _forked(arguments: Sequence[object], cwd: Path, variables: dict[str, str], out: Path, err: Path) -> int:
    """Run a command in a fork to its end; its exit code."""
    words = [str(PROGRAM), *map(str, arguments)]
    process = _forks.Process(target=_command, args=(words, cwd, variables, out, err))
    process.start()
    process.join(ENOUGH)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{words} did not end: {err.read_text('utf-8')}")
    return process.exitcode


def _command(words: list[str], cwd: Path, variables: dict[str, str], out: Path, err: Path) -> None:
    """Make this process what a shell would have started, and enter the program."""
    for number, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    sys.argv = words
    assert threading.active_count() == 1, "importing the program started a thread"
    from tthc_monitor.cli import main

    main()
