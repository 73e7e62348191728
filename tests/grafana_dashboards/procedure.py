"""Thủ tục: how long one procedure takes, where its time goes, and which of its dossiers are late."""

from __future__ import annotations

from typing import Final

from tests.grafana_dashboards import dossiers
from tests.grafana_dashboards.dossiers import OF_PROCEDURE, OF_UNITS
from tests.grafana_dashboards.model import Dashboard, dashboard
from tests.grafana_dashboards.panels import (
    BAD_ABOVE_ZERO,
    BLUE,
    GREY,
    ORANGE,
    RED,
    WARN_ABOVE_ZERO,
    bars,
    column,
    lines,
    stat,
    table,
)
from tests.grafana_dashboards.queries import grown, newest, prom, prom_buckets, prom_now, sql
from tests.grafana_dashboards.variables import ANY_SECTOR, ANY_UNIT, JOB_HIDDEN, MONTH, PROCEDURE

_P: Final = ('unit=~"$unit"', 'procedure="$procedure"')
_ITS_SECTOR: Final = "on (sector) group_left () " + newest("sector", "tthc_procedure_info", 'procedure="$procedure"')
_SECTOR_NOTE: Final = " Tính trên mọi hồ sơ thuộc lĩnh vực của thủ tục, mọi đơn vị."


def _buckets(metric: str, window: str) -> str:
    return f"sum by (le) ({grown('sector, le', f'{metric}_bucket', window)} * {_ITS_SECTOR})"


def _quantile(share: float, metric: str, window: str) -> str:
    return f"histogram_quantile({share}, {_buckets(metric, window)})"


_RESULT: Final = """
SELECT to_char(d.month, 'MM/YYYY') AS month, coalesce(unit_name(d.unit_code, d.month), d.unit_code, 'Chưa rõ đơn vị') AS unit,
       d.received_online + d.received_direct AS received, d.finished_early + d.finished_on_time AS in_time,
       d.finished_late AS late, d.finished_unknown AS cannot_tell, d.pending_overdue AS pending_overdue,
       d.on_time_percent
FROM figures_by_month d
WHERE d.month = date ${month:sqlstring} AND d.kind = 'dossier' AND $CONDITIONS
ORDER BY d.finished_late DESC, d.pending_overdue DESC, unit
""".replace("$CONDITIONS", f"{OF_UNITS} AND {OF_PROCEDURE}")

_STEPS: Final = """
SELECT s.step_name AS step, coalesce(unit_name(s.step_unit_code), s.step_unit_code, 'Chưa rõ đơn vị') AS unit,
       count(*) AS times,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY s.working_seconds) / 3600)::numeric, 1) AS median_hours,
       round((percentile_cont(0.9) WITHIN GROUP (ORDER BY s.working_seconds) / 3600)::numeric, 1) AS slow_hours,
       round(max(s.working_seconds) / 3600, 1) AS longest_hours,
       count(*) FILTER (WHERE s.still_open) AS still_open,
       count(*) FILTER (WHERE s.still_open AND s.step_due_at < now()) AS overdue
FROM step_durations s
WHERE s.dossier_id IN (
    SELECT d.dossier_id FROM dossiers d
    WHERE $CONDITIONS AND $__timeFilter(d.received_at)
    ORDER BY d.received_at DESC LIMIT 2000
)
GROUP BY s.step_name, s.step_unit_code
ORDER BY median_hours DESC NULLS LAST, step
""".replace("$CONDITIONS", f"{OF_UNITS} AND {OF_PROCEDURE}")

_NOW: Final = (
    stat(
        "Đang giải quyết",
        "Hồ sơ của thủ tục đã tiếp nhận, chưa kết thúc, ở các đơn vị được chọn.",
        prom_now("sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_open", *_P))),
        "locale",
        none="0",
    ),
    stat(
        "Đang quá hạn",
        "Hồ sơ của thủ tục đang giải quyết đã quá ngày hẹn trả.",
        prom_now("sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_overdue", *_P))),
        "locale",
        steps=BAD_ABOVE_ZERO,
        none="0",
    ),
    stat(
        "Sắp đến hạn",
        "Sẽ đến hạn trong số giờ làm việc mà quy tắc “sắp đến hạn” quy định.",
        prom_now("sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_due_soon", *_P))),
        "locale",
        steps=WARN_ABOVE_ZERO,
        none="0",
    ),
    stat(
        "Chờ công dân bổ sung",
        "Đang chờ người nộp bổ sung; đồng hồ của cơ quan dừng.",
        prom_now("sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_supplement_requested", *_P))),
        "locale",
        none="0",
    ),
    stat(
        "Đã giải quyết trong khoảng đang xem",
        "Số hồ sơ của thủ tục kết thúc trong khoảng thời gian đang xem. Để xem xu hướng; số chính thức nằm ở bảng kết quả.",
        prom_now("sum({})".format(grown("unit, procedure", "tthc_procedure_dossiers_finished_total", "$__range", *_P))),
        "locale",
        decimals=0,
        none="0",
    ),
    stat(
        "Trong đó trễ hạn",
        "Số hồ sơ của thủ tục kết thúc sau ngày hẹn trả trong khoảng thời gian đang xem.",
        prom_now(
            "sum({})".format(grown("unit, procedure", "tthc_procedure_dossiers_finished_late_total", "$__range", *_P))
        ),
        "locale",
        decimals=0,
        steps=WARN_ABOVE_ZERO,
        none="0",
    ),
)

_TIMES: Final = (
    bars(
        "Thời gian đã dùng so với thời hạn",
        "Hồ sơ kết thúc trong khoảng thời gian đang xem, theo tỷ số thời gian làm việc đã dùng ÷ thời hạn: mỗi thanh là số hồ "
        "sơ có tỷ số đến mức ghi bên cạnh; trên 1 là quá hạn." + _SECTOR_NOTE,
        prom_buckets(_buckets("tthc_dossier_used_ratio", "$__range")),
        "locale",
        size=(8, 9),
        decimals=0,
    ),
    bars(
        "Thời gian giải quyết (giây làm việc)",
        "Hồ sơ kết thúc trong khoảng thời gian đang xem, theo thời gian làm việc đã dùng; 28.800 giây là một ngày làm việc 08 "
        "giờ." + _SECTOR_NOTE,
        prom_buckets(_buckets("tthc_dossier_processing_working_seconds", "$__range")),
        "locale",
        size=(8, 9),
        decimals=0,
    ),
    lines(
        "Số ngày làm việc đến khi xong, 7 ngày trước đó",
        "Một nửa số hồ sơ xong trong thời gian ấy; chín phần mười số hồ sơ xong trong thời gian ấy." + _SECTOR_NOTE,
        [
            prom(f"{_quantile(0.5, 'tthc_dossier_processing_working_seconds', '7d')} / 28800", "Một nửa"),
            prom(
                f"{_quantile(0.9, 'tthc_dossier_processing_working_seconds', '7d')} / 28800", "Chín phần mười", ref="B"
            ),
        ],
        "none",
        size=(8, 9),
        axis="ngày làm việc",
        decimals=1,
        colors={"Một nửa": BLUE, "Chín phần mười": ORANGE},
    ),
    lines(
        "Diễn biến",
        "Hồ sơ của thủ tục đang giải quyết và đang quá hạn, theo thời gian, ở các đơn vị được chọn.",
        [
            prom("sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_open", *_P)), "Đang giải quyết"),
            prom(
                "sum({})".format(newest("unit, procedure", "tthc_procedure_dossiers_overdue", *_P)), "Quá hạn", ref="B"
            ),
        ],
        "locale",
        colors={"Đang giải quyết": BLUE, "Quá hạn": RED},
    ),
    lines(
        "Đơn vị nào đang quá hạn",
        "Số hồ sơ của thủ tục đang quá hạn ở từng đơn vị được chọn, theo mã đơn vị.",
        [prom(newest("unit", "tthc_procedure_dossiers_overdue", *_P), "{{unit}}")],
        "locale",
    ),
)

_RESULTS: Final = (
    table(
        "Kết quả tháng theo đơn vị",
        "Số của báo cáo trong tháng được chọn cho thủ tục này, lấy từ cơ sở dữ liệu; tháng đã chốt thì là số đã chốt.",
        [sql(_RESULT)],
        "locale",
        {
            "month": column("Tháng", width=100),
            "unit": column("Đơn vị"),
            "received": column("Tiếp nhận", width=110),
            "in_time": column("Trước và đúng hạn", width=150),
            "late": column("Trễ hạn", width=100, steps=((None, GREY), (1, RED))),
            "cannot_tell": column("Chưa xác định", width=130),
            "pending_overdue": column("Quá hạn chưa xong", width=150, steps=((None, GREY), (1, RED))),
            "on_time_percent": column("Tỷ lệ đúng hạn", width=140, unit="percent", decimals=2),
        },
        size=(24, 7),
    ),
    table(
        "Các bước xử lý, dài nhất trước",
        "Thời gian làm việc của từng bước, của hồ sơ tiếp nhận trong khoảng thời gian đang xem (tối đa 2.000 hồ sơ mới nhất). "
        "Bước ngắn hơn khoảng cách giữa hai lần lấy dữ liệu có thể không thấy.",
        [sql(_STEPS)],
        "none",
        {
            "step": column("Bước"),
            "unit": column("Đơn vị thực hiện", width=260),
            "times": column("Số lần", width=100),
            "median_hours": column("Một nửa xong trong (giờ)", width=190, decimals=1),
            "slow_hours": column("Chín phần mười xong trong (giờ)", width=230, decimals=1),
            "longest_hours": column("Lâu nhất (giờ)", width=130, decimals=1),
            "still_open": column("Đang làm", width=100),
            "overdue": column("Bước quá hạn", width=120, steps=((None, GREY), (1, RED))),
        },
        size=(24, 9),
    ),
)

_LISTS: Final = (
    table(
        "Hồ sơ đang quá hạn, lâu nhất trước",
        f"Của thủ tục, ở các đơn vị được chọn; số ngày đếm như trong báo cáo. Tối đa {dossiers.LIMIT} hồ sơ.",
        [sql(dossiers.overdue(OF_UNITS, OF_PROCEDURE))],
        "string",
        {
            **dossiers.CODE,
            **dossiers.DAYS_LATE,
            **dossiers.UNIT,
            **dossiers.STEP,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            **dossiers.APOLOGY,
            **dossiers.PROCEDURE,
        },
    ),
    table(
        "Hồ sơ sắp đến hạn, gần nhất trước",
        f"Của thủ tục, ở các đơn vị được chọn. Tối đa {dossiers.LIMIT} hồ sơ.",
        [sql(dossiers.due_soon(OF_UNITS, OF_PROCEDURE))],
        "string",
        {
            **dossiers.CODE,
            **dossiers.HOURS_LEFT,
            **dossiers.UNIT,
            **dossiers.STEP,
            **dossiers.RECEIVED,
            **dossiers.DUE,
            **dossiers.PROCEDURE,
        },
    ),
)

DASHBOARD: Final[Dashboard] = dashboard(
    "tthc-procedure",
    "Một thủ tục: mất bao lâu so với thời hạn, thời gian nằm ở bước nào, hồ sơ nào đang trễ.",
    (ANY_SECTOR, PROCEDURE, ANY_UNIT, MONTH, JOB_HIDDEN),
    (
        ("Thủ tục lúc này", _NOW),
        ("Thời gian", _TIMES),
        ("Kết quả và các bước", _RESULTS),
        ("Hồ sơ", _LISTS),
    ),
    since="now-90d",
    refresh="5m",
)
