"""What a source is asked for has a fingerprint: it changes with what is asked, not with how."""

from __future__ import annotations

from typing import Any

import pytest

from tthc_monitor.domain.pull_scope import scope_of

ASKED: dict[str, Any] = {
    "url": "postgresql://reader:one@db.example/epar",
    "tables": [{"name": "dossier", "where": "unit = 'H99.01'"}],
    "password": "one",
    "page_size": 100,
}


@pytest.mark.parametrize(
    "how",
    [
        {"password": "two"},
        {"page_size": 500},
        {"Timeout": 30},
        {"url": "postgresql://other:two@db.example/epar"},
        {"tables": [{"name": "dossier", "where": "unit = 'H99.01'", "auth_token": "x"}]},
        {"tables": ({"name": "dossier", "where": "unit = 'H99.01'"},)},
    ],
)
def test_how_it_is_asked_changes_nothing(how: dict[str, Any]) -> None:
    assert scope_of(ASKED | how) == scope_of(ASKED)
    assert scope_of(dict(reversed(ASKED.items()))) == scope_of(ASKED)


@pytest.mark.parametrize(
    "what",
    [
        {"url": "postgresql://reader:one@db.example/other"},
        {"tables": [{"name": "dossier", "where": "unit = 'H99.02'"}]},
        {"tables": []},
        {"lists_all_open": True},
    ],
)
def test_what_is_asked_changes_it(what: dict[str, Any]) -> None:
    assert scope_of(ASKED | what) != scope_of(ASKED)
