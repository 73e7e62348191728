"""The index that finds a dossier by its number is made once dossiers are there, no longer kept from the first load on.

Kept while a million dossiers come in, it took a tenth of all that a first load costs, twice what making it afterwards
takes. A store that holds dossiers keeps it as it is.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

LOOKUP = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM tthc.dossiers) THEN
        DROP INDEX IF EXISTS tthc.dossiers_code;
    END IF;
END $$;
CREATE FUNCTION tthc.make_number_lookup()
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CREATE INDEX IF NOT EXISTS dossiers_code ON tthc.dossiers (code);
END $$;
COMMENT ON FUNCTION tthc.make_number_lookup IS 'makes the index that finds a dossier by the number on its receipt';
REVOKE ALL ON FUNCTION tthc.make_number_lookup FROM PUBLIC;
"""

SCRIPTS: tuple[str, ...] = (LOOKUP,)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
