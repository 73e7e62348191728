CREATE FUNCTION audit.period_differences(from_at timestamptz, to_at timestamptz, unit_codes text[] DEFAULT NULL)
RETURNS TABLE (
    dossier_id bigint, code text, unit_code text, procedure_code text, sector_code text, received_at timestamptz,
    due_current timestamptz, ended_at timestamptz, official text, national_766 text, opencps text, source_verdict text,
    reasons text[]
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- What audit.verdict_differences says of the dossiers of a period, from one reading of dossiers and flags.
    WITH dossier AS (
        SELECT d.dossier_id, coalesce(d.code, d.source_key) AS code, d.unit_code, d.procedure_code, d.sector_code, d.status,
               d.received_at, d.due_current, d.ended_at, d.source_verdict, d.supplement_requested_at,
               d.supplement_completed_at, d.observation_id
        FROM audit.dossiers d
        WHERE d.kind = 'dossier' AND d.received_at < $2
          AND (d.ended_at IS NULL OR greatest(d.ended_at, d.received_at) >= $1)
          AND ($3 IS NULL OR d.unit_code = ANY ($3))
    ), found AS (
        -- Lateness proved beats a doubt; of several the first.
        SELECT f.dossier_id,
               min(f.flag_id) FILTER (WHERE f.verdict = 'late') AS late,
               min(f.flag_id) FILTER (WHERE f.verdict = 'open_overdue') AS overdue,
               min(f.flag_id) FILTER (WHERE f.verdict = 'cannot_tell') AS doubt,
               min(f.flag_id) FILTER (WHERE f.kind = 'late_766') AS late_766,
               min(f.flag_id) FILTER (WHERE f.kind = 'cannot_tell_766') AS doubt_766,
               min(f.flag_id) FILTER (WHERE f.kind = 'late_opencps') AS late_opencps
        FROM audit.flags_in_force f
        WHERE (f.verdict IS NOT NULL OR f.kind IN ('late_766', 'cannot_tell_766', 'late_opencps'))
          AND f.starts_at < $2 AND f.ends_at >= $2
        GROUP BY 1
    ), judged AS (
        SELECT d.*, j.ended, j.waits,
               CASE WHEN j.waits THEN 'cannot_tell'
                    WHEN f.late < coalesce(f.overdue, f.late + 1) THEN 'late'
                    WHEN f.overdue IS NOT NULL THEN 'open_overdue'
                    WHEN f.doubt IS NOT NULL THEN 'cannot_tell'
                    WHEN j.ended THEN 'on_time' ELSE 'open_in_time' END AS official,
               CASE WHEN j.waits THEN 'cannot_tell'
                    WHEN f.late_766 IS NOT NULL THEN CASE WHEN j.ended THEN 'late' ELSE 'open_overdue' END
                    WHEN f.doubt_766 IS NOT NULL THEN 'cannot_tell'
                    WHEN j.ended THEN 'on_time' ELSE 'open_in_time' END AS national,
               CASE WHEN d.status IN (3, 7) AND j.ended THEN 'not_counted'
                    WHEN j.waits THEN 'cannot_tell'
                    WHEN f.late_opencps IS NOT NULL THEN CASE WHEN j.ended THEN 'late' ELSE 'open_overdue' END
                    WHEN j.ended THEN 'on_time' ELSE 'open_in_time' END AS opencps,
               coalesce(least(f.late, f.overdue), f.doubt) AS official_flag,
               coalesce(f.late_766, f.doubt_766) AS national_flag
        FROM dossier d
        LEFT JOIN found f USING (dossier_id)
        CROSS JOIN LATERAL (
            SELECT coalesce(d.ended_at < $2, false) AS ended,
                   d.observation_id >= (SELECT coalesce(min(u.first_observation_id), 9223372036854775807)
                                        FROM audit.unjudged u)
                   AND EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id
                               BETWEEN u.first_observation_id AND u.last_observation_id) AS waits
        ) j
    ), compared AS MATERIALIZED (
        SELECT j.* FROM judged j
        WHERE j.national <> j.official OR j.opencps <> j.official
           OR j.source_verdict = 'late' AND j.official NOT IN ('late', 'open_overdue')
           OR j.source_verdict = 'on_time' AND j.official NOT IN ('on_time', 'open_in_time')
    ), explained AS (
        SELECT c.*, c.supplement_requested_at < $2 AS asked,
               c.supplement_requested_at < $2 AND (c.ended_at >= $2) IS NOT FALSE
                   AND (c.supplement_completed_at >= $2) IS NOT FALSE AS waiting,
               n.evidence ->> 'counted' AS counted, n.evidence ->> 'missing' AS missing_766,
               CASE WHEN c.official = 'cannot_tell' THEN o.evidence ->> 'missing' END AS missing
        FROM compared c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.national_flag IS NOT NULL THEN (
                SELECT f.evidence FROM audit.flags_in_force f
                WHERE f.dossier_id = c.dossier_id AND f.flag_id = c.national_flag) END AS evidence OFFSET 0
        ) n
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.official_flag IS NOT NULL THEN (
                SELECT f.evidence FROM audit.flags_in_force f
                WHERE f.dossier_id = c.dossier_id AND f.flag_id = c.official_flag) END AS evidence OFFSET 0
        ) o
    ), reasoned AS MATERIALIZED (
        SELECT e.*, array_remove(ARRAY[
            CASE WHEN e.opencps = 'cannot_tell' THEN 'not_judged_yet' END,
            CASE WHEN e.due_current IS NULL THEN 'no_due_date' END,
            CASE WHEN e.due_current IS NULL AND e.counted = 'lawful_limit'
                   OR e.due_current IS NULL AND e.national IN ('on_time', 'open_in_time') THEN 'lawful_limit' END,
            CASE WHEN e.due_current IS NULL AND e.opencps IN ('on_time', 'open_in_time') THEN 'early_by_default' END,
            CASE WHEN e.counted = 'second_supplement' THEN 'second_supplement' END,
            CASE WHEN e.opencps = 'not_counted' THEN 'refused_or_withdrawn' END,
            CASE WHEN 'status' IN (e.missing, e.missing_766) THEN 'unknown_status' END,
            CASE WHEN 'end' IN (e.missing, e.missing_766) THEN 'unknown_end' END,
            CASE WHEN e.missing = 'wait' OR e.missing_766 IN ('wait', 'request') THEN 'unknown_wait' END,
            CASE WHEN e.waiting AND e.opencps <> e.official THEN 'waiting' END,
            CASE WHEN e.asked AND NOT e.waiting AND e.due_current IS NOT NULL
                      AND e.counted IS DISTINCT FROM 'second_supplement'
                      AND 'cannot_tell' NOT IN (e.official, e.national)
                      AND 'not_counted' NOT IN (e.national, e.opencps)
                      AND (e.official <> e.national OR e.official <> e.opencps) THEN 'pause' END
        ], NULL) AS reasons_found,
        (e.source_verdict = 'late') <> (e.official IN ('late', 'open_overdue'))
            OR e.source_verdict IS NOT NULL AND e.official = 'cannot_tell' AS source_differs
        FROM explained e
    )
    SELECT r.dossier_id, r.code, r.unit_code, r.procedure_code, r.sector_code, r.received_at, r.due_current, r.ended_at,
           r.official, r.national, r.opencps, r.source_verdict,
           CASE WHEN r.source_differs THEN r.reasons_found || 'source_opinion'::text
                WHEN r.reasons_found = '{}' THEN '{other}' ELSE r.reasons_found END
    FROM reasoned r
    WHERE audit.known_system('national_766') AND audit.known_system('opencps')
$$;
REVOKE ALL ON FUNCTION audit.period_differences FROM PUBLIC;
