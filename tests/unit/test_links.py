"""Links in mails: what they prove, that nobody can change one or make one up, and where they lead."""

from __future__ import annotations

import string
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_settings import load
from tthc_monitor.outputs.links import Token, make_links, mark_of, read, sign

KEY = b"k" * 32
DAY = date(2026, 11, 3)
TOKEN = Token("acknowledge", mark_of(KEY, "an@mau.example.vn"), DAY, DAY + timedelta(days=7))
SIGNS = string.ascii_letters + string.digits + "-_"
SETTINGS = """
smtp: {host: m, sender: '"Trung tâm" <tthc@mau.example.vn>'}
serve: {public_url: 'https://giamsat.example.vn/tthc/', grafana_url: 'https://grafana.example.vn'}
digest:
  acknowledge: {key_file: k, days: 3}
  unsubscribe: UNSUBSCRIBE
  recipients:
    - {address: An@mau.example.vn, units: [H99 05], role: head}
    - {address: b@mau.example.vn, units: [H99], subtree: true}
    - {address: c@mau.example.vn, superior: an@mau.example.vn}
"""


@given(st.sampled_from(["acknowledge", "unsubscribe"]), st.binary(min_size=12, max_size=12), st.dates(), st.dates())
def test_what_was_signed_is_read_again(purpose: str, mark: bytes, day: date, until: date) -> None:
    token = Token(purpose, mark, day, until)  # type: ignore[arg-type]
    shown = sign(KEY, token)
    assert set(shown) <= set(SIGNS)
    assert read(KEY, shown) == token
    assert read(b"K" * 32, shown) is None


@given(st.integers(0, len(sign(KEY, TOKEN)) - 1), st.sampled_from(SIGNS + "=é /"))
def test_one_changed_sign_makes_it_nobodys(place: int, sign_of_it: str) -> None:
    shown = sign(KEY, TOKEN)
    changed = shown[:place] + sign_of_it + shown[place + 1 :]
    assert read(KEY, changed) == (TOKEN if changed == shown else None)


@given(st.text(max_size=400))
def test_anything_else_is_nobodys(shown: str) -> None:
    assert read(KEY, shown) is None


def test_what_is_cut_off_or_added_is_nobodys() -> None:
    shown = sign(KEY, TOKEN)
    for other in ("", shown[:-1], shown + "A", shown + "=", "=" + shown, shown + "\n", shown * 2):
        assert read(KEY, other) is None, other


def test_a_link_tells_nobody_whose_it_is() -> None:
    assert mark_of(KEY, " An@Mau.example.vn ") == TOKEN.mark
    assert mark_of(b"K" * 32, "an@mau.example.vn") != TOKEN.mark
    assert "mau" not in sign(KEY, TOKEN)


def test_links_lead_to_the_service_and_say_whose_mail_of_which_day(tmp_path: Path) -> None:
    settings = load(tmp_path, SETTINGS.replace("UNSUBSCRIBE", "link"))
    head, staff, answerable = settings.digest.recipients
    links = make_links(settings, KEY, head, DAY)
    assert links == make_links(settings, KEY, head, DAY)
    assert links.acknowledge is not None and links.unsubscribe is not None
    for link, purpose, days in ((links.acknowledge, "acknowledge", 3), (links.unsubscribe, "unsubscribe", 90)):
        start, _, token = link.rpartition("/")
        assert start == f"https://giamsat.example.vn/tthc/digest/{purpose}"
        assert read(KEY, token) == Token(purpose, TOKEN.mark, DAY, DAY + timedelta(days=days))  # type: ignore[arg-type]
    assert links.web == "https://giamsat.example.vn/tthc/"
    assert links.dashboard == "https://grafana.example.vn/d/tthc-unit?var-unit=H99+05"
    assert make_links(settings, KEY, staff, DAY).dashboard == "https://grafana.example.vn/d/tthc-overview"
    # Who is not answerable is not asked to take note; who is, though he is no head, is.
    assert make_links(settings, KEY, staff, DAY).acknowledge is None
    assert make_links(settings, KEY, answerable, DAY).acknowledge is not None


def test_by_default_one_unsubscribes_by_a_mail(tmp_path: Path) -> None:
    settings = load(tmp_path, SETTINGS.replace("UNSUBSCRIBE", "mailto"))
    head = settings.digest.recipients[0]
    link = urlsplit(make_links(settings, None, head, DAY).unsubscribe or "")
    assert (link.scheme, unquote(link.path)) == ("mailto", "tthc@mau.example.vn")
    assert parse_qs(link.query)["subject"] == ["Đề nghị ngừng gửi bản tin TTHC hằng ngày"]
    contact = settings.model_copy(update={"digest": settings.digest.model_copy(update={"contact": "hoi@mau.vn"})})
    assert (make_links(contact, None, head, DAY).unsubscribe or "").startswith("mailto:hoi@mau.vn?")
    assert make_links(contact, None, head, DAY).acknowledge is None, "without a key"


@pytest.mark.parametrize(
    "text",
    [
        "digest: {recipients: [{address: a@m.vn}]}",
        "digest: {unsubscribe: none, contact: c@m.vn, recipients: [{address: a@m.vn}]}",
    ],
)
def test_where_nothing_is_set_nothing_is_linked(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text)
    links = make_links(settings, None, settings.digest.recipients[0], DAY)
    assert (links.acknowledge, links.unsubscribe, links.web, links.dashboard) == (None, None, None, None)
