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
NET = """
CREATE FUNCTION audit.net_working_time(
    calendar int, unit_code text, received_at timestamptz, ended_at timestamptz, due_at timestamptz,
    earlier_waits tstzmultirange, requested_at timestamptz, completed_at timestamptz,
    request_unknown boolean, answer_unknown boolean, supplement_count int
) RETURNS numeric[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    origin CONSTANT timestamptz := '1990-01-02 00:00+00';
    begin_place numeric := audit.working_time(calendar, origin, received_at, unit_code);
    end_place numeric := audit.working_time(calendar, origin, ended_at, unit_code);
    due_place numeric := audit.working_time(calendar, origin, due_at, unit_code);
    moved boolean := false;
    waits int := (requested_at IS NOT NULL)::int;
    wait record;
    before_due boolean;
    counted tstzmultirange := '{}';
    used numeric;
    allowed numeric;
BEGIN
    IF begin_place IS NULL OR end_place IS NULL OR ended_at < received_at THEN
        RETURN NULL;
    END IF;
    FOR wait IN SELECT lower(r) AS asked, upper(r) AS answered FROM unnest(earlier_waits) r ORDER BY r LOOP
        waits := waits + 1;
        before_due := CASE WHEN moved THEN audit.working_time(calendar, origin, wait.asked, unit_code) < due_place
                           ELSE wait.asked < due_at END;
        IF before_due AND (moved OR wait.answered > due_at) THEN
            due_place := due_place + audit.working_time(calendar, wait.asked, wait.answered, unit_code);
            moved := true;
        END IF;
    END LOOP;
    before_due := coalesce(CASE WHEN moved THEN audit.working_time(calendar, origin, requested_at, unit_code) < due_place
                                ELSE requested_at < due_at END, false);
    -- As rules.kinds.promise.wait_unknown: nobody knows whether the applicant was awaited when the promise came.
    IF request_unknown AND (NOT before_due AND requested_at IS NOT NULL OR CASE WHEN moved
           THEN audit.working_time(calendar, origin, completed_at, unit_code) > due_place ELSE completed_at > due_at END)
       OR answer_unknown AND before_due OR supplement_count > waits AND NOT before_due THEN
        due_place := NULL;
    ELSIF before_due AND (completed_at IS NULL OR moved OR completed_at > due_at) THEN
        due_place := due_place + audit.working_time(calendar, requested_at, completed_at, unit_code);
        moved := true;
    END IF;
    FOR wait IN SELECT lower(r) AS asked, upper(r) AS answered FROM unnest(earlier_waits) r
                UNION ALL SELECT requested_at, completed_at WHERE requested_at IS NOT NULL LOOP
        -- A wait that began when the dossier was late already excuses nothing.
        IF due_place IS NULL OR (CASE WHEN moved
               THEN audit.working_time(calendar, origin, wait.asked, unit_code) < due_place ELSE wait.asked < due_at END) THEN
            IF wait.answered IS NULL OR wait.answered > wait.asked THEN
                counted := counted + tstzmultirange(tstzrange(wait.asked, wait.answered));
            END IF;
        END IF;
    END LOOP;
    SELECT end_place - begin_place - coalesce(sum(greatest(least(w.answered, end_place) - greatest(w.asked, begin_place), 0)), 0),
           due_place - begin_place - coalesce(sum(greatest(least(w.answered, due_place) - greatest(w.asked, begin_place), 0)), 0)
    INTO used, allowed
    FROM (SELECT audit.working_time(calendar, origin, lower(r), unit_code) AS asked,
                 coalesce(audit.working_time(calendar, origin, upper(r), unit_code), 'infinity') AS answered
          FROM unnest(counted) r) w;
    RETURN ARRAY[used, CASE WHEN due_place IS NOT NULL THEN greatest(allowed, 0) END];
END $$;
COMMENT ON FUNCTION audit.net_working_time IS
    'Giây làm việc đã dùng và được phép của một hồ sơ đã kết thúc, trừ thời gian chờ bổ sung; phần tử thứ hai trống khi '
    'không rõ hạn | Working seconds that an ended dossier took and was allowed, waits for supplements taken out; the second is '
    'null when no promise is known';
"""


def _place(instant: str) -> str:
    """The working time until an instant, on the calendar of the dossier's unit; null where no calendar reaches."""
    return (
        f"CASE WHEN k.compiled_id IS NOT NULL AND {instant} > '1990-01-02 00:00+00' AND {instant} < '2059-12-30 00:00+00' THEN "
        "coalesce((SELECT s.cumulative_seconds + extract(epoch FROM least({0}, s.closes) - s.opens) "
        "FROM tthc.calendar_segments s WHERE s.compiled_id = k.compiled_id AND s.opens <= {0} "
        "ORDER BY s.opens DESC LIMIT 1), 0) END"
    ).format(instant)


_ENDED = "coalesce(d.finished_at, d.delivered_at)"
_REQUESTED = "coalesce(d.supplement_requested_at, d.supplement_seen_at)"
_COMPLETED = f"""CASE WHEN d.supplement_completed_at > {_REQUESTED} THEN d.supplement_completed_at
              WHEN d.status = 5 THEN NULL
              WHEN d.supplement_left_at > {_REQUESTED} THEN d.supplement_left_at END"""

# Only what is asked for is computed: the look-ups stand in the columns, and most dossiers never waited.
TIMES = f"""
CREATE VIEW audit.processing_times AS
SELECT d.dossier_id, d.code, d.kind, d.unit_code, d.procedure_code, coalesce(d.sector_code, p.sector_code) AS sector_code,
       d.channel, d.received_at, {_ENDED} AS ended_at, d.due_current, w.waited,
       CASE WHEN w.waited THEN (n.net)[1]
            WHEN {_ENDED} >= d.received_at THEN ({_place(_ENDED)}) - ({_place("d.received_at")}) END AS used_seconds,
       CASE WHEN w.waited THEN (n.net)[2]
            WHEN k.compiled_id IS NOT NULL AND d.received_at > '1990-01-02 00:00+00' AND {_ENDED} >= d.received_at
                 AND {_ENDED} < '2059-12-30 00:00+00'
                 AND d.due_current > '1990-01-02 00:00+00' AND d.due_current < '2059-12-30 00:00+00' THEN
                greatest(({_place("d.due_current")}) - ({_place("d.received_at")}), 0) END AS allowed_seconds
FROM tthc.dossiers d
LEFT JOIN tthc.procedures p ON p.procedure_code = d.procedure_code
LEFT JOIN tthc.calendar_units c ON c.calendar_version_id = (SELECT audit.calendar_now()) AND c.unit_code = d.unit_code
LEFT JOIN tthc.calendar_variants k
    ON k.calendar_version_id = (SELECT audit.calendar_now()) AND k.variant = coalesce(c.variant, '')
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
    SELECT CASE WHEN w.waited THEN audit.net_working_time(
        (SELECT audit.calendar_now()), d.unit_code, d.received_at, {_ENDED}, d.due_current, d.earlier_waits, {_REQUESTED},
        {_COMPLETED},
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
