"""Details of dossiers that ended long ago are erased, and nothing else: figures, verdicts and the chain stay.

Only :func:`tthc.erase_details` can, whoever calls it: of dossiers that ended before an instant that lies at least two
years back, with an event in the ledger for each. A tombstone keeps the hash of the source's key, so that a source that
still lists the dossier does not bring it back as a new one.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE tthc.observation_batches
    ALTER COLUMN run_id DROP NOT NULL,
    ADD CHECK (run_id IS NOT NULL OR kind = 'events');
COMMENT ON COLUMN tthc.observation_batches.run_id IS 'the pull; null for what retention has erased';

CREATE TABLE tthc.erasures (
    batch_id bigint PRIMARY KEY REFERENCES tthc.observation_batches,
    ended_before timestamptz NOT NULL,
    dossier_count bigint NOT NULL,
    observation_count bigint NOT NULL
);
COMMENT ON TABLE tthc.erasures IS 'each link under which details were erased: of which dossiers, and of how many rows';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.erasures
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();

CREATE TABLE tthc.erased (
    dossier_id bigint PRIMARY KEY,
    batch_id bigint NOT NULL REFERENCES tthc.erasures,
    source_id smallint NOT NULL REFERENCES tthc.sources,
    key_hash bytea NOT NULL,
    UNIQUE (source_id, key_hash)
);
COMMENT ON TABLE tthc.erased IS 'tombstones: dossiers whose details are erased, and the SHA-256 of the key they had';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.erased
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

# What a rule's evidence quotes of a dossier's number, and the other dossier of an applicant.
NAMES = "'{number_serial,missing_from,missing_to,refiled_dossier_id}'::text[]"

INDEXES = f"""
CREATE INDEX flags_with_details ON tthc.flags (dossier_id) WHERE evidence ?| {NAMES};
CREATE INDEX flags_naming_dossiers ON tthc.flags ((evidence ->> 'refiled_dossier_id')) WHERE evidence ? 'refiled_dossier_id';
"""

ERASE = f"""
CREATE FUNCTION tthc.may_be_erased(d tthc.dossiers, ended_before timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Both clocks: what the source claims, and what we saw; a claim alone brings nothing nearer. The ledger is asked, since
    -- the projection may be written by others: ended by its last row before the instant, and by all rows since.
    SELECT d.end_seen_at IS NOT NULL AND greatest(d.end_seen_at, d.finished_at, d.delivered_at) < ended_before
       AND NOT EXISTS (SELECT FROM tthc.erased e WHERE e.dossier_id = d.dossier_id)
       -- What waits to be judged is judged first: afterwards it could not be.
       AND NOT EXISTS (SELECT FROM tthc.pending_dossiers p WHERE p.dossier_id = d.dossier_id)
       AND NOT EXISTS (SELECT FROM tthc.pending_evaluations p JOIN tthc.observation_batches b USING (batch_id)
                       WHERE d.observation_id BETWEEN b.first_observation_id AND b.last_observation_id)
       AND (SELECT bool_and(o.status IN (3, 7, 8, 9, 10) IS TRUE OR coalesce(o.finished_at, o.delivered_at) IS NOT NULL)
                   AND bool_or(o.seen_at < ended_before)
                   AND coalesce((array_agg(greatest(o.finished_at, o.delivered_at) ORDER BY o.observation_id DESC))[1]
                                < ended_before, true)
            FROM tthc.observations o
            WHERE o.dossier_id = d.dossier_id AND o.observation_id >= coalesce((
                SELECT max(e.observation_id) FROM tthc.observations e
                WHERE e.dossier_id = d.dossier_id AND e.seen_at < ended_before), 0)) IS TRUE
$$;
COMMENT ON FUNCTION tthc.may_be_erased IS 'whether the details of a dossier may be erased: it ended before, and is judged';

CREATE FUNCTION tthc.erase_details(
    dossiers bigint[], ended_before timestamptz, seen_at timestamptz,
    OUT dossier_count bigint, OUT observation_count bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen bigint[];
    of_source smallint;
    ours bigint[];
    key_hashes bytea[];
    link bigint;
    seen_rows bigint;
BEGIN
    IF (ended_before <= clock_timestamp() - interval '730 days') IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'details are kept for at least 730 days after a dossier ended',
            HINT = 'Name an instant that lies further back.';
    END IF;
    -- In this order, as everywhere: evaluations first, then the writers of the chain.
    PERFORM pg_advisory_xact_lock(7411004);
    PERFORM pg_advisory_xact_lock(7411002);
    dossier_count := 0;
    observation_count := 0;
    -- What was asked for meanwhile may have changed: it is left out.
    chosen := ARRAY(
        SELECT d.dossier_id FROM tthc.dossiers d
        WHERE d.dossier_id = ANY (erase_details.dossiers) AND tthc.may_be_erased(d, erase_details.ended_before)
        ORDER BY d.dossier_id);
    FOR of_source, ours, key_hashes IN
        SELECT o.source_id, array_agg(o.dossier_id ORDER BY o.dossier_id),
               array_agg(sha256(convert_to(o.source_key, 'UTF8')) ORDER BY o.dossier_id)
        FROM (SELECT DISTINCT ON (n.dossier_id) n.dossier_id, n.source_id, n.source_key FROM tthc.observations n
              WHERE n.dossier_id = ANY (chosen) ORDER BY n.dossier_id, n.observation_id DESC) o
        GROUP BY o.source_id ORDER BY o.source_id
    LOOP
        UPDATE tthc.observations o SET
            source_key = '', code = NULL, applicant_hash = NULL, parent_key = NULL,
            details_hash = sha256(convert_to(concat(o.source_key, E'\\x1f', o.code, E'\\x1f', o.applicant_hash, E'\\x1f',
                                                    o.parent_key), 'UTF8'))
        WHERE o.dossier_id = ANY (ours) AND o.details_hash IS NULL;
        GET DIAGNOSTICS seen_rows = ROW_COUNT;
        INSERT INTO tthc.observation_batches (source_id, seen_at, kind, row_count, rows_hash, asked_at)
        -- A pull may have been linked while this waited for the lock.
        VALUES (of_source, greatest(erase_details.seen_at, (SELECT max(b.seen_at) FROM tthc.observation_batches b
                                                            WHERE b.source_id = of_source)), 'events', cardinality(ours),
                sha256(convert_to(array_to_string(
                    ARRAY(SELECT number || '|erased' FROM unnest(ours) number ORDER BY number), E'\\n'), 'UTF8')),
                erase_details.ended_before)
        RETURNING batch_id INTO link;
        INSERT INTO tthc.ledger_events SELECT link, number, 'erased' FROM unnest(ours) number;
        INSERT INTO tthc.erasures VALUES (link, erase_details.ended_before, cardinality(ours), seen_rows);
        INSERT INTO tthc.erased (dossier_id, batch_id, source_id, key_hash)
        SELECT number, link, of_source, key_hash FROM unnest(ours, key_hashes) t (number, key_hash);
        dossier_count := dossier_count + cardinality(ours);
        observation_count := observation_count + seen_rows;
    END LOOP;
    UPDATE tthc.dossiers d SET source_key = 'erased:' || d.dossier_id, code = NULL, applicant_hash = NULL, parent_key = NULL
    WHERE d.dossier_id = ANY (chosen);
    UPDATE tthc.flags f SET evidence = f.evidence - {NAMES}
    WHERE f.dossier_id = ANY (chosen) AND f.evidence ?| {NAMES};
    UPDATE tthc.flags f SET evidence = f.evidence - 'refiled_dossier_id'
    WHERE f.evidence ? 'refiled_dossier_id' AND f.evidence ->> 'refiled_dossier_id' = ANY (chosen::text[]);
END $$;
COMMENT ON FUNCTION tthc.erase_details IS
    'erases what can lead to a person from dossiers that ended before an instant at least 730 days back; nothing else can';
REVOKE ALL ON FUNCTION tthc.may_be_erased, tthc.erase_details FROM PUBLIC;
"""

VIEWS = """
CREATE VIEW audit.erasures AS
SELECT e.batch_id, s.name AS source, b.seen_at AS erased_at, e.ended_before, e.dossier_count, e.observation_count
FROM tthc.erasures e JOIN tthc.observation_batches b USING (batch_id) JOIN tthc.sources s USING (source_id);
COMMENT ON VIEW audit.erasures IS
    'Các lần xóa thông tin chi tiết của hồ sơ đã kết thúc lâu, theo thời hạn lưu giữ; số liệu và chuỗi băm giữ nguyên | '
    'Erasures of the details of dossiers that ended long ago; figures and the chain stay';
COMMENT ON COLUMN audit.erasures.batch_id IS 'mắt xích của sổ cái | the link of the ledger';
COMMENT ON COLUMN audit.erasures.source IS 'nguồn dữ liệu | the source';
COMMENT ON COLUMN audit.erasures.erased_at IS 'thời điểm xóa | when they were erased';
COMMENT ON COLUMN audit.erasures.ended_before IS
    'chỉ hồ sơ kết thúc trước thời điểm này | only of dossiers that ended before this instant';
COMMENT ON COLUMN audit.erasures.dossier_count IS 'số hồ sơ | number of dossiers';
COMMENT ON COLUMN audit.erasures.observation_count IS 'số lần ghi nhận | number of observations';
"""

SCRIPTS: tuple[str, ...] = (TABLES, INDEXES, ERASE, VIEWS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
