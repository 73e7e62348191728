"""The files of the monitoring folder as tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.house.files import ROOT

MONITORING = ROOT / "tthc_monitor" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
CASES = sorted((ROOT / "tests" / "monitoring").glob("*.test.yml"))

_NAME = re.compile(r"(?<![\w:{$.\"=~])(?:[a-z]+:)?tthc_\w+(?::\w+)?")
_SELECTED = re.compile(r"((?:[a-z]+:)?tthc_\w+(?::\w+)?|\bup)\{([^}]*)\}")
_GROUPED = re.compile(r"\b(?:by|on|group_left|without|ignoring) \(([^)]*)\)")
_QUERY = re.compile(r'(?:query|printf) "((?:[^"\\]|\\.)*)"')


def rules(name: str) -> list[dict[str, Any]]:
    """All rules of a file, in their order."""
    content = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def expressions(rule: dict[str, Any]) -> Iterator[str]:
    """The expression of a rule, and the queries inside its texts."""
    yield rule["expr"]
    for text in rule.get("annotations", {}).values():
        yield from (query for query in _QUERY.findall(text) if "tthc_" in query)


def metric_names(expression: str) -> set[str]:
    """Metrics and recorded series that an expression names."""
    return set(_NAME.findall(expression))


def selected_labels(expression: str) -> Iterator[tuple[str, str]]:
    """Each label that a selector of the expression names, with the metric."""
    for name, inside in _SELECTED.findall(expression):
        for label in re.findall(r"(\w+)\s*[=!]", inside):
            yield name, label


def grouping_labels(expression: str) -> set[str]:
    """Labels by which the expression groups, joins or sums."""
    return {label.strip() for inside in _GROUPED.findall(expression) for label in inside.split(",") if label.strip()}
