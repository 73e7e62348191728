"""Sources as auditors see them; on-time shares of petitions (phản ánh, kiến nghị) per unit."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SOURCES = """
CREATE VIEW audit.sources AS SELECT source_id, name AS source, kind, provides FROM tthc.sources;
COMMENT ON VIEW audit.sources IS
    'Hệ thống nguồn và những trường tùy chọn mà nguồn có | Sources, and the optional columns that each fills';
GRANT SELECT ON audit.sources TO tthc_auditor;
"""

SHARES = """
CREATE FUNCTION audit.petition_shares(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (
    unit_code text, handled_on_time bigint, handled_late bigint, handled_unknown bigint,
    open_in_time bigint, open_late bigint, open_unknown bigint, on_time_percent numeric
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH late AS (
        SELECT DISTINCT f.dossier_id FROM audit.flags_in_force f
        WHERE f.kind IN ('petition_refused_late', 'petition_handled_late') AND f.starts_at < to_at
    ), rule AS (
        -- Where transfers begin the term anew, a source that does not tell of them leaves it open when it began.
        SELECT bool_or(newest.counted_from = 'last_transfer') AS needs_transfers FROM (
            SELECT DISTINCT ON (r.rule_code) r.definition ->> 'counted_from' AS counted_from FROM audit.rules r
            WHERE r.kind IN ('petition_refused_late', 'petition_handled_late')
            ORDER BY r.rule_code, r.rule_version_id DESC
        ) newest
    ), petition AS (
        SELECT d.unit_code, l.dossier_id IS NOT NULL AS late, (d.ended_at < to_at) IS TRUE AS handled,
               -- A term needs a beginning, an end needs an instant, and a status that nobody mapped may be an end.
               coalesce(d.submitted_at, d.received_at) IS NULL OR d.status IS NULL
               OR (d.ended_at < to_at AND coalesce(d.finished_at, d.delivered_at) IS NULL) IS TRUE
               OR (rule.needs_transfers AND 'transferred_at' <> ALL (s.provides)) IS NOT FALSE
               OR EXISTS (SELECT FROM audit.unjudged u
                          WHERE d.observation_id BETWEEN u.first_observation_id AND u.last_observation_id) AS unknown
        FROM audit.dossiers d
        JOIN audit.sources s ON s.source = d.source
        CROSS JOIN rule
        LEFT JOIN late l USING (dossier_id)
        WHERE d.kind = 'petition' AND d.status IS DISTINCT FROM 7
          AND coalesce(d.submitted_at, d.received_at, d.first_seen_at) < to_at
          AND (d.ended_at IS NULL OR d.ended_at >= from_at)
    ), counted AS (
        SELECT p.unit_code,
               count(*) FILTER (WHERE handled AND NOT late AND NOT unknown) AS handled_on_time,
               count(*) FILTER (WHERE handled AND late) AS handled_late,
               count(*) FILTER (WHERE handled AND NOT late AND unknown) AS handled_unknown,
               count(*) FILTER (WHERE NOT handled AND NOT late AND NOT unknown) AS open_in_time,
               count(*) FILTER (WHERE NOT handled AND late) AS open_late,
               count(*) FILTER (WHERE NOT handled AND NOT late AND unknown) AS open_unknown
        FROM petition p GROUP BY 1
    )
    SELECT c.*, audit.on_time_percent(c.handled_on_time, c.handled_late + c.open_late) FROM counted c
$$;
COMMENT ON FUNCTION audit.petition_shares IS
    'Phản ánh, kiến nghị của kỳ [from_at, to_at) theo đơn vị; tỷ lệ đúng hạn (%) = đã xử lý đúng hạn / (đã xử lý đúng hạn '
    '+ đã xử lý chậm + đang xử lý đã chậm), trống khi mẫu số bằng 0; phản ánh được rút không tính | Petitions of a period '
    'by unit; handled on time over handled plus open ones that are late already; withdrawn ones do not count';
"""

GRANTS = """
REVOKE ALL ON FUNCTION audit.petition_shares FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.petition_shares TO tthc_auditor;
"""


def upgrade() -> None:
    for script in (SOURCES, SHARES, GRANTS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
