"""A payment knows the shop that made it, how many events were told of it, and by which phone it can be found."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a scan: a column that is added empty holds nothing that could point nowhere.
    op.execute("""
        ALTER TABLE payments
            ADD COLUMN shop_id VARCHAR CONSTRAINT fk_payments_shop_id_users REFERENCES users (id),
            ADD COLUMN phone_hash BYTEA,
            ADD COLUMN phone_last_four VARCHAR,
            ADD COLUMN event_sequence INTEGER NOT NULL DEFAULT 0
    """)


def downgrade() -> None:
    op.execute("""
        ALTER TABLE payments
            DROP COLUMN event_sequence, DROP COLUMN phone_last_four, DROP COLUMN phone_hash, DROP COLUMN shop_id
    """)
