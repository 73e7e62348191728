"""The indices that an office is judged by, as a table that the office edits: what is measured, and the target of each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import parse_yaml, validate
from tthc_monitor.report_settings import Line, OptionalLine
from tthc_monitor.source_settings import Part

Measure = Literal[
    "on_time_percent",
    "pending_in_time_percent",
    "online_percent",
    "progress_766",
    "petitions_on_time",
    "apology_share",
]
"""What can be measured: :mod:`tthc_monitor.outputs.report_measures` says how."""

SHIPPED: Final = "indices.yaml"
NO_BASIS: Final = "địa phương tự đặt"


class IndexItem(Part):
    """One item of an index.

    ``index``, ``item``
        what it is called.
    ``measure``, ``target``
        what is measured, and the least that is wanted of it, in percent. None: nobody has set one, and nothing is judged.
    ``max_points``
        the most that the item gives.
    ``source``
        the document that sets the target.
    ``owner``
        who judges.
    """

    index: Line
    item: Line
    measure: Measure
    target: Annotated[float, Field(gt=0, le=100)] | None = None
    max_points: Annotated[float, Field(gt=0)] | None = None
    source: Line = NO_BASIS
    owner: OptionalLine = ""


class _Declared(IndexItem):
    target: Annotated[float, Field(gt=0, le=100)]


class _Shipped(Part):
    indices: tuple[IndexItem, ...]


class _Indices(Part):
    indices: tuple[_Declared, ...]


def read_indices(file: str | None, base_dir: Path) -> tuple[IndexItem, ...]:
    """The items of ``report.indices_file``, each with its target; None means those shipped, which have none.

    Raises:
        ConfigError: it cannot be read, or has errors, each with its line.
    """
    if file is None:
        name, content = SHIPPED, files("tthc_monitor.outputs").joinpath("templates", SHIPPED).read_bytes()
    else:
        path = base_dir / file
        name = str(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"report.indices_file {path} cannot be read: {error.strerror}; correct the path, or remove the setting"
            ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"report.indices_file {name} is not UTF-8; save it in that encoding") from None
    document = parse_yaml(text, name)
    if file is None:
        return validate(_Shipped, document).indices
    return validate(_Indices, document).indices
