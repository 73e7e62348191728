"""Hands letters to a program of somebody else's: JSON by HTTP POST, signed; what it looks like is told in docs/digest.md."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Final

from connectors.http import Bounds, Wire, asked_to_wait, shown
from tthc_monitor.domain.errors import DeliveryError, PermanentSourceError, TransientSourceError
from tthc_monitor.domain.stopping import Stop, never
from tthc_monitor.outputs.letters import Letter
from tthc_monitor.outputs.minute_rate import MinuteRate, rate_of
from tthc_monitor.outputs.transports import ChannelError
from tthc_monitor.transport_settings import Channel

VERSION: Final = 1
"""Of the body; it grows when a field changes its meaning or goes."""

# 409 says, by the draft about the key of repeats, that the first of two is still being worked on.
_PASSING: Final = frozenset({408, 409, 425, 500, 502, 504})
_PEACE: Final = frozenset({429, 503})
_OF_THE_LETTER: Final = frozenset({400, 406, 411, 412, 413, 414, 415, 422, 431})
"""Refusals that another letter might not meet; all others below 500 are about the address or the signature."""


@dataclass(eq=False)
class WebhookTransport:
    """Posts letters to an address; the receiver knows by the id of each which it had before, so that repeats do no harm.

    Args:
        url: where to; its path may be a secret.
        secret: by which the receiver knows that it is us.
        sender: gives the ids their domain.
        timeout: longest silence in seconds.
        ca_file: certificates to trust instead of the system's.
        rate_per_minute: how many letters it may be given in any minute.
        attempts, retry_seconds: see :class:`~tthc_monitor.outputs.transports.Transport`.
        clock: seconds since 1970, for the signature.
        rate: what was given to it so far; None: what this process gave it.

    Raises:
        ConfigError: ``ca_file`` cannot be read.
    """

    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    sender: str
    timeout: float = 30.0
    ca_file: Path | None = None
    rate_per_minute: int = 60
    attempts: int = 3
    retry_seconds: float = 5.0
    clock: Callable[[], float] = time.time
    rate: MinuteRate | None = field(default=None, repr=False)
    name: ClassVar[Channel] = "webhook"
    delivers: ClassVar[bool] = True
    repeatable: ClassVar[bool] = True
    _closed: ChannelError | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._shown = shown(self.url)
        self._host = self._shown.partition("://")[2].partition("/")[0]
        self._wire = Wire(Bounds(self.timeout, connections=1), ca_file=self.ca_file)

    def pause(self, stop: Stop) -> None:
        """Wait until it may be given another letter; see :class:`Transport`."""
        if self._closed is None:
            (self.rate or rate_of(self._host)).wait(self.rate_per_minute, stop)

    def send(self, letter: Letter, before: Callable[[], None] = never) -> str | None:
        """Hand over one letter; see :class:`Transport`."""
        if self._closed is not None:
            raise ChannelError(str(self._closed), permanent=True)
        body = json.dumps(content_of(letter), ensure_ascii=False).encode()
        headers = signed(body, self.secret, int(self.clock())) | {
            "Content-Type": "application/json",
            "Idempotency-Key": letter.message_id.strip("<>"),
        }
        before()
        try:
            reply = self._wire.send("POST", self.url, headers, whole=False, content=body)
        except TransientSourceError as error:
            raise ChannelError(self._nameless(error)) from None
        except PermanentSourceError as error:
            raise self._close(self._nameless(error)) from None
        if not 200 <= reply.status < 300:
            raise self._failure(reply.status, asked_to_wait(reply.headers))
        return f"HTTP {reply.status}"

    def close(self) -> None:
        """Give its connection back."""
        self._wire.close()

    def _failure(self, status: int, wait: float | None) -> DeliveryError:
        said = f"webhook {self._host} answers HTTP {status}"
        if status in _PEACE:
            return ChannelError(f"{said}: too much at once, or not now; it is tried again", wait=wait)
        if status in _PASSING or status >= 500:
            return DeliveryError(f"{said}; it is tried again, look into its log if it lasts")
        if status in _OF_THE_LETTER:
            return DeliveryError(f"{said}: it does not take this letter; look into its log", permanent=True)
        return self._close(f"{said}; check webhook.url and that both sides have the same secret")

    def _close(self, message: str) -> ChannelError:
        self._closed = ChannelError(message, permanent=True)
        return self._closed

    def _nameless(self, error: Exception) -> str:
        """What went wrong, without the path of the address: whoever knows it may post there."""
        return str(error).replace(self._shown, f"webhook {self._host}")


def content_of(letter: Letter) -> dict[str, Any]:
    """What is posted of a letter. Attachments are told by name, size and hash; they travel by mail only."""
    mail = letter.mail
    return {
        "version": VERSION,
        "id": letter.message_id.strip("<>"),
        "kind": letter.kind,
        "recipient": letter.recipient,
        "local_date": mail.local_date.isoformat(),
        "made_at": letter.made_at.isoformat(timespec="seconds"),
        "units": list(letter.units),
        "subject": mail.subject,
        "text": mail.text,
        "counts": dict(mail.counts),
        "links": {name: link for name, link in asdict(letter.links).items() if link is not None},
        "attachments": [
            {"name": one.name, "mime": one.mime, "bytes": len(one.content), "sha256": sha256(one.content).hexdigest()}
            for one in mail.attachments
        ],
    }


def signed(body: bytes, secret: bytes, timestamp: int) -> dict[str, str]:
    """The headers that prove who posts this and when: HMAC-SHA256 over the time, a dot and the body.

    Args:
        timestamp: seconds since 1970; receivers should refuse what is older than five minutes.
    """
    proof = hmac.new(secret, f"{timestamp}.".encode() + body, sha256).hexdigest()
    return {"X-TTHC-Timestamp": str(timestamp), "X-TTHC-Signature": f"sha256={proof}"}
