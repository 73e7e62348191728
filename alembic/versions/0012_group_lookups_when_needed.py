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

# Only the owner of a table may index it, and the role of the service need not be that one: so this runs as its owner, and
# only for roles that may write flags and were granted it.
MAKE = """
CREATE FUNCTION tthc.make_group_lookup(of_groups text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT has_table_privilege(session_user, 'tthc.flags', 'INSERT') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for role ' || session_user;
    END IF;
    CASE of_groups
    WHEN 'closing_day' THEN
        CREATE INDEX IF NOT EXISTS dossiers_of_unit ON tthc.dossiers (unit_code, (coalesce(finished_at, delivered_at)));
    WHEN 'filing' THEN
        CREATE INDEX IF NOT EXISTS dossiers_filing ON tthc.dossiers (applicant_hash, procedure_code)
            WHERE applicant_hash IS NOT NULL;
    WHEN 'number_day' THEN
        CREATE INDEX IF NOT EXISTS dossiers_number ON tthc.dossiers ((rtrim(code, '0123456789'))) WHERE code IS NOT NULL;
    END CASE;
END $$;
REVOKE ALL ON FUNCTION tthc.make_group_lookup FROM PUBLIC;
COMMENT ON FUNCTION tthc.make_group_lookup IS 'makes the index that finds the dossiers that rules judge as one group';
"""

SCRIPTS: tuple[str, ...] = (LOOKUPS, MAKE)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
