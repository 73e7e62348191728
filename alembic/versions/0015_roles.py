"""What the least rights need: who asks, whose rows a unit's auditor sees, and what the service did as the owner so far.

Roles, owners, grants and policies themselves are settled by ``tthc_monitor.store.roles`` at the end of every upgrade, from
one table of rights; a migration after this one needs no GRANT.
"""

from sqlalchemy import text

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UNITS = """
CREATE TABLE tthc.auditor_units (
    role_name text NOT NULL,
    unit_code text NOT NULL,
    PRIMARY KEY (role_name, unit_code)
);
COMMENT ON TABLE tthc.auditor_units IS 'which units a unit auditor''s login sees, with everything below them';

-- A unit lies below the one that it answers to today; one that has ended, below the last it answered to.
CREATE VIEW tthc.visible_units AS
WITH RECURSIVE parent AS (
    SELECT DISTINCT ON (v.unit_code) v.unit_code, v.parent_code FROM tthc.unit_versions v
    WHERE v.known_to IS NULL
      AND coalesce(v.valid_from, '-infinity') <= (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
    ORDER BY v.unit_code, v.valid_from DESC NULLS LAST
), below (unit_code) AS (
    SELECT a.unit_code FROM tthc.auditor_units a WHERE a.role_name = current_user
    UNION
    SELECT p.unit_code FROM parent p JOIN below b ON p.parent_code = b.unit_code
)
SELECT unit_code FROM below;
COMMENT ON VIEW tthc.visible_units IS 'units of the unit auditor who asks, and all below them; none for others';
"""

# In a view, and in a policy reached through one, current_user is who asks, and not the owner. Null means no: the planner
# takes "IS NOT NULL" of what it does not know for nearly always true, and so plans for those who see everything.
ASKING = """
CREATE VIEW tthc.asking AS
SELECT CASE WHEN pg_has_role(current_user, 'tthc_auditor', 'USAGE') OR pg_has_role(current_user, 'tthc_service', 'USAGE')
              OR pg_has_role(current_user, 'tthc_migrator', 'USAGE') THEN true END AS sees_all,
       ARRAY(SELECT u.unit_code FROM tthc.visible_units u) AS unit_codes,
       (SELECT range_agg(int8range(d.dossier_id, d.dossier_id, '[]')) FROM tthc.dossiers d
        WHERE NOT (pg_has_role(current_user, 'tthc_auditor', 'USAGE') OR pg_has_role(current_user, 'tthc_service', 'USAGE')
                   OR pg_has_role(current_user, 'tthc_migrator', 'USAGE'))
          AND (d.unit_code = ANY (ARRAY(SELECT u.unit_code FROM tthc.visible_units u))
               OR d.receiving_unit_code = ANY (ARRAY(SELECT u.unit_code FROM tthc.visible_units u)))) AS dossiers;
COMMENT ON VIEW tthc.asking IS
    'what the asking role may see: everything (else null), or the rows of some units and of their dossiers';
CREATE VIEW audit.asking AS
SELECT coalesce(a.sees_all, false) AS sees_all, a.unit_codes FROM tthc.asking a;
COMMENT ON VIEW audit.asking IS
    'Người đang truy vấn được xem những gì: tất cả, hay chỉ hồ sơ của một số đơn vị | '
    'What the asking role may see: everything, or the dossiers of some units only';
COMMENT ON COLUMN audit.asking.sees_all IS 'Được xem toàn bộ | Sees everything';
COMMENT ON COLUMN audit.asking.unit_codes IS
    'Mã các đơn vị được xem, gồm cả đơn vị trực thuộc; trống khi xem toàn bộ | '
    'Codes of the units seen, those below included; empty for who sees everything';
"""

# These need the owner's rights. What they are given is compared with names in the code, never run.
OF_THE_OWNER = """
CREATE FUNCTION tthc.renew_statistics(of_table text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE of_table
    WHEN 'dossiers' THEN
        ANALYZE tthc.dossiers;
    END CASE;
END $$;
COMMENT ON FUNCTION tthc.renew_statistics IS 'renews what the planner knows of a table that has just grown';

CREATE FUNCTION tthc.lock_for_import(into_table text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE into_table
    WHEN 'time_limits' THEN LOCK TABLE tthc.time_limits IN SHARE ROW EXCLUSIVE MODE;
    WHEN 'procedure_catalogue' THEN LOCK TABLE tthc.procedure_catalogue IN SHARE ROW EXCLUSIVE MODE;
    WHEN 'unit_versions' THEN LOCK TABLE tthc.unit_versions IN SHARE ROW EXCLUSIVE MODE;
    END CASE;
END $$;
COMMENT ON FUNCTION tthc.lock_for_import IS
    'lets no other import begin before the transaction ends; who may only close versions cannot lock their table';
REVOKE ALL ON FUNCTION tthc.renew_statistics, tthc.lock_for_import FROM PUBLIC;
"""

# A dossier that a unit received is seen by it, and resolved by another: of that one it would count a part only.
_OWN = (
    "((SELECT a.sees_all FROM audit.asking a) OR c.unit_code = ANY ((SELECT a.unit_codes FROM audit.asking a)::text[]))"
)
COUNTED_BY_UNIT = {
    "audit.figures": ("FROM counted c GROUP BY", f"FROM counted c WHERE {_OWN} GROUP BY"),
    "audit.petition_shares": ("FROM counted c\n$", f"FROM counted c WHERE {_OWN}\n$"),
    "audit.progress_766": ("    WHERE audit.known_system(", f"    WHERE {_OWN} AND audit.known_system("),
}
"""Functions that count by unit: how the end of each reads, and how it does with the figures of other units left out."""

SCRIPTS: tuple[str, ...] = (UNITS, ASKING, OF_THE_OWNER)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)
    connection = op.get_bind()
    for function, (end, bounded) in COUNTED_BY_UNIT.items():
        definition: str = connection.scalar(
            text("SELECT pg_get_functiondef(CAST(:function AS regproc))"), {"function": function}
        )
        if definition.count(end) != 1:
            raise RuntimeError(f"{function} does not end as expected; bound it to the units of who asks by hand")
        connection.exec_driver_sql(definition.replace(end, bounded))


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
