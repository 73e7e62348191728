-- The instant the law allows at most, as the evaluation computes it, beside the two promises that the source claims.
CREATE TABLE tthc.lawful_dues (
    dossier_id bigint PRIMARY KEY,
    due_lawful timestamptz NOT NULL,
    evaluation_id bigint NOT NULL
);
COMMENT ON TABLE tthc.lawful_dues IS
    'the latest instant that the law allows, of dossiers for which a limit is known; kept by the evaluation that judged them last';

-- Judged before there was this table: once more, so that it fills.
INSERT INTO tthc.pending_dossiers
SELECT d.dossier_id FROM tthc.dossiers d
WHERE EXISTS (SELECT FROM tthc.time_limits t WHERE t.procedure_code = d.procedure_code AND t.known_to IS NULL)
ON CONFLICT DO NOTHING;

-- An inspector begins with the number on a receipt.
CREATE INDEX dossiers_code ON tthc.dossiers (code);
