"""${message}

A migration must not break the version of the code before it: add first, remove one release later.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "op.execute('')"}


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
