"""The auditors' views: the one definition of every published number.

Names and columns are a public contract. Metrics, digest, report, export and auditors all read from here.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATUS_NAMES = """
CREATE TABLE tthc.statuses (status smallint PRIMARY KEY, name text NOT NULL, ended boolean NOT NULL);
INSERT INTO tthc.statuses VALUES
    (1, 'Mới đăng ký', false), (2, 'Được tiếp nhận', false), (3, 'Không được tiếp nhận', true),
    (4, 'Đang xử lý', false), (5, 'Yêu cầu bổ sung giấy tờ', false),
    (6, 'Yêu cầu thực hiện nghĩa vụ tài chính', false), (7, 'Công dân yêu cầu rút hồ sơ', true),
    (8, 'Dừng xử lý', true), (9, 'Đã xử lý xong', true), (10, 'Đã trả kết quả', true);
"""

DOSSIERS = """
CREATE VIEW audit.dossiers AS
SELECT d.dossier_id, s.name AS source, d.source_key, d.code, d.kind,
       d.procedure_code, p.name AS procedure_name,
       coalesce(d.sector_code, p.sector_code) AS sector_code, se.name AS sector_name,
       d.unit_code, u.name AS unit_name, d.receiving_unit_code, d.channel,
       d.status, st.name AS status_name, d.source_status, d.step_code, d.step_name,
       d.submitted_at, d.received_at, d.competent_received_at,
       d.due_first AS due_original, d.due_current,
       d.finished_at, d.delivered_at, coalesce(d.finished_at, d.delivered_at, d.end_seen_at) AS ended_at,
       d.supplement_requested_at, d.supplement_completed_at, d.supplement_count, d.source_verdict,
       d.first_seen_at, d.changed_at, d.status_seen_at, d.end_seen_at, d.observation_id
FROM tthc.dossiers d
JOIN tthc.sources s USING (source_id)
LEFT JOIN tthc.statuses st ON st.status = d.status
LEFT JOIN tthc.units u ON u.unit_code = d.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = d.procedure_code
LEFT JOIN tthc.sectors se ON se.sector_code = coalesce(d.sector_code, p.sector_code);
COMMENT ON VIEW audit.dossiers IS
    'Mỗi hồ sơ một dòng: tình trạng mới nhất đã thấy | One row per dossier: the latest state seen';
"""

FLAGS = """
CREATE VIEW audit.flags AS
SELECT f.flag_id, f.dossier_id, d.code, r.rule_code, r.kind, r.title, r.severity, r.verdict, r.legal_basis,
       f.unit_code, f.procedure_code, f.starts_at, f.ends_at, f.evidence,
       f.believed_from, f.believed_to, f.observation_id, f.rule_version_id, e.calendar_version_id, e.engine_version
FROM tthc.flags f
JOIN tthc.rule_versions r USING (rule_version_id)
JOIN tthc.evaluations e USING (evaluation_id)
JOIN tthc.dossiers d USING (dossier_id);
COMMENT ON VIEW audit.flags IS
    'Mỗi phát hiện là một khoảng thời gian [starts_at, ends_at); believed_to trống là kết luận đang có hiệu lực | '
    'Each finding is an interval; believed_to empty means the conclusion stands';

CREATE VIEW audit.flags_now AS
SELECT * FROM audit.flags WHERE believed_to IS NULL AND starts_at <= now() AND ends_at > now();
COMMENT ON VIEW audit.flags_now IS 'Các phát hiện đang diễn ra lúc này | Findings in force at this moment';

CREATE VIEW audit.rules AS
SELECT rule_version_id, rule_code, kind, title, severity, verdict, legal_basis, definition, known_from
FROM tthc.rule_versions;
CREATE VIEW audit.calendars AS
SELECT calendar_version_id, name, fingerprint, definition, known_from FROM tthc.calendar_versions;
"""

VERDICTS = """
CREATE VIEW audit.unjudged AS
SELECT b.batch_id, b.first_observation_id, b.last_observation_id, b.row_count, b.seen_at
FROM tthc.pending_evaluations JOIN tthc.observation_batches b USING (batch_id);
COMMENT ON VIEW audit.unjudged IS
    'Các lô ghi nhận chưa được đánh giá; hồ sơ trong đó tạm thời là cannot_tell | '
    'Batches seen but not judged yet; until then their dossiers read cannot_tell';

CREATE FUNCTION audit.verdicts_as_of(as_of timestamptz)
RETURNS TABLE (
    dossier_id bigint, source text, source_key text, code text, kind text, unit_code text, procedure_code text,
    sector_code text, channel text, status smallint, received_at timestamptz, due_original timestamptz,
    due_current timestamptz, ended_at timestamptz, source_verdict text, verdict text, late_since timestamptz,
    late_seconds double precision, rule_version_id int, flag_id bigint
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH finding AS (
        -- Lateness proved beats a doubt: a dossier may have both when a part of its facts is missing.
        SELECT DISTINCT ON (f.dossier_id) f.dossier_id, f.flag_id, f.rule_version_id, f.verdict,
               CASE WHEN f.verdict <> 'cannot_tell' THEN (f.evidence ->> 'due_at')::timestamptz END AS late_since
        FROM audit.flags_in_force f
        WHERE f.verdict IS NOT NULL AND f.starts_at <= as_of AND f.ends_at > as_of
        ORDER BY f.dossier_id, f.verdict = 'cannot_tell', f.flag_id
    ), judged AS (
        SELECT d.*, f.flag_id, f.rule_version_id, f.late_since,
               CASE WHEN d.received_at IS NULL OR d.received_at > as_of THEN 'not_received'
                    -- Not judged yet: what is held are the flags of an older state, or none.
                    -- The number before AND keeps the look-up after it for when something waits.
                    WHEN d.observation_id >= (SELECT coalesce(min(u.first_observation_id), 9223372036854775807)
                                              FROM audit.unjudged u)
                         AND EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id
                                     BETWEEN u.first_observation_id AND u.last_observation_id) THEN 'cannot_tell'
                    WHEN f.verdict IS NOT NULL THEN f.verdict
                    WHEN d.ended_at <= as_of THEN 'on_time'
                    ELSE 'open_in_time' END AS verdict
        FROM audit.dossiers d LEFT JOIN finding f USING (dossier_id)
    )
    SELECT j.dossier_id, j.source, j.source_key, j.code, j.kind, j.unit_code, j.procedure_code,
           j.sector_code, j.channel, j.status, j.received_at, j.due_original, j.due_current,
           j.ended_at, j.source_verdict, j.verdict,
           CASE WHEN j.verdict IN ('late', 'open_overdue') THEN j.late_since END,
           CASE WHEN j.verdict IN ('late', 'open_overdue')
                THEN extract(epoch FROM least(j.ended_at, as_of) - j.late_since)::double precision END,
           j.rule_version_id, j.flag_id
    FROM judged j
$$;
COMMENT ON FUNCTION audit.verdicts_as_of IS
    'Kết luận cho từng hồ sơ tại một thời điểm: late, on_time, open_overdue, open_in_time, cannot_tell, not_received | '
    'The verdict on every dossier at an instant';

CREATE VIEW audit.verdicts_now AS SELECT * FROM audit.verdicts_as_of(now());
COMMENT ON VIEW audit.verdicts_now IS 'Kết luận cho từng hồ sơ lúc này | The verdict on every dossier now';
"""

FLAGS_IN_FORCE = """
CREATE VIEW audit.flags_in_force AS
SELECT f.flag_id, f.dossier_id, f.rule_version_id, r.rule_code, r.kind, r.title, r.severity, r.verdict,
       f.unit_code, f.procedure_code, f.starts_at, f.ends_at, f.evidence, f.believed_from
FROM tthc.flags f JOIN tthc.rule_versions r USING (rule_version_id)
WHERE f.believed_to IS NULL;
COMMENT ON VIEW audit.flags_in_force IS
    'Các kết luận đang có hiệu lực, kể cả khoảng đã qua và sắp tới | Conclusions that stand, past and future intervals included';
"""

FIGURES = """
CREATE FUNCTION audit.figures(from_at timestamptz, to_at timestamptz, zone text DEFAULT 'Asia/Ho_Chi_Minh')
RETURNS TABLE (
    unit_code text, procedure_code text, sector_code text, kind text,
    received_online bigint, received_direct bigint, carried_over bigint,
    finished_early bigint, finished_on_time bigint, finished_late bigint, finished_unknown bigint,
    pending_in_time bigint, pending_overdue bigint, pending_unknown bigint
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH dossier AS (
        -- greatest() passes over nulls: an open dossier has no end, not the end that is its reception.
        SELECT v.*, CASE WHEN v.ended_at IS NOT NULL THEN greatest(v.ended_at, v.received_at) END AS end_at
        FROM audit.verdicts_as_of(to_at - interval '1 microsecond') v
        WHERE v.received_at < to_at AND v.verdict <> 'not_received'
    ), counted AS (
        SELECT d.*, d.received_at < from_at AS carried, d.end_at < to_at AS finished,
               (d.ended_at AT TIME ZONE zone)::date < (d.due_current AT TIME ZONE zone)::date AS before_due_day
        FROM dossier d
        WHERE d.end_at IS NULL OR d.end_at >= from_at
    )
    SELECT c.unit_code, c.procedure_code, c.sector_code, c.kind,
           count(*) FILTER (WHERE NOT carried AND channel = 'online'),
           count(*) FILTER (WHERE NOT carried AND channel IS DISTINCT FROM 'online'),
           count(*) FILTER (WHERE carried),
           count(*) FILTER (WHERE finished AND verdict = 'on_time' AND before_due_day),
           count(*) FILTER (WHERE finished AND verdict = 'on_time' AND NOT before_due_day),
           count(*) FILTER (WHERE finished AND verdict = 'late'),
           count(*) FILTER (WHERE finished AND verdict = 'cannot_tell'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'open_in_time'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'open_overdue'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'cannot_tell')
    FROM counted c GROUP BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION audit.figures IS
    'Số liệu Biểu II.06a của kỳ [from_at, to_at) theo đơn vị và thủ tục | Figures of form II.06a for a period';
"""

RATE = """
CREATE FUNCTION audit.on_time_percent(on_time numeric, late numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(100 * on_time / nullif(on_time + late, 0), 2)
$$;
COMMENT ON FUNCTION audit.on_time_percent IS
    'Tỷ lệ đúng hạn (%) = (trước hạn + đúng hạn) / (trước hạn + đúng hạn + quá hạn) của hồ sơ đã giải quyết có hạn; '
    'trống khi mẫu số bằng 0 | Finished on time over finished with a known due date; null when there are none';
"""

RUNS = """
CREATE VIEW audit.pull_runs AS
SELECT r.run_id, s.name AS source, r.started_at, r.finished_at, r.outcome, r.rows_read, r.rows_rejected,
       r.rows_repeated, r.rows_unmapped_status, r.dossiers_new, r.dossiers_changed, r.error
FROM tthc.pull_runs r JOIN tthc.sources s USING (source_id);
CREATE VIEW audit.rejects AS
SELECT j.reject_id, s.name AS source, r.started_at, j.location, j.row_number, j.column_name, j.reason, j.value
FROM tthc.rejects j JOIN tthc.pull_runs r USING (run_id) JOIN tthc.sources s USING (source_id);
CREATE VIEW audit.units AS SELECT unit_code, name, first_seen_at FROM tthc.units;
CREATE VIEW audit.procedures AS
SELECT p.procedure_code, p.name, p.sector_code, s.name AS sector_name
FROM tthc.procedures p LEFT JOIN tthc.sectors s USING (sector_code);
CREATE VIEW audit.sectors AS SELECT sector_code, name, first_seen_at FROM tthc.sectors;
CREATE VIEW audit.ledger AS
SELECT b.batch_id, s.name AS source, b.seen_at, b.row_count, encode(b.chain_hash, 'hex') AS chain_hash,
       encode(b.previous_hash, 'hex') AS previous_hash
FROM tthc.observation_batches b JOIN tthc.sources s USING (source_id);
CREATE VIEW audit.observations AS
SELECT o.observation_id, o.dossier_id, s.name AS source, o.seen_at, o.code, o.status, o.source_status, o.unit_code,
       o.procedure_code, o.received_at, o.due_original, o.due_current, o.finished_at, o.delivered_at,
       o.supplement_requested_at, o.supplement_completed_at, o.supplement_count, o.step_code, o.step_name,
       encode(o.content_hash, 'hex') AS content_hash
FROM tthc.observations o JOIN tthc.sources s USING (source_id);
COMMENT ON VIEW audit.pull_runs IS 'Mỗi lần lấy dữ liệu một dòng | One row per pull';
COMMENT ON VIEW audit.rejects IS 'Dòng dữ liệu không đọc được, kèm lý do | Rows that could not be read, with the reason';
COMMENT ON VIEW audit.units IS 'Danh mục đơn vị đã gặp | Units seen';
COMMENT ON VIEW audit.sectors IS 'Danh mục lĩnh vực đã gặp | Sectors seen';
COMMENT ON VIEW audit.procedures IS 'Danh mục thủ tục đã gặp | Procedures seen';
COMMENT ON VIEW audit.ledger IS 'Chuỗi băm của sổ cái: mỗi lô ghi nhận một mắt xích | Hash chain: one link per batch';
COMMENT ON VIEW audit.observations IS
    'Mọi lần thấy hồ sơ thay đổi, không bao giờ sửa | Every state of a dossier that we saw, never changed';
COMMENT ON VIEW audit.rules IS 'Các phiên bản quy tắc đã dùng | Rule versions in use so far';
COMMENT ON VIEW audit.calendars IS 'Các phiên bản lịch làm việc đã dùng | Calendar versions in use so far';
"""

GRANTS = """
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO tthc_auditor;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA audit TO tthc_auditor;
"""


def upgrade() -> None:
    for script in (STATUS_NAMES, DOSSIERS, FLAGS, FLAGS_IN_FORCE, VERDICTS, FIGURES, RATE, RUNS, GRANTS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
