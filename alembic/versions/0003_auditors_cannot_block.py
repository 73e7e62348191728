"""Auditors cannot stand in the way: no advisory locks and no large objects for everybody.

The service takes advisory locks whose numbers pg_locks shows to every login; who holds one of them stops pulls and
judgements for as long as it likes. PostgreSQL lets everybody call these functions, and they belong to the superuser who
made the cluster. The embedded server's owner is that superuser. On a server of somebody else the owner of our database
usually is not: then nothing changes here, and its administrator may run the same statements in our database.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FUNCTIONS_OF_THE_OWNER = """
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND (p.proname ~ '^pg_(try_)?advisory'
               OR p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_put'))
          -- For others REVOKE is a warning each in the server's log, and no more.
          AND pg_has_role(current_user, p.proowner, 'USAGE')
    LOOP
        BEGIN
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO CURRENT_USER', function);
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(FUNCTIONS_OF_THE_OWNER)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
