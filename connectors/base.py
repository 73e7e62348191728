"""The contract of a connector: fetch raw pages, normalise each into canonical records.

The two steps are apart so that a mapping can be tested, previewed and replayed without asking the source again. A
connector knows nothing of the database, the rules or the outputs: it imports only :mod:`tthc_monitor.domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from tthc_monitor.domain.messages import Message
from tthc_monitor.domain.records import Batch

__all__ = [
    "Connector",
    "ConnectorOptions",
    "Cursor",
    "Inbox",
    "LooksDirectly",
    "Message",
    "Page",
    "ReadsFiles",
    "Received",
    "Receives",
    "Surroundings",
]

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
    ``contact``
        how the operator of a source reaches those who ask it (a mail address, say); part of the User-Agent.
    ``inbox``
        what was sent to this source through the service's HTTP port and not pulled yet; None where nothing can be.
    """

    now: Callable[[], datetime]
    base_dir: Path
    applicant_key: bytes | None = None
    contact: str | None = None
    inbox: Inbox | None = None


@dataclass(frozen=True)
class Page:
    """One raw piece of a source's answer.

    ``content`` is whatever ``normalise`` of the same connector understands; ``location`` names it for people (file name
    or request path); ``cursor`` is what to remember once this page and all before it are committed (None: unchanged).
    ``total`` is the number of records the source says the whole fetch has, when it says so; it drives the progress bar.
    ``as_of`` is the instant whose state the content tells when that is earlier than the asking (the time of a file): what is
    held of a later state stays, unless the fetch comes in rounds. ``undated`` says that nobody can tell as of when the
    content is: it is taken in, but proves nothing about until when something was still open, or what is no longer listed.
    ``part`` says that the fetch gives a part of the source only, although there was no cursor to go on from: what must hold
    of the volume of a full pull is not looked at.
    ``listed_all`` is set on the last page of a fetch that gave every dossier open at the source, changed or not: only
    then does a dossier that was not given tell something. It has changed since, or is gone.
    ``gave_all`` is set on the last page of a fetch that gave everything the source has although there was a cursor to go on
    from: what must hold of the volume of a full pull is then looked at.
    ``new_round`` begins a new round of a fetch: dossiers may be told again, as they were later, and every state told is
    kept. Within a round a dossier told twice is a mistake of the source, and the last one counts.
    """

    content: Any
    location: str
    cursor: Cursor | None = None
    total: int | None = None
    as_of: datetime | None = None
    undated: bool = False
    listed_all: bool = False
    gave_all: bool = False
    new_round: bool = False
    part: bool = False


class Inbox(Protocol):
    """Messages that wait for a source to be pulled, and those of some days before.

    A connector reads all of them that are there when its fetch begins, or lets the fetch fail: a message that was there
    when a good pull began is forgotten some days later.
    """

    def messages(self, after: int) -> Iterator[Message]:
        """Those with a number above ``after``, in order, a bounded number in memory at a time."""
        ...


@dataclass(frozen=True)
class Received:
    """What became of a body sent to us: contents to keep, each a :class:`Message`, and the answer in the sender's form."""

    contents: Sequence[Any]
    answer: Any


@runtime_checkable
class Receives(Protocol):
    """What a connector offers beside :class:`Connector` when its source sends by itself."""

    def receive(self, body: bytes) -> Received:
        """Read a body and leave of it only what may be kept. Pure: the caller stores the contents, then answers.

        Raises:
            PermanentSourceError: the body is not what this kind of source sends; the message holds nothing of the body.
        """
        ...

    def refusal(self, reason: str) -> Any:
        """The answer, in the sender's form, to a body that was not taken."""
        ...


@runtime_checkable
class LooksDirectly(Protocol):
    """What a connector offers beside :class:`Connector` when its source can be asked for single dossiers."""

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        """Ask for dossiers by their source keys, whatever their state; what is in no page the source does not have.

        Raises:
            TransientSourceError: the source failed in a way that passes.
            PermanentSourceError: the source or our settings must be changed first.
        """
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """What a connector offers beside :class:`Connector` when it reads files, so that a person can hand it one."""

    def over(self, file: Path, name: str, *, whole: bool = False, as_of: datetime | None = None) -> Connector:
        """The same connector reading this file, called ``name``, instead of what its options name.

        ``whole``: the file stands for everything the source has; otherwise it is a part, and what is not in it is not
        gone. ``as_of``: the aware instant whose state the file tells; its pages are undated when nobody can say.
        """
        ...


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
