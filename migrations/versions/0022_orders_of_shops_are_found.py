"""A shop's orders, newest first and by its own number of them."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_NEW = {
    "uq_orders_shop_id_reference": (
        "UNIQUE INDEX CONCURRENTLY {} ON orders (shop_id, reference) WHERE shop_id IS NOT NULL"
    ),
    "ix_orders_created_at": "INDEX CONCURRENTLY {} ON orders (created_at, id)",
    "ix_orders_shop_id_created_at": (
        "INDEX CONCURRENTLY {} ON orders (shop_id, created_at, id) WHERE shop_id IS NOT NULL"
    ),
}


def upgrade() -> None:
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_status")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, index in _NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {index.format(name)}")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    for name in _NEW:
        op.execute(f"DROP INDEX {name}")
