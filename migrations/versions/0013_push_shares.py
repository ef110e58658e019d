"""Open pushes are counted, for each phone, user and address."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "push_shares",
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_push_shares_payment_id_payments")),
        sa.PrimaryKeyConstraint("holder", "created_at", "payment_id", name=op.f("pk_push_shares")),
    )


def downgrade() -> None:
    op.drop_table("push_shares")
