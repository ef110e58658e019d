"""Wallets: payers encrypted until they are needed, refunds, circuits, and providers that need no migration."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD_METHODS = "payment_method IN ('stripe', 'jazz_cash', 'easy_paisa')"
_OLD_KINDS = "'paid_mismatch', 'paid_late', 'paid_twice', 'orphan_notice', 'job_dead', 'unsettled', 'invariant_broken'"
_NEW_KINDS = "'reversed', 'refund_manual', 'refund_unsettled'"


def upgrade() -> None:
    op.add_column("payments", sa.Column("sealed_payer", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("provider_receipt", sa.String(), nullable=True))
    op.add_column("payments", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_payments_payment_method"), "payments", type_="check")
    op.create_check_constraint(
        op.f("ck_payments_payment_method_name"), "payments", "payment_method ~ '^[a-z][a-z_]{1,31}$'"
    )
    op.alter_column(
        "payments", "payment_method", type_=sa.String(), existing_type=sa.String(32), existing_nullable=False
    )
    op.drop_constraint(op.f("ck_reviews_kind"), "reviews", type_="check")
    op.create_check_constraint(op.f("ck_reviews_kind"), "reviews", f"kind IN ({_OLD_KINDS}, {_NEW_KINDS})")
    op.create_table(
        "circuits",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("provider", "operation", name="pk_circuits"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "manual",
                "succeeded",
                "failed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("failure_message", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name="ck_refunds_amount_positive"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_refunds_payment_id"),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name="fk_refunds_requested_by"),
        sa.PrimaryKeyConstraint("id", name="pk_refunds"),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"], unique=False)
    op.create_index(
        "uq_refunds_in_flight",
        "refunds",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'manual')"),
    )


def downgrade() -> None:
    op.drop_table("refunds")
    op.drop_table("circuits")
    # The release below knows none of these questions: they stay open as ones it knows, each about itself.
    op.execute("""
        UPDATE reviews SET kind = 'unsettled', subject = id, detail = kind || ': ' || detail
        WHERE kind IN ('reversed', 'refund_manual', 'refund_unsettled')
    """)
    op.drop_constraint(op.f("ck_reviews_kind"), "reviews", type_="check")
    op.create_check_constraint(op.f("ck_reviews_kind"), "reviews", f"kind IN ({_OLD_KINDS})")
    op.alter_column(
        "payments", "payment_method", type_=sa.String(32), existing_type=sa.String(), existing_nullable=False
    )
    op.drop_constraint(op.f("ck_payments_payment_method_name"), "payments", type_="check")
    # A provider of a later release may have rows: they stay, and no new ones come.
    op.execute(f"ALTER TABLE payments ADD CONSTRAINT ck_payments_payment_method CHECK ({_OLD_METHODS}) NOT VALID")
    op.drop_column("payments", "asked_at")
    op.drop_column("payments", "provider_receipt")
    op.drop_column("payments", "sealed_payer")
