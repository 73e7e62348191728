CREATE VIEW audit.step_durations AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, s.number, s.step_code, s.step_name,
       coalesce(s.step_unit_code, s.unit_code) AS step_unit_code, s.step_due_at,
       s.started_at, s.started_seen_at, s.ended_at, s.ended_seen_at,
       audit.working_time((SELECT audit.calendar_now()), coalesce(s.started_at, s.started_seen_at),
                          coalesce(s.ended_at, s.ended_seen_at, now()), coalesce(s.step_unit_code, s.unit_code))
           AS working_seconds,
       s.ended_seen_at IS NULL AS still_open
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT row_number() OVER steps AS number, t.step_code, t.step_name, t.step_unit_code, t.unit_code, t.step_due_at,
           t.step_started_at AS started_at, t.seen_at AS started_seen_at,
           coalesce(lead(t.step_started_at) OVER steps,
                    CASE WHEN lead(t.seen_at) OVER steps IS NULL THEN coalesce(d.finished_at, d.delivered_at) END) AS ended_at,
           coalesce(lead(t.seen_at) OVER steps, d.end_seen_at) AS ended_seen_at
    FROM (
        SELECT o.observation_id, o.seen_at, o.unit_code, o.step_code, o.step_name, o.step_unit_code, o.step_started_at,
               o.step_due_at,
               lag((o.step_code, o.step_name, o.step_unit_code, o.step_started_at)) OVER (ORDER BY o.observation_id)
                   IS DISTINCT FROM (o.step_code, o.step_name, o.step_unit_code, o.step_started_at) AS is_new
        FROM tthc.observations o
        WHERE o.dossier_id = d.dossier_id AND coalesce(o.step_code, o.step_name) IS NOT NULL
          -- What is told of the last step after the end is no new step.
          AND NOT (coalesce(o.status IN (3, 7, 8, 9, 10), false) OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL)
    ) t
    WHERE t.is_new
    WINDOW steps AS (ORDER BY t.observation_id)
) s;
COMMENT ON VIEW audit.step_durations IS
    'Mỗi bước xử lý đã thấy một dòng: đơn vị của bước, từ lúc nào đến lúc nào (nguồn ghi và lúc thấy), thời gian làm việc | '
    'Each step that we saw: its unit, from and until when (claimed and seen), working time';

CREATE VIEW audit.unit_changes AS
SELECT d.dossier_id, d.code, d.kind, d.procedure_code, c.observation_id, c.from_unit_code, c.to_unit_code, c.seen_before, c.seen_at
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT o.observation_id, lag(o.unit_code) OVER history AS from_unit_code, o.unit_code AS to_unit_code,
           lag(o.seen_at) OVER history AS seen_before, o.seen_at
    FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
    WINDOW history AS (ORDER BY o.observation_id)
) c
WHERE c.from_unit_code IS DISTINCT FROM c.to_unit_code AND c.seen_before IS NOT NULL;
COMMENT ON VIEW audit.unit_changes IS
    'Mỗi lần hồ sơ chuyển sang đơn vị giải quyết khác một dòng | Each time that a dossier went to another resolving unit';
