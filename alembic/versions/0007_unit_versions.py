"""Dated units with successors, and figures rolled up as then or as now.

The register is append-only: what a later import corrects keeps its row, and the row tells until when it was believed.
Who answers now is worked out at each import and stored as a small table, so that views join it and no query walks.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TODAY = "(now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"

TABLES = """
CREATE TABLE tthc.unit_imports (
    import_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    file text NOT NULL,
    file_hash bytea NOT NULL,
    versions_opened int NOT NULL,
    versions_closed int NOT NULL,
    successions_opened int NOT NULL,
    successions_closed int NOT NULL
);
CREATE TABLE tthc.unit_versions (
    unit_code text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    parent_code text,
    valid_from date,
    valid_to date,
    known_from timestamptz NOT NULL,
    known_to timestamptz,
    CHECK (valid_from < valid_to)
);
COMMENT ON COLUMN tthc.unit_versions.valid_to IS 'first day on which it no longer holds; null while it goes on';
CREATE UNIQUE INDEX unit_versions_known ON tthc.unit_versions (unit_code, coalesce(valid_from, '-infinity'))
    WHERE known_to IS NULL;
CREATE TABLE tthc.unit_successions (
    from_code text NOT NULL,
    to_code text NOT NULL,
    succeeds_on date NOT NULL,
    share double precision CHECK (share > 0 AND share <= 1),
    sector_codes text[] NOT NULL,
    procedure_codes text[] NOT NULL,
    document text NOT NULL,
    known_from timestamptz NOT NULL,
    known_to timestamptz
);
CREATE INDEX unit_successions_from ON tthc.unit_successions (from_code) WHERE known_to IS NULL;
CREATE INDEX unit_successions_to ON tthc.unit_successions (to_code) WHERE known_to IS NULL;

CREATE TABLE tthc.unit_successions_now (
    unit_code text NOT NULL,
    sector_code text NOT NULL,
    procedure_code text NOT NULL,
    named_from date NOT NULL,
    named_to date NOT NULL,
    at_from date NOT NULL,
    at_to date NOT NULL,
    successor_code text,
    ambiguous boolean NOT NULL,
    PRIMARY KEY (unit_code, sector_code, procedure_code, named_from, at_from),
    CHECK (ambiguous = (successor_code IS NULL))
);
COMMENT ON TABLE tthc.unit_successions_now IS
    'worked out from the register at each import; sector_code and procedure_code are empty where they do not matter';
"""

APPEND_ONLY = """
CREATE FUNCTION tthc.refuse_unit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.known_to IS NULL AND NEW.known_to IS NOT NULL
       AND to_jsonb(OLD) - 'known_to' = to_jsonb(NEW) - 'known_to' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% of % is refused: what was known stays', TG_OP, TG_TABLE_NAME
        USING HINT = 'Import a correction with tthc-monitor units import.';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tthc.unit_versions
    FOR EACH ROW EXECUTE FUNCTION tthc.refuse_unit_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tthc.unit_successions
    FOR EACH ROW EXECUTE FUNCTION tthc.refuse_unit_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON tthc.unit_versions
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_unit_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON tthc.unit_successions
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_unit_change();
"""

VIEWS = """
CREATE VIEW audit.unit_imports AS
SELECT import_id, imported_at, imported_by, file, encode(file_hash, 'hex') AS file_hash,
       versions_opened, versions_closed, successions_opened, successions_closed
FROM tthc.unit_imports;
CREATE VIEW audit.unit_versions AS
SELECT unit_code, name, kind, parent_code, valid_from, valid_to, known_from, known_to FROM tthc.unit_versions;
CREATE VIEW audit.unit_successions AS
SELECT from_code, to_code, succeeds_on, share, sector_codes, procedure_codes, document, known_from, known_to
FROM tthc.unit_successions;
CREATE VIEW audit.unit_successions_now AS
SELECT unit_code, sector_code, procedure_code, named_from, named_to, at_from, at_to, successor_code, ambiguous
FROM tthc.unit_successions_now;
COMMENT ON VIEW audit.unit_imports IS 'Mỗi lần nhập danh mục đơn vị một dòng: ai, tệp nào | One row per import of units';
COMMENT ON VIEW audit.unit_versions IS
    'Tên, loại, cấp trên của đơn vị theo thời gian; valid_to là ngày đầu tiên không còn hiệu lực; '
    'known_to trống là thông tin đang dùng | Dated units; known_to empty means it is believed now';
COMMENT ON VIEW audit.unit_successions IS
    'Đơn vị nào kế thừa đơn vị nào, từ ngày nào, theo văn bản nào; known_to trống là thông tin đang dùng | '
    'Who succeeded whom; known_to empty means it is believed now';
COMMENT ON VIEW audit.unit_successions_now IS
    'Đơn vị chịu trách nhiệm hiện nay, đã lần theo chuỗi kế thừa; không có dòng nghĩa là chính đơn vị đó | '
    'Final successors, chains followed; no row means the unit itself';
"""


def answers(unit: str, sector: str, procedure: str, named: str, at: str) -> str:
    """Joins to the rows of a unit's answers: one for all dossiers, by sector, by procedure, by both; at most one each."""
    scopes = {"n0": ("''", "''"), "n1": (sector, "''"), "n2": ("''", procedure), "n3": (sector, procedure)}
    return "\n".join(
        f"LEFT JOIN audit.unit_successions_now {n} ON {n}.unit_code = {unit} AND {n}.sector_code = {by_sector} "
        f"AND {n}.procedure_code = {by_procedure} AND {n}.named_from <= {named} AND {n}.named_to > {named} "
        f"AND {n}.at_from <= {at} AND {n}.at_to > {at}"
        for n, (by_sector, by_procedure) in scopes.items()
    )


def successor(unit: str) -> str:
    """The successor by the narrowest of :func:`answers`; the unit itself when there is none."""
    found = " ".join(f"WHEN {n}.unit_code IS NOT NULL THEN {n}.successor_code" for n in ("n3", "n2", "n1", "n0"))
    return f"CASE {found} ELSE {unit} END"


AMBIGUOUS = "coalesce(n3.ambiguous, n2.ambiguous, n1.ambiguous, n0.ambiguous, false)"


def nearest(versions: str, day: str) -> str:
    """Order in which the version in force on a day is first; else the last one before; else the first one after."""
    start = f"{versions}.valid_from"
    return f"coalesce({start} > {day}, false), CASE WHEN {start} <= {day} THEN {start} END DESC NULLS LAST, {start}"


UNIT_AS_NOW = f"""
CREATE FUNCTION audit.unit_as_now(
    unit_code text, at date DEFAULT {TODAY}, sector_code text DEFAULT NULL, procedure_code text DEFAULT NULL,
    named_on date DEFAULT '-infinity'
)
RETURNS TABLE (successor_code text, ambiguous boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT {successor("$1")}, {AMBIGUOUS}
    FROM (VALUES (1)) AS always
    {answers("$1", "$3", "$4", "$5", "$2")}
$$;
COMMENT ON FUNCTION audit.unit_as_now IS
    'Đơn vị chịu trách nhiệm vào ngày at đối với hồ sơ thuộc unit_code ngày named_on; không xác định được thì '
    'successor_code trống và ambiguous đúng | Who answers on a day; never a guess';

CREATE FUNCTION audit.unit_name(unit_code text, at date DEFAULT {TODAY}) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        (SELECT v.name FROM audit.unit_versions v WHERE v.unit_code = $1 AND v.known_to IS NULL
         ORDER BY {nearest("v", "$2")} LIMIT 1),
        (SELECT u.name FROM audit.units u WHERE u.unit_code = $1))
$$;
COMMENT ON FUNCTION audit.unit_name IS 'Tên của đơn vị vào một ngày | What a unit was called on a day';
"""

COUNTS = (
    *("received_online", "received_direct", "carried_over"),
    *("finished_early", "finished_on_time", "finished_late", "finished_unknown"),
    *("pending_in_time", "pending_overdue", "pending_unknown"),
)

FIGURES_BY_UNIT = f"""
CREATE FUNCTION audit.figures_by_unit(
    from_at timestamptz, to_at timestamptz, roll_up text DEFAULT 'then', zone text DEFAULT 'Asia/Ho_Chi_Minh',
    at date DEFAULT NULL
)
RETURNS TABLE (
    unit_code text, unit_name text, ambiguous boolean, procedure_code text, sector_code text, kind text,
    {", ".join(f"{name} bigint" for name in COUNTS)}
)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    -- A unit is meant as it stood at the end of the period; one that ended before, as it was at its end.
    named date := ((to_at - interval '1 microsecond') AT TIME ZONE zone)::date;
    asked date := coalesce(at, (now() AT TIME ZONE zone)::date);
BEGIN
    IF roll_up IS NULL OR roll_up NOT IN ('then', 'now') THEN
        RAISE EXCEPTION 'roll_up is ''%'', neither ''then'' nor ''now''', roll_up
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Choose then (units as they were) or now (successors).';
    END IF;
    RETURN QUERY
    WITH moved AS (
        SELECT f.*,
               -- Nobody can say who took it over: it stays where it was, and is marked.
               CASE WHEN roll_up = 'now' THEN coalesce({successor("f.unit_code")}, f.unit_code)
                    ELSE f.unit_code END AS rolled,
               roll_up = 'now' AND {AMBIGUOUS} AS unclear
        FROM audit.figures(from_at, to_at, zone) f
        {answers("f.unit_code", "f.sector_code", "f.procedure_code", "named", "asked")}
    ), summed AS (
        SELECT m.rolled, m.unclear, m.procedure_code, m.sector_code, m.kind,
               {", ".join(f"sum(m.{name})::bigint AS {name}" for name in COUNTS)}
        FROM moved m GROUP BY 1, 2, 3, 4, 5
    ), called AS (
        SELECT DISTINCT ON (d.rolled) d.rolled, coalesce(v.name, u.name) AS called
        FROM (SELECT DISTINCT s.rolled FROM summed s) d
        LEFT JOIN audit.unit_versions v ON v.unit_code = d.rolled AND v.known_to IS NULL
        LEFT JOIN audit.units u ON u.unit_code = d.rolled
        ORDER BY d.rolled, {nearest("v", "(CASE WHEN roll_up = 'now' THEN asked ELSE named END)")}
    )
    SELECT s.rolled, c.called, s.unclear, s.procedure_code, s.sector_code, s.kind,
           {", ".join(f"s.{name}" for name in COUNTS)}
    FROM summed s LEFT JOIN called c ON c.rolled = s.rolled;
END $$;
COMMENT ON FUNCTION audit.figures_by_unit IS
    'Số liệu của audit.figures theo đơn vị như khi đó (then) hoặc theo đơn vị kế thừa hiện nay (now); tổng hai cách '
    'bằng nhau; ambiguous: chưa rõ đơn vị kế thừa | Figures by units as they were, or by their successors';
"""

RESPONSIBILITY = f"""
CREATE VIEW audit.responsibility AS
WITH life AS (
    SELECT unit_code, min(coalesce(valid_from, '-infinity')) AS born, max(coalesce(valid_to, 'infinity')) AS ended
    FROM tthc.unit_versions WHERE known_to IS NULL GROUP BY 1
), sole_predecessor AS (
    SELECT to_code AS unit_code, succeeds_on, min(from_code) AS from_code
    FROM tthc.unit_successions WHERE known_to IS NULL AND from_code <> to_code
    GROUP BY 1, 2 HAVING count(DISTINCT from_code) = 1
), dossier AS (
    SELECT d.dossier_id, d.source, d.code, d.kind, d.procedure_code, d.sector_code, d.received_at, d.ended_at,
           d.receiving_unit_code, d.unit_code, coalesce(d.unit_code, d.receiving_unit_code) AS holder,
           (coalesce(d.received_at, d.first_seen_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS since,
           coalesce((d.ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, 'infinity') AS until,
           {TODAY} AS today
    FROM audit.dossiers d
), traced AS (
    SELECT d.*,
           -- Taken over: received before the change and still open on that day.
           h.ended > d.since AND h.ended <= least(d.until, d.today) AS left_by_holder, h.ended AS holder_ended,
           r.ended > d.since AND r.ended <= least(d.until, d.today) AS left_by_desk, r.ended AS desk_ended,
           h.born > d.since AND h.born <= least(d.until, d.today) AS younger, h.born AS holder_born
    FROM dossier d
    LEFT JOIN life h ON h.unit_code = d.holder
    LEFT JOIN life r ON r.unit_code = d.receiving_unit_code
)
SELECT t.dossier_id, t.source, t.code, t.kind, t.procedure_code, t.sector_code, t.received_at, t.ended_at,
       t.receiving_unit_code, t.unit_code AS resolving_unit_code,
       {successor("t.holder")} AS responsible_unit_code, {AMBIGUOUS} AS ambiguous,
       coalesce(t.left_by_holder OR t.left_by_desk OR t.younger, false) AS inherited,
       CASE WHEN t.left_by_holder THEN t.holder WHEN t.left_by_desk THEN t.receiving_unit_code
            WHEN t.younger THEN p.from_code END AS inherited_from,
       CASE WHEN t.left_by_holder THEN t.holder_ended WHEN t.left_by_desk THEN t.desk_ended
            WHEN t.younger THEN t.holder_born END AS inherited_on
FROM traced t
LEFT JOIN sole_predecessor p ON t.younger AND p.unit_code = t.holder AND p.succeeds_on = t.holder_born
{answers("t.holder", "t.sector_code", "t.procedure_code", "t.since", "t.today")};
COMMENT ON VIEW audit.responsibility IS
    'Mỗi hồ sơ một dòng: đơn vị tiếp nhận, đơn vị giải quyết, đơn vị chịu trách nhiệm hiện nay; inherited: hồ sơ nhận '
    'bàn giao từ đơn vị đã kết thúc hoạt động (như cấp huyện) khi chưa giải quyết xong | '
    'Receiving, resolving and now responsible unit of each dossier, and whether it was inherited';
"""

GRANTS = """
GRANT SELECT ON audit.unit_imports, audit.unit_versions, audit.unit_successions, audit.unit_successions_now,
    audit.responsibility TO tthc_auditor;
REVOKE ALL ON FUNCTION audit.unit_as_now, audit.unit_name, audit.figures_by_unit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.unit_as_now, audit.unit_name, audit.figures_by_unit TO tthc_auditor;
"""

SCRIPTS = (TABLES, APPEND_ONLY, VIEWS, UNIT_AS_NOW, FIGURES_BY_UNIT, RESPONSIBILITY, GRANTS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
