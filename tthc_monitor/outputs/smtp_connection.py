"""A connection to a mail server of which each step ends by a deadline, whatever the server does in between.

The library knows only how long a single reading may take, and collects the lines of an answer without end: a server that
sends a byte now and then would hold a run for days.
"""

from __future__ import annotations

import re
import smtplib
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from tthc_monitor.domain.stopping import Check, never

_SLICE: Final = 1.0
"""Seconds of waiting after which it is looked whether the work is to end."""
_PIECE: Final = 2**14
"""Bytes written at once: a secured socket would count the time anew for each of them."""
_MOST_LINES: Final = 100
_MOST_BYTES: Final = 2**16
_CLOSING: Final = 421
_GO_ON: Final = 354


class Handover:
    """The moment from which on a mail may have been delivered, and what the server said then."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before, self.began, self.answer = before, False, ""

    def begin(self) -> None:
        """The text leaves now."""
        self._before()
        self.began = True


class _Lines:
    """The lines that a server sends, each to be there by a given time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._left = sock, b""

    def line(self, over: float, check: Check) -> bytes:
        """The next line.

        Args:
            over: by when, by the monotonic clock.

        Raises:
            OSError: it is not there by then, it is too long, or the server hung up.
        """
        while b"\n" not in self._left:
            if len(self._left) > _MOST_BYTES:
                raise OSError(f"a line of its answer has more than {_MOST_BYTES} bytes")
            check()
            left = over - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out: its answer was not whole in time")
            self._sock.settimeout(min(left, _SLICE))
            try:
                read = self._sock.recv(_PIECE)
            except TimeoutError:
                continue
            if not read:
                raise OSError("it closed the connection")
            self._left += read
        line, _, self._left = self._left.partition(b"\n")
        return line

    def close(self) -> None:
        """It holds nothing: the socket is the library's."""


class _Bounded:
    """What is added to the library's connections.

    Args:
        check: called between steps, and while an answer is awaited, until the text of a mail begins to leave.
    """

    handover: Handover
    check: Check
    sock: Any
    file: Any
    timeout: float

    def __init__(self, *args: Any, check: Check, **others: Any) -> None:
        self.check = check
        super().__init__(*args, **others)

    def data(self, msg: bytes) -> tuple[int, bytes]:
        """Hand over the text, once the server is ready for it: until then nothing can have been delivered."""
        library: Any = self
        library.putcmd("data")
        code, answer = self.getreply()
        if code != _GO_ON:
            if code != _CLOSING:
                library._rset()  # noqa: SLF001  (there is no public way)
            raise smtplib.SMTPDataError(code, answer)
        self.handover.begin()
        asked, self.check = self.check, never
        try:
            text = re.sub(rb"(?m)^\.", b"..", msg)
            self.send(text + (b".\r\n" if text.endswith(b"\r\n") else b"\r\n.\r\n"))
            code, answer = self.getreply()
        finally:
            self.check = asked
        if 400 <= code < 600:
            raise smtplib.SMTPDataError(code, answer)
        if code != 250:
            raise smtplib.SMTPServerDisconnected(f"its answer to the text is none: {code}")
        self.handover.answer = f"{code} {answer.decode('utf-8', 'replace')}"
        return code, answer

    def getreply(self) -> tuple[int, bytes]:
        """An answer, whole within the time that a step may take.

        Raises:
            SMTPServerDisconnected: it did not come in time, is longer than any, or the connection broke.
        """
        if self.file is None:
            self.file = _Lines(self.sock)
        try:
            return self._answer(time.monotonic() + self.timeout)
        except OSError as error:
            self._end()
            raise smtplib.SMTPServerDisconnected(str(error)) from error
        except BaseException:
            self._end()
            raise

    def _answer(self, over: float) -> tuple[int, bytes]:
        found: list[bytes] = []
        size = 0
        while len(found) < _MOST_LINES and size <= _MOST_BYTES:
            line = self.file.line(over, self.check)
            size += len(line)
            found.append(line[4:].strip())
            code = int(line[:3]) if line[:3].isdigit() else -1
            if code < 0 or line[3:4] != b"-":
                self.sock.settimeout(self.timeout)
                return code, b"\n".join(found)
        raise OSError(f"its answer has more than {_MOST_LINES} lines or {_MOST_BYTES} bytes")

    def send(self, s: bytes | str) -> None:
        """Write, all of it within the time that a step may take.

        Raises:
            SMTPServerDisconnected: it was not taken in time, or the connection broke.
        """
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        library: Any = self
        left = memoryview(s.encode(library.command_encoding) if isinstance(s, str) else s)
        over = time.monotonic() + self.timeout
        try:
            while left:
                self.sock.settimeout(max(0.001, over - time.monotonic()))
                left = left[self.sock.send(left[:_PIECE]) :]
            self.sock.settimeout(self.timeout)
        except OSError as error:
            self._end()
            raise smtplib.SMTPServerDisconnected(str(error)) from error

    def _end(self) -> None:
        library: Any = self
        library.close()


class Smtp(_Bounded, smtplib.SMTP):  # type: ignore[misc]
    """In clear, or secured by STARTTLS."""


class SmtpOverTls(_Bounded, smtplib.SMTP_SSL):  # type: ignore[misc]
    """Secured from the first byte."""
