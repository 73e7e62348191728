"""A simulated integration platform: it tells what happens in the world in the national portal's messages, by pushing.

Each event becomes two messages, as real platforms send them: the state of the dossier, and the step that led to it.
Personal fields are there, with plainly fake values, so that whoever takes the messages can prove that none is kept.
"""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tthc_monitor.simulator.office_hours import ZONE
from tthc_monitor.simulator.scripts import Dossier, Event, state_at
from tthc_monitor.simulator.world import World

SENDER: Final = "000.00.00.H99"
NATIONAL_STATUS: Final = {
    "130": 1, "135": 3, "200": 4, "201": 5, "202": 6, "300": 9, "310": 9, "400": 10, "405": 8, "410": 7,
}  # fmt: skip
"""The national portal's code of each step."""
_SENT_BACK: Final = frozenset({"135", "405", "410"})
_TRIES: Final = 20


@dataclass
class PushFaults:
    """Misbehaviour to switch on.

    ``duplicates``
        share of messages that are sent twice, as after a lost answer.
    ``truncated`` / ``wrong_token``
        share of messages of which first a cut one, or one with a wrong token, is sent.
    ``out_of_order``
        share of messages about steps that are held up, and sent after those that follow.
    ``burst``
        how many senders send at once, each the messages of its own dossiers in order.
    """

    duplicates: float = 0.0
    truncated: float = 0.0
    wrong_token: float = 0.0
    out_of_order: float = 0.0
    burst: int = 1


def synchronised(dossier: Dossier) -> dict[str, Any]:
    """The state of a dossier as DongBoHoSoMC tells it."""
    script = dossier.script
    extended = dossier.extended_to is not None and dossier.due_at is not None and dossier.extended_to > dossier.due_at
    return {
        "MaHoSo": number_of(dossier),
        "MaTTHC": script.procedure.code,
        "TenTTHC": script.procedure.name,
        "MaLinhVuc": script.procedure.sector_code,
        "TenLinhVuc": script.procedure.sector_name,
        "KenhThucHien": "2" if script.online else "3" if script.postal else "1",
        "NgayNopHoSo": _text(script.submitted_at),
        "NgayTiepNhan": _text(dossier.received_at),
        "NgayHenTra": _text(dossier.extended_to if extended else dossier.due_at),
        "TrangThaiHoSo": str(NATIONAL_STATUS[dossier.step]),
        "NgayKetThucXuLy": _text(dossier.released_at),
        "NgayTra": _text(dossier.finished_at),
        "NgayTuChoi": _text(dossier.finished_at if dossier.step in _SENT_BACK else None),
        "HinhThuc": "1" if script.postal else "0",
        "DonViXuLy": script.unit.name,
        "DanhSachHoSoBoSung": _requests(dossier),
        **_person(script.applicant),
    }


def progressed(dossier: Dossier, move: Event) -> dict[str, Any]:
    """One event of a dossier as CapNhatTienDoHoSoMC tells it; like most platforms, without a deadline of the step."""
    return {
        "MaHoSo": number_of(dossier),
        "NguoiXuLy": f"Cán Bộ GIẢ {dossier.script.dossier_id % 40}",
        "ChucDanh": "Chuyên viên GIẢ",
        "ThoiDiemXuLy": _text(move.at),
        "PhongBanXuLy": dossier.script.unit.name,
        "NoiDungXuLy": f"Ghi chú GIẢ về công dân {dossier.script.applicant}",
        "TrangThai": str(NATIONAL_STATUS[move.step]),
        "NgayBatDau": "",
        "NgayKetThucTheoQuyDinh": "",
    }


def number_of(dossier: Dossier) -> str:
    """The number under which the platform knows a dossier; one that is never received keeps that of its filing."""
    return dossier.script.code or dossier.script.reference


def envelope(service: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """A message."""
    return {"session": "phiên bí mật", "madonvi": SENDER, "service": service, "isUpdating": "True", "data": records}


def _requests(dossier: Dossier) -> list[dict[str, Any]]:
    found = []
    for number, (asked, answered) in enumerate(dossier.supplement_requests, start=1):
        before = state_at(dossier.script, asked)
        after = None if answered is None else state_at(dossier.script, answered)
        found.append(
            {
                "HoSoBoSungId": str(number),
                "NguoiYeuCauBoSung": "Cán Bộ GIẢ 40",
                "NoiDungBoSung": f"Bổ sung giấy tờ GIẢ của công dân {dossier.script.applicant}",
                "NgayBoSung": _text(asked),
                "NgayTiepNhanBoSung": _text(answered),
                "TrangThaiBoSung": "0" if answered is None else "1",
                "NgayHenTraTruoc": _text(before.due_at if before else None),
                "NgayHenTraMoi": _text(after.due_at if after else None),
            }
        )
    return found


def _person(number: int) -> dict[str, Any]:
    identity = f"0888888{number:05d}" if number % 2 else f"888888{number:04d}"
    return {
        "ChuHoSo": f"CÔNG DÂN GIẢ {number}",
        "LoaiDoiTuong": "1",
        "MaDoiTuong": identity,
        "SoDinhDanh": identity,
        "ThongTinKhac": f"Số {number} đường Không Có Thật",
        "Email": f"nguoi-gia-dinh-{number}@example.invalid",
        "Fax": f"0977777{number:04d}",
        "SoDienThoai": f"0977777{number:04d}",
        "GhiChu": f"Ghi chú GIẢ {number}",
        "NoiNopHoSo": "đường Không Có Thật",
        "TaiLieuNop": [{"TenTepDinhKem": f"CÔNG DÂN GIẢ {number}.pdf"}],
    }


def _text(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(ZONE):%Y%m%d%H%M%S}"


class Pusher:
    """Pushes what happened in a world to ``url``, the address of a source's door.

    ``sent`` counts the messages that were confirmed, repeated ones included; ``refused`` those that were not.
    """

    def __init__(self, world: World, url: str, token: str, faults: PushFaults | None = None, seed: int = 0) -> None:
        self.sent = 0
        self.refused = 0
        self._world = world
        self._url = urlsplit(url)
        self._token = token
        self._faults = faults or PushFaults()
        self._rng = random.Random(seed)

    def messages(self, since: datetime, until: datetime) -> Iterator[tuple[str, bytes]]:
        """Number of the dossier and body of each message about what happened after ``since``, up to ``until``."""
        happened = [
            (move.at, dossier.script.dossier_id, place, dossier)
            for dossier in self._world.dossiers_at(until)
            for place, move in enumerate(dossier.moves)
            if since < move.at <= until
        ]
        for at, _, place, dossier in sorted(happened, key=lambda one: one[:3]):
            then = state_at(dossier.script, at)
            if then is None:
                continue
            number = number_of(dossier)
            yield number, _body("DongBoHoSoMC", synchronised(then))
            yield number, _body("CapNhatTienDoHoSoMC", progressed(then, dossier.moves[place]))

    def push(self, since: datetime, until: datetime) -> int:
        """Send all messages of a period, and repeat each until it is confirmed; returns their number.

        Raises:
            ConnectionError: a message is not confirmed, however often it is sent.
        """
        lanes: list[list[bytes]] = [[] for _ in range(self._faults.burst)]
        held: dict[str, bytes] = {}
        count = 0
        for count, (number, body) in enumerate(self.messages(since, until), start=1):  # noqa: B007 the last one counts
            lane = lanes[sum(number.encode()) % len(lanes)]
            if b"CapNhat" in body and number not in held and self._hits(self._faults.out_of_order):
                held[number] = body
                continue
            lane.append(body)
            if b"CapNhat" in body and number in held:
                lane.append(held.pop(number))
        for number, body in held.items():
            lanes[sum(number.encode()) % len(lanes)].append(body)
        plans = [[attempt for body in lane for attempt in self._attempts(body)] for lane in lanes]
        with ThreadPoolExecutor(len(lanes)) as pool:
            for sent, refused in pool.map(self._send_all, plans):
                self.sent += sent
                self.refused += refused
        return count

    def _hits(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share

    def _attempts(self, body: bytes) -> Iterator[tuple[bytes, str, bool]]:
        """What is sent for a message: body, token, and whether it has to be confirmed."""
        if self._hits(self._faults.truncated):
            yield body[: len(body) * 2 // 3], self._token, False
        if self._hits(self._faults.wrong_token):
            yield body, "sai-" + self._token, False
        yield body, self._token, True
        if self._hits(self._faults.duplicates):
            yield body, self._token, True

    def _send_all(self, attempts: list[tuple[bytes, str, bool]]) -> tuple[int, int]:
        sent = refused = 0
        for body, token, needed in attempts:
            for _ in range(_TRIES):
                confirmed = self._send(body, token)
                sent, refused = sent + confirmed, refused + (not confirmed)
                if confirmed or not needed:
                    break
            else:
                raise ConnectionError(f"the receiver does not confirm after {_TRIES} tries; look at its log")
        return sent, refused

    def _send(self, body: bytes, token: str) -> bool:
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", self._url.path, body, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()
        return answer.status == 200 and told.get("error_code") == "0"


def _body(service: str, record: dict[str, Any]) -> bytes:
    return json.dumps(envelope(service, [record]), ensure_ascii=False).encode()
