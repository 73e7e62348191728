"""The plug-in against the contract of connectors: all that a plug-in has to write."""

from pathlib import Path

from ward_book import WardBook, WardBookOptions

from connectors.base import Connector
from connectors.testing import Conformance, surroundings


class TestWardBook(Conformance):
    poison = ("Nguyễn Văn Mẫu", "0900000000")

    def connector(self) -> Connector:
        return WardBook("phuong-mau", WardBookOptions(path="so.jsonl", unit_code="H99.36"), HERE)

    def broken(self) -> list[Connector]:
        return [WardBook("phuong-mau", WardBookOptions(path="nowhere.jsonl", unit_code="H99.36"), HERE)]


HERE = surroundings(Path(__file__).parent)
