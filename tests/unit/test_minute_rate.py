"""Never more than so many in any minute, and no pause where fewer go."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tthc_monitor.domain.errors import StoppedError
from tthc_monitor.domain.stopping import Stop
from tthc_monitor.outputs.minute_rate import MinuteRate, rate_of


@dataclass
class Clock(Stop):
    """Time that passes only while somebody waits."""

    now: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, seconds: float | None = None) -> bool:
        self.now += seconds or 0.0
        return self.is_set


def instants(per_minute: int, pauses: list[float]) -> list[float]:
    clock = Clock()
    rate = MinuteRate(lambda: clock.now)
    gone = []
    for pause in pauses:
        clock.now += pause
        rate.wait(per_minute, clock)
        gone.append(clock.now)
    return gone


def test_a_few_go_at_once_and_more_than_may_go_wait_for_the_first_to_be_a_minute_old() -> None:
    assert instants(3, [0.0] * 7) == [0, 0, 0, 60, 60, 60, 120]


@given(st.integers(1, 20), st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_in_no_minute_more_than_may_go_and_nobody_waits_for_nothing(per_minute: int, pauses: list[float]) -> None:
    gone = instants(per_minute, pauses)
    came = 0.0
    for number, instant in enumerate(gone):
        came = (gone[number - 1] if number else 0.0) + pauses[number]
        if number >= per_minute:
            assert instant - gone[number - per_minute] >= 60 - 1e-6
        waited_for = gone[number - per_minute] + 60 if number >= per_minute else 0.0
        assert instant == pytest.approx(max(came, waited_for))


def test_who_waits_ends_when_asked_to() -> None:
    rate, stop = MinuteRate(), Stop()
    rate.wait(1, stop)
    threading.Timer(0.05, stop.set, ["it is to end"]).start()
    with pytest.raises(StoppedError, match="it is to end"):
        rate.wait(1, stop)


def test_one_server_has_one_rate_whoever_asks() -> None:
    assert rate_of("mot:25") is rate_of("mot:25") is not rate_of("hai:25")
