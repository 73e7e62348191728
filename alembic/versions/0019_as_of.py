"""What was known at an instant, and what was believed of it: then, or judged later by other rules.

Most dossiers have not changed since the instant that is asked about: of them the projection tells. Of the others the
ledger is asked, dossier by dossier. What nobody judged at the time, a replay judges (``tthc-monitor audit replay``) and
keeps here: SQL alone cannot apply rules.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tthc.replays (
    replay_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    judged_at timestamptz NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    last_batch_id bigint NOT NULL,
    dossiers bigint NOT NULL,
    engine_version text NOT NULL,
    ruleset_fingerprint text NOT NULL,
    rule_version_ids int[] NOT NULL,
    calendar_version_id int NOT NULL REFERENCES tthc.calendar_versions,
    limit_version_id int REFERENCES tthc.limit_versions,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN tthc.replays.recorded_at IS 'the clock of the database server; the service cannot give it';
COMMENT ON TABLE tthc.replays IS 'what was seen by seen_at, judged at judged_at; last_batch_id is the last link that counts';
CREATE TABLE tthc.replayed_flags (
    replay_id int NOT NULL REFERENCES tthc.replays,
    dossier_id bigint NOT NULL,
    rule_version_id int NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    observation_id bigint NOT NULL,
    unit_code text,
    procedure_code text,
    evidence jsonb NOT NULL
);
CREATE INDEX replayed_flags_of ON tthc.replayed_flags (replay_id, dossier_id);
CREATE INDEX observation_batches_seen ON tthc.observation_batches (seen_at);
CREATE INDEX flags_of_dossier_ever ON tthc.flags (dossier_id) WHERE believed_to IS NOT NULL;
CREATE FUNCTION tthc.with_its_replay() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added a JOIN tthc.replays r USING (replay_id) WHERE r.recorded_at < transaction_timestamp()) THEN
        RAISE EXCEPTION 'a replay is kept whole: nothing is added to it afterwards'
              USING HINT = 'Run: tthc-monitor audit replay';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER with_its_replay AFTER INSERT ON tthc.replayed_flags REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.with_its_replay();
REVOKE ALL ON FUNCTION tthc.with_its_replay FROM PUBLIC;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.replays
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.replayed_flags
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

VIEWS = """
CREATE VIEW audit.replays AS
SELECT replay_id, seen_at, judged_at, person, last_batch_id, dossiers, engine_version, ruleset_fingerprint,
       rule_version_ids, calendar_version_id, limit_version_id, recorded_at
FROM tthc.replays;
CREATE VIEW audit.replayed_flags AS
SELECT replay_id, dossier_id, rule_version_id, starts_at, ends_at, observation_id, unit_code, procedure_code, evidence
FROM tthc.replayed_flags;
"""

DOSSIERS = """
CREATE FUNCTION audit.dossiers_as_of(seen_at timestamptz)
RETURNS TABLE (
    dossier_id bigint, source text, source_key text, code text, kind text, procedure_code text, sector_code text,
    unit_code text, receiving_unit_code text, channel text, status smallint, source_status text, step_code text,
    step_name text, submitted_at timestamptz, received_at timestamptz, competent_received_at timestamptz,
    due_original timestamptz, due_current timestamptz, finished_at timestamptz, delivered_at timestamptz,
    ended_at timestamptz, supplement_requested_at timestamptz, supplement_completed_at timestamptz,
    supplement_count smallint, source_verdict text, first_seen_at timestamptz, changed_at timestamptz,
    vanished_seen_at timestamptz, observation_id bigint
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT d.dossier_id, d.source, d.source_key, d.code, d.kind, d.procedure_code, d.sector_code, d.unit_code,
           d.receiving_unit_code, d.channel, d.status, d.source_status, d.step_code, d.step_name, d.submitted_at,
           d.received_at, d.competent_received_at, d.due_original, d.due_current, d.finished_at, d.delivered_at,
           d.ended_at, d.supplement_requested_at, d.supplement_completed_at, d.supplement_count, d.source_verdict,
           d.first_seen_at, d.changed_at,
           -- Gone since it was last seen, and not back by then; events from before there were any are not known.
           CASE WHEN v.seen_at >= d.changed_at THEN CASE WHEN v.event = 'vanished' THEN v.seen_at END
                WHEN d.vanished_seen_at <= $1 THEN d.vanished_seen_at END, d.observation_id
    FROM audit.dossiers d
    LEFT JOIN (
        SELECT DISTINCT ON (e.dossier_id) e.dossier_id, e.event, e.seen_at FROM audit.ledger_events e
        WHERE e.event IN ('vanished', 'back') AND e.seen_at <= $1 ORDER BY e.dossier_id, e.batch_id DESC
    ) v ON v.dossier_id = d.dossier_id
    WHERE d.changed_at <= $1
    UNION ALL
    SELECT d.dossier_id, d.source, coalesce(nullif(o.source_key, ''), d.source_key), o.code, o.kind, o.procedure_code,
           coalesce(o.sector_code, (SELECT p.sector_code FROM audit.procedures p WHERE p.procedure_code = o.procedure_code)),
           o.unit_code, o.receiving_unit_code, o.channel, o.status, o.source_status, o.step_code, o.step_name,
           o.submitted_at, o.received_at, o.competent_received_at,
           coalesce(
               o.due_original,
               (SELECT e.due_original FROM audit.observations e
                WHERE e.dossier_id = d.dossier_id AND e.seen_at <= $1 AND e.due_original IS NOT NULL
                ORDER BY e.observation_id DESC LIMIT 1),
               (SELECT e.due_current FROM audit.observations e
                WHERE e.dossier_id = d.dossier_id AND e.seen_at <= $1 AND e.due_current IS NOT NULL
                ORDER BY e.observation_id LIMIT 1)),
           o.due_current, o.finished_at, o.delivered_at,
           coalesce(
               o.finished_at, o.delivered_at,
               -- First seen ended, after it was last seen open.
               CASE WHEN o.status IN (3, 7, 8, 9, 10) THEN (
                   SELECT min(e.seen_at) FROM audit.observations e
                   WHERE e.dossier_id = d.dossier_id AND e.observation_id <= o.observation_id
                     AND e.observation_id > coalesce((
                         SELECT max(b.observation_id) FROM audit.observations b
                         WHERE b.dossier_id = d.dossier_id AND b.observation_id <= o.observation_id
                           AND (b.status IN (3, 7, 8, 9, 10)) IS NOT TRUE
                           AND coalesce(b.finished_at, b.delivered_at) IS NULL), 0)) END),
           o.supplement_requested_at, o.supplement_completed_at, o.supplement_count, o.source_verdict, d.first_seen_at,
           o.seen_at,
           -- Gone since it was last seen, and not back by then.
           (SELECT CASE WHEN e.event = 'vanished' THEN e.seen_at END FROM audit.ledger_events e
            WHERE e.dossier_id = d.dossier_id AND e.event IN ('vanished', 'back') AND e.seen_at <= $1
              AND e.seen_at >= o.seen_at
            ORDER BY e.batch_id DESC LIMIT 1),
           o.observation_id
    FROM audit.dossiers d
    CROSS JOIN LATERAL (
        SELECT * FROM audit.observations e
        WHERE e.dossier_id = d.dossier_id AND e.seen_at <= $1
        ORDER BY e.observation_id DESC LIMIT 1
    ) o
    WHERE d.changed_at > $1 AND d.first_seen_at <= $1
$$;
"""

FLAGS = """
CREATE FUNCTION audit.replay_for(seen_at timestamptz, judged_at timestamptz) RETURNS int
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    last_link bigint;
    found int;
BEGIN
    IF seen_at IS NULL OR judged_at IS NULL OR judged_at < seen_at THEN
        RAISE EXCEPTION 'judged_at (%) is before seen_at (%): nobody can judge what was not known yet', judged_at, seen_at
              USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the same instant twice for what was believed then.';
    END IF;
    -- Nothing came between: what is believed at judged_at is judged from what was known.
    IF judged_at = seen_at OR NOT EXISTS (SELECT FROM audit.ledger l WHERE l.seen_at > replay_for.seen_at
                                          AND l.seen_at <= replay_for.judged_at) THEN
        RETURN 0;
    END IF;
    SELECT max(l.batch_id) INTO last_link FROM audit.ledger l WHERE l.seen_at <= replay_for.seen_at;
    SELECT r.replay_id INTO found FROM audit.replays r
    WHERE r.last_batch_id = coalesce(last_link, 0) AND r.judged_at <= replay_for.judged_at
      -- Links of several sources need not stand in the order in which they were seen.
      AND NOT EXISTS (SELECT FROM audit.ledger l WHERE l.seen_at > least(r.seen_at, replay_for.seen_at)
                      AND l.seen_at <= greatest(r.seen_at, replay_for.seen_at))
    ORDER BY r.judged_at DESC, r.replay_id DESC LIMIT 1;
    IF found IS NULL THEN
        RAISE EXCEPTION 'what was known at % was not judged again by %', seen_at, judged_at
              USING ERRCODE = 'no_data_found',
                    HINT = format('Ask the administrator to run: tthc-monitor audit replay --seen-at %s --by NAME',
                                  to_char(seen_at AT TIME ZONE 'Asia/Ho_Chi_Minh', 'YYYY-MM-DD"T"HH24:MI:SS.US"+07:00"'));
    END IF;
    RETURN found;
END $$;

CREATE FUNCTION audit.flags_as_of(seen_at timestamptz, judged_at timestamptz)
RETURNS TABLE (
    dossier_id bigint, rule_code text, kind text, title text, severity text, verdict text, legal_basis text,
    unit_code text, procedure_code text, starts_at timestamptz, ends_at timestamptz, evidence jsonb,
    observation_id bigint, rule_version_id int, calendar_version_id int, engine_version text, replay_id int
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT f.dossier_id, f.rule_code, f.kind, f.title, f.severity, f.verdict, f.legal_basis, f.unit_code,
           f.procedure_code, f.starts_at, f.ends_at, f.evidence, f.observation_id, f.rule_version_id,
           f.calendar_version_id, f.engine_version, NULL::int
    FROM audit.flags f
    WHERE f.believed_from <= $2 AND (f.believed_to > $2 OR f.believed_to IS NULL)
      AND (SELECT audit.replay_for($1, $2)) = 0
    UNION ALL
    SELECT p.dossier_id, r.rule_code, r.kind, r.title, r.severity, r.verdict, r.legal_basis, p.unit_code,
           p.procedure_code, p.starts_at, p.ends_at, p.evidence, p.observation_id, p.rule_version_id,
           y.calendar_version_id, y.engine_version, p.replay_id
    FROM audit.replayed_flags p
    JOIN audit.replays y USING (replay_id)
    JOIN audit.rules r USING (rule_version_id)
    WHERE p.replay_id = (SELECT audit.replay_for($1, $2))
$$;
REVOKE ALL ON FUNCTION audit.dossiers_as_of, audit.replay_for, audit.flags_as_of FROM PUBLIC;
"""

COMMENTS = {
    "VIEW audit.replays": (
        "Các lần đánh giá lại những gì đã biết tại một thời điểm: biết đến lúc nào, đánh giá lúc nào, ai yêu cầu",
        "What was known at an instant, judged again: known by when, judged when, asked for by whom",
    ),
    "COLUMN audit.replays.replay_id": ("Số của lần đánh giá lại", "number of the replay"),
    "COLUMN audit.replays.seen_at": ("Chỉ tính những gì đã thấy đến lúc này", "only what was seen by then counts"),
    "COLUMN audit.replays.judged_at": ("Thời điểm đánh giá", "when it was judged"),
    "COLUMN audit.replays.person": ("Người yêu cầu", "who asked for it"),
    "COLUMN audit.replays.last_batch_id": ("Mắt xích cuối cùng được tính", "the last link of the chain that counts"),
    "COLUMN audit.replays.dossiers": ("Số hồ sơ đã đánh giá", "dossiers that were judged"),
    "COLUMN audit.replays.engine_version": ("Phiên bản bộ máy đánh giá", "version of the engine"),
    "COLUMN audit.replays.ruleset_fingerprint": ("Mã nhận dạng bộ quy tắc", "fingerprint of the rules"),
    "COLUMN audit.replays.rule_version_ids": ("Các phiên bản quy tắc đã áp dụng", "versions of the rules applied"),
    "COLUMN audit.replays.calendar_version_id": ("Phiên bản lịch làm việc", "version of the calendar"),
    "COLUMN audit.replays.limit_version_id": ("Phiên bản thời hạn giải quyết", "version of the time limits"),
    "COLUMN audit.replays.recorded_at": (
        "Lúc ghi, theo đồng hồ máy chủ cơ sở dữ liệu",
        "when it was recorded, by the clock of the database server",
    ),
    "VIEW audit.replayed_flags": (
        "Kết luận của các lần đánh giá lại; dùng audit.flags_as_of",
        "Findings of replays; use audit.flags_as_of",
    ),
    "COLUMN audit.replayed_flags.replay_id": ("Số của lần đánh giá lại", "number of the replay"),
    "COLUMN audit.replayed_flags.dossier_id": ("Số nội bộ của hồ sơ", "our number of the dossier"),
    "COLUMN audit.replayed_flags.rule_version_id": ("Phiên bản quy tắc", "version of the rule"),
    "COLUMN audit.replayed_flags.starts_at": ("Bắt đầu của khoảng", "beginning of the interval"),
    "COLUMN audit.replayed_flags.ends_at": ("Kết thúc của khoảng", "end of the interval"),
    "COLUMN audit.replayed_flags.observation_id": ("Lần ghi nhận làm căn cứ", "the observation it rests on"),
    "COLUMN audit.replayed_flags.unit_code": ("Đơn vị khi đó", "the unit as it was"),
    "COLUMN audit.replayed_flags.procedure_code": ("Mã thủ tục", "code of the procedure"),
    "COLUMN audit.replayed_flags.evidence": ("Căn cứ", "evidence"),
    "FUNCTION audit.dossiers_as_of": (
        "Tình trạng mỗi hồ sơ như đã biết tại một thời điểm, mỗi hồ sơ một dòng; sửa đổi về sau không làm thay đổi",
        "Each dossier as it was known at an instant; later corrections change nothing",
    ),
    "FUNCTION audit.replay_for": (
        "Lần đánh giá lại dùng cho flags_as_of; 0 là dùng kết luận đã có khi đó; báo lỗi nếu chưa đánh giá lại",
        "The replay that flags_as_of reads; 0: what was believed; an error when nothing was judged again",
    ),
    "FUNCTION audit.flags_as_of": (
        "Kết luận về những gì đã biết tại seen_at, đánh giá tại judged_at; cùng một thời điểm là điều đã tin khi đó",
        "Findings on what was known at seen_at, judged at judged_at; the same instant twice: what was believed then",
    ),
}


def upgrade() -> None:
    for script in (TABLES, VIEWS, DOSSIERS, FLAGS):
        op.execute(script)
    for what, (vietnamese, english) in COMMENTS.items():
        op.execute(f"COMMENT ON {what} IS '{vietnamese} | {english}'".replace(":", "\\:"))


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
