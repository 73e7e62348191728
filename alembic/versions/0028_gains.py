"""The working time that ended dossiers took and were allowed, waits for the applicant taken out, for whoever asks which
limits are longer than the work.

It is what the histogram ``tthc_dossier_used_ratio`` is filled with (:mod:`tthc_monitor.tally`), said again in SQL so that it
can be asked of any period; a test compares the two to the second.
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# On the axis of working time a wait that the promise fell into moves the promise by its length, so nothing is walked.
# "Place" is the working time from the beginning of a calendar until an instant.
NET = """
CREATE FUNCTION audit.net_working_time(
    compiled int, received_place numeric, ended_place numeric, due_place numeric, due_at timestamptz,
    earlier_waits tstzmultirange, requested_at timestamptz, completed_at timestamptz,
    request_unknown boolean, answer_unknown boolean, supplement_count int
) RETURNS numeric[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    due numeric := due_place;
    moved boolean := false;
    asked timestamptz[];
    answered timestamptz[];
    begins numeric[];
    ends numeric[];
    last int;
    before_due boolean;
    reached numeric;
    from_place numeric;
    used numeric := ended_place - received_place;
    allowed numeric;
BEGIN
    SELECT array_agg(w.asked ORDER BY w.place), array_agg(w.answered ORDER BY w.place),
           array_agg(w.begins ORDER BY w.place), array_agg(w.ends ORDER BY w.place)
    INTO asked, answered, begins, ends
    FROM (
        SELECT r.place, r.asked, r.answered,
               coalesce((SELECT s.cumulative_seconds + extract(epoch FROM least(r.asked, s.closes) - s.opens)
                         FROM audit.calendar_segments s WHERE s.compiled_id = compiled AND s.opens <= r.asked
                         ORDER BY s.opens DESC LIMIT 1), 0) AS begins,
               CASE WHEN r.answered IS NULL THEN 'infinity'
                    ELSE coalesce((SELECT s.cumulative_seconds + extract(epoch FROM least(r.answered, s.closes) - s.opens)
                         FROM audit.calendar_segments s WHERE s.compiled_id = compiled AND s.opens <= r.answered
                         ORDER BY s.opens DESC LIMIT 1), 0) END AS ends
        FROM (SELECT row_number() OVER (ORDER BY e) AS place, lower(e) AS asked, upper(e) AS answered FROM unnest(earlier_waits) e
              UNION ALL SELECT 1000000, requested_at, completed_at WHERE requested_at IS NOT NULL) r
    ) w;
    last := coalesce(cardinality(asked), 0);
    FOR n IN 1 .. last LOOP
        before_due := coalesce(CASE WHEN moved THEN begins[n] < due ELSE asked[n] < due_at END, false);
        IF n = last AND requested_at IS NOT NULL THEN
            EXIT;
        ELSIF before_due AND (moved OR answered[n] > due_at) THEN
            due := due + ends[n] - begins[n];
            moved := true;
        END IF;
    END LOOP;
    IF requested_at IS NULL THEN
        before_due := false;
    END IF;
    -- As rules.kinds.promise.wait_unknown: nobody knows whether the applicant was awaited when the promise came.
    IF request_unknown AND (NOT before_due AND requested_at IS NOT NULL
                            OR (CASE WHEN moved THEN ends[last] > due ELSE completed_at > due_at END))
       OR answer_unknown AND before_due OR supplement_count > last AND NOT before_due
       OR before_due AND completed_at IS NULL THEN
        due := NULL;
    ELSIF before_due AND (moved OR completed_at > due_at) THEN
        due := due + ends[last] - begins[last];
        moved := true;
    END IF;
    allowed := greatest(due - received_place, CASE WHEN due IS NOT NULL THEN 0 END);
    -- A wait that began when the dossier was late already excuses nothing; of two that overlap the common time counts once.
    reached := received_place;
    FOR n IN 1 .. last LOOP
        IF due IS NULL OR (CASE WHEN moved THEN begins[n] < due ELSE asked[n] < due_at END) THEN
            from_place := greatest(begins[n], reached);
            used := used - greatest(least(ends[n], ended_place) - from_place, 0);
            allowed := allowed - greatest(least(ends[n], due) - from_place, 0);
            reached := greatest(reached, ends[n]);
        END IF;
    END LOOP;
    RETURN ARRAY[used, CASE WHEN due IS NOT NULL THEN greatest(allowed, 0) END];
END $$;
COMMENT ON FUNCTION audit.net_working_time IS
    'Giây làm việc đã dùng và được phép của một hồ sơ đã kết thúc, trừ thời gian chờ bổ sung; phần tử thứ hai trống khi '
    'không rõ hạn | Working seconds that an ended dossier took and was allowed, waits for supplements taken out; the second is '
    'null when no promise is known';
"""


_ENDED = "coalesce(d.finished_at, d.delivered_at)"
_REQUESTED = "coalesce(d.supplement_requested_at, d.supplement_seen_at)"
_COMPLETED = f"""CASE WHEN d.supplement_completed_at > {_REQUESTED} THEN d.supplement_completed_at
              WHEN d.status = 5 THEN NULL
              WHEN d.supplement_left_at > {_REQUESTED} THEN d.supplement_left_at END"""


def _place(instant: str) -> str:
    """The working time until an instant on the calendar of the dossier's unit; null where no calendar reaches.

    Tens of thousands are asked for at once. In an array an instant is found in a tenth of the time that an index takes; a
    unit's own calendar, which is rare, is looked up.
    """
    at = f"(width_bucket({instant}, (SELECT opens FROM office)))"
    return f"""
        CASE WHEN {instant} <= '1990-01-02 00:00+00' OR {instant} >= '2059-12-30 00:00+00' THEN NULL
             WHEN c.variant IS NULL THEN (SELECT cumulative FROM office)[{at}]
                 + extract(epoch FROM least({instant}, (SELECT closes FROM office)[{at}]) - (SELECT opens FROM office)[{at}])
             ELSE (SELECT s.cumulative_seconds + extract(epoch FROM least({instant}, s.closes) - s.opens)
                   FROM tthc.calendar_segments s WHERE s.compiled_id = k.compiled_id AND s.opens <= {instant}
                   ORDER BY s.opens DESC LIMIT 1) END"""


TIMES = f"""
CREATE VIEW audit.processing_times AS
WITH office AS MATERIALIZED (
    SELECT array_agg(s.opens ORDER BY s.opens) AS opens, array_agg(s.closes ORDER BY s.opens) AS closes,
           array_agg(s.cumulative_seconds ORDER BY s.opens) AS cumulative
    FROM tthc.calendar_segments s
    WHERE s.compiled_id = (SELECT k.compiled_id FROM tthc.calendar_variants k
                           WHERE k.calendar_version_id = (SELECT audit.calendar_now()) AND k.variant = '')
)
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, coalesce(d.sector_code, p.sector_code) AS sector_code,
       d.channel, d.received_at, {_ENDED} AS ended_at, d.due_current, w.waited,
       CASE WHEN w.waited THEN n.net[1] WHEN {_ENDED} >= d.received_at THEN t.ended - t.received END AS used_seconds,
       CASE WHEN w.waited THEN n.net[2]
            WHEN {_ENDED} >= d.received_at AND t.ended IS NOT NULL AND t.due >= t.received THEN t.due - t.received
            WHEN {_ENDED} >= d.received_at AND t.ended IS NOT NULL AND t.due < t.received THEN 0 END AS allowed_seconds
FROM tthc.dossiers d
LEFT JOIN tthc.procedures p ON p.procedure_code = d.procedure_code
LEFT JOIN tthc.calendar_units c ON c.calendar_version_id = (SELECT audit.calendar_now()) AND c.unit_code = d.unit_code
LEFT JOIN tthc.calendar_variants k
    ON k.calendar_version_id = (SELECT audit.calendar_now()) AND k.variant = coalesce(c.variant, '')
CROSS JOIN LATERAL (
    SELECT {_place("d.received_at")} AS received, {_place(_ENDED)} AS ended, {_place("d.due_current")} AS due OFFSET 0
) t
CROSS JOIN LATERAL (
    -- By a rule whose clock runs on while the applicant is awaited a wait is working time as any other.
    SELECT (SELECT coalesce(r.definition ->> 'clock_while_waiting', 'stopped') = 'stopped'
            FROM tthc.evaluations e JOIN tthc.rule_versions r ON r.rule_version_id = ANY (e.rule_version_ids)
            WHERE r.verdict = 'late' AND e.evaluation_id = (SELECT max(l.evaluation_id) FROM tthc.evaluations l)
            ORDER BY r.rule_version_id LIMIT 1) IS NOT FALSE
           AND ({_REQUESTED} IS NOT NULL OR NOT isempty(d.earlier_waits)
                OR greatest(d.supplement_count, d.supplement_spells) > 0) AS waited
) w
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.waited AND {_ENDED} >= d.received_at AND t.received IS NOT NULL AND t.ended IS NOT NULL THEN
        audit.net_working_time(
            k.compiled_id, t.received, t.ended, t.due, CASE WHEN t.due IS NOT NULL THEN d.due_current END,
            d.earlier_waits, {_REQUESTED}, {_COMPLETED},
            d.supplement_requested_at IS NULL AND d.supplement_seen_at = d.first_seen_at,
            {_REQUESTED} IS NOT NULL AND ({_COMPLETED}) IS NULL AND d.status IN (9, 10),
            CASE WHEN d.supplement_spells > 0 THEN greatest(d.supplement_count, d.supplement_spells)
                 ELSE d.supplement_count END) END AS net OFFSET 0
) n
WHERE d.received_at IS NOT NULL AND {_ENDED} IS NOT NULL;
COMMENT ON VIEW audit.processing_times IS
    'Hồ sơ đã kết thúc: số giây làm việc đã dùng và số giây được phép (từ tiếp nhận đến hẹn trả), trừ thời gian chờ bổ sung | '
    'Ended dossiers: working seconds used, and allowed from reception to the promise, waits for supplements taken out';
COMMENT ON COLUMN audit.processing_times.dossier_id IS 'Số nội bộ của hồ sơ | The dossier';
COMMENT ON COLUMN audit.processing_times.code IS 'Mã hồ sơ | Number of the dossier';
COMMENT ON COLUMN audit.processing_times.kind IS 'Hồ sơ TTHC hay phản ánh, kiến nghị | Dossier or petition';
COMMENT ON COLUMN audit.processing_times.unit_code IS 'Mã đơn vị giải quyết | Unit';
COMMENT ON COLUMN audit.processing_times.procedure_code IS 'Mã thủ tục | Procedure';
COMMENT ON COLUMN audit.processing_times.sector_code IS 'Mã lĩnh vực | Sector';
COMMENT ON COLUMN audit.processing_times.channel IS 'Kênh nộp | Channel';
COMMENT ON COLUMN audit.processing_times.received_at IS 'Tiếp nhận | Reception';
COMMENT ON COLUMN audit.processing_times.ended_at IS 'Kết thúc theo nguồn | End as claimed';
COMMENT ON COLUMN audit.processing_times.due_current IS 'Ngày hẹn trả hiện nay | Promise in force';
COMMENT ON COLUMN audit.processing_times.waited IS 'Đã từng chờ bổ sung | Waited for supplements';
COMMENT ON COLUMN audit.processing_times.used_seconds IS
    'Giây làm việc đã dùng; trống khi lịch không trả lời được | Working seconds used; null where no calendar answers';
COMMENT ON COLUMN audit.processing_times.allowed_seconds IS
    'Giây làm việc được phép; trống khi không rõ hạn | Working seconds allowed; null when no promise is known';
"""

SCRIPTS: tuple[str, ...] = (NET, TIMES)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
