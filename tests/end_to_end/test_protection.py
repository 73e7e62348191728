"""Pages and metrics behind a token or a password, over real sockets: who is let in, what stays open, and who waits."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import Engine
from starlette.middleware import Middleware
from starlette.routing import Route
from structlog.testing import capture_logs

from tests.end_to_end.program import run
from tests.end_to_end.receiving import LGSP, TOKEN, Clock, installed, write_settings
from tests.postgres.seed import SCRAPED
from tests.unit.dvcqg_messages import NOW, body, dossier
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.serving import WebServer
from tthc_monitor.settings import load_settings
from tthc_monitor.web import make_app, make_doors, make_protection, make_worker_app, scrape_settings
from tthc_monitor.web.access import Patience
from tthc_monitor.web.protection import Protected

SCRAPER = "ma-cua-prometheus-0123456789"
PASSWORD = "mật khẩu: của trang 01"
TOKEN_ONLY = {"token_file": "scraper"}
USER_ONLY = {"username": "giám sát", "password_file": "password"}
BOTH = TOKEN_ONLY | USER_ONLY
HIDDEN = ("/", "/metrics", "/nowhere", "//metrics", "/metrics/", "/-/healthy/", "/receive", "/-/ready/../../metrics")
OPEN = ("/-/healthy", "/-/ready")


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def config(folder: Path, protect: dict[str, Any]) -> Path:
    (folder / "scraper").write_text(SCRAPER + "\n", encoding="utf-8")
    (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    return write_settings(folder, LGSP, serve={"protect": protect})


@contextmanager
def protected(engine: Engine, folder: Path, protect: dict[str, Any]) -> Iterator[httpx.Client]:
    """The service's pages and doors as ``serve`` puts them together; guessers wait a hundredth of what they else would."""
    installation = installed(engine, config(folder, protect), Clock(NOW))
    protection = make_protection(installation.settings)
    assert protection is not None
    pages = make_app(engine, scrape_settings(installation), doors=make_doors(installation), protection=protection)
    for middleware in pages.user_middleware:
        if middleware.cls is Protected:
            middleware.kwargs["patience"] = Patience(0.01)
    with (
        WebServer(pages, "127.0.0.1", 0) as web,
        httpx.Client(base_url=web.url, timeout=20, trust_env=False) as client,
    ):
        yield client


def test_nothing_but_health_is_shown_to_whom_shows_nothing(engine: Engine, tmp_path: Path) -> None:
    with protected(engine, tmp_path, BOTH) as client:
        for path in OPEN:
            assert client.get(path).status_code == 200, path
        for path in HIDDEN:
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                answer = client.request(method, path)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cache-control"] == "no-store"
                assert "tthc_" not in answer.text


@pytest.mark.parametrize(
    ("protect", "shown"),
    [
        (TOKEN_ONLY, bearer(SCRAPER)),
        (USER_ONLY, basic("giám sát", PASSWORD)),
        (BOTH, bearer(SCRAPER)),
        (BOTH, basic("giám sát", PASSWORD)),
    ],
    ids=("token", "password", "token of both", "password of both"),
)
def test_the_right_secret_lets_in(
    engine: Engine, tmp_path: Path, protect: dict[str, Any], shown: dict[str, str]
) -> None:
    with protected(engine, tmp_path, protect) as client:
        assert "tthc_database_up 1.0" in client.get("/metrics", headers=shown).text
        assert client.get("/", headers=shown).status_code == 200
        assert client.get("/nowhere", headers=shown).status_code == 404


def test_a_wrong_secret_does_not_let_in_and_is_logged_without_it(engine: Engine, tmp_path: Path) -> None:
    wrong = [
        {"Authorization": "Bearer"},
        bearer(SCRAPER + "x"),
        bearer(SCRAPER[:-1]),
        bearer(PASSWORD.encode().hex()),
        bearer(TOKEN),
    ]
    wrong += [basic("giám sát", ""), basic("giám sát", SCRAPER), basic("", PASSWORD), basic("ai đó", PASSWORD)]
    wrong += [{"Authorization": value} for value in ("Basic", "Basic !!", "Basic /zo=", SCRAPER, f"Token {SCRAPER}")]
    with protected(engine, tmp_path, BOTH) as client, capture_logs() as logs:
        for shown in wrong:
            assert client.get("/metrics", headers=shown).status_code == 401, shown
    assert [(one["event"], one["address"]) for one in logs] == [("wrong_credentials", "127.0.0.1")] * len(wrong)
    assert PASSWORD not in str(logs) and SCRAPER not in str(logs)


def test_what_is_not_set_does_not_let_in(engine: Engine, tmp_path: Path) -> None:
    with protected(engine, tmp_path, TOKEN_ONLY) as client:
        assert client.get("/", headers=basic("", SCRAPER)).status_code == 401, "a token is no password here"
        assert client.get("/", headers=basic("", "")).status_code == 401
        assert client.get("/").headers.get_list("www-authenticate") == ['Bearer realm="tthc-monitor"']
    with protected(engine, tmp_path, USER_ONLY) as client:
        assert client.get("/", headers=bearer(PASSWORD.encode().hex())).status_code == 401
        assert client.get("/", headers={"Authorization": "Bearer"}).status_code == 401


def test_a_browser_asks_its_user_where_there_is_one(engine: Engine, tmp_path: Path) -> None:
    with protected(engine, tmp_path, BOTH) as client:
        assert client.get("/").headers.get_list("www-authenticate") == [
            'Basic realm="tthc-monitor", charset="UTF-8"',
            'Bearer realm="tthc-monitor"',
        ]


def test_doors_keep_their_own_tokens(engine: Engine, tmp_path: Path) -> None:
    message = {"content": body([dossier()]), "headers": bearer(TOKEN) | {"Content-Type": "application/json"}}
    with protected(engine, tmp_path, BOTH) as client:
        assert client.post("/receive/lgsp", **message).status_code == 200  # type: ignore[arg-type]
        assert client.post("/receive/lgsp", content=b"{}", headers=bearer("x" * 20)).status_code == 401


def test_guessers_wait_and_readers_do_not(engine: Engine, tmp_path: Path) -> None:
    with protected(engine, tmp_path, BOTH) as client, ThreadPoolExecutor(60) as pool:
        began = time.monotonic()
        for _ in range(5):
            client.get("/metrics", headers=bearer("x"))
        assert time.monotonic() - began >= 0.01 * (1 + 2 + 3 + 4 + 5)
        # Who shows nothing is asked at once, however often; and a browser asks so before each password.
        assert client.get("/").status_code == 401
        assert client.get("/metrics", headers=bearer(SCRAPER)).status_code == 200
        answers = list(pool.map(lambda _: client.get("/", headers=bearer("x")).status_code, range(120)))
    assert set(answers) <= {401, 429}


def test_of_many_who_guess_at_once_some_are_sent_away(engine: Engine) -> None:
    patience = Patience(0.5)

    async def never(*_: object) -> None:
        raise AssertionError("the protection let somebody in")

    from tthc_monitor.web.protection import Protection

    pages = make_app(engine, SCRAPED)
    pages.router.routes[:] = [Route("/", never)]
    pages.user_middleware.append(Middleware(Protected, Protection(token=b"x" * 32), patience))
    with (
        WebServer(pages, "127.0.0.1", 0) as web,
        ThreadPoolExecutor(80) as pool,
        httpx.Client(base_url=web.url, timeout=20, trust_env=False) as client,
    ):
        answers = list(pool.map(lambda _: client.get("/", headers=bearer("x")), range(80)))
    sent_away = [one for one in answers if one.status_code == 429]
    assert sent_away and sent_away[0].headers["retry-after"] == "60"
    assert {one.status_code for one in answers} == {401, 429}


# -- the settings -------------------------------------------------------------------------------------------------------


def test_a_workers_metrics_are_protected_too(engine: Engine, tmp_path: Path) -> None:
    protection = make_protection(load_settings(config(tmp_path, TOKEN_ONLY)))
    worker = make_worker_app(engine, is_alive=lambda: True, protection=protection)
    with WebServer(worker, "127.0.0.1", 0) as web, httpx.Client(base_url=web.url) as client:
        assert client.get("/metrics").status_code == 401
        assert "process_cpu_seconds_total" in client.get("/metrics", headers=bearer(SCRAPER)).text
        assert [client.get(path).status_code for path in OPEN] == [200, 200]


def test_links_go_to_the_port_when_no_address_is_told(tmp_path: Path) -> None:
    path = write_settings(tmp_path, LGSP, serve={"port": 9800})
    assert load_settings(path).serve.address == "http://127.0.0.1:9800"
    path = write_settings(tmp_path, LGSP, serve={"public_url": "https://giamsat.example.gov.vn"})
    assert load_settings(path).serve.address == "https://giamsat.example.gov.vn"


@pytest.mark.parametrize(
    ("protect", "told"),
    [
        ({}, "names nothing to show; give token_file"),
        ({"username": "a"}, "needs exactly one of password_file and password_env"),
        ({"username": "a", "password_file": "p", "password_env": "P"}, "needs exactly one of password_file"),
        ({"password_file": "p"}, "has a password, but no username"),
        ({"token_file": "t", "token_env": "T"}, "token_file and token_env; give one"),
        ({"token": "t"}, "unknown key"),
        ({"username": "a:b", "password_file": "p"}, "username"),
    ],
)
def test_half_a_protection_is_refused(tmp_path: Path, protect: dict[str, str], told: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump({"serve": {"protect": protect}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_settings(file)


def test_without_the_setting_nothing_is_protected(tmp_path: Path) -> None:
    assert make_protection(load_settings(write_settings(tmp_path))) is None


def test_secrets_come_from_files_and_the_environment_and_check_tells_what_is_wrong_with_them(tmp_path: Path) -> None:
    file = config(tmp_path, BOTH)
    run("--config", file, "check", cwd=tmp_path).good()
    (tmp_path / "scraper").write_text("ngan", encoding="utf-8")
    (tmp_path / "password").unlink()
    for missing in ("the token of serve.protect has fewer than 16 characters", "password_file .* cannot be read"):
        ran = run("--config", file, "check", cwd=tmp_path)
        assert ran.code == 2
        with pytest.raises(ConfigError, match=missing):
            make_protection(load_settings(file))
        (tmp_path / "scraper").write_text(SCRAPER, encoding="utf-8")
    file = config(tmp_path, {"token_env": "PAGES_TOKEN", "username": "a", "password_env": "PAGES_PASSWORD"})
    told = run("--config", file, "check", cwd=tmp_path, PAGES_TOKEN=SCRAPER, PAGES_PASSWORD="short")
    assert told.code == 2 and "the password of serve.protect has fewer than 16" in told.err
    run("--config", file, "check", cwd=tmp_path, PAGES_TOKEN=SCRAPER, PAGES_PASSWORD=PASSWORD).good()
