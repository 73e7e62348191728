"""Counting keys by buckets says what a binary search says, on grids of every width and between them."""

from __future__ import annotations

import numpy as np
import pytest

from tthc_monitor.domain import worktime_segments as segments

DAY, HOUR, MINUTE = segments.DAY, segments.HOUR, segments.MINUTE


@pytest.mark.parametrize("first", [0, 7 * DAY, -3 * DAY])
@pytest.mark.parametrize(
    "steps",
    [
        [8 * HOUR, 12 * HOUR, 13 * HOUR, 17 * HOUR],
        [15 * MINUTE, 8 * HOUR, 12 * HOUR + 15 * MINUTE],
        [7 * HOUR + 5 * MINUTE, 7 * HOUR + 10 * MINUTE, 11 * HOUR + 59 * MINUTE],
        [9 * HOUR + minute * MINUTE for minute in range(12)],
        [9 * HOUR + minute * MINUTE for minute in (1, 2, 3, 4)],
        [9 * HOUR + minute * MINUTE for minute in (1, 2, 3, 4, 59)],
        [2 * DAY],
    ],
)
def test_keys_are_counted_as_a_binary_search_counts_them(first: int, steps: list[int]) -> None:
    keys = first + np.array([day * 3 * DAY + step for day in range(4) for step in steps], dtype=np.int64)
    last = int(keys[-1]) + HOUR
    asked = np.unique(np.concatenate([keys - 1, keys, keys + 1, np.arange(first, last, 7 * MINUTE), [first, last]]))
    asked = asked[(asked >= first) & (asked <= last)].astype(np.int64)
    found = segments.StepIndex(keys, first, last).count(asked)
    assert found.tolist() == np.searchsorted(keys, asked, side="right").tolist()
