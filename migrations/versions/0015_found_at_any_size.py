"""What is asked for finds its way at any size; what nobody reads is not written."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_ticks_created_at", "ticks", ["created_at"])
    op.create_index(
        "ix_payments_not_completed",
        "payments",
        ["status", "created_at", "id"],
        postgresql_where=sa.text("status <> 'completed'"),
        postgresql_include=["payment_method"],
    )
    op.drop_index("ix_payments_open", table_name="payments")
    op.create_index("ix_payments_payment_method_created_at", "payments", ["payment_method", "created_at", "id"])
    op.drop_index("ix_notices_payment_id", table_name="notices")
    op.create_index(
        "ix_notices_payment_id", "notices", ["payment_id"], postgresql_where=sa.text("payment_id IS NOT NULL")
    )
    op.drop_index("ix_notices_awaits", table_name="notices")
    op.create_index(
        "ix_notices_awaits",
        "notices",
        ["awaits"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=sa.text("awaits IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_notices_awaits", table_name="notices")
    op.create_index(
        "ix_notices_awaits", "notices", ["awaits"], postgresql_using="gin", postgresql_where=sa.text("state = 'parked'")
    )
    op.drop_index("ix_notices_payment_id", table_name="notices")
    op.create_index("ix_notices_payment_id", "notices", ["payment_id"])
    op.create_index(
        "ix_payments_open",
        "payments",
        ["payment_method", "status"],
        postgresql_where=sa.text("status IN ('pending', 'processing')"),
    )
    op.drop_index("ix_payments_payment_method_created_at", table_name="payments")
    op.drop_index("ix_payments_not_completed", table_name="payments")
    op.drop_index("ix_ticks_created_at", table_name="ticks")
