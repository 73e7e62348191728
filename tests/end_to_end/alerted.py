"""A real Prometheus and a real Alertmanager over the files that are shipped, and those who are notified.

The files are used as they are, but for addresses and for patience: see :func:`hurried`.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.awaited import free_port, wait_for
from tests.house.files import ROOT

MONITORING = ROOT / "tthc_monitor" / "monitoring"


def hurried(rules: str) -> str:
    """The rules with less patience, so that a test need not wait for minutes.

    ``for`` becomes four seconds, more than one scrape that a busy machine delays; ``keep_firing_for`` two, but fifteen where
    it bridges the midday break of a unit: until after it is told that the service has gone. Groups are evaluated as often
    as Prometheus is told.
    """
    rules = re.sub(r"^( +for:) \w+$", r"\1 4s", rules, flags=re.MULTILINE)
    rules = re.sub(r"^( +keep_firing_for:) 150m$", r"\1 15s", rules, flags=re.MULTILINE)
    rules = re.sub(r"^( +keep_firing_for:) (?!15s$)\w+$", r"\1 2s", rules, flags=re.MULTILINE)
    return re.sub(r"^ +interval: \w+\n", "", rules, flags=re.MULTILINE)


@dataclass
class Mailbox:
    """Whatever is mailed, as it arrives over SMTP."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = message_from_bytes(content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), parsed))
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        """Mails to an address, the oldest first."""
        return [mail for addresses, mail in self.mails if address in addresses]


@dataclass
class Notified:
    """Where notifications arrive: a mail box, and a webhook that keeps what is posted to each path."""

    mailbox: Mailbox
    smtp_port: int
    hook_port: int
    posted: list[tuple[str, dict[str, Any]]]

    def told(self, path: str, alert: str, status: str) -> list[dict[str, Any]]:
        """Alerts of a name and status that were posted to a path."""
        return [
            one
            for posted_to, content in list(self.posted)
            for one in content["alerts"]
            if (posted_to, one["labels"]["alertname"], one["status"]) == (path, alert, status)
        ]


@contextmanager
def notified() -> Iterator[Notified]:
    """A mail server and a web server on loopback."""
    mailbox, port, posted = Mailbox(), free_port(), []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    smtp = Controller(mailbox, hostname="127.0.0.1", port=port)
    smtp.start()
    web = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    try:
        yield Notified(mailbox, port, web.server_address[1], posted)
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
        smtp.stop()


@dataclass(frozen=True)
class Api:
    """A program with an HTTP interface of JSON, and where it writes what it has to say."""

    url: str
    log: Path

    def ask(self, path: str, **parameters: str) -> Any:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=20) as answer:
            return json.load(answer)

    def query(self, expression: str) -> list[Any]:
        """Series of an expression, of a Prometheus."""
        return list(self.ask("/api/v1/query", query=expression)["data"]["result"])

    def rules(self) -> list[dict[str, Any]]:
        """All rules of a Prometheus with their health."""
        return [rule for group in self.ask("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Alerts of a name that an Alertmanager holds."""
        return [one for one in self.ask("/api/v2/alerts") if one["labels"]["alertname"] == name]


@contextmanager
def alertmanager(folder: Path, to: Notified) -> Iterator[Api]:
    """Alertmanager with the shipped routes, inhibitions and texts; every receiver but the one of nobody has a webhook."""
    shutil.copytree(MONITORING / "alertmanager", folder)
    file = folder / "alertmanager.yml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings["global"]["smtp_smarthost"] = f"127.0.0.1:{to.smtp_port}"
    for receiver in settings["receivers"]:
        if "email_configs" in receiver:
            hook = {"url": f"http://127.0.0.1:{to.hook_port}/{receiver['name']}", "send_resolved": True}
            receiver["webhook_configs"] = [hook]
    _hurry(settings["route"])
    file.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    words = [f"--config.file={file}", f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
    with _running("prometheus-alertmanager", words, folder) as (api, _):
        yield api


def _hurry(route: dict[str, Any]) -> None:
    route |= {name: "1s" for name in ("group_wait", "group_interval") if name in route}
    for inner in route.get("routes", ()):
        _hurry(inner)


@contextmanager
def prometheus(folder: Path, target: str, alerting: str) -> Iterator[Api]:
    """Prometheus with the shipped configuration and the shipped rules, hurried."""
    shutil.copytree(MONITORING / "prometheus", folder)
    for name in ("alerts.yml", "recording.yml"):
        file = folder / name
        file.write_text(hurried(file.read_text(encoding="utf-8")), encoding="utf-8")
    file = folder / "prometheus.yml"
    text = file.read_text(encoding="utf-8")
    for shipped, ours in (
        ("service:9766", target.removeprefix("http://")),
        ("alertmanager:9093", alerting.removeprefix("http://")),
        ("scrape_interval: 30s", "scrape_interval: 2s"),
        ("scrape_timeout: 10s", "scrape_timeout: 2s"),
        ("evaluation_interval: 30s", "evaluation_interval: 1s"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, ours)
    # Rules come into force after the first scrape: before it the target is rightly missing.
    without_rules = {name: part for name, part in yaml.safe_load(text).items() if name != "rule_files"}
    file.write_text(yaml.safe_dump(without_rules), encoding="utf-8")
    words = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", "--rules.alert.resend-delay=1s"]
    with _running("prometheus", words, folder) as (api, process):
        wait_for(lambda: api.query('up{job="tthc-monitor"} == 1'), 30)
        file.write_text(text, encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_for(api.rules, 30)
        yield api


@contextmanager
def _running(program: str, words: list[str], folder: Path) -> Iterator[tuple[Api, subprocess.Popen[bytes]]]:
    address = f"127.0.0.1:{free_port()}"
    api = Api(f"http://{address}", folder / "log")
    with api.log.open("wb") as log:
        process = subprocess.Popen(
            [program, *words, f"--web.listen-address={address}"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip

    def ready() -> bool:
        assert process.poll() is None, api.log.read_text("utf-8")
        try:
            with urllib.request.urlopen(f"{api.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_for(ready, 30, lambda: api.log.read_text("utf-8"))
        yield api, process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
