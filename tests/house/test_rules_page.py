"""The page of rules in docs is the one that the program prints."""

from __future__ import annotations

from rules.loader import load_packs
from tests.house.files import ROOT
from tthc_monitor.rules_page import rules_page
from tthc_monitor.settings import RulesSettings


def test_the_page_of_rules_is_up_to_date() -> None:
    printed = rules_page(load_packs(RulesSettings().packs, ROOT))
    said = "write it anew: tthc-monitor rules list --page > docs/quy-tac.md"
    assert (ROOT / "docs" / "quy-tac.md").read_text(encoding="utf-8") == printed, said
