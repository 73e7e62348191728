CREATE OR REPLACE VIEW audit.dossiers AS
SELECT d.dossier_id, s.name AS source, d.source_key, d.code, d.kind,
       d.procedure_code, p.name AS procedure_name,
       coalesce(d.sector_code, p.sector_code) AS sector_code, se.name AS sector_name,
       d.unit_code, u.name AS unit_name, d.receiving_unit_code, d.channel,
       d.status, st.name AS status_name, d.source_status, d.step_code, d.step_name,
       d.submitted_at, d.received_at, d.competent_received_at,
       d.due_first AS due_original, d.due_current,
       d.finished_at, d.delivered_at, coalesce(d.finished_at, d.delivered_at, d.end_seen_at) AS ended_at,
       d.supplement_requested_at, d.supplement_completed_at, d.supplement_count, d.source_verdict,
       d.first_seen_at, d.changed_at, d.status_seen_at, d.end_seen_at, d.observation_id,
       d.parent_key, d.postmarked_at, d.transferred_at, d.result_at, d.published_at, d.stop_requested_at,
       d.apology_at, d.reappointment_count, d.obligation_requested_at, d.obligation_completed_at,
       d.step_unit_code, d.step_started_at, d.step_due_at, d.consulted_unit_code, d.consulted_at,
       d.consulted_due_at, d.consulted_answered_at, d.steps_done, d.first_step_at, d.last_step_at,
       d.underway_seen_at, d.open_seen_at, d.due_previous, d.due_unmoved_at, d.due_moved_at, d.due_moves,
       d.supplement_unseen_at, d.supplement_spells, d.earlier_waits, d.obligation_seen_at, d.obligation_left_at,
       d.vanished_seen_at,
       -- A look-up, not a join: who does not ask for it pays nothing, and the plans of all that is built on this stay.
       (SELECT l.due_lawful FROM tthc.lawful_dues l WHERE l.dossier_id = d.dossier_id) AS due_lawful
FROM tthc.dossiers d
JOIN tthc.sources s USING (source_id)
LEFT JOIN tthc.statuses st ON st.status = d.status
LEFT JOIN tthc.units u ON u.unit_code = d.unit_code
LEFT JOIN tthc.procedures p ON p.procedure_code = d.procedure_code
LEFT JOIN tthc.sectors se ON se.sector_code = coalesce(d.sector_code, p.sector_code);

CREATE OR REPLACE VIEW audit.observations AS
SELECT o.observation_id, o.dossier_id, s.name AS source, o.seen_at, o.code, o.status, o.source_status, o.unit_code,
       o.procedure_code, o.received_at, o.due_original, o.due_current, o.finished_at, o.delivered_at,
       o.supplement_requested_at, o.supplement_completed_at, o.supplement_count, o.step_code, o.step_name,
       encode(o.content_hash, 'hex') AS content_hash,
       o.parent_key, o.postmarked_at, o.transferred_at, o.result_at, o.published_at, o.stop_requested_at,
       o.apology_at, o.reappointment_count, o.obligation_requested_at, o.obligation_completed_at,
       o.step_unit_code, o.step_started_at, o.step_due_at, o.consulted_unit_code, o.consulted_at,
       o.consulted_due_at, o.consulted_answered_at, o.steps_done, o.first_step_at, o.last_step_at,
       o.source_id, o.source_key, o.kind, o.sector_code, o.receiving_unit_code, o.channel, o.submitted_at,
       o.competent_received_at, o.source_verdict,
       -- With it a content hash can be computed here, without the applicant's.
       encode(coalesce(o.details_hash, sha256(convert_to(concat(
           o.source_key, E'\x1f', o.code, E'\x1f', o.applicant_hash, E'\x1f', o.parent_key), 'UTF8'))), 'hex') AS details_hash
FROM tthc.observations o JOIN tthc.sources s USING (source_id);
