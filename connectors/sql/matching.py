"""The columns of a query and those that the settings name, brought together; what does not fit is told."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from connectors.raw_table import clean_header
from connectors.sql.flavour import Kind
from connectors.sql.options import SqlOptions
from connectors.sql.session import Session
from connectors.sql.statements import Column, Statements
from tthc_monitor.domain.errors import ConfigError


def matched(session: Session, query: str, options: SqlOptions, wanted: Sequence[str]) -> Statements:
    """The query made ready, with the columns that the mapping reads (``wanted``), the key and the cursor.

    Raises:
        ConfigError: a column is missing or stands there twice, or holds what it cannot be used for.
    """
    there = session.shape(query)
    columns = [_column(name, there, session, query, "the mapping names") for name in wanted]
    key = [_column(name, there, session, query, "'key' names") for name in options.key]
    for item in key:
        if item.kind.is_date or item.kind is Kind.FLOAT:
            raise ConfigError(
                f"key column '{item.name}' holds a {item.kind.value}, which does not come back as it was; name columns of "
                "numbers or texts in 'key'"
            )
    cursor = None if options.cursor is None else _column(options.cursor, there, session, query, "'cursor' names")
    if cursor is not None and not cursor.kind.is_date:
        raise ConfigError(
            f"cursor column '{cursor.name}' holds a {cursor.kind.value}, no date; name a date column in 'cursor', convert "
            "it in the query, or leave 'cursor' out"
        )
    return Statements(query, session.address.flavour, ZoneInfo(options.zone or "UTC"), columns, key, cursor)


def _column(name: str, there: Sequence[tuple[str, Kind]], session: Session, query: str, who: str) -> Column:
    """A column of the query by name; upper and lower case count only where the query has both."""
    wanted = clean_header(name)
    found = [item for item in there if clean_header(item[0]) == wanted]
    if not found:
        found = [item for item in there if clean_header(item[0]).casefold() == wanted.casefold()]
    if len(found) > 1:
        raise ConfigError(
            f"query: {who} column '{name}', which it has {len(found)} times; give all but one of them another name (AS)"
        )
    if not found:
        raise ConfigError(
            f"query: {who} column '{name}', which it lacks; it has {_listed(wanted, there)}; correct one of the two"
        )
    (at_server, kind) = found[0]
    return Column(at_server, session.kind(query, at_server, kind))


def _listed(wanted: str, there: Sequence[tuple[str, Kind]]) -> str:
    """The query's columns for people, the closest first."""

    def distance(other: str) -> float:
        return -difflib.SequenceMatcher(None, wanted.casefold(), other.casefold()).ratio()

    names = sorted(dict.fromkeys(name for name, _ in there), key=distance)
    rest = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return ", ".join(f"'{name[:60]}'" for name in names[:40]) + rest
