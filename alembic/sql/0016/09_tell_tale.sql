-- The rules decide; these views only count what they flagged. Beside them: a dossier that its source no longer lists, whose
-- number came again under another key.
CREATE VIEW audit.tell_tale_figures AS
SELECT t.figure, t.title, t.rule_kind,
       t.rule_kind IS NULL OR EXISTS (
           SELECT FROM audit.rules r
           WHERE r.kind = t.rule_kind AND r.rule_version_id = ANY ((
               SELECT e.rule_version_ids FROM audit.evaluations e ORDER BY e.evaluation_id DESC LIMIT 1)::int[])
       ) AS applied
FROM (VALUES
    ('finish_backdated', 'Kết thúc ghi sớm hơn lúc còn thấy hồ sơ đang xử lý', 'finish_backdated'),
    ('due_moved_after_due', 'Ngày hẹn trả bị sửa sau khi đã quá hạn', 'due_moved_after_due'),
    ('returned_on_due_day', 'Trả lại, dừng đúng ngày đến hạn', 'returned_near_due'),
    ('returned_before_due_day', 'Trả lại, dừng ngay trước ngày đến hạn', 'returned_near_due'),
    ('supplement_near_due', 'Yêu cầu bổ sung đúng ngày hoặc ngay trước ngày đến hạn', 'returned_near_due'),
    ('supplement_again', 'Yêu cầu bổ sung từ lần thứ hai', 'supplement_again'),
    ('bulk_closing', 'Kết thúc hàng loạt cuối kỳ', 'bulk_closing'),
    ('vanished', 'Không còn trong hệ thống nguồn', 'vanished'),
    ('recreated', 'Xóa rồi tạo lại cùng mã hồ sơ', NULL)
) AS t (figure, title, rule_kind);
COMMENT ON VIEW audit.tell_tale_figures IS
    'Các chỉ tiêu của báo cáo dấu hiệu bất thường và loại quy tắc mà mỗi chỉ tiêu dựa vào | '
    'What the tell-tale report counts, and the kind of rule that each count rests on';

CREATE VIEW audit.tell_tale_dossiers AS
SELECT t.month, t.unit_code, u.name AS unit_name, t.figure, g.title AS figure_name, t.dossier_id, s.name AS source, t.code,
       t.kind, t.procedure_code, p.name AS procedure_name, t.received_at, t.due_at, t.claimed_at, t.seen_before, t.seen_at,
       t.status, t.related_dossier_id, t.flag_id, t.evidence
FROM (
    SELECT DISTINCT ON (f.unit_code, f.dossier_id, f.figure)
           date_trunc('month', coalesce(f.claimed_at, f.seen_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS month, f.*
    FROM (
        SELECT f.unit_code, f.dossier_id, d.source_id, d.code, d.kind, f.procedure_code, d.received_at, d.status, f.flag_id,
               f.evidence, NULL::bigint AS related_dossier_id,
               CASE WHEN f.kind <> 'returned_near_due' THEN f.kind
                    WHEN f.evidence ->> 'what' = 'supplement_requested' THEN 'supplement_near_due'
                    WHEN ((f.evidence ->> 'sent_back_at')::timestamptz AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
                         = ((f.evidence ->> 'due_at')::timestamptz AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
                    THEN 'returned_on_due_day' ELSE 'returned_before_due_day' END AS figure,
               CASE f.kind WHEN 'due_moved_after_due' THEN (f.evidence ->> 'due_previous')::timestamptz
                           WHEN 'returned_near_due' THEN (f.evidence ->> 'due_at')::timestamptz
                           ELSE d.due_current END AS due_at,
               CASE f.kind WHEN 'finish_backdated' THEN (f.evidence ->> 'ended_at')::timestamptz
                           WHEN 'returned_near_due' THEN (f.evidence ->> 'sent_back_at')::timestamptz
                           WHEN 'supplement_again' THEN f.starts_at
                           WHEN 'bulk_closing' THEN f.starts_at END AS claimed_at,
               CASE f.kind WHEN 'finish_backdated' THEN (f.evidence ->> 'open_seen_at')::timestamptz
                           WHEN 'due_moved_after_due' THEN (f.evidence ->> 'due_unmoved_at')::timestamptz
                           WHEN 'supplement_again' THEN d.supplement_unseen_at
                           WHEN 'bulk_closing' THEN d.open_seen_at
                           WHEN 'vanished' THEN d.changed_at
                           ELSE CASE f.evidence ->> 'what' WHEN 'supplement_requested' THEN d.supplement_unseen_at
                                                           ELSE d.open_seen_at END END AS seen_before,
               CASE f.kind WHEN 'finish_backdated' THEN (f.evidence ->> 'end_seen_at')::timestamptz
                           WHEN 'due_moved_after_due' THEN (f.evidence ->> 'due_moved_at')::timestamptz
                           WHEN 'supplement_again' THEN coalesce(d.supplement_seen_at, f.believed_from)
                           WHEN 'bulk_closing' THEN d.end_seen_at
                           WHEN 'vanished' THEN f.starts_at
                           ELSE CASE f.evidence ->> 'what'
                                WHEN 'supplement_requested' THEN coalesce(d.supplement_seen_at, f.believed_from)
                                ELSE d.end_seen_at END END AS seen_at
        FROM audit.flags_in_force f JOIN tthc.dossiers d USING (dossier_id)
        WHERE f.kind IN ('finish_backdated', 'due_moved_after_due', 'returned_near_due', 'supplement_again', 'bulk_closing',
                         'vanished')
        UNION ALL
        SELECT o.unit_code, o.dossier_id, o.source_id, o.code, o.kind, o.procedure_code, o.received_at, o.status, NULL,
               jsonb_build_object('source_key_before', o.source_key, 'source_key_now', n.source_key,
                                  'missed_since', m.first_missed_at, 'due_now', n.due_current),
               n.dossier_id, 'recreated', o.due_current, n.received_at, o.changed_at, n.first_seen_at
        FROM tthc.missing m
        JOIN tthc.dossiers o USING (dossier_id)
        JOIN tthc.dossiers n ON n.code = o.code AND n.source_id = o.source_id AND n.dossier_id <> o.dossier_id
                            AND n.first_seen_at > o.first_seen_at
        WHERE m.first_missed_at <> 'infinity'
    ) f
    ORDER BY f.unit_code, f.dossier_id, f.figure, f.flag_id, f.related_dossier_id
) t
JOIN audit.tell_tale_figures g USING (figure)
JOIN tthc.sources s USING (source_id)
LEFT JOIN tthc.units u ON u.unit_code = t.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = t.procedure_code;
COMMENT ON VIEW audit.tell_tale_dossiers IS
    'Hồ sơ đứng sau từng con số của audit.tell_tale, kèm thời điểm nguồn ghi và thời điểm thấy; là dấu hiệu cần kiểm tra, không '
    'phải kết luận vi phạm | The dossiers behind each number of audit.tell_tale, with both clocks; signs to be checked, no accusation';

CREATE VIEW audit.tell_tale AS
SELECT c.month, c.unit_code, c.unit_name,
       CASE WHEN a.kinds @> '{finish_backdated}' THEN c.finish_backdated END AS finish_backdated,
       CASE WHEN a.kinds @> '{due_moved_after_due}' THEN c.due_moved_after_due END AS due_moved_after_due,
       CASE WHEN a.kinds @> '{returned_near_due}' THEN c.returned_on_due_day END AS returned_on_due_day,
       CASE WHEN a.kinds @> '{returned_near_due}' THEN c.returned_before_due_day END AS returned_before_due_day,
       CASE WHEN a.kinds @> '{returned_near_due}' THEN c.supplement_near_due END AS supplement_near_due,
       CASE WHEN a.kinds @> '{supplement_again}' THEN c.supplement_again END AS supplement_again,
       CASE WHEN a.kinds @> '{bulk_closing}' THEN c.bulk_closing END AS bulk_closing,
       CASE WHEN a.kinds @> '{vanished}' THEN c.vanished END AS vanished,
       c.recreated, c.dossiers
FROM (
    SELECT t.month, t.unit_code, t.unit_name,
           count(*) FILTER (WHERE t.figure = 'finish_backdated') AS finish_backdated,
           count(*) FILTER (WHERE t.figure = 'due_moved_after_due') AS due_moved_after_due,
           count(*) FILTER (WHERE t.figure = 'returned_on_due_day') AS returned_on_due_day,
           count(*) FILTER (WHERE t.figure = 'returned_before_due_day') AS returned_before_due_day,
           count(*) FILTER (WHERE t.figure = 'supplement_near_due') AS supplement_near_due,
           count(*) FILTER (WHERE t.figure = 'supplement_again') AS supplement_again,
           count(*) FILTER (WHERE t.figure = 'bulk_closing') AS bulk_closing,
           count(*) FILTER (WHERE t.figure = 'vanished') AS vanished,
           count(*) FILTER (WHERE t.figure = 'recreated') AS recreated,
           count(DISTINCT t.dossier_id) AS dossiers
    FROM audit.tell_tale_dossiers t
    -- A dossier that a unit received and another resolves is seen by both; of the other it would count a part only.
    WHERE (SELECT a.sees_all FROM audit.asking a) OR t.unit_code = ANY ((SELECT a.unit_codes FROM audit.asking a)::text[])
    GROUP BY t.month, t.unit_code, t.unit_name
) c
CROSS JOIN (SELECT array_agg(DISTINCT g.rule_kind) AS kinds FROM audit.tell_tale_figures g WHERE g.applied) a;
COMMENT ON VIEW audit.tell_tale IS
    'Báo cáo dấu hiệu bất thường theo đơn vị và tháng; ô trống là quy tắc tương ứng chưa được áp dụng (không phải bằng 0); hồ sơ '
    'phía sau ở audit.tell_tale_dossiers | Tell-tale counts by unit and month; null: the rule was not applied; the dossiers stand in audit.tell_tale_dossiers';
