-- What the ledger holds of a dossier is looked up dossier by dossier (LATERAL), by the ledger's primary key: a filter on
-- the dossier, its number or its unit then never reads the ledger of others.
CREATE VIEW audit.due_changes AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, c.observation_id, c.number, c.change,
       c.old_due_at, c.new_due_at, c.unmoved_at, c.seen_at,
       c.seen_at > c.old_due_at AS passed_when_seen, c.unmoved_at > c.old_due_at AS passed_for_certain,
       c.status_before
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT m.observation_id, row_number() OVER (ORDER BY m.observation_id) AS number,
           CASE WHEN m.due_current IS NULL THEN 'removed'
                WHEN m.due_current = m.old_due_at THEN 'put_back'
                WHEN m.due_current > m.old_due_at THEN 'later' ELSE 'earlier' END AS change,
           m.old_due_at, m.due_current AS new_due_at,
           -- Of the latest move, a listing in which nothing had changed may prove more than the observation before it.
           greatest(m.seen_before, CASE WHEN m.seen_at = d.due_moved_at THEN d.due_unmoved_at END) AS unmoved_at,
           m.seen_at, m.status_before
    FROM (
        SELECT h.*, h.promises[cardinality(h.promises)] AS old_due_at
        FROM (
            SELECT o.observation_id, o.seen_at, o.due_current, lag(o.due_current) OVER history AS due_before,
                   lag(o.seen_at) OVER history AS seen_before, lag(o.status) OVER history AS status_before,
                   array_agg(o.due_current) FILTER (WHERE o.due_current IS NOT NULL)
                       OVER (history ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS promises
            FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
            WINDOW history AS (ORDER BY o.observation_id)
        ) h
    ) m
    WHERE m.old_due_at IS NOT NULL AND m.due_current IS DISTINCT FROM m.due_before
) c
WHERE d.due_moves > 0 OR d.due_previous IS NOT NULL;
COMMENT ON VIEW audit.due_changes IS
    'Mỗi lần ngày hẹn trả thay đổi một dòng: cũ, mới, lần cuối thấy chưa đổi, lúc thấy đã đổi, khi ấy đã qua hạn cũ chưa; '
    'hẹn bị xóa rồi đặt lại như cũ thì không tính | Each change of the promised instant, and whether the old one had passed';

-- A letter belongs to the move that it came with. One that came between two moves may belong to either, and speaks for both.
CREATE VIEW audit.reappointments AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, c.observation_id, c.number, c.change,
       c.old_due_at, c.new_due_at, c.unmoved_at, c.seen_at, c.passed_when_seen, c.passed_for_certain,
       a.apology_at, a.apology_seen_at, a.apology_at IS NOT NULL AS with_apology,
       a.apology_at < c.old_due_at AS apology_before_due, r.reappointment_count
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT m.observation_id, row_number() OVER moves AS number, m.change, m.old_due_at, m.new_due_at, m.unmoved_at,
           m.seen_at, m.passed_when_seen, m.passed_for_certain,
           coalesce(lag(m.observation_id) OVER moves, 0) AS moved_before,
           coalesce(lead(m.observation_id) OVER moves, 9223372036854775807) AS moved_after
    FROM audit.due_changes m WHERE m.dossier_id = d.dossier_id AND m.change IN ('later', 'earlier')
    WINDOW moves AS (ORDER BY m.observation_id)
) c
CROSS JOIN LATERAL (
    SELECT max(l.apology_at) AS apology_at, min(l.seen_at) AS apology_seen_at
    FROM (
        SELECT o.observation_id, o.seen_at, o.apology_at, lag(o.apology_at) OVER (ORDER BY o.observation_id) AS before
        FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
    ) l
    WHERE l.apology_at IS DISTINCT FROM l.before AND l.apology_at IS NOT NULL
      AND l.observation_id > c.moved_before AND l.observation_id < c.moved_after
) a
CROSS JOIN LATERAL (
    SELECT max(o.reappointment_count) AS reappointment_count FROM tthc.observations o
    WHERE o.dossier_id = d.dossier_id AND o.observation_id = c.observation_id
) r
WHERE d.due_moves > 0 OR d.due_previous IS NOT NULL;
COMMENT ON VIEW audit.reappointments IS
    'Mỗi lần hẹn lại một dòng: hẹn cũ, hẹn mới, thấy trước hay sau khi hẹn cũ đã qua, có văn bản xin lỗi hay không | '
    'Each new promise, with or without an apology, before or after the old one had passed';

CREATE VIEW audit.apologies AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, a.observation_id, a.number, a.apology_at, a.seen_before,
       a.seen_at, a.due_at, a.apology_at > a.due_at AS after_due, a.new_due_at, a.reappointment_count
FROM tthc.dossiers d
CROSS JOIN LATERAL (
    SELECT l.observation_id, row_number() OVER (ORDER BY l.observation_id) AS number, l.apology_at, l.seen_before,
           l.seen_at, coalesce(l.due_before, l.due_current) AS due_at,
           CASE WHEN l.due_current <> l.due_before THEN l.due_current END AS new_due_at, l.reappointment_count
    FROM (
        SELECT o.observation_id, o.seen_at, o.apology_at, o.due_current, o.reappointment_count,
               lag(o.apology_at) OVER history AS apology_before, lag(o.due_current) OVER history AS due_before,
               lag(o.seen_at) OVER history AS seen_before
        FROM tthc.observations o WHERE o.dossier_id = d.dossier_id
        WINDOW history AS (ORDER BY o.observation_id)
    ) l
    WHERE l.apology_at IS NOT NULL AND l.apology_at IS DISTINCT FROM l.apology_before
) a
WHERE d.apology_at IS NOT NULL;
COMMENT ON VIEW audit.apologies IS
    'Mỗi văn bản xin lỗi một dòng: ngày ghi trên hệ thống nguồn, lúc thấy, hạn khi ấy, hẹn mới kèm theo; hồ sơ mà nguồn đã '
    'bỏ hẳn văn bản thì không có | Each letter of apology: claimed and seen, the promise then, the new one that came with it';
