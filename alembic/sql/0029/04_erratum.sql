CREATE FUNCTION audit.erratum_dossiers(from_at timestamptz, to_at timestamptz, zone text DEFAULT 'Asia/Ho_Chi_Minh')
RETURNS TABLE (
    dossier_id bigint, code text, kind text,
    frozen_unit_code text, frozen_procedure_code text, frozen_sector_code text, frozen_intake text, frozen_outcome text,
    unit_code text, procedure_code text, sector_code text, intake text, outcome text, causes text[],
    first_seen_at timestamptz, changed_at timestamptz, frozen_received_at timestamptz, received_at timestamptz,
    frozen_due timestamptz, due_current timestamptz, frozen_ended_at timestamptz, ended_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- Dossiers of which something was learnt, or that were judged anew, since the period was frozen; no others can differ.
    WITH frozen AS MATERIALIZED (
        SELECT p.frozen_at FROM audit.frozen_periods p WHERE p.from_at = $1 AND p.to_at = $2 AND p.zone = $3
    ), touched AS MATERIALIZED (
        SELECT d.dossier_id FROM audit.dossiers d WHERE d.changed_at > (SELECT z.frozen_at FROM frozen z)
        UNION
        SELECT f.dossier_id FROM audit.flags f
        WHERE f.verdict IS NOT NULL AND (f.believed_from > (SELECT z.frozen_at FROM frozen z)
                                         OR f.believed_to > (SELECT z.frozen_at FROM frozen z))
    ), told AS (
        SELECT true AS frozen, d.dossier_id, d.code, d.source_key, d.kind, d.unit_code, d.procedure_code, d.sector_code,
               d.channel, d.status, d.received_at, d.due_current, d.ended_at, d.supplement_requested_at,
               d.supplement_completed_at, d.supplement_count, d.first_seen_at, d.changed_at, d.vanished_seen_at,
               false AS waits
        FROM frozen z CROSS JOIN LATERAL audit.dossiers_as_of(z.frozen_at) d
        WHERE d.dossier_id IN (SELECT t.dossier_id FROM touched t)
        UNION ALL
        SELECT false, d.dossier_id, d.code, d.source_key, d.kind, d.unit_code, d.procedure_code, d.sector_code,
               d.channel, d.status, d.received_at, d.due_current, d.ended_at, d.supplement_requested_at,
               d.supplement_completed_at, d.supplement_count, d.first_seen_at, d.changed_at, d.vanished_seen_at,
               EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id
                       BETWEEN u.first_observation_id AND u.last_observation_id)
        FROM audit.dossiers d
        WHERE d.dossier_id IN (SELECT t.dossier_id FROM touched t)
    ), finding AS (
        SELECT DISTINCT ON (s.frozen, f.dossier_id) s.frozen, f.dossier_id, f.verdict
        FROM (VALUES (true), (false)) s (frozen)
        JOIN audit.flags f ON CASE WHEN s.frozen THEN f.believed_from <= (SELECT z.frozen_at FROM frozen z)
                                        AND (f.believed_to > (SELECT z.frozen_at FROM frozen z)) IS NOT FALSE
                                   ELSE f.believed_to IS NULL END
        WHERE f.verdict IS NOT NULL AND f.starts_at < $2 AND f.ends_at >= $2
          AND f.dossier_id IN (SELECT t.dossier_id FROM touched t)
        ORDER BY s.frozen, f.dossier_id, f.verdict = 'cannot_tell', f.flag_id
    ), judged AS (
        SELECT t.*, CASE WHEN t.ended_at IS NOT NULL THEN greatest(t.ended_at, t.received_at) END AS end_at,
               (t.ended_at AT TIME ZONE $3)::date < (t.due_current AT TIME ZONE $3)::date AS before_due_day,
               CASE WHEN t.received_at IS NULL OR t.received_at >= $2 THEN 'not_received'
                    WHEN t.waits THEN 'cannot_tell'
                    WHEN f.verdict IS NOT NULL THEN f.verdict
                    WHEN t.ended_at < $2 THEN 'on_time'
                    ELSE 'open_in_time' END AS verdict
        FROM told t LEFT JOIN finding f ON f.frozen = t.frozen AND f.dossier_id = t.dossier_id
    ), placed AS MATERIALIZED (
        -- The columns of the form, as audit.figures has them.
        SELECT j.*, p.counted,
               CASE WHEN NOT p.counted THEN NULL
                    WHEN j.received_at < $1 THEN 'carried_over'
                    WHEN j.channel = 'online' THEN 'received_online'
                    ELSE 'received_direct' END AS intake,
               CASE WHEN NOT p.counted THEN NULL
                    WHEN j.end_at < $2 THEN
                        CASE j.verdict WHEN 'on_time' THEN CASE WHEN j.before_due_day THEN 'finished_early'
                                                                WHEN NOT j.before_due_day THEN 'finished_on_time' END
                                       WHEN 'late' THEN 'finished_late' WHEN 'cannot_tell' THEN 'finished_unknown' END
                    ELSE CASE j.verdict WHEN 'open_in_time' THEN 'pending_in_time' WHEN 'open_overdue' THEN 'pending_overdue'
                                        WHEN 'cannot_tell' THEN 'pending_unknown' END END AS outcome
        FROM judged j
        CROSS JOIN LATERAL (
            SELECT j.verdict <> 'not_received' AND (j.end_at IS NULL OR j.end_at >= $1) AS counted
        ) p
    ), evaluated AS MATERIALIZED (
        SELECT earlier.ruleset_fingerprint IS DISTINCT FROM since.ruleset_fingerprint AS other_rules,
               earlier.calendar_version_id IS DISTINCT FROM since.calendar_version_id AS other_calendar,
               earlier.limit_version_id IS DISTINCT FROM since.limit_version_id AS other_limits,
               earlier.engine_version IS DISTINCT FROM since.engine_version AS other_engine
        FROM (SELECT * FROM audit.evaluations e WHERE e.finished_at IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1) since
        LEFT JOIN (SELECT * FROM audit.evaluations e
                   WHERE e.finished_at IS NOT NULL AND e.started_at <= (SELECT z.frozen_at FROM frozen z)
                   ORDER BY e.evaluation_id DESC LIMIT 1) earlier ON true
    ), both_sides AS (
        SELECT n AS n, o AS o, o.dossier_id IS NULL AS unheard, o.counted IS TRUE AS was, n.counted AS stands
        FROM placed n LEFT JOIN placed o ON o.frozen AND o.dossier_id = n.dossier_id
        WHERE NOT n.frozen AND (o.counted IS TRUE OR n.counted)
          AND ((o.counted IS TRUE) <> n.counted OR (o.unit_code, o.procedure_code, o.sector_code, o.kind, o.intake, o.outcome)
               IS DISTINCT FROM (n.unit_code, n.procedure_code, n.sector_code, n.kind, n.intake, n.outcome))
    ), caused AS (
        SELECT b.*, array_remove(ARRAY[
            CASE WHEN b.unheard THEN 'seen_late' END,
            CASE WHEN NOT b.unheard AND (b.o).received_at IS DISTINCT FROM (b.n).received_at THEN 'received_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).due_current IS DISTINCT FROM (b.n).due_current THEN 'due_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).ended_at IS NULL AND (b.n).ended_at IS NOT NULL THEN 'end_told_late' END,
            CASE WHEN NOT b.unheard AND (b.o).ended_at <> (b.n).ended_at THEN 'end_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).ended_at IS NOT NULL AND (b.n).ended_at IS NULL THEN 'reopened' END,
            CASE WHEN NOT b.unheard AND ((b.o).supplement_requested_at, (b.o).supplement_completed_at, (b.o).supplement_count)
                     IS DISTINCT FROM ((b.n).supplement_requested_at, (b.n).supplement_completed_at,
                                       (b.n).supplement_count) THEN 'supplement_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).unit_code IS DISTINCT FROM (b.n).unit_code THEN 'unit_changed' END,
            CASE WHEN NOT b.unheard AND ((b.o).procedure_code, (b.o).sector_code)
                     IS DISTINCT FROM ((b.n).procedure_code, (b.n).sector_code) THEN 'procedure_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).channel IS DISTINCT FROM (b.n).channel
                      AND (b.o).intake IS DISTINCT FROM (b.n).intake THEN 'channel_changed' END,
            CASE WHEN NOT b.unheard AND (b.o).kind <> (b.n).kind THEN 'kind_changed' END,
            CASE WHEN (b.o).vanished_seen_at IS NULL AND (b.n).vanished_seen_at IS NOT NULL THEN 'vanished' END,
            CASE WHEN (b.o).vanished_seen_at IS NOT NULL AND (b.n).vanished_seen_at IS NULL THEN 'came_back' END
        ], NULL) AS told
        FROM both_sides b
    )
    SELECT (c.n).dossier_id, coalesce((c.n).code, (c.n).source_key), (c.n).kind,
           CASE WHEN c.was THEN (c.o).unit_code END, CASE WHEN c.was THEN (c.o).procedure_code END,
           CASE WHEN c.was THEN (c.o).sector_code END, (c.o).intake, (c.o).outcome,
           CASE WHEN c.stands THEN (c.n).unit_code END, CASE WHEN c.stands THEN (c.n).procedure_code END,
           CASE WHEN c.stands THEN (c.n).sector_code END, (c.n).intake, (c.n).outcome,
           -- Judged otherwise although nothing that decides it is told otherwise.
           c.told || CASE WHEN c.unheard OR (c.o).verdict = (c.n).verdict OR c.told && ARRAY[
                                   'received_changed', 'due_changed', 'end_told_late', 'end_changed', 'reopened',
                                   'supplement_changed']
                          THEN '{}'::text[]
                          ELSE coalesce(nullif(array_remove(ARRAY[
                              CASE WHEN (c.o).status IS DISTINCT FROM (c.n).status THEN 'status_changed' END,
                              CASE WHEN v.other_rules THEN 'rules_changed' END,
                              CASE WHEN v.other_calendar THEN 'calendar_changed' END,
                              CASE WHEN v.other_limits THEN 'limits_changed' END,
                              CASE WHEN v.other_engine THEN 'engine_changed' END], NULL), '{}'), '{judged_again}') END,
           (c.n).first_seen_at, (c.n).changed_at, (c.o).received_at, (c.n).received_at, (c.o).due_current,
           (c.n).due_current, (c.o).ended_at, (c.n).ended_at
    FROM caused c LEFT JOIN evaluated v ON true
    WHERE EXISTS (SELECT FROM frozen)
$$;
REVOKE ALL ON FUNCTION audit.erratum_dossiers FROM PUBLIC;
