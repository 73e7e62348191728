"""When clocks are changed: to the second, in both directions, and not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from tthc_monitor.domain.worktime_segments import offset_regimes

YEAR = (date(2026, 1, 1), date(2027, 1, 1))


@pytest.mark.parametrize(
    ("zone", "changes", "hours"),
    [
        ("Asia/Ho_Chi_Minh", [], [7]),
        ("UTC", [], [0]),
        # Clocks go forward at 02:00 -05:00 on 08/03/2026 and back at 02:00 -04:00 on 01/11/2026.
        ("America/New_York", [datetime(2026, 3, 8, 7), datetime(2026, 11, 1, 6)], [-5, -4, -5]),
        # By half an hour, at 02:00 +11:00 on 05/04/2026 and at 02:00 +10:30 on 04/10/2026.
        ("Australia/Lord_Howe", [datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30)], [11, 10.5, 11]),
    ],
)
def test_a_zone_changes_its_offset_to_the_second(zone: str, changes: list[datetime], hours: list[float]) -> None:
    starts, offsets = offset_regimes(zone, YEAR)
    assert [datetime.fromtimestamp(int(start) / 1e6, UTC).replace(tzinfo=None) for start in starts[1:]] == changes
    assert (offsets / 3.6e9).tolist() == hours
    assert starts[0] < np.datetime64(YEAR[0], "us").astype(np.int64)


def test_a_change_on_the_last_day_of_a_horizon_is_seen() -> None:
    starts, _ = offset_regimes("America/New_York", (date(2026, 2, 1), date(2026, 3, 8)))
    assert starts.size == 2
    starts, offsets = offset_regimes("America/New_York", (date(2026, 3, 8), date(2026, 4, 1)))
    assert starts.size == 2 and offsets[0] == -5 * 3_600_000_000
