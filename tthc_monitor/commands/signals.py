"""Ctrl-C and SIGTERM: the first asks the work to end at its next batch, the second ends the program."""

from __future__ import annotations

import signal
import threading

from tthc_monitor.domain.stopping import Stop


def stop_on_signals() -> Stop:
    """What Ctrl-C and SIGTERM set; a second one of either ends the program without waiting for jobs."""
    stop, at_once = Stop(), threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if not stop.is_set:
            stop.set("the process was told to end")
        elif not at_once.is_set():
            # Once only: what is cleaned up on the way out, a third signal must not leave half done.
            at_once.set()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop
