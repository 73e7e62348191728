"""Periods whose figures were reported and stand from then on, and what was known better afterwards.

Frozen figures are the rows that audit.figures gave when the period was frozen. The counting stays there alone: what is
reported is either those rows or that function, and errata are the difference of the two.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEYS = ("unit_code", "procedure_code", "sector_code", "kind")
COUNTS = (
    "received_online",
    "received_direct",
    "carried_over",
    "finished_early",
    "finished_on_time",
    "finished_late",
    "finished_unknown",
    "pending_in_time",
    "pending_overdue",
    "pending_unknown",
)


def columns(of: str) -> str:
    """All columns of figures, of one row source."""
    return ", ".join(f"{of}.{name}" for name in (*KEYS, *COUNTS))


TABLES = f"""
CREATE TABLE tthc.frozen_periods (
    frozen_period_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    zone text NOT NULL,
    month text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('calendar_month', 'nd09_month')),
    frozen_at timestamptz NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    CHECK (from_at < to_at AND to_at <= frozen_at),
    UNIQUE (from_at, to_at, zone)
);
COMMENT ON TABLE tthc.frozen_periods IS 'report periods whose figures stand; month and kind name [from_at, to_at) for people';
CREATE TABLE tthc.frozen_figures (
    frozen_period_id int NOT NULL REFERENCES tthc.frozen_periods,
    unit_code text,
    procedure_code text,
    sector_code text,
    kind text NOT NULL,
    {", ".join(f"{name} bigint NOT NULL" for name in COUNTS)},
    UNIQUE NULLS NOT DISTINCT (frozen_period_id, {", ".join(KEYS)})
);
COMMENT ON TABLE tthc.frozen_figures IS 'rows of audit.figures as they were when the period was frozen';
"""

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.frozen_periods
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.frozen_figures
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

VIEWS = f"""
CREATE VIEW audit.frozen_periods AS
SELECT frozen_period_id, from_at, to_at, zone, month, kind, frozen_at, person FROM tthc.frozen_periods;
COMMENT ON VIEW audit.frozen_periods IS
    'Các kỳ báo cáo đã chốt số liệu: kỳ nào, chốt lúc nào, ai chốt | Frozen report periods: which, when, by whom';
CREATE VIEW audit.frozen_figures AS
SELECT p.frozen_period_id, p.from_at, p.to_at, p.zone, {columns("f")}
FROM tthc.frozen_figures f JOIN tthc.frozen_periods p USING (frozen_period_id);
COMMENT ON VIEW audit.frozen_figures IS
    'Số liệu của các kỳ đã chốt, như tại lúc chốt | Figures of frozen periods as they were when frozen';
"""

_PERIOD = "p.from_at = {0}.from_at AND p.to_at = {0}.to_at AND p.zone = {0}.zone"

REPORTED = f"""
CREATE FUNCTION audit.reported_figures(from_at timestamptz, to_at timestamptz, zone text DEFAULT 'Asia/Ho_Chi_Minh')
RETURNS TABLE (
    {", ".join(f"{name} text" for name in KEYS)}, {", ".join(f"{name} bigint" for name in COUNTS)}
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT {columns("p")}
    FROM audit.frozen_figures p WHERE {_PERIOD.format("reported_figures")}
    UNION ALL
    SELECT {columns("n")}
    FROM audit.figures(reported_figures.from_at, reported_figures.to_at, reported_figures.zone) n
    WHERE NOT EXISTS (SELECT FROM audit.frozen_periods p WHERE {_PERIOD.format("reported_figures")})
$$;
COMMENT ON FUNCTION audit.reported_figures IS
    'Số liệu báo cáo của kỳ [from_at, to_at): số đã chốt nếu đúng kỳ đó đã chốt, nếu chưa thì như audit.figures | '
    'Figures to report for a period: the frozen ones when that very period is frozen, else those of audit.figures';
"""

ERRATA = f"""
CREATE FUNCTION audit.errata(from_at timestamptz, to_at timestamptz, zone text DEFAULT 'Asia/Ho_Chi_Minh')
RETURNS TABLE (
    {", ".join(f"{name} text" for name in KEYS)}, figure text, frozen_count bigint, count_now bigint
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH side AS (
        SELECT true AS frozen, {columns("p")}
        FROM audit.frozen_figures p WHERE {_PERIOD.format("errata")}
        UNION ALL
        SELECT false, {columns("n")}
        FROM audit.figures(errata.from_at, errata.to_at, errata.zone) n
        WHERE EXISTS (SELECT FROM audit.frozen_periods p WHERE {_PERIOD.format("errata")})
    )
    SELECT {", ".join(f"s.{name}" for name in KEYS)}, c.figure,
           coalesce(sum(c.value) FILTER (WHERE s.frozen), 0)::bigint,
           coalesce(sum(c.value) FILTER (WHERE NOT s.frozen), 0)::bigint
    FROM side s
    CROSS JOIN LATERAL (VALUES {", ".join(f"('{name}', s.{name})" for name in COUNTS)}) c (figure, value)
    GROUP BY 1, 2, 3, 4, 5
    HAVING sum(CASE WHEN s.frozen THEN -c.value ELSE c.value END) <> 0
$$;
COMMENT ON FUNCTION audit.errata IS
    'Đính chính của kỳ đã chốt: từng đơn vị, thủ tục, lĩnh vực, loại và chỉ tiêu mà số đã chốt khác số theo dữ liệu hiện '
    'có; không có dòng nào khi kỳ chưa chốt | Where the frozen figures of a period differ from those of now';
"""

GRANTS = """
GRANT SELECT ON audit.frozen_periods, audit.frozen_figures TO tthc_auditor;
REVOKE ALL ON FUNCTION audit.reported_figures, audit.errata FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.reported_figures, audit.errata TO tthc_auditor;
"""

SCRIPTS = (TABLES, APPEND_ONLY, VIEWS, REPORTED, ERRATA, GRANTS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
