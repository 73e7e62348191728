"""Any file of published figures by its ending."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.published import PublishedRow
from tthc_monitor.published.columns import listed
from tthc_monitor.published.portal_json import read_answer
from tthc_monitor.published.table_files import read_tables

ENDINGS: Final = (".csv", ".csv.gz", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".json", ".json.gz")


def read_published(path: Path) -> tuple[tuple[PublishedRow, ...], tuple[str, ...]]:
    """The rows of a file, and its columns that are none of ours.

    Raises:
        ConfigError: an unknown ending, or all that is wrong with the file.
        PermanentSourceError: a file that cannot be opened as what it is called.
    """
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ConfigError(f"{path}: not a kind of file that can be read; give one ending in {', '.join(ENDINGS)}")
    if not path.is_file():
        raise ConfigError(f"{path} does not exist or is no file; name an existing one")
    try:
        if name.endswith((".json", ".json.gz")):
            return read_answer(path), ()
        return read_tables(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}; check the name and the rights") from None


def template() -> str:
    """A CSV file to fill in: the columns, with one unit as an example."""
    names = [figure for figure, _ in listed()]
    example = {
        "unit_code": "H99.01",
        "unit_name": "Sở Xây dựng",
        "parent_code": "H99",
        "total_received": "120",
        "total_on_time": "110",
        "total_overdue": "10",
        "ratio_percent": "91.67",
        "score": "18.33",
        "average_days": "4.2",
    }
    return "\ufeff" + "\r\n".join((",".join(names), ",".join(example.get(name, "") for name in names), ""))
