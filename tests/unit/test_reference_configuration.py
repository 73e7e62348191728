"""The reference configuration: it loads as it stands, and no setting is missing from it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.registry import kinds
from tests.house.files import ROOT
from tthc_monitor.installation import make_connector, receive_token, system_clock
from tthc_monitor.settings import load_settings
from tthc_monitor.settings_schema import settings_schema

FILE = ROOT / "examples" / "tthc-monitor.yaml"
TEXT = FILE.read_text(encoding="utf-8")
OUTSIDE = re.findall(r"\$\{(\w+)\}|_env: (\w+)", TEXT)


def properties(part: Any) -> set[str]:
    """Names of all settings in a schema, at any depth."""
    if isinstance(part, list):
        return {name for item in part for name in properties(item)}
    if not isinstance(part, dict):
        return set()
    own = part.get("properties")
    named = set(own) if isinstance(own, dict) else set()
    return named | {name for item in part.values() for name in properties(item)}


def test_it_loads_and_every_source_in_it_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in OUTSIDE:
        monkeypatch.setenv("".join(names), "khong-co-gi-bi-mat-0001")
    settings = load_settings(FILE)
    for source in settings.sources:
        make_connector(settings, source, system_clock)
        receive_token(settings, source)
    assert {source.kind for source in settings.sources} == set(kinds())


def test_no_setting_is_missing_from_it() -> None:
    assert properties(settings_schema()) - set(re.findall(r"\w+", TEXT)) == set()
