"""What tests of running programs need: a port of their own, and patience with an end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def wait_for(look: Callable[[], _T], seconds: float, what: Callable[[], object] = lambda: "") -> _T:
    """What ``look`` gives once that is something; fails the test when it takes longer, and tells ``what``."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"waited {seconds} s in vain: {what()}"
        time.sleep(0.1)
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
