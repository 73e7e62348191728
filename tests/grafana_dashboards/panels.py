"""Kinds of panels. Titles, descriptions and units are arguments without a default: none can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.grafana_dashboards.model import Panel
from tests.grafana_dashboards.queries import Target

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"
DATE: Final = "time:HH:mm DD/MM/YYYY"
"""Instants as mails and reports print them."""

Steps = Sequence[tuple[float | None, str]]
CALM: Final[Steps] = ((None, BLUE),)
BAD_ABOVE_ZERO: Final[Steps] = ((None, GREEN), (1, RED))
WARN_ABOVE_ZERO: Final[Steps] = ((None, GREEN), (1, ORANGE))


def _panel(kind: str, title: str, description: str, targets: Sequence[Target], size: tuple[int, int]) -> Panel:
    return {
        "datasource": targets[0]["datasource"],
        "description": description,
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": list(targets),
        "title": title,
        "type": kind,
    }


def _thresholds(steps: Steps) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]}


def texts(values: Mapping[float | str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Words and a colour in place of numbers and codes."""
    options = {
        str(value): {"text": text, "color": color, "index": place}
        for place, (value, (text, color)) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]


def stat(
    title: str,
    description: str,
    target: Target,
    unit: str,
    *,
    steps: Steps = CALM,
    size: tuple[int, int] = (4, 4),
    decimals: int | None = None,
    none: str = "Không có",
    mappings: Sequence[dict[str, Any]] = (),
    by_name: bool = False,
    background: bool = False,
) -> Panel:
    """One number.

    Args:
        none: what stands there while there is no series.
        by_name: the legend is what is to be read, not the value.
    """
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "mappings": list(mappings),
        "noValue": none,
        "thresholds": _thresholds(steps),
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "background" if background else "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "name" if by_name else "value",
        "wideLayout": True,
    }
    panel = _panel("stat", title, description, [target], size)
    return {**panel, "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}


def lines(
    title: str,
    description: str,
    targets: Sequence[Target],
    unit: str,
    *,
    size: tuple[int, int] = (12, 8),
    stacked: bool = False,
    axis: str = "",
    decimals: int | None = None,
    colors: Mapping[str, str] | None = None,
) -> Panel:
    """Values over time."""
    defaults: dict[str, Any] = {
        "color": {"mode": "palette-classic"},
        "custom": {
            "axisLabel": axis,
            "axisSoftMin": 0,
            "drawStyle": "line",
            "fillOpacity": 30 if stacked else 8,
            "lineInterpolation": "stepAfter",
            "lineWidth": 2,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        },
        "mappings": [],
        "thresholds": _thresholds(((None, GREEN),)),
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    overrides = [
        _override(name, [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}])
        for name, color in (colors or {}).items()
    ]
    options = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, description, targets, size)
    return {**panel, "fieldConfig": {"defaults": defaults, "overrides": overrides}, "options": options}


def bars(
    title: str,
    description: str,
    target: Target,
    unit: str,
    *,
    size: tuple[int, int] = (12, 8),
    steps: Steps = CALM,
    names: Mapping[str, tuple[str, str]] | None = None,
    decimals: int | None = None,
) -> Panel:
    """A bar for each series of the present.

    Args:
        names: what a series is called, and its colour, by its legend.
    """
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "mappings": [],
        "min": 0,
        "noValue": "0",
        "thresholds": _thresholds(steps),
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    overrides = [
        _override(
            legend,
            [
                {"id": "displayName", "value": name},
                {"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
            ],
        )
        for legend, (name, color) in (names or {}).items()
    ]
    options = {
        "displayMode": "basic",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    panel = _panel("bargauge", title, description, [target], size)
    return {**panel, "fieldConfig": {"defaults": defaults, "overrides": overrides}, "options": options}


def column(
    title: str,
    *,
    unit: str | None = None,
    width: int | None = None,
    link: tuple[str, str] | None = None,
    steps: Steps | None = None,
    mappings: Sequence[dict[str, Any]] = (),
    decimals: int | None = None,
) -> list[dict[str, Any]]:
    """How a field of a table is shown.

    Args:
        title: the heading.
        link: title and address of what a click opens.
        steps: colours of the cell's text, by its value.
    """
    properties: list[dict[str, Any]] = [{"id": "displayName", "value": title}]
    if unit is not None:
        properties.append({"id": "unit", "value": unit})
    if width is not None:
        properties.append({"id": "custom.width", "value": width})
    if decimals is not None:
        properties.append({"id": "decimals", "value": decimals})
    if link is not None:
        properties.append({"id": "links", "value": [{"title": link[0], "url": link[1], "targetBlank": False}]})
    if mappings:
        properties.append({"id": "mappings", "value": list(mappings)})
    if steps is not None:
        properties.append({"id": "thresholds", "value": _thresholds(steps)})
    if steps is not None or mappings:
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    return properties


def table(
    title: str,
    description: str,
    targets: Sequence[Target],
    unit: str,
    columns: Mapping[str, list[dict[str, Any]]],
    *,
    size: tuple[int, int] = (24, 10),
    sort: str = "",
    hide: Sequence[str] = (),
) -> Panel:
    """Rows and columns.

    Args:
        unit: of the cells whose column names none.
        columns: by the name of the field, in their order; several queries are laid side by side by what they share.
        sort: the heading of the column that is sorted by, greatest first; SQL comes sorted.
        hide: fields that only serve to join.
    """
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False},
        "mappings": [],
        "noValue": "–",
        "thresholds": _thresholds(((None, GREY),)),
        "unit": unit,
    }
    options = {
        "cellHeight": "sm",
        "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
        "showHeader": True,
        "sortBy": [{"desc": True, "displayName": sort}] if sort else [],
    }
    overrides = [_override(name, properties) for name, properties in columns.items()]
    panel = _panel("table", title, description, targets, size)
    panel |= {"fieldConfig": {"defaults": defaults, "overrides": overrides}, "options": options}
    if "expr" in targets[0]:
        organize = {
            "excludeByName": dict.fromkeys(("Time", *hide), True),
            "indexByName": {name: place for place, name in enumerate(columns)},
            "renameByName": {},
        }
        merge = [{"id": "merge", "options": {}}] if len(targets) > 1 else []
        panel["transformations"] = [*merge, {"id": "organize", "options": organize}]
    return panel


def _override(name: str, properties: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": name}, "properties": list(properties)}
