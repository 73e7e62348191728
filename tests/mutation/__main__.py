"""Mutation testing: puts one small mistake at a time into a module and sees whether a unit test notices.

    python -m tests.mutation rules/kinds/promise.py [more.py ...] [--json out/mutation.json]

Tests that run a line are found by tracing the unit tests once; a mistake inside a function is put into the running
process and tried in a fork of it, any other in a fork that imports everything anew. Needs a system with fork().
Hypothesis tries few examples, the same each time; what survives is worth another run with --again and more of them.
"""

from __future__ import annotations

import argparse
import functools
import importlib.machinery
import json
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import hypothesis  # noqa: F401  # loaded once, before the forks, as are these
import pandas as pd  # noqa: F401
import polars as pl  # noqa: F401
import pytest

from tests.mutation.mistakes import Mutant, mutants, mutated
from tests.mutation.survey import Lines, Survey, few_examples, look, passes

TIME_LIMIT = 60  # seconds for the tests of one mistake
QUIET = ["-q", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
QUIET += ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]


def _notices(items: list[pytest.Item], note: Path) -> bool:
    """Whether a test fails; its name is noted for the mistakes that follow."""
    for item in items:
        if not passes(item):
            note.joinpath(str(os.getpid())).write_text(item.nodeid, encoding="utf-8")
            return True
    return False


def _forked(work: Callable[[], int]) -> int:
    """Number of a new process that does the work and ends with its result, silently."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 2
    try:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = work()
    finally:
        os._exit(code)


def _all(
    work: Iterator[tuple[Mutant, Callable[[], int]]], processes: int, note: Path, kills: Counter[str]
) -> Iterator[tuple[Mutant, str]]:
    """Try mistakes, some at a time; ``kills`` counts the tests that notice one."""
    running: dict[int, tuple[Mutant, float]] = {}
    more = True
    while more or running:
        while more and len(running) < processes:
            mutant, task = next(work, (None, None))
            more = task is not None
            if mutant and task:
                running[_forked(task)] = (mutant, time.monotonic() + TIME_LIMIT)
        for process, (mutant, ends) in list(running.items()):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                del running[process]
                code = os.waitstatus_to_exitcode(status)
                if (noted := note / str(process)).exists():
                    kills[noted.read_text(encoding="utf-8")] += 1
                yield mutant, {0: "survived", 2: "not run"}.get(code, "killed")  # 2: the driver failed, not a test
            elif time.monotonic() > ends:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                del running[process]
                yield mutant, "timed out"
        time.sleep(0.005)


def _code(module: CodeType, of: CodeType) -> CodeType | None:
    """The code in a module that stands where a function's stands; its overloads have the same name."""
    for part in (part for part in module.co_consts if isinstance(part, CodeType)):
        if (part.co_qualname, part.co_firstlineno) == (of.co_qualname, of.co_firstlineno):
            return part
        if of.co_qualname.startswith(f"{part.co_qualname}.") and (found := _code(part, of)) is not None:
            return found
    return None


def _function(path: str, name: str) -> FunctionType | None:
    """The function of that name in the running process."""
    thing: Any = sys.modules.get(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        thing = vars(thing).get(part) if thing is not None else None
    while not isinstance(thing, FunctionType):
        if hasattr(thing, "cache_clear"):
            thing.cache_clear()  # or what was computed without the mistake would hide it
        inner = getattr(thing, "__wrapped__", None) or getattr(thing, "fget", None) or getattr(thing, "__func__", None)
        if inner is None or isinstance(thing, functools.cached_property):
            return None
        thing = inner
    return thing if thing.__code__.co_qualname == name else None


class Fast:
    """A plugin that surveys the collected tests and tries every mistake that fits into the running process."""

    def __init__(
        self, found: list[Mutant], lines: Lines, sources: dict[str, str], told: Path, processes: int, examples: int
    ) -> None:
        self.found, self.lines, self.sources, self.told = found, lines, sources, told
        self.processes, self.examples = processes, examples

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests."""
        for item in session.items:
            few_examples(item, self.examples)
        sys.settrace(None)
        survey = Survey(at_import=self.lines.seen)
        part = self.told.with_suffix(".survey")

        def looked() -> int:
            look(session.items, self.lines, survey)
            part.write_bytes(pickle.dumps(survey))
            return 0

        os.waitpid(_forked(looked), 0)
        survey = pickle.loads(part.read_bytes())
        items = {item.nodeid: item for item in session.items}
        results = {}
        tasks = ((mutant, functools.partial(self.task, mutant, survey, items)) for mutant in self.found)
        fitting = ((mutant, task) for mutant, task in tasks if survey.chosen(mutant) and self.fits(mutant, survey))
        for mutant, result in _all(fitting, self.processes, self.told.parent, survey.kills):
            results[mutant] = result
            _told(mutant, result)
        self.told.write_bytes(pickle.dumps((survey, results)))
        return True

    def fits(self, mutant: Mutant, survey: Survey) -> bool:
        """Whether nothing of the mistake has been run by importing the tests, and its function can be replaced."""
        if mutant.function is None or (mutant.path, mutant.line) in survey.at_import:
            return False
        return _function(mutant.path, mutant.function) is not None

    def task(self, mutant: Mutant, survey: Survey, items: dict[str, pytest.Item]) -> int:
        """Run in a fork: 1 when a test notices the mistake."""
        function = _function(mutant.path, mutant.function or "")
        assert function is not None
        code = compile(mutated(self.sources[mutant.path], mutant), function.__code__.co_filename, "exec")
        found = _code(code, function.__code__)
        assert found is not None
        function.__code__ = found
        return int(_notices([items[name] for name in survey.chosen(mutant)], self.told.parent))


class Slow:
    """A plugin that runs the chosen tests, in their order, on modules imported with the mistake in them."""

    def __init__(self, names: list[str], note: Path, examples: int) -> None:
        self.names, self.note, self.examples, self.noticed = names, note, examples, True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running all that were collected."""
        for item in session.items:
            few_examples(item, self.examples)
        items = {item.nodeid: item for item in session.items}
        gone = any(name not in items for name in self.names)
        self.noticed = gone or _notices([items[name] for name in self.names], self.note)
        return True


def _anew(mutant: Mutant, source: str, survey: Survey, note: Path, examples: int) -> int:
    usual = importlib.machinery.SourceFileLoader.get_code
    where = str(Path(mutant.path).resolve())

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        if self.path == where:
            return compile(mutated(source, mutant), where, "exec")
        return usual(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]
    names = survey.chosen(mutant)
    slow = Slow(names, note, examples)
    pytest.main([*QUIET, *sorted({name.partition("::")[0] for name in names})], plugins=[slow])
    return int(slow.noticed)


def _told(mutant: Mutant, result: str) -> None:
    print(f"{result:<10} {mutant.name}", flush=True)


def main() -> None:
    """Try the mistakes of the files named on the command line."""
    parser = argparse.ArgumentParser(
        "python -m tests.mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--tests", nargs="+", default=["tests/unit"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--examples", type=int, default=4, help="of each property test, at most")
    parser.add_argument("--json", type=Path, help="write every mistake and its result to this file")
    parser.add_argument("--again", type=Path, help="only the mistakes that were not noticed, by such a file")
    parser.add_argument("--inside", action="store_true", help="only mistakes inside functions, which are quick to try")
    given = parser.parse_args()
    os.environ.setdefault("TTHC_TEST_DATABASE_URL", "postgresql://nowhere")  # unit tests need no database
    sources = {path: Path(path).read_text(encoding="utf-8") for path in given.files}
    found = [mutant for path, source in sources.items() for mutant in mutants(path, source)]
    if given.again:
        before = json.loads(given.again.read_text(encoding="utf-8"))
        open_ones = {row["mutant"] for row in before if row["result"] != "killed"}
        found = [mutant for mutant in found if mutant.name in open_ones]
    told = Path(tempfile.mkdtemp()) / "results"

    def fast() -> int:
        lines = Lines({str(Path(path).resolve()): path for path in sources})
        sys.settrace(lines)
        plugin = Fast(found, lines, sources, told, given.processes, given.examples)
        return int(pytest.main([*QUIET, *given.tests], plugins=[plugin]))

    process = os.fork()
    if not process:
        os._exit(fast())
    os.waitpid(process, 0)
    survey, results = pickle.loads(told.read_bytes())
    # "not run": a function whose mistake leaves no use of a name from around it cannot be replaced in a running process.
    rest = [mutant for mutant in found if results.get(mutant, "not run") == "not run"]
    for mutant in rest:
        results[mutant] = "not run" if survey.chosen(mutant) else "no test"
    slow = (
        (mutant, functools.partial(_anew, mutant, sources[mutant.path], survey, told.parent, given.examples))
        for mutant in rest
        if survey.chosen(mutant) and not given.inside
    )
    for mutant, result in _all(slow, given.processes, told.parent, survey.kills):
        results[mutant] = result
        _told(mutant, result)
    for mutant in rest:
        if results[mutant] in {"not run", "no test"}:
            _told(mutant, results[mutant])
    for path in sources:
        counts = Counter(result for mutant, result in results.items() if mutant.path == path)
        print(path, dict(counts), flush=True)
    if survey.left_out:
        print("tests left out, failing or too slow:", *survey.left_out, sep="\n  ")
    if given.json:
        rows = [{"mutant": mutant.name, "result": results[mutant]} for mutant in found]
        given.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
