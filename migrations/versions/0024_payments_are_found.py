"""A payment is found by its amount, its receipt, its customer's address and its order's number."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_NEW = {
    "ix_payments_amount_minor_created_at": "INDEX CONCURRENTLY {} ON payments (amount_minor, created_at, id)",
    "ix_payments_provider_receipt": (
        "INDEX CONCURRENTLY {} ON payments (provider_receipt) WHERE provider_receipt IS NOT NULL"
    ),
    "ix_users_email": "INDEX CONCURRENTLY {} ON users (lower(email))",
    "ix_orders_reference": "INDEX CONCURRENTLY {} ON orders (reference)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, index in _NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {index.format(name)}")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    for name in _NEW:
        op.execute(f"DROP INDEX {name}")
