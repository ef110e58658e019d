"""What giving money back asks: may this charge be refunded, was this call carried out, and who waits for whom.

A refund is in its payment's currency, and the database holds to it. Rows that an earlier release let in otherwise stay
for people to look at: the key is checked for what is written from now on, and `doctor` shows the others.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OLD_REVIEWS = (
    "'paid_mismatch', 'paid_late', 'paid_twice', 'orphan_notice', 'job_dead', 'unsettled', 'invariant_broken', "
    "'reversed', 'refund_manual', 'refund_unsettled', 'refund_approval', 'refund_undone', 'refund_mismatch', "
    "'dispute_open', 'finding'"
)
_NEW_REVIEWS = "'refund_failed', 'refund_waits', 'fraud_warning', 'configuration', 'mail_trouble'"
_OLD_FACTS = "'asked', 'approved', 'handed_over', 'under_way', 'succeeded', 'failed', 'cancelled'"


def upgrade() -> None:
    _allow("reviews", "kind", f"{_OLD_REVIEWS}, {_NEW_REVIEWS}")
    _allow("refund_events", "fact", f"{_OLD_FACTS}, 'superseded'")
    op.add_column("disputes", sa.Column("charge_refundable", sa.Boolean(), nullable=True))
    op.add_column("refunds", sa.Column("pending_reason", sa.String(), nullable=True))
    op.add_column("notices", sa.Column("awaits", postgresql.ARRAY(sa.String()), nullable=True))
    op.create_index(
        "ix_notices_awaits", "notices", ["awaits"], postgresql_using="gin", postgresql_where=sa.text("state = 'parked'")
    )
    op.create_unique_constraint(op.f("uq_payments_id_currency"), "payments", ["id", "currency"])
    op.execute("""
        ALTER TABLE refunds ADD CONSTRAINT fk_refunds_payment_currency
        FOREIGN KEY (payment_id, currency) REFERENCES payments (id, currency) NOT VALID
    """)


def _allow(table: str, column: str, words: str) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({words})")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_refunds_payment_currency"), "refunds", type_="foreignkey")
    op.drop_constraint(op.f("uq_payments_id_currency"), "payments", type_="unique")
    op.drop_index("ix_notices_awaits", table_name="notices")
    op.drop_column("notices", "awaits")
    op.drop_column("refunds", "pending_reason")
    op.drop_column("disputes", "charge_refundable")
    # The release below knows neither the word nor the questions: the first was a cancellation, and the others stay
    # open as ones it knows, each about itself.
    op.execute("ALTER TABLE refund_events DISABLE TRIGGER events_are_only_added")
    op.execute("UPDATE refund_events SET fact = 'cancelled' WHERE fact = 'superseded'")
    op.execute("ALTER TABLE refund_events ENABLE TRIGGER events_are_only_added")
    _allow("refund_events", "fact", _OLD_FACTS)
    op.execute("""
        UPDATE reviews SET kind = 'unsettled', subject = id, detail = kind || ': ' || detail
        WHERE kind IN ('refund_failed', 'refund_waits', 'fraud_warning', 'configuration', 'mail_trouble')
    """)
    _allow("reviews", "kind", _OLD_REVIEWS)
