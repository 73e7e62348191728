"""The answer of the national portal's statistics, saved to a file: units in lists and trees, with the portal's names."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, Final

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.published import PublishedRow
from tthc_monitor.published.columns import UNIT, figure_of
from tthc_monitor.published.rows import Gathered

_DEEPEST: Final = 30
_LARGEST: Final = 64 << 20
_BELOW: Final = ("children", "evaluation")


def read_answer(path: Path) -> tuple[PublishedRow, ...]:
    """The units of an answer, each with the one whose figures include it.

    Raises:
        ConfigError: not JSON, not such an answer, or rows that cannot be taken, each with its place.
        OSError: the operating system refuses to read it.
    """
    answer = _parsed(path)
    if isinstance(answer, dict) and str(answer.get("code", "OK")).upper() not in ("OK", "200", "00"):
        raise ConfigError(
            [Problem(str(path), None, f"the portal answered {str(answer['code'])[:60]!r}, no figures; ask it again")]
        )
    gathered = Gathered(str(path))
    _walk(answer, "$", None, gathered, 0)
    return gathered.done()


def _parsed(path: Path) -> Any:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError([Problem(str(path), None, f"cannot be unpacked: {error}; copy it again")]) from None
    if len(content) > _LARGEST:
        raise ConfigError(
            [Problem(str(path), None, "more than 64 MB; an answer of the portal is smaller, save it again")]
        )
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refused)
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), None, f"not UTF-8 at byte {error.start}; save it as UTF-8")]) from None
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(str(path), error.lineno, f"not JSON: {error.msg}; save the answer again")]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(str(path), None, f"not JSON as it should be: {error}; save it again")]) from None


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _walk(node: Any, place: str, parent: str | None, into: Gathered, depth: int) -> None:
    if depth > _DEEPEST:
        into.wrong(None, f"{place}: nested deeper than units are; save the answer again")
        return
    if isinstance(node, list):
        for number, one in enumerate(node):
            _walk(one, f"{place}[{number}]", parent, into, depth + 1)
        return
    if not isinstance(node, dict):
        return
    cells = {figure: _text(value) for name, value in node.items() if (figure := figure_of(str(name))) is not None}
    own = parent
    if UNIT in cells or any(name in cells for name in ("total_received", "total_on_time", "total_overdue")):
        # The overview of all has totals too, and no unit.
        if UNIT in cells or "unit_name" in cells:
            into.add(cells, place, None, parent)
            own = cells.get(UNIT) or parent
    elif isinstance(above := node.get("parent"), dict) and (code := above.get("departmentCode")):
        _walk(above, f"{place}.parent", parent, into, depth + 1)
        own = _text(code)
    for name, value in node.items():
        if name in _BELOW or (name == "parent" and isinstance(value, list)) or (UNIT not in cells and name == "data"):
            _walk(value, f"{place}.{name}", own, into, depth + 1)


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
