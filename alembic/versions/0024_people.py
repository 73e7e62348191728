"""Who took note of a digest and by when he means to be done, and who wants none.

Both hold the addresses of officials, so that retention forgets them as it forgets to whom mails went. What an official said
is never changed: he says something else, and the newest counts.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tthc.acknowledgements (
    acknowledgement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient text NOT NULL,
    local_date date NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    unit_codes text[] CHECK (unit_codes <> '{}'),
    role text NOT NULL CHECK (role IN ('head', 'staff', 'inspector')),
    done_before date CHECK (done_before > local_date),
    note text CHECK (length(note) BETWEEN 1 AND 500)
);
CREATE INDEX acknowledgements_of_a_mail ON tthc.acknowledgements (recipient, local_date, acknowledgement_id);
COMMENT ON TABLE tthc.acknowledgements IS
    'who took note of the digest of a day; of several about one digest the newest counts';
COMMENT ON COLUMN tthc.acknowledgements.unit_codes IS 'what the recipient is named for in the settings; null: the whole office';
COMMENT ON COLUMN tthc.acknowledgements.done_before IS 'the day before which he means to be done; null: he named none';

CREATE TABLE tthc.digest_optouts (
    optout_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient text NOT NULL,
    opted_out_at timestamptz NOT NULL,
    taken_back_at timestamptz
);
CREATE UNIQUE INDEX digest_optouts_in_force ON tthc.digest_optouts (recipient) WHERE taken_back_at IS NULL;
COMMENT ON TABLE tthc.digest_optouts IS 'who wanted no digests, from when on, and when that was taken back; null: it stands';
"""

VIEWS = """
CREATE VIEW audit.acknowledgements AS
SELECT a.acknowledgement_id, a.recipient, a.role, a.unit_codes, a.local_date, a.acknowledged_at, a.done_before, a.note,
       lead(a.acknowledged_at) OVER (PARTITION BY a.recipient, a.local_date ORDER BY a.acknowledgement_id) AS replaced_at
FROM tthc.acknowledgements a;
COMMENT ON VIEW audit.acknowledgements IS
    'Ai đã xác nhận nắm được bản tin của ngày nào, hẹn xử lý xong trước ngày nào | '
    'Who took note of the digest of which day, and before which day he means to be done';
COMMENT ON COLUMN audit.acknowledgements.acknowledgement_id IS 'số thứ tự | number, in order';
COMMENT ON COLUMN audit.acknowledgements.recipient IS 'địa chỉ thư của người nhận bản tin | mail address of the recipient';
COMMENT ON COLUMN audit.acknowledgements.role IS
    'vai trò: head lãnh đạo, staff chuyên viên, inspector kiểm tra | role in the settings then';
COMMENT ON COLUMN audit.acknowledgements.unit_codes IS
    'mã các đơn vị người nhận phụ trách; trống là toàn bộ | units that the recipient was named for; null: the whole office';
COMMENT ON COLUMN audit.acknowledgements.local_date IS 'ngày của bản tin | day of the digest';
COMMENT ON COLUMN audit.acknowledgements.acknowledged_at IS 'thời điểm xác nhận | when he took note';
COMMENT ON COLUMN audit.acknowledgements.done_before IS
    'hẹn xử lý xong trước ngày này; trống là không hẹn | the day before which he means to be done; null: none named';
COMMENT ON COLUMN audit.acknowledgements.note IS 'ghi chú của người xác nhận | his note';
COMMENT ON COLUMN audit.acknowledgements.replaced_at IS
    'thời điểm được thay bằng xác nhận mới hơn của cùng bản tin | when a newer one about the same digest took its place';
"""

SCRIPTS: tuple[str, ...] = (TABLES, VIEWS)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
