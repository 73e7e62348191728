"""Beliefs are added and closed, never moved; and what runs with the owner's rights looks at nobody's temporary objects.

PostgreSQL looks for types and tables in the temporary schema first wherever a search path does not say otherwise, so a
temporary type of the caller's could have run in a function of the owner's. The service may still write flags: that an
evaluation found them cannot be proved here. What it writes, it writes at a time that the server knows.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SEARCH_PATHS = """
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'tthc'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', function);
    END LOOP;
END $$;
"""

# Of the owner, who brings a ledger back or mends one, nothing is asked: verification tells what he did.
FLAGS = """
CREATE FUNCTION tthc.keep_beliefs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_has_role(current_user, 'tthc_migrator', 'USAGE') THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT FROM added n LEFT JOIN tthc.evaluations e USING (evaluation_id)
                   WHERE n.believed_to IS NOT NULL OR e.evaluation_id IS NULL OR e.finished_at IS NOT NULL
                      OR n.believed_from < e.started_at - interval '1 hour') THEN
            RAISE EXCEPTION 'flags are opened by an evaluation under way' USING HINT = 'Run: tthc-monitor evaluate';
        END IF;
    ELSIF EXISTS (SELECT FROM held h JOIN added n USING (dossier_id, flag_id)
                  WHERE n.believed_to IS DISTINCT FROM h.believed_to
                    AND (h.believed_to IS NOT NULL OR n.believed_to IS NULL OR n.believed_to < h.believed_from)) THEN
        RAISE EXCEPTION 'a belief is closed once, and not before it began' USING HINT = 'Run: tthc-monitor evaluate';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER opened AFTER INSERT ON tthc.flags REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.keep_beliefs();
CREATE TRIGGER closed AFTER UPDATE ON tthc.flags REFERENCING OLD TABLE AS held NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.keep_beliefs();

CREATE FUNCTION tthc.finish_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL AND NOT pg_has_role(current_user, 'tthc_migrator', 'USAGE') THEN
        RAISE EXCEPTION 'evaluation % has ended: what it did stands', OLD.evaluation_id USING HINT = 'Run: tthc-monitor evaluate';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER finish_once BEFORE UPDATE ON tthc.evaluations FOR EACH ROW EXECUTE FUNCTION tthc.finish_once();
REVOKE ALL ON FUNCTION tthc.keep_beliefs, tthc.finish_once FROM PUBLIC;

ALTER TABLE tthc.evaluations ADD COLUMN recorded_at timestamptz;
ALTER TABLE tthc.evaluations ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN tthc.evaluations.recorded_at IS
    'when it began by the clock of the database server, which the service cannot give; null: nobody kept it';
CREATE OR REPLACE VIEW audit.evaluations AS
SELECT evaluation_id, started_at, finished_at, person, reason, dossiers_judged, flags_opened, flags_closed,
       engine_version, ruleset_fingerprint, rule_version_ids, calendar_version_id, limit_version_id, recorded_at
FROM tthc.evaluations;
COMMENT ON COLUMN audit.evaluations.recorded_at IS
    'Lúc bắt đầu theo đồng hồ máy chủ cơ sở dữ liệu | When it began, by the clock of the database server';
"""

SCRIPTS: tuple[str, ...] = (FLAGS, SEARCH_PATHS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
