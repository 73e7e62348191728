"""The dashboards that ship, and their queries with variables and macros filled in as Grafana does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from tests.house.files import ROOT

FOLDER = ROOT / "tthc_monitor" / "monitoring" / "grafana"
RATE_INTERVAL = "2m"
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_TIME_FILTER = re.compile(r"\$__timeFilter\(([^()]*)\)")


@dataclass(frozen=True)
class Query:
    """One query of a panel or of a variable: what it belongs to, in which language, and what is asked."""

    dashboard: str
    where: str
    language: str
    text: str
    instant: bool = False

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.where}"


@cache
def dashboards() -> Mapping[str, Any]:
    """Every dashboard by the name of its file."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("dashboards/*.json"))
    }


def panels(dashboard: Any) -> list[Any]:
    """Its panels, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard: Any) -> Mapping[str, Any]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def queries() -> Iterator[Query]:
    """Every query of every panel and variable."""
    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                where = f"{panel['title']} ({target['refId']})"
                if "expr" in target:
                    yield Query(uid, where, "promql", target["expr"], target.get("instant", False))
                else:
                    yield Query(uid, where, "sql", target["rawSql"])
        for name, variable in variables(dashboard).items():
            if variable["type"] == "query" and variable["datasource"]["uid"] == "${postgres_datasource}":
                yield Query(uid, f"variable {name}", "sql", variable["query"])


def named(text: str) -> set[str]:
    """Names of the variables in a text, Grafana's own among them."""
    return {braced or plain for braced, _, plain in _VARIABLE.findall(text)}


def promql(text: str, values: Mapping[str, str], seconds: int = 3600) -> str:
    """A query as Prometheus gets it.

    Args:
        values: of the variables; one that stands for everything is given as its pattern.
        seconds: the time range.
    """
    known = {"__rate_interval": RATE_INTERVAL, "__interval": "15s", "__range": f"{seconds}s", **values}

    def value(found: re.Match[str]) -> str:
        return known[found[1] or found[3]]

    return _VARIABLE.sub(value, text)


def sql(text: str, values: Mapping[str, str], since: datetime, until: datetime) -> str:
    """A query as PostgreSQL gets it; a value with a dot and a star stands for everything and is no literal."""
    times = {"__timeFrom": since, "__timeTo": until}
    text = _TIME_FILTER.sub(lambda found: f"{found[1]} BETWEEN '{since.isoformat()}' AND '{until.isoformat()}'", text)
    for macro, instant in times.items():
        text = text.replace(f"${macro}()", f"'{instant.isoformat()}'")

    def value(found: re.Match[str]) -> str:
        plain = values[found[1] or found[3]]
        if found[2] == "sqlstring":
            return "'" + plain.replace("'", "''") + "'"
        if found[2] == "regex":
            return plain if plain == ".*" else re.sub(r"([\\^$*+?.()|{}\[\]/])", r"\\\1", plain)
        raise AssertionError(f"{found[0]} is not quoted: write ${{{found[1] or found[3]}:sqlstring}} or :regex")

    return _VARIABLE.sub(value, text)
