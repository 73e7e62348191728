"""Turns skipped tests into failures, except those that the caller names: ``-p tests.no_skips`` with TTHC_NO_SKIPS=1.

Where everything that tests need has been installed, a skip means that something is missing and went unnoticed. The few
that may skip stand in ``TTHC_ALLOWED_SKIPS``, one a line: a pattern of test ids, " : ", the reason why it may.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from fnmatch import fnmatchcase

import pytest


def allowed_skips() -> dict[str, str]:
    """Patterns of test ids that may skip, each with its reason."""
    allowed = {}
    for line in os.environ.get("TTHC_ALLOWED_SKIPS", "").splitlines():
        if not line.strip():
            continue
        pattern, found, reason = (part.strip() for part in line.partition(" : "))
        if not (found and reason):
            raise pytest.UsageError(f"TTHC_ALLOWED_SKIPS: '{line.strip()}' has no reason; write 'pattern : reason'")
        allowed[pattern] = reason
    return allowed


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip that nobody allowed."""
    if os.environ.get("TTHC_NO_SKIPS") != "1" or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    if any(fnmatchcase(report.nodeid, pattern) for pattern in allowed_skips()):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"  # type: ignore[assignment]
    report.longrepr = (
        f"{report.nodeid} was not run ({reason}), and no test may go unrun here: "
        "provide what it needs, or name it with the reason in the list of allowed skips."
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the report of a test."""
    report = yield
    judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the report of a module that skipped as a whole."""
    report = yield
    judge(report)
    return report
