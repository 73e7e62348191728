CREATE TABLE tthc.issued_reports (
    issued_report_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    frozen_period_id int NOT NULL REFERENCES tthc.frozen_periods,
    unit_codes text[] NOT NULL,
    subtree boolean NOT NULL,
    units_as text NOT NULL CHECK (units_as IN ('then', 'now')),
    number text NOT NULL DEFAULT '',
    issued_at timestamptz NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    ledger_link bigint,
    ledger_head text,
    ruleset_fingerprint text,
    engine_version text,
    calendar_version_id int,
    limit_version_id int,
    units_hash text NOT NULL,
    template_hash text NOT NULL,
    settings_hash text NOT NULL,
    program_version text NOT NULL,
    previous_digest text NOT NULL,
    digest text NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (frozen_period_id, unit_codes, subtree, units_as)
);
COMMENT ON TABLE tthc.issued_reports IS
    'reports that were issued, with what they were made from; digest covers the row, its files and the issue before it';
CREATE TABLE tthc.issued_files (
    issued_report_id int NOT NULL REFERENCES tthc.issued_reports,
    name text NOT NULL CHECK (name <> ''),
    format text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    packed bytea NOT NULL,
    PRIMARY KEY (issued_report_id, name)
);
ALTER TABLE tthc.issued_files ALTER COLUMN packed SET STORAGE EXTERNAL;
COMMENT ON TABLE tthc.issued_files IS 'files of issued reports as they were given out, packed by zlib; size and sha256 are of the bytes unpacked';
CREATE FUNCTION tthc.with_its_issue() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added a JOIN tthc.issued_reports i USING (issued_report_id)
               WHERE i.recorded_at < transaction_timestamp()) THEN
        RAISE EXCEPTION 'an issued report is kept whole: no file is added to it afterwards'
              USING HINT = 'Run: tthc-monitor report erratum';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION tthc.with_its_issue FROM PUBLIC;
CREATE TRIGGER with_its_issue AFTER INSERT ON tthc.issued_files REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.with_its_issue();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.issued_reports
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.issued_files
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE VIEW audit.issued_reports AS
SELECT i.issued_report_id, p.from_at, p.to_at, p.zone, p.month, p.kind, i.unit_codes, i.subtree, i.units_as, i.number,
       i.issued_at, i.person, p.frozen_at, i.ledger_link, i.ledger_head, i.ruleset_fingerprint, i.engine_version,
       i.calendar_version_id, i.limit_version_id, i.units_hash, i.template_hash, i.settings_hash, i.program_version,
       i.previous_digest, i.digest, i.recorded_at
FROM tthc.issued_reports i JOIN tthc.frozen_periods p USING (frozen_period_id);
CREATE VIEW audit.issued_files AS
SELECT issued_report_id, name, format, size, sha256 FROM tthc.issued_files;
