CREATE VIEW audit.figures_by_month AS
SELECT m.month, m.from_at, m.to_at,
       EXISTS (SELECT FROM audit.frozen_periods p WHERE p.from_at = m.from_at AND p.to_at = m.to_at
               AND p.zone = 'Asia/Ho_Chi_Minh') AS frozen,
       f.unit_code, f.procedure_code, f.sector_code, f.kind, f.received_online, f.received_direct, f.carried_over,
       f.finished_early, f.finished_on_time, f.finished_late, f.finished_unknown, f.pending_in_time, f.pending_overdue,
       f.pending_unknown, audit.on_time_percent(f.finished_early + f.finished_on_time, f.finished_late) AS on_time_percent
FROM (
    SELECT day.day::date AS month, day.day AT TIME ZONE 'Asia/Ho_Chi_Minh' AS from_at,
           (day.day + interval '1 month') AT TIME ZONE 'Asia/Ho_Chi_Minh' AS to_at
    FROM generate_series(
        (SELECT date_trunc('year', min(r.started_at) AT TIME ZONE 'Asia/Ho_Chi_Minh') - interval '1 year' FROM tthc.pull_runs r),
        date_trunc('month', now() AT TIME ZONE 'Asia/Ho_Chi_Minh'), interval '1 month'
    ) AS day (day)
) m
CROSS JOIN LATERAL audit.reported_figures(m.from_at, m.to_at) f;
COMMENT ON VIEW audit.figures_by_month IS
    'Số liệu báo cáo (audit.reported_figures) từng tháng dương lịch × đơn vị × thủ tục; luôn chọn tháng, ví dụ '
    'WHERE month = ''2026-10-01'', vì mỗi tháng được tính riêng | '
    'Reported figures by calendar month, unit and procedure; always choose months: each is counted by itself';
