"""Runs of jobs by several processes, and the checks of the ledger.

A lease is by the clock of the database server, whatever the clocks of the processes say. A mail that is being handed over
is marked before its text leaves, so that whoever comes after a process that died knows what nobody knows.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

RUNS = """
ALTER TABLE tthc.job_runs
    ADD COLUMN claimed_by text,
    ADD COLUMN attempt integer NOT NULL DEFAULT 1,
    ADD COLUMN by_hand boolean NOT NULL DEFAULT false;
-- Few are open, however long runs are remembered.
CREATE INDEX job_runs_open ON tthc.job_runs (job) WHERE finished_at IS NULL;
COMMENT ON COLUMN tthc.job_runs.claimed_by IS 'the process of the last attempt: host:pid:name; null: nobody kept it';
COMMENT ON COLUMN tthc.job_runs.attempt IS 'number of the last attempt; only it may record how the slot ended';
COMMENT ON COLUMN tthc.job_runs.by_hand IS 'a person asked for it, not the schedule';
COMMENT ON COLUMN tthc.job_runs.lease_until IS
    'until when the last attempt holds the slot, or when it may be tried again; by the clock of the database server';

ALTER TABLE tthc.pull_runs DROP CONSTRAINT pull_runs_outcome_check;
ALTER TABLE tthc.pull_runs ADD CONSTRAINT pull_runs_outcome_check
    CHECK (outcome IN ('running', 'ok', 'failed', 'stopped'));
"""

DELIVERIES = """
ALTER TABLE tthc.deliveries
    ADD COLUMN claim uuid,
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN handing_over_at timestamptz;
COMMENT ON COLUMN tthc.deliveries.claim IS 'the try that holds the row; only it may record what came of it';
COMMENT ON COLUMN tthc.deliveries.lease_until IS 'until when that try holds it, by the clock of the database server';
COMMENT ON COLUMN tthc.deliveries.handing_over_at IS
    'when the text of the mail began to be handed over; with neither sent_at nor error: nobody knows whether it was taken';
"""

LEDGER = """
CREATE TABLE tthc.ledger_checks (
    check_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    intact boolean NOT NULL,
    observations bigint NOT NULL,
    found text,
    seconds double precision NOT NULL,
    CHECK (intact = (found IS NULL))
);
COMMENT ON TABLE tthc.ledger_checks IS 'each recomputation of the whole ledger by the service, and whether it was as it should be';
CREATE VIEW audit.ledger_checks AS
SELECT check_id, checked_at, intact, observations, found, seconds FROM tthc.ledger_checks;
COMMENT ON VIEW audit.ledger_checks IS
    'Các lần hệ thống tự kiểm tra toàn bộ sổ cái | Checks of the whole ledger by the service';
COMMENT ON COLUMN audit.ledger_checks.check_id IS 'Số thứ tự lần kiểm tra | Number of the check';
COMMENT ON COLUMN audit.ledger_checks.checked_at IS 'Thời điểm bắt đầu kiểm tra | When the check began';
COMMENT ON COLUMN audit.ledger_checks.intact IS 'Sổ cái còn nguyên vẹn | Whether the ledger is as it was';
COMMENT ON COLUMN audit.ledger_checks.observations IS 'Số lần ghi nhận đã tính lại | Observations recomputed';
COMMENT ON COLUMN audit.ledger_checks.found IS
    'Chỗ sai đầu tiên; trống nếu nguyên vẹn | The first place that is wrong; null when intact';
COMMENT ON COLUMN audit.ledger_checks.seconds IS 'Thời gian kiểm tra, giây | How long it took, in seconds';
"""

SCRIPTS: tuple[str, ...] = (RUNS, DELIVERIES, LEDGER)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("what was recorded of runs and checks would be lost: restore a backup to go back")
