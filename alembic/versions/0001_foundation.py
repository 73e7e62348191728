"""Foundation: ledger, projection, flags, runs, and the auditors' schema.

Table by table the reason stands in its comment. Foreign keys are left out of ``observations``, ``dossiers`` and
``flags`` on purpose: they would fire once per row on the bulk path, and the rows are written by one statement each.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OBSERVED = """
    source_key text NOT NULL,
    code text,
    kind text NOT NULL,
    procedure_code text,
    sector_code text,
    unit_code text,
    receiving_unit_code text,
    channel text,
    status smallint,
    source_status text,
    step_code text,
    step_name text,
    submitted_at timestamptz,
    received_at timestamptz,
    competent_received_at timestamptz,
    due_original timestamptz,
    due_current timestamptz,
    finished_at timestamptz,
    delivered_at timestamptz,
    supplement_requested_at timestamptz,
    supplement_completed_at timestamptz,
    supplement_count smallint,
    source_verdict text,
    applicant_hash text
"""

TABLES = f"""
CREATE TABLE tthc.sources (
    source_id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    cursor jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN tthc.sources.cursor IS 'what the connector remembers; moved only in the transaction that keeps its records';

CREATE TABLE tthc.units (unit_code text PRIMARY KEY, name text, first_seen_at timestamptz NOT NULL);
CREATE TABLE tthc.sectors (sector_code text PRIMARY KEY, name text, first_seen_at timestamptz NOT NULL);
CREATE TABLE tthc.procedures (
    procedure_code text PRIMARY KEY, name text, sector_code text, first_seen_at timestamptz NOT NULL
);

CREATE TABLE tthc.pull_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id smallint NOT NULL REFERENCES tthc.sources,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'ok', 'failed')),
    rows_read bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    rows_repeated bigint NOT NULL DEFAULT 0,
    rows_unmapped_status bigint NOT NULL DEFAULT 0,
    dossiers_new bigint NOT NULL DEFAULT 0,
    dossiers_changed bigint NOT NULL DEFAULT 0,
    error text
);
CREATE INDEX pull_runs_source ON tthc.pull_runs (source_id, run_id DESC);

CREATE TABLE tthc.rejects (
    reject_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES tthc.pull_runs,
    location text NOT NULL,
    row_number bigint,
    column_name text,
    reason text NOT NULL,
    value text
);
CREATE INDEX rejects_run ON tthc.rejects (run_id);

CREATE TABLE tthc.observation_batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES tthc.pull_runs,
    source_id smallint NOT NULL REFERENCES tthc.sources,
    seen_at timestamptz NOT NULL,
    first_observation_id bigint NOT NULL,
    last_observation_id bigint NOT NULL,
    row_count bigint NOT NULL,
    rows_hash bytea NOT NULL,
    previous_hash bytea NOT NULL,
    chain_hash bytea NOT NULL UNIQUE
);
COMMENT ON TABLE tthc.observation_batches IS
    'one link of the hash chain per committed batch: chain_hash covers previous_hash, what the batch is, and the hashes of its rows in order';

CREATE SEQUENCE tthc.observation_ids;
CREATE SEQUENCE tthc.dossier_ids;
CREATE TABLE tthc.observations (
    observation_id bigint NOT NULL,
    dossier_id bigint NOT NULL,
    source_id smallint NOT NULL,
    seen_at timestamptz NOT NULL,
    {OBSERVED},
    content_hash bytea NOT NULL,
    PRIMARY KEY (dossier_id, observation_id)
);
CREATE INDEX observations_by_id ON tthc.observations USING brin (observation_id) WITH (pages_per_range = 32);

CREATE TABLE tthc.dossiers (
    dossier_id bigint PRIMARY KEY,
    source_id smallint NOT NULL,
    observation_id bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    status_seen_at timestamptz NOT NULL,
    end_seen_at timestamptz,
    due_first timestamptz,
    supplement_seen_at timestamptz,
    supplement_left_at timestamptz,
    {OBSERVED},
    content_hash bytea NOT NULL,
    UNIQUE (source_id, source_key)
);
COMMENT ON TABLE tthc.dossiers IS 'projection: the latest observation of each dossier, with what only history tells';
COMMENT ON COLUMN tthc.dossiers.status_seen_at IS 'when we first saw the present status';
COMMENT ON COLUMN tthc.dossiers.end_seen_at IS 'when we first saw the dossier ended (null while open)';
COMMENT ON COLUMN tthc.dossiers.supplement_seen_at IS 'when we first saw the latest spell of status 5 (supplement requested)';
COMMENT ON COLUMN tthc.dossiers.supplement_left_at IS 'when we first saw that spell over';
COMMENT ON COLUMN tthc.dossiers.due_first IS 'first promise: as the source gives it, else the first one we saw';

CREATE TABLE tthc.pending_evaluations (batch_id bigint PRIMARY KEY REFERENCES tthc.observation_batches);
COMMENT ON TABLE tthc.pending_evaluations IS 'batches whose dossiers have not been judged yet; one row a batch, not a row a dossier';

CREATE TABLE tthc.calendar_versions (
    calendar_version_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    fingerprint text NOT NULL UNIQUE,
    definition jsonb NOT NULL,
    known_from timestamptz NOT NULL
);
CREATE TABLE tthc.rule_versions (
    rule_version_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_code text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    severity text NOT NULL,
    verdict text,
    legal_basis text NOT NULL,
    fingerprint text NOT NULL UNIQUE,
    definition jsonb NOT NULL,
    known_from timestamptz NOT NULL
);

CREATE TABLE tthc.evaluations (
    evaluation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    reason text NOT NULL,
    engine_version text NOT NULL,
    ruleset_fingerprint text NOT NULL,
    calendar_version_id int NOT NULL REFERENCES tthc.calendar_versions,
    dossiers_judged bigint NOT NULL DEFAULT 0,
    flags_opened bigint NOT NULL DEFAULT 0,
    flags_closed bigint NOT NULL DEFAULT 0
);

CREATE SEQUENCE tthc.flag_ids;
CREATE TABLE tthc.flags (
    flag_id bigint NOT NULL DEFAULT nextval('tthc.flag_ids'),
    dossier_id bigint NOT NULL,
    rule_version_id int NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    observation_id bigint NOT NULL,
    evaluation_id bigint NOT NULL,
    unit_code text,
    procedure_code text,
    evidence jsonb NOT NULL,
    believed_from timestamptz NOT NULL,
    believed_to timestamptz,
    CHECK (starts_at < ends_at)
);
COMMENT ON TABLE tthc.flags IS
    'a finding is an interval [starts_at, ends_at); judged again, a row is not changed but its belief closes and a new row opens';
CREATE INDEX flags_of_dossier ON tthc.flags (dossier_id) WHERE believed_to IS NULL;
CREATE INDEX flags_in_force ON tthc.flags (rule_version_id, ends_at, starts_at) WHERE believed_to IS NULL;

CREATE TABLE tthc.metric_snapshot (
    metric text NOT NULL,
    unit_code text NOT NULL,
    procedure_code text NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (metric, unit_code, procedure_code)
);
CREATE TABLE tthc.metric_snapshot_taken (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    taken_at timestamptz NOT NULL,
    duration_seconds double precision NOT NULL
);

CREATE TABLE tthc.job_runs (
    job text NOT NULL,
    scheduled_for timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('ok', 'failed')),
    detail text,
    PRIMARY KEY (job, scheduled_for)
);
COMMENT ON TABLE tthc.job_runs IS 'each slot of a job is claimed once: the primary key lets one process through';

CREATE TABLE tthc.deliveries (
    recipient text NOT NULL,
    kind text NOT NULL,
    local_date date NOT NULL,
    claimed_at timestamptz NOT NULL,
    sent_at timestamptz,
    message_id text,
    error text,
    PRIMARY KEY (recipient, kind, local_date)
);
"""

APPEND_ONLY = """
CREATE FUNCTION tthc.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING HINT = 'Record a new observation instead.';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.observations
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.observation_batches
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tthc_auditor') THEN
        BEGIN
            CREATE ROLE tthc_auditor NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
END $$;
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'Khung nhìn chỉ đọc dành cho kiểm toán, thanh tra | Read-only views for auditors';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;
GRANT USAGE ON SCHEMA audit TO tthc_auditor;
"""


def upgrade() -> None:
    for script in (TABLES, APPEND_ONLY, ROLES):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
