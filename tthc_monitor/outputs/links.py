"""Links in mails, signed: whoever has the mail may answer by them, and nobody can make one up.

A link says what it is for, whose mail of which day it stood in, and until when it may be used, under an HMAC-SHA256. The
recipient stands in it as a keyed hash: links are seen by proxies and logs, and addresses are people's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import date, timedelta
from email.utils import parseaddr
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import quote, urlencode

from tthc_monitor.outputs.audience import Links
from tthc_monitor.recipient_settings import Recipient
from tthc_monitor.settings import Settings

Purpose = Literal["acknowledge", "unsubscribe"]

UNSUBSCRIBE_LASTS: Final = timedelta(days=90)
"""So long after its day one may stop getting mails by the link in one."""

_PURPOSES: Final[tuple[Purpose, ...]] = ("acknowledge", "unsubscribe")
_PAYLOAD: Final = struct.Struct(">B12sII")
_LENGTH: Final = _PAYLOAD.size + sha256().digest_size
_LONGEST: Final = 4 * _LENGTH


@dataclass(frozen=True, slots=True)
class Token:
    """What a link is proof of.

    Attributes:
        mark: stands for the recipient; see :func:`mark_of`.
        day: local date of the mail that the link stood in.
        until: the last local date on which it may be used.
    """

    purpose: Purpose
    mark: bytes
    day: date
    until: date


def mark_of(key: bytes, address: str) -> bytes:
    """What stands for an address in links: nobody without the key can tell whose it is."""
    return _mac(key, b"recipient", address.strip().lower().encode())[:12]


def sign(key: bytes, token: Token) -> str:
    """A token as it stands in an address: letters, digits, ``-`` and ``_``."""
    number = _PURPOSES.index(token.purpose)
    payload = _PAYLOAD.pack(number, token.mark, token.day.toordinal(), token.until.toordinal())
    return _text(payload + _mac(key, b"link", payload))


def read(key: bytes, shown: str) -> Token | None:
    """What a link is proof of, whether or not its time is over; None: we did not make it."""
    if len(shown) > _LONGEST or not shown.isascii():
        return None
    try:
        found = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
    except (binascii.Error, ValueError):
        return None
    payload, mac = found[: _PAYLOAD.size], found[_PAYLOAD.size :]
    # One way to write each: else a link that was used could be shown again as another one.
    if not hmac.compare_digest(mac, _mac(key, b"link", payload)) or _text(found) != shown:
        return None
    number, mark, day, until = _PAYLOAD.unpack(payload)
    return Token(_PURPOSES[number], mark, date.fromordinal(day), date.fromordinal(until))


def make_links(settings: Settings, key: bytes | None, recipient: Recipient, day: date) -> Links:
    """The links in a recipient's mail of a day; the same however often they are made.

    Args:
        key: what links are signed with; None: there are none to answer by.
    """
    digest, public = settings.digest, settings.serve.public_url
    acknowledge = unsubscribe = None
    if key is not None and digest.acknowledge is not None and public is not None:
        mark = mark_of(key, recipient.address)

        def link(purpose: Purpose, lasts: timedelta) -> str:
            return f"{public.rstrip('/')}/digest/{purpose}/{sign(key, Token(purpose, mark, day, day + lasts))}"

        # Who is not answerable for the unit need not say that he knows.
        if recipient.role == "head" or recipient.superior is not None:
            acknowledge = link("acknowledge", timedelta(days=digest.acknowledge.days))
        if digest.unsubscribe == "link":
            unsubscribe = link("unsubscribe", UNSUBSCRIBE_LASTS)
    if digest.unsubscribe == "mailto":
        unsubscribe = _mailto(settings)
    return Links(acknowledge, unsubscribe, public, _dashboard(settings, recipient))


def _mailto(settings: Settings) -> str | None:
    sender = "" if settings.smtp is None else parseaddr(settings.smtp.sender)[1]
    address = settings.digest.contact or sender
    if not address:
        return None
    return f"mailto:{quote(address, safe='@')}?subject={quote('Đề nghị ngừng gửi bản tin TTHC hằng ngày')}"


def _dashboard(settings: Settings, recipient: Recipient) -> str | None:
    grafana = settings.serve.grafana_url
    if grafana is None:
        return None
    if len(recipient.units) == 1 and not recipient.subtree:
        return f"{grafana.rstrip('/')}/d/tthc-unit?{urlencode({'var-unit': recipient.units[0]})}"
    return f"{grafana.rstrip('/')}/d/tthc-overview"


def _mac(key: bytes, what: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"tthc-monitor " + what + b"\0" + content, "sha256")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
