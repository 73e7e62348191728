"""How often a host is asked, and when a client stops asking."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tthc_monitor.domain.errors import TransientSourceError, TthcError


class Pace:
    """A token bucket: so many requests a second on average, at most one second's worth at once; thread-safe.

    The lowest of the rates that were joined and not left counts. Without one nobody waits.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rates: Counter[float] = Counter()
        self._tokens = 0.0
        self._counted_at = clock()

    @contextmanager
    def joined(self, rate: float | None) -> Iterator[None]:
        """Ask no faster than ``rate`` a second for as long as this lasts; None asks for nothing."""
        with self._lock:
            self._settle()
            if rate is not None:
                if not self._rates:
                    self._tokens = max(1.0, rate)
                self._rates[rate] += 1
        try:
            yield
        finally:
            with self._lock:
                self._settle()
                if rate is not None:
                    self._rates[rate] -= 1
                    self._rates += Counter()

    def wait(self) -> None:
        """Take a token, sleeping until there is one."""
        with self._lock:
            if not self._rates:
                return
            self._settle()
            self._tokens -= 1
            pause = -self._tokens / min(self._rates)
        if pause > 0:
            self._sleep(pause)

    def _settle(self) -> None:
        """Count the tokens that have come since the last count."""
        now = self._clock()
        if self._rates:
            rate = min(self._rates)
            self._tokens = min(max(1.0, rate), self._tokens + (now - self._counted_at) * rate)
        self._counted_at = now


_PACES: dict[str, Pace] = {}
_PACES_LOCK = threading.Lock()


def pace_of(host: str) -> Pace:
    """The pace at which this process asks a host (name and port), shared by all its clients."""
    with _PACES_LOCK:
        return _PACES.setdefault(host, Pace())


class Breaker:
    """Ends a run whose source fails: nothing more is asked after so many requests in a row have used up their tries.

    Thread-safe. It stays open: the next run has a client of its own.
    """

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._reason: TthcError | None = None

    def check(self) -> None:
        """Let a request pass.

        Raises:
            TthcError: too much has failed; of the class of the last failure.
        """
        if (reason := self._reason) is not None:
            raise type(reason)(str(reason))

    def succeeded(self) -> None:
        """A request was answered."""
        with self._lock:
            self._in_a_row = 0

    def failed(self, error: TransientSourceError) -> None:
        """A request has used up its tries."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._reason = TransientSourceError(f"{self._in_a_row} requests in a row failed; the last: {error}")

    def open(self, error: TthcError) -> None:
        """End the run at once, for this reason."""
        with self._lock:
            self._reason = error
