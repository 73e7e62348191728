CREATE FUNCTION audit.calendar_now() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.calendar_version_id FROM audit.evaluations e
    WHERE EXISTS (SELECT FROM audit.calendar_variants v WHERE v.calendar_version_id = e.calendar_version_id)
    ORDER BY e.evaluation_id DESC LIMIT 1
$$;
COMMENT ON FUNCTION audit.calendar_now IS
    'Phiên bản lịch làm việc mà lần đánh giá gần nhất đã dùng; trống khi chưa đánh giá lần nào | '
    'The calendar version of the latest evaluation; null before the first one';

-- Instants that no calendar answers for (a source may claim the year 0001) leave one cell empty, not the query without a result.
CREATE FUNCTION audit.working_time(calendar int, from_at timestamptz, to_at timestamptz, unit_code text)
RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN from_at BETWEEN '1990-01-02 00:00+00' AND '2059-12-30 00:00+00'
                 AND to_at BETWEEN '1990-01-02 00:00+00' AND '2059-12-30 00:00+00'
                THEN audit.working_seconds(calendar, from_at, to_at, unit_code) END
$$;
COMMENT ON FUNCTION audit.working_time IS
    'Như audit.working_seconds, nhưng trống (không báo lỗi) khi thời điểm nằm ngoài phạm vi của lịch | '
    'As audit.working_seconds, but null where the calendar does not answer for an instant';

CREATE FUNCTION audit.working_days(calendar int, from_at timestamptz, to_at timestamptz, unit_code text)
RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- Working time that goes on past midnight is one segment: it counts for every day that it touches.
    SELECT CASE WHEN calendar IS NOT NULL AND from_at IS NOT NULL AND to_at IS NOT NULL THEN (
        SELECT count(DISTINCT day.day)::int
        FROM (
            SELECT v.compiled_id, coalesce(c.definition ->> 'zone', 'Asia/Ho_Chi_Minh') AS zone,
                   greatest(from_at, v.answers_from) AS since, least(to_at, v.answers_to) AS until
            FROM audit.calendar_variants v JOIN audit.calendars c USING (calendar_version_id)
            WHERE v.calendar_version_id = calendar AND v.variant = coalesce(
                (SELECT u.variant FROM audit.calendar_units u
                 WHERE u.calendar_version_id = calendar AND u.unit_code = working_days.unit_code), '')
        ) k
        JOIN audit.calendar_segments s ON s.compiled_id = k.compiled_id
             AND s.opens > k.since - interval '32 days' AND s.opens < k.until + interval '1 day'
        CROSS JOIN LATERAL generate_series(
            (s.opens AT TIME ZONE k.zone)::date,
            ((s.closes - interval '1 microsecond') AT TIME ZONE k.zone)::date, interval '1 day'
        ) AS day (day)
        WHERE day.day > (k.since AT TIME ZONE k.zone)::date AND day.day <= (k.until AT TIME ZONE k.zone)::date
    ) END
$$;
COMMENT ON FUNCTION audit.working_days IS
    'Số ngày làm việc sau ngày của from_at, đến hết ngày của to_at, theo lịch của đơn vị; 0 trong cùng một ngày. Đây là '
    'cách đếm số ngày quá hạn của thư hằng ngày và báo cáo tháng | '
    'Working days after the day of from_at, up to and with the day of to_at; 0 within one day: as mails and reports count days late';

CREATE VIEW audit.dossier_lateness AS
SELECT v.dossier_id, v.source, v.code, v.kind, v.unit_code, u.name AS unit_name, v.procedure_code,
       p.name AS procedure_name, v.status, v.received_at, v.ended_at, v.verdict,
       v.due_original, v.due_current, l.due_lawful,
       v.late_since, CASE WHEN v.late_since IS NOT NULL THEN least(v.ended_at, now()) END AS late_until,
       CASE WHEN v.late_since IS NOT NULL THEN
           audit.working_time((SELECT audit.calendar_now()), v.late_since, least(v.ended_at, now()), v.unit_code)
       END AS late_working_seconds,
       CASE WHEN v.late_since IS NOT NULL THEN
           audit.working_days((SELECT audit.calendar_now()), v.late_since, least(v.ended_at, now()), v.unit_code)
       END AS late_working_days,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_time((SELECT audit.calendar_now()), v.due_original, least(v.ended_at, now()), v.unit_code)
       END AS past_original_working_seconds,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_days((SELECT audit.calendar_now()), v.due_original, least(v.ended_at, now()), v.unit_code)
       END AS past_original_working_days,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_time((SELECT audit.calendar_now()), v.due_current, least(v.ended_at, now()), v.unit_code)
       END AS past_current_working_seconds,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_days((SELECT audit.calendar_now()), v.due_current, least(v.ended_at, now()), v.unit_code)
       END AS past_current_working_days,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_time((SELECT audit.calendar_now()), l.due_lawful, least(v.ended_at, now()), v.unit_code)
       END AS past_lawful_working_seconds,
       CASE WHEN v.received_at IS NOT NULL THEN
           audit.working_days((SELECT audit.calendar_now()), l.due_lawful, least(v.ended_at, now()), v.unit_code)
       END AS past_lawful_working_days,
       v.rule_version_id, v.flag_id
FROM audit.verdicts_as_of(now()) v
LEFT JOIN tthc.lawful_dues l ON l.dossier_id = v.dossier_id
LEFT JOIN tthc.units u ON u.unit_code = v.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = v.procedure_code;
COMMENT ON VIEW audit.dossier_lateness IS
    'Mỗi hồ sơ một dòng: kết luận lúc này, ba mốc hạn (hẹn lần đầu, hẹn hiện nay, theo pháp luật) và mức trễ theo giờ, ngày '
    'làm việc của lịch đơn vị | One row per dossier: verdict now, the three due instants, lateness in working time';
