"""Errors are classes by remedy: who must do what decides the class, not where it happened.

Every message ends with what to do. The command line prints the message without a traceback and exits with
``exit_code`` (documented in ``docs/exit-codes.md``).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path


class TthcError(Exception):
    """Root of every error this program raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a document that a person wrote."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


class ConfigError(TthcError):
    """The operator must change a setting or a file; trying again will not help."""

    exit_code = 2

    def __init__(self, problems: str | list[Problem]) -> None:
        self.problems = problems if isinstance(problems, list) else []
        super().__init__(problems if isinstance(problems, str) else "\n".join(str(p) for p in problems))


class TransientSourceError(TthcError):
    """The source failed in a way that passes by itself; the next run tries again."""

    exit_code = 3


class PermanentSourceError(TthcError):
    """The source refuses us until somebody changes something there or in our configuration."""

    exit_code = 4


class DataAssertionError(TthcError):
    """A batch looks wrong as a whole (too many rejects, too few rows); the data of the last good run stay."""

    exit_code = 5


class DatabaseError(TthcError):
    """The database cannot be reached, is at another migration, or refuses the role."""

    exit_code = 6


class DeliveryError(TthcError):
    """A mail or report could not be handed over. ``permanent`` means: the same try will never succeed."""

    exit_code = 7

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class LedgerError(TthcError):
    """The ledger is not what it was: somebody must find out who changed it. Nothing this program does mends it."""

    exit_code = 8


class BusyError(TthcError):
    """Another process is doing just this, or holds what it takes; wait for it to end, or let it be."""

    exit_code = 9


class StoppedError(TthcError):
    """The work was asked to end before it was done; what it kept stays, the next run does the rest."""

    exit_code = 130


class CalendarError(TthcError):
    """A working calendar cannot answer: malformed, naive time, or no working time within its horizon."""

    exit_code = 2


class RecordError(TthcError):
    """One record cannot be read; it goes to the rejects and the batch goes on."""

    exit_code = 5


def recordable(error: BaseException) -> str:
    """What may be stored and logged of an error: our own messages whole; of any other its class and where it was raised.

    The text of another's error may quote what a source said, and with it a person.
    """
    if isinstance(error, TthcError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}; report it, with what was done"
