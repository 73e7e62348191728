"""What must hold of a pull as a whole, else the data held stay as they are: a source can fail without saying so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tthc_monitor.domain.errors import DataAssertionError


@dataclass
class Volume:
    """How much a pull gave, in rows.

    ``repeated``
        rows among them that told again, in the same round, of a dossier that another row tells of.
    ``unreadable``
        rows that became no record; one given twice is none of them, since its last content was kept.
    ``open_rows``
        dossiers told of that have not ended, each once.
    ``whole`` / ``filled``
        records that tell all of their dossiers (no patches), and in how many of them a column is filled.
    ``rounds_kept``
        rounds of this pull that are kept already.
    """

    rows: int = 0
    repeated: int = 0
    unreadable: int = 0
    open_rows: int = 0
    whole: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    rounds_kept: int = 0

    @property
    def told(self) -> int:
        """Rows, those that told of the same dossier counted once: a source may give one twice on one day, once on another."""
        return self.rows - self.repeated


@dataclass(frozen=True)
class Before:
    """What the last good pulls of the source gave; None: there was none, or nobody kept it.

    ``full_rows``
        rows of the last one that asked for everything, repeated ones not counted.
    ``open_rows``
        open dossiers of the last one that listed all of them.
    """

    full_rows: int | None = None
    open_rows: int | None = None


@dataclass(frozen=True)
class Assertions:
    """The limits of one source.

    ``max_reject_share``
        largest share of rows that may be unreadable, 0 to 1.
    ``min_rows``
        fewest rows, repeated ones not counted, that a full pull may give: one that had no cursor to go on from.
    ``max_drop``
        largest share, 0 to 1, by which a full pull may give fewer rows than the last good full one, and one that lists
        all open dossiers fewer open ones than the last good one of that kind. None: any.
    ``min_fill``
        by canonical column, the least share of records, 0 to 1, in which a full pull, or one that lists all open
        dossiers, must fill it.
    """

    max_reject_share: float = 0.05
    min_rows: int = 0
    max_drop: float | None = None
    min_fill: Mapping[str, float] = field(default_factory=dict)

    def check_readable(self, volume: Volume) -> None:
        """Look at what holds of any part of a pull: most of it can be read.

        Raises:
            DataAssertionError: it does not hold.
        """
        share = volume.unreadable / volume.rows if volume.rows else 0.0
        if share > self.max_reject_share:
            raise DataAssertionError(
                f"{volume.unreadable} of {volume.rows} rows were rejected ({share:.1%}), more than "
                f"max_reject_share {self.max_reject_share:.1%}; {_kept(volume)}. Look at the reasons with "
                "'tthc-monitor sources rejects', then mend the mapping or the source."
            )

    def check(self, volume: Volume, before: Before, *, full: bool, listed_all: bool) -> None:
        """Look at a whole pull.

        Args:
            full: it gave everything the source has.
            listed_all: it listed all open dossiers.

        Raises:
            DataAssertionError: something does not hold.
        """
        if full and volume.told < self.min_rows:
            raise DataAssertionError(
                f"the source gave {volume.told} rows, fewer than min_rows {self.min_rows}; {_kept(volume)}. "
                "Look at the source, or lower min_rows if this is right."
            )
        self.check_readable(volume)
        if full:
            self._check_drop(volume, volume.told, before.full_rows, "rows", "full pull")
        if listed_all:
            what = "open dossiers"
            self._check_drop(volume, volume.open_rows, before.open_rows, what, "pull that listed all of them")
        if full or listed_all:
            self._check_fill(volume)

    def _check_drop(self, volume: Volume, now: int, before: int | None, what: str, of: str) -> None:
        if self.max_drop is None or before is None or before - now <= self.max_drop * before:
            return
        raise DataAssertionError(
            f"the source gave {now} {what}, {(before - now) / before:.1%} fewer than the {before} of the last good {of} "
            f"and more than max_drop {self.max_drop:.1%} allows; {_kept(volume)}. Look at the source and at the rights "
            "of its account, or raise max_drop for one pull if this is right."
        )

    def _check_fill(self, volume: Volume) -> None:
        for column, least in self.min_fill.items():
            share = volume.filled[column] / volume.whole if volume.whole else 1.0
            if share < least:
                raise DataAssertionError(
                    f"{column} is filled in {volume.filled[column]} of {volume.whole} records ({share:.1%}), less than "
                    f"min_fill {least:.1%}; {_kept(volume)}. Look whether the source renamed or emptied what it is read "
                    "from, or lower min_fill if this is right."
                )


def _kept(volume: Volume) -> str:
    if not volume.rounds_kept:
        return "nothing was changed"
    return f"what came after the first {volume.rounds_kept} rounds was not kept"
