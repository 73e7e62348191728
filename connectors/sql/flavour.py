"""What differs from one kind of database server to the next, as one class a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection

from connectors.sweeping import wall_clock

CELL_CHARACTERS: Final = 4_000
"""Longest cell that is read; codes, dates and names are shorter. What is longer is cut by the server and refused."""
CONNECT_SECONDS: Final = 15


class Kind(Enum):
    """What a column of the query holds, as far as reading and comparing it goes."""

    TEXT = "text"
    INTEGER = "whole number"
    DECIMAL = "decimal number"
    FLOAT = "approximate number"
    DATE = "date"
    INSTANT = "date and time"
    INSTANT_UTC = "date and time with offset"
    BINARY = "binary"
    OTHER = "other"

    @property
    def is_date(self) -> bool:
        """Whether its values are days or instants."""
        return self in (Kind.DATE, Kind.INSTANT, Kind.INSTANT_UTC)


class Failure(Enum):
    """What a server's error means for whoever reads the message."""

    LOGIN = "login"
    DATABASE = "database"
    RIGHT = "right"
    NAME = "name"
    TIMEOUT = "timeout"
    BUSY = "busy"
    AWAY = "away"
    WRITES = "writes"
    DATA = "data"
    ENCODING = "encoding"
    ZONE = "zone"
    OTHER = "other"


@dataclass(frozen=True)
class Snapshot:
    """A read-only transaction that has begun.

    ``now``
        the server's clock before the first question, or how far a standby had come then.
    ``consistent``
        whether all questions see the same state.
    """

    now: datetime
    consistent: bool


class Flavour(ABC):
    """One kind of database server.

    ``driver`` is the only driver used, ``extra`` the optional dependency that brings it, ``grammar`` the dialect that
    the query is parsed in, ``settings`` what may stand behind the ``?`` of an address, ``failures`` the meaning of
    error codes (the longest beginning that fits). ``takes_with_inside``: whether a query in brackets may begin with
    WITH; ``tells_kinds``: whether type codes say all, so that no value need be looked at.
    """

    title: ClassVar[str]
    driver: ClassVar[str]
    extra: ClassVar[str | None]
    grammar: ClassVar[str]
    settings: ClassVar[frozenset[str]]
    failures: ClassVar[Mapping[str, Failure]]
    isolation: ClassVar[str | None] = None
    takes_with_inside: ClassVar[bool] = True
    tells_kinds: ClassVar[bool] = True

    @abstractmethod
    def connect_args(self, timeout: timedelta) -> dict[str, Any]:
        """Arguments for the driver."""

    @abstractmethod
    def begin(self, connection: Connection, zone: ZoneInfo, timeout: timedelta) -> Snapshot:
        """Begin the transaction that all questions are asked in: read-only, and a snapshot, where the server can."""

    @abstractmethod
    def kind(self, type_code: Any) -> Kind:
        """What a column holds, by the type code in the description of a cursor."""

    @abstractmethod
    def rights(self, connection: Connection) -> list[str]:
        """What the account may change, in words; empty when it can only read."""

    @abstractmethod
    def code(self, error: BaseException) -> str:
        """The server's code of an error; empty when it has none."""

    def cell(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """How a column is selected, so that no cell is much longer than :data:`CELL_CHARACTERS`."""
        return column

    def instant(self, at: datetime, kind: Kind, zone: ZoneInfo) -> Any:
        """An aware instant as what a column of that kind is compared with, never later than it."""
        if kind is Kind.INSTANT_UTC:
            return at.astimezone(UTC)
        local = wall_clock(at, zone)
        # Columns of whole seconds hold what is rounded down.
        return local.date() if kind is Kind.DATE else local.replace(microsecond=0)

    def unset(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[bool]:
        """The condition that a date column holds nothing."""
        return column.is_(None)

    def key(self, value: Any, kind: Kind) -> Any:
        """A value of a key column as it was read, as what that column is compared with."""
        return value

    def compared(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """A column as it is compared with a key in text: of a type of its own, a text that is none is an error."""
        return column

    def refine(self, kind: Kind, sample: Any) -> Kind:
        """A column's kind, known better from one of its values."""
        return kind


def instant_of(value: Any) -> datetime:
    """What a server tells as its time in UTC, with a zone."""
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("ascii")
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def kind_of_python(kind: type) -> Kind:
    """What a column holds whose values come as this type."""
    for candidate, meaning in _PYTHON_KINDS:
        if issubclass(kind, candidate):
            return meaning
    return Kind.OTHER


_PYTHON_KINDS: Final[tuple[tuple[type, Kind], ...]] = (
    (bool, Kind.OTHER),
    (int, Kind.INTEGER),
    (Decimal, Kind.DECIMAL),
    (float, Kind.FLOAT),
    (datetime, Kind.INSTANT),
    (date, Kind.DATE),
    (str, Kind.TEXT),
    (bytes, Kind.BINARY),
)
