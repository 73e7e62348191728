"""The plug-in against the contract of connectors: all that a plug-in has to write."""

import json
from pathlib import Path
from typing import Any

import pytest
from ward_book import WardBook, WardBookOptions

from connectors.base import Connector
from connectors.testing import Conformance, surroundings


class TestWardBook(Conformance):
    poison = ("Nguyễn Văn Mẫu", "0900000000")

    def connector(self) -> Connector:
        return WardBook("phuong-mau", WardBookOptions(path="so.jsonl", unit_code="H99.36"), HERE)

    def broken(self) -> list[Connector]:
        return [WardBook("phuong-mau", WardBookOptions(path="nowhere.jsonl", unit_code="H99.36"), HERE)]


GOOD = {"so": "H99.36-260923-0001", "thu_tuc": "1.001234", "nhan": "2026-09-23T08:15:00+07:00", "tinh_trang": "da tra"}
NAMED = {"ten": "Nguyễn Văn Mẫu"}


@pytest.mark.parametrize(
    "line",
    [
        *(json.dumps({**GOOD, name: value}) for name in ("so", "thu_tuc", "nhan", "tinh_trang")
          for value in (NAMED, [NAMED], True, "\ud800")),
        "[" * 100_000,
        json.dumps({**GOOD, "nhan": "0001-01-01T00:00:00+14:00"}),
        json.dumps({**GOOD, "so": " "}),
        json.dumps([GOOD]),
        '{"so": ' + "9" * 5_000 + "}",
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_an_entry_is_refused_alone_and_not_kept(line: str, tmp_path: Path) -> None:
    """Whatever it holds, a name where a code should be say, the line after it lands."""
    (tmp_path / "so.jsonl").write_text(f"{line}\n{json.dumps(GOOD)}\n", encoding="utf-8")
    book = WardBook("phuong-mau", WardBookOptions(path=Path("so.jsonl"), unit_code="H99.36"), surroundings(tmp_path))
    (page,) = book.fetch(None)
    batch = book.normalise(page)
    assert batch.records["source_key"].to_list() == [GOOD["so"]]
    assert [(reject.location, reject.row) for reject in batch.rejects] == [("so.jsonl", 1)]
    assert "Mẫu" not in repr(page) + repr(batch.rejects)


def test_numbers_stand_for_texts_and_an_empty_text_for_nothing(tmp_path: Path) -> None:
    """What people and programs write into such files."""
    entry: dict[str, Any] = {**GOOD, "so": 17, "thu_tuc": " ", "hen": ""}
    (tmp_path / "so.jsonl").write_text(json.dumps(entry), encoding="utf-8")
    book = WardBook("phuong-mau", WardBookOptions(path=Path("so.jsonl"), unit_code="H99.36"), surroundings(tmp_path))
    (record,) = (row for page in book.fetch(None) for row in book.normalise(page).records.to_dicts())
    assert (record["source_key"], record["procedure_code"], record["due_current"]) == ("17", None, None)


HERE = surroundings(Path(__file__).parent)
