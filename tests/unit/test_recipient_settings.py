"""Who gets the morning mail: what may be written about recipients, and what is refused, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.test_settings import load, refused
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import digest_key

PUBLIC = "serve: {public_url: https://giamsat.example.vn}"


def test_a_recipient_needs_an_address_only(tmp_path: Path) -> None:
    digest = load(tmp_path, "digest: {recipients: [{address: a@mau.vn}]}").digest
    (one,) = digest.recipients
    assert (one.units, one.subtree, one.sectors, one.role, one.superior) == ((), False, (), "staff", None)
    assert (digest.transport_of(one), digest.wants_all_clear(one)) == ("none", False)
    assert (digest.acknowledge, digest.unsubscribe, digest.trend_days) == (None, "mailto", 10)


def test_what_a_recipient_says_goes_before_what_the_digest_says(tmp_path: Path) -> None:
    people = "[{address: a@m.vn}, {address: b@m.vn, all_clear: false, transport: none, superior: c@m.vn}]"
    digest = load(tmp_path, f"digest: {{transport: directory, all_clear: true, recipients: {people}}}").digest
    first, second = digest.recipients
    assert (digest.transport_of(first), digest.wants_all_clear(first)) == ("directory", True)
    assert (digest.transport_of(second), digest.wants_all_clear(second)) == ("none", False)
    assert (second.superior, second.escalate_after_days) == ("c@m.vn", 5)


@pytest.mark.parametrize(
    ("recipient", "said"),
    [
        ("{address: a b@m.vn}", "String should match"),
        ("{address: a@m.vn, role: boss}", "'head', 'staff' or 'inspector'"),
        ("{address: a@m.vn, subtree: true}", "no units: that is the whole office already"),
        ("{address: a@m.vn, units: [H99, H99]}", "'H99' stands twice"),
        ("{address: a@m.vn, sectors: ['']}", "at least 1 character"),
        ("{address: a@m.vn, escalate_after_days: 3}", "nobody to escalate to; add superior"),
        ("{address: a@m.vn, superior: b@m.vn, escalate_after_days: 0}", "greater than or equal to 1"),
        ("{address: a@m.vn, superior: A@m.vn}", "the recipient's own address"),
        ("{address: a@m.vn, superior: sếp}", "String should match"),
        ("{address: a..b@x.vn}", "'a..b@x.vn' is no address that can be mailed"),
        ("{address: .a@x.vn}", "'.a@x.vn' is no address that can be mailed"),
        ("{address: a@x..vn}", "'a@x..vn' is no address that can be mailed"),
        ("{address: bác-sĩ@x.vn}", "'bác-sĩ@x.vn' is no address that can be mailed"),
        ("{address: a@tỉnh-mẫu.vn}", "a domain beyond ASCII as xn--…"),
        ("{address: 'a(b)@x.vn'}", "'a(b)@x.vn' is no address that can be mailed"),
        ("{address: a@m.vn, superior: b.@m.vn}", "'b.@m.vn' is no address that can be mailed"),
        ('{address: "a\\0@m.vn"}', r"'a\x00@m.vn' is no address that can be mailed"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, recipient: str, said: str) -> None:
    (line,) = refused(tmp_path, f"digest:\n  recipients:\n    - {{address: ok@m.vn}}\n    - {recipient}\n")
    assert line.startswith("x.yaml:4: ") and said in line


@pytest.mark.parametrize("key", ["public_url", "grafana_url"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://giamsat.tỉnh-mẫu.vn", "write its host as xn--…"),
        ("https://x.vn/tỉnh", "as %XX"),
        ("https://x.vn/<b>", "has < > in it"),
        ("https://x.vn>,<mailto:a", "has , < > in it"),
        ("https://x.vn/'a", "has ' in it"),
        ('https://x.vn/"a', 'has " in it'),
        ("https://x.vn/a\\b", "has \\ in it"),
        ("https://u:bi-mat@x.vn", "a user or a password"),
        ("https://x.vn:99999", "no port that can be"),
        ("https://[x", "no host or no port"),
    ],
)
def test_an_address_that_would_not_stay_whole_in_mails_is_refused(
    tmp_path: Path, key: str, url: str, said: str
) -> None:
    (line,) = refused(tmp_path, f"serve:\n  {key}: {json.dumps(url)}\n")
    assert line.startswith("x.yaml:2: ") and said in line and "bi-mat" not in line


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:9766", "https://xn--tnh-mu-lq5b.vn/t%E1%BB%89nh/", "http://[::1]:80/a_b~c"]
)
def test_addresses_of_every_usual_form_are_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f"serve: {{public_url: '{url}', grafana_url: '{url}'}}").serve.public_url == url


@pytest.mark.parametrize("sender", ["a@m.vn\r\nBcc: b@m.vn", "a@m.vn\n"])
def test_a_sender_is_an_address_on_one_line(tmp_path: Path, sender: str) -> None:
    (line,) = refused(tmp_path, f"smtp:\n  host: mail\n  sender: {json.dumps(sender)}\n")
    assert line.startswith("x.yaml:3: ") and f"{sender!r} is no sender of mails" in line


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("digest:\n  acknowledge: {days: 3}", 2, "exactly one of key_file and key_env"),
        ("digest:\n  acknowledge: {key_file: a, key_env: B}", 2, "exactly one of key_file and key_env"),
        (f"{PUBLIC}\ndigest:\n  acknowledge: {{key_file: a, days: 0}}", 3, "greater than or equal to 1"),
        ("digest: {acknowledge: {key_file: a}}", 1, "serve.public_url does not say where they lead; add it"),
        ("digest:\n  unsubscribe: link", 1, "no key to sign links with; add acknowledge"),
        (
            "digest: {transport: directory, recipients: [{address: a@m.vn, transport: smtp}]}",
            1,
            "there is no smtp part",
        ),
        ("digest:\n  recipients: [{address: a@m.vn, transport: directory}]", 1, "digest.transport is none"),
        ("digest:\n  trend_days: 1", 2, "greater than or equal to 2"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(tmp_path: Path, text: str, line: int, said: str) -> None:
    told = refused(tmp_path, text)
    assert any(one.startswith(f"x.yaml:{line}: ") and said in one for one in told), told


def test_the_key_of_links_has_at_least_32_bytes_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file = load(tmp_path, f"{PUBLIC}\ndigest: {{acknowledge: {{key_file: khoa}}}}")
    with pytest.raises(ConfigError, match=r"key_file .*khoa cannot be read"):
        digest_key(by_file)
    (tmp_path / "khoa").write_text("x" * 31 + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds 31 bytes; put at least 32 random ones") as told:
        digest_key(by_file)
    assert "xxx" not in str(told.value)
    (tmp_path / "khoa").write_text("x" * 32 + "\n", encoding="utf-8")
    assert digest_key(by_file) == b"x" * 32
    by_variable = load(tmp_path, f"{PUBLIC}\ndigest: {{acknowledge: {{key_env: TTHC_KHOA}}}}")
    monkeypatch.setenv("TTHC_KHOA", "y" * 40)
    assert digest_key(by_variable) == b"y" * 40
    assert digest_key(load(tmp_path, "{}")) is None
