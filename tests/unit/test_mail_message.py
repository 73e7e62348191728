"""A letter as a mail, parsed back: what mail programs gather, unsubscribe and show by."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import date
from email import policy
from email.message import EmailMessage

import pytest

from tests.posted import DAY, NOW, RECIPIENT, SENDER, Told, letter
from tthc_monitor.domain.errors import DeliveryError
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.digest_attachment import Attachment
from tthc_monitor.outputs.letters import Letter
from tthc_monitor.outputs.mail import make_message


def parsed(one: Letter, sender: str = SENDER) -> EmailMessage:
    message = email.message_from_bytes(make_message(one, sender).as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def of_day(day: date, recipient: str = RECIPIENT, thread: str = "*") -> EmailMessage:
    return parsed(letter(replace(Told(), local_date=day, thread=thread), recipient))


def test_headers_tell_a_machine_what_it_is() -> None:
    message = parsed(letter())
    assert re.fullmatch(r"<digest-2026-11-03-van-phong-[0-9a-f]{10}@mau\.example\.vn>", message["Message-ID"])
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["List-Id"] == "<ban-tin-tthc.mau.example.vn>"
    assert "Precedence" not in message and "Reply-To" not in message
    assert parsed(letter(kind="escalation"))["List-Id"] == "<bao-cao-cap-tren-tthc.mau.example.vn>"


def test_mails_of_a_month_about_the_same_to_the_same_answer_one_id() -> None:
    first, second = of_day(date(2026, 11, 3)), of_day(date(2026, 11, 4))
    assert first["Message-ID"] != second["Message-ID"]
    assert first["In-Reply-To"] == first["References"] == second["References"]
    assert re.fullmatch(r"<digest-2026-11-[0-9a-f]{10}@mau\.example\.vn>", first["References"])
    others = [
        of_day(date(2026, 12, 1)),
        of_day(DAY, "khac@mau.example.vn"),
        of_day(DAY, thread="H99.01"),
        parsed(letter(kind="escalation")),
    ]
    roots = {str(one["References"]) for one in (first, *others)}
    assert len(roots) == 5


@pytest.mark.parametrize(
    ("link", "header", "post"),
    [
        ("mailto:tthc@mau.example.vn?subject=unsubscribe", True, False),
        ("http://10.0.0.5:9766/digest/unsubscribe/abc", True, False),
        ("https://giam-sat.example.gov.vn/digest/unsubscribe/" + "x" * 300, True, True),
        (None, False, False),
    ],
)
def test_how_to_unsubscribe_is_told_and_one_click_only_over_https(link: str | None, header: bool, post: bool) -> None:
    message = parsed(letter(links=Links(unsubscribe=link)))
    assert message["List-Unsubscribe"] == (f"<{link}>" if header else None)
    assert message["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if post else None)


def test_what_is_attached_comes_out_as_it_went_in() -> None:
    content = bytes(range(256)) * 40
    mime = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    mail = replace(Told(), attachments=(Attachment("danh-sách hồ sơ.xlsx", content, mime),))
    message = parsed(letter(mail))
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("danh-sách hồ sơ.xlsx", mime)
    assert attached.get_content() == content
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    assert (plain.get_content().strip(), html.get_content().strip()) == (mail.text.strip(), mail.html)


def test_every_line_is_short_and_of_seven_bits() -> None:
    long = replace(Told(), html=f"<p>{'hồ sơ quá hạn ' * 3_000}</p>", text="một dòng rất dài " * 500)
    raw = make_message(letter(long), SENDER).as_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert raw.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 78 and b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 78 or b"<" in line for line in head.split(b"\r\n"))
    assert parsed(letter(long)).get_body(("plain",)).get_content().strip() == long.text.strip()  # type: ignore[union-attr]


def test_a_subject_with_a_line_break_adds_no_header() -> None:
    message = parsed(letter(replace(Told(), subject="một\r\nBcc: a@b.vn")))
    assert message["Subject"] == "một Bcc: a@b.vn" and "Bcc" not in message


@pytest.mark.parametrize("sender", ["", "nobody", "Một, hai <a@b.vn>", "a@b.vn\nBcc: c@d.vn"])
def test_a_sender_that_is_no_address_is_refused_for_good(sender: str) -> None:
    with pytest.raises(DeliveryError, match="mail address") as failed:
        make_message(letter(), sender)
    assert failed.value.permanent
