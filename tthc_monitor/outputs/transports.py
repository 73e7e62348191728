"""Ways to hand over a letter: what they have in common, and the two that need no server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import structlog

from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.domain.stopping import Stop, never
from tthc_monitor.outputs.letters import Letter
from tthc_monitor.outputs.mail import make_message
from tthc_monitor.transport_settings import Channel

_log = structlog.get_logger(__name__)


class Transport(Protocol):
    """A way to hand over letters, one after the other; not to be shared between threads."""

    @property
    def name(self) -> Channel:
        """What the settings call it."""
        ...

    @property
    def sender(self) -> str:
        """Address that letters are from."""
        ...

    @property
    def delivers(self) -> bool:
        """Whether a letter handed over reaches anybody; if not, nothing is recorded as sent."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether handing the same letter over again does no harm."""
        ...

    @property
    def attempts(self) -> int:
        """How often a run tries what fails in a way that passes."""
        ...

    @property
    def retry_seconds(self) -> float:
        """Pause before the second try; it doubles from try to try."""
        ...

    def pause(self, stop: Stop) -> None:
        """Wait until the server may be given another letter.

        Raises:
            StoppedError: it was asked to end.
        """

    def send(self, letter: Letter, before: Callable[[], None] = never) -> str | None:
        """Hand over one letter.

        Args:
            before: called right before its text leaves; until then nothing can have been delivered.

        Returns:
            what the server said when it took it.

        Raises:
            UnknownDeliveryError: whether it was taken nobody knows.
            ChannelError: it was not taken, and no other letter would be.
            DeliveryError: it was not taken; ``permanent`` when the same try will never succeed.
        """

    def close(self) -> None:
        """Give back what it holds."""


class UnknownDeliveryError(DeliveryError):
    """Whether a letter was taken nobody knows; it is not sent again by itself, since it may be there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class ChannelError(DeliveryError):
    """The way itself does not work, whoever the letter is for.

    Attributes:
        wait: seconds that the server asks to be left alone for.
    """

    def __init__(self, message: str, *, permanent: bool = False, wait: float | None = None) -> None:
        super().__init__(message, permanent=permanent)
        self.wait = wait


IN_DOUBT = (
    "nobody knows whether it was delivered, so it is not sent again by itself; look into the mail server's log for its "
    "Message-ID, which begins with the kind and the day (digest-2026-11-03-); only where it is missing run: tthc-monitor "
    "digest send ADDRESS; where it is there: tthc-monitor digest settle ADDRESS --delivered"
)


@dataclass(frozen=True)
class DirectoryTransport:
    """Writes each letter as ``.eml``, its HTML and its attachments beside it, into a folder; to try out and to archive."""

    folder: Path
    sender: str = "tthc-monitor@localhost"
    name: ClassVar[Channel] = "directory"
    delivers: ClassVar[bool] = True
    repeatable: ClassVar[bool] = True
    attempts: ClassVar[int] = 1
    retry_seconds: ClassVar[float] = 0

    def pause(self, stop: Stop) -> None:
        """A folder takes as many as come."""

    def send(self, letter: Letter, before: Callable[[], None] = never) -> str | None:
        """Write one letter; see :class:`Transport`."""
        message = make_message(letter, self.sender)
        path = self.html_path(letter)
        before()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, letter.mail.html.encode())
            for attached in letter.mail.attachments:
                _write(path.with_name(f"{path.stem}-{_plain(attached.name)}"), attached.content)
            # The mail last: where it is, everything is.
            _write(path.with_suffix(".eml"), message.as_bytes())
        except OSError as error:
            raise ChannelError(f"the mail folder {self.folder} cannot be written: {error}; check its rights") from error
        return None

    def html_path(self, letter: Letter) -> Path:
        """Where the HTML of a letter is written."""
        return self.folder / f"{letter.message_id.strip('<>').partition('@')[0]}.html"

    def close(self) -> None:
        """It holds nothing."""


@dataclass(frozen=True)
class NullTransport:
    """Sends nothing and says so in the log; what it is given is not recorded as sent."""

    sender: str = "tthc-monitor@localhost"
    name: ClassVar[Channel] = "none"
    delivers: ClassVar[bool] = False
    repeatable: ClassVar[bool] = True
    attempts: ClassVar[int] = 1
    retry_seconds: ClassVar[float] = 0

    def pause(self, stop: Stop) -> None:
        """There is nothing to wait for."""

    def send(self, letter: Letter, before: Callable[[], None] = never) -> str | None:
        """Drop one letter."""
        _log.info("mail_discarded", subject=letter.mail.subject, reason="mail is switched off")
        return None

    def close(self) -> None:
        """It holds nothing."""


def _plain(name: str) -> str:
    """A name of an attachment as one of a file in the same folder."""
    return Path(name).name or "attachment"


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
