"""Short-lived tokens: asked for once, renewed in time and after a refusal, and never shown."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from connectors.http import HttpClient, Retries, TokenGrant, http_library
from connectors.http.tokens import Tokens
from tthc_monitor.domain.errors import PermanentSourceError, TransientSourceError, TthcError

Answer = http_library.Response
Request = http_library.Request
QUICK = Retries(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
SECRET, PASSWORD = "mat-khau-cua-ung-dung", "mat-khau-cua-nguoi-dung"
TOKEN_URL = "https://sso.example/oauth2/token"


def grant(**changes: Any) -> TokenGrant:
    told: dict[str, Any] = {
        "token_url": TOKEN_URL,
        "grant": "client_credentials",
        "client_id": "giam-sat",
        "client_secret": SecretStr(SECRET),
    }
    return TokenGrant(**(told | changes))


class Server:
    """Gives numbered tokens and takes only the last one."""

    def __init__(self, **answer: Any) -> None:
        self.given = 0
        self.asked: list[Request] = []
        self.revoked = False
        self.answer = answer

    def __call__(self, request: Request) -> Answer:
        if str(request.url) == TOKEN_URL:
            self.asked.append(request)
            self.given += 1
            self.revoked = False
            return Answer(200, json={"access_token": f"{SECRET}-{self.given}", "expires_in": 3600} | self.answer)
        known = request.headers.get("Authorization") == f"Bearer {SECRET}-{self.given}"
        return Answer(200, json=self.given) if known and not self.revoked else Answer(401)


def client_of(handler: Callable[[Request], Answer], one: TokenGrant | None = None) -> HttpClient:
    transport = http_library.MockTransport(handler)
    return HttpClient(
        "https://igate.example/api",
        credentials=one or grant(),
        headers={"X-Don-Vi": "H99"},
        retries=QUICK,
        transport=transport,
    )


def test_a_token_is_asked_for_once_for_many_requests_and_threads() -> None:
    server = Server()
    with client_of(server) as client, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: client.get_json("x"), range(40))) == {1}
    assert server.given == 1


@pytest.mark.parametrize(
    ("changes", "form", "header"),
    [
        ({}, {"grant_type": "client_credentials"}, f"giam-sat:{SECRET}"),
        (
            {"names_itself_in": "form", "scope": "a b"},
            {
                "grant_type": "client_credentials",
                "client_id": "giam-sat",
                "client_secret": SECRET,
                "scope": "a b",
            },
            None,
        ),
        (
            {"grant": "password", "client_secret": None, "username": "u", "password": SecretStr(PASSWORD)},
            {"grant_type": "password", "client_id": "giam-sat", "username": "u", "password": PASSWORD},
            None,
        ),
        (
            {"grant": "password", "username": "u", "password": SecretStr(PASSWORD)},
            {"grant_type": "password", "username": "u", "password": PASSWORD},
            f"giam-sat:{SECRET}",
        ),
    ],
)
def test_each_grant_is_asked_for_in_its_form(changes: Any, form: dict[str, str], header: str | None) -> None:
    server = Server()
    with client_of(server, grant(**changes)) as client:
        client.get_json("x")
    (request,) = server.asked
    assert {name: value for name, (value,) in parse_qs(request.content.decode()).items()} == form
    sent = request.headers.get("Authorization")
    assert (base64.b64decode(sent.removeprefix("Basic ")).decode() if sent else None) == header
    assert "X-Don-Vi" not in request.headers, "headers for one server do not travel to another"


def test_a_token_is_renewed_once_after_a_refusal() -> None:
    server = Server()
    with client_of(server) as client:
        assert client.get_json("x") == 1
        server.revoked = True
        assert client.get_json("x") == 2


def test_a_fresh_token_that_is_refused_too_ends_the_run() -> None:
    def handler(request: Request) -> Answer:
        return server(request) if str(request.url) == TOKEN_URL else Answer(401)

    server = Server()
    with client_of(handler) as client:
        for _ in range(3):
            with pytest.raises(PermanentSourceError, match="does not accept the credentials"):
                client.get_json("x")
    assert server.given == 2


@pytest.mark.parametrize(
    ("told", "good_for"),
    [({"expires_in": 3600}, 3540), ({"expires_in": "100"}, 90), ({}, 10**9), ({"expires_in": "?"}, 10**9)],
)
def test_a_token_is_renewed_before_it_ends(told: dict[str, Any], good_for: float) -> None:
    now, given = [1000.0], []

    def post(*_: object) -> tuple[int, bytes]:
        given.append(now[0])
        return 200, Answer(200, json={"access_token": "t"} | told).content

    tokens = Tokens(grant(), post, lambda: now[0])
    tokens.current()
    now[0] += good_for - 1
    tokens.current()
    assert len(given) == 1
    if good_for < 10**9:
        now[0] += 2
        tokens.current()
        assert len(given) == 2


@pytest.mark.parametrize(
    ("answer", "error", "remedy"),
    [
        (Answer(401, json={"error": "invalid_client"}), PermanentSourceError, "check client_id and client_secret"),
        (Answer(400, json={"error": "invalid_grant"}), PermanentSourceError, "check username and password"),
        (Answer(400, json={"error": "invalid_scope"}), PermanentSourceError, "correct scope"),
        (Answer(400, json={"error": SECRET, "error_description": SECRET}), PermanentSourceError, "check token_url"),
        (Answer(404, text=SECRET), PermanentSourceError, "check token_url"),
        (Answer(302, headers={"Location": f"https://b/?{SECRET}"}), PermanentSourceError, "has moved to https://b"),
        (Answer(200, text=f"<html>{SECRET}"), PermanentSourceError, "are not JSON"),
        (Answer(200, text=f'{{"access_token": "{SECRET}'), TransientSourceError, "breaks off"),
        (Answer(200, json={"access_token": 5}), PermanentSourceError, "check that token_url"),
        (Answer(200, json=[SECRET]), PermanentSourceError, "check that token_url"),
        (Answer(200, json={"access_token": f"ố{SECRET}"}), TthcError, "plain ASCII"),
        (Answer(503, text=SECRET), TransientSourceError, "fails on its side"),
    ],
)
def test_each_failure_names_what_to_check_and_shows_no_secret(
    answer: Answer, error: type[TthcError], remedy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = grant(grant="password", username="u", password=SecretStr(PASSWORD))
    with client_of(lambda _: answer, one) as client, pytest.raises(error, match=remedy) as caught:
        client.get_json("x")
    for secret in (SECRET, PASSWORD):
        assert secret not in f"{caught.value} {caught.value!r} {client!r} {one!r}" + caplog.text


def test_a_token_server_that_fails_for_a_moment_is_asked_again() -> None:
    server, failures = Server(), [503, 503]

    def handler(request: Request) -> Answer:
        if str(request.url) == TOKEN_URL and failures:
            return Answer(failures.pop())
        return server(request)

    with client_of(handler) as client:
        assert client.get_json("x") == 1
