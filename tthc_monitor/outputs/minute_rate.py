"""At most so many in any minute: what mail servers mean by their limits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tthc_monitor.domain.stopping import Stop

_MINUTE: Final = 60.0


class MinuteRate:
    """Remembers when the last ones went, and lets another go when fewer than the limit did within a minute; thread-safe.

    In one process: of the replicas one holds the job, so that only a person who sends by hand at the same time adds to it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._gone: deque[float] = deque()

    def wait(self, per_minute: int, stop: Stop) -> None:
        """Take a place, waiting until there is one.

        Raises:
            StoppedError: it was asked to end.
        """
        while True:
            stop.check()
            with self._lock:
                now = self._clock()
                while self._gone and now >= self._gone[0] + _MINUTE:
                    self._gone.popleft()
                if len(self._gone) < per_minute:
                    self._gone.append(now)
                    return
                # Another limit may have let more go: those count that stand as many places from the end as may go.
                pause = self._gone[-per_minute] + _MINUTE - now
            stop.wait(pause)


_RATES: Final[dict[str, MinuteRate]] = {}
_RATES_LOCK: Final = threading.Lock()


def rate_of(server: str) -> MinuteRate:
    """The rate at which this process gives a server (name and port) letters, whatever kind they are of."""
    with _RATES_LOCK:
        return _RATES.setdefault(server, MinuteRate())
