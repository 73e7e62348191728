"""The statements asked of a source: its query in brackets, and around it only what pages, filters and counts.

They are built with SQLAlchemy, so that each server gets them in its own words; nothing but the columns named is selected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, column, func, or_, select, text
from sqlalchemy.sql.elements import quoted_name

from connectors.sql.flavour import Flavour, Kind


@dataclass(frozen=True)
class Column:
    """A column of the query: its name at the server, and what it holds."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Statements:
    """A source's query made ready for questions.

    ``wanted`` are the columns that the mapping reads, ``key`` those that identify and order the rows, ``cursor`` the
    one that tells when a row changed.
    """

    query: str
    flavour: Flavour
    zone: ZoneInfo
    wanted: Sequence[Column]
    key: Sequence[Column]
    cursor: Column | None

    def filtered(self, since: datetime | None) -> list[ColumnElement[bool]]:
        """The condition of an incremental fetch; a row that does not say when it changed is always asked for."""
        if since is None or self.cursor is None:
            return []
        changed = self._rows.c[self.cursor.name]
        from_here = self.flavour.instant(since, self.cursor.kind, self.zone)
        return [or_(changed >= from_here, self.flavour.unset(changed, self.cursor.kind))]

    def page(self, since: datetime | None, after: Sequence[Any] | None, rows: int) -> Select[Any]:
        """So many rows in the order of the key, those behind ``after``: the wanted columns, then the key's."""
        where = self.filtered(since)
        if after is not None:
            where.append(self._behind(after))
        ordered = [self._rows.c[item.name] for item in self.key]
        return self._selected().where(*where).order_by(*ordered).limit(rows)

    def count(self, since: datetime | None) -> Select[Any]:
        """How many rows there are; how many share a key at most; whether a key is incomplete (1) or not (0)."""
        keys = [self._rows.c[item.name] for item in self.key]
        incomplete = case((or_(*(item.is_(None) for item in keys)), 1), else_=0)
        groups = (
            select(func.count().label("n"), func.max(incomplete).label("incomplete"))
            .where(*self.filtered(since))
            .group_by(*keys)
            .subquery("tthc_keys")
        )
        return select(func.sum(groups.c.n), func.max(groups.c.n), func.max(groups.c.incomplete))

    def among(self, wanted: Sequence[tuple[Column, Sequence[Any]]], *, trimmed: bool) -> Select[Any]:
        """The rows in which one of these columns holds one of its values; ``trimmed``: but for blanks around it."""
        conditions: list[ColumnElement[bool]] = []
        for item, values in wanted:
            here = self.flavour.compared(self._rows.c[item.name], item.kind)
            conditions.append((func.trim(here) if trimmed else here).in_(list(values)))
        return self._selected().where(or_(*conditions))

    @cached_property
    def _rows(self) -> Subquery:
        names = {item.name for item in (*self.wanted, *self.key, *((self.cursor,) if self.cursor else ()))}
        return bracketed(self.query, sorted(names))

    def _selected(self) -> Select[Any]:
        # Labels of our own: a name at the server may be longer than another allows, or a word of the language.
        cells = [
            self.flavour.cell(self._rows.c[item.name], item.kind).label(f"c{number}")
            for number, item in enumerate(self.wanted)
        ]
        keys = [self._rows.c[item.name].label(f"k{number}") for number, item in enumerate(self.key)]
        return select(*cells, *keys)

    def _behind(self, after: Sequence[Any]) -> ColumnElement[bool]:
        """(a, b) > (x, y), spelled out, for not every server compares rows."""
        keys = [self._rows.c[item.name] for item in self.key]
        values = [self.flavour.key(value, item.kind) for value, item in zip(after, self.key, strict=True)]
        ways = []
        for place, (here, value) in enumerate(zip(keys, values, strict=True)):
            same = [keys[index] == values[index] for index in range(place)]
            ways.append(and_(*same, here > value))
        return or_(*ways)


def bracketed(query: str, names: Sequence[str]) -> Subquery:
    """A query in brackets, with these of its columns at hand."""
    # SQLAlchemy would take a colon for the beginning of a parameter; a comment in the last line must not eat the bracket.
    plain = text(query.replace(":", "\\:") + "\n")
    return plain.columns(*(column(quoted_name(name, quote=True)) for name in names)).subquery("tthc_source")


def shape(query: str) -> Select[Any]:
    """No row, all columns: what the query's columns are called and hold."""
    return select(text("*")).select_from(bracketed(query, ())).where(text("1 = 0"))


def sample(query: str, name: str) -> Select[Any]:
    """One value of a column that is there."""
    here = bracketed(query, (name,)).c[name]
    return select(here).where(here.is_not(None)).limit(1)
