"""The dated catalogue of time limits, and of procedures as catalogues list them.

Both are append-only: a version is never changed but closed once by ``known_to``, so that what was believed at any
instant can be told.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tthc.time_limits (
    limit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text NOT NULL CHECK (origin IN ('portal', 'office')),
    procedure_code text NOT NULL,
    channel text,
    unit_code text,
    amount double precision CHECK (amount > 0),
    unit text CHECK (unit IN ('working_day', 'calendar_day', 'working_hour', 'month', 'same_day')),
    extra_working_days double precision NOT NULL,
    abolished boolean NOT NULL,
    policy jsonb,
    legal_basis text NOT NULL,
    valid_from date,
    valid_to date,
    fingerprint text NOT NULL,
    source_text text,
    known_from timestamptz NOT NULL,
    known_to timestamptz,
    imported_by text NOT NULL,
    CHECK (valid_from < valid_to),
    CHECK (known_from <= known_to),
    CHECK (abolished = (unit IS NULL))
);
CREATE UNIQUE INDEX time_limits_held ON tthc.time_limits (origin, fingerprint) WHERE known_to IS NULL;
CREATE INDEX time_limits_of_procedure ON tthc.time_limits (procedure_code);
COMMENT ON COLUMN tthc.time_limits.origin IS 'portal: read from the national portal; office: the office''s own file, which prevails';
COMMENT ON COLUMN tthc.time_limits.valid_from IS 'first day of reception (or postmark) that it is for; null since ever';
COMMENT ON COLUMN tthc.time_limits.valid_to IS 'first day that it is no longer for';
COMMENT ON COLUMN tthc.time_limits.known_to IS 'when an import closed it; null while it is held';

CREATE TABLE tthc.procedure_catalogue (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    procedure_code text NOT NULL,
    name text NOT NULL,
    sector text,
    level text,
    agency text,
    authority text,
    issuer text,
    decision text,
    known_from timestamptz NOT NULL,
    known_to timestamptz,
    imported_by text NOT NULL,
    CHECK (known_from <= known_to)
);
CREATE UNIQUE INDEX procedure_catalogue_held ON tthc.procedure_catalogue (procedure_code) WHERE known_to IS NULL;
"""

APPEND_ONLY = """
CREATE FUNCTION tthc.only_close_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.known_to IS NULL AND NEW.known_to IS NOT NULL
       AND to_jsonb(NEW) - 'known_to' = to_jsonb(OLD) - 'known_to' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'change of a version in % is refused: versions are only closed', TG_TABLE_NAME
        USING HINT = 'Import the catalogue again; it closes the version and opens a new one.';
END $$;
CREATE TRIGGER only_close BEFORE UPDATE ON tthc.time_limits
    FOR EACH ROW EXECUTE FUNCTION tthc.only_close_version();
CREATE TRIGGER only_close BEFORE UPDATE ON tthc.procedure_catalogue
    FOR EACH ROW EXECUTE FUNCTION tthc.only_close_version();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tthc.time_limits
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tthc.procedure_catalogue
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

VIEWS = """
CREATE VIEW audit.time_limits AS
SELECT limit_id, origin, procedure_code, channel, unit_code, amount, unit, extra_working_days, abolished, policy,
       legal_basis, valid_from, valid_to, source_text, known_from, known_to, imported_by
FROM tthc.time_limits;
COMMENT ON VIEW audit.time_limits IS
    'Mọi phiên bản thời hạn giải quyết đã nhập; known_to trống là đang dùng; thời hạn của cơ quan (office) được ưu tiên '
    'so với Cổng (portal) | Every version of a time limit; known_to empty means in use; office prevails over portal';

CREATE VIEW audit.procedure_catalogue AS
SELECT entry_id, procedure_code, name, sector, level, agency, authority, issuer, decision, known_from, known_to, imported_by
FROM tthc.procedure_catalogue;
COMMENT ON VIEW audit.procedure_catalogue IS
    'Mọi phiên bản thông tin thủ tục trong danh mục đã nhập; known_to trống là đang dùng | '
    'Every version of a procedure in the imported catalogues; known_to empty means in use';
GRANT SELECT ON audit.time_limits, audit.procedure_catalogue TO tthc_auditor;
"""


def upgrade() -> None:
    for script in (TABLES, APPEND_ONLY, VIEWS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
