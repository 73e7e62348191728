"""Figures of several report periods in one reading, and every kind of period that can be frozen.

A report stands beside the period before, the same one of last year and twelve months: fifteen times ``audit.figures`` would
read all dossiers fifteen times. ``audit.figures_of`` reads them once and gives, period by period, what ``audit.figures`` gives;
a test holds the two together.
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

KEYS = ("unit_code", "procedure_code", "sector_code", "kind")
COUNTS = (
    *("received_online", "received_direct", "carried_over"),
    *("finished_early", "finished_on_time", "finished_late", "finished_unknown"),
    *("pending_in_time", "pending_overdue", "pending_unknown"),
)
_COUNTED = ", ".join(f"{name} bigint" for name in COUNTS)

# A dossier that a unit received is seen by it, and resolved by another: of that one it would count a part only.
_OWN = (
    "((SELECT a.sees_all FROM audit.asking a) OR c.unit_code = ANY ((SELECT a.unit_codes FROM audit.asking a)::text[]))"
)

KINDS = """
ALTER TABLE tthc.frozen_periods DROP CONSTRAINT frozen_periods_kind_check;
ALTER TABLE tthc.frozen_periods ADD CONSTRAINT frozen_periods_kind_check CHECK (kind IN (
    'calendar_month', 'calendar_quarter', 'calendar_half', 'calendar_year',
    'nd09_month', 'nd09_quarter', 'nd09_half', 'nd09_year'));
COMMENT ON COLUMN audit.frozen_periods.kind IS
    'calendar_…: kỳ dương lịch; nd09_…: kỳ theo NĐ 09/2019 (từ ngày 15 đến ngày 14); …_month: tháng, …_quarter: quý, …_half: 06 tháng, '
    '…_year: năm | Kind of period';
COMMENT ON COLUMN audit.frozen_periods.month IS
    'Kỳ báo cáo: YYYY-MM, YYYY-Q1..4, YYYY-H1..2 hoặc YYYY | Reporting period: month, quarter, half year or year';
"""

# The verdict and the counting are those of audit.verdicts_as_of and audit.figures, for each period's last instant. OFFSET 0 keeps
# what is worked out of a dossier, and of a dossier in a period, from being worked out again for each count.
FIGURES_OF = f"""
CREATE FUNCTION audit.figures_of(
    periods tstzrange[], zone text DEFAULT 'Asia/Ho_Chi_Minh', by_procedure boolean DEFAULT true
)
RETURNS TABLE (period int, unit_code text, procedure_code text, sector_code text, kind text, {_COUNTED})
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH asked AS MATERIALIZED (
        SELECT p.number::int AS number, lower(p.span) AS from_at, upper(p.span) AS to_at,
               upper(p.span) - interval '1 microsecond' AS as_of
        FROM unnest(periods) WITH ORDINALITY p (span, number) WHERE NOT isempty(p.span)
    ), finding AS (
        -- Lateness proved beats a doubt: of those that hold at an instant, the first.
        SELECT f.dossier_id, array_agg(f.starts_at ORDER BY f.verdict = 'cannot_tell', f.flag_id) AS starts,
               array_agg(f.ends_at ORDER BY f.verdict = 'cannot_tell', f.flag_id) AS ends,
               array_agg(f.verdict ORDER BY f.verdict = 'cannot_tell', f.flag_id) AS verdicts
        FROM audit.flags_in_force f WHERE f.verdict IS NOT NULL
        GROUP BY f.dossier_id
    ), dossier AS (
        SELECT d.unit_code, CASE WHEN by_procedure THEN d.procedure_code END AS procedure_code, d.sector_code, d.kind,
               d.channel, d.received_at, d.ended_at,
               -- greatest() passes over nulls: an open dossier has no end, not the end that is its reception.
               CASE WHEN d.ended_at IS NOT NULL THEN greatest(d.ended_at, d.received_at) END AS end_at,
               (d.ended_at AT TIME ZONE zone)::date < (d.due_current AT TIME ZONE zone)::date AS before_due_day,
               f.starts, f.ends, f.verdicts,
               d.observation_id >= (SELECT coalesce(min(u.first_observation_id), 9223372036854775807)
                                    FROM audit.unjudged u)
               AND EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id
                           BETWEEN u.first_observation_id AND u.last_observation_id) AS waits
        FROM audit.dossiers d LEFT JOIN finding f USING (dossier_id)
        WHERE d.received_at < (SELECT max(a.to_at) FROM asked a)
          AND (d.ended_at IS NULL OR greatest(d.ended_at, d.received_at) >= (SELECT min(a.from_at) FROM asked a))
        OFFSET 0
    ), counted AS (
        SELECT d.unit_code, d.procedure_code, d.sector_code, d.kind, d.channel, d.before_due_day, a.number,
               d.received_at < a.from_at AS carried, d.end_at < a.to_at AS finished,
               CASE WHEN d.waits THEN 'cannot_tell'
                    ELSE coalesce(
                        CASE WHEN d.verdicts IS NOT NULL THEN (
                            SELECT h.verdict FROM unnest(d.starts, d.ends, d.verdicts) WITH ORDINALITY h (starts, ends, verdict, n)
                            WHERE h.starts <= a.as_of AND h.ends > a.as_of ORDER BY h.n LIMIT 1) END,
                        CASE WHEN d.ended_at <= a.as_of THEN 'on_time' ELSE 'open_in_time' END) END AS verdict
        FROM dossier d
        JOIN asked a ON d.received_at < a.to_at AND (d.end_at IS NULL OR d.end_at >= a.from_at)
        OFFSET 0
    )
    SELECT c.number, c.unit_code, c.procedure_code, c.sector_code, c.kind,
           count(*) FILTER (WHERE NOT carried AND channel = 'online'),
           count(*) FILTER (WHERE NOT carried AND channel IS DISTINCT FROM 'online'),
           count(*) FILTER (WHERE carried),
           count(*) FILTER (WHERE finished AND verdict = 'on_time' AND before_due_day),
           count(*) FILTER (WHERE finished AND verdict = 'on_time' AND NOT before_due_day),
           count(*) FILTER (WHERE finished AND verdict = 'late'),
           count(*) FILTER (WHERE finished AND verdict = 'cannot_tell'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'open_in_time'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'open_overdue'),
           count(*) FILTER (WHERE finished IS NOT TRUE AND verdict = 'cannot_tell')
    FROM counted c WHERE {_OWN} GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION audit.figures_of IS
    'Số liệu của audit.figures cho nhiều kỳ, đọc hồ sơ một lần; period là thứ tự của kỳ trong periods; '
    'không theo thủ tục (procedure_code trống) khi by_procedure sai | Figures of audit.figures for several '
    'periods, all dossiers read once; period is the place in periods; procedure_code is null unless by_procedure';
"""

# Successors are joined as in audit.figures_by_unit: by unit, sector and procedure, the narrowest first.
_SCOPES = {
    "n0": ("''", "''"),
    "n1": ("{0}.sector_code", "''"),
    "n2": ("''", "{0}.procedure_code"),
    "n3": ("{0}.sector_code", "{0}.procedure_code"),
}
AMBIGUOUS = "coalesce(n3.ambiguous, n2.ambiguous, n1.ambiguous, n0.ambiguous, false)"


def answers(of: str, named: str, at: str) -> str:
    """Joins to the rows that say who answers for a unit now; at most one of each."""
    return "\n".join(
        f"LEFT JOIN audit.unit_successions_now {n} ON {n}.unit_code = {of}.unit_code "
        f"AND {n}.sector_code = {sector.format(of)} AND {n}.procedure_code = {procedure.format(of)} "
        f"AND {n}.named_from <= {named} AND {n}.named_to > {named} AND {n}.at_from <= {at} AND {n}.at_to > {at}"
        for n, (sector, procedure) in _SCOPES.items()
    )


def rolled(of: str) -> str:
    """The successor; the unit itself when there is none, or nobody can say which."""
    found = " ".join(f"WHEN {n}.unit_code IS NOT NULL THEN {n}.successor_code" for n in ("n3", "n2", "n1", "n0"))
    return f"CASE WHEN roll_up = 'now' THEN coalesce(CASE {found} END, {of}.unit_code) ELSE {of}.unit_code END"


ROLLED_UP = """
    IF roll_up IS NULL OR roll_up NOT IN ('then', 'now') THEN
        RAISE EXCEPTION 'roll_up is ''%'', neither ''then'' nor ''now''', roll_up
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Choose then (units as they were) or now (successors).';
    END IF;
"""

REPORTED_FIGURES_OF = f"""
CREATE FUNCTION audit.reported_figures_of(
    periods tstzrange[], roll_up text DEFAULT 'then', zone text DEFAULT 'Asia/Ho_Chi_Minh', at date DEFAULT NULL
)
RETURNS TABLE (
    period int, frozen boolean, unit_code text, ambiguous boolean, sector_code text, kind text, {_COUNTED}
)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    asked date := coalesce(at, (now() AT TIME ZONE zone)::date);
    kept int[] := ARRAY(
        SELECT (SELECT f.frozen_period_id FROM audit.frozen_periods f
                WHERE f.from_at = lower(p.span) AND f.to_at = upper(p.span) AND f.zone = reported_figures_of.zone)
        FROM unnest(periods) WITH ORDINALITY p (span, number) ORDER BY p.number
    );
    -- The periods that follow the data keep their places.
    live tstzrange[] := ARRAY(
        SELECT CASE WHEN kept[p.number] IS NULL THEN p.span END
        FROM unnest(periods) WITH ORDINALITY p (span, number) ORDER BY p.number
    );
    procedures_matter boolean := roll_up = 'now' AND EXISTS (
        SELECT FROM audit.unit_successions_now n WHERE n.procedure_code <> '');
BEGIN{ROLLED_UP}
    RETURN QUERY
    WITH reported AS (
        SELECT f.*, false AS kept FROM audit.figures_of(live, zone, procedures_matter) f
        UNION ALL
        SELECT k.number::int, {", ".join(f"f.{name}" for name in (*KEYS, *COUNTS))}, true
        FROM unnest(kept) WITH ORDINALITY k (id, number) JOIN audit.frozen_figures f ON f.frozen_period_id = k.id
    ), moved AS (
        SELECT r.*, {rolled("r")} AS rolled, roll_up = 'now' AND {AMBIGUOUS} AS unclear
        FROM (
            SELECT r.*, ((upper(periods[r.period]) - interval '1 microsecond') AT TIME ZONE zone)::date AS named
            FROM reported r
        ) r
        {answers("r", "r.named", "asked")}
    )
    SELECT m.period, m.kept, m.rolled, m.unclear, m.sector_code, m.kind,
           {", ".join(f"sum(m.{name})::bigint" for name in COUNTS)}
    FROM moved m GROUP BY 1, 2, 3, 4, 5, 6;
END $$;
COMMENT ON FUNCTION audit.reported_figures_of IS
    'Số liệu báo cáo (audit.reported_figures) của nhiều kỳ, theo đơn vị như khi đó (then) hoặc theo đơn vị kế thừa hiện nay '
    '(now); kỳ đã chốt giữ số đã chốt; ambiguous: chưa rõ đơn vị kế thừa | Reported figures of several periods, by units as '
    'they were or by their successors; a frozen period keeps its figures';
"""

PROGRESS_766 = f"""
CREATE FUNCTION audit.progress_766_by_unit(
    from_at timestamptz, to_at timestamptz, roll_up text DEFAULT 'then', zone text DEFAULT 'Asia/Ho_Chi_Minh',
    at date DEFAULT NULL
)
RETURNS TABLE (
    unit_code text, ambiguous boolean, total_received bigint, total_on_time bigint, total_overdue bigint,
    total_cannot_tell bigint, ratio_percent numeric, score numeric, score_at_most numeric
)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    named date := ((to_at - interval '1 microsecond') AT TIME ZONE zone)::date;
    asked date := coalesce(at, (now() AT TIME ZONE zone)::date);
BEGIN{ROLLED_UP}
    IF roll_up = 'then' THEN
        RETURN QUERY SELECT p.unit_code, false, p.total_received, p.total_on_time, p.total_overdue, p.total_cannot_tell,
                            p.ratio_percent, p.score, p.score_at_most FROM audit.progress_766(from_at, to_at) p;
        RETURN;
    END IF;
    RETURN QUERY
    -- The dossiers and verdicts of audit.progress_766, here by sector and procedure too, by which successors may differ.
    WITH counted AS (
        SELECT v.unit_code, v.procedure_code, d.sector_code, count(*) AS received,
               count(*) FILTER (WHERE v.verdict IN ('on_time', 'open_in_time')) AS on_time,
               count(*) FILTER (WHERE v.verdict IN ('late', 'open_overdue')) AS overdue,
               count(*) FILTER (WHERE v.verdict = 'cannot_tell') AS cannot_tell
        FROM audit.verdicts_by(to_at - interval '1 microsecond', 'national_766') v JOIN audit.dossiers d USING (dossier_id)
        WHERE v.verdict NOT IN ('not_counted', 'not_received')
          AND (v.ended_at IS NULL OR greatest(v.ended_at, v.received_at) >= from_at)
        GROUP BY 1, 2, 3
    ), summed AS (
        SELECT {rolled("c")} AS rolled, {AMBIGUOUS} AS unclear, sum(c.received)::bigint AS received,
               sum(c.on_time)::bigint AS on_time, sum(c.overdue)::bigint AS overdue,
               sum(c.cannot_tell)::bigint AS cannot_tell
        FROM counted c
        {answers("c", "named", "asked")}
        WHERE {_OWN}
        GROUP BY 1, 2
    )
    SELECT s.rolled, s.unclear, s.received, s.on_time, s.overdue, s.cannot_tell,
           round(100.0 * s.on_time / nullif(s.received, 0), 2),
           audit.score_766(s.on_time, s.received), audit.score_766(s.on_time + s.cannot_tell, s.received)
    FROM summed s WHERE audit.known_system('national_766');
END $$;
COMMENT ON FUNCTION audit.progress_766_by_unit IS
    'audit.progress_766 theo đơn vị như khi đó (then) hoặc theo đơn vị kế thừa hiện nay (now); ambiguous: chưa rõ đơn vị kế '
    'thừa | audit.progress_766 by units as they were, or by their successors';
"""

# The error is the answer: what makes a way of judging unusable stands in audit.known_system alone.
APPLIED = """
CREATE FUNCTION audit.system_applied(system text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN audit.known_system(system);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION audit.system_applied IS
    'Cách tính này có dùng được không: có tên như vậy và quy tắc của nó đã được áp dụng | '
    'Whether verdicts by this way can be asked for: there is one, and its rules were applied';
"""

FUNCTIONS = (
    "audit.figures_of(tstzrange[], text, boolean)",
    "audit.reported_figures_of(tstzrange[], text, text, date)",
    "audit.progress_766_by_unit(timestamptz, timestamptz, text, text, date)",
    "audit.system_applied(text)",
)
GRANTS = f"""
REVOKE ALL ON FUNCTION {", ".join(FUNCTIONS)} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {", ".join(FUNCTIONS)} TO tthc_auditor;
"""

SCRIPTS: tuple[str, ...] = (KINDS, FIGURES_OF, REPORTED_FIGURES_OF, PROGRESS_766, APPLIED, GRANTS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
