"""Any file of a catalogue by its ending: what it lists, the limits in it, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tthc_monitor.catalogue.catalogue_yaml import read_yaml
from tthc_monitor.catalogue.limit_text import Reading
from tthc_monitor.catalogue.portal_jsonl import limits_of, read_jsonl
from tthc_monitor.catalogue.portal_xlsx import read_xlsx
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.procedure_catalogue import Origin, ProcedureEntry, SourcedLimit

ENDINGS = (".xlsx", ".jsonl", ".jsonl.gz", ".yaml", ".yml")


@dataclass(frozen=True)
class CatalogueFile:
    """A file that was read. ``scope`` are the procedures of whose limits it says everything."""

    path: Path
    origin: Origin
    entries: tuple[ProcedureEntry, ...] = ()
    limits: tuple[SourcedLimit, ...] = ()
    readings: tuple[Reading, ...] = ()
    scope: frozenset[str] = frozenset()


def read_catalogue(
    path: Path, legal_basis: str | None = None, progress: Callable[[int, int | None], None] | None = None
) -> CatalogueFile:
    """Read a file; ``legal_basis`` is for the portal's limits, which do not tell one.

    Raises:
        ConfigError: an unknown ending, or all that is wrong with the file.
        PermanentSourceError: a workbook that cannot be opened.
    """
    name = path.name.lower()
    if not path.is_file():
        raise ConfigError(f"{path} does not exist or is no file; name an existing one")
    if name.endswith((".yaml", ".yml")):
        own = tuple(read_yaml(path))
        return CatalogueFile(path, "office", limits=own, scope=frozenset(item.limit.procedure_code for item in own))
    if name.endswith(".xlsx"):
        return CatalogueFile(path, "portal", entries=tuple(read_xlsx(path)))
    if name.endswith((".jsonl", ".jsonl.gz")):
        entries, readings = read_jsonl(path, progress)
        limits = tuple(limits_of(entries, readings, legal_basis))
        scope = frozenset(entry.procedure_code for entry in entries)
        return CatalogueFile(path, "portal", tuple(entries), limits, tuple(readings), scope)
    raise ConfigError(f"{path}: not a kind of catalogue that can be read; give a file ending in {', '.join(ENDINGS)}")
