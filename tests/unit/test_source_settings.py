"""How a source is pulled, as a person writes it: what is refused when the file is loaded, and with which words."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from tests.unit.test_settings import load, refused
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.pull_assertions import Assertions
from tthc_monitor.domain.pull_plan import QuietHours
from tthc_monitor.installation import make_connector, receive_token, system_clock

TOKEN = "0123456789abcdef"


def source(more: str) -> str:
    return f"sources:\n  - name: a\n    kind: files\n    {more}\n"


def test_what_must_hold_of_a_pull_and_when_it_begins_none(tmp_path: Path) -> None:
    more = ['quiet_hours: ["11:30-13:00", "22:00-06:00"]', "max_drop: 0.3", "min_fill: {due_current: 0.8}"]
    (written,) = load(tmp_path, source("\n    ".join(more))).sources
    assert written.quiet == (QuietHours(time(11, 30), time(13)), QuietHours(time(22), time(6)))
    assert written.assertions == Assertions(0.05, 0, 0.3, {"due_current": 0.8})
    (plain,) = load(tmp_path, "sources: [{name: a, kind: files, min_rows: 3}]").sources
    assert (plain.quiet, plain.assertions, plain.receive) == ((), Assertions(min_rows=3), None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("max_drop: 1.1", "x.yaml:4: 'sources.0.max_drop'"),
        ("min_fill: {due_current: 2}", "x.yaml:4: 'sources.0.min_fill.due_current'"),
        ("min_fill: {due_curent: 0.5}", "'due_curent' is not a canonical column; use due_current"),
        ("min_fill: {zzz: 0.5}", "'zzz' is not a canonical column; use one of source_key, code"),
        ("quiet_hours: ['11:30']", "x.yaml:4: 'sources.0.quiet_hours.0'"),
        ("quiet_hours: ['25:00-26:00']", "x.yaml:4: 'sources.0.quiet_hours.0'"),
        ("quiet_hours: ['08:00-08:00']", "'08:00-08:00' begins when it ends; write two times"),
        ("quiet_hours: ['06:00-18:00', '18:00-06:00']", "the quiet hours leave no time to pull; shorten one"),
        ("receive: {}", "exactly one of token_file and token_env; give one"),
        ("receive: {token_file: a, token_env: B}", "exactly one of token_file and token_env; give one"),
        ("receive: {token: abc}", "unknown key 'sources.0.receive.token'"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, more: str, said: str) -> None:
    lines = refused(tmp_path, source(more))
    assert [line for line in lines if said in line], lines


@pytest.mark.parametrize("contact", ["giam-sat@mau.example.vn", "https://mau.example.vn/x?y=1, 024 0000"])
def test_a_contact_fits_into_a_header(tmp_path: Path, contact: str) -> None:
    assert load(tmp_path, f"contact: '{contact}'").contact == contact


@pytest.mark.parametrize("contact", ["", " a", "a\\r\\nX-Y: z", "Văn phòng", "a) b", "x" * 201])
def test_what_would_break_a_header_is_no_contact(tmp_path: Path, contact: str) -> None:
    assert "x.yaml:1: 'contact'" in refused(tmp_path, f'contact: "{contact}"')[0]


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "the.token").write_text(f"{TOKEN}\n", encoding="utf-8")
    monkeypatch.setenv("MAU_TOKEN", TOKEN)
    for more in ("receive: {token_file: the.token}", "receive: {token_env: MAU_TOKEN}"):
        settings = load(tmp_path, source(more))
        token = receive_token(settings, settings.sources[0])
        assert token is not None and token.get_secret_value() == TOKEN
        assert TOKEN not in repr(settings) + repr(token)
    settings = load(tmp_path, source("every: 1h"))
    assert receive_token(settings, settings.sources[0]) is None


def test_a_token_that_is_missing_or_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(tmp_path, source("receive: {token_file: the.token}"))
    with pytest.raises(ConfigError, match=r"token_file .*the\.token cannot be read"):
        receive_token(settings, settings.sources[0])
    (tmp_path / "the.token").write_text(TOKEN[1:], encoding="utf-8")
    with pytest.raises(ConfigError, match="fewer than 16 characters; put") as caught:
        receive_token(settings, settings.sources[0])
    assert TOKEN[1:] not in str(caught.value)


def test_a_connector_without_a_database_has_no_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("tthc_monitor.installation.build", lambda *arguments: made.append(arguments[-1]))
    settings = load(tmp_path, source("every: 1h"))
    make_connector(settings, settings.sources[0], system_clock)
    assert (made[0].inbox, made[0].contact, made[0].base_dir) == (None, None, tmp_path)
