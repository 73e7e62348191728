"""What came of a delivery is a word of its own; by which way it went, what it was about, and what auditors see of it.

Auditors see whether the mails about a unit went out, not to whom: neither address, nor Message-ID (which begins with the
address), nor the server's answer (which may quote it) is in the view.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLE = """
ALTER TABLE tthc.deliveries
    ADD COLUMN outcome text
        CHECK (outcome IN ('sent', 'failed', 'refused', 'in_doubt', 'unsubscribed', 'nothing')),
    ADD COLUMN channel text,
    ADD COLUMN attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN units text[] NOT NULL DEFAULT '{}',
    ADD COLUMN counts jsonb,
    ADD COLUMN answer text;
UPDATE tthc.deliveries SET
    outcome = CASE WHEN sent_at IS NOT NULL THEN 'sent'
                   WHEN error LIKE 'permanent: %nobody knows whether it was delivered%' THEN 'in_doubt'
                   WHEN error LIKE 'permanent: %' THEN 'refused'
                   WHEN error IS NOT NULL THEN 'failed' END,
    error = regexp_replace(error, '^(permanent|transient): ', '');
CREATE INDEX deliveries_of_a_day ON tthc.deliveries (local_date, kind);
COMMENT ON TABLE tthc.deliveries IS
    'each mail of a kind to a recipient for a local day is claimed once: the primary key lets one process through';
COMMENT ON COLUMN tthc.deliveries.outcome IS
    'what came of the last attempt; null while it is under way, or when its process died. A mail that was taken once stays sent';
COMMENT ON COLUMN tthc.deliveries.channel IS 'the way of the last attempt: smtp, webhook, directory';
COMMENT ON COLUMN tthc.deliveries.attempts IS 'how often it was claimed to be sent';
COMMENT ON COLUMN tthc.deliveries.units IS 'codes of the units that it is about; empty: the whole office';
COMMENT ON COLUMN tthc.deliveries.counts IS 'the figures that it told, by name';
COMMENT ON COLUMN tthc.deliveries.answer IS 'what the server said when it took it';
"""

# Where an attempt stands that recorded nothing is told by its lease, as tthc_monitor/store/deliveries.py does.
VIEW = """
CREATE VIEW audit.deliveries AS
SELECT d.kind, d.local_date, d.units, d.channel,
       CASE WHEN d.outcome IS NOT NULL THEN d.outcome
            WHEN d.lease_until >= clock_timestamp() THEN 'under_way'
            WHEN d.sent_at IS NOT NULL THEN 'sent'
            WHEN d.handing_over_at IS NOT NULL THEN 'in_doubt'
            ELSE 'failed' END AS outcome,
       d.attempts, d.claimed_at AS tried_at, d.sent_at, d.counts
FROM tthc.deliveries d;
COMMENT ON VIEW audit.deliveries IS
    'Các thư đã gửi, mỗi người nhận một dòng, không nêu người nhận | Mails, one row for each recipient, who is not named';
COMMENT ON COLUMN audit.deliveries.kind IS
    'Loại thư: digest (bản tin buổi sáng), escalation (báo cáo cấp trên) | Kind: digest, escalation to a superior';
COMMENT ON COLUMN audit.deliveries.local_date IS 'Ngày của thư | Local day that it is for';
COMMENT ON COLUMN audit.deliveries.units IS
    'Mã các đơn vị nêu trong thư; rỗng: toàn bộ cơ quan | Codes of the units it is about; empty: the whole office';
COMMENT ON COLUMN audit.deliveries.channel IS 'Kênh gửi: smtp, webhook, directory | Way of the last attempt';
COMMENT ON COLUMN audit.deliveries.outcome IS
    'Kết quả: sent, failed (sẽ gửi lại), refused, in_doubt (không rõ đã nhận chưa), unsubscribed, nothing (không có việc cần '
    'báo), under_way | What came of it: sent; failed, and is tried again; refused for good; in doubt; not sent, since the '
    'recipient wants none, or nothing needed action; under way';
COMMENT ON COLUMN audit.deliveries.attempts IS 'Số lần gửi | How often it was tried';
COMMENT ON COLUMN audit.deliveries.tried_at IS 'Thời điểm gửi lần gần nhất | When it was tried last';
COMMENT ON COLUMN audit.deliveries.sent_at IS 'Thời điểm máy chủ nhận | When the server took it';
COMMENT ON COLUMN audit.deliveries.counts IS 'Các số liệu đã báo trong thư | Figures that it told, by name';
"""

SCRIPTS = (TABLE, VIEW)


def upgrade() -> None:
    for script in SCRIPTS:
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("the ledger is append-only: restore a backup to go back")
