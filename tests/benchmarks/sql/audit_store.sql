-- A ledger as a year of hourly pulls leaves it, from the table final_states (source_id, record, and what is observed): five
-- states a dossier, each seen by the first pull after it came about. Then the projection that follows from it.
-- What happens to few, so that no question finds nothing: online dossiers that wait for days to be accepted, requests on the
-- due day, and a unit that closes what it has on the last working day of a month.
UPDATE final_states SET submitted_at = received_at - interval '5 days'
WHERE channel = 'online' AND kind = 'dossier' AND record % 300 = 3;
UPDATE final_states
SET due_original = supplement_requested_at + interval '30 minutes', due_current = supplement_requested_at + interval '30 minutes'
WHERE supplement_requested_at IS NOT NULL AND record % 20 = 1;
UPDATE final_states SET finished_at = timestamptz '2026-10-30 16:00+07' + interval '5 seconds' * (record % 60), delivered_at = NULL
WHERE unit_code = 'H99.0002' AND finished_at IS NOT NULL AND status >= 9
      AND received_at >= timestamptz '2026-10-19 00:00+07' AND received_at < timestamptz '2026-10-30 00:00+07';

CREATE UNLOGGED TABLE bench_seen AS
SELECT f.record, l.place, l.seen_at, f.source_id
FROM final_states f
CROSS JOIN LATERAL (SELECT coalesce(f.finished_at, :now - interval '1 hour' * (f.record % 400)) AS until) e
CROSS JOIN LATERAL (SELECT greatest(e.until - f.received_at, interval '0') AS took) k
CROSS JOIN LATERAL (
    SELECT array_agg(date_bin('1 hour', least(t.happened, :now - interval '8 hours'), 'epoch')
                     + interval '1 hour' + interval '1 minute' * f.source_id ORDER BY t.place) AS look
    FROM (VALUES (1, f.received_at - interval '2 hours'),
                 (2, f.received_at),
                 (3, least(f.received_at + 0.3 * k.took, f.supplement_requested_at - interval '2 hours')),
                 -- Of every fiftieth the end is entered afterwards, with an instant before the last look at it open.
                 (4, CASE WHEN f.record % 50 = 0 THEN e.until + interval '1 day' ELSE coalesce(f.supplement_requested_at, f.received_at + 0.6 * k.took) END),
                 (5, CASE WHEN f.record % 50 = 0 THEN e.until + interval '3 days' ELSE e.until END)
    ) AS t (place, happened)
) p
CROSS JOIN LATERAL (
    -- Two states are seen by two pulls.
    SELECT number AS place, max(p.look[number] - interval '1 hour' * number) OVER (ORDER BY number)
                            + interval '1 hour' * number AS seen_at
    FROM generate_series(1, 5) AS number
) l;

INSERT INTO tthc.pull_runs (source_id, started_at, finished_at, outcome, rows_read, was_full, rounds)
SELECT s.source_id, s.seen_at, s.seen_at + interval '20 seconds', CASE WHEN number % 97 = 0 THEN 'failed' ELSE 'ok' END,
       s.rows, false, 1
FROM (SELECT source_id, seen_at, count(*) AS rows, row_number() OVER (ORDER BY seen_at, source_id) AS number
      FROM bench_seen GROUP BY 1, 2) s
ORDER BY s.seen_at, s.source_id;

SELECT tthc.make_observations_month(month) FROM (
    SELECT generate_series(date_trunc('month', min(seen_at)), max(seen_at), interval '1 month') AS month FROM bench_seen
) m;

INSERT INTO tthc.observations (observation_id, dossier_id, source_id, seen_at, {columns}, content_hash)
SELECT row_number() OVER (ORDER BY s.seen_at, s.source_id, s.record), f.record + 1, f.source_id, s.seen_at,
       {states}, sha256(int8send(f.record * 10 + s.place))
FROM bench_seen s JOIN final_states f USING (record, source_id)
ORDER BY s.seen_at, s.source_id, s.record;
SELECT setval('tthc.observation_ids', (SELECT max(observation_id) FROM tthc.observations)),
       setval('tthc.dossier_ids', (SELECT max(record) + 1 FROM final_states));

INSERT INTO tthc.observation_batches
    (run_id, source_id, seen_at, first_observation_id, last_observation_id, row_count, rows_hash, asked_at)
SELECT r.run_id, o.source_id, o.seen_at, min(o.observation_id), max(o.observation_id), count(*),
       sha256(int8send(min(o.observation_id))), o.seen_at
FROM tthc.observations o JOIN tthc.pull_runs r ON r.source_id = o.source_id AND r.started_at = o.seen_at
GROUP BY 1, 2, 3 ORDER BY o.seen_at, o.source_id;

INSERT INTO tthc.dossiers
    (dossier_id, source_id, observation_id, first_seen_at, changed_at, asked_at, status_seen_at, underway_seen_at,
     end_seen_at, open_seen_at, due_first, due_previous, due_unmoved_at, due_moved_at, due_moves, supplement_seen_at,
     supplement_unseen_at, supplement_left_at, supplement_spells, {columns}, content_hash)
SELECT f.record + 1, f.source_id, h.observation_id, h.seen[1], h.seen[5], h.seen[5], h.seen[5], h.seen[2],
       CASE WHEN f.finished_at IS NOT NULL THEN h.seen[5] END, CASE WHEN f.finished_at IS NOT NULL THEN h.seen[4] END,
       f.due_first, CASE WHEN f.moved THEN f.due_first END, CASE WHEN f.moved THEN h.seen[3] END,
       CASE WHEN f.moved THEN h.seen[4] END, CASE WHEN f.moved THEN 1 ELSE 0 END,
       CASE WHEN f.supplement_requested_at IS NOT NULL THEN h.seen[4] END,
       CASE WHEN f.supplement_requested_at IS NOT NULL THEN h.seen[3] END,
       CASE WHEN f.supplement_requested_at IS NOT NULL AND f.status <> 5 THEN h.seen[5] END,
       CASE WHEN f.supplement_requested_at IS NOT NULL THEN 1 ELSE 0 END,
       {last_state}, sha256(int8send(f.record * 10 + 5))
FROM (SELECT f.*, {moved} AS moved, {due_first} AS due_first FROM final_states f) f
JOIN (SELECT dossier_id, max(observation_id) AS observation_id, array_agg(seen_at ORDER BY observation_id) AS seen
      FROM tthc.observations GROUP BY 1) h ON h.dossier_id = f.record + 1
ORDER BY f.record;

INSERT INTO tthc.units SELECT unit_code, 'Đơn vị ' || unit_code, :now FROM final_states GROUP BY 1 ON CONFLICT DO NOTHING;
INSERT INTO tthc.sectors SELECT sector_code, 'Lĩnh vực ' || sector_code, :now FROM final_states GROUP BY 1;
INSERT INTO tthc.procedures
SELECT procedure_code, 'Thủ tục ' || procedure_code, min(sector_code), :now FROM final_states GROUP BY 1;

-- What a source stopped listing; what it could not read; codes that nobody mapped.
UPDATE tthc.dossiers SET vanished_seen_at = changed_at + interval '2 days' WHERE end_seen_at IS NULL AND dossier_id % 100 = 7;
INSERT INTO tthc.missing
SELECT dossier_id, changed_at + interval '1 day' FROM tthc.dossiers WHERE vanished_seen_at IS NOT NULL;
INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, row_count, rows_hash, kind)
SELECT (SELECT max(run_id) FROM tthc.pull_runs), 1, :now, count(*), sha256('events'), 'events' FROM tthc.missing;
INSERT INTO tthc.ledger_events
SELECT (SELECT max(batch_id) FROM tthc.observation_batches), dossier_id, e.event
FROM tthc.missing CROSS JOIN (VALUES ('missed'), ('vanished')) AS e (event);
INSERT INTO tthc.rejects (run_id, location, row_number, column_name, reason, value)
SELECT run_id, 'trang-1', n, 'due_current', 'không phải ngày', '31/02/2026'
FROM tthc.pull_runs CROSS JOIN generate_series(1, 3) AS n;
INSERT INTO tthc.unknown_codes SELECT run_id, 'status', 'Chờ liên thông', 4 FROM tthc.pull_runs WHERE run_id % 20 = 0;
INSERT INTO tthc.configuration_changes (login, person, account, program_version, what, fingerprint, changes, state)
SELECT 'x', 'Người vận hành ' || n % 3, 'tthc@may-chu', '1.0', 'settings', md5(n::text),
       jsonb_build_array(jsonb_build_object('path', 'rules.packs', 'old', n, 'new', n + 1)), '{{}}'
FROM generate_series(1, 200) AS n;
INSERT INTO tthc.pending_evaluations SELECT batch_id FROM tthc.observation_batches WHERE kind = 'observations';
DROP TABLE bench_seen, final_states;
