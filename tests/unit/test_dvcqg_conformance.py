"""The dvcqg kind keeps the contract of connectors: pushed to, and reading a spool."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from connectors.base import Connector
from connectors.testing import Conformance
from tests.unit.dvcqg_messages import KEY, MemoryInbox, body, connect, dossier, step, steps

POISON = "CÔNG DÂN GIẢ 0888888888888"
ASKED = [{"NgayBoSung": "20261007090000", "NoiDungBoSung": POISON}]
SENT = (
    body([dossier("a-1", ChuHoSo=POISON), dossier("a-2", DanhSachHoSoBoSung=ASKED), dossier("a-3", NgayTra="?")]),
    steps(step("a-4", NguoiXuLy=POISON), step("a-5", NgayKetThucTheoQuyDinh="")),
)


class TestPushed(Conformance):
    poison = (POISON,)
    secrets = ("PHIEN-BI-MAT", KEY.decode())

    def connector(self) -> Connector:
        connector = connect(inbox := MemoryInbox(), steps_told=True)
        for sent in SENT:
            inbox.put(connector, sent)
        return connector


class TestSpooled(Conformance):
    poison = (POISON,)
    secrets = ("PHIEN-BI-MAT", KEY.decode())

    def setup_method(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        for number, sent in enumerate(SENT):
            (self.folder / f"{number}.json").write_bytes(sent)

    def teardown_method(self) -> None:
        shutil.rmtree(self.folder)

    def connector(self) -> Connector:
        return connect(base=self.folder, spool=".", steps_told=True)

    def broken(self) -> Iterable[Connector]:
        return [connect(base=self.folder, spool="nowhere")]
