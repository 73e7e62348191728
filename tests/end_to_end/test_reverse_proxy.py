"""The proxies of docs/operations.md, as they stand there, before the real service: pages, a protected scrape, both doors."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.awaited import free_port
from tests.end_to_end.receiving import LGSP, TOKEN, Clock, installed, write_settings
from tests.end_to_end.test_upload_door import SOURCE, table
from tests.house.files import ROOT
from tests.unit.dvcqg_messages import NOW, body, dossier
from tthc_monitor.serving import WebServer
from tthc_monitor.web import make_app, make_doors, make_protection, scrape_settings

SECRET = "ma-cua-prometheus-0123456789"
HANDBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def documented(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", HANDBOOK, flags=re.DOTALL)
    return str(block)


def changed(text: str, **words: str) -> str:
    """The example with what is particular to its place changed; each word must stand in it."""
    for old, new in words.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem",
         "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[WebServer]:
    """The service with a protection and two doors."""
    (tmp_path / "scraper").write_text(SECRET, encoding="utf-8")
    config = write_settings(tmp_path, LGSP, SOURCE, serve={"protect": {"token_file": "scraper"}})
    installation = installed(engine, config, Clock(NOW))
    pages = make_app(
        engine,
        scrape_settings(installation),
        doors=make_doors(installation),
        protection=make_protection(installation.settings),
    )
    with WebServer(pages, "127.0.0.1", 0) as web:
        yield web


@contextmanager
def proxy(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """A proxy that runs until its port has been used."""
    log = folder / "proxy.log"
    home = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": "/usr/sbin:/usr/bin",
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, env=home, stdout=output, stderr=output) as running,
    ):
        try:
            deadline = time.monotonic() + 20
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert running.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
                time.sleep(0.02)
            yield
        finally:
            running.terminate()
            running.wait(20)


def nginx(folder: Path, web: WebServer, certificate: tuple[Path, Path]) -> tuple[list[str], int]:
    port = free_port()
    server = changed(
        documented("nginx"),
        **{
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "giamsat.example.gov.vn;": "localhost;",
            "/etc/ssl/giamsat.example.gov.vn.pem": str(certificate[0]),
            "/etc/ssl/private/giamsat.example.gov.vn.key": str(certificate[1]),
            "127.0.0.1:9766": f"127.0.0.1:{web.port}",
        },
    )
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid; error_log stderr; events {{}} http {{ access_log off; {kept}\n{server} }}",
        encoding="utf-8",
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"], port


def caddy(folder: Path, web: WebServer, certificate: tuple[Path, Path]) -> tuple[list[str], int]:
    port = free_port()
    site = changed(
        documented("caddy"),
        **{
            "giamsat.example.gov.vn {": f"https://localhost:{port} {{\n\ttls {certificate[0]} {certificate[1]}",
            "127.0.0.1:9766": f"127.0.0.1:{web.port}",
        },
    )
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n"
    (folder / "Caddyfile").write_text(options + site, encoding="utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"], port


Kind = Callable[[Path, WebServer, tuple[Path, Path]], tuple[list[str], int]]


@pytest.mark.parametrize("kind", [nginx, caddy])
def test_behind_the_proxy_all_is_as_before_it(
    tmp_path: Path, service: WebServer, certificate: tuple[Path, Path], kind: Kind
) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    for outer in (tmp_path, folder):
        outer.chmod(0o755)
    command, port = kind(folder, service, certificate)
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    with (
        proxy(command, folder, port),
        httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=20, trust_env=False) as client,
    ):
        assert client.get("/-/healthy").text == "ok\n"
        asked = client.get("/metrics")
        assert asked.status_code == 401 and asked.headers["www-authenticate"] == 'Bearer realm="tthc-monitor"'
        shown = client.get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
        assert shown.status_code == 200 and "tthc_database_up 1.0" in shown.text
        sender = {"Authorization": f"Bearer {TOKEN}"}
        message = client.post(
            "/receive/lgsp", content=body([dossier()]), headers=sender | {"Content-Type": "application/json"}
        )
        assert message.json() == {"error_code": "0", "message": "records taken: 1"}
        page = client.post("/receive/lgsp", content=b"{}", headers=sender | {"Origin": "https://localhost"})
        assert page.status_code == 403, "a page in a browser is known as one behind the proxy too"
        rows = table(*(f"H99-{number},05/10/2026 08:00,{'x' * 4_000}" for number in range(300)))
        assert len(rows) > 1_100_000, "more than nginx lets through where nothing says otherwise"
        taken = client.post("/upload/bang-ke", content=rows, headers=sender, params={"name": "a.csv"})
        assert taken.status_code == 200, taken.text
        assert taken.json()["totals"]["rows_read"] == 300
