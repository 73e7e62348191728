"""What the metrics are read from: totals that never fall, and a snapshot of what is open."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE tthc.metric_totals (metric text NOT NULL, labels text[] NOT NULL, value double precision NOT NULL, "
        "PRIMARY KEY (metric, labels))"
    )


def downgrade() -> None:
    op.execute("DROP TABLE tthc.metric_totals")
