"""``tthc-monitor units`` as people run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.program import run
from tests.end_to_end.test_cli import configure, folder
from tests.shared_data import shared

__all__ = ["folder"]

UNITS = """
units:
  - {code: H99, name: Tỉnh Mẫu, kind: province}
  - {code: H99.20, name: UBND huyện Mẫu Cũ, kind: district, parent: H99, valid_to: 2025-07-01}
  - {code: H99.31, name: UBND xã Mẫu Một, kind: commune, parent: H99, valid_from: 2025-07-01}
  - {code: H99.32, name: UBND xã Mẫu Hai, kind: commune, parent: H99, valid_from: 2025-07-01}
successions:
  - {from: H99.20, to: H99.31, date: 2025-07-01, share: 0.6, document: Nghị quyết mẫu 01}
  - {from: H99.20, to: H99.32, date: 2025-07-01, document: Nghị quyết mẫu 01}
  - {from: H99.20, to: H99, date: 2025-07-01, sectors: [H99-DD], document: Nghị quyết mẫu 01}
"""


@pytest.fixture
def office(folder: Path, database_address: str) -> Path:
    configure(folder, f"database: {{url: '{database_address}'}}")
    (folder / "mau.yaml").write_text(UNITS, encoding="utf-8")
    return folder


def test_units_are_imported_listed_and_told(office: Path) -> None:
    tried = run("units", "import", "mau.yaml", "--dry-run", cwd=office).good()
    assert tried.out == "mau.yaml: versions: 4 new, 0 replaced; successions: 3 new, 0 replaced, not written\n"
    assert "H99.31" not in run("units", "list", cwd=office).good().out
    done = run("units", "import", "mau.yaml", "--by", "Phòng KSTT", cwd=office).good()
    assert done.out == "mau.yaml: versions: 4 new, 0 replaced; successions: 3 new, 0 replaced\n"
    assert run("units", "import", "mau.yaml", cwd=office).good().out == "mau.yaml: all known already\n"

    today, before = (run("units", "list", *at, cwd=office).good().out for at in ((), ("--at", "2025-06-30")))
    assert "UBND xã Mẫu Một" in today and "UBND huyện Mẫu Cũ" not in today
    assert "UBND huyện Mẫu Cũ" in before and "30/06/2025" in before and "UBND xã Mẫu Một" not in before

    told = run("units", "show", "H99.20", cwd=office).good().out
    for line in (
        "UBND huyện Mẫu Cũ (H99.20)",
        "  từ trước đến hết 30/06/2025: UBND huyện Mẫu Cũ (Cấp huyện); thuộc Tỉnh Mẫu (H99)",
        "  từ ngày 01/07/2025: UBND xã Mẫu Một (H99.31); tỷ lệ 60 %; theo Nghị quyết mẫu 01",
        "  từ ngày 01/07/2025: Tỉnh Mẫu (H99); lĩnh vực H99-DD; theo Nghị quyết mẫu 01",
        "  hồ sơ của đơn vị: UBND xã Mẫu Một (H99.31)",
        "  riêng lĩnh vực H99-DD: Tỉnh Mẫu (H99)",
    ):
        assert line in told.splitlines(), line
    assert "Kế thừa từ:" in run("units", "show", "H99.31", cwd=office).good().out

    wrong = run("units", "show", "H99.77", cwd=office)
    assert (wrong.code, wrong.out) == (2, "") and "unit H99.77 is not described; correct the code" in wrong.err


def test_a_wrong_file_is_refused_with_all_its_lines_and_nothing_is_written(office: Path) -> None:
    (office / "sai.yaml").write_text(UNITS.replace("to: H99.31", "to: H99.66").replace("0.6", "6"), encoding="utf-8")
    (office / "latin.csv").write_bytes("old_code,xã\n".encode("latin-1"))
    wrong = run("units", "import", "sai.yaml", cwd=office)
    assert wrong.code == 2
    assert "sai.yaml:8: " in wrong.err and "H99.66 is not known" in wrong.err and "share 6 is not between" in wrong.err
    assert "H99.31" not in run("units", "list", cwd=office).good().out
    for arguments, message in (
        (("latin.csv",), "is not UTF-8 at byte 10; save it as UTF-8"),
        (("none.yaml",), "cannot be read: No such file or directory; check the name"),
        (("mau.yaml", "--on", "2025-07-01"), "--on and --document are for CSV files; remove them"),
        (("mau.yaml", "--on", "1/7/2025"), "--on '1/7/2025' is not a day; write it as 2025-07-01"),
    ):
        wrong = run("units", "import", *arguments, cwd=office)
        assert wrong.code == 2 and message in wrong.err, wrong.err


def test_the_reform_of_2025_is_taken_over_whole(office: Path) -> None:
    table = shared("units/old_to_new.csv.gz")
    options = ("--on", "2025-07-01", "--document", "Nghị quyết 202/2025/QH15")
    done = run("units", "import", table, *options, cwd=office).good()
    assert "versions: 13351 new, 0 replaced; successions: 10597 new, 0 replaced" in done.out
    assert "471 units whose successor cannot be told" in done.out
    assert "columns not read: old_district, old_province, new_province, divided, default" in done.err
    told = run("units", "show", "31312", cwd=office).good().out
    assert "hồ sơ của đơn vị: Phường An Bình (31150)" in told and "theo Nghị quyết 202/2025/QH15" in told
