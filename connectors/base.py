"""The contract of a connector: fetch raw pages, normalise each into canonical records.

The two steps are apart so that a mapping can be tested, previewed and replayed without asking the source again. A
connector knows nothing of the database, the rules or the outputs: it imports only :mod:`tthc_monitor.domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from tthc_monitor.domain.records import Batch

Cursor = Mapping[str, Any]
"""What a connector wants to remember between runs; plain JSON values only. Opaque to everybody else."""


class ConnectorOptions(BaseModel):
    """Base of every connector's own settings: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Surroundings:
    """What a connector may use from outside: never a global, so that tests and replays decide.

    ``now``
        the clock, giving an aware instant.
    ``base_dir``
        the folder that relative paths in the configuration start from.
    ``applicant_key``
        key of the applicant hash; None switches linking of repeat filings off.
    """

    now: Callable[[], datetime]
    base_dir: Path
    applicant_key: bytes | None = None


@dataclass(frozen=True)
class Page:
    """One raw piece of a source's answer.

    ``content`` is whatever ``normalise`` of the same connector understands; ``location`` names it for people (file name
    or request path); ``cursor`` is what to remember once this page and all before it are committed (None: unchanged).
    ``total`` is the number of records the source says the whole fetch has, when it says so; it drives the progress bar.
    ``as_of`` is the instant whose state the content tells when that is earlier than the asking (the time of a file).
    """

    content: Any
    location: str
    cursor: Cursor | None = None
    total: int | None = None
    as_of: datetime | None = None


@runtime_checkable
class Connector(Protocol):
    """What a class must offer to be a connector kind.

    It is made as ``Kind(name, options, surroundings)``, with ``options`` already validated by ``Options``.
    """

    Options: ClassVar[type[ConnectorOptions]]

    def __init__(self, name: str, options: Any, surroundings: Surroundings) -> None: ...

    @property
    def provides(self) -> frozenset[str]:
        """The canonical columns that this source, as it is configured, fills where there is something to fill."""
        ...

    @property
    def lists_all_open(self) -> bool:
        """Whether every fetch gives all dossiers that are open at the source, changed or not.

        Only then does a dossier that is not given tell something: it has changed since, or is gone.
        """
        ...

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Give the pages that may hold news since ``cursor``; everything when it is None.

        Raises:
            TransientSourceError: the source failed in a way that passes.
            PermanentSourceError: the source or our settings must be changed first.
            ConfigError: the settings do not fit the source (an unknown column, say).
        """
        ...

    def normalise(self, page: Page) -> Batch:
        """Turn a page into canonical records and rejects. Pure: no I/O, the same answer for the same page."""
        ...

    def check(self) -> list[str]:
        """Try the source cheaply; each line says one thing that was found right.

        Raises:
            TthcError: the first thing that is wrong, with what to do.
        """
        ...
