"""Rows of any kind of file as published figures, with every problem in them told at once, by its place."""

from __future__ import annotations

from collections.abc import Mapping

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.domain.published import COUNTS, DECIMALS, PublishedRow
from tthc_monitor.published.columns import UNIT, read_count, read_decimal

_SHOWN = 50
_LONGEST = 200


class Gathered:
    """Rows read so far, and what is wrong with those that are not among them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._rows: list[PublishedRow] = []
        self._places: dict[tuple[str, str | None], str] = {}
        self._problems: list[Problem] = []

    def wrong(self, line: int | None, what: str) -> None:
        """Note a problem that has no row."""
        self._problems.append(Problem(self._file, line, what))

    def add(self, cells: Mapping[str, str], place: str, line: int | None, parent: str | None = None) -> None:
        """Take a row: its cells by our names, empty where nothing was published.

        Args:
            place: where it stands, for people; ``line`` the same as a number, where there is one.
            parent: the unit above, where the form of the file tells it and no cell does.
        """
        told = {name: text for name, value in cells.items() if (text := " ".join(value.split()))}
        if not told:
            return
        code = told.get(UNIT)
        where = "" if line is not None else f"{place}: "
        if code is None:
            self.wrong(line, f"{where}no code of the unit; fill it in, or remove the row when it is a total of others")
            return
        counts, decimals = dict[str, int](), dict[str, str]()
        problems = [
            f"{name} is longer than {_LONGEST} characters; shorten it"
            for name in (UNIT, "unit_name", "parent_code", "sector_code")
            if len(told.get(name, "")) > _LONGEST
        ]
        for name in (*COUNTS, *DECIMALS):
            if name not in told:
                continue
            try:
                if name in COUNTS:
                    counts[name] = read_count(told[name])
                else:
                    decimals[name] = read_decimal(told[name])
            except ValueError as error:
                problems.append(f"{name} {error}")
        if not problems and not counts and not decimals:
            problems.append("no figure at all; fill one in, or remove the row")
        key = (code, told.get("sector_code"))
        if key in self._places:
            problems.append(f"{' × '.join(filter(None, key))} stands at {self._places[key]} already; remove one")
        if problems:
            self._problems += [Problem(self._file, line, f"{where}{what}") for what in problems]
            return
        self._places[key] = place
        above = told.get("parent_code", parent)
        self._rows.append(
            PublishedRow(place, code, told.get("unit_name"), None if above == code else above, key[1], counts, decimals)
        )

    def done(self) -> tuple[PublishedRow, ...]:
        """The rows, when nothing is wrong.

        Raises:
            ConfigError: something is, or there are none.
        """
        if len(self._problems) > _SHOWN:
            more = Problem(self._file, None, f"and {len(self._problems) - _SHOWN} problems more; correct these first")
            raise ConfigError([*self._problems[:_SHOWN], more])
        if self._problems:
            raise ConfigError(self._problems)
        if not self._rows:
            raise ConfigError([Problem(self._file, None, "the file holds no figures; export it again")])
        self._check_parents()
        return tuple(self._rows)

    def _check_parents(self) -> None:
        """Refuse units that stand above themselves: their sums would have no end."""
        parents = {row.unit_code: row.parent_code for row in self._rows if row.sector_code is None}
        for row in self._rows:
            seen, above = {row.unit_code}, row.parent_code
            while above is not None:
                if above in seen:
                    raise ConfigError(
                        [
                            Problem(
                                self._file, None, f"{row.place}: unit {row.unit_code} stands above itself; correct it"
                            )
                        ]
                    )
                seen.add(above)
                above = parents.get(above)
