"""Đơn vị: one unit's work, which procedures and which dossiers to take up first."""

from __future__ import annotations

from typing import Final

from tests.grafana_dashboards import dossiers
from tests.grafana_dashboards.dossiers import OF_SECTOR, OF_UNIT
from tests.grafana_dashboards.model import Dashboard, dashboard
from tests.grafana_dashboards.overview import AGES
from tests.grafana_dashboards.panels import (
    BAD_ABOVE_ZERO,
    BLUE,
    DATE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WARN_ABOVE_ZERO,
    bars,
    column,
    lines,
    stat,
    table,
    texts,
)
from tests.grafana_dashboards.queries import grown, newest, prom, prom_now, prom_table, select, sql
from tests.grafana_dashboards.variables import ANY_SECTOR, JOB_HIDDEN, MONTH, UNIT

_U: Final = 'unit="$unit"'
_WHOLE_UNIT: Final = " Tính cho cả đơn vị, mọi lĩnh vực."
_CHOSEN_SECTOR: Final = " Chỉ gồm lĩnh vực được chọn."
_FIRST: Final = f" Tối đa {dossiers.LIMIT} hồ sơ; danh sách đầy đủ: đề nghị người quản trị xuất."

TO_PROCEDURE: Final = (
    "Mở trang của thủ tục",
    "/d/tthc-procedure?var-unit=${unit:percentencode}&var-procedure=${__data.fields.procedure:percentencode}"
    "&${__url_time_range}",
)

_ON_TIME: Final = """
SELECT on_time_percent(sum(d.finished_early + d.finished_on_time), sum(d.finished_late)) AS on_time_percent
FROM figures_by_month d
WHERE d.month = date ${month:sqlstring} AND d.kind = 'dossier' AND $OF_UNIT
""".replace("$OF_UNIT", OF_UNIT)

_MONTHS_RESULT: Final = """
SELECT d.procedure_code AS procedure, coalesce(p.name, d.procedure_code) AS name,
       sum(d.received_online + d.received_direct) AS received,
       sum(d.finished_early + d.finished_on_time) AS in_time, sum(d.finished_late) AS late,
       sum(d.finished_unknown) AS cannot_tell, sum(d.pending_overdue) AS pending_overdue,
       on_time_percent(sum(d.finished_early + d.finished_on_time), sum(d.finished_late)) AS on_time_percent
FROM figures_by_month d LEFT JOIN procedures p USING (procedure_code)
WHERE d.month = date ${month:sqlstring} AND d.kind = 'dossier' AND $OF_UNIT AND $OF_SECTOR
GROUP BY d.procedure_code, p.name
ORDER BY late DESC, pending_overdue DESC, name
""".replace("$OF_UNIT", OF_UNIT).replace("$OF_SECTOR", OF_SECTOR)

_FINDINGS: Final = """
SELECT r.title, f.severity, count(DISTINCT f.dossier_id) AS dossiers, min(f.starts_at) AS since, r.legal_basis
FROM dossiers d JOIN flags_in_force f USING (dossier_id) JOIN rules r USING (rule_version_id)
WHERE f.starts_at <= now() AND f.ends_at > now() AND d.ended_at IS NULL AND $OF_UNIT
GROUP BY r.title, f.severity, r.legal_basis
ORDER BY dossiers DESC, r.title
""".replace("$OF_UNIT", OF_UNIT)
_SEVERITIES: Final = texts(
    {"critical": ("Nghiêm trọng", RED), "warning": ("Cảnh báo", ORANGE), "info": ("Thông tin", GREY)}
)

_NOW: Final = (
    stat(
        "Đang giải quyết",
        "Hồ sơ đã tiếp nhận, chưa kết thúc." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_open", _U)),
        "locale",
    ),
    stat(
        "Đang quá hạn",
        "Hồ sơ đang giải quyết đã quá ngày hẹn trả." + _WHOLE_UNIT,
        prom_now(f"sum({newest('unit, age', 'tthc_dossiers_overdue', _U)})"),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Mới quá hạn trong ngày",
        "Trở thành quá hạn từ 00 giờ hôm nay, chưa xong." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_newly_overdue", _U)),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Sắp đến hạn",
        "Sẽ đến hạn trong số giờ làm việc mà quy tắc “sắp đến hạn” quy định." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_due_soon", _U)),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Quá hạn lâu nhất (ngày làm việc)",
        "Hồ sơ quá hạn lâu nhất đã quá bao nhiêu ngày làm việc (08 giờ một ngày, theo lịch của đơn vị).",
        prom_now(f"{newest('unit', 'tthc_oldest_overdue_working_seconds', _U)} / 28800"),
        "none",
        decimals=1,
        steps=((None, GREEN), (0.0001, ORANGE), (10, RED)),
        none="Không có hồ sơ quá hạn",
    ),
    stat(
        "Tỷ lệ đúng hạn của tháng",
        "Số của báo cáo trong tháng được chọn, lấy từ cơ sở dữ liệu; tháng đã chốt thì là số đã chốt." + _WHOLE_UNIT,
        sql(_ON_TIME),
        "percent",
        decimals=2,
        none="Không có dữ liệu",
    ),
    stat(
        "Chờ công dân bổ sung",
        "Đang chờ người nộp bổ sung; đồng hồ của đơn vị dừng." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_supplement_requested", _U)),
        "locale",
    ),
    stat(
        "Chờ nộp phí, chờ lấy ý kiến",
        "Đang chờ người nộp thực hiện nghĩa vụ tài chính, hoặc chờ cơ quan được lấy ý kiến." + _WHOLE_UNIT,
        prom_now(f"sum({newest('unit, cause', 'tthc_dossiers_waiting', _U)})"),
        "locale",
        none="0",
    ),
    stat(
        "Chưa xác định được hạn",
        "Không thể nói còn hạn hay quá hạn, phần lớn vì thiếu ngày hẹn trả." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_cannot_tell", _U)),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Thiếu văn bản xin lỗi",
        "Hồ sơ quá hạn mà không thấy văn bản xin lỗi đúng quy định." + _WHOLE_UNIT,
        prom_now(
            "sum({})".format(newest("unit, rule, severity", "tthc_findings", _U, 'rule="apology_missing"')),
        ),
        "locale",
        steps=BAD_ABOVE_ZERO,
        none="0",
    ),
    stat(
        "Trả lại, dừng trong tháng",
        "Bị từ chối, dừng hoặc rút từ ngày 01 của tháng này." + _WHOLE_UNIT,
        prom_now(newest("unit", "tthc_dossiers_returned_this_month", _U)),
        "locale",
    ),
    stat(
        "Giờ làm việc của đơn vị",
        "Theo lịch làm việc của đơn vị, ngay lúc này; ngoài giờ thì không nhắc việc.",
        prom_now(newest("unit", "tthc_unit_working", _U)),
        "none",
        mappings=texts({0: ("Ngoài giờ làm việc", GREY), 1: ("Trong giờ làm việc", GREEN)}),
    ),
)

_TRENDS: Final = (
    bars(
        "Quá hạn theo mức",
        "Hồ sơ đang quá hạn, chia theo số ngày làm việc trọn đã quá; cộng lại là số đang quá hạn." + _WHOLE_UNIT,
        prom_now(f"sum by (age) ({newest('unit, age', 'tthc_dossiers_overdue', _U)})", "{{age}}"),
        "locale",
        names=AGES,
        size=(8, 8),
    ),
    lines(
        "Diễn biến",
        "Số đang quá hạn và sắp đến hạn theo thời gian." + _WHOLE_UNIT,
        [
            prom(f"sum({newest('unit, age', 'tthc_dossiers_overdue', _U)})", "Quá hạn"),
            prom(newest("unit", "tthc_dossiers_due_soon", _U), "Sắp đến hạn", ref="B"),
        ],
        "locale",
        size=(8, 8),
        colors={"Quá hạn": RED, "Sắp đến hạn": ORANGE},
    ),
    lines(
        "Đã giải quyết, trả lại trong 24 giờ trước đó",
        "Tại mỗi thời điểm: số hồ sơ kết thúc, kết thúc trễ, bị trả lại trong 24 giờ trước. Để xem xu hướng."
        + _WHOLE_UNIT,
        [
            prom(grown("unit", "tthc_dossiers_finished_total", "24h", _U), "Đã giải quyết"),
            prom(grown("unit", "tthc_dossiers_finished_late_total", "24h", _U), "Trong đó trễ hạn", ref="B"),
            prom(grown("unit", "tthc_dossiers_returned_total", "24h", _U), "Trả lại", ref="C"),
        ],
        "locale",
        size=(8, 8),
        decimals=0,
        colors={"Đã giải quyết": GREEN, "Trong đó trễ hạn": RED, "Trả lại": BLUE},
    ),
    table(
        "Các dấu hiệu hiện có",
        "Số hồ sơ chưa kết thúc của đơn vị có dấu hiệu của từng quy tắc. Dấu hiệu không phải vi phạm: là chỗ cần mở hồ sơ ra "
        "xem." + _WHOLE_UNIT,
        [sql(_FINDINGS)],
        "locale",
        {
            "title": column("Quy tắc"),
            "severity": column("Mức", width=130, mappings=_SEVERITIES),
            "dossiers": column("Số hồ sơ", width=110),
            "since": column("Cũ nhất từ", width=160, unit=DATE),
            "legal_basis": column("Căn cứ"),
        },
        size=(24, 8),
    ),
)

_PROCEDURES: Final = (
    table(
        "Thủ tục đang có hồ sơ, quá hạn nhiều nhất trước",
        "Số hồ sơ lúc này theo thủ tục. Bấm để mở trang của thủ tục." + _CHOSEN_SECTOR,
        prom_table(
            *(
                f"{newest('procedure', metric, _U)} and on (procedure) "
                + select("tthc_procedure_info", 'sector=~"$sector"')
                for metric in (
                    "tthc_procedure_dossiers_overdue",
                    "tthc_procedure_dossiers_due_soon",
                    "tthc_procedure_dossiers_open",
                    "tthc_procedure_dossiers_supplement_requested",
                )
            ),
            newest("procedure, name", "tthc_procedure_info", 'sector=~"$sector"')
            + " and on (procedure) "
            + select("tthc_procedure_dossiers_open", _U),
        ),
        "locale",
        {
            "name": column("Thủ tục", link=TO_PROCEDURE),
            "procedure": column("Mã", width=120, link=TO_PROCEDURE, unit="string"),
            "Value #A": column("Quá hạn", width=100, steps=((None, GREY), (1, RED))),
            "Value #B": column("Sắp đến hạn", width=120, steps=((None, GREY), (1, ORANGE))),
            "Value #C": column("Đang giải quyết", width=140),
            "Value #D": column("Chờ bổ sung", width=120),
        },
        sort="Quá hạn",
        hide=("Value #E",),
    ),
    table(
        "Kết quả tháng theo thủ tục",
        "Số của báo cáo trong tháng được chọn, lấy từ cơ sở dữ liệu; tháng đã chốt thì là số đã chốt." + _CHOSEN_SECTOR,
        [sql(_MONTHS_RESULT)],
        "locale",
        {
            "name": column("Thủ tục", link=TO_PROCEDURE),
            "procedure": column("Mã", width=120, link=TO_PROCEDURE),
            "received": column("Tiếp nhận", width=110),
            "in_time": column("Trước và đúng hạn", width=150),
            "late": column("Trễ hạn", width=100, steps=((None, GREY), (1, RED))),
            "cannot_tell": column("Chưa xác định", width=130),
            "pending_overdue": column("Quá hạn chưa xong", width=150, steps=((None, GREY), (1, RED))),
            "on_time_percent": column("Tỷ lệ đúng hạn", width=140, unit="percent", decimals=2),
        },
    ),
)

_LISTS: Final = (
    table(
        "Hồ sơ đang quá hạn, lâu nhất trước",
        "Số ngày đếm như trong bản tin buổi sáng và báo cáo. Văn bản xin lỗi trống: chưa thấy."
        + _CHOSEN_SECTOR
        + _FIRST,
        [sql(dossiers.overdue(OF_UNIT, OF_SECTOR))],
        "string",
        {
            **dossiers.CODE,
            **dossiers.DAYS_LATE,
            **dossiers.PROCEDURE,
            **dossiers.STEP,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            **dossiers.APOLOGY,
            "unit": column("Đơn vị", width=200),
        },
        size=(24, 12),
    ),
    table(
        "Hồ sơ sắp đến hạn, gần nhất trước",
        "Sẽ quá hạn nếu không xong trong số giờ làm việc còn lại." + _CHOSEN_SECTOR + _FIRST,
        [sql(dossiers.due_soon(OF_UNIT, OF_SECTOR))],
        "string",
        {
            **dossiers.CODE,
            **dossiers.HOURS_LEFT,
            **dossiers.PROCEDURE,
            **dossiers.STEP,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            "unit": column("Đơn vị", width=200),
        },
    ),
    table(
        "Hồ sơ thiếu văn bản xin lỗi",
        "Quá hạn mà không thấy văn bản xin lỗi đúng quy định; nguồn không gửi trường này thì không kết luận." + _FIRST,
        [sql(dossiers.with_finding("apology_missing", OF_UNIT, OF_SECTOR))],
        "string",
        {
            **dossiers.CODE,
            **dossiers.PROCEDURE,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            "since": column("Thiếu từ", width=150, unit=DATE),
            **dossiers.APOLOGY,
        },
        size=(12, 10),
    ),
    table(
        "Hồ sơ trả lại, dừng trong khoảng thời gian đang xem",
        "Bị từ chối, dừng giải quyết hoặc người nộp rút." + _CHOSEN_SECTOR + _FIRST,
        [sql(dossiers.returned(OF_UNIT, OF_SECTOR))],
        "string",
        {
            **dossiers.CODE,
            "status": column("Trạng thái", width=170),
            **dossiers.PROCEDURE,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            "since": column("Trả lại lúc", width=150, unit=DATE),
        },
        size=(12, 10),
    ),
)

DASHBOARD: Final[Dashboard] = dashboard(
    "tthc-unit",
    "Một đơn vị: hồ sơ đang giải quyết, quá hạn, sắp đến hạn; thủ tục và hồ sơ cần xử lý trước.",
    (UNIT, ANY_SECTOR, MONTH, JOB_HIDDEN),
    (
        ("Đơn vị lúc này (mọi lĩnh vực)", _NOW),
        ("Diễn biến (mọi lĩnh vực)", _TRENDS),
        ("Thủ tục (lĩnh vực được chọn)", _PROCEDURES),
        ("Hồ sơ (lĩnh vực được chọn)", _LISTS),
    ),
    since="now-30d",
    refresh="5m",
)
