"""Look-ups for groups are made by the first evaluation that has rules about groups, no longer kept from the first load on.

An installation without such rules never has them, and a first load is not slowed by them. A store that holds dossiers
keeps them: the version before this one may still run beside it.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LOOKUPS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM tthc.dossiers) THEN
        CREATE INDEX dossiers_of_unit ON tthc.dossiers (unit_code, (coalesce(finished_at, delivered_at)));
        DROP INDEX tthc.dossiers_closing;
    ELSE
        DROP INDEX tthc.dossiers_closing, tthc.dossiers_filing, tthc.dossiers_number;
    END IF;
END $$;
"""

SCRIPTS: tuple[str, ...] = (LOOKUPS,)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
