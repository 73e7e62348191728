"""What is left of a message of the national portal, and what becomes of the rest."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Message, Page, Received
from connectors.dvcqg.messages import RECORDS_TOGETHER
from tests.unit.dvcqg_messages import (
    KEY,
    NOW,
    Ledger,
    MemoryInbox,
    body,
    connect,
    dossier,
    envelope,
    local,
    step,
    steps,
)
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Batch

POISON = "CÔNG DÂN GIẢ 079888888888 gia-dinh@example.invalid +84977777777"
PERSONAL = (
    *("ChuHoSo", "LoaiDoiTuong", "MaDoiTuong", "LoaiDinhDanh", "SoDinhDanh", "ThongTinKhac", "Email", "Fax"),
    *("SoDienThoai", "TrichYeuHoSo", "ThongTinTra", "GhiChu", "NoiNopHoSo", "TaiKhoanDuocXacThucVoiVNeID", "MaCSDL"),
    *("NguoiXuLy", "ChucDanh", "NoiDungXuLy", "HinhThuc", "isUpdating", "session", "lạ"),
)
LISTS = ("TaiLieuNop", "DanhSachLePhi", "DanhSachTepDinhKemKhac", "DanhSachGiayToKetQua")
REQUEST = {
    "HoSoBoSungId": "1",
    "NgayBoSung": "20261007090000",
    "NgayTiepNhanBoSung": "20261009100000",
    "NgayHenTraTruoc": "20261015163000",
    "NgayHenTraMoi": "20261019163000",
}


def normalised(received: Received, **options: Any) -> list[Batch]:
    inbox = MemoryInbox()
    connector = connect(inbox, **options)
    for content in received.contents:
        inbox.kept.append(Message(len(inbox.kept) + 1, NOW, json.loads(json.dumps(content))))
    return [connector.normalise(page) for page in connector.fetch(None)]


def records(sent: bytes, **options: Any) -> list[dict[str, Any]]:
    received = connect(**options).receive(sent)
    return [record for batch in normalised(received, **options) for record in batch.records.to_dicts()]


def rejects(sent: bytes, **options: Any) -> list[tuple[Any, ...]]:
    received = connect(**options).receive(sent)
    return [
        (one.location, one.row, one.column, one.reason.split(";")[0], one.value)
        for batch in normalised(received, **options)
        for one in batch.rejects
    ]


# -- the edge ---------------------------------------------------------------------------------------------------------


def test_no_personal_value_leaves_a_message_whatever_field_it_stands_in() -> None:
    poison: dict[str, Any] = dict.fromkeys(PERSONAL, POISON) | {
        name: [{name: POISON, "sâu": {"hơn": [POISON]}}] for name in LISTS
    }
    request = REQUEST | dict.fromkeys(
        ("NguoiYeuCauBoSung", "NoiDungBoSung", "NguoiTiepNhanBoSung", "ThongTinTiepNhan", "TrangThaiBoSung"), POISON
    )
    data = dossier(**poison, DanhSachHoSoBoSung=[request, POISON, {"NgayBoSung": POISON}])
    for sent in (body([data, POISON, {POISON: POISON}, [POISON]], **poison), steps(step(**poison), POISON)):
        told(sent, [POISON])


@pytest.mark.parametrize("name", [*dossier(), *step(), *REQUEST])
def test_no_personal_value_stands_in_for_a_code_or_a_date(name: str) -> None:
    """A field that should hold a code keeps no contact, and none keeps what is nested."""
    values: list[Any] = [POISON, {"ten": POISON}, [POISON], [[{"ten": [POISON]}]]]
    for value in values:
        if name in ("TenTTHC", "TenLinhVuc", "DonViXuLy", "PhongBanXuLy") and isinstance(value, str):
            continue  # the name of a procedure, sector or unit is a free text, and is kept as one
        request = {**REQUEST, name: value} if name in REQUEST else REQUEST
        poisoned: dict[str, Any] = {name: value} if name not in REQUEST else {}
        if name == "DanhSachHoSoBoSung" or "DanhSachHoSoBoSung" not in poisoned:
            poisoned.setdefault("DanhSachHoSoBoSung", [request])
        told(body([dossier(**poisoned)]), [POISON])
        told(steps(step(**poisoned)), [POISON])


def told(sent: bytes, marks: list[str]) -> None:
    """Nothing of the marks is in what is kept, answered, told, remembered or refused."""
    for key in (KEY, None):
        connector = connect(inbox := MemoryInbox(), key=key)
        answer = inbox.put(connector, sent)
        pages: list[Page] = list(connector.fetch(None))
        batches = [connector.normalise(page) for page in pages]
        everything = [
            json.dumps([answer, [one.content for one in inbox.kept]], ensure_ascii=False),
            json.dumps([(page.content, page.cursor, page.location) for page in pages], ensure_ascii=False),
            *(batch.records.write_csv() + repr(batch.rejects) + repr(batch.unknown) for batch in batches),
        ]
        for mark in [*marks, "079888888888", "gia-dinh", "977777777", "PHIEN-BI-MAT"]:
            assert not [text for text in everything if mark in text]


@given(st.recursive(st.text() | st.none() | st.integers() | st.floats(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["data", "service", "madonvi", "DongBoHoSoMC", "MaHoSo", "NgayTiepNhan", "DanhSachHoSoBoSung"])
    | st.text(), one), max_leaves=20))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_is_taken_or_refused_and_never_breaks(anything: Any) -> None:
    for sent in (json.dumps(anything).encode(), body(anything), body([dossier(), anything]), steps(anything)):
        connector = connect(inbox := MemoryInbox())
        with suppress(PermanentSourceError):
            inbox.put(connector, sent)
        Ledger().pull(connector)


@given(st.dictionaries(st.sampled_from([*dossier(), *step()]), st.text() | st.integers() | st.floats() | st.none()))
@settings(max_examples=150, deadline=None)
def test_a_record_with_any_values_is_told_or_is_a_reject(fields: dict[str, Any]) -> None:
    for sent in (body([dossier(**fields)]), steps(step(**fields))):
        assert len(records(sent)) + len(rejects(sent)) == 1


def test_characters_that_no_database_keeps_do_not_get_there() -> None:
    (kept,) = records(body([dossier(TenTTHC="Cấp\u0000 phép\ud800\u200b  xây", DonViXuLy="Sở\u0000")]))
    assert kept["procedure_name"] == "Cấp phép xây"
    assert kept["unit_code"] == "Sở"


def test_the_applicant_is_a_keyed_hash_that_is_made_before_anything_is_kept() -> None:
    (first,) = records(body([dossier(SoDinhDanh="079888888888", MaDoiTuong="1")]))
    (second,) = records(body([dossier("H99.05-261005-0002", MaDoiTuong=79888888888)]))
    (other,) = records(body([dossier(SoDinhDanh="079888888889")]))
    assert first["applicant_hash"] == second["applicant_hash"] != other["applicant_hash"]
    assert len(first["applicant_hash"]) == 64
    assert [one["applicant_hash"] for one in records(body([dossier(SoDinhDanh="079888888888")]), key=None)] == [None]
    assert "applicant_hash" in connect().provides and "applicant_hash" not in connect(key=None).provides


# -- envelopes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "not JSON, or is cut off"),
        (body([dossier()])[:-40], "is cut off"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'{"data": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"7", "not a JSON object"),
        (b"[]", "holds no message"),
        (body([], service="TraCuuHoSo"), "service is neither"),
        (json.dumps({"data": []}).encode(), "service is neither"),
        (json.dumps({"service": "DongBoHoSoMC"}).encode(), "data is not a list"),
        (body("x"), "data is not a list"),
        (body([{}] * 1001), "more than 1000 of its records cannot be taken"),
        (json.dumps([envelope([7])] * 1001).encode(), "more than 1000 of its records cannot be taken"),
    ],
)
def test_a_body_that_is_no_message_is_refused_with_what_to_do(sent: bytes, reason: str) -> None:
    connector = connect()
    with pytest.raises(PermanentSourceError, match=reason) as caught:
        connector.receive(sent)
    assert ";" in str(caught.value)
    answer = connector.refusal(str(caught.value))
    assert answer == {"error_code": "1", "message": str(caught.value)}


def test_a_message_that_is_taken_is_answered_in_the_portals_form() -> None:
    answer = connect().receive(body([dossier(), {"MaHoSo": ""}, 7, dossier("a b")])).answer
    assert answer["error_code"] == "0"
    assert answer["message"].startswith("records taken: 1; cannot be read: 3 (record 2: MaHoSo is missing")
    assert connect().receive(body([])).contents == []


def test_a_list_of_requests_without_end_rejects_its_record_alone() -> None:
    sent = body([dossier("a-1", DanhSachHoSoBoSung=[1] * 200_000), dossier("a-2", DanhSachHoSoBoSung=[REQUEST] * 100)])
    received = connect().receive(sent)
    assert len(json.dumps(received.contents)) < 20_000, "it is not kept either"
    assert "record 1: DanhSachHoSoBoSung has more than 100 entries" in received.answer["message"]
    assert [(one["code"], one["supplement_count"]) for one in records(sent)] == [("a-2", 100)]
    assert rejects(sent) == [("message 1", 1, "DanhSachHoSoBoSung", "has more than 100 entries", None)]
    many = body([dossier("a-1", DanhSachHoSoBoSung=[1] * 101)] * 1001)
    with pytest.raises(PermanentSourceError, match="cannot be taken; look at what is sent"):
        connect().receive(many)


@pytest.mark.parametrize("written", ["NaN", "1e400", "-Infinity"])
def test_what_is_no_number_is_neither_a_key_nor_a_code(written: str) -> None:
    def sent(**fields: Any) -> bytes:
        return body([dossier(**fields), dossier("a-2")]).replace(b'"#"', written.encode())

    assert [one["code"] for one in records(sent(MaHoSo="#"))] == ["a-2"]
    assert rejects(sent(MaHoSo="#"))[0][1:3] == (1, "MaHoSo")
    (kept, _) = records(sent(MaTTHC="#", TenTTHC="#", TrangThaiHoSo="#", SoDinhDanh="#"))
    told = (kept["procedure_code"], kept["procedure_name"], kept["status"], kept["source_status"])
    assert told == ("?", None, None, "?") and kept["applicant_hash"] is None


def test_one_object_stands_for_a_list_of_one() -> None:
    request = {"NgayBoSung": "20261007090000"}
    (kept,) = records(body(dossier(DanhSachHoSoBoSung=request)))
    assert kept["supplement_count"] == 1


def test_a_list_of_messages_and_a_byte_order_mark_are_read() -> None:
    both = [envelope([dossier("a-1")]), envelope([dossier("a-2")])]
    assert [one["code"] for one in records(b"\xef\xbb\xbf" + json.dumps(both).encode())] == ["a-1", "a-2"]


def test_a_long_message_is_kept_in_pieces_with_its_row_numbers() -> None:
    data = [dossier(f"a-{number}") for number in range(2 * RECORDS_TOGETHER + 1)]
    data[-1]["NgayTiepNhan"] = "hôm qua"
    received = connect().receive(body(data))
    assert [len(content["records"]) for content in received.contents] == [RECORDS_TOGETHER, RECORDS_TOGETHER, 1]
    assert rejects(body(data)) == [
        ("message 3", len(data), "NgayTiepNhan", "not a date yyyyMMddHHmmss between 2000 and 2099", None)
    ]


# -- records ----------------------------------------------------------------------------------------------------------


def test_every_field_of_a_dossier_comes_to_its_place() -> None:
    sent = body(
        [
            dossier(
                NgayTra="20261016090000",
                NgayKetThucXuLy="20261015100000",
                TrangThaiHoSo=10,
                NgayNopHoSo=20261005080000,
                DanhSachHoSoBoSung=[
                    {**REQUEST, "NgayBoSung": "20261012090000", "NgayTiepNhanBoSung": "", "NgayHenTraTruoc": ""},
                    REQUEST,
                ],
            )
        ]
    )
    (kept,) = records(sent, units={"sở xây dựng Tỉnh Mẫu": "H99.05"})
    assert {name: value for name, value in kept.items() if value is not None} == {
        "source_key": "H99.05-261005-0001",
        "code": "H99.05-261005-0001",
        "kind": "dossier",
        "procedure_code": "1.008891",
        "procedure_name": "Cấp chứng chỉ",
        "sector_code": "KT",
        "sector_name": "Kiến trúc",
        "unit_code": "H99.05",
        "unit_name": "Sở Xây dựng tỉnh Mẫu",
        "channel": "online",
        "status": 10,
        "source_status": "10",
        "submitted_at": local("20261005080000"),
        "received_at": local("20261005090000"),
        "due_current": local("20261019163000"),
        "finished_at": local("20261015100000"),
        "delivered_at": local("20261016090000"),
        "supplement_requested_at": local("20261012090000"),
        "supplement_count": 2,
        "due_original": local("20261015163000"),
    }


def test_every_field_of_a_step_comes_to_its_place() -> None:
    (kept,) = records(steps(step()), units={"Phòng Mẫu": "H99.05.01"})
    assert {name: value for name, value in kept.items() if value is not None} == {
        "source_key": "H99.05-261005-0001",
        "code": "H99.05-261005-0001",
        "kind": "dossier",
        "status": 4,
        "source_status": "4",
        "step_unit_code": "H99.05.01",
        "step_started_at": local("20261006100000"),
        "step_due_at": local("20261008113000"),
        "last_step_at": local("20261006100000"),
    }
    (bare,) = records(steps(step(NgayBatDau="", NgayKetThucTheoQuyDinh="", TrangThai="")))
    (filed,) = records(steps(step(TrangThai="1")))
    assert filed["last_step_at"] is None, "filing is no step of the resolving"
    assert bare["step_started_at"] == bare["last_step_at"] and bare["step_due_at"] is bare["status"] is None


@pytest.mark.parametrize("status", range(1, 11))
def test_the_national_statuses_are_known_as_number_and_as_text(status: int) -> None:
    for written in (status, str(status), f"{status:02d}", float(status)):
        (kept,) = records(body([dossier(TrangThaiHoSo=written)]))
        assert kept["status"] == status


def test_an_unknown_status_is_kept_and_not_guessed() -> None:
    (kept,) = records(body([dossier(TrangThaiHoSo="11")]))
    assert (kept["status"], kept["source_status"]) == (None, "11")
    (mapped,) = records(body([dossier(TrangThaiHoSo="Đang Xử lý")]), statuses={"đang xử lý": 4, "11": 8})
    assert (mapped["status"], mapped["source_status"]) == (4, "Đang Xử lý")


@pytest.mark.parametrize(
    ("written", "channel"), [("1", "direct"), ("", "direct"), (None, "direct"), (2, "online"), ("3", "postal")]
)
def test_the_channel_is_told_by_its_code(written: Any, channel: str) -> None:
    (kept,) = records(body([dossier(KenhThucHien=written)]))
    assert kept["channel"] == channel


def test_unknown_channels_and_units_are_counted() -> None:
    sent = body([dossier(KenhThucHien="9"), dossier("a-2", KenhThucHien="9", DonViXuLy="H99.05")])
    (batch,) = normalised(connect().receive(sent), units={"Sở khác": "H99.05"})
    assert batch.unknown == {("channel", "9"): 2, ("unit_code", "Sở Xây dựng tỉnh Mẫu"): 1}
    assert batch.records["channel"].to_list() == [None, None]
    assert batch.records["unit_code"].to_list() == ["Sở Xây dựng tỉnh Mẫu", "H99.05"]


def test_a_dossier_without_unit_belongs_to_the_sender() -> None:
    (kept,) = records(body([dossier(DonViXuLy="")]))
    assert (kept["unit_code"], kept["unit_name"]) == ("000.00.00.H99", None)


@pytest.mark.parametrize(("status", "ends"), [(3, True), (7, True), (8, True), (4, False), (10, False)])
def test_a_refusal_ends_a_dossier_that_was_sent_back(status: int, ends: bool) -> None:
    (kept,) = records(body([dossier(TrangThaiHoSo=status, NgayTuChoi="20261006080000")]))
    assert kept["finished_at"] == (local("20261006080000") if ends else None)


@pytest.mark.parametrize("name", ["NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy"])
@pytest.mark.parametrize(
    "written", ["20261305090000", "20261005", "00010101000000", "99991231235959", "05/10/2026 09:00:00", "2026-10-05"]
)
def test_a_date_that_cannot_be_read_rejects_its_record_alone(name: str, written: str) -> None:
    sent = body([dossier(), dossier("a-2", **{name: written})])
    assert [one["code"] for one in records(sent)] == ["H99.05-261005-0001"]
    assert rejects(sent) == [("message 1", 2, name, "not a date yyyyMMddHHmmss between 2000 and 2099", written)]


def test_a_request_with_an_unreadable_date_rejects_its_record() -> None:
    sent = body([dossier(DanhSachHoSoBoSung=[{"NgayBoSung": "20261332000000"}])])
    assert [(row, column) for _, row, column, _, _ in rejects(sent)] == [(1, "DanhSachHoSoBoSung.NgayBoSung")]


def test_what_a_platform_leaves_empty_says_something_only_where_it_is_said_to_fill_it() -> None:
    sent = body([dossier()])
    assert records(sent)[0]["supplement_count"] is None
    assert records(sent, supplements_told=True)[0]["supplement_count"] == 0
    assert "step_due_at" not in connect().provides and "step_due_at" in connect(steps_told=True).provides
