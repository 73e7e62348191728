"""Why a limit of the portal was not read, in words that the office can act on."""

from __future__ import annotations

from typing import Final, Literal

Reason = Literal[
    "no_table", "no_information", "not_prescribed", "no_result", "other_text", "no_unit", "hour_kind_unknown",
    "unit_not_counted", "number_unclear", "range", "several_limits", "description_other_unit", "description_longer",
    "description_other_amount", "may_be_extended",
]  # fmt: skip

REASONS: Final[dict[Reason, str]] = {
    "no_table": "Không tìm thấy bảng hình thức nộp và thời gian trong nội dung của Cổng",
    "no_information": "Cổng không ghi thời gian giải quyết (ô trống hoặc “Không có thông tin”)",
    "not_prescribed": "Cổng ghi không quy định thời gian giải quyết",
    "no_result": "Cổng ghi không phải trả kết quả cho người nộp",
    "other_text": "Ô thời gian là lời văn, không có số kèm đơn vị",
    "no_unit": "Có số nhưng không có đơn vị (ngày, ngày làm việc hay giờ); số còn có thể dính liền với mức phí",
    "hour_kind_unknown": "Ghi “Giờ” nhưng mô tả không nói rõ là giờ làm việc hay giờ theo đồng hồ",
    "unit_not_counted": "Đơn vị thời gian không dùng để tính hạn (tuần, năm, phút)",
    "number_unclear": "Số không rõ: bằng 0, có dấu phân cách không chắc chắn, hoặc phần lẻ của ngày, tháng",
    "range": "Ghi một khoảng (từ … đến …), không phải một thời hạn",
    "several_limits": "Cùng một hình thức nộp có nhiều thời gian khác nhau tùy trường hợp",
    "description_other_unit": "Bảng và mô tả ghi khác đơn vị: nơi ghi ngày làm việc, nơi ghi ngày",
    "description_longer": "Mô tả nêu thời gian dài hơn bảng",
    "description_other_amount": "Mô tả nêu thời gian khác bảng và các bước trong mô tả không cộng lại thành số của bảng",
    "may_be_extended": "Mô tả cho phép kéo dài thời hạn trong một số trường hợp",
}
"""What each reason means, for people."""
