"""Letters by signed HTTP POST, to a real server that checks them as the document says."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.awaited import free_port
from tests.posted import DAY, RECIPIENT, SENDER, Told, letter, make_certificate, server_context
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.yaml_text import parse_yaml, validate
from tthc_monitor.outputs.audience import Links
from tthc_monitor.outputs.digest_attachment import Attachment
from tthc_monitor.outputs.transports import ChannelError, UnknownDeliveryError
from tthc_monitor.outputs.webhook import WebhookTransport
from tthc_monitor.transport_settings import WebhookSettings

SECRET = b"mot-bi-mat-dai-0123456789"
AT = 1_793_665_800


class Receiver(ThreadingHTTPServer):
    """Keeps what it is posted, each id once, and answers what it is told to answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/bi-mat-trong-duong-dan?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        proof = hmac.new(SECRET, self.headers["X-TTHC-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(self.headers["X-TTHC-Signature"], f"sha256={proof}"):
            status = 401
        if status == 0:
            self.close_connection = True
            return
        content = b"x" * 3_000_000 if status == 200 else b""
        if 200 <= status < 300:
            self.server.kept[self.headers["Idempotency-Key"]] = json.loads(body) | {
                "at": self.headers["X-TTHC-Timestamp"]
            }
        self.send_response(status)
        for name, value in (headers | ({} if status == 204 else {"Content-Length": str(len(content))})).items():
            self.send_header(name, value)
        self.end_headers()
        if content:
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver while the block lasts."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def webhook(receiver: Receiver) -> Iterator[WebhookTransport]:
    transport = WebhookTransport(receiver.url, SECRET, SENDER, timeout=5, clock=lambda: AT)
    yield transport
    transport.close()


def test_what_is_posted_is_signed_and_tells_what_the_mail_tells(receiver: Receiver, webhook: WebhookTransport) -> None:
    links = Links(acknowledge="https://giam-sat.example.gov.vn/digest/acknowledge/x")
    mail = replace(Told(), attachments=(Attachment("danh-sach.csv", b"ma\n1\n", "text/csv"),))
    one = letter(mail, links=links, units=("H99.01",))
    assert webhook.send(one) == "HTTP 204"
    ((identity, posted),) = receiver.kept.items()
    assert identity == posted["id"] == one.message_id.strip("<>")
    assert posted == {
        "at": str(AT),
        "version": 1,
        "id": identity,
        "kind": "digest",
        "recipient": RECIPIENT,
        "local_date": DAY.isoformat(),
        "made_at": "2026-11-03T00:30:00+00:00",
        "units": ["H99.01"],
        "subject": mail.subject,
        "text": mail.text,
        "counts": {"overdue": 4, "due_today": 1},
        "links": {"acknowledge": links.acknowledge},
        "attachments": [
            {
                "name": "danh-sach.csv",
                "mime": "text/csv",
                "bytes": 5,
                "sha256": hashlib.sha256(b"ma\n1\n").hexdigest(),
            }
        ],
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_taken_however_long_the_answer(receiver: Receiver, webhook: WebhookTransport, status: int) -> None:
    receiver.answers = [(status, {})]
    assert webhook.send(letter()) == f"HTTP {status}"


@pytest.mark.parametrize(
    ("status", "kind", "permanent"),
    [
        (400, DeliveryError, True),
        (422, DeliveryError, True),
        (409, DeliveryError, False),
        (408, DeliveryError, False),
        (500, DeliveryError, False),
        (507, DeliveryError, False),
        (401, ChannelError, True),
        (404, ChannelError, True),
        (302, ChannelError, True),
        (429, ChannelError, False),
        (503, ChannelError, False),
        (0, ChannelError, False),
    ],
)
def test_a_refusal_says_whom_it_is_about_and_whether_it_passes(
    receiver: Receiver, webhook: WebhookTransport, status: int, kind: type[DeliveryError], permanent: bool
) -> None:
    receiver.answers = [(status, {})]
    with pytest.raises(DeliveryError) as failed:
        webhook.send(letter())
    assert (type(failed.value), failed.value.permanent) == (kind, permanent)
    assert not isinstance(failed.value, UnknownDeliveryError), "whoever gets the same id again knows it"
    assert "bi-mat" not in str(failed.value), "the path may be a secret"
    assert f"127.0.0.1:{receiver.server_port}" in str(failed.value)


def test_who_asks_for_peace_is_left_alone_for_so_long(receiver: Receiver, webhook: WebhookTransport) -> None:
    receiver.answers = [(429, {"Retry-After": "17"})]
    with pytest.raises(ChannelError) as failed:
        webhook.send(letter())
    assert failed.value.wait == 17
    assert webhook.send(letter()) == "HTTP 204"


def test_a_secret_that_is_not_theirs_is_shown_once(receiver: Receiver) -> None:
    webhook = WebhookTransport(receiver.url, b"mot-bi-mat-khac-0123456789", SENDER)
    for _ in range(3):
        with pytest.raises(ChannelError, match="same secret") as failed:
            webhook.send(letter())
        assert failed.value.permanent
    webhook.close()
    assert receiver.asked == 1
    assert "bi-mat" not in repr(webhook)


def test_nobody_there_is_a_failure_of_the_way_that_passes() -> None:
    webhook = WebhookTransport(f"http://127.0.0.1:{free_port()}/kin", SECRET, SENDER)
    with pytest.raises(ChannelError, match="refuses the connection") as failed:
        webhook.send(letter())
    webhook.close()
    assert not failed.value.permanent and "kin" not in str(failed.value)


def test_a_certificate_of_an_authority_of_ones_own(receiver: Receiver, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    receiver.socket = server_context(certificate).wrap_socket(receiver.socket, server_side=True)
    receiver.scheme = "https"
    trusting = WebhookTransport(receiver.url, SECRET, SENDER, ca_file=certificate[0])
    assert trusting.send(letter()) == "HTTP 204"
    trusting.close()
    distrusting = WebhookTransport(receiver.url, SECRET, SENDER)
    with pytest.raises(ChannelError, match="not trusted") as failed:
        distrusting.send(letter())
    distrusting.close()
    assert failed.value.permanent
    with pytest.raises(ConfigError, match="ca_file"):
        WebhookTransport(receiver.url, SECRET, SENDER, ca_file=tmp_path / "none.pem")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{url: 'ftp://x/y', secret_env: X}", "not an http or https address"),
        ("{url: 'https://', secret_env: X}", "not an http or https address"),
        ("{url: 'https://x/y'}", "exactly one of secret_file"),
        ("{url: 'https://x/y', secret_env: X, secret_file: y}", "exactly one of secret_file"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        validate(WebhookSettings, parse_yaml(written, "x.yaml"))
