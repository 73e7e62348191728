"""What the record of configuration changes shows of a value: never a secret, never a whole address."""

from __future__ import annotations

import pytest

from tthc_monitor.domain.disclosure import HIDDEN, disclosed

NAMED = [
    "password",
    "proxy_password",
    "client_secret",
    "token",
    "X-Api-Key",
    "apikey",
    "api_key",
    "key",
    "Authorization",
]
NAMED += ["passphrase", "accessKey", "session_cookie", "PIN", "sig", "private"]


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_like_a_secret_is_hidden(name: str) -> None:
    assert disclosed(name, "hoa-mai-2026").shown == HIDDEN


OPEN = {
    "password_file": "smtp-password",
    "password_env": "MOTCUA_PASSWORD",
    "token_url": "https://sso.example.gov.vn/auth/realms/digo/protocol/openid-connect/token",
    "client_id": "giam-sat",
    "source_key": "Mã hồ sơ",
    "group_id": "20126",
    "path": "bao-cao-2026/thang-10/ho-so-da-tiep-nhan.xlsx",
    "query": "SELECT id, ma_ho_so FROM ho_so WHERE trang_thai = 4",
    "url": "https://motcua.example.gov.vn/o?page=1",
    "office": "Văn phòng Ủy ban nhân dân Tỉnh Mẫu",
}


@pytest.mark.parametrize(("name", "value"), OPEN.items())
def test_what_is_no_secret_is_shown_whole(name: str, value: str) -> None:
    found = disclosed(name, value)
    assert (found.shown, found.hidden) == (value, None)


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://doc:hoa-mai@db.example.gov.vn/x", "http://hoa-mai@proxy.example.gov.vn:3128",
        "https://a:hoa-mai/9?@#x@b.example.gov.vn/", "https://x.example.gov.vn/api?size=5&access_token=hoa-mai&a=1",
        "Server=db;Uid=doc;Pwd=hoa-mai;", "host=db password=hoa-mai dbname=x", "Bearer hoa-mai", "Basic hoa-mai=",
        "-----BEGIN RSA PRIVATE KEY-----\nhoa-mai\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.hoa-mai.c2ln", "vanphong.hoa-mai@example.gov.vn", "hoa-mai@localhost",
        "gửi: <hoa-mai@example.gov.vn>, khác", "o'hoa-mai@example.vn",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_or_an_address_is_not_shown(value: str) -> None:
    found = disclosed("url", value)
    assert "hoa-mai" not in found.shown
    assert found.hidden == value


def test_addresses_keep_their_first_letter_and_domain() -> None:
    assert disclosed("sender", "vanphong@example.gov.vn").shown == "v***@example.gov.vn"


@pytest.mark.parametrize("value", ["Zk93hAAq81LmTTz0Pq7uYw2x", "0123456789abcdef0123456789abcdef"])
def test_what_only_a_machine_writes_is_hidden_whatever_its_name(value: str) -> None:
    assert disclosed("ma", value).shown == HIDDEN


def test_a_value_that_is_secret_elsewhere_is_hidden_here_too() -> None:
    assert disclosed("x", 'a hoa"mai b', {'hoa"mai'}).shown == "a *** b"
    assert disclosed("x", '["a", "hoa\\"mai"]', {'hoa"mai'}).shown == '["a", "***"]'
    assert disclosed("x", "abc", {"abc"}).shown == HIDDEN and disclosed("x", "abcd", {"abc"}).shown == "abcd"


def test_what_is_very_long_is_shown_in_part_and_compared_whole() -> None:
    found = disclosed("query", "a b " * 1000)
    assert len(found.shown) < 2_050 and found.shown.endswith("(4000 characters)") and found.hidden == "a b " * 1000
