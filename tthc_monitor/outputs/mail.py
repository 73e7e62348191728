"""A letter as a mail: headers that mail programs and servers understand, plain text, HTML, attachments."""

from __future__ import annotations

from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any, Final

from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.outputs.letters import Letter, domain_of
from tthc_monitor.outputs.transfer import encoding_of

_ONE_CLICK: Final = "List-Unsubscribe=One-Click"
_WHOLE: Final = frozenset({"message-id", "in-reply-to", "references", "list-id", "list-unsubscribe"})
"""Headers of one long word, which the library would break, or encode so that nobody recognizes it."""
_LISTS: Final = {"digest": "ban-tin-tthc", "escalation": "bao-cao-cap-tren-tthc"}


class _MailPolicy(EmailPolicy):
    """Folds the headers that people read by the older code: the newer one loses spaces between the encoded words of a
    long Vietnamese subject (Python 3.11 does, later versions do not all).
    """

    def fold(self, name: str, value: Any) -> str:
        text = str(value)
        if name.lower() in _WHOLE:
            return f"{name}: {text}{self.linesep}"
        if text.isascii() or name.lower() not in ("subject", "from"):
            folded: str = super().fold(name, value)
            return folded
        words, address = (text, "") if name.lower() == "subject" else parseaddr(text)
        encoded = Header(words, "utf-8", maxlinelen=76, header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{f'{self.linesep} <{address}>' if address else ''}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8", "surrogateescape")


def make_message(letter: Letter, sender: str) -> EmailMessage:
    """A letter as a mail of 7-bit lines: plain text with HTML as the alternative, marked as sent by a machine.

    Args:
        sender: address that it is from, with or without a name before it.

    Raises:
        DeliveryError: the recipient or the sender is not a mail address.
    """
    # What servers on the way may not understand: bytes beyond ASCII, and lines longer than they take.
    message = EmailMessage(policy=_MailPolicy(linesep="\r\n", cte_type="7bit"))
    try:
        message["From"] = sender
        message["To"] = Address(addr_spec=letter.recipient)
        message["Subject"] = " ".join(letter.mail.subject.split())
    except (ValueError, MessageError, IndexError) as error:
        raise DeliveryError(
            f"'{letter.recipient}' or the sender is not a mail address: {error}; correct it in the settings",
            permanent=True,
        ) from error
    require_one_address(message)
    message["Date"] = format_datetime(letter.made_at)
    message["Message-ID"] = letter.message_id
    message["In-Reply-To"] = letter.root
    message["References"] = letter.root
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Id"] = f"<{_LISTS[letter.kind]}.{domain_of(sender)}>"
    _offer_unsubscribing(message, letter.links.unsubscribe)
    text, html = letter.mail.text, letter.mail.html
    message.set_content(text, charset="utf-8", cte=encoding_of(text))
    message.add_alternative(html, subtype="html", charset="utf-8", cte=encoding_of(html))
    for attached in letter.mail.attachments:
        main, _, sub = attached.mime.partition("/")
        message.add_attachment(attached.content, maintype=main, subtype=sub, filename=attached.name)
    return message


def require_one_address(message: EmailMessage) -> None:
    """Refuse a sender that is none, or several.

    Raises:
        DeliveryError: it is.
    """
    senders = message["From"].addresses
    if len(senders) != 1 or not (senders[0].username and senders[0].domain):
        raise DeliveryError(
            f"the sender '{message['From']}' is not one mail address; put a name with a comma in quotes", permanent=True
        )


def _offer_unsubscribing(message: EmailMessage, link: str | None) -> None:
    """By RFC 2369, and where the link is one that can be posted to safely, by RFC 8058 with one click."""
    if link is None:
        return
    message["List-Unsubscribe"] = f"<{link}>"
    if link.startswith("https://"):
        message["List-Unsubscribe-Post"] = _ONE_CLICK
