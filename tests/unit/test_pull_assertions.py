"""What must hold of a pull as a whole: at the limit it holds, beyond it the message has figures and remedy."""

from __future__ import annotations

from collections import Counter

import pytest

from tthc_monitor.domain.errors import DataAssertionError
from tthc_monitor.domain.pull_assertions import Assertions, Before, Volume

DROP = Assertions(max_drop=0.2)
FILL = Assertions(min_fill={"due_current": 0.9, "unit_code": 0.5})
FULL, LISTING, NEWS = {"full": True, "listed_all": False}, {"full": False, "listed_all": True}, {
    "full": False, "listed_all": False,
}  # fmt: skip


def filled(due: int, unit: int = 100) -> Volume:
    return Volume(rows=100, whole=100, filled=Counter(due_current=due, unit_code=unit))


@pytest.mark.parametrize(
    ("assertions", "volume", "before", "pull"),
    [
        (DROP, Volume(rows=80), Before(full_rows=100), FULL),
        (DROP, Volume(rows=0), Before(full_rows=None), FULL),
        (DROP, Volume(rows=0), Before(full_rows=0), FULL),
        (DROP, Volume(rows=500), Before(full_rows=100), FULL),
        # Of a pull that goes on from a cursor only the open ones that it listed can be compared.
        (DROP, Volume(rows=1, open_rows=80), Before(full_rows=9000, open_rows=100), LISTING),
        (DROP, Volume(rows=1), Before(100, 100), NEWS),
        (Assertions(), Volume(rows=1), Before(100, 100), FULL | {"listed_all": True}),
        (FILL, filled(90, 50), Before(), FULL),
        (FILL, Volume(rows=9, unreadable=0), Before(), FULL),
        (FILL, filled(0, 0), Before(), NEWS),
        (Assertions(min_rows=5), Volume(rows=1), Before(), LISTING),
        (Assertions(min_rows=5), Volume(rows=8, repeated=3), Before(), FULL),
        (Assertions(), Volume(rows=20, unreadable=1), Before(), NEWS),
    ],
)
def test_what_holds(assertions: Assertions, volume: Volume, before: Before, pull: dict[str, bool]) -> None:
    assertions.check(volume, before, **pull)


@pytest.mark.parametrize(
    ("assertions", "volume", "before", "pull", "said"),
    [
        (DROP, Volume(rows=79), Before(full_rows=100), FULL,
         r"gave 79 rows, 21\.0% fewer than the 100 of the last good full pull and more than max_drop 20\.0% allows; "
         r"nothing was changed\. Look at the source .* or raise max_drop"),
        (DROP, Volume(rows=900, open_rows=0), Before(900, 10), LISTING, "gave 0 open dossiers, 100.0% fewer than the 10"),
        (DROP, Volume(rows=100, open_rows=7), Before(100, 10), FULL | {"listed_all": True}, "gave 7 open dossiers"),
        (FILL, filled(89), Before(), FULL,
         r"due_current is filled in 89 of 100 records \(89\.0%\), less than min_fill 90\.0%; nothing .* lower min_fill"),
        (FILL, filled(95, 49), Before(), LISTING, "unit_code is filled in 49 of 100"),
        (Assertions(min_rows=5), Volume(rows=4, rounds_kept=2), Before(), FULL,
         "gave 4 rows, fewer than min_rows 5; what came after the first 2 rounds was not kept"),
        (Assertions(min_rows=5), Volume(rows=8, repeated=4), Before(), FULL, "gave 4 rows, fewer than min_rows 5"),
        (DROP, Volume(rows=82, repeated=3), Before(full_rows=100), FULL, "gave 79 rows, 21.0% fewer than the 100"),
        (Assertions(), Volume(rows=19, unreadable=1), Before(), NEWS, r"1 of 19 rows were rejected \(5\.3%\)"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_said_with_figures_and_remedy(
    assertions: Assertions, volume: Volume, before: Before, pull: dict[str, bool], said: str
) -> None:
    with pytest.raises(DataAssertionError, match=said):
        assertions.check(volume, before, **pull)


def test_a_pull_that_has_begun_gave_nothing_yet() -> None:
    assert Volume() == Volume(rows=0, repeated=0, unreadable=0, open_rows=0, whole=0, filled=Counter(), rounds_kept=0)
    assert Before() == Before(full_rows=None, open_rows=None)
