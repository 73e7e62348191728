"""Compiled calendars in the database, and working seconds in SQL.

A compiled calendar is kept once, whatever versions it belongs to: when one commune closes for a flood, its calendar is
new and those of all others are not. Its segments run over the whole horizon (1990 to 2060), about 37,000 of them and
5 MB for hours in the morning and the afternoon.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tthc.compiled_calendars (
    compiled_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,
    answers_from timestamptz NOT NULL,
    answers_to timestamptz NOT NULL
);
COMMENT ON TABLE tthc.compiled_calendars IS 'one row per definition of hours and days; it answers for instants from answers_from to answers_to, both included';

-- No foreign key: the rows are written by one COPY, with the row that they belong to.
CREATE TABLE tthc.calendar_segments (
    compiled_id int NOT NULL,
    opens timestamptz NOT NULL,
    closes timestamptz NOT NULL CHECK (closes > opens),
    cumulative_seconds bigint NOT NULL,
    PRIMARY KEY (compiled_id, opens)
);
COMMENT ON COLUMN tthc.calendar_segments.cumulative_seconds IS 'working seconds from answers_from to the opening';

CREATE TABLE tthc.calendar_variants (
    calendar_version_id int NOT NULL REFERENCES tthc.calendar_versions,
    variant text NOT NULL,
    compiled_id int NOT NULL REFERENCES tthc.compiled_calendars,
    PRIMARY KEY (calendar_version_id, variant)
);
COMMENT ON COLUMN tthc.calendar_variants.variant IS 'name of the units that work otherwise; empty: the office at large';

CREATE TABLE tthc.calendar_units (
    calendar_version_id int NOT NULL,
    unit_code text NOT NULL,
    variant text NOT NULL,
    PRIMARY KEY (calendar_version_id, unit_code),
    FOREIGN KEY (calendar_version_id, variant) REFERENCES tthc.calendar_variants
);
"""

APPEND_ONLY = "".join(
    f"""
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""
    for table in ("compiled_calendars", "calendar_segments", "calendar_variants", "calendar_units")
)

VIEWS = """
CREATE VIEW audit.calendar_variants AS
SELECT v.calendar_version_id, v.variant, v.compiled_id, c.fingerprint, c.answers_from, c.answers_to
FROM tthc.calendar_variants v JOIN tthc.compiled_calendars c USING (compiled_id);
COMMENT ON VIEW audit.calendar_variants IS
    'Lịch của từng phiên bản: variant trống là lịch chung, còn lại là lịch riêng của một số đơn vị | '
    'Calendars of each version: variant empty is the office at large, others are of single units';

CREATE VIEW audit.calendar_units AS SELECT calendar_version_id, unit_code, variant FROM tthc.calendar_units;
COMMENT ON VIEW audit.calendar_units IS
    'Đơn vị có lịch riêng trong từng phiên bản lịch | Units with a calendar of their own, by calendar version';

CREATE VIEW audit.calendar_segments AS
SELECT compiled_id, opens, closes, cumulative_seconds FROM tthc.calendar_segments;
COMMENT ON VIEW audit.calendar_segments IS
    'Từng khoảng giờ làm việc; cumulative_seconds là số giây làm việc tính đến lúc mở cửa | '
    'Each span of working time; cumulative_seconds is the working time until it opens';
"""

# Each look-up reads one row by the primary key; the last segment that opened tells how much was worked until then.
FUNCTIONS = """
CREATE FUNCTION audit.working_seconds(calendar int, from_at timestamptz, to_at timestamptz, unit_code text)
RETURNS numeric LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    compiled record;
    outside timestamptz;
    until_from numeric;
    until_to numeric;
BEGIN
    IF calendar IS NULL OR from_at IS NULL OR to_at IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT v.compiled_id, v.answers_from, v.answers_to INTO compiled FROM audit.calendar_variants v
    WHERE v.calendar_version_id = calendar AND v.variant = coalesce(
        (SELECT u.variant FROM audit.calendar_units u
         WHERE u.calendar_version_id = calendar AND u.unit_code = working_seconds.unit_code), '');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'calendar version % has no segments', calendar
            USING ERRCODE = 'no_data_found', HINT = 'Choose a calendar_version_id of audit.calendar_variants.';
    END IF;
    outside := CASE WHEN from_at NOT BETWEEN compiled.answers_from AND compiled.answers_to THEN from_at
                    WHEN to_at NOT BETWEEN compiled.answers_from AND compiled.answers_to THEN to_at END;
    IF outside IS NOT NULL THEN
        RAISE EXCEPTION '% lies outside calendar version %, which answers from % to %',
            outside, calendar, compiled.answers_from, compiled.answers_to
            USING ERRCODE = 'datetime_field_overflow', HINT = 'Correct the instant.';
    END IF;
    IF to_at <= from_at THEN
        RETURN 0;
    END IF;
    SELECT s.cumulative_seconds + extract(epoch FROM least(from_at, s.closes) - s.opens) INTO until_from
    FROM audit.calendar_segments s WHERE s.compiled_id = compiled.compiled_id AND s.opens <= from_at
    ORDER BY s.opens DESC LIMIT 1;
    SELECT s.cumulative_seconds + extract(epoch FROM least(to_at, s.closes) - s.opens) INTO until_to
    FROM audit.calendar_segments s WHERE s.compiled_id = compiled.compiled_id AND s.opens <= to_at
    ORDER BY s.opens DESC LIMIT 1;
    RETURN coalesce(until_to, 0) - coalesce(until_from, 0);
END $$;
COMMENT ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz, text) IS
    'Số giây làm việc trong [from_at, to_at) theo lịch của đơn vị; 0 nếu to_at không sau from_at | '
    'Working seconds in [from_at, to_at) by the calendar of a unit; 0 when to_at is not after from_at';

CREATE FUNCTION audit.working_seconds(calendar int, from_at timestamptz, to_at timestamptz)
RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT audit.working_seconds(calendar, from_at, to_at, NULL)
$$;
COMMENT ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz) IS
    'Số giây làm việc trong [from_at, to_at) theo lịch chung | '
    'Working seconds in [from_at, to_at) by the calendar of the office at large';
"""

GRANTS = """
GRANT SELECT ON audit.calendar_variants, audit.calendar_units, audit.calendar_segments TO tthc_auditor;
REVOKE ALL ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz, text) TO tthc_auditor;
GRANT EXECUTE ON FUNCTION audit.working_seconds(int, timestamptz, timestamptz) TO tthc_auditor;
"""

SCRIPTS = (TABLES, APPEND_ONLY, VIEWS, FUNCTIONS, GRANTS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
