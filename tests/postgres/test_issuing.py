"""A report is issued whole and of one moment, or not at all; with the rights of the service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rules.loader import load_packs
from tests.postgres.seed import at
from tests.postgres.test_frozen import FROZEN_AT, MARCH, MARCH_ROWS, OPEN
from tests.postgres.test_ledger import query, take
from tthc_monitor import issuing
from tthc_monitor.domain.errors import BusyError, ConfigError, DeliveryError
from tthc_monitor.domain.published import PublishedRow
from tthc_monitor.installation import Installation
from tthc_monitor.outbox_report import monthly_report
from tthc_monitor.outputs.whole_file import require_folder
from tthc_monitor.settings import load_settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.issued import IssueScope, read_issues
from tthc_monitor.store.issued_proof import issues_that_changed
from tthc_monitor.store.published import save_published

ALL = IssueScope()


@pytest.fixture
def installation(service_engine: Engine, tmp_path: Path) -> Installation:
    file = tmp_path / "tthc-monitor.yaml"
    file.write_text("sources: []\n", encoding="utf-8")
    take(service_engine, *MARCH_ROWS, at=at("2026-03-30"))
    return Installation(
        load_settings(file), service_engine, load_packs(("core",), tmp_path), lambda: FROZEN_AT, tmp_path
    )


def test_json_tells_of_the_issue_that_it_is(installation: Installation, tmp_path: Path) -> None:
    (path,) = issuing.issue_report(installation, MARCH, tmp_path, ALL, ("json",), person="B", number=" 05/BC-VPUB ")[1]
    told = json.loads(path.read_text(encoding="utf-8"))["issued"]
    assert told == {
        "number": "05/BC-VPUB",
        "at": "2026-04-02T09:30:00+07:00",
        "is_this_report": True,
        "previous_digest": "0" * 64,
        "digest": None,
    }


def test_the_fingerprint_covers_the_files_that_are_named_and_what_people_said(
    installation: Installation, tmp_path: Path
) -> None:
    def fingerprint(*units: str) -> str:
        return issuing.issue_report(installation, MARCH, tmp_path, IssueScope(units), ("json",), person="B")[
            0
        ].made_from.settings_hash

    heads = tmp_path / "lanh-dao.csv"
    report = installation.settings.report.model_copy(update={"heads_file": heads.name})
    installation = replace(installation, settings=installation.settings.model_copy(update={"report": report}))
    row = "{},Giám đốc\n"
    heads.write_text("unit_code,title\n" + row.format("H99.01"), encoding="utf-8")
    first, same = fingerprint(), fingerprint("H99.01")
    heads.write_text("unit_code,title\n" + row.format("H99.02"), encoding="utf-8")
    other = fingerprint("H99.02")
    with transaction(installation.engine) as connection:
        save_published(
            connection,
            [PublishedRow("dòng 2", "H99.01", None, None, None, {"total_received": 1}, {})],
            MARCH,
            publisher="Cổng DVCQG",
            counted_by="national_766",
            index_source="",
            file="so.csv",
            content=b"x",
            by="B",
            now=FROZEN_AT,
        )
    assert first == same and len({first, other, fingerprint("H99.01", "H99.02")}) == 3


def issue(installation: Installation, folder: Path, scope: IssueScope = ALL) -> list[Path]:
    return issuing.issue_report(installation, MARCH, folder, scope, ("xlsx",), person="Trần Thị B")[1]


def test_what_comes_in_while_a_report_is_made_stops_it(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = issuing.build_report

    def interrupted(*given: Any, **named: Any) -> Any:
        report = build(*given, **named)
        take(installation.engine, *MARCH_ROWS[1:], OPEN | {"status": 9}, at=at("2026-04-02"))
        return report

    with monkeypatch.context() as fault:
        fault.setattr(issuing, "build_report", interrupted)
        with pytest.raises(BusyError, match="records came in while the report of 2026-03 was made"):
            issue(installation, tmp_path / "ra")
    assert not (tmp_path / "ra").exists()
    assert query(installation.engine, "SELECT count(*) FROM audit.frozen_periods") == [0]
    assert issue(installation, tmp_path / "ra")[0].is_file()


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_issued(
    installation: Installation, tmp_path: Path
) -> None:
    blocked = tmp_path / "ra"
    blocked.write_text("a file where the folder should be", encoding="utf-8")
    for folder in (blocked, blocked / "2026"):
        with pytest.raises(DeliveryError, match=r"the folder .*ra.* cannot be written: .*check it and its rights$"):
            issue(installation, folder)
    with transaction(installation.engine) as connection:
        assert not read_issues(connection)
    assert query(installation.engine, "SELECT count(*) FROM audit.frozen_periods") == [0]
    with pytest.raises(ConfigError, match="give the name"):
        issuing.issue_report(installation, MARCH, tmp_path / "a" / "b", ALL, ("xlsx",), person="")
    require_folder(tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir() if path.name in ("a", "ra")] == ["ra"], "trying leaves nothing"


def test_a_folder_that_vanishes_meanwhile_loses_nothing(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, blocked = issuing.keep_issue, tmp_path / "ra"

    def blocks(*given: Any, **named: Any) -> Any:
        blocked.write_text("a file where the folder should be", encoding="utf-8")
        return keep(*given, **named)

    monkeypatch.setattr(issuing, "keep_issue", blocks)
    with pytest.raises(
        DeliveryError, match=r"2026-03 IS issued \(issue 1, .*cannot be written.*tthc-monitor report monthly"
    ):
        issue(installation, blocked)
    (path,) = monthly_report(installation, MARCH, tmp_path / "lai", formats=("xlsx",))
    with transaction(installation.engine) as connection:
        ((told,),) = [one.files for one in read_issues(connection)]
    assert (path.name, path.stat().st_size) == (told.name, told.size)


def test_what_a_report_was_made_from_is_kept_and_issues_are_a_chain(installation: Installation, tmp_path: Path) -> None:
    issue(installation, tmp_path)
    issue(installation, tmp_path, IssueScope(("H99.01",)))
    with transaction(installation.engine) as connection:
        first, second = read_issues(connection)
        assert list(issues_that_changed(connection)) == []
    assert second.previous_digest == first.digest and first.previous_digest == "0" * 64
    made = first.made_from
    assert (made.ledger_link, made.calendar_version_id) == (1, 1)
    assert all(
        len(value) == 64 for value in (made.ledger_head or "", made.units_hash, made.template_hash, made.settings_hash)
    )
    assert (
        query(installation.engine, "SELECT what, change FROM audit.changes_by_people WHERE what = 'issued_report'")
        == [("issued_report", "2026-03")] * 2
    )
    with transaction(installation.engine) as connection:
        with pytest.raises(DBAPIError, match="kept whole"), connection.begin_nested():
            connection.execute(text("INSERT INTO tthc.issued_files VALUES (1, 'x', 'xlsx', 1, 'x', 'x')"))
        with pytest.raises(DBAPIError, match="permission denied"), connection.begin_nested():
            connection.execute(text("UPDATE tthc.issued_files SET size = 1"))
