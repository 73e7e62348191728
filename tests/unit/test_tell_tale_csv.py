"""The tell-tale signs as CSV: no spreadsheet takes a text of a dossier for a formula, whatever signs it begins with."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.outputs.tell_tale import TellTale, write_csv


@pytest.mark.parametrize("text", ["=1+1", "＝1+1", "＠SUM(A1)", "\n=1", "'=1"])
def test_no_text_is_taken_for_a_formula(tmp_path: Path, text: str) -> None:
    counts = pd.DataFrame({"unit_code": ["H99.01"], "unit_name": [text]})
    dossiers = pd.DataFrame({"unit_code": ["H99.01"], "code": [text]})
    january = calendar_month("2026-01", "Asia/Ho_Chi_Minh")
    report = TellTale(january, datetime(2026, 2, 1, tzinfo=UTC), (), counts, dossiers, True, None)
    for path in write_csv(report, tmp_path / "dau-hieu.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            assert [row[1] for row in csv.reader(file)][1:] == [f"'{text}"]
