"""Which unit tests run which lines of a module, found by tracing each test once."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from types import FrameType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mistakes import Mutant

SLOWEST_TEST = 20  # seconds, traced; slower tests are left out
TIME_FOR_OTHERS = 20  # seconds, for tests that run nothing of a module that is imported with a mistake


@dataclass
class Survey:
    """Which tests run which lines, and how long each takes."""

    at_import: set[tuple[str, int]] = field(default_factory=set)
    tests: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def chosen(self, mutant: Mutant) -> list[str]:
        """The tests that can notice a mistake: those that noticed others first, then the quickest.

        One that acts when the module is imported is for the tests that run something of it; and, as a constant is read
        without running a line, for as many of the others as there is time for.
        """
        at_import = mutant.function is None
        lines = {(mutant.path, line) for line in range(mutant.line, mutant.last_line + 1)}
        if at_import or lines & self.at_import:
            at_import, lines = True, {place for place in self.tests if place[0] == mutant.path}
        near = set().union(*(self.tests.get(line, set()) for line in lines))
        if at_import:
            others = sorted(self.seconds.keys() - near, key=self._order)
            spent = accumulate(self.seconds[name] for name in others)
            near |= {name for name, seconds in zip(others, spent, strict=True) if seconds < TIME_FOR_OTHERS}
        return sorted(near, key=self._order)

    def _order(self, name: str) -> tuple[int, float]:
        return -self.kills[name], self.seconds[name]


class Lines:
    """A tracer that notes which lines of some files are run."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files, self.seen = files, set[tuple[str, int]]()

    def __call__(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        """Called by Python whenever a function starts."""
        path = self.files.get(frame.f_code.co_filename)
        if path is None:
            return None

        def line(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            self.seen.add((path, frame.f_lineno))
            return line

        return line(frame, event, argument)


def few_examples(item: pytest.Item, most: int) -> None:
    """Make a property test repeatable and quick."""
    function = getattr(getattr(item, "obj", None), "__func__", getattr(item, "obj", None))
    usual = getattr(function, "_hypothesis_internal_use_settings", None)
    if usual is None:
        return
    function._hypothesis_internal_use_settings = hypothesis.settings(  # type: ignore[union-attr]
        usual,
        max_examples=min(most, usual.max_examples),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def passes(item: pytest.Item) -> bool:
    """Whether a collected test passes."""
    return not any(report.failed for report in runtestprotocol(item, nextitem=None, log=False))


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def look(items: list[pytest.Item], lines: Lines, survey: Survey) -> None:
    """Run the tests once, one by one, and note which lines each runs."""
    signal.signal(signal.SIGALRM, _too_slow)
    for item in items:
        lines.seen = set()
        started = time.monotonic()
        signal.alarm(SLOWEST_TEST)
        sys.settrace(lines)
        good = passes(item)
        sys.settrace(None)
        signal.alarm(0)
        if not good:
            survey.left_out.append(item.nodeid)
            continue
        survey.seconds[item.nodeid] = time.monotonic() - started
        for place in lines.seen:
            survey.tests[place].add(item.nodeid)
