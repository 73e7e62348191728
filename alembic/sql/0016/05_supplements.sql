-- Requests are told apart as the projection does it (supplement_spells): a spell of status 5, or a claim that moves on; a
-- claim and the spell that belongs to it are one request, whichever was seen first.
CREATE VIEW audit.supplement_requests AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, r.number,
       r.requested_at, r.unrequested_seen_at, r.requested_seen_at, r.completed_at, r.completed_seen_at,
       r.completed_at IS NULL AND r.completed_seen_at IS NULL AND r.next_at IS NULL
           AND coalesce(d.finished_at, d.delivered_at, d.end_seen_at) IS NULL AS still_open,
       w.open_until,
       audit.working_time((SELECT audit.calendar_now()), w.open_since, w.open_until, d.unit_code) AS working_seconds_open,
       r.due_at_request,
       (w.open_since AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
           = (r.due_at_request AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS requested_on_due_day,
       w.open_since > r.due_at_request AS requested_after_due, r.source_count
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT g.number, g.requested_at, g.unrequested_seen_at, g.requested_seen_at,
           CASE WHEN g.completed_at > coalesce(g.requested_at, g.requested_seen_at) THEN g.completed_at END AS completed_at,
           g.completed_seen_at, g.due_at_request, g.source_count,
           lead(coalesce(g.requested_at, g.requested_seen_at)) OVER (ORDER BY g.number) AS next_at
    FROM (
        SELECT n.number,
               -- A spell that began while the source still told the request before it has no claim of its own.
               nullif((array_agg(n.claim ORDER BY n.observation_id DESC) FILTER (WHERE n.claim IS NOT NULL))[1],
                      (array_agg(n.claim_before ORDER BY n.observation_id))[1]) AS requested_at,
               (array_agg(n.seen_before ORDER BY n.observation_id))[1] AS unrequested_seen_at,
               min(n.seen_at) AS requested_seen_at,
               (array_agg(n.completed ORDER BY n.observation_id DESC) FILTER (WHERE n.completed IS NOT NULL))[1]
                   AS completed_at,
               min(n.seen_at) FILTER (
                   WHERE n.completed > coalesce(n.claim, n.seen_before) AND n.completed IS DISTINCT FROM n.completed_before
                      OR n.status_before = 5 AND n.status IS DISTINCT FROM 5 AND NOT n.has_ended AND NOT n.is_new
               ) AS completed_seen_at,
               (array_agg(coalesce(n.due_before, n.due_current) ORDER BY n.observation_id))[1] AS due_at_request,
               max(n.source_count) AS source_count
        FROM (
            SELECT m.*, sum(m.is_new::int) OVER (ORDER BY m.observation_id) AS number
            FROM (
                SELECT s.*,
                       (s.spell_begins AND (s.claim = s.claim_before AND s.completed IS NULL
                                            AND (s.spell_seen_at >= s.claim_before) IS NOT TRUE) IS NOT TRUE)
                       OR (s.claim > s.claim_before
                           AND (s.completed = s.completed_before AND s.completed >= s.claim) IS NOT TRUE
                           AND (s.spell_seen_at >= s.claim) IS NOT TRUE) IS TRUE
                       OR s.asked AND s.asked_before IS NOT TRUE AS is_new
                FROM (
                    SELECT h.*, h.status = 5 AND h.status_before IS DISTINCT FROM 5 AS spell_begins,
                           max(h.seen_at) FILTER (WHERE h.status = 5 AND h.status_before IS DISTINCT FROM 5)
                               OVER earlier AS spell_seen_at,
                           h.status IS NOT DISTINCT FROM 5 OR h.claim IS NOT NULL AS asked,
                           bool_or(h.status IS NOT DISTINCT FROM 5 OR h.claim IS NOT NULL) OVER earlier AS asked_before
                    FROM (
                        SELECT o.observation_id, o.seen_at, o.status, o.due_current, o.supplement_requested_at AS claim,
                               o.supplement_completed_at AS completed, o.supplement_count AS source_count,
                               coalesce(o.status IN (3, 7, 8, 9, 10), false)
                                   OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL AS has_ended,
                               lag(o.status) OVER history AS status_before, lag(o.seen_at) OVER history AS seen_before,
                               lag(o.due_current) OVER history AS due_before,
                               lag(o.supplement_requested_at) OVER history AS claim_before,
                               lag(o.supplement_completed_at) OVER history AS completed_before
                        FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
                        WINDOW history AS (ORDER BY o.observation_id)
                    ) h
                    WINDOW earlier AS (ORDER BY h.observation_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                ) s
            ) m
        ) n
        WHERE n.number > 0
        GROUP BY n.number
    ) g
) r
CROSS JOIN LATERAL (
    SELECT coalesce(r.requested_at, r.requested_seen_at) AS open_since,
           coalesce(r.completed_at, r.completed_seen_at, r.next_at, d.finished_at, d.delivered_at, d.end_seen_at, now())
               AS open_until
) w
WHERE d.supplement_spells > 0;
COMMENT ON VIEW audit.supplement_requests IS
    'Mỗi lần yêu cầu bổ sung một dòng: lần thứ mấy, yêu cầu và hoàn thành theo nguồn ghi và theo lúc thấy, thời gian làm việc '
    'đã chờ, có đúng vào ngày đến hạn không | Each request for supplements: claimed and seen, working time open, on the due day or not';
