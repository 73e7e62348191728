"""The ten national statuses, by their numbers."""

from __future__ import annotations

from tthc_monitor.domain.statuses import ENDED, STATUS_LABELS, Status

# Number at the national portal, official name, and whether it ends what the office owes the applicant.
NATIONAL = [
    (1, "Mới đăng ký", False),
    (2, "Được tiếp nhận", False),
    (3, "Không được tiếp nhận", True),
    (4, "Đang xử lý", False),
    (5, "Yêu cầu bổ sung giấy tờ", False),
    (6, "Yêu cầu thực hiện nghĩa vụ tài chính", False),
    (7, "Công dân yêu cầu rút hồ sơ", True),
    (8, "Dừng xử lý", True),
    (9, "Đã xử lý xong", True),
    (10, "Đã trả kết quả", True),
]


def test_each_status_has_the_number_and_the_name_of_the_national_portal() -> None:
    assert [(status.value, status.label, status in ENDED) for status in Status] == NATIONAL
    assert len(STATUS_LABELS) == len(Status)
