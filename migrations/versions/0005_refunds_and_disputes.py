"""Refunds explain themselves by events and may be imported; disputes are recorded; a client's key may make a refund."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OLD_REVIEWS = (
    "'paid_mismatch', 'paid_late', 'paid_twice', 'orphan_notice', 'job_dead', 'unsettled', 'invariant_broken', "
    "'reversed', 'refund_manual', 'refund_unsettled'"
)
_NEW_REVIEWS = "'refund_approval', 'refund_undone', 'refund_mismatch', 'dispute_open', 'finding'"

_OLD_REFUNDS = ("pending", "manual", "succeeded", "failed")
_REFUNDS = ("requested", "pending", "manual", "succeeded", "failed", "cancelled")
_REFUND_FACTS = ("asked", "approved", "handed_over", "under_way", "succeeded", "failed", "cancelled")
_DISPUTES = (
    "inquiry",
    "inquiry_under_review",
    "inquiry_closed",
    "unknown",
    "needs_response",
    "under_review",
    "prevented",
    "won",
    "lost",
    "appeal_needs_response",
    "appeal_under_review",
)
_EFFECTS = ("moved", "same", "late")
_SOURCES = ("api", "notice", "poll", "reconcile", "operator")


def upgrade() -> None:
    op.drop_constraint(op.f("ck_reviews_kind"), "reviews", type_="check")
    op.create_check_constraint(op.f("ck_reviews_kind"), "reviews", f"kind IN ({_OLD_REVIEWS}, {_NEW_REVIEWS})")
    op.drop_constraint(op.f("fk_idempotency_keys_payment_id"), "idempotency_keys", type_="foreignkey")
    op.alter_column("idempotency_keys", "payment_id", new_column_name="subject")
    _widen_refunds()
    _make_refund_events()
    _make_disputes()
    for table in ("refund_events", "dispute_events"):
        op.execute(f"""
            CREATE TRIGGER events_are_only_added BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change()
        """)


def _widen_refunds() -> None:
    op.add_column("refunds", sa.Column("provider_refund_id", sa.String(), nullable=True))
    op.create_unique_constraint(op.f("uq_refunds_provider_refund_id"), "refunds", ["provider_refund_id"])
    op.add_column("refunds", sa.Column("alone", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.alter_column("refunds", "requested_by", existing_type=sa.String(), nullable=True)
    op.drop_constraint(op.f("ck_refunds_status"), "refunds", type_="check")
    op.create_check_constraint(op.f("ck_refunds_status"), "refunds", f"status IN {_REFUNDS}")
    _index_in_flight("alone AND status IN ('requested', 'pending', 'manual')")


def _make_refund_events() -> None:
    op.create_table(
        "refund_events",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("refund_id", sa.String(), nullable=False),
        _closed("fact", _REFUND_FACTS),
        *_event_columns(_REFUNDS),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name="fk_refund_events_refund_id"),
        sa.PrimaryKeyConstraint("number", name="pk_refund_events"),
    )
    op.create_index("ix_refund_events_refund_id", "refund_events", ["refund_id"])
    # What the release below knew of its refunds: that they were asked for, and how they ended.
    op.execute("""
        INSERT INTO refund_events (refund_id, fact, effect, from_status, to_status, source, evidence, at)
        SELECT id, 'asked', 'moved', NULL,
               CASE WHEN status = 'manual' THEN 'manual' ELSE 'pending' END, 'api', requested_by, created_at
        FROM refunds ORDER BY created_at, id
    """)
    op.execute("""
        INSERT INTO refund_events (refund_id, fact, effect, from_status, to_status, source, detail, at)
        SELECT id, status, 'moved', 'pending', status, 'api', failure_message, coalesce(settled_at, created_at)
        FROM refunds WHERE status IN ('succeeded', 'failed') ORDER BY settled_at, id
    """)


def _make_disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_dispute_id", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        _closed("status", _DISPUTES),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor >= 0", name="ck_disputes_amount_not_negative"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_disputes_payment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_disputes"),
        sa.UniqueConstraint("provider", "provider_dispute_id", name="uq_disputes_provider_provider_dispute_id"),
    )
    op.create_index("ix_disputes_payment_id", "disputes", ["payment_id"])
    op.create_table(
        "dispute_events",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dispute_id", sa.String(), nullable=False),
        _closed("told", _DISPUTES),
        *_event_columns(_DISPUTES),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name="fk_dispute_events_dispute_id"),
        sa.PrimaryKeyConstraint("number", name="pk_dispute_events"),
    )
    op.create_index("ix_dispute_events_dispute_id", "dispute_events", ["dispute_id"])


def _event_columns(statuses: tuple[str, ...]) -> list[sa.Column[object]]:
    return [
        _closed("effect", _EFFECTS),
        _closed("from_status", statuses, nullable=True),
        _closed("to_status", statuses),
        _closed("source", _SOURCES),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
    ]


def _closed(name: str, words: tuple[str, ...], *, nullable: bool = False) -> "sa.Column[object]":
    checked = sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, checked, nullable=nullable)


def _index_in_flight(where: str) -> None:
    op.drop_index("uq_refunds_in_flight", table_name="refunds")
    op.create_index("uq_refunds_in_flight", "refunds", ["payment_id"], unique=True, postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_table("dispute_events")
    op.drop_table("disputes")
    op.drop_table("refund_events")
    # A key that made a refund stays one of its payment: its stored answer is still the one that is replayed.
    op.execute("UPDATE idempotency_keys SET subject = r.payment_id FROM refunds r WHERE r.id = subject")
    op.alter_column("idempotency_keys", "subject", new_column_name="payment_id")
    op.create_foreign_key(
        op.f("fk_idempotency_keys_payment_id"), "idempotency_keys", "payments", ["payment_id"], ["id"]
    )
    _narrow_refunds()
    # What an operator was to decide becomes what a person is to carry out: the refund itself turns so, too.
    op.execute("UPDATE reviews SET kind = 'refund_manual' WHERE kind = 'refund_approval'")
    # The release below knows none of these questions: they stay open as ones it knows, each about itself.
    op.execute("""
        UPDATE reviews SET kind = 'unsettled', subject = id, detail = kind || ': ' || detail
        WHERE kind IN ('refund_undone', 'refund_mismatch', 'dispute_open', 'finding')
    """)
    op.drop_constraint(op.f("ck_reviews_kind"), "reviews", type_="check")
    op.create_check_constraint(op.f("ck_reviews_kind"), "reviews", f"kind IN ({_OLD_REVIEWS})")


def _narrow_refunds() -> None:
    # A refund that waits for an operator becomes one that a person must make; one that was called off gave nothing.
    op.execute("UPDATE refunds SET status = 'manual' WHERE status = 'requested'")
    op.execute("UPDATE refunds SET status = 'failed' WHERE status = 'cancelled'")
    # The release below lets one refund a payment be on its way: the oldest stays so, and the others go to a person.
    op.execute("""
        WITH ranked AS (
            SELECT id, row_number() OVER (PARTITION BY payment_id ORDER BY created_at, id) AS place
            FROM refunds WHERE status IN ('pending', 'manual')
        ), dropped AS (
            UPDATE refunds SET status = 'failed', failure_code = 'downgraded' FROM ranked
            WHERE refunds.id = ranked.id AND place > 1 RETURNING refunds.id, refunds.payment_id
        )
        INSERT INTO reviews (id, kind, subject, payment_id, detail)
        SELECT 'rev_' || id, 'refund_unsettled', id, payment_id, 'Look up in the provider''s portal how it ended.'
        FROM dropped
    """)
    op.execute(
        "UPDATE refunds SET requested_by = p.user_id FROM payments p WHERE p.id = payment_id AND requested_by IS NULL"
    )
    _index_in_flight("status IN ('pending', 'manual')")
    op.drop_constraint(op.f("ck_refunds_status"), "refunds", type_="check")
    op.create_check_constraint(op.f("ck_refunds_status"), "refunds", f"status IN {_OLD_REFUNDS}")
    op.alter_column("refunds", "requested_by", existing_type=sa.String(), nullable=False)
    op.drop_column("refunds", "alone")
    op.drop_constraint(op.f("uq_refunds_provider_refund_id"), "refunds", type_="unique")
    op.drop_column("refunds", "provider_refund_id")
