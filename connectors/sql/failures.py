"""Errors of drivers and servers as errors of ours: what to do decides the class. No message repeats a value of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.sql.address import Address
from connectors.sql.flavour import Failure
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError


@contextmanager
def told(address: Address, timeout: timedelta, *, connecting: bool = False) -> Iterator[None]:
    """Turns what goes wrong inside into an error with a remedy.

    Raises:
        TransientSourceError: the server is away or too busy, or stopped the question.
        PermanentSourceError: it refuses the account, the database or a right, or the data cannot be read.
        ConfigError: the driver is missing, or the query names what is not there.
    """
    try:
        yield
    except DBAPIError as error:
        raise _told(error, address, timeout, connecting=connecting) from None
    except (ImportError, OSError) as error:
        if not isinstance(error, ImportError):
            raise TransientSourceError(f"{address.shown} cannot be reached; check host, port and firewall") from None
        extra = address.flavour.extra
        remedy = f"pip install 'tthc-monitor[{extra}]'" if extra else "pip install tthc-monitor"
        raise ConfigError(
            f"the driver for {address.flavour.title} is not installed ({error.name}); run: {remedy}"
        ) from None
    except UnicodeDecodeError:
        raise PermanentSourceError(_UNENCODED.format(where=address.shown, code="")) from None
    except (SQLAlchemyError, ValueError, OverflowError) as error:
        raise PermanentSourceError(
            f"{address.shown} gives what its driver cannot hold ({type(error).__name__}); write columns such as dates "
            "before the year 1 as texts in the query"
        ) from None


def _told(error: DBAPIError, address: Address, timeout: timedelta, *, connecting: bool) -> TthcError:
    code = address.flavour.code(error.orig) if error.orig is not None else ""
    failure = _failure(code, address)
    if failure is None:
        failure = Failure.AWAY if connecting or error.connection_invalidated else Failure.OTHER
    kind, message = _MESSAGES[failure]
    return kind(
        message.format(
            where=address.shown,
            code=f" ({code})" if code else "",
            said=_first_line(error),
            seconds=int(timeout.total_seconds()),
            error=type(error.orig).__name__,
        )
    )


_UNENCODED: Final = (
    "{where} holds text that is not in the encoding it names{code}; correct it there, or convert it in the query"
)
_MESSAGES: Final[Mapping[Failure, tuple[Callable[[str], TthcError], str]]] = {
    Failure.LOGIN: (
        PermanentSourceError,
        "{where} refuses the account{code}; check user name, password and allowed hosts",
    ),
    Failure.DATABASE: (PermanentSourceError, "{where} does not give us the database{code}; check its name in the url"),
    Failure.RIGHT: (
        PermanentSourceError,
        "{where} does not let the account read a table of the query{code}; give it SELECT on it",
    ),
    Failure.NAME: (ConfigError, "query: {where} says{code}: {said}; correct the query"),
    Failure.TIMEOUT: (
        TransientSourceError,
        "{where} stopped a question after {seconds} s{code}; create an index for 'key' and 'cursor', or raise "
        "statement_timeout; it is tried again",
    ),
    Failure.BUSY: (TransientSourceError, "{where} is too busy for us{code}; it is tried again"),
    Failure.WRITES: (ConfigError, "query: {where} says that it would write{code}; leave only what reads"),
    Failure.DATA: (
        PermanentSourceError,
        "{where} cannot compute the query for some row{code}; correct the expression in the query, or the row",
    ),
    Failure.ENCODING: (PermanentSourceError, _UNENCODED),
    Failure.ZONE: (
        PermanentSourceError,
        "{where} does not know our zone by its name{code}; load its tables of time zones (mysql_tzinfo_to_sql)",
    ),
    Failure.AWAY: (
        TransientSourceError,
        "{where} cannot be reached, or went away{code}; check host, port and firewall; it is tried again",
    ),
    Failure.OTHER: (
        PermanentSourceError,
        "{where} refuses a question{code}, {error}; run the query there by hand to see why",
    ),
}


def _failure(code: str, address: Address) -> Failure | None:
    known = address.flavour.failures
    for size in range(len(code), 0, -1):
        if code[:size] in known:
            return known[code[:size]]
    return None


def _first_line(error: DBAPIError) -> str:
    """What the server says about the words of the query: its first line holds names, never rows."""
    original = error.orig
    last = original.args[-1] if original is not None and original.args else original
    return str(last).strip().split("\n", 1)[0][:200].rstrip(".; ")
