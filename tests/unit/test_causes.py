"""The list of causes and the files in which people say why: what is wrong is told, with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tthc_monitor.catalogue.cause_file import read_said
from tthc_monitor.domain.causes import CLASS_TITLES, parse_causes
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.outputs.cause_list import load_causes, shipped_causes
from tthc_monitor.outputs.shares import percent_of
from tthc_monitor.outputs.spreadsheet_cells import restored

SHIPPED = load_causes(None, Path())


def problems(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return str(error.value).splitlines()


def test_the_shipped_list_has_every_class_and_the_causes_of_offices_reports() -> None:
    assert {cause.kind for cause in SHIPPED.causes} | {"unknown"} == set(CLASS_TITLES)
    assert len(SHIPPED.causes) == 10
    proofs = [proof for cause in SHIPPED.causes for proof in cause.recognised_by]
    assert len({proof.priority for proof in proofs}) == len(proofs), "which proof comes first must never be by chance"
    # What no record can prove is never found by itself.
    assert [cause.code for cause in SHIPPED.causes if not cause.recognised_by] == [
        "qua_tai",
        "ho_so_phuc_tap",
        "vuong_mac_co_che",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("causes: []", "x.yaml:1: "),
        ("causes:\n  - {code: a1, name: A, class: real}", "x.yaml:2: 'causes.0.class': "),
        ("causes:\n  - {code: Á, name: A, class: software}", "x.yaml:2: 'causes.0.code': "),
        ("causes:\n  - {code: a1, name: A, class: software, colour: red}", "unknown key 'causes.0.colour'; remove it"),
        (
            "causes:\n  - {code: a1, name: A, class: software}\n  - {code: a1, name: B, class: software}",
            "x.yaml:3: the code 'a1' stands already on line 2",
        ),
        (
            "causes:\n  - code: a1\n    name: A\n    class: objective\n    recognised_by:\n      - {priority: 1}",
            "x.yaml:6: 'causes.0.recognised_by.0': a proof rests on one of rule, wait, by_due, inherited_within_days, here on none",
        ),
        (
            "causes:\n  - code: a1\n    name: A\n    class: objective\n    recognised_by:\n"
            "      - {priority: 1, wait: obligation, holder: own}",
            "x.yaml:6: 'causes.0.recognised_by.0': 'holder' is said of a proof by 'rule' only; remove it",
        ),
        (
            "causes:\n  - {code: a1, name: Chậm, class: software}\n  - {code: a2, name: chậm, class: software}",
            "several causes are called 'Chậm'",
        ),
        ("causes:\n  - {code: unknown, name: A, class: objective}", "'unknown' is the code of what nothing explains"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_causes(text, "x.yaml")
    assert any(told in line for line in problems(error)), problems(error)


def test_a_list_of_ones_own_is_read_from_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "nn.yaml").write_text(shipped_causes(), encoding="utf-8-sig")
    assert load_causes("nn.yaml", tmp_path) == SHIPPED
    with pytest.raises(ConfigError, match=r"cannot be read.*correct report\.causes_file"):
        load_causes("khong-co.yaml", tmp_path)
    (tmp_path / "nn.yaml").write_bytes(b"causes: [\xff]")
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 9"):
        load_causes("nn.yaml", tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_says_by_code_by_name_or_by_both(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ("Đơn vị", "Mã hồ sơ", "Nguyên nhân", "Ghi chú"),
        ("X", "H99-1", "qua_tai", "thiếu người"),
        ("X", "H99-2", "quá tải, thiếu nhân sự", ""),
        ("X", "'=H99-3", "bam_cham – tên gì cũng được", ""),
        ("X", "H99-4", "", "chưa biết"),
        ("X", "H99-5", "-", ""),
    ]
    text = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8-sig")
    said, blank = read_said(tmp_path / "a.csv", SHIPPED, restored)
    assert [(one.number, one.cause and one.cause.code, one.note, one.line) for one in said] == [
        ("H99-1", "qua_tai", "thiếu người", 2),
        ("H99-2", "qua_tai", "", 3),
        ("=H99-3", "bam_cham", "", 4),
        ("H99-5", None, "", 6),
    ]
    assert blank == 1


def test_every_row_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"Mã hồ sơ,Nguyên nhân,Ghi chú\nA,luoi,\n,qua_tai,\nB,qua_tai,{'x' * 501}\nC,qua_tai,\nC,bam_cham,\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as error:
        read_said(path, SHIPPED)
    assert [line.removeprefix(f"{path}:").split(";")[0] for line in problems(error)] == [
        "2: unknown cause 'luoi'",
        "3: no dossier is named",
        "4: the note has 501 characters",
        "6: dossier C stands already on line 5",
    ]


def test_a_workbook_says_the_same_and_names_the_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ("Mã hồ sơ", "Nguyên nhân", "Ghi chú"),
        ("A", "qua_tai", None),
        ("B", None, None),
        ("C", "luoi", None),
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ConfigError, match=r"a\.xlsx:4: unknown cause 'luoi'"):
        read_said(tmp_path / "a.xlsx", SHIPPED)
    sheet["B4"] = "bam_cham"
    book.save(tmp_path / "a.xlsx")
    said, blank = read_said(tmp_path / "a.xlsx", SHIPPED)
    assert [(one.number, one.line) for one in said] == [("A", 2), ("C", 4)] and blank == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("khong-co.csv", None, "does not exist"),
        ("a.ods", b"x", "give one ending in .csv or .xlsx"),
        ("a.csv", "Mã,Nguyên nhân\n".encode(), "no column 'Mã hồ sơ'"),
        ("a.csv", b"\xff\xfe", "is not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        read_said(tmp_path / name, SHIPPED)


def test_a_share_of_nothing_is_no_data() -> None:
    assert percent_of(0, 0) is None
    assert (
        str(percent_of(1, 8)) == "12.50" and str(percent_of(1, 3)) == "33.33" and str(percent_of(49, 32000)) == "0.15"
    )
