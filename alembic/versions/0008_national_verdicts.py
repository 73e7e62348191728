"""The national rule (index 766, item 2.1) and OpenCPS's own way as verdicts beside the official one.

docs/verdicts.md says what each of them counts, and why their figures differ.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SYSTEMS = """
CREATE FUNCTION audit.verdict_kinds(system text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE system WHEN 'official' THEN '{}'::text[]
                       WHEN 'national_766' THEN '{late_766,cannot_tell_766}'
                       WHEN 'opencps' THEN '{late_opencps}' END
$$;
COMMENT ON FUNCTION audit.verdict_kinds IS
    'Các loại quy tắc mà một cách tính dựa vào; trống nếu không có cách tính đó | '
    'Kinds of rules that a verdict rests on; null for an unknown one';

CREATE FUNCTION audit.known_system(system text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    needed text[] := audit.verdict_kinds(system);
    missing text;
BEGIN
    IF needed IS NULL THEN
        RAISE EXCEPTION 'there is no verdict called %; use ''official'', ''national_766'' or ''opencps''',
                        coalesce(quote_literal(system), 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Without the rules nothing would be flagged, and all would pass for on time. The flags held are those of the last
    -- finished evaluation and of those begun after it.
    SELECT needs.kind INTO missing FROM unnest(needed) AS needs (kind)
    WHERE EXISTS (
        SELECT FROM audit.evaluations e
        WHERE e.evaluation_id >= coalesce((SELECT max(f.evaluation_id) FROM audit.evaluations f
                                           WHERE f.finished_at IS NOT NULL), 0)
          AND NOT EXISTS (SELECT FROM audit.rules r
                          WHERE r.kind = needs.kind AND r.rule_version_id = ANY (e.rule_version_ids))
    ) LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'no rule of kind % was applied, without which there is no verdict %; add the pack ''national'' '
                        'to rules.packs and let the next evaluation finish', missing, quote_literal(system)
              USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION audit.known_system IS
    'Báo lỗi khi không có cách tính này, hoặc quy tắc của nó chưa được áp dụng | '
    'An error when there is no such verdict, or its rules were not applied';
"""

VERDICTS_BY = """
CREATE FUNCTION audit.verdicts_by(as_of timestamptz, system text)
RETURNS TABLE (
    dossier_id bigint, unit_code text, procedure_code text, verdict text, late_since timestamptz, flag_id bigint,
    received_at timestamptz, ended_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT v.dossier_id, v.unit_code, v.procedure_code, v.verdict, v.late_since, v.flag_id, v.received_at, v.ended_at
    FROM audit.verdicts_as_of(as_of) v
    WHERE system = 'official'
    UNION ALL
    SELECT j.dossier_id, j.unit_code, j.procedure_code, j.verdict,
           CASE WHEN j.verdict IN ('late', 'open_overdue') THEN j.since END, j.flag_id, j.received_at, j.ended_at
    FROM (
        SELECT d.dossier_id, d.unit_code, d.procedure_code, d.received_at, d.ended_at, f.flag_id, f.since,
               CASE WHEN d.kind <> 'dossier' THEN 'not_counted'
                    -- Refused, withdrawn or stopped before it was received.
                    WHEN d.received_at IS NULL AND d.ended_at <= as_of THEN 'not_counted'
                    WHEN d.received_at IS NULL OR d.received_at > as_of THEN 'not_received'
                    -- OpenCPS counts refused and withdrawn dossiers in columns of their own.
                    WHEN system = 'opencps' AND d.status IN (3, 7) AND d.ended_at <= as_of THEN 'not_counted'
                    -- Not judged yet, as in audit.verdicts_as_of.
                    WHEN d.observation_id >= (SELECT coalesce(min(u.first_observation_id), 9223372036854775807)
                                              FROM audit.unjudged u)
                         AND EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id
                                     BETWEEN u.first_observation_id AND u.last_observation_id) THEN 'cannot_tell'
                    WHEN f.kind = 'cannot_tell_766' THEN 'cannot_tell'
                    WHEN f.kind IS NOT NULL THEN CASE WHEN d.ended_at <= as_of THEN 'late' ELSE 'open_overdue' END
                    WHEN d.ended_at <= as_of THEN 'on_time'
                    ELSE 'open_in_time' END AS verdict
        FROM audit.dossiers d
        LEFT JOIN (
            -- Lateness proved beats a doubt.
            SELECT DISTINCT ON (f.dossier_id) f.dossier_id, f.flag_id, f.kind,
                   least(f.starts_at, (f.evidence ->> 'due_at')::timestamptz) AS since
            FROM audit.flags_in_force f
            WHERE f.kind = ANY (audit.verdict_kinds(system)) AND f.starts_at <= as_of AND f.ends_at > as_of
            ORDER BY f.dossier_id, f.kind = 'cannot_tell_766', f.flag_id
        ) f USING (dossier_id)
    ) j
    WHERE system IS DISTINCT FROM 'official' AND audit.known_system(system)
$$;
COMMENT ON FUNCTION audit.verdicts_by IS
    'Kết luận cho từng hồ sơ tại một thời điểm theo cách tính official, national_766 (Bộ chỉ số 766, mục 2.1) hoặc '
    'opencps; not_counted là hồ sơ mà cách tính đó không tính | '
    'The verdict on every dossier at an instant by one of three ways; not_counted where that way leaves it out';
"""

SCORE = """
CREATE FUNCTION audit.score_766(on_time numeric, received numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(20 * on_time / nullif(received, 0), 2)
$$;
COMMENT ON FUNCTION audit.score_766 IS
    'Điểm tiến độ giải quyết theo Bộ chỉ số 766 = 20 × đúng hạn / tiếp nhận, làm tròn 2 chữ số; trống (n/a) khi không '
    'có hồ sơ | Progress score of index 766: 20 × on time ÷ received; null (n/a) when nothing was received';

CREATE FUNCTION audit.progress_766(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (
    unit_code text, total_received bigint, total_on_time bigint, total_overdue bigint, total_cannot_tell bigint,
    ratio_percent numeric, score numeric, score_at_most numeric
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH counted AS (
        SELECT v.unit_code, count(*) AS received,
               count(*) FILTER (WHERE v.verdict IN ('on_time', 'open_in_time')) AS on_time,
               count(*) FILTER (WHERE v.verdict IN ('late', 'open_overdue')) AS overdue,
               count(*) FILTER (WHERE v.verdict = 'cannot_tell') AS cannot_tell
        FROM audit.verdicts_by(to_at - interval '1 microsecond', 'national_766') v
        WHERE v.verdict NOT IN ('not_counted', 'not_received')
          -- Received in the period, ended in it, or under way at its end; not ended before it.
          AND (v.ended_at IS NULL OR greatest(v.ended_at, v.received_at) >= from_at)
        GROUP BY 1
    )
    SELECT c.unit_code, c.received, c.on_time, c.overdue, c.cannot_tell,
           round(100.0 * c.on_time / nullif(c.received, 0), 2),
           audit.score_766(c.on_time, c.received), audit.score_766(c.on_time + c.cannot_tell, c.received)
    FROM counted c
    -- Here again: an empty period has no row to ask the verdict of.
    WHERE audit.known_system('national_766')
$$;
COMMENT ON FUNCTION audit.progress_766 IS
    'Tiến độ giải quyết của từng đơn vị trong kỳ [from_at, to_at) theo Bộ chỉ số 766; hồ sơ chưa xác định được có trong '
    'total_received, không tính là đúng hạn, nên score là mức thấp nhất và score_at_most là mức cao nhất | '
    'Progress per unit by index 766; dossiers that cannot be told are received and not on time: score is the least it '
    'can be, score_at_most the most';
"""

DIFFERENCES = """
CREATE FUNCTION audit.verdict_differences(as_of timestamptz)
RETURNS TABLE (
    dossier_id bigint, code text, unit_code text, procedure_code text,
    official text, national_766 text, opencps text, source_verdict text, reasons text[]
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH compared AS (
        SELECT o.dossier_id, o.code, o.unit_code, o.procedure_code, o.status, o.due_current, o.source_verdict,
               o.verdict AS official, n.verdict AS national, l.verdict AS opencps,
               o.flag_id AS official_flag, n.flag_id AS national_flag
        FROM audit.verdicts_as_of(as_of) o
        JOIN audit.verdicts_by(as_of, 'national_766') n USING (dossier_id)
        JOIN audit.verdicts_by(as_of, 'opencps') l USING (dossier_id)
        WHERE o.kind = 'dossier' AND o.verdict <> 'not_received'
          AND (n.verdict <> o.verdict OR l.verdict <> o.verdict
               OR o.source_verdict = 'late' AND o.verdict NOT IN ('late', 'open_overdue')
               OR o.source_verdict = 'on_time' AND o.verdict NOT IN ('on_time', 'open_in_time'))
    ), explained AS (
        -- Look-ups for those that differ only: OFFSET 0 and the sub-selects keep the planner from joining all flags.
        SELECT c.*, d.asked, d.waiting, n.evidence ->> 'counted' AS counted, n.evidence ->> 'missing' AS missing_766,
               CASE WHEN c.official = 'cannot_tell' THEN o.evidence ->> 'missing' END AS missing
        FROM compared c
        CROSS JOIN LATERAL (
            SELECT d.supplement_requested_at <= as_of AS asked,
                   d.supplement_requested_at <= as_of AND (d.ended_at > as_of) IS NOT FALSE
                   AND (d.supplement_completed_at > as_of) IS NOT FALSE AS waiting
            FROM audit.dossiers d WHERE d.dossier_id = c.dossier_id OFFSET 0
        ) d
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
            -- OpenCPS's way never lacks a fact: when it cannot tell, the dossier waits to be judged.
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
            -- Asked and answered: the official verdict moves a promise that passed meanwhile, item 2.1 subtracts the
            -- wait from any, OpenCPS moves none.
            CASE WHEN e.asked AND NOT e.waiting AND e.due_current IS NOT NULL
                      AND e.counted IS DISTINCT FROM 'second_supplement'
                      AND 'cannot_tell' NOT IN (e.official, e.national)
                      AND 'not_counted' NOT IN (e.national, e.opencps)
                      AND (e.official <> e.national OR e.official <> e.opencps) THEN 'pause' END
        ], NULL) AS found,
        (e.source_verdict = 'late') <> (e.official IN ('late', 'open_overdue'))
            OR e.source_verdict IS NOT NULL AND e.official = 'cannot_tell' AS source_differs
        FROM explained e
    )
    SELECT r.dossier_id, r.code, r.unit_code, r.procedure_code, r.official, r.national, r.opencps, r.source_verdict,
           CASE WHEN r.source_differs THEN r.found || 'source_opinion'::text
                WHEN r.found = '{}' THEN '{other}' ELSE r.found END
    FROM reasoned r
    WHERE audit.known_system('national_766') AND audit.known_system('opencps')
$$;
COMMENT ON FUNCTION audit.verdict_differences IS
    'Hồ sơ mà các cách tính cho kết luận khác nhau, hoặc khác kết luận của hệ thống nguồn, kèm mã lý do | '
    'Dossiers on which the three ways differ, or differ from the source''s own opinion, and why';
"""

FUNCTIONS = (
    "audit.verdict_kinds(text)",
    "audit.known_system(text)",
    "audit.verdicts_by(timestamptz, text)",
    "audit.score_766(numeric, numeric)",
    "audit.progress_766(timestamptz, timestamptz)",
    "audit.verdict_differences(timestamptz)",
)
GRANTS = f"""
REVOKE ALL ON FUNCTION {", ".join(FUNCTIONS)} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {", ".join(FUNCTIONS)} TO tthc_auditor;
"""

SCRIPTS: tuple[str, ...] = (SYSTEMS, VERDICTS_BY, SCORE, DIFFERENCES, GRANTS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
