"""Sức khoẻ hệ thống: do data arrive, are they judged, do the jobs run, does the ledger hold. For who runs the program."""

from __future__ import annotations

from typing import Final

from tests.grafana_dashboards.model import Dashboard, dashboard
from tests.grafana_dashboards.overview import SOURCE_STATES
from tests.grafana_dashboards.panels import (
    BAD_ABOVE_ZERO,
    DATE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WARN_ABOVE_ZERO,
    column,
    lines,
    stat,
    table,
    texts,
)
from tests.grafana_dashboards.queries import grown, newest, prom, prom_now, prom_table, select, sql
from tests.grafana_dashboards.variables import JOB

_JOB_STATES: Final = texts({0: ("Đúng lịch", GREEN), 1: ("Quá giờ", RED)})

_FAILED: Final = """
SELECT p.source, p.started_at, p.finished_at, p.rows_read, p.rows_rejected, p.error
FROM pull_runs p
WHERE p.outcome = 'failed' AND $__timeFilter(p.started_at)
ORDER BY p.started_at DESC
LIMIT 100
"""
_PULLS: Final = """
SELECT p.source, count(*) AS pulls, count(*) FILTER (WHERE p.outcome = 'failed') AS failed,
       sum(p.rows_read) AS rows_read, sum(p.rows_rejected) AS rows_rejected, sum(p.rows_unmapped_status) AS rows_unmapped,
       sum(p.dossiers_new) AS dossiers_new, sum(p.dossiers_changed) AS dossiers_changed,
       round(max(extract(epoch FROM p.finished_at - p.started_at)), 1) AS longest
FROM pull_runs p
WHERE $__timeFilter(p.started_at)
GROUP BY p.source
ORDER BY failed DESC, rows_rejected DESC, p.source
"""
_REJECTS: Final = """
SELECT r.source, r.column_name, r.reason, count(*) AS rows, max(r.started_at) AS last_at
FROM rejects r
WHERE $__timeFilter(r.started_at)
GROUP BY r.source, r.column_name, r.reason
ORDER BY rows DESC, last_at DESC
LIMIT 100
"""
_UNKNOWN: Final = """
SELECT u.source, u.field, u.code, sum(u.row_count) AS rows, max(u.started_at) AS last_at
FROM unknown_codes u
WHERE $__timeFilter(u.started_at)
GROUP BY u.source, u.field, u.code
ORDER BY rows DESC, u.code
LIMIT 100
"""

_NOW: Final = (
    stat(
        "Cơ sở dữ liệu",
        "Chương trình có đọc được cơ sở dữ liệu không. Khi không đọc được, không có số liệu nào khác: số cũ còn tệ hơn không "
        "có số.",
        prom_now(f"min({select('tthc_database_up')})"),
        "none",
        mappings=texts({0: ("Không đọc được", RED), 1: ("Hoạt động", GREEN)}),
        steps=((None, RED), (1, GREEN)),
        background=True,
        none="Không thấy chương trình",
    ),
    stat(
        "Sổ cái",
        "Lần kiểm tra chuỗi băm gần nhất. “Đứt”: chạy tthc-monitor audit verify và báo ngay.",
        prom_now(f"min({newest('job', 'tthc_ledger_intact')})"),
        "none",
        mappings=texts({0: ("Đứt", RED), 1: ("Nguyên vẹn", GREEN)}),
        steps=((None, RED), (1, GREEN)),
        background=True,
        none="Chưa kiểm tra",
    ),
    stat(
        "Kiểm tra sổ cái lúc",
        "Thời điểm kiểm tra sổ cái gần nhất.",
        prom_now(f"max({select('tthc_ledger_checked_timestamp_seconds')}) * 1000"),
        "dateTimeAsSystem",
        none="Chưa kiểm tra",
    ),
    stat(
        "Lô chờ đánh giá",
        "Số lô dữ liệu đã nhận, chưa được đánh giá; hồ sơ trong đó tạm thời là chưa xác định.",
        prom_now(f"max({select('tthc_evaluations_pending')})"),
        "locale",
        steps=WARN_ABOVE_ZERO,
    ),
    stat(
        "Chờ lâu nhất",
        "Lô chờ đánh giá lâu nhất đã chờ bao lâu.",
        prom_now(f"time() - min({select('tthc_evaluation_oldest_pending_timestamp_seconds')})"),
        "s",
        steps=((None, GREEN), (600, ORANGE), (3600, RED)),
        none="Không có lô nào chờ",
    ),
    stat(
        "Đánh giá lần cuối",
        "Thời điểm kết thúc lần đánh giá gần nhất.",
        prom_now(f"max({select('tthc_evaluation_last_timestamp_seconds')}) * 1000"),
        "dateTimeAsSystem",
    ),
    stat(
        "Tuổi của số liệu",
        "Thời gian từ lần tổng hợp số liệu gần nhất đến nay.",
        prom_now(f"time() - max({select('tthc_snapshot_timestamp_seconds')})"),
        "s",
        steps=((None, GREEN), (900, ORANGE), (3600, RED)),
    ),
    stat(
        "Thời gian tổng hợp",
        "Lần tổng hợp số liệu gần nhất mất bao lâu.",
        prom_now(f"max({select('tthc_snapshot_duration_seconds')})"),
        "s",
        decimals=3,
    ),
    stat(
        "Chuỗi số liệu bị cắt",
        "Số chuỗi theo đơn vị và thủ tục bị bỏ vì vượt giới hạn serve.max_series; số theo đơn vị không bao giờ bị cắt.",
        prom_now(f"max({select('tthc_series_dropped')})"),
        "locale",
        steps=BAD_ABOVE_ZERO,
    ),
    stat(
        "Lịch nghỉ còn đủ (số ngày)",
        "Số ngày lịch còn được ấn định bằng văn bản; hết thì ngày hẹn về sau tính theo dự kiến.",
        prom_now(f"(min({select('tthc_calendar_decreed_until_timestamp_seconds')}) - time()) / 86400"),
        "none",
        decimals=0,
        steps=((None, RED), (30, ORANGE), (90, GREEN)),
    ),
    stat(
        "Số bản đang chạy",
        "Số tiến trình mà Prometheus đang lấy được số liệu.",
        prom_now(f"count({select('tthc_monitor_build_info')})"),
        "locale",
    ),
    stat(
        "Phiên bản",
        "Phiên bản của chương trình đang chạy.",
        prom_now(newest("version", "tthc_monitor_build_info"), "{{version}}"),
        "string",
        by_name=True,
    ),
)

_PULLING: Final = (
    lines(
        "Lần lấy dữ liệu trong một giờ",
        "Số lần lấy dữ liệu của từng nguồn trong một giờ trước mỗi thời điểm.",
        [prom(f"sum by (source) ({grown('source, outcome', 'tthc_source_runs_total', '1h')})", "{{source}}")],
        "locale",
        decimals=0,
        size=(8, 8),
    ),
    lines(
        "Lần lấy dữ liệu lỗi trong một giờ",
        "Số lần lấy dữ liệu không thành công của từng nguồn trong một giờ trước mỗi thời điểm.",
        [prom(grown("source", "tthc_source_runs_total", "1h", 'outcome="failed"'), "{{source}}")],
        "locale",
        decimals=0,
        size=(8, 8),
    ),
    lines(
        "Thời gian lấy dữ liệu",
        "Lần lấy dữ liệu gần nhất của từng nguồn mất bao lâu.",
        [prom(newest("source", "tthc_source_last_run_duration_seconds"), "{{source}}")],
        "s",
        size=(8, 8),
    ),
    lines(
        "Tuổi của dữ liệu từng nguồn",
        "Thời gian từ lần lấy dữ liệu thành công gần nhất.",
        [prom(f"time() - {newest('source', 'tthc_source_last_success_timestamp_seconds')}", "{{source}}")],
        "s",
        size=(8, 8),
    ),
    lines(
        "Số dòng của lần lấy gần nhất",
        "Giảm đột ngột: nguồn không trả đủ. Lần lấy toàn bộ được ghi riêng.",
        [
            prom(newest("source", "tthc_source_last_run_rows"), "{{source}}"),
            prom(newest("source", "tthc_source_last_full_run_rows"), "{{source}}, toàn bộ", ref="B"),
        ],
        "locale",
        size=(8, 8),
    ),
    lines(
        "Dòng không đọc được trong một giờ",
        "Số dòng bị loại của từng nguồn trong một giờ trước mỗi thời điểm; hồ sơ trong đó không được theo dõi.",
        [prom(grown("source", "tthc_source_rows_rejected_total", "1h"), "{{source}}")],
        "locale",
        decimals=0,
        size=(8, 8),
    ),
    table(
        "Tình trạng các nguồn",
        "Từng nguồn lúc này. “Im lặng”: quá thời điểm phải có dữ liệu.",
        prom_table(
            f"{newest('source', 'tthc_source_expected_by_timestamp_seconds')} < bool time()",
            f"{newest('source', 'tthc_source_last_success_timestamp_seconds')} * 1000",
            f"{newest('source', 'tthc_source_last_run_timestamp_seconds')} * 1000",
            f"{newest('source', 'tthc_source_expected_by_timestamp_seconds')} * 1000",
            newest("source", "tthc_source_last_run_rejected"),
            f"count by (source) ({newest('unit, source', 'tthc_unit_source_info')})",
            grown("source", "tthc_source_verdict_mismatches_total", "24h"),
        ),
        "locale",
        {
            "source": column("Nguồn"),
            "Value #A": column("Tình trạng", width=130, mappings=SOURCE_STATES),
            "Value #B": column("Thành công gần nhất", width=180, unit=DATE),
            "Value #C": column("Lần chạy gần nhất", width=180, unit=DATE),
            "Value #D": column("Phải có dữ liệu trước", width=180, unit=DATE),
            "Value #E": column("Dòng không đọc được", width=170, steps=((None, GREY), (1, ORANGE))),
            "Value #F": column("Số đơn vị", width=110),
            "Value #G": column("Khác kết luận của nguồn (24 giờ)", width=240, decimals=0),
        },
        sort="Tình trạng",
        size=(24, 7),
    ),
    table(
        "Các lần lấy dữ liệu trong khoảng đang xem",
        "Cộng theo nguồn, từ sổ ghi các lần lấy dữ liệu.",
        [sql(_PULLS)],
        "locale",
        {
            "source": column("Nguồn"),
            "pulls": column("Số lần", width=100),
            "failed": column("Lỗi", width=90, steps=((None, GREY), (1, RED))),
            "rows_read": column("Dòng đọc", width=120),
            "rows_rejected": column("Dòng không đọc được", width=170, steps=((None, GREY), (1, ORANGE))),
            "rows_unmapped": column("Trạng thái lạ", width=130, steps=((None, GREY), (1, ORANGE))),
            "dossiers_new": column("Hồ sơ mới", width=120),
            "dossiers_changed": column("Hồ sơ thay đổi", width=140),
            "longest": column("Lâu nhất", width=120, unit="s"),
        },
        size=(24, 7),
    ),
    table(
        "Các lần lấy dữ liệu lỗi",
        "Lý do của từng lần lỗi trong khoảng đang xem, mới nhất trước; tối đa 100.",
        [sql(_FAILED)],
        "string",
        {
            "source": column("Nguồn", width=160),
            "started_at": column("Bắt đầu", width=150, unit=DATE),
            "finished_at": column("Kết thúc", width=150, unit=DATE),
            "rows_read": column("Dòng đọc", width=110),
            "rows_rejected": column("Dòng không đọc được", width=170),
            "error": column("Lỗi"),
        },
        size=(24, 8),
    ),
    table(
        "Dòng không đọc được, theo lý do",
        "Nguồn gửi sai cái gì, trong khoảng đang xem. Tài khoản kiểm toán của một đơn vị không thấy bảng này.",
        [sql(_REJECTS)],
        "string",
        {
            "source": column("Nguồn", width=160),
            "column_name": column("Cột", width=160),
            "reason": column("Lý do"),
            "rows": column("Số dòng", width=100),
            "last_at": column("Gần nhất", width=150, unit=DATE),
        },
        size=(12, 8),
    ),
    table(
        "Mã chưa được đối chiếu",
        "Mã trạng thái, mã khác của nguồn mà cấu hình chưa biết, trong khoảng đang xem. Bổ sung vào cấu hình của nguồn.",
        [sql(_UNKNOWN)],
        "string",
        {
            "source": column("Nguồn", width=160),
            "field": column("Trường", width=160),
            "code": column("Mã"),
            "rows": column("Số dòng", width=100),
            "last_at": column("Gần nhất", width=150, unit=DATE),
        },
        size=(12, 8),
    ),
)

_JOBS: Final = (
    table(
        "Công việc theo lịch",
        "Lấy dữ liệu, đánh giá, tổng hợp, bản tin buổi sáng, báo cáo, lưu giữ, kiểm tra sổ cái: từng việc chạy thành công lần cuối "
        "khi nào. “Quá giờ”: lẽ ra đã phải chạy xong.",
        prom_table(
            f"{newest('job_name', 'tthc_job_expected_by_timestamp_seconds')} < bool time()",
            f"{newest('job_name', 'tthc_job_last_success_timestamp_seconds')} * 1000",
            f"{newest('job_name', 'tthc_job_last_run_timestamp_seconds')} * 1000",
            f"{newest('job_name', 'tthc_job_expected_by_timestamp_seconds')} * 1000",
            newest("job_name", "tthc_job_last_run_duration_seconds"),
        ),
        "locale",
        {
            "job_name": column("Công việc"),
            "Value #A": column("Tình trạng", width=130, mappings=_JOB_STATES),
            "Value #B": column("Thành công gần nhất", width=180, unit=DATE),
            "Value #C": column("Lần chạy gần nhất", width=180, unit=DATE),
            "Value #D": column("Phải xong trước", width=180, unit=DATE),
            "Value #E": column("Mất", width=120, unit="s"),
        },
        sort="Tình trạng",
        size=(24, 8),
    ),
    lines(
        "Lần chạy trong một giờ",
        "Số lần chạy của từng công việc trong một giờ trước mỗi thời điểm.",
        [prom(f"sum by (job_name) ({grown('job_name, outcome', 'tthc_job_runs_total', '1h')})", "{{job_name}}")],
        "locale",
        decimals=0,
        size=(8, 8),
    ),
    lines(
        "Lần chạy lỗi trong một giờ",
        "Số lần chạy không thành công của từng công việc trong một giờ trước mỗi thời điểm.",
        [prom(grown("job_name", "tthc_job_runs_total", "1h", 'outcome="failed"'), "{{job_name}}")],
        "locale",
        decimals=0,
        size=(8, 8),
    ),
    lines(
        "Thời gian chạy",
        "Lần chạy gần nhất của từng công việc mất bao lâu.",
        [prom(newest("job_name", "tthc_job_last_run_duration_seconds"), "{{job_name}}")],
        "s",
        size=(8, 8),
    ),
)

_PROGRAM: Final = (
    lines(
        "Thời gian trả lời Prometheus",
        "Mỗi bản của chương trình mất bao lâu để đọc các số từ cơ sở dữ liệu.",
        [prom(f"max by (instance) ({select('tthc_collect_duration_seconds')})", "{{instance}}")],
        "s",
    ),
    lines(
        "Chờ đánh giá và thời gian tổng hợp",
        "Số lô chờ đánh giá, và lần tổng hợp số liệu mất bao nhiêu giây.",
        [
            prom(f"max({select('tthc_evaluations_pending')})", "Lô chờ đánh giá"),
            prom(f"max({select('tthc_snapshot_duration_seconds')})", "Tổng hợp (giây)", ref="B"),
        ],
        "none",
    ),
    lines(
        "Kết luận thay đổi trong một giờ",
        "Số kết luận được thay bằng kết luận khác trong một giờ, cả tỉnh. Tăng vọt: nguồn sửa dữ liệu hàng loạt, hoặc quy tắc, "
        "lịch vừa đổi.",
        [prom(f"sum({grown('unit', 'tthc_verdict_changes_total', '1h')})", "Kết luận thay đổi")],
        "locale",
        decimals=0,
        size=(24, 7),
    ),
)

DASHBOARD: Final[Dashboard] = dashboard(
    "tthc-pipeline",
    "Dành cho người vận hành: dữ liệu có về không, có được đánh giá không, công việc có chạy không, sổ cái có nguyên không.",
    (JOB,),
    (
        ("Lúc này", _NOW),
        ("Nguồn dữ liệu", _PULLING),
        ("Công việc", _JOBS),
        ("Chương trình", _PROGRAM),
    ),
    since="now-24h",
    refresh="1m",
)
