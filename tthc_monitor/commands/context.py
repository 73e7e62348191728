"""What all commands share: the configuration that was named, and tables as people and pipes want them."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Table

from tthc_monitor.settings import DEFAULT_FILE, Settings, load_settings
from tthc_monitor.terminal import console

_config: dict[str, Path] = {"path": Path(DEFAULT_FILE)}


def use_configuration(path: Path) -> None:
    """Remember which configuration file the commands of this process read."""
    _config["path"] = path


def settings() -> Settings:
    """The configuration, read and checked."""
    return load_settings(_config["path"])


def width() -> int:
    """Columns that a table has: those of the terminal, or enough where there is none."""
    return type(console)().width if sys.stdout.isatty() else 240


def plain(table: Table) -> str:
    """A table as text: as wide as the terminal, or wide enough where there is none."""
    plain_console = type(console)(width=width(), highlight=False, no_color=not sys.stdout.isatty())
    with plain_console.capture() as captured:
        plain_console.print(table)
    return captured.get().rstrip()
