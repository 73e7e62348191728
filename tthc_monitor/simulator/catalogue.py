"""The made-up province and what it offers: units, procedures, steps.

The province, its units and their codes are invented. Procedure codes, names and limits are those of the national
catalogue; sector codes are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

Level = Literal["province", "commune"]

GROUP_ID: Final = 55001


@dataclass(frozen=True)
class Unit:
    """An office that resolves dossiers."""

    code: str
    name: str
    level: Level
    sectors: tuple[str, ...]


@dataclass(frozen=True)
class Procedure:
    """An administrative procedure; ``days`` is its limit in working days."""

    code: str
    name: str
    sector_code: str
    sector_name: str
    days: int
    level: Level


_COMMUNE_SECTORS: Final = ("HT", "CT", "NCN", "GTX", "NO", "NNX", "HTKT", "NUOC")

UNITS: Final = (
    Unit("H99.05", "Sở Xây dựng tỉnh Mẫu", "province", ("KT", "BDS", "DB", "VLXD")),
    Unit("H99.06", "Sở Tư pháp tỉnh Mẫu", "province", ("CC", "TPL")),
    Unit("H99.07", "Sở Nông nghiệp và Môi trường tỉnh Mẫu", "province", ("TY", "BVTV", "TNN", "NN")),
    Unit("H99.08", "Sở Tài chính tỉnh Mẫu", "province", ("DN", "TCDN")),
    Unit("H99.100", "UBND phường Mẫu Trung Tâm", "commune", _COMMUNE_SECTORS),
    Unit("H99.101", "UBND xã Mẫu Một", "commune", _COMMUNE_SECTORS),
    Unit("H99.102", "UBND xã Mẫu Hai", "commune", _COMMUNE_SECTORS),
    Unit("H99.103", "UBND xã Mẫu Ba", "commune", _COMMUNE_SECTORS),
    Unit("H99.104", "UBND xã Mẫu Bốn", "commune", _COMMUNE_SECTORS),
    Unit("H99.105", "UBND xã Mẫu Năm", "commune", _COMMUNE_SECTORS),
    Unit("H99.106", "UBND xã Mẫu Sáu", "commune", _COMMUNE_SECTORS),
    Unit("H99.107", "UBND xã Mẫu Bảy", "commune", _COMMUNE_SECTORS),
    Unit("H99.108", "UBND xã Mẫu Tám", "commune", _COMMUNE_SECTORS),
    Unit("H99.109", "UBND xã Mẫu Chín", "commune", _COMMUNE_SECTORS),
)

PROCEDURES: Final = (
    Procedure("1.008891", "Thủ tục cấp chứng chỉ hành nghề kiến trúc", "KT", "Kiến trúc", 6, "province"),
    Procedure("1.008991", "Thủ tục gia hạn chứng chỉ hành nghề kiến trúc", "KT", "Kiến trúc", 4, "province"),
    Procedure(
        *("1.012906", "Cấp mới chứng chỉ hành nghề môi giới bất động sản", "BDS", "Kinh doanh bất động sản"),
        *(10, "province"),
    ),
    Procedure(
        *("1.012900", "Cấp giấy phép hoạt động của Sàn giao dịch bất động sản", "BDS", "Kinh doanh bất động sản"),
        *(15, "province"),
    ),
    Procedure("1.001777", "Cấp Giấy phép đào tạo lái xe, cấp Giấy phép xe tập lái", "DB", "Đường bộ", 6, "province"),
    Procedure("1.001765", "Cấp Giấy chứng nhận giáo viên dạy thực hành lái xe", "DB", "Đường bộ", 3, "province"),
    Procedure(
        *("1.006871", "Công bố hợp quy sản phẩm, hàng hóa vật liệu xây dựng", "VLXD", "Vật liệu xây dựng"),
        *(3, "province"),
    ),
    Procedure("1.013834", "Thành lập Văn phòng công chứng", "CC", "Công chứng", 15, "province"),
    Procedure("1.013835", "Đăng ký hoạt động Văn phòng công chứng", "CC", "Công chứng", 5, "province"),
    Procedure("1.013859", "Cấp thẻ công chứng viên", "CC", "Công chứng", 5, "province"),
    Procedure(
        *("1.008931", "Thay đổi nội dung đăng ký hoạt động của Văn phòng Thừa phát lại", "TPL", "Thừa phát lại"),
        *(7, "province"),
    ),
    Procedure("1.001686", "Cấp Giấy chứng nhận đủ điều kiện buôn bán thuốc thú y", "TY", "Thú y", 7, "province"),
    Procedure("1.004756", "Cấp Chứng chỉ hành nghề thú y", "TY", "Thú y", 5, "province"),
    Procedure(
        *("1.004363", "Cấp Giấy chứng nhận đủ điều kiện buôn bán thuốc bảo vệ thực vật", "BVTV"),
        *("Trồng trọt và Bảo vệ thực vật", 15, "province"),
    ),
    Procedure("1.004122", "Cấp giấy phép hành nghề khoan nước dưới đất", "TNN", "Tài nguyên nước", 13, "province"),
    Procedure(
        *("1.003388", "Cấp Giấy chứng nhận doanh nghiệp nông nghiệp ứng dụng công nghệ cao", "NN", "Nông nghiệp"),
        *(12, "province"),
    ),
    Procedure(
        *("2.001199", "Đăng ký thành lập công ty TNHH hai thành viên trở lên", "DN"),
        *("Thành lập và hoạt động của doanh nghiệp", 3, "province"),
    ),
    Procedure(
        *("2.001610", "Đăng ký thành lập doanh nghiệp tư nhân", "DN", "Thành lập và hoạt động của doanh nghiệp"),
        *(3, "province"),
    ),
    Procedure(
        *("1.010060", "Thủ tục cấp tạm ứng kinh phí đối với các tổ chức, đơn vị của địa phương", "TCDN"),
        *("Tài chính doanh nghiệp", 10, "province"),
    ),
    Procedure("1.004837", "Thủ tục đăng ký giám hộ", "HT", "Hộ tịch", 3, "commune"),
    Procedure("1.004845", "Thủ tục đăng ký chấm dứt giám hộ", "HT", "Hộ tịch", 2, "commune"),
    Procedure("1.003583", "Thủ tục đăng ký khai sinh lưu động", "HT", "Hộ tịch", 5, "commune"),
    Procedure("2.000908", "Thủ tục cấp bản sao từ sổ gốc", "CT", "Chứng thực", 1, "commune"),
    Procedure("2.001255", "Đăng ký lại việc nuôi con nuôi trong nước", "NCN", "Nuôi con nuôi", 5, "commune"),
    Procedure(
        *("1.013274", "Cấp phép sử dụng tạm thời lòng đường, vỉa hè vào mục đích khác", "GTX", "Đường bộ"),
        *(5, "commune"),
    ),
    Procedure("1.002693", "Cấp giấy phép chặt hạ, dịch chuyển cây xanh", "HTKT", "Hạ tầng kỹ thuật", 10, "commune"),
    Procedure("1.012888", "Công nhận Ban quản trị nhà chung cư", "NO", "Nhà ở và công sở", 7, "commune"),
    Procedure(
        "1.008004", "Chuyển đổi cơ cấu cây trồng, vật nuôi trên đất trồng lúa", "NNX", "Trồng trọt", 5, "commune"
    ),
    Procedure("1.001662", "Đăng ký khai thác nước dưới đất", "NUOC", "Tài nguyên nước", 7, "commune"),
)

STEPS: Final = {
    "130": ("receiving", "Chờ tiếp nhận"),
    "135": ("denied", "Từ chối tiếp nhận"),
    "200": ("processing", "Đang xử lý"),
    "201": ("waiting", "Chờ bổ sung hồ sơ"),
    "202": ("paying", "Chờ thực hiện nghĩa vụ tài chính"),
    "300": ("releasing", "Đã có kết quả, chờ trả"),
    "310": ("posting", "Đã gửi bưu điện"),
    "400": ("done", "Đã trả kết quả"),
    "405": ("unresolved", "Trả lại hồ sơ"),
    "410": ("cancelled", "Công dân rút hồ sơ"),
}
"""Status and name behind each step code."""

DAYS_OFF: Final = frozenset(
    date.fromisoformat(day)
    for day in (
        *("2025-01-01", "2025-01-27", "2025-01-28", "2025-01-29", "2025-01-30", "2025-01-31", "2025-04-07"),
        *("2025-04-30", "2025-05-01", "2025-05-02", "2025-09-01", "2025-09-02"),
        *("2026-01-01", "2026-01-02", "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20"),
        *("2026-04-27", "2026-04-30", "2026-05-01", "2026-08-31", "2026-09-01", "2026-09-02", "2026-11-24"),
        *("2027-01-01", "2027-02-04", "2027-02-05", "2027-02-08", "2027-02-09", "2027-02-10", "2027-04-16"),
        *("2027-04-30", "2027-05-03", "2027-09-02", "2027-09-03", "2027-11-24"),
    )
)
"""Weekdays on which the simulated offices are closed."""

DAYS_WORKED: Final = frozenset({date(2025, 4, 26), date(2026, 1, 10), date(2026, 8, 22)})
"""Saturdays on which they are open, worked in the place of a weekday."""


def procedures_of(unit: Unit) -> tuple[Procedure, ...]:
    """The procedures a unit resolves."""
    return tuple(item for item in PROCEDURES if item.level == unit.level and item.sector_code in unit.sectors)
