"""Grounds of every evaluation, who had everything judged again and why, and look-ups for groups.

An evaluation names the versions it judged by, so that the next one judges again only what a change of rules, calendar or
limits can touch.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

GROUNDS = """
CREATE TABLE tthc.limit_versions (
    limit_version_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,
    definition jsonb NOT NULL,
    known_from timestamptz NOT NULL
);
COMMENT ON TABLE tthc.limit_versions IS 'time limits, how they are counted and when clocks start, as one evaluation knew them';
ALTER TABLE tthc.evaluations
    ADD COLUMN limit_version_id int REFERENCES tthc.limit_versions,
    ADD COLUMN rule_version_ids int[],
    ADD COLUMN person text;
COMMENT ON COLUMN tthc.evaluations.person IS 'who ordered a recompute; null when the service judged by itself';

CREATE VIEW audit.evaluations AS
SELECT evaluation_id, started_at, finished_at, person, reason, dossiers_judged, flags_opened, flags_closed,
       engine_version, ruleset_fingerprint, rule_version_ids, calendar_version_id, limit_version_id
FROM tthc.evaluations;
COMMENT ON VIEW audit.evaluations IS
    'Mỗi lần đánh giá một dòng: ai yêu cầu, vì sao, theo phiên bản nào, bao nhiêu kết luận thay đổi | '
    'One row per evaluation: who asked for it, why, by which versions, how many findings changed';
CREATE VIEW audit.limit_versions AS
SELECT limit_version_id, fingerprint, definition, known_from FROM tthc.limit_versions;
COMMENT ON VIEW audit.limit_versions IS 'Các phiên bản thời hạn giải quyết đã dùng | Versions of time limits in use so far';
GRANT SELECT ON audit.evaluations, audit.limit_versions TO tthc_auditor;
"""

GROUPS = """
CREATE INDEX dossiers_closing ON tthc.dossiers (unit_code, (coalesce(finished_at, delivered_at)))
    WHERE coalesce(finished_at, delivered_at) IS NOT NULL;
CREATE INDEX dossiers_filing ON tthc.dossiers (applicant_hash, procedure_code) WHERE applicant_hash IS NOT NULL;
CREATE INDEX dossiers_number ON tthc.dossiers ((rtrim(code, '0123456789'))) WHERE code IS NOT NULL;
"""

SCRIPTS = (GROUNDS, GROUPS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
