-- What had not happened yet when we looked, and was said later to have happened before we looked.
CREATE VIEW audit.backdated_claims AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, b.observation_id, b.event, b.claimed_at,
       b.not_yet_at, b.seen_at, extract(epoch FROM b.not_yet_at - b.claimed_until) AS backdated_seconds,
       extract(epoch FROM b.seen_at - b.claimed_at) AS seen_after_seconds, b.day_only, b.earlier_claim_at, b.status
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT h.observation_id, h.seen_at, h.status, e.event, e.claimed_at, e.earlier_claim_at, t.day_only, t.claimed_until,
           CASE WHEN e.event IN ('finished', 'delivered') AND h.seen_at >= d.end_seen_at AND h.open_seen < d.end_seen_at
                -- Of an end that stands, a listing may prove more than the observation before it.
                THEN greatest(e.not_yet_at, CASE WHEN e.event = 'finished' OR h.finished_at IS NULL THEN d.open_seen_at END)
                ELSE e.not_yet_at END AS not_yet_at
    FROM (
        SELECT o.observation_id, o.seen_at, o.status, o.received_at, o.finished_at, o.delivered_at,
               o.supplement_requested_at, o.supplement_completed_at,
               lag(o.received_at) OVER history AS received_before, lag(o.finished_at) OVER history AS finished_before,
               lag(o.delivered_at) OVER history AS delivered_before,
               lag(o.supplement_requested_at) OVER history AS requested_before,
               lag(o.supplement_completed_at) OVER history AS completed_before,
               max(o.seen_at) FILTER (WHERE NOT (coalesce(o.status IN (3, 7, 8, 9, 10), false)
                                                 OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL))
                   OVER earlier AS open_seen,
               max(o.seen_at) FILTER (WHERE o.received_at IS NULL AND o.status = 1) OVER earlier AS unreceived_seen,
               max(o.seen_at) FILTER (WHERE o.delivered_at IS NULL AND o.status <> 10) OVER earlier AS undelivered_seen,
               max(o.seen_at) FILTER (WHERE o.supplement_requested_at IS NULL AND o.status <> 5)
                   OVER earlier AS unrequested_seen,
               max(o.seen_at) FILTER (WHERE o.status = 5) OVER earlier AS waiting_seen
        FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
        WINDOW history AS (ORDER BY o.observation_id),
               earlier AS (ORDER BY o.observation_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) h
    CROSS JOIN LATERAL (
        VALUES ('received', h.received_at, h.received_before, h.unreceived_seen),
               ('finished', h.finished_at, h.finished_before, h.open_seen),
               ('delivered', h.delivered_at, h.delivered_before, h.undelivered_seen),
               ('supplement_requested', h.supplement_requested_at, h.requested_before, h.unrequested_seen),
               ('supplement_completed', h.supplement_completed_at, h.completed_before,
                CASE WHEN h.supplement_completed_at > h.supplement_requested_at THEN h.waiting_seen END)
    ) AS e (event, claimed_at, earlier_claim_at, not_yet_at)
    CROSS JOIN LATERAL (
        -- A local midnight is a day without a time: any instant of that day.
        SELECT z.day_only, e.claimed_at + CASE WHEN z.day_only THEN interval '1 day' - interval '1 microsecond'
                                               ELSE interval '0' END AS claimed_until
        FROM (SELECT (e.claimed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::time = '00:00' AS day_only) z
    ) t
    WHERE e.claimed_at IS NOT NULL AND e.claimed_at IS DISTINCT FROM e.earlier_claim_at
) b
WHERE b.claimed_until < b.not_yet_at AND d.changed_at > d.first_seen_at;
COMMENT ON VIEW audit.backdated_claims IS
    'Thời điểm (tiếp nhận, kết thúc, trả kết quả, yêu cầu hoặc nộp bổ sung) được ghi sớm hơn lần cuối thấy việc đó chưa xảy ra; '
    'có cả hai đồng hồ và chênh lệch; là dấu hiệu để kiểm tra, không phải kết luận | '
    'Events claimed before the last instant at which we know that they had not happened: both clocks and the difference';
