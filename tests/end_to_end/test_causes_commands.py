"""``tthc-monitor causes`` as people run it: a workbook goes out, comes back filled, and the report says so."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import Engine, text

from tests.end_to_end.program import run
from tests.end_to_end.test_cli import configure, folder
from tests.postgres.delayed import number, play

__all__ = ["folder"]


@pytest.fixture
def office(folder: Path, engine: Engine) -> Path:
    play(engine)
    configure(folder, f"database: {{url: '{engine.url.render_as_string(hide_password=False)}'}}")
    return folder


def test_a_workbook_goes_out_and_comes_back(office: Path, engine: Engine) -> None:
    done = run("causes", "template", "--period", "2026-10", "--out", "hoi.xlsx", cwd=office).good()
    assert done.out == "hoi.xlsx: 21 dossiers\n"
    book = openpyxl.load_workbook(office / "hoi.xlsx")
    sheet = book["Hồ sơ quá hạn"]
    heads = {cell.value: cell.column for cell in sheet[1]}
    assert "$A$2" in sheet.data_validations.dataValidation[0].formula1
    names = [row[0].value for row in book["Danh mục"].iter_rows(min_row=2, max_row=12)]
    said = " ".join(str(cell.value) for page in book for row in page.iter_rows() for cell in row if cell.value)
    assert names[1] == "Quá tải, thiếu nhân sự", "people choose by name"
    assert not re.search(r"[a-z]+_[a-z]+|tthc-monitor|--", said), "no code, no command line"
    rows = {sheet.cell(line, 1).value: line for line in range(2, sheet.max_row + 1)}
    line = rows[number("own-step")]
    assert sheet.cell(line, heads["Nguyên nhân đang ghi nhận"]).value == "Cán bộ, bộ phận xử lý chậm"
    sheet.cell(line, heads["Nguyên nhân"]).value = names[1]
    sheet.cell(line, heads["Ghi chú"]).value = "thiếu <b>biên chế</b>"
    book.save(office / "hoi.xlsx")

    tried = run("causes", "import", "hoi.xlsx", "--dry-run", cwd=office).good()
    assert tried.out == "hoi.xlsx: 1 causes assigned, 0 taken back, 20 rows without a cause, not written\n"
    run("causes", "import", "hoi.xlsx", "--by", "Chánh Văn phòng", cwd=office).good()
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT code, cause_code, note, assigned_by, file, line, in_force FROM audit.assigned_causes")
        ).all()
        told = connection.execute(
            text("SELECT person, change, changed_rows, look_in FROM audit.changes_by_people WHERE what = 'causes'")
        ).all()
    assert kept == [(number("own-step"), "qua_tai", "thiếu <b>biên chế</b>", "Chánh Văn phòng", "hoi.xlsx", line, True)]
    assert told == [("Chánh Văn phòng", "hoi.xlsx", 1, "assigned_causes")]

    (office / "sai.csv").write_text(
        f"Mã hồ sơ,Nguyên nhân\nH99-khong-co,qua_tai\n{number('frozen')},qua_tai\n", encoding="utf-8"
    )
    wrong = run("causes", "import", "sai.csv", cwd=office)
    assert (wrong.code, wrong.out) == (2, "")
    assert "sai.csv:2: no dossier has the number H99-khong-co; correct it, or pull its data first" in wrong.err
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM tthc.assigned_causes")) == 1


def test_an_office_makes_a_list_of_its_own(folder: Path) -> None:
    configure(folder, "report: {causes_file: nn.yaml}")
    missing = run("causes", "list", cwd=folder)
    assert missing.code == 2 and "correct report.causes_file" in missing.err
    run("causes", "file", "--out", "nn.yaml", cwd=folder).good()
    assert "Quá tải, thiếu nhân sự" in run("causes", "list", cwd=folder).good().out
    again = run("causes", "file", "--out", "nn.yaml", cwd=folder)
    assert again.code == 2 and "is there already" in again.err
    text_of = (folder / "nn.yaml").read_text(encoding="utf-8")
    (folder / "nn.yaml").write_text(
        text_of.replace("    class: subjective\n", "    class: chu_quan\n", 1), encoding="utf-8"
    )
    wrong = run("causes", "list", cwd=folder)
    assert wrong.code == 2 and "nn.yaml:" in wrong.err and "causes.0.class" in wrong.err
