"""What a pull gave as a whole, which codes nobody mapped, and messages that were sent and wait to be pulled."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RUNS = """
ALTER TABLE tthc.pull_runs
    ADD COLUMN was_full boolean,
    ADD COLUMN rows_open bigint NOT NULL DEFAULT 0,
    ADD COLUMN rounds integer NOT NULL DEFAULT 0,
    ADD COLUMN note text,
    ADD COLUMN by_hand boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tthc.pull_runs.was_full IS 'gave everything the source has, not only what was new; null: nobody kept it';
COMMENT ON COLUMN tthc.pull_runs.rows_open IS 'dossiers told of that had not ended, each once';
COMMENT ON COLUMN tthc.pull_runs.rounds IS 'rounds that were kept, each whole; a failed run may have kept some';
COMMENT ON COLUMN tthc.pull_runs.note IS 'what a person should know of a run although it did not fail for it';
COMMENT ON COLUMN tthc.pull_runs.by_hand IS 'a person asked for it, not the schedule';
CREATE INDEX pull_runs_listing ON tthc.pull_runs (source_id, run_id DESC) WHERE asked_at IS NOT NULL;
COMMENT ON COLUMN tthc.missing.first_missed_at IS
    'as of when it was missed first; infinity: since what the source is asked for was changed, so that it tells nothing';
ALTER TABLE tthc.sources ADD COLUMN scope text;
COMMENT ON COLUMN tthc.sources.scope IS
    'fingerprint of what the source was asked for when it last listed all it has open; null: nobody kept it';
COMMENT ON COLUMN tthc.dossiers.asked_at IS
    'the state held is no older than that: when it was asked for, or the time of its file; null: nobody can tell';

CREATE OR REPLACE VIEW audit.pull_runs AS
SELECT r.run_id, s.name AS source, r.started_at, r.finished_at, r.outcome, r.rows_read, r.rows_rejected,
       r.rows_repeated, r.rows_unmapped_status, r.dossiers_new, r.dossiers_changed, r.error,
       r.was_full, r.asked_at AS listed_open_at, r.rows_open, r.rounds, r.note, r.by_hand
FROM tthc.pull_runs r JOIN tthc.sources s USING (source_id);
COMMENT ON COLUMN audit.pull_runs.was_full IS
    'Lần lấy toàn bộ dữ liệu, không chỉ phần thay đổi | Gave everything the source has, not only what was new';
COMMENT ON COLUMN audit.pull_runs.listed_open_at IS
    'Thời điểm mà nguồn liệt kê đủ mọi hồ sơ đang mở; trống nếu không | As of when every open dossier was listed; else null';
COMMENT ON COLUMN audit.pull_runs.by_hand IS 'Do người yêu cầu, không theo lịch | A person asked for it, not the schedule';
COMMENT ON COLUMN audit.pull_runs.note IS 'Điều cần biết dù lần lấy không lỗi | What to know although the pull did not fail';
"""

UNKNOWN = """
CREATE TABLE tthc.unknown_codes (
    run_id bigint NOT NULL REFERENCES tthc.pull_runs,
    field text NOT NULL,
    code text NOT NULL,
    row_count bigint NOT NULL,
    PRIMARY KEY (run_id, field, code)
);
COMMENT ON TABLE tthc.unknown_codes IS
    'codes of a source that no mapping knows, by pull; the latest of each code is kept, others with the latest pulls only';
CREATE VIEW audit.unknown_codes AS
SELECT u.run_id, s.name AS source, r.started_at, u.field, u.code, u.row_count
FROM tthc.unknown_codes u JOIN tthc.pull_runs r USING (run_id) JOIN tthc.sources s USING (source_id);
COMMENT ON VIEW audit.unknown_codes IS
    'Mã của nguồn chưa được ánh xạ, kèm số dòng | Codes of a source that nobody mapped, with their number of rows';
GRANT SELECT ON audit.unknown_codes TO tthc_auditor;
"""

INBOX = """
CREATE TABLE tthc.inbox (
    source text NOT NULL,
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    content json NOT NULL,
    PRIMARY KEY (source, number)
);
COMMENT ON TABLE tthc.inbox IS
    'messages that a source sent by itself, without personal data, until some days after a good pull that began when they were there';
"""

SCRIPTS: tuple[str, ...] = (RUNS, UNKNOWN, INBOX)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
