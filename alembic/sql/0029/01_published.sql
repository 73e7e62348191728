CREATE TABLE tthc.published_imports (
    published_import_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    publisher text NOT NULL CHECK (publisher <> ''),
    counted_by text NOT NULL CHECK (counted_by IN ('national_766', 'ii06a')),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    zone text NOT NULL,
    month text NOT NULL,
    kind text NOT NULL,
    index_source text NOT NULL DEFAULT '',
    file text NOT NULL,
    file_hash bytea NOT NULL,
    row_count int NOT NULL CHECK (row_count > 0),
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL CHECK (imported_by <> ''),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (from_at < to_at)
);
COMMENT ON TABLE tthc.published_imports IS
    'figures that others published of a period, each import a version; the newest of a publisher and a period is in force';
CREATE TABLE tthc.published_figures (
    published_import_id int NOT NULL REFERENCES tthc.published_imports,
    place text NOT NULL,
    unit_code text NOT NULL CHECK (unit_code <> ''),
    unit_name text,
    parent_code text,
    sector_code text,
    total_received bigint CHECK (total_received >= 0),
    total_on_time bigint CHECK (total_on_time >= 0),
    total_overdue bigint CHECK (total_overdue >= 0),
    received_online bigint CHECK (received_online >= 0),
    received_direct bigint CHECK (received_direct >= 0),
    carried_over bigint CHECK (carried_over >= 0),
    finished_total bigint CHECK (finished_total >= 0),
    finished_early bigint CHECK (finished_early >= 0),
    finished_on_time bigint CHECK (finished_on_time >= 0),
    finished_late bigint CHECK (finished_late >= 0),
    pending_total bigint CHECK (pending_total >= 0),
    pending_in_time bigint CHECK (pending_in_time >= 0),
    pending_overdue bigint CHECK (pending_overdue >= 0),
    ratio_percent numeric CHECK (ratio_percent >= 0),
    score numeric CHECK (score >= 0),
    average_days numeric CHECK (average_days >= 0),
    UNIQUE NULLS NOT DISTINCT (published_import_id, unit_code, sector_code)
);
COMMENT ON TABLE tthc.published_figures IS
    'rows of an import as they were published; place tells where in the file; a unit counts those whose parent_code it is';
CREATE FUNCTION tthc.with_its_import() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added a JOIN tthc.published_imports i USING (published_import_id)
               WHERE i.recorded_at < transaction_timestamp()) THEN
        RAISE EXCEPTION 'an import is kept whole: nothing is added to it afterwards'
              USING HINT = 'Run: tthc-monitor published import';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION tthc.with_its_import FROM PUBLIC;
CREATE TRIGGER with_its_import AFTER INSERT ON tthc.published_figures REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.with_its_import();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.published_imports
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.published_figures
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE VIEW audit.published_imports AS
SELECT i.published_import_id, i.publisher, i.counted_by, i.from_at, i.to_at, i.zone, i.month, i.kind, i.index_source,
       row_number() OVER (PARTITION BY i.publisher, i.from_at, i.to_at, i.zone ORDER BY i.published_import_id) AS version,
       i.published_import_id = max(i.published_import_id)
           OVER (PARTITION BY i.publisher, i.from_at, i.to_at, i.zone) AS in_force,
       i.file, encode(i.file_hash, 'hex') AS file_hash, i.row_count, i.imported_at, i.imported_by, i.recorded_at
FROM tthc.published_imports i;
CREATE VIEW audit.published_figures AS
SELECT i.published_import_id, i.publisher, i.counted_by, i.from_at, i.to_at, i.zone, i.month, i.kind, i.index_source,
       i.version, i.in_force, f.place, f.unit_code, f.unit_name, f.parent_code, f.sector_code,
       f.total_received, f.total_on_time, f.total_overdue, f.received_online, f.received_direct, f.carried_over,
       f.finished_total, f.finished_early, f.finished_on_time, f.finished_late, f.pending_total, f.pending_in_time,
       f.pending_overdue, f.ratio_percent, f.score, f.average_days
FROM tthc.published_figures f JOIN audit.published_imports i USING (published_import_id);
