"""Why dossiers were late, as people say it: stands beside what records prove, and outranks it in reports.

What somebody said stays when somebody says otherwise later, or takes it back: of a dossier the newest word counts. Code, name
and class of a cause are kept as the office's list had them then.
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tthc.cause_imports (
    import_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL CHECK (imported_by <> ''),
    file text NOT NULL,
    file_hash bytea NOT NULL,
    assigned integer NOT NULL,
    withdrawn integer NOT NULL
);
COMMENT ON TABLE tthc.cause_imports IS 'files in which people said why dossiers were late';

CREATE TABLE tthc.assigned_causes (
    assignment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id integer NOT NULL REFERENCES tthc.cause_imports,
    line integer NOT NULL,
    dossier_id bigint NOT NULL,
    cause_code text,
    cause_name text,
    cause_class text CHECK (cause_class IN ('subjective', 'objective', 'software', 'late_click')),
    note text NOT NULL DEFAULT '',
    CHECK ((cause_code IS NULL) = (cause_name IS NULL) AND (cause_code IS NULL) = (cause_class IS NULL))
);
COMMENT ON TABLE tthc.assigned_causes IS
    'why a dossier was late, as somebody said; of a dossier the newest row counts, and one without a cause takes back those before';
COMMENT ON COLUMN tthc.assigned_causes.cause_name IS 'name and class as the list of causes had them when it was said';
CREATE INDEX assigned_causes_of ON tthc.assigned_causes (dossier_id, assignment_id DESC);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.cause_imports
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.assigned_causes
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

VIEW = """
CREATE VIEW audit.assigned_causes AS
SELECT a.assignment_id, a.dossier_id, d.code, d.unit_code, d.procedure_code, a.cause_code, a.cause_name, a.cause_class, a.note,
       i.imported_by AS assigned_by, i.imported_at AS assigned_at, i.file, a.line,
       a.cause_code IS NOT NULL AND NOT EXISTS (
           SELECT FROM tthc.assigned_causes n WHERE n.dossier_id = a.dossier_id AND n.assignment_id > a.assignment_id
       ) AS in_force
FROM tthc.assigned_causes a
JOIN tthc.cause_imports i USING (import_id)
LEFT JOIN tthc.dossiers d USING (dossier_id);
COMMENT ON VIEW audit.assigned_causes IS
    'Nguyên nhân quá hạn do người có trách nhiệm xác định, mỗi lần một dòng; in_force là lần đang có hiệu lực | '
    'Why dossiers were late as people said it, one row each time; in_force: the one that counts';
"""

COLUMNS = {
    "assignment_id": ("Số thứ tự của lần xác định", "Number of the assignment"),
    "dossier_id": ("Hồ sơ", "The dossier"),
    "code": ("Mã hồ sơ", "Number of the dossier"),
    "unit_code": ("Đơn vị giải quyết", "Resolving unit"),
    "procedure_code": ("Thủ tục", "Procedure"),
    "cause_code": ("Mã nguyên nhân; trống là rút lại lần xác định trước", "Code of the cause; null: takes back what was said before"),
    "cause_name": ("Tên nguyên nhân theo danh mục khi ấy", "Name of the cause as the list had it then"),
    "cause_class": (
        "Loại: subjective (chủ quan), objective (khách quan), software (phần mềm), late_click (bấm chậm)",
        "Class: subjective, objective, software or late_click",
    ),
    "note": ("Ghi chú của người xác định", "Note of who said it"),
    "assigned_by": ("Người xác định, như đã khai", "Who said it, as told"),
    "assigned_at": ("Lúc nhập", "When it was imported"),
    "file": ("Tệp đã nhập", "File it came in"),
    "line": ("Dòng trong tệp", "Line of the file"),
    "in_force": ("Đang có hiệu lực: lần cuối của hồ sơ và không phải rút lại", "Counts: the latest of the dossier, and not taken back"),
}  # fmt: skip

# Other migrations may have added to this view beside this one: it is extended as it stands.
BY_PEOPLE = """
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW audit.changes_by_people AS '
        || rtrim(pg_get_viewdef('audit.changes_by_people'::regclass), '; ' || chr(10))
        || $view$
    UNION ALL
    SELECT i.imported_at, i.imported_by, 'causes', i.file, (i.assigned + i.withdrawn)::bigint,
           'assigned_causes', format('assigned_at = %L', i.imported_at)
    FROM tthc.cause_imports i$view$;
END $$;
COMMENT ON COLUMN audit.changes_by_people.what IS
    'Loại: configuration, units, time_limits, procedures, recompute, frozen_period, causes và loại khác sau này | Kind of change: configuration, units, time_limits, procedures, recompute, frozen_period, causes, and later kinds';
"""


def comments(view: str, columns: dict[str, tuple[str, str]]) -> str:
    """Comments of a view's columns, Vietnamese | English."""
    quoted = {name: f"{vietnamese} | {english}".replace("'", "''") for name, (vietnamese, english) in columns.items()}
    return "\n".join(f"COMMENT ON COLUMN audit.{view}.{name} IS '{told}';" for name, told in quoted.items())


SCRIPTS = (TABLES, VIEW, comments("assigned_causes", COLUMNS), BY_PEOPLE)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
