"""One client for all connectors: what it sends, what it tries again, and what each failure tells people to do."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.http import Basic, Bearer, Bounds, HttpClient, Retries, http_library, read_secret
from tests.awaited import free_port
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError

Answer = http_library.Response
QUICK = Retries(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
SECRET = "mat-khau-rat-bi-mat"


def client_of(handler: Callable[[http_library.Request], Answer], retries: Retries = QUICK) -> HttpClient:
    return HttpClient(
        "https://motcua.example/o/",
        credentials=Basic("giamsat", SecretStr(SECRET)),
        headers={"groupId": "55001"},
        retries=retries,
        not_authenticated=frozenset({203, 401}),
        transport=http_library.MockTransport(handler),
    )


def failing_with(answer: Answer) -> tuple[TthcError, int]:
    """The error that an always repeated answer ends in, and how often the server was asked."""
    asked: list[http_library.Request] = []

    def handler(request: http_library.Request) -> Answer:
        asked.append(request)
        return answer

    with client_of(handler) as client, pytest.raises(TthcError) as caught:
        client.get_json("rest/v2/dossiers")
    return caught.value, len(asked)


def test_it_says_who_it_is_and_sends_credentials_headers_and_parameters() -> None:
    seen: list[http_library.Request] = []

    def handler(request: http_library.Request) -> Answer:
        seen.append(request)
        return Answer(200, json={"total": 0})

    with client_of(handler) as client:
        assert client.get_json("/rest/v2/dossiers", {"start": 0, "status": "new,done"}) == {"total": 0}
    request = seen[0]
    assert str(request.url) == "https://motcua.example/o/rest/v2/dossiers?start=0&status=new%2Cdone"
    assert request.headers["User-Agent"].startswith("tthc-monitor/")
    assert request.headers["Accept"] == "application/json"
    assert request.headers["groupId"] == "55001"
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == f"giamsat:{SECRET}".encode()


def test_a_bearer_token_is_sent_as_such() -> None:
    def handler(request: http_library.Request) -> Answer:
        return Answer(200, json=request.headers["Authorization"])

    transport = http_library.MockTransport(handler)
    with HttpClient("https://a.example", credentials=Bearer(SecretStr("t0k")), transport=transport) as client:
        assert client.get_json("x") == "Bearer t0k"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    answers = [Answer(status), Answer(status), Answer(200, json={"total": 1})]
    with client_of(lambda _: answers.pop(0)) as client:
        assert client.get_json("x") == {"total": 1}


@pytest.mark.parametrize(
    ("answer", "error", "remedy", "times"),
    [
        (Answer(203, text="?"), PermanentSourceError, "check user name and password", 1),
        (Answer(401), PermanentSourceError, "check user name and password", 1),
        (Answer(403), PermanentSourceError, "ask for the right", 1),
        (Answer(404), PermanentSourceError, "correct url", 1),
        (Answer(400), PermanentSourceError, "check url and the options", 1),
        (
            Answer(302, headers={"Location": "https://moi.example/o/x?ticket=1"}),
            PermanentSourceError,
            "moved to https://moi.example/o/x (HTTP 302); put the new address into url",
            1,
        ),
        (Answer(200, text="<html>Đăng nhập</html>"), PermanentSourceError, "not of a web page", 1),
        (Answer(200, text=""), PermanentSourceError, "not of a web page", 1),
        (Answer(200, text='{"total": 3, "data": [{"dos'), TransientSourceError, "lower page_size", 3),
        (Answer(503), TransientSourceError, "the next run tries again", 3),
        (Answer(429), TransientSourceError, "run less often", 3),
        (Answer(429, headers={"Retry-After": "3600"}), TransientSourceError, "the next run tries again", 1),
    ],
)
def test_each_failure_names_its_remedy(answer: Answer, error: type[TthcError], remedy: str, times: int) -> None:
    raised, asked = failing_with(answer)
    assert isinstance(raised, error)
    assert remedy in str(raised)
    assert SECRET not in str(raised)
    assert asked == times


def test_expected_absence_is_none_and_not_an_error() -> None:
    with client_of(lambda _: Answer(403, text="No Content.")) as client:
        assert client.get_json("x", absent=frozenset({403, 404})) is None


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(form: str) -> None:
    wish = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    answers = [Answer(429, headers={"Retry-After": wish}), Answer(200, json=[])]
    began = time.monotonic()
    with client_of(lambda _: answers.pop(0)) as client:
        client.get_json("x")
    assert time.monotonic() - began >= 0.9


def test_an_unreadable_retry_after_is_passed_over() -> None:
    answers = [Answer(503, headers={"Retry-After": "soon"}), Answer(200, json=[])]
    with client_of(lambda _: answers.pop(0)) as client:
        assert client.get_json("x") == []


def test_a_slow_server_is_asked_again_and_then_given_up() -> None:
    asked = []

    def handler(request: http_library.Request) -> Answer:
        asked.append(request)
        raise http_library.ReadTimeout("slow", request=request)

    with client_of(handler) as client, pytest.raises(TransientSourceError, match="raise timeout_seconds"):
        client.get_json("x")
    assert len(asked) == 3


def real(url: str, **options: Path | None) -> HttpClient:
    return HttpClient(url, retries=QUICK, bounds=Bounds(timeout_seconds=5), ca_file=options.get("ca_file"))


def test_a_refused_connection() -> None:
    with (
        real(f"http://127.0.0.1:{free_port()}") as client,
        pytest.raises(TransientSourceError, match="refuses the connection; check the port"),
    ):
        client.get_json("x")


def test_an_unknown_name() -> None:
    with (
        real("http://khong-co.invalid") as client,
        pytest.raises(TransientSourceError, match=r"khong-co\.invalid cannot be resolved; check url"),
    ):
        client.get_json("x")


def test_plain_http_where_tls_is_expected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_plainly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer_plainly, daemon=True).start()
        port = listener.getsockname()[1]
        with real(f"https://127.0.0.1:{port}") as client, pytest.raises(PermanentSourceError, match="no TLS"):
            client.get_json("x")


def test_an_address_that_is_none() -> None:
    with real("ftp://a.example") as client, pytest.raises(PermanentSourceError, match="not an http or https address"):
        client.get_json("x")


def test_a_ca_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a file of PEM certificates"):
        real("https://a.example", ca_file=tmp_path / "absent.pem")
    junk = tmp_path / "junk.pem"
    junk.write_text("không phải chứng thư")
    with pytest.raises(ConfigError, match="give a file of PEM certificates"):
        real("https://a.example", ca_file=junk)


def test_a_secret_comes_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mat-khau").write_text("từ tệp\n", encoding="utf-8")
    monkeypatch.setenv("THU_MAT_KHAU", "từ môi trường")
    value = SecretStr("từ cấu hình")
    assert read_secret("password", value, None, None, tmp_path) == value
    assert read_secret("password", None, Path("mat-khau"), None, tmp_path) == SecretStr("từ tệp")
    assert read_secret("password", None, None, "THU_MAT_KHAU", tmp_path) == SecretStr("từ môi trường")


@pytest.mark.parametrize(
    ("value", "file", "variable", "message"),
    [
        (None, None, None, "exactly one of"),
        (SecretStr("a"), Path("b"), None, "exactly one of"),
        (None, Path("absent"), None, "correct the path"),
        (None, Path("empty"), None, "write the secret into"),
        (None, None, "KHONG_CO_BIEN_NAY", "set the environment variable KHONG_CO_BIEN_NAY"),
        (SecretStr(""), None, None, "give password a value"),
    ],
)
def test_a_secret_that_is_not_there(
    tmp_path: Path, value: SecretStr | None, file: Path | None, variable: str | None, message: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match=message):
        read_secret("password", value, file, variable, tmp_path)
