"""Asking a run to end before its work is done, at the next point where nothing is lost by that."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, RLock
from weakref import WeakSet

from tthc_monitor.domain.errors import StoppedError


class Stop:
    """Whether something is to end, and why; set by others, looked at between two batches."""

    def __init__(self) -> None:
        self._event = Event()
        self._reason = ""
        self._children: WeakSet[Stop] = WeakSet()
        # A signal may set it in the thread that is about to make a part of it.
        self._lock = RLock()

    def part(self) -> Stop:
        """One of its own for a part of the work: set with this one, or alone."""
        made = Stop()
        with self._lock:
            self._children.add(made)
        if self.is_set:
            made.set(self._reason)
        return made

    def set(self, reason: str) -> None:
        """Ask it and all its parts to end; the first reason stands."""
        with self._lock:
            if self._event.is_set():
                return
            self._reason = reason
            self._event.set()
            parts = list(self._children)
        for one in parts:
            one.set(reason)

    @property
    def is_set(self) -> bool:
        """Whether it was asked."""
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked, or for some seconds; whether it was asked."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Go on unless it was asked to end.

        Raises:
            StoppedError: it was.
        """
        if self._event.is_set():
            raise StoppedError(f"stopped before it was done: {self._reason}; what it kept stays, the next run goes on")


Check = Callable[[], None]
"""Called between two batches; raises :class:`~tthc_monitor.domain.errors.StoppedError` when the work is to end there."""


def never() -> None:
    """The check of work that nobody stops."""
