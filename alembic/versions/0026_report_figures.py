"""To be written."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

SCRIPTS: tuple[str, ...] = ()


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
