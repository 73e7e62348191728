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

-- The working days of a compiled calendar, numbered: days between two instants are two look-ups, as working seconds are.
CREATE TABLE tthc.calendar_days (
    compiled_id int NOT NULL,
    begins timestamptz NOT NULL,
    number int NOT NULL,
    PRIMARY KEY (compiled_id, begins)
);
COMMENT ON COLUMN tthc.calendar_days.begins IS 'midnight at which a day begins that has working time';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.calendar_days
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
INSERT INTO tthc.calendar_days
SELECT d.compiled_id, d.day AT TIME ZONE d.zone, row_number() OVER (PARTITION BY d.compiled_id ORDER BY d.day)
FROM (
    SELECT DISTINCT s.compiled_id, z.zone,
           -- Working time that goes on past midnight is one segment: it counts for every day that it touches.
           generate_series(date_trunc('day', s.opens AT TIME ZONE z.zone),
                           (s.closes - interval '1 microsecond') AT TIME ZONE z.zone, interval '1 day') AS day
    FROM tthc.calendar_segments s
    JOIN (SELECT v.compiled_id, min(c.definition ->> 'zone') AS zone
          FROM tthc.calendar_variants v JOIN tthc.calendar_versions c USING (calendar_version_id)
          WHERE c.definition ? 'zone' GROUP BY 1) z USING (compiled_id)
) d;
CREATE VIEW audit.calendar_days AS SELECT compiled_id, begins, number FROM tthc.calendar_days;
COMMENT ON VIEW audit.calendar_days IS
    'Các ngày làm việc của từng lịch, đánh số liên tục | The working days of each calendar, numbered';

CREATE FUNCTION audit.working_days(calendar int, from_at timestamptz, to_at timestamptz, unit_code text)
RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    compiled int;
    since timestamptz;
    until_from int;
    until_to int;
BEGIN
    IF calendar IS NULL OR from_at IS NULL OR to_at IS NULL THEN
        RETURN NULL;
    END IF;
    -- Days before the calendar (a source that claims the year 0001) count from its first day.
    SELECT v.compiled_id, greatest(from_at, v.answers_from) INTO compiled, since FROM audit.calendar_variants v
    WHERE v.calendar_version_id = calendar AND v.variant = coalesce(
        (SELECT u.variant FROM audit.calendar_units u
         WHERE u.calendar_version_id = calendar AND u.unit_code = working_days.unit_code), '');
    SELECT d.number INTO until_to FROM audit.calendar_days d
    WHERE d.compiled_id = compiled AND d.begins <= to_at ORDER BY d.begins DESC LIMIT 1;
    IF NOT FOUND THEN
        -- Before the first working day; or no such calendar.
        RETURN CASE WHEN EXISTS (SELECT FROM audit.calendar_days d WHERE d.compiled_id = compiled) THEN 0 END;
    END IF;
    SELECT d.number INTO until_from FROM audit.calendar_days d
    WHERE d.compiled_id = compiled AND d.begins <= since ORDER BY d.begins DESC LIMIT 1;
    RETURN greatest(until_to - coalesce(until_from, 0), 0);
END $$;
COMMENT ON FUNCTION audit.working_days IS
    'Số ngày làm việc sau ngày của from_at, đến hết ngày của to_at, theo lịch của đơn vị; 0 trong cùng một ngày. Đây là '
    'cách đếm số ngày quá hạn của thư hằng ngày và báo cáo tháng | '
    'Working days after the day of from_at, up to and with the day of to_at; 0 within one day: as mails and reports count days late';

-- Verdicts dossier by dossier (OFFSET 0 keeps it so): by its id, its number or its unit a dossier costs some look-ups each.
CREATE VIEW audit.dossier_lateness AS
SELECT d.dossier_id, v.source, d.code, d.kind, d.unit_code, u.name AS unit_name, d.procedure_code,
       p.name AS procedure_name, d.status, d.received_at, v.ended_at, v.verdict,
       v.due_original, v.due_current, l.due_lawful,
       v.late_since, CASE WHEN v.late_since IS NOT NULL THEN v.until END AS late_until,
       CASE WHEN v.late_since IS NOT NULL THEN
           audit.working_time((SELECT audit.calendar_now()), v.late_since, v.until, v.unit_code)
       END AS late_working_seconds,
       CASE WHEN v.late_since IS NOT NULL THEN
           audit.working_days((SELECT audit.calendar_now()), v.late_since, v.until, v.unit_code)
       END AS late_working_days,
       CASE WHEN v.received_at IS NOT NULL AND v.due_original < v.until THEN
           audit.working_time((SELECT audit.calendar_now()), v.due_original, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND v.due_original IS NOT NULL THEN 0 END AS past_original_working_seconds,
       CASE WHEN v.received_at IS NOT NULL AND v.due_original < v.until THEN
           audit.working_days((SELECT audit.calendar_now()), v.due_original, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND v.due_original IS NOT NULL THEN 0 END AS past_original_working_days,
       CASE WHEN v.received_at IS NOT NULL AND v.due_current < v.until THEN
           audit.working_time((SELECT audit.calendar_now()), v.due_current, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND v.due_current IS NOT NULL THEN 0 END AS past_current_working_seconds,
       CASE WHEN v.received_at IS NOT NULL AND v.due_current < v.until THEN
           audit.working_days((SELECT audit.calendar_now()), v.due_current, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND v.due_current IS NOT NULL THEN 0 END AS past_current_working_days,
       CASE WHEN v.received_at IS NOT NULL AND l.due_lawful < v.until THEN
           audit.working_time((SELECT audit.calendar_now()), l.due_lawful, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND l.due_lawful IS NOT NULL THEN 0 END AS past_lawful_working_seconds,
       CASE WHEN v.received_at IS NOT NULL AND l.due_lawful < v.until THEN
           audit.working_days((SELECT audit.calendar_now()), l.due_lawful, v.until, v.unit_code)
           WHEN v.received_at IS NOT NULL AND l.due_lawful IS NOT NULL THEN 0 END AS past_lawful_working_days,
       v.rule_version_id, v.flag_id
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT f.*, least(f.ended_at, now()) AS until FROM audit.verdicts_as_of(now()) f WHERE f.dossier_id = d.dossier_id OFFSET 0
) v
LEFT JOIN tthc.lawful_dues l ON l.dossier_id = v.dossier_id
LEFT JOIN tthc.units u ON u.unit_code = v.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = v.procedure_code;
COMMENT ON VIEW audit.dossier_lateness IS
    'Mỗi hồ sơ một dòng: kết luận lúc này, ba mốc hạn (hẹn lần đầu, hẹn hiện nay, theo pháp luật) và mức trễ theo giờ, ngày '
    'làm việc của lịch đơn vị; lọc theo hồ sơ hoặc đơn vị, cả tỉnh thì dùng audit.late_dossiers | One row per dossier: verdict '
    'now, the three due instants, lateness in working time; for one dossier or unit, for all use audit.late_dossiers';

-- All verdicts at once: what is late in a whole province. Of tens of thousands the functions would take seconds: here are the
-- same look-ups without them, and a test that compares the two.
CREATE VIEW audit.late_dossiers AS
SELECT v.dossier_id, v.source, v.code, v.kind, v.unit_code, u.name AS unit_name, v.procedure_code,
       p.name AS procedure_name, v.status, v.received_at, v.ended_at, v.verdict,
       v.due_original, v.due_current, l.due_lawful,
       v.late_since, v.until AS late_until,
       CASE WHEN v.late_since >= '1990-01-02 00:00+00' AND v.until <= '2059-12-30 00:00+00' THEN
           greatest(coalesce((SELECT s.cumulative_seconds + extract(epoch FROM least(v.until, s.closes) - s.opens)
                         FROM tthc.calendar_segments s WHERE s.compiled_id = k.compiled_id AND s.opens <= v.until
                         ORDER BY s.opens DESC LIMIT 1), 0)
                    - coalesce((SELECT s.cumulative_seconds + extract(epoch FROM least(v.late_since, s.closes) - s.opens)
                         FROM tthc.calendar_segments s WHERE s.compiled_id = k.compiled_id AND s.opens <= v.late_since
                         ORDER BY s.opens DESC LIMIT 1), 0), 0)
       END AS late_working_seconds,
       CASE WHEN v.late_since >= '1990-01-02 00:00+00' THEN
           greatest((SELECT n.number FROM tthc.calendar_days n WHERE n.compiled_id = k.compiled_id AND n.begins <= v.until
                ORDER BY n.begins DESC LIMIT 1)
                    - coalesce((SELECT n.number FROM tthc.calendar_days n WHERE n.compiled_id = k.compiled_id AND n.begins <= v.late_since
                ORDER BY n.begins DESC LIMIT 1), 0), 0)
           ELSE audit.working_days((SELECT audit.calendar_now()), v.late_since, v.until, v.unit_code)
       END AS late_working_days,
       v.rule_version_id, v.flag_id
FROM (
    SELECT f.*, least(f.ended_at, now()) AS until FROM audit.verdicts_as_of(now()) f
    WHERE f.verdict IN ('late', 'open_overdue')
) v
LEFT JOIN tthc.lawful_dues l ON l.dossier_id = v.dossier_id
LEFT JOIN tthc.units u ON u.unit_code = v.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = v.procedure_code
LEFT JOIN tthc.calendar_units c ON c.calendar_version_id = (SELECT audit.calendar_now()) AND c.unit_code = v.unit_code
LEFT JOIN tthc.calendar_variants k
    ON k.calendar_version_id = (SELECT audit.calendar_now()) AND k.variant = coalesce(c.variant, '');
COMMENT ON VIEW audit.late_dossiers IS
    'Mọi hồ sơ đang quá hạn hoặc đã giải quyết quá hạn, với mức trễ theo giờ, ngày làm việc | '
    'Every dossier that is overdue or was finished late, with its lateness in working time';
