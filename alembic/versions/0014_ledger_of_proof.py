"""The ledger proves what it holds: by month, in a chain that the server itself writes, with absences, and erasable.

Observations are partitioned by the month (UTC) in which they were seen; what was held before is one partition of its
own. A link of the chain gets its place, the server's clock and its hash from a trigger, so that whoever may add links
cannot choose them. What no observation tells, a dossier that was not listed, say, is an event under a link of its own, and
each link keeps when its source was asked, so that the projection can be rebuilt from the ledger alone.

Of links from before, those facts are not known: version 1 of the chain.
"""

from alembic import op
from tthc_monitor.store.content import renew_content_hashes

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ADDED_BY_0004 = (
    "parent_key", "postmarked_at", "transferred_at", "result_at", "published_at", "stop_requested_at", "apology_at",
    "reappointment_count", "obligation_requested_at", "obligation_completed_at", "step_unit_code", "step_started_at",
    "step_due_at", "consulted_unit_code", "consulted_at", "consulted_due_at", "consulted_answered_at", "steps_done",
    "first_step_at", "last_step_at",
)  # fmt: skip

# Only what retention may do passes: details become nothing, their hash takes their place, all else stays.
ONLY_ERASURE = """
CREATE FUNCTION tthc.only_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched text[] := '{source_key,code,applicant_hash,parent_key,details_hash}';
BEGIN
    IF OLD.details_hash IS NULL AND NEW.source_key = '' AND NEW.code IS NULL AND NEW.applicant_hash IS NULL
       AND NEW.parent_key IS NULL
       AND NEW.details_hash = sha256(convert_to(concat(OLD.source_key, E'\\x1f', OLD.code, E'\\x1f', OLD.applicant_hash,
                                                       E'\\x1f', OLD.parent_key), 'UTF8'))
       AND to_jsonb(NEW) - touched = to_jsonb(OLD) - touched THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% of % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING HINT = 'Record a new observation instead.';
END $$;
"""

# A partition is made beside the table and then attached, which lets readers and writers pass.
MONTHS = """
CREATE FUNCTION tthc.make_observations_month(seen_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', seen_at AT TIME ZONE 'UTC');
    name text := 'observations_y' || to_char(month, 'YYYY') || 'm' || to_char(month, 'MM');
BEGIN
    IF (seen_at >= '1900-01-01Z' AND seen_at < '9999-12-01Z') IS NOT TRUE THEN
        RAISE EXCEPTION 'nothing can have been seen at %', seen_at USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Set the clock of the program right.';
    END IF;
    IF to_regclass('tthc.' || name) IS NOT NULL THEN
        RETURN name;
    END IF;
    EXECUTE format('CREATE TABLE tthc.%I (LIKE tthc.observations INCLUDING ALL)', name);
    -- Triggers for each row come with the table it is attached to, those for each statement do not.
    EXECUTE format('CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tthc.%I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change()', name);
    EXECUTE format('ALTER TABLE tthc.observations ATTACH PARTITION tthc.%I FOR VALUES FROM (%L) TO (%L)', name,
                   month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('GRANT INSERT ON tthc.%I TO tthc_service', name);
    RETURN name;
EXCEPTION
    -- The partition of what was held before there were months covers this one.
    WHEN invalid_object_definition THEN RETURN 'observations_before';
END $$;
REVOKE ALL ON FUNCTION tthc.make_observations_month FROM PUBLIC;

-- Only an owner may renew the statistics of a table, and the role of the service is not that one.
CREATE FUNCTION tthc.observations_loaded(seen_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    index regclass;
    part regclass;
BEGIN
    FOR part, index IN
        SELECT i.indrelid, i.indexrelid FROM pg_inherits h
        JOIN pg_index i ON i.indrelid = h.inhrelid JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = h.inhrelid JOIN pg_am a ON a.oid = c.relam
        WHERE h.inhparent = 'tthc.observations'::regclass AND a.amname = 'brin'
          AND t.relname IN ('observations_before',
                            'observations_y' || to_char(observations_loaded.seen_at AT TIME ZONE 'UTC', 'YYYY"m"MM'))
    LOOP
        EXECUTE format('ANALYZE %s (observation_id, dossier_id)', part);
        PERFORM brin_summarize_new_values(index);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION tthc.observations_loaded FROM PUBLIC;
"""

PARTITIONED = """
ALTER TABLE tthc.observations ADD COLUMN details_hash bytea;
COMMENT ON COLUMN tthc.observations.details_hash IS
    'SHA-256 of source_key, code, applicant_hash and parent_key, once they are erased; null while they are there';
ALTER TABLE tthc.observations RENAME TO observations_before;
ALTER TABLE tthc.observations_before RENAME CONSTRAINT observations_pkey TO observations_before_pkey;
ALTER INDEX tthc.observations_by_id RENAME TO observations_before_by_id;
CREATE TABLE tthc.observations (
    LIKE tthc.observations_before INCLUDING DEFAULTS INCLUDING COMMENTS,
    PRIMARY KEY (dossier_id, observation_id, seen_at)
) PARTITION BY RANGE (seen_at);
COMMENT ON TABLE tthc.observations IS 'the ledger: what was seen of each dossier, by the month (UTC) in which it was seen';
CREATE INDEX observations_by_id ON tthc.observations USING brin (observation_id) WITH (pages_per_range = 32);
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tthc.observations
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
CREATE TRIGGER only_erasure BEFORE UPDATE ON tthc.observations FOR EACH ROW EXECUTE FUNCTION tthc.only_erasure();
"""

OBSERVATIONS = f"""
CREATE OR REPLACE VIEW audit.observations AS
SELECT o.observation_id, o.dossier_id, s.name AS source, o.seen_at, o.code, o.status, o.source_status, o.unit_code,
       o.procedure_code, o.received_at, o.due_original, o.due_current, o.finished_at, o.delivered_at,
       o.supplement_requested_at, o.supplement_completed_at, o.supplement_count, o.step_code, o.step_name,
       encode(o.content_hash, 'hex') AS content_hash,
       {", ".join(f"o.{name}" for name in ADDED_BY_0004)}
FROM tthc.observations o JOIN tthc.sources s USING (source_id);
"""
"""The view as it was: it follows a table by what it is, not by its name."""

FORMER = """
DO $$
DECLARE
    bound timestamptz;
BEGIN
    SELECT (date_trunc('month', max(seen_at) AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' INTO bound
    FROM tthc.observations_before;
    IF bound IS NULL THEN
        DROP TABLE tthc.observations_before;
        RETURN;
    END IF;
    DROP TRIGGER append_only ON tthc.observations_before;
    ALTER TABLE tthc.observations_before
        DROP CONSTRAINT observations_before_pkey, ADD PRIMARY KEY (dossier_id, observation_id, seen_at);
    CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON tthc.observations_before
        FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
    EXECUTE format('ALTER TABLE tthc.observations ATTACH PARTITION tthc.observations_before '
                   'FOR VALUES FROM (MINVALUE) TO (%L)', bound);
END $$;
"""

CHAIN = """
ALTER TABLE tthc.observation_batches
    ADD COLUMN version smallint NOT NULL DEFAULT 1,
    ADD COLUMN kind text NOT NULL DEFAULT 'observations' CHECK (kind IN ('observations', 'events')),
    ADD COLUMN linked_at timestamptz,
    ADD COLUMN asked_at timestamptz,
    ADD COLUMN unchanged_at timestamptz,
    ADD COLUMN held_until bigint,
    ALTER COLUMN first_observation_id DROP NOT NULL,
    ALTER COLUMN last_observation_id DROP NOT NULL,
    ADD CHECK ((kind = 'observations') = (first_observation_id IS NOT NULL AND last_observation_id IS NOT NULL));
ALTER TABLE tthc.observation_batches ALTER COLUMN version SET DEFAULT 2;
CREATE INDEX observation_batches_of_source ON tthc.observation_batches (source_id, batch_id);
COMMENT ON TABLE tthc.observation_batches IS
    'the chain, one link per committed batch of observations or events: chain_hash covers previous_hash, what the batch is, and its rows in order';
COMMENT ON COLUMN tthc.observation_batches.linked_at IS 'the clock of the database server when the link was added';
COMMENT ON COLUMN tthc.observation_batches.asked_at IS 'the instant as of which the pull tells; null: nobody can tell';
COMMENT ON COLUMN tthc.observation_batches.unchanged_at IS
    'the instant as of which the newest earlier pull told that listed all the source had open';
COMMENT ON COLUMN tthc.observation_batches.held_until IS 'the last observation of the source by the end of that pull';

CREATE FUNCTION tthc.add_link() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Rights by column keep the service from giving the hash; who may, brings links back from a copy of the ledger.
    IF NEW.chain_hash IS NOT NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(7411002);
    -- Who looks at an older moment of the table, or drew a number before another's, would make the chain fork.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted')
       OR NEW.batch_id <= (SELECT max(b.batch_id) FROM tthc.observation_batches b) THEN
        RAISE EXCEPTION 'link % cannot follow on the newest one', NEW.batch_id
              USING HINT = 'Take the lock of the chain first, and add links in READ COMMITTED.';
    END IF;
    NEW.version := 2;
    NEW.linked_at := clock_timestamp();
    NEW.previous_hash := coalesce(
        (SELECT b.chain_hash FROM tthc.observation_batches b ORDER BY b.batch_id DESC LIMIT 1), decode(repeat('00', 32), 'hex'));
    NEW.chain_hash := tthc.link_hash(NEW);
    RETURN NEW;
END $$;
CREATE FUNCTION tthc.microseconds(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((extract(epoch FROM at) * 1000000)::bigint::text, '')
$$;
CREATE FUNCTION tthc.link_hash(link tthc.observation_batches) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(link.previous_hash || convert_to(concat_ws('|', '2', link.kind, s.source_id, s.name,
        tthc.microseconds(link.seen_at), tthc.microseconds(link.linked_at),
        coalesce(link.first_observation_id::text, ''), coalesce(link.last_observation_id::text, ''), link.row_count,
        tthc.microseconds(link.asked_at), tthc.microseconds(link.unchanged_at), coalesce(link.held_until::text, '')
    ), 'UTF8') || link.rows_hash)
    FROM tthc.sources s WHERE s.source_id = link.source_id
$$;
COMMENT ON FUNCTION tthc.link_hash IS 'the chain hash of a link of version 2';
REVOKE ALL ON FUNCTION tthc.add_link, tthc.microseconds, tthc.link_hash FROM PUBLIC;
CREATE TRIGGER add_link BEFORE INSERT ON tthc.observation_batches FOR EACH ROW EXECUTE FUNCTION tthc.add_link();

CREATE TABLE tthc.ledger_events (
    batch_id bigint NOT NULL REFERENCES tthc.observation_batches,
    dossier_id bigint NOT NULL,
    event text NOT NULL CHECK (event IN ('missed', 'left_out', 'listed', 'vanished', 'back', 'erased')),
    PRIMARY KEY (dossier_id, batch_id, event)
);
COMMENT ON TABLE tthc.ledger_events IS
    'what no observation tells: an open dossier was not listed (missed, left_out), is listed again, has vanished, is back; its details were erased';
CREATE INDEX ledger_events_of_link ON tthc.ledger_events (batch_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tthc.ledger_events
    FOR EACH STATEMENT EXECUTE FUNCTION tthc.refuse_change();
"""

VIEWS = """
CREATE OR REPLACE VIEW audit.ledger AS
SELECT b.batch_id, s.name AS source, b.seen_at, b.row_count, encode(b.chain_hash, 'hex') AS chain_hash,
       encode(b.previous_hash, 'hex') AS previous_hash,
       b.kind, b.linked_at, b.first_observation_id, b.last_observation_id, b.version,
       encode(b.rows_hash, 'hex') AS rows_hash, b.asked_at, b.unchanged_at, b.held_until, b.run_id
FROM tthc.observation_batches b JOIN tthc.sources s USING (source_id);
COMMENT ON VIEW audit.ledger IS
    'Chuỗi băm của sổ cái: mỗi lô ghi nhận một mắt xích | The chain of the ledger: one link per batch';

CREATE VIEW audit.ledger_events AS
SELECT e.batch_id, s.name AS source, b.seen_at, e.dossier_id, e.event
FROM tthc.ledger_events e JOIN tthc.observation_batches b USING (batch_id) JOIN tthc.sources s USING (source_id);
COMMENT ON VIEW audit.ledger_events IS
    'Điều mà không lần ghi nhận nào nói: hồ sơ đang mở không còn trong danh sách của nguồn, biến mất, trở lại, bị xóa '
    'thông tin chi tiết | What no observation tells: not listed, vanished, back, details erased';

CREATE VIEW audit.ledger_days AS
SELECT (b.seen_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS day, count(*) AS links,
       coalesce(sum(b.row_count) FILTER (WHERE b.kind = 'observations'), 0)::bigint AS observations,
       max(b.batch_id) AS last_batch_id,
       (array_agg(encode(b.chain_hash, 'hex') ORDER BY b.batch_id DESC))[1] AS head
FROM tthc.observation_batches b GROUP BY 1;
COMMENT ON VIEW audit.ledger_days IS
    'Mỗi ngày (giờ Việt Nam) một dòng: số mắt xích, số lần ghi nhận và mã niêm phong cuối ngày (head), cũng được in trong '
    'thư nhắc việc và báo cáo | One row a day: links, observations and the head, which mails and reports print';
"""

SCRIPTS: tuple[str, ...] = (ONLY_ERASURE, MONTHS, PARTITIONED, OBSERVATIONS, FORMER, CHAIN, VIEWS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)
    renew_content_hashes(op.get_bind())


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
