"""Who changed the configuration, and one list of everything that people changed.

The service cannot see who edits a file; it records, when work begins by another configuration than the last one on
record, what is other than before, and by whose account the work began. Secrets are never in it.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE tthc.configuration_changes (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    login text NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    account text NOT NULL,
    program_version text NOT NULL,
    what text NOT NULL CHECK (what IN ('settings', 'calendar', 'rules', 'program')),
    fingerprint text NOT NULL,
    changes jsonb NOT NULL CHECK (jsonb_typeof(changes) = 'array' AND changes <> '[]'),
    state jsonb NOT NULL
);
COMMENT ON TABLE tthc.configuration_changes IS
    'what was other than before when work began by a changed configuration; secrets are told as changed and never kept';
COMMENT ON COLUMN tthc.configuration_changes.changes IS 'list of {path, old, new}; old null: new there, new null: gone';
COMMENT ON COLUMN tthc.configuration_changes.state IS
    'all values as shown, and of those that are not shown a salted digest that is slow to guess; compared with next time';
CREATE INDEX configuration_changes_latest ON tthc.configuration_changes (what, change_id DESC);

CREATE FUNCTION tthc.stamp_configuration_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    NEW.login := session_user;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION tthc.stamp_configuration_change IS 'time and login are the server''s, whatever an insert says';
CREATE TRIGGER stamped BEFORE INSERT ON tthc.configuration_changes
    FOR EACH ROW EXECUTE FUNCTION tthc.stamp_configuration_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.configuration_changes
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

CHANGES = """
CREATE VIEW audit.configuration_changes AS
SELECT c.change_id, c.changed_at, c.person, c.account, c.login, c.program_version, c.what,
       one.path, one.old AS old_value, one.new AS new_value, c.fingerprint
FROM tthc.configuration_changes c
CROSS JOIN LATERAL jsonb_to_recordset(c.changes) AS one (path text, old text, new text);
COMMENT ON VIEW audit.configuration_changes IS
    'Mỗi thiết lập thay đổi một dòng: lúc nào, ai, thiết lập nào, giá trị cũ và mới; ghi khi chương trình bắt đầu làm việc với cấu hình khác lần trước | '
    'One row per changed setting: when, who, which, old and new value; recorded when work begins by another configuration';
"""

CHANGES_COLUMNS = {
    "change_id": ("Số thứ tự của lần ghi; các dòng cùng số là một lần", "Number of the record; rows of one number are one record"),
    "changed_at": ("Lúc ghi nhận, theo đồng hồ máy chủ cơ sở dữ liệu", "When it was recorded, by the database server's clock"),
    "person": ("Người khai tên (--by, TTHC_PERSON); nếu không khai thì là tài khoản", "Who was named (--by, TTHC_PERSON); else the account"),
    "account": ("Tài khoản hệ điều hành và máy đã chạy chương trình", "Account of the operating system, and host, that ran the program"),
    "login": ("Tài khoản cơ sở dữ liệu đã ghi, do máy chủ xác định", "Login of the database that recorded it, as the server knows it"),
    "program_version": ("Phiên bản chương trình", "Version of the program"),
    "what": (
        "Loại: settings (thiết lập), calendar (lịch làm việc), rules (quy tắc), program (chương trình)",
        "Kind: settings, calendar, rules or program",
    ),
    "path": ("Tên thiết lập trong tệp cấu hình, hoặc mã quy tắc, tên gói quy tắc", "Path of the setting, or code of a rule, or name of a rule pack"),
    "old_value": (
        "Giá trị cũ; trống là trước đó chưa có; bí mật chỉ ghi (secret), địa chỉ thư được che bớt",
        "Value before; null: there was none; of secrets only (secret), addresses of mail are masked",
    ),
    "new_value": (
        "Giá trị mới; trống là đã bỏ; (secret, changed) là bí mật đã đổi",
        "Value after; null: it is gone; (secret, changed): a secret is another one",
    ),
    "fingerprint": ("Dấu vết SHA-256 của toàn bộ giá trị được hiển thị sau thay đổi", "SHA-256 of all values as shown after the change"),
}  # fmt: skip

BY_PEOPLE = """
CREATE VIEW audit.changes_by_people AS
SELECT c.changed_at, c.person, 'configuration' AS what,
       c.what || ': ' || (SELECT string_agg(one ->> 'path', ', ' ORDER BY place)
                          FROM jsonb_array_elements(c.changes) WITH ORDINALITY AS t (one, place) WHERE place <= 5)
              || CASE WHEN jsonb_array_length(c.changes) > 5 THEN ', …' ELSE '' END AS change,
       jsonb_array_length(c.changes)::bigint AS changed_rows,
       'configuration_changes' AS look_in, 'change_id = ' || c.change_id AS look_for
FROM tthc.configuration_changes c
UNION ALL
SELECT i.imported_at, i.imported_by, 'units', i.file,
       (i.versions_opened + i.versions_closed + i.successions_opened + i.successions_closed)::bigint,
       'unit_imports', 'import_id = ' || i.import_id
FROM tthc.unit_imports i
UNION ALL
SELECT l.known_from, l.imported_by, 'time_limits', l.origin, count(*), 'time_limits',
       format('known_from = %L AND origin = %L', l.known_from, l.origin)
FROM tthc.time_limits l GROUP BY l.known_from, l.imported_by, l.origin
UNION ALL
SELECT p.known_from, p.imported_by, 'procedures', min(p.procedure_code) || ' … ' || max(p.procedure_code), count(*),
       'procedure_catalogue', format('known_from = %L', p.known_from)
FROM tthc.procedure_catalogue p GROUP BY p.known_from, p.imported_by
UNION ALL
SELECT e.started_at, e.person, 'recompute', e.reason, e.flags_opened + e.flags_closed, 'evaluations',
       'evaluation_id = ' || e.evaluation_id
FROM tthc.evaluations e WHERE e.person IS NOT NULL
UNION ALL
SELECT f.frozen_at, f.person, 'frozen_period', f.month || ' (' || f.kind || ')',
       (SELECT count(*) FROM tthc.frozen_figures g WHERE g.frozen_period_id = f.frozen_period_id), 'frozen_periods',
       'frozen_period_id = ' || f.frozen_period_id
FROM tthc.frozen_periods f;
COMMENT ON VIEW audit.changes_by_people IS
    'Mọi thay đổi do con người: cấu hình, đơn vị, thời hạn, thủ tục, lệnh đánh giá lại, chốt số liệu; ai, lúc nào, xem ở đâu | '
    'Everything that people changed: configuration, units, limits, procedures, recomputes, frozen figures; who, when, where to look';
"""

BY_PEOPLE_COLUMNS = {
    "changed_at": ("Lúc thay đổi", "When it was changed"),
    "person": ("Người thay đổi, như đã khai hoặc tài khoản", "Who changed it, as told, or the account"),
    "what": (
        "Loại: configuration, units, time_limits, procedures, recompute, frozen_period",
        "Kind: configuration, units, time_limits, procedures, recompute or frozen_period",
    ),
    "change": ("Nội dung: thiết lập, tệp, nguồn, mã thủ tục, lý do hoặc kỳ", "What it was: settings, file, origin, codes, reason or period"),
    "changed_rows": ("Số mục bị thay đổi", "How many items were changed"),
    "look_in": ("Khung nhìn có chi tiết, trong lược đồ audit", "View of schema audit that has the details"),
    "look_for": ("Điều kiện WHERE để tìm chi tiết trong khung nhìn đó", "Condition that finds the details in that view"),
}  # fmt: skip


def comments(view: str, columns: dict[str, tuple[str, str]]) -> str:
    """Comments of a view's columns, Vietnamese | English."""
    quoted = {name: f"{vietnamese} | {english}".replace("'", "''") for name, (vietnamese, english) in columns.items()}
    return "\n".join(f"COMMENT ON COLUMN audit.{view}.{name} IS '{told}';" for name, told in quoted.items())


SCRIPTS = (
    TABLE,
    CHANGES,
    comments("configuration_changes", CHANGES_COLUMNS),
    BY_PEOPLE,
    comments("changes_by_people", BY_PEOPLE_COLUMNS),
)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
