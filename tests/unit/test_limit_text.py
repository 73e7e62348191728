"""Reading limits from the portal's run-together texts: what is read, what is listed and why."""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared_data import shared
from tthc_monitor.catalogue.limit_reasons import REASONS
from tthc_monitor.catalogue.limit_text import Reading, read_limits

HEADER = "Hình thức nộpThời gianPhí, lệ phíMô tả"


def one(text: str) -> Reading:
    (reading,) = read_limits("1.000001", HEADER + text)
    return reading


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("Trực tiếp3 Ngày làm việcMiễn phí", 3, "working_day"),
        ("Trực tiếp05 Ngày làm việcKhông có thông tin", 5, "working_day"),
        ("Trực tuyến20 Ngày2,500,000 Việt Nam Đồng(Phí: 2.500.000đ)", 20, "calendar_day"),
        ("Trực tuyến7 Ngày làm việc100 VNĐ(100.000đ/lần)", 7, "working_day"),
        ("Trực tuyến1.5 Ngày làm việc40,000 Việt Nam Đồng", 1.5, "working_day"),
        ("Trực tuyến1,5 Ngày làm việc", 1.5, "working_day"),
        ("Dịch vụ bưu chính4 Tháng1,500,000 VNĐ(đồng/lần)", 4, "month"),
        ("Trực tiếp6 Tháng100 USD(100 USD/thẻ.)", 6, "month"),
        ("Trực tiếpKhông quá 5 Ngày làm việcMiễn phí", 5, "working_day"),
        ("Trực tiếpTối đa 10 NgàyMiễn phí", 10, "calendar_day"),
        ("Trực tiếp8 Giờ làm việcMiễn phí", 8, "working_hour"),
        ("Trực tuyến8 GiờMiễn phíKhông quá 08 giờ làm việc, kể từ khi nhận đủ", 8, "working_hour"),
        ("Trực tiếpTrong ngàyMiễn phí", None, "same_day"),
        ("Trực tiếpNgay trong ngày làm việcMiễn phí", None, "same_day"),
        # A description that bears the table out: the same, the same among shorter ones, steps that add up.
        ("Trực tiếp5 Ngày làm việcMiễn phí05 (năm) ngày làm việc kể từ ngày nhận", 5, "working_day"),
        ("Trực tiếp17 Ngày làm việcMiễn phíTrường hợp (1): 17 ngày làm việc; (2): 12 ngày làm việc", 17, "working_day"),
        ("Trực tiếp10 Ngày làm việcMiễn phíKiểm tra: 05 ngày làm việc; công bố: 03 ngày làm việc; gửi: 02 ngày làm việc",
         10, "working_day"),
        # The number of a law and its date are no span.
        ("Trực tiếp5 Ngày làm việcMiễn phíTheo Luật số 47/2014/QH13 ngày 16/6/2014", 5, "working_day"),
        # Hours of opening are no limit.
        ("Trực tiếp2 Ngày làm việcMiễn phíTiếp nhận trong giờ làm việc", 2, "working_day"),
    ],
)  # fmt: skip
def test_limits_that_the_text_states_are_read(text: str, amount: float | None, unit: str) -> None:
    reading = one(text)
    assert (reading.reason, reading.amount, reading.unit) == (None, amount, unit)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Trực tiếpKhông có thông tinKhông có thông tinnộp hồ sơ", "no_information"),
        ("Trực tiếpMiễn phí", "no_information"),
        ("Trực tuyếnKhông quy địnhMiễn phíQua Cổng", "not_prescribed"),
        ("Trực tiếpKhông Không có thông tinTại Trung tâm", "not_prescribed"),
        ("Trực tuyếnKhông phải trả kết quả cho người nộp thuếMiễn phí", "no_result"),
        ("Trực tiếpHệ thống phản hồi tự động.Không có thông tin", "other_text"),
        ("Trực tuyến3Miễn phí", "no_unit"),
        ("Trực tiếp0Miễn phí", "no_unit"),
        ("Trực tuyến120 VNĐ(20.000đ)", "no_unit"),
        ("Trực tuyến1,120,000 VNĐ", "no_unit"),
        ("Trực tuyến24 GiờMiễn phí", "hour_kind_unknown"),
        ("Trực tuyến24 GiờMiễn phítrong thời gian 24 giờ", "hour_kind_unknown"),
        ("Trực tuyến8 GiờMiễn phíTrong giờ làm việc", "hour_kind_unknown"),
        ("Trực tuyến8 GiờMiễn phí08 giờ làm việc; có thể sau 8 giờ", "hour_kind_unknown"),
        ("Trực tiếp2 TuầnMiễn phí", "unit_not_counted"),
        ("Trực tiếp1 NămMiễn phí", "unit_not_counted"),
        ("Trực tiếp30 PhútMiễn phí", "unit_not_counted"),
        ("Trực tiếp0 NgàyMiễn phí", "number_unclear"),
        ("Trực tiếp1.000 NgàyMiễn phí", "number_unclear"),
        ("Trực tiếp1,5 NgàyMiễn phí", "number_unclear"),
        ("Trực tiếp99999 NgàyMiễn phí", "number_unclear"),
        ("Trực tiếp3-5 Ngày làm việcMiễn phí", "range"),
        ("Trực tiếp3 đến 5 NgàyMiễn phí", "range"),
        # A unit that goes on differently from all that are known is not cut short.
        ("Trực tiếp3 Ngày lễMiễn phí", "other_text"),
        ("Trực tiếp5 Ngày làm việcMiễn phíATrực tiếp3 Ngày làm việcMiễn phíB", "several_limits"),
        ("Trực tiếp5 Ngày làm việcMiễn phíTrực tiếp5 NgàyMiễn phí", "several_limits"),
        ("Trực tiếp5 Ngày làm việcMiễn phíTrực tiếpKhông có thông tinMiễn phí", "several_limits"),
        ("Trực tiếp7 NgàyMiễn phí07 ngày làm việc, kể từ ngày nhận đủ hồ sơ", "description_other_unit"),
        ("Trực tiếp7 NgàyMiễn phí07 ngày làm việc; phải lấy ý kiến: 07 ngày", "description_other_unit"),
        ("Trực tiếp7 NgàyMiễn phí07 ngày làm việc (Sở: 03 ngày; xã: 04 ngày)", "description_other_unit"),
        ("Trực tiếp5 Ngày làm việcMiễn phí05 ngày kể từ ngày nhận đủ", "description_other_unit"),
        ("Trực tiếp32 Ngày làm việcMiễn phíBước 1: 20 ngày làm việc; bước 2: 12 ngày", "description_other_unit"),
        ("Trực tiếp3 Ngày làm việcMiễn phí03 ngày làm việc; phải xác minh: 15 ngày", "description_longer"),
        ("Trực tiếp30 Ngày làm việcMiễn phí20 ngày làm việc kể từ ngày nhận", "description_other_amount"),
        ("Trực tiếp6 ThángMiễn phí6 tháng; phức tạp có thể kéo dài nhưng không quá 02 tháng", "may_be_extended"),
        ("Trực tiếp30 NgàyMiễn phí30 ngày, được tăng thêm 05 (năm) ngày", "may_be_extended"),
        ("", "no_table"),
        ("Nộp tại trụ sở trong 5 ngày làm việc", "no_table"),
    ],
)
def test_what_is_not_clear_is_listed_with_its_reason(text: str, reason: str) -> None:
    reading = one(text)
    assert (reading.reason, reading.amount, reading.unit) == (reason, None, None)
    assert REASONS[reading.reason]


def test_rows_of_one_channel_that_agree_are_one_limit() -> None:
    reading = one("Trực tiếp3 Ngày làm việcMiễn phíATrực tiếp3 Ngày làm việc50,000 Việt Nam ĐồngB")
    assert (reading.amount, reading.unit) == (3, "working_day")


def test_channels_are_told_apart() -> None:
    text = "Trực tuyến40 NgàyMiễn phíDịch vụ bưu chính30 Ngày làm việcMiễn phíTrực tiếp5Miễn phí"
    found = [(item.channel, item.amount, item.unit, item.reason) for item in read_limits("1.1", HEADER + text)]
    assert found == [
        ("online", 40, "calendar_day", None),
        ("postal", 30, "working_day", None),
        ("direct", None, None, "no_unit"),
    ]


def test_a_channel_named_in_a_description_is_no_row() -> None:
    text = (
        "Trực tiếp3 Ngày làm việcMiễn phí- Trực tuyến: nộp qua Cổng. Trực tiếp tại Bộ phận Một cửa.\n"
        "Dịch vụ bưu chính\t03 Ngày làm việc\tPhí : Đồng. Số điện thoại 02438 Trực tiếpTrực tuyến4 NgàyMiễn phí"
    )
    found = [(item.channel, item.amount, item.unit, item.reason) for item in read_limits("1.1", HEADER + text)]
    assert found == [("direct", 3, "working_day", None), ("online", 4, "calendar_day", None)]


def test_a_decomposed_text_reads_like_a_composed_one() -> None:
    text = HEADER + "Trực tiếp3 Ngày làm việcMiễn phíDịch vụ bưu chính5 NgàyMiễn phí"
    decomposed = read_limits("1.1", unicodedata.normalize("NFD", text))
    assert [(item.channel, item.amount, item.unit) for item in decomposed] == [
        ("direct", 3, "working_day"),
        ("postal", 5, "calendar_day"),
    ]


UNITS = {"Ngày làm việc": "working_day", "Ngày": "calendar_day", "Tháng": "month"}
FEES = ("Miễn phí", "Không có thông tin", "2,500,000 Việt Nam Đồng", "100 VNĐ", "10 USD")


@given(
    amount=st.integers(1, 400), unit=st.sampled_from(sorted(UNITS)), fee=st.sampled_from(FEES),
    before=st.text("0123456789 ;.(", max_size=6), channel=st.sampled_from(["Trực tiếp", "Trực tuyến"]),
)  # fmt: skip
def test_whatever_stands_before_and_after_the_number_is_that_number(
    amount: int, unit: str, fee: str, before: str, channel: str
) -> None:
    text = f"{HEADER}Dịch vụ bưu chính9 Ngày làm việcMiễn phí{before}{channel}{amount} {unit}{fee}"
    _, reading = read_limits("1.1", text)
    assert (reading.amount, reading.unit) == (amount, UNITS[unit])


@given(st.text(alphabet="Trựctiếpuyn 0123456789NgàyhlmvệGờMễkôíf,.()-", max_size=80))
def test_no_text_breaks_the_reader_and_a_unit_stands_in_the_text(text: str) -> None:
    for reading in read_limits("1.1", text):
        assert (reading.reason is None) == (reading.unit is not None)
        if reading.unit in {"working_day", "calendar_day"}:
            assert "ngày" in text.lower()


READ = {"working_day": 3659, "calendar_day": 1425, "month": 13, "working_hour": 3}
READ_BY_CHANNEL = {
    ("working_day", "direct"): 1323, ("working_day", "online"): 1126, ("working_day", "postal"): 1210,
    ("calendar_day", "direct"): 528, ("calendar_day", "online"): 407, ("calendar_day", "postal"): 490,
    ("month", "direct"): 7, ("month", "online"): 3, ("month", "postal"): 3,
    ("working_hour", "direct"): 1, ("working_hour", "online"): 2,
}  # fmt: skip
LISTED = {
    "no_unit": 857, "no_information": 304, "several_limits": 180, "hour_kind_unknown": 129,
    "description_other_unit": 121, "may_be_extended": 58, "description_longer": 44, "no_result": 25,
    "not_prescribed": 15, "description_other_amount": 8, "other_text": 3,
}  # fmt: skip


def test_the_national_catalogue_is_accounted_for_to_the_last_row() -> None:
    with gzip.open(shared("tthc_catalogue/procedures.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    readings = [
        reading for row in rows for reading in read_limits(row["ma_thu_tuc"], row["cach_thuc_thuc_hien"])
    ]  # fmt: skip
    assert len(rows) == len({reading.procedure_code for reading in readings}) == 2642
    # Counted another way: the names of channels that run into a number or into the words of a time cell.
    named = {
        (row["ma_thu_tuc"], name)
        for row in rows
        for name in ("Trực tiếp", "Trực tuyến", "Dịch vụ bưu chính")
        for text in [unicodedata.normalize("NFC", row["cach_thuc_thuc_hien"])]
        if any(name + start in text for start in (*"0123456789", "Không", "Hệ thống"))
    }
    assert len(readings) == len({(item.procedure_code, item.channel) for item in readings}) == len(named) == 6844
    assert Counter(item.unit for item in readings if item.reason is None) == READ
    assert Counter((item.unit, item.channel) for item in readings if item.reason is None) == READ_BY_CHANNEL
    assert Counter(item.reason for item in readings if item.reason is not None) == LISTED
    assert sum(READ.values()) + sum(LISTED.values()) == 6844
