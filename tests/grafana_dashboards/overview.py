"""Tổng quan: the province at a glance, which units to look at first, and whether the data can be relied on."""

from __future__ import annotations

from typing import Final

from tests.grafana_dashboards.model import Dashboard, dashboard
from tests.grafana_dashboards.panels import (
    BAD_ABOVE_ZERO,
    BLUE,
    DATE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WARN_ABOVE_ZERO,
    YELLOW,
    column,
    lines,
    stat,
    table,
    texts,
)
from tests.grafana_dashboards.queries import grown, newest, prom, prom_now, prom_table, sql
from tests.grafana_dashboards.variables import JOB_HIDDEN, MONTH

AGES: Final = {
    "0-2": ("Dưới 3 ngày làm việc", YELLOW),
    "3-9": ("3–9 ngày làm việc", ORANGE),
    "10-29": ("10–29 ngày làm việc", RED),
    "30+": ("Từ 30 ngày làm việc", "dark-red"),
}
"""How the classes of lateness are called, by the label ``age``."""

SOURCE_STATES: Final = texts({0: ("Bình thường", GREEN), 1: ("Im lặng", RED)})
TO_UNIT: Final = (
    "Mở trang của đơn vị",
    "/d/tthc-unit?var-unit=${__data.fields.unit:percentencode}&${__url_time_range}",
)

_MONTHS_RESULT: Final = """
SELECT f.unit_code AS unit, coalesce(unit_name(f.unit_code, $DAY), f.unit_code) AS name,
       sum(f.received_online + f.received_direct) AS received,
       sum(f.finished_early + f.finished_on_time) AS in_time, sum(f.finished_late) AS late,
       sum(f.finished_unknown) AS cannot_tell, sum(f.pending_overdue) AS pending_overdue,
       on_time_percent(sum(f.finished_early + f.finished_on_time), sum(f.finished_late)) AS on_time_percent
FROM figures_by_month f
WHERE f.month = $DAY AND f.kind = 'dossier'
GROUP BY f.unit_code
ORDER BY late DESC, pending_overdue DESC, name
""".replace("$DAY", "date ${month:sqlstring}")

_PROVINCE_RESULT: Final = """
SELECT on_time_percent(sum(f.finished_early + f.finished_on_time), sum(f.finished_late)) AS on_time_percent
FROM figures_by_month f
WHERE f.month = date ${month:sqlstring} AND f.kind = 'dossier'
"""

_SECTORS: Final = """
SELECT coalesce(s.name, f.sector_code, 'Chưa rõ lĩnh vực') AS sector,
       sum(f.received_online + f.received_direct) AS received,
       sum(f.finished_early + f.finished_on_time) AS in_time, sum(f.finished_late) AS late,
       sum(f.finished_unknown) AS cannot_tell, sum(f.pending_overdue) AS pending_overdue,
       on_time_percent(sum(f.finished_early + f.finished_on_time), sum(f.finished_late)) AS on_time_percent
FROM figures_by_month f LEFT JOIN sectors s USING (sector_code)
WHERE f.month = date ${month:sqlstring} AND f.kind = 'dossier'
GROUP BY 1
ORDER BY late DESC, pending_overdue DESC, sector
"""

_RESULT_COLUMNS: Final = {
    "received": column("Tiếp nhận", width=110),
    "in_time": column("Trước và đúng hạn", width=150),
    "late": column("Trễ hạn", width=100, steps=((None, GREY), (1, RED))),
    "cannot_tell": column("Chưa xác định", width=130),
    "pending_overdue": column("Quá hạn chưa xong", width=150, steps=((None, GREY), (1, RED))),
    "on_time_percent": column("Tỷ lệ đúng hạn", width=140, unit="percent", decimals=2),
}

_NOW: Final = (
    stat(
        "Đang giải quyết",
        "Hồ sơ đã tiếp nhận, chưa kết thúc, của tất cả đơn vị, theo lần đánh giá gần nhất.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_open')})"),
        "locale",
    ),
    stat(
        "Đang quá hạn",
        "Hồ sơ đang giải quyết đã quá ngày hẹn trả đang có hiệu lực.",
        prom_now(f"sum({newest('unit, age', 'tthc_dossiers_overdue')})"),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Mới quá hạn trong ngày",
        "Hồ sơ trở thành quá hạn từ 00 giờ hôm nay và đến nay chưa xong.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_newly_overdue')})"),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Sắp đến hạn",
        "Hồ sơ sẽ đến hạn trong số giờ làm việc mà quy tắc “sắp đến hạn” quy định.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_due_soon')})"),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Quá hạn từ 30 ngày làm việc",
        "Hồ sơ đang quá hạn từ 30 ngày làm việc trở lên; cần xử lý dứt điểm trước.",
        prom_now("sum({})".format(newest("unit", "tthc_dossiers_overdue", 'age="30+"'))),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Chưa xác định được hạn",
        "Phần hồ sơ đang giải quyết mà không thể nói còn hạn hay quá hạn, phần lớn vì thiếu ngày hẹn trả. Không bao giờ "
        "được tính là đúng hạn.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_cannot_tell')}) / sum({newest('unit', 'tthc_dossiers_open')})"),
        "percentunit",
        steps=((None, GREEN), (0.05, ORANGE)),
        decimals=1,
    ),
    stat(
        "Tỷ lệ đúng hạn của tháng",
        "Trên số hồ sơ đã giải quyết trong tháng báo cáo được chọn và có hạn. Là số của báo cáo: lấy từ cơ sở dữ liệu, "
        "tháng đã chốt thì là số đã chốt.",
        sql(_PROVINCE_RESULT),
        "percent",
        decimals=2,
        none="Không có dữ liệu",
    ),
    stat(
        "Chờ công dân bổ sung",
        "Hồ sơ đang chờ người nộp bổ sung; trong thời gian ấy đồng hồ của cơ quan dừng.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_supplement_requested')})"),
        "locale",
    ),
    stat(
        "Trả lại, dừng trong tháng",
        "Hồ sơ bị từ chối, dừng hoặc rút từ ngày 01 của tháng này.",
        prom_now(f"sum({newest('unit', 'tthc_dossiers_returned_this_month')})"),
        "locale",
    ),
    stat(
        "Phản ánh, kiến nghị quá hạn",
        "Phản ánh, kiến nghị của người dân đang xử lý đã quá hạn trả lời.",
        prom_now(f"sum({newest('unit', 'tthc_petitions_overdue')})"),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Nguồn dữ liệu im lặng",
        "Số hệ thống một cửa lẽ ra đã phải trả dữ liệu mà chưa trả. Khác 0: các số bên cạnh có thể thiếu.",
        prom_now(f"sum({newest('source', 'tthc_source_expected_by_timestamp_seconds')} < bool time())"),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Số liệu tính đến",
        "Thời điểm của lần tổng hợp mà các số hiện tại lấy từ đó.",
        prom_now('max(tthc_snapshot_timestamp_seconds{job=~"$job"}) * 1000'),
        "dateTimeAsSystem",
    ),
)

_UNITS: Final = (
    table(
        "Các đơn vị, quá hạn nhiều nhất trước",
        "Số hồ sơ của từng đơn vị lúc này. Bấm vào một đơn vị để mở trang của đơn vị đó. Không xếp hạng bằng tỷ lệ: tỷ lệ "
        "của vài hồ sơ không so được với tỷ lệ của vài nghìn hồ sơ.",
        prom_table(
            f"sum by (unit) ({newest('unit, age', 'tthc_dossiers_overdue')})",
            newest("unit", "tthc_dossiers_newly_overdue"),
            "sum by (unit) ({})".format(newest("unit, age", "tthc_dossiers_overdue", 'age="30+"')),
            newest("unit", "tthc_dossiers_due_soon"),
            newest("unit", "tthc_dossiers_open"),
            newest("unit", "tthc_dossiers_cannot_tell"),
            f"{newest('unit', 'tthc_oldest_overdue_due_timestamp_seconds')} * 1000",
            newest("unit, name", "tthc_unit_info"),
        ),
        "locale",
        {
            "name": column("Đơn vị", link=TO_UNIT),
            "unit": column("Mã", width=110, link=TO_UNIT, unit="string"),
            "Value #A": column("Quá hạn", width=100, steps=((None, GREEN), (1, RED))),
            "Value #B": column("Mới quá hạn", width=120, steps=((None, GREY), (1, ORANGE))),
            "Value #C": column("Từ 30 ngày", width=110, steps=((None, GREY), (1, RED))),
            "Value #D": column("Sắp đến hạn", width=120, steps=((None, GREY), (1, ORANGE))),
            "Value #E": column("Đang giải quyết", width=140),
            "Value #F": column("Chưa xác định", width=130),
            "Value #G": column("Hạn cũ nhất", width=160, unit=DATE),
        },
        sort="Quá hạn",
        hide=("Value #H",),
        size=(24, 12),
    ),
    table(
        "Kết quả tháng của từng đơn vị",
        "Số của báo cáo trong tháng được chọn, lấy từ cơ sở dữ liệu (figures_by_month); tháng đã chốt thì là số đã chốt. Tỷ "
        "lệ tính trên hồ sơ đã giải quyết và có hạn.",
        [sql(_MONTHS_RESULT)],
        "locale",
        {"name": column("Đơn vị", link=TO_UNIT), "unit": column("Mã", width=110, link=TO_UNIT), **_RESULT_COLUMNS},
        size=(24, 10),
    ),
)

_TRENDS: Final = (
    lines(
        "Đang giải quyết và sắp đến hạn",
        "Diễn biến số hồ sơ đang giải quyết và sắp đến hạn của toàn tỉnh.",
        [
            prom(f"sum({newest('unit', 'tthc_dossiers_open')})", "Đang giải quyết"),
            prom(f"sum({newest('unit', 'tthc_dossiers_due_soon')})", "Sắp đến hạn", ref="B"),
        ],
        "locale",
        colors={"Đang giải quyết": BLUE, "Sắp đến hạn": ORANGE},
    ),
    lines(
        "Quá hạn theo mức",
        "Hồ sơ đang quá hạn, chia theo số ngày làm việc đã quá; cộng lại là tổng số quá hạn.",
        [
            prom(
                "sum({})".format(newest("unit", "tthc_dossiers_overdue", f'age="{age}"')),
                name,
                ref=chr(ord("A") + place),
            )
            for place, (age, (name, _)) in enumerate(AGES.items())
        ],
        "locale",
        stacked=True,
        colors=dict(AGES.values()),
    ),
    lines(
        "Đã giải quyết trong 24 giờ trước đó",
        "Tại mỗi thời điểm: số hồ sơ kết thúc trong 24 giờ trước, trong đó có bao nhiêu trễ. Để xem xu hướng; số chính "
        "thức nằm ở bảng kết quả tháng.",
        [
            prom(f"sum({grown('unit', 'tthc_dossiers_finished_total', '24h')})", "Đã giải quyết"),
            prom(f"sum({grown('unit', 'tthc_dossiers_finished_late_total', '24h')})", "Trong đó trễ hạn", ref="B"),
        ],
        "locale",
        decimals=0,
        colors={"Đã giải quyết": GREEN, "Trong đó trễ hạn": RED},
    ),
    lines(
        "Tỷ lệ đúng hạn 7 ngày trước đó, so với mục tiêu",
        "Toàn tỉnh, trên số hồ sơ kết thúc trong 7 ngày trước mỗi thời điểm; để thấy sớm khi tỷ lệ đi xuống. Số chính thức "
        "nằm ở bảng kết quả tháng.",
        [
            prom(
                f"1 - sum({grown('unit', 'tthc_dossiers_finished_late_total', '7d')})"
                f" / (sum({grown('unit', 'tthc_dossiers_finished_total', '7d')}) > 0)",
                "Đúng hạn",
            ),
            prom('max(tthc_on_time_objective_ratio{job=~"$job"})', "Mục tiêu", ref="B"),
        ],
        "percentunit",
        colors={"Đúng hạn": BLUE, "Mục tiêu": GREY},
    ),
)

_SECTORS_AND_SOURCES: Final = (
    table(
        "Kết quả tháng theo lĩnh vực",
        "Số của báo cáo trong tháng được chọn, cộng theo lĩnh vực của thủ tục; lấy từ cơ sở dữ liệu.",
        [sql(_SECTORS)],
        "locale",
        {"sector": column("Lĩnh vực"), **_RESULT_COLUMNS},
        size=(24, 8),
    ),
    table(
        "Tình trạng nguồn dữ liệu",
        "Từng hệ thống một cửa: lần lấy dữ liệu thành công gần nhất và thời điểm phải có lần tiếp theo. “Im lặng”: số liệu "
        "của các đơn vị dùng hệ thống đó đang cũ đi.",
        prom_table(
            f"{newest('source', 'tthc_source_expected_by_timestamp_seconds')} < bool time()",
            f"{newest('source', 'tthc_source_last_success_timestamp_seconds')} * 1000",
            f"{newest('source', 'tthc_source_expected_by_timestamp_seconds')} * 1000",
            newest("source", "tthc_source_last_run_rows"),
            newest("source", "tthc_source_last_run_rejected"),
        ),
        "locale",
        {
            "source": column("Nguồn"),
            "Value #A": column("Tình trạng", width=130, mappings=SOURCE_STATES),
            "Value #B": column("Thành công gần nhất", width=180, unit=DATE),
            "Value #C": column("Phải có dữ liệu trước", width=180, unit=DATE),
            "Value #D": column("Dòng đọc lần cuối", width=160),
            "Value #E": column("Dòng không đọc được", width=170, steps=((None, GREY), (1, ORANGE))),
        },
        sort="Tình trạng",
        size=(24, 6),
    ),
)

DASHBOARD: Final[Dashboard] = dashboard(
    "tthc-overview",
    "Toàn tỉnh: bao nhiêu hồ sơ đang giải quyết, quá hạn, sắp đến hạn; đơn vị nào cần chú ý; dữ liệu có đủ không.",
    (MONTH, JOB_HIDDEN),
    (
        ("Toàn tỉnh lúc này", _NOW),
        ("Đơn vị", _UNITS),
        ("Diễn biến", _TRENDS),
        ("Lĩnh vực và nguồn dữ liệu", _SECTORS_AND_SOURCES),
    ),
    since="now-7d",
    refresh="5m",
)
