"""What the metrics are read from: totals that never fall, and what stands of open dossiers.

A snapshot of a few thousand open dossiers must not cost more because a million have ended. So the index of open dossiers
holds what is counted of them, and findings of open dossiers are kept beside the flags, in a table of their own.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TOTALS = """
CREATE TABLE tthc.metric_totals (
    metric text NOT NULL,
    labels text[] NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (metric, labels)
);
COMMENT ON TABLE tthc.metric_totals IS
    'counters of the metrics, added to in the transaction that is counted; labels in the order of the metric''s';
CREATE TABLE tthc.procedure_totals (
    unit_code text NOT NULL,
    procedure_code text NOT NULL,
    finished bigint NOT NULL DEFAULT 0,
    finished_late bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (unit_code, procedure_code)
);
COMMENT ON TABLE tthc.procedure_totals IS 'the same by unit and procedure; an empty code is none';
"""

OPEN = """
CREATE TABLE tthc.open_findings (
    dossier_id bigint NOT NULL,
    rule_version_id int NOT NULL,
    flag_id bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    due_at timestamptz
);
COMMENT ON TABLE tthc.open_findings IS
    'the flags that stand of dossiers that were open when they were judged; of one that ended since, some may be left';
COMMENT ON COLUMN tthc.open_findings.due_at IS 'of a rule that gives the verdict: since when the dossier is late';
CREATE INDEX open_findings_of ON tthc.open_findings (dossier_id);
INSERT INTO tthc.open_findings
SELECT f.dossier_id, f.rule_version_id, f.flag_id, f.starts_at, f.ends_at,
       CASE WHEN r.verdict IS NOT NULL THEN (f.evidence ->> 'due_at')::timestamptz END
FROM tthc.flags f JOIN tthc.dossiers d USING (dossier_id) JOIN tthc.rule_versions r USING (rule_version_id)
WHERE f.believed_to IS NULL AND (d.end_seen_at IS NULL OR coalesce(d.finished_at, d.delivered_at) > d.end_seen_at);

DROP INDEX tthc.dossiers_open;
CREATE INDEX dossiers_open ON tthc.dossiers (source_id) INCLUDE (
    dossier_id, kind, unit_code, procedure_code, received_at, status, obligation_requested_at, obligation_completed_at,
    consulted_at, consulted_answered_at
) WHERE end_seen_at IS NULL;
CREATE INDEX dossiers_ending_later ON tthc.dossiers (coalesce(finished_at, delivered_at))
    WHERE coalesce(finished_at, delivered_at) > end_seen_at;
"""

SNAPSHOT = """
DROP TABLE tthc.metric_snapshot;
CREATE TABLE tthc.metric_snapshot (
    metric text PRIMARY KEY,
    label_1 text[] NOT NULL,
    label_2 text[],
    label_3 text[],
    figures double precision[] NOT NULL
);
COMMENT ON TABLE tthc.metric_snapshot IS
    'figures about dossiers at one instant: of each metric the values of its labels, in order, and its figures; an empty code is none';
ALTER TABLE tthc.metric_snapshot ALTER label_1 SET STORAGE EXTERNAL, ALTER label_2 SET STORAGE EXTERNAL,
    ALTER label_3 SET STORAGE EXTERNAL, ALTER figures SET STORAGE EXTERNAL;
ALTER TABLE tthc.metric_snapshot_taken ADD COLUMN snapshot_id bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN tthc.metric_snapshot_taken.snapshot_id IS 'another one for every snapshot';

CREATE INDEX job_runs_ok ON tthc.job_runs (job, finished_at) WHERE outcome = 'ok';
CREATE INDEX pull_runs_ok ON tthc.pull_runs (source_id, run_id) WHERE outcome = 'ok';
CREATE INDEX pull_runs_full ON tthc.pull_runs (source_id, run_id) WHERE outcome = 'ok' AND was_full;
"""

# Dossiers of a batch that waits are counted when it is judged. Verdicts are those that stand.
HELD = """
WITH ended AS MATERIALIZED (
    SELECT d.dossier_id, coalesce(d.unit_code, '') AS unit_code, coalesce(d.procedure_code, '') AS procedure_code,
           s.name AS source, d.source_verdict, d.received_at IS NOT NULL AS received
    FROM tthc.dossiers d JOIN tthc.sources s USING (source_id)
    WHERE d.kind = 'dossier' AND d.end_seen_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM tthc.pending_evaluations p JOIN tthc.observation_batches b USING (batch_id)
        WHERE b.source_id = d.source_id AND b.seen_at = d.end_seen_at)
), found AS (
    SELECT f.dossier_id, bool_or(r.verdict = 'late') AS late, bool_or(r.verdict = 'cannot_tell') AS cannot_tell,
           bool_or(r.rule_code = 'returned') AS returned
    FROM tthc.flags f JOIN tthc.rule_versions r USING (rule_version_id)
    WHERE f.believed_to IS NULL AND (r.verdict IN ('late', 'cannot_tell') OR r.rule_code = 'returned')
    GROUP BY 1
), judged AS MATERIALIZED (
    SELECT e.*, received AND coalesce(f.late, false) AS late,
           received AND coalesce(f.cannot_tell AND f.late IS NOT TRUE, false) AS cannot_tell,
           coalesce(f.returned, false) AS returned
    FROM ended e LEFT JOIN found f USING (dossier_id)
), procedures AS (
    INSERT INTO tthc.procedure_totals
    SELECT unit_code, procedure_code, count(*) FILTER (WHERE received), count(*) FILTER (WHERE late),
           count(*) FILTER (WHERE returned)
    FROM judged WHERE received OR returned GROUP BY 1, 2
)
INSERT INTO tthc.metric_totals
SELECT m.metric, ARRAY[u.unit_code], m.value FROM (
    SELECT unit_code, count(*) FILTER (WHERE received) AS finished, count(*) FILTER (WHERE late) AS late,
           count(*) FILTER (WHERE cannot_tell) AS cannot_tell, count(*) FILTER (WHERE returned) AS returned
    FROM judged GROUP BY 1
) u CROSS JOIN LATERAL (VALUES
    ('tthc_dossiers_finished_total', u.finished), ('tthc_dossiers_finished_late_total', u.late),
    ('tthc_dossiers_finished_cannot_tell_total', u.cannot_tell), ('tthc_dossiers_returned_total', u.returned)
) m (metric, value) WHERE m.value > 0
UNION ALL
SELECT 'tthc_source_verdict_mismatches_total', ARRAY[source], count(*) FROM judged
WHERE received AND NOT cannot_tell AND source_verdict = CASE WHEN late THEN 'on_time' ELSE 'late' END GROUP BY source
UNION ALL
SELECT 'tthc_source_runs_total', ARRAY[s.name, r.outcome], count(*)
FROM tthc.pull_runs r JOIN tthc.sources s USING (source_id) WHERE r.outcome IN ('ok', 'failed') GROUP BY 1, 2
UNION ALL
SELECT 'tthc_source_rows_rejected_total', ARRAY[s.name], sum(r.rows_rejected)
FROM tthc.pull_runs r JOIN tthc.sources s USING (source_id) WHERE r.outcome <> 'running' GROUP BY 1, 2
UNION ALL
SELECT 'tthc_job_runs_total', ARRAY[job, outcome], count(*)
FROM tthc.job_runs WHERE finished_at IS NOT NULL GROUP BY 1, 2
"""


def upgrade() -> None:
    for script in (TOTALS, OPEN, SNAPSHOT, HELD):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("what was counted would be lost: restore a backup to go back")
