"""An order of a shop's has a link: what it says, how it may be paid, until when, and whether it was opened."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a scan: a column that is added empty holds nothing that could point nowhere.
    op.execute("""
        ALTER TABLE orders
            ADD COLUMN shop_id VARCHAR CONSTRAINT fk_orders_shop_id_users REFERENCES users (id),
            ADD COLUMN description VARCHAR NOT NULL DEFAULT '',
            ADD COLUMN items JSONB NOT NULL DEFAULT '[]',
            ADD COLUMN methods TEXT[],
            ADD COLUMN metadata JSONB NOT NULL DEFAULT '{}',
            ADD COLUMN success_url VARCHAR,
            ADD COLUMN cancel_url VARCHAR,
            ADD COLUMN expires_at TIMESTAMPTZ,
            ADD COLUMN opened_at TIMESTAMPTZ,
            ADD COLUMN closed_at TIMESTAMPTZ,
            ADD COLUMN event_sequence INTEGER NOT NULL DEFAULT 0,
            DROP CONSTRAINT ck_orders_status,
            ADD CONSTRAINT ck_orders_status
                CHECK (status IN ('open', 'processing', 'paid', 'refunded', 'expired', 'closed')) NOT VALID
    """)


def downgrade() -> None:
    op.execute("UPDATE orders SET status = 'open' WHERE status IN ('expired', 'closed')")
    op.execute("""
        ALTER TABLE orders
            DROP CONSTRAINT ck_orders_status,
            ADD CONSTRAINT ck_orders_status CHECK (status IN ('open', 'processing', 'paid', 'refunded')),
            DROP COLUMN event_sequence, DROP COLUMN closed_at, DROP COLUMN opened_at, DROP COLUMN expires_at,
            DROP COLUMN cancel_url, DROP COLUMN success_url, DROP COLUMN metadata, DROP COLUMN methods,
            DROP COLUMN items, DROP COLUMN description, DROP COLUMN shop_id
    """)
