"""The mappings of the examples, over the real files: the verdicts of their owners come out to the row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from connectors.base import Surroundings
from connectors.files import FilesConnector, FilesOptions
from tests.shared_data import shared
from tests.unit.test_files_connector import book_of
from tests.unit.test_files_quirks import cp1258
from tthc_monitor.domain.yaml_text import parse_yaml, validate

EXAMPLES = Path(__file__).parents[2] / "examples"


def records(example: str, values: Mapping[str, str]) -> pl.DataFrame:
    path = EXAMPLES / example / "tthc-monitor.yaml"

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], match[2])

    document = parse_yaml(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, path.read_text("utf-8")), str(path))
    options = validate(FilesOptions, document.at("sources", 0, "options"))
    connector = FilesConnector(example, options, Surroundings(lambda: datetime.now(UTC), path.parent))
    batches = [connector.map(page) for page in connector.fetch(None)]
    assert all(batch.rejects == () and batch.unknown == {} for batch in batches)
    return pl.concat(batch.records for batch in batches)


def test_boston_judges_as_the_city_does() -> None:
    frame = records("boston311", {"BOSTON311_CSV": str(shared("boston311_2015q1/cases.csv.gz"))})
    assert frame.height == 26_788
    judged = frame.drop_nulls(["due_current", "finished_at", "source_verdict"])
    assert judged.height == 14_867
    late = judged["finished_at"] > judged["due_current"]
    assert (late == (judged["source_verdict"] == "late")).all()


@pytest.mark.parametrize(("due", "late"), [("start_of_day", 505), ("end_of_day", 433)])
def test_st_louis_depends_on_what_a_due_date_means(due: str, late: int) -> None:
    path = str(shared("stlouis_csb_2018/january_2018.csv.gz"))
    frame = records("stlouis", {"STLOUIS_CSV": path, "STLOUIS_DUE": due}).unique("source_key", keep="last")
    assert frame.height == 1_532
    assert frame["status"].null_count() == 0
    assert (frame["finished_at"] > frame["due_current"]).sum() == late


def workbook_options(source: int) -> FilesOptions:
    path = EXAMPLES / "workbooks" / "tthc-monitor.yaml"
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", path.read_text("utf-8"))
    return validate(FilesOptions, parse_yaml(text, str(path)).at("sources", source, "options"))


def test_lists_of_communes_are_read_through_all_their_oddities(tmp_path: Path) -> None:
    folder = tmp_path / "danh-sach-xa"
    folder.mkdir()
    head = [
        "STT",
        "Đơn vị",
        "Mã hồ sơ",
        "Mã TTHC",
        "Mã điểm",
        "Trạng thái",
        "Ngày nhận",
        "Ngày hẹn",
        "Số lần bổ sung",
        "Chủ hồ sơ",
    ]
    book_of(folder, [
        ["DANH SÁCH HỒ SƠ TRỄ HẠN"], [], head, [f"({number})" for number in range(1, 11)],
        [1, "UBND xã Mẫu Thượng", "H99.31.01-260105-0001", 1.00386, 42, "Đang giải quyết", "05/01/2026 08:00", 46034, "1.000", "A"],
        [2, None, "H99.31.01-260105-0002", "1.003860", "00042", "chờ bổ sung", 46027, "12/01/2026", "-", "B"],
        [None, "Cộng: 2"],
        [3, "Xã Mẫu Hạ", "H99.31.02-260105-0003", "2.001", 7, "Đã trả", datetime(2026, 1, 5, 8), "12/01/2026", 0, "C"],
        ["Tổng cộng: 3"],
    ], "tuan-1.xlsx")  # fmt: skip
    connector = FilesConnector("xa", workbook_options(0), Surroundings(lambda: datetime.now(UTC), tmp_path))
    (page,) = connector.fetch(None)
    mapped = connector.map(page)
    assert (mapped.rejects, mapped.unknown) == ((), {})
    frame = mapped.records
    assert frame["unit_code"].to_list() == ["H99.31.01", "H99.31.01", "H99.31.02"]
    assert frame["procedure_code"].to_list() == ["1.003860", "1.003860", "2.001000"]
    assert frame["receiving_unit_code"].to_list() == ["00042", "00042", "00007"]
    assert frame["status"].to_list() == [4, 5, 10]
    assert frame["supplement_count"].to_list() == [1000, None, 0]
    assert frame["received_at"].dt.date().to_list() == [date(2026, 1, 5), date(2026, 1, 4), date(2026, 1, 5)]
    assert frame["due_current"].unique().to_list() == [datetime(2026, 1, 12, 16, 59, 59, 999999, tzinfo=UTC)]


def test_a_hotlines_list_is_handed_in_and_holds_petitions(tmp_path: Path) -> None:
    text = "PHẢN ÁNH\nMã phản ánh,Đơn vị xử lý,Ngày gửi,Hạn xử lý,Ngày công khai\nPA1,Xã Mẫu,05/01/2026 08:00,12/01/2026,\n"
    (tmp_path / "7f3a").write_bytes(cp1258(text))
    connector = FilesConnector("1022", workbook_options(2), Surroundings(lambda: datetime.now(UTC), tmp_path))
    assert list(connector.fetch(None)) == []
    handed = connector.over(tmp_path / "7f3a", "phan-anh.csv")
    (page,) = handed.fetch(None)
    batch = handed.normalise(page)
    assert batch.rejects == ()
    assert batch.records.select("source_key", "kind", "unit_name").rows() == [("PA1", "petition", "Xã Mẫu")]
