"""The page of metrics in docs is the one that the program prints."""

from __future__ import annotations

from tests.house.files import ROOT
from tthc_monitor.outputs.metric_page import metric_page


def test_the_page_of_metrics_is_up_to_date() -> None:
    said = "write it anew: tthc-monitor metrics list --page > docs/metrics.md"
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metric_page(), said
