"""What a stranger says of a payment is a question of its own; and whatever a stranger may ask is read off an index."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_REVIEWS_BELOW = (
    "paid_mismatch", "paid_late", "paid_twice", "orphan_notice", "job_dead", "unsettled", "invariant_broken",
    "reversed", "refund_manual", "refund_unsettled", "refund_approval", "refund_undone", "refund_mismatch",
    "dispute_open", "finding", "refund_failed", "refund_waits", "fraud_warning", "configuration", "mail_trouble",
)  # fmt: skip


def upgrade() -> None:
    _allow_reviews((*_REVIEWS_BELOW, "paid_elsewhere"))
    _index_what_is_counted()
    _let_rows_have_a_life()


def _let_rows_have_a_life() -> None:
    op.create_table(
        "watermarks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watermarks")),
    )
    settled = sa.text("settled_at IS NOT NULL")
    op.create_index("ix_notices_settled_at", "notices", ["settled_at"], postgresql_where=settled)
    op.create_index("ix_emails_created_at", "emails", ["created_at"])


def _index_what_is_counted() -> None:
    is_open = sa.text("status IN ('pending', 'processing')")
    op.create_index("ix_payments_open", "payments", ["payment_method", "status"], postgresql_where=is_open)
    op.create_index("ix_jobs_dead", "jobs", ["finished_at"], postgresql_where=sa.text("state = 'dead'"))
    op.create_index(
        "ix_reconciliation_runs_done",
        "reconciliation_runs",
        ["loop", "provider", sa.text("finished_at DESC")],
        postgresql_where=sa.text("state = 'done' AND NOT dry_run"),
    )


def _allow_reviews(words: tuple[str, ...]) -> None:
    name, listed = op.f("ck_reviews_kind"), ", ".join(f"'{word}'" for word in words)
    op.drop_constraint(name, "reviews", type_="check")
    op.create_check_constraint(name, "reviews", f"kind IN ({listed})")


def downgrade() -> None:
    op.drop_index("ix_emails_created_at", table_name="emails")
    op.drop_index("ix_notices_settled_at", table_name="notices")
    op.drop_table("watermarks")
    op.drop_index("ix_reconciliation_runs_done", table_name="reconciliation_runs")
    op.drop_index("ix_jobs_dead", table_name="jobs")
    op.drop_index("ix_payments_open", table_name="payments")
    # The release below knows it as the same question about the payment itself. Where that one is open already, it stays
    # open about its own id, as nothing may be asked twice.
    op.execute("""
        UPDATE reviews SET kind = 'paid_mismatch' WHERE kind = 'paid_elsewhere' AND (resolved_at IS NOT NULL OR NOT
        EXISTS (SELECT FROM reviews AS other WHERE other.kind = 'paid_mismatch' AND other.subject = reviews.subject
                AND other.resolved_at IS NULL))
    """)
    op.execute("""
        UPDATE reviews SET kind = 'unsettled', subject = id, detail = kind || ': ' || detail
        WHERE kind = 'paid_elsewhere'
    """)
    _allow_reviews(_REVIEWS_BELOW)
