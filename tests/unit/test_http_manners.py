"""How a source is asked: how often, how much at once, how long, and when not at all any more."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.base import Surroundings
from connectors.http import ApiKey, Basic, Bearer, Bounds, HttpClient, Pace, Retries, http_library, open_client
from connectors.http.json_text import parse_json
from connectors.http_options import HttpOptions
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError, TthcError

Answer = http_library.Response
Request = http_library.Request
QUICK = Retries(attempts=2, wait_initial=0, wait_max=0, wait_jitter=0)
SECRET = "mat-khau-rat-bi-mat"


def client_of(handler: Callable[[Request], Answer], **options: Any) -> HttpClient:
    transport = http_library.MockTransport(handler)
    return HttpClient("https://motcua.example/o", **{"retries": QUICK, "transport": transport, **options})


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_pace_is_kept_on_average_and_lets_a_second_s_worth_through_at_once(rate: int, count: int) -> None:
    time_ = Time()
    pace = Pace(time_.clock, time_.sleep)
    with pace.joined(rate):
        for _ in range(count):
            pace.wait()
    assert time_.now - 100 == pytest.approx(max(0, count - rate) / rate)


def test_the_lowest_rate_of_all_sources_of_a_host_counts_while_they_are_pulled() -> None:
    time_ = Time()
    pace = Pace(time_.clock, time_.sleep)
    with pace.joined(None), pace.joined(1.0):
        with pace.joined(0.1):
            pace.wait()
            pace.wait()
            assert time_.now == pytest.approx(110)
        pace.wait()
        assert time_.now == pytest.approx(111)
    for _ in range(100):
        pace.wait()
    assert time_.now == pytest.approx(111), "nobody asks for a rate any more"


def test_threads_share_a_pace() -> None:
    slept: list[float] = []
    pace = Pace(lambda: 0.0, slept.append)
    with pace.joined(1.0), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace.wait(), range(8)))
    assert sorted(slept) == [1, 2, 3, 4, 5, 6, 7]


def test_sources_of_one_host_share_its_pace(tmp_path: Path) -> None:
    surroundings = Surroundings(lambda: datetime.now(UTC), tmp_path)
    options = HttpOptions(requests_per_second=0.001)
    with (
        open_client(options, surroundings, "http://a.invalid:81/x") as one,
        open_client(HttpOptions(), surroundings, "http://a.invalid:81/y") as two,
        open_client(options, surroundings, "http://a.invalid:82/") as other,
    ):
        paces = [client._wire._pace for client in (one, two, other)]
    assert paces[0] is paces[1] is not paces[2]


def test_no_more_requests_are_under_way_than_workers() -> None:
    under_way = most = 0
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        nonlocal under_way, most
        with connection:
            while connection.recv(10_000):
                with lock:
                    under_way += 1
                    most = max(most, under_way)
                time.sleep(0.01)
                with lock:
                    under_way -= 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    with (
        listening(serve) as url,
        HttpClient(url, bounds=Bounds(connections=3)) as client,
        ThreadPoolExecutor(12) as pool,
    ):
        list(pool.map(lambda _: client.get_json("x"), range(24)))
    assert most == 3


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

        def quietly(connection: socket.socket) -> None:
            with suppress(OSError):  # the client has had enough
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def drip(connection: socket.socket, start: bytes, byte: bytes) -> None:
    with connection:
        connection.recv(10_000)
        connection.sendall(start)
        for _ in range(600):
            connection.sendall(byte)
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("start", "byte"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"1"),
        (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a"),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n"),
    ],
    ids=["body", "header", "status", "chunks"],
)
def test_a_server_that_drips_is_given_up_in_time(start: bytes, byte: bytes) -> None:
    bounds = Bounds(timeout_seconds=5, total_seconds=0.3)
    began = time.monotonic()
    with (
        listening(lambda connection: drip(connection, start, byte)) as url,
        HttpClient(url, retries=Retries(attempts=1), bounds=bounds) as client,
        pytest.raises(TransientSourceError, match=r"raise timeout_seconds|not complete after"),
    ):
        client.get_json("x")
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("told", [b"Content-Length: 10000000000", b"X: y"])
def test_an_answer_without_end_is_not_taken_in(told: bytes) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + told + b"\r\n\r\n")
            while True:
                sent += connection.send(b"1" * 100_000)

    with (
        listening(flood) as url,
        HttpClient(url, bounds=Bounds(max_bytes=2**20)) as client,
        pytest.raises(PermanentSourceError, match=r"larger than 1 MB; lower page_size, or raise max_answer_megabytes"),
    ):
        client.get_json("x")
    assert sent < 50 * 2**20


def raw_deflate(content: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate ": raw_deflate,
}


@pytest.mark.parametrize("encoding", PACKINGS)
def test_a_packed_answer_is_unpacked_and_measured_so(encoding: str) -> None:
    told = json.dumps({"so": list(range(120_000))}).encode()

    def handler(request: Request) -> Answer:
        assert request.headers["Accept-Encoding"] == "gzip, deflate"
        sent = told if request.url.path.endswith("good") else b" " * (2**20 + 1)
        return Answer(200, stream=Pieces(PACKINGS[encoding](sent)), headers={"Content-Encoding": encoding})

    with client_of(handler, bounds=Bounds(max_bytes=2**20)) as client:
        assert client.get_json("good") == json.loads(told)
        with pytest.raises(PermanentSourceError, match="larger than 1 MB"):
            client.get_json("large")


class Pieces(http_library.SyncByteStream):
    """A body as a server sends it: 70 kB at a time."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.body), 70_000):
            yield self.body[start : start + 70_000]


@pytest.mark.parametrize("damage", [lambda body: b"x" + body[1:], lambda body: body[:100] + b"x" * 100 + body[200:]])
def test_an_answer_that_was_damaged_on_the_way_is_asked_for_again(damage: Callable[[bytes], bytes]) -> None:
    packed = gzip.compress(json.dumps(list(range(5_000))).encode())
    answers = [damage(packed), packed]

    def handler(_: Request) -> Answer:
        return Answer(200, stream=Pieces(answers.pop(0)), headers={"Content-Encoding": "gzip"})

    with client_of(handler) as client:
        assert len(client.get_json("x")) == 5_000
    assert not answers


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "identity, gzip"])
def test_an_answer_packed_twice_or_otherwise_is_refused_unread(encoding: str) -> None:
    class Unread(http_library.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("it was read")

    asked: list[int] = []

    def handler(request: Request) -> Answer:
        asked.append(1)
        status = 404 if request.url.path.endswith("nowhere") else 200
        return Answer(status, stream=Unread(), headers={"Content-Encoding": encoding})

    with client_of(handler) as client:
        with pytest.raises(PermanentSourceError, match="packed in a way that was not asked for; ask the operator"):
            client.get_json("x")
        with pytest.raises(PermanentSourceError, match=r"HTTP 404\); correct url"):
            client.get_json("nowhere")
    assert len(asked) == 2


def test_a_bomb_needs_no_more_memory_than_an_answer_may() -> None:
    bomb = gzip.compress(bytes(300 * 2**20))
    tail = gzip.compress(b"[]") + bytes(60 * 2**20)

    def handler(request: Request) -> Answer:
        body = bomb if request.url.path.endswith("bomb") else tail
        return Answer(200, stream=Pieces(body), headers={"Content-Encoding": "gzip"})

    with client_of(handler, bounds=Bounds(max_bytes=2**20)) as client:
        tracemalloc.start()
        with pytest.raises(PermanentSourceError, match="larger than 1 MB"):
            client.get_json("bomb")
        assert client.get_json("what comes after the end does not count") == []
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10 * 2**20


def test_after_three_requests_in_a_row_without_answer_nothing_more_is_asked() -> None:
    asked: list[str] = []

    def handler(request: Request) -> Answer:
        asked.append(request.url.path)
        return Answer(200, json=1) if request.url.path.endswith("/good") else Answer(503)

    with client_of(handler) as client:
        for path in ("a", "b", "good", "c", "d", "e"):
            if path == "good":
                assert client.get_json(path) == 1
                continue
            with pytest.raises(TransientSourceError, match="HTTP 503"):
                client.get_json(path)
        before = len(asked)
        with pytest.raises(
            TransientSourceError, match=r"3 requests in a row failed; the last: .*HTTP 503.*; the next run"
        ):
            client.get_json("good")
        assert len(asked) == before


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401), PermanentSourceError),
        (Answer(429, headers={"Retry-After": "3600"}), TransientSourceError),
    ],
)
def test_after_refused_credentials_or_a_wish_for_peace_nothing_more_is_asked(
    answer: Answer, error: type[TthcError]
) -> None:
    asked = []

    def handler(request: Request) -> Answer:
        asked.append(request)
        return answer

    with client_of(handler) as client:
        for _ in range(3):
            with pytest.raises(error):
                client.get_json("x")
    assert len(asked) == 1


def test_a_question_can_be_conditional() -> None:
    def handler(request: Request) -> Answer:
        if request.headers.get("If-None-Match") == '"v1"':
            return Answer(304)
        return Answer(200, json=[1], headers={"ETag": '"v1"', "Last-Modified": "Fri, 20 Nov 2026 03:00:00 GMT"})

    with client_of(handler) as client:
        first = client.get("x", {"a": 1})
        assert (first.content, first.unmodified) == ([1], False)
        assert first.validators == {"If-None-Match": '"v1"', "If-Modified-Since": "Fri, 20 Nov 2026 03:00:00 GMT"}
        again = client.get("x", {"a": 1}, validators=first.validators)
        assert (again.content, again.unmodified) == (None, True)
        with pytest.raises(PermanentSourceError, match="check url"):
            client_of(lambda _: Answer(304)).get("x")


def test_a_search_can_be_a_post() -> None:
    def handler(request: Request) -> Answer:
        assert request.method == "POST" and request.headers["Content-Type"] == "application/json"
        return Answer(200, content=request.content)

    with client_of(handler) as client:
        assert client.post_json("search", {"tên": "Mẫu"}) == {"tên": "Mẫu"}


def test_a_link_to_the_next_page_stays_on_the_server() -> None:
    with client_of(lambda request: Answer(200, json=str(request.url)), credentials=Bearer(SecretStr(SECRET))) as client:
        assert client.get_json("https://motcua.example/o/p?page=2") == "https://motcua.example/o/p?page=2"
        for link in (
            "https://khac.example/o/p?k=" + SECRET,
            "http://motcua.example/o/p",
            "https://motcua.example:444/o",
            "//khac.example/p",
            "https://motcua.example@khac.example/p",
        ):
            with pytest.raises(PermanentSourceError, match="credentials do not travel there; set url") as caught:
                client.get_json(link)
            assert SECRET not in str(caught.value)


def test_it_says_how_its_operator_is_reached(tmp_path: Path) -> None:
    def agent(contact: str | None) -> str:
        with client_of(lambda request: Answer(200, json=request.headers["User-Agent"]), contact=contact) as client:
            return str(client.get_json("x"))

    assert agent("cntt@example.gov.vn").endswith(" (+cntt@example.gov.vn)")
    assert agent("Phòng (CNTT)\r\nX: y").endswith(" (+Phng CNTTX: y)")
    assert "(" not in agent(None) + agent("ố")


@pytest.mark.parametrize("place", ["header", "query"])
def test_a_key_travels_in_a_header_or_a_parameter(place: Any) -> None:
    def handler(request: Request) -> Answer:
        return Answer(200, json=[request.headers.get("X-Key"), dict(request.url.params)])

    with client_of(handler, credentials=ApiKey("X-Key", SecretStr("k"), place)) as client:
        found = client.get_json("x", {"a": "b"})
    assert found == (["k", {"a": "b"}] if place == "header" else [None, {"X-Key": "k", "a": "b"}])


FAILURES: list[Callable[[Request], Answer]] = [
    *(lambda _, status=status: Answer(status) for status in (203, 204, 302, 400, 401, 403, 404, 429, 500, 503)),
    lambda _: Answer(302, headers={"Location": f"https://a:{SECRET}@moi.example/?k={SECRET}"}),
    lambda _: Answer(200, text=f'{{"{SECRET}'),
    lambda _: Answer(200, text=f"<html>{SECRET}"),
    lambda _: Answer(200, text="[" * 100_000),
    lambda request: (_ for _ in ()).throw(http_library.ReadTimeout(SECRET, request=request)),
    lambda request: (_ for _ in ()).throw(http_library.ConnectError(SECRET, request=request)),
    lambda request: (_ for _ in ()).throw(http_library.ProxyError(SECRET, request=request)),
]


@pytest.mark.parametrize("handler", FAILURES)
@pytest.mark.parametrize(
    "credentials",
    [
        Basic("giamsat", SecretStr(SECRET)),
        Bearer(SecretStr(SECRET)),
        ApiKey("X-Key", SecretStr(SECRET)),
        ApiKey("key", SecretStr(SECRET), "query"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_no_failure_shows_a_secret(
    handler: Callable[[Request], Answer], credentials: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(handler, credentials=credentials, headers={"X-Site": SECRET}) as client:
        with pytest.raises(TthcError) as caught:
            client.get_json("x", {"ten": SECRET})
        shown = f"{client!r} {credentials!r} {caught.value!r} {caught.value}"
    assert SECRET not in shown + caplog.text
    assert "; " in str(caught.value), "it says what to do"


def test_a_request_is_logged_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client_of(lambda _: Answer(200, json=1), credentials=ApiKey("key", SecretStr(SECRET), "query")) as client:
        client.get_json("x", {"ten": SECRET})
    assert "https://motcua.example/o/x" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("secret", ["mật-khẩu", "a\nb", "a\r\nX: y"])
def test_a_secret_that_no_header_can_carry_is_refused_without_being_shown(secret: str) -> None:
    for credentials in (Bearer(SecretStr(secret)), ApiKey("X-Key", SecretStr(secret))):
        with pytest.raises(ConfigError, match="give it in plain ASCII, on one line") as caught:
            client_of(lambda _: Answer(200), credentials=credentials)
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": "proxy.example:3128"}, "write it like http://proxy"),
        ({"proxy": "http://a:b@proxy.example"}, "move them to proxy_username"),
        ({"proxy": "http://p.example", "proxy_username": "a"}, "exactly one of proxy_password"),
        ({"proxy_username": "a", "proxy_password": "b"}, "set proxy"),
        ({"workers": 17}, "workers"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"verify": False}, "verify"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HttpOptions(**options)


def test_a_proxy_is_asked_with_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THU_PROXY", SECRET)
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            heard.append(connection.recv(10_000))
            connection.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    with listening(serve) as url:
        options = HttpOptions(proxy=url, proxy_username="p", proxy_password_env="THU_PROXY", attempts=1)
        with (
            open_client(
                options, Surroundings(lambda: datetime.now(UTC), tmp_path), "http://motcua.invalid/o"
            ) as client,
            pytest.raises(PermanentSourceError, match="check proxy, proxy_username and proxy_password") as caught,
        ):
            client.get_json("x")
    assert heard[0].startswith(b"GET http://motcua.invalid/o/x") and b"Proxy-Authorization: Basic" in heard[0]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        ('["tệp"]'.encode("utf-16"), ["tệp"]),
        (b'["\\ud800x"]', ["?x"]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
    ],
)
def test_sloppy_json_is_read(body: bytes, value: Any) -> None:
    assert parse_json(body) == value


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    with suppress(ValueError, RecursionError):
        parse_json(body)
