"""``tthc-monitor audit retention``: told first, then done."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Engine

from tests.end_to_end import program
from tests.postgres.test_ledger import query, record, take
from tests.postgres.test_retention import LONG_AGO


def test_what_would_be_erased_is_told_and_then_it_is(engine: Engine, tmp_path: Path) -> None:
    config = tmp_path / "tthc-monitor.yaml"
    url = engine.url.render_as_string(hide_password=False)
    config.write_text(f"database: {{url: '{url}'}}\nretention: {{runs: 36500d}}\n", encoding="utf-8")

    def run(*words: str) -> str:
        return program.run(*words, cwd=tmp_path).good().out

    take(engine, record("xong", status=9, finished_at=LONG_AGO), record("mo"), at=LONG_AGO)
    assert "there is nothing to erase" in run("audit", "retention", "--dry-run"), "it is not judged yet"
    run("evaluate")
    told = run("audit", "retention", "--dry-run")
    assert "2012-03-05 08:00" in told and "nothing was written" in told
    assert re.match(r"details of dossiers that ended before \S+ \d\d:\d\d \(Asia/Ho_Chi_Minh\) would be erased", told)
    assert [line.split()[1:6:2] for line in told.splitlines() if "│ 2012" in line] == [
        ["dossiers", "2012", "1"],
        ["observations", "2012", "1"],
    ]
    assert query(engine, "SELECT count(*) FROM tthc.erased") == [0]
    assert "details of 1 dossiers erased in 1 observations" in run("audit", "retention")
    assert "there is nothing to erase" in run("audit", "retention", "--dry-run")
    assert query(engine, "SELECT source_key FROM tthc.dossiers ORDER BY 1") == ["erased:1", "mo"]
