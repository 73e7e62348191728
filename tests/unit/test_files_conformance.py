"""The files kind keeps the contract of connectors: over CSV, over workbooks, and with files that cannot be read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import Connector
from connectors.files import FilesConnector, FilesOptions
from connectors.testing import Conformance, surroundings
from tests.unit.test_files_connector import book_of, csv_of

POISON = "CÔNG DÂN GIẢ 0888888888888"
ROWS: list[list[Any]] = [
    ["id", "Người nộp", "Trạng thái", "due", "Ghi chú"],
    ["a", POISON, "Xong", "01/02/2026", POISON],
    ["b", POISON, "lạ", "01/02/2026", POISON],
    ["c", POISON, "Xong", "không rõ", POISON],
]


class TestCsv(Conformance):
    poison = (POISON,)
    name: ClassVar[str] = "a.csv"

    def setup_method(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.write(self.folder)

    def teardown_method(self) -> None:
        shutil.rmtree(self.folder)

    def write(self, folder: Path) -> None:
        csv_of(folder, "\n".join(",".join(row) for row in [*ROWS, ["d", POISON, "Xong"]]))

    def over(self, path: str, **more: Any) -> Connector:
        columns = {
            "source_key": "id", "applicant_hash": "Người nộp", "status": "Trạng thái",
            "due_current": {"column": "due", "format": "%d/%m/%Y"},
        }  # fmt: skip
        options = {"path": path, "zone": "Asia/Ho_Chi_Minh", "statuses": {"Xong": 10}, "columns": columns, **more}
        return FilesConnector("list", FilesOptions.model_validate(options), surroundings(self.folder))

    def connector(self) -> Connector:
        return self.over(self.name, reread="changed")

    def broken(self) -> Iterable[Connector]:
        content = (self.folder / self.name).read_bytes()
        for name, wrong in (("empty", b""), ("cut", content[: len(content) // 2]), ("other", POISON.encode("utf-16"))):
            csv_of(self.folder, wrong, name + self.name)
        # Half a CSV file is a file; half a workbook is none.
        names = ("missing", "empty", "other", *([] if self.name.endswith("csv") else ["cut"]))
        return [self.over(name + self.name) for name in names]


class TestWorkbook(TestCsv):
    name = "a.xlsx"

    def write(self, folder: Path) -> None:
        book_of(folder, ROWS)
