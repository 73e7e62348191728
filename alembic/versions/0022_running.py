"""Runs of jobs by several processes, and the checks of the ledger."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

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
"""


def upgrade() -> None:
    op.execute(LEDGER)


def downgrade() -> None:
    pass
