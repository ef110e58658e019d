"""The list of what a shop made, newest first, and payments by their phone."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NEW = {
    "ix_payments_shop_id_created_at": "payments (shop_id, created_at, id) WHERE shop_id IS NOT NULL",
    "ix_payments_phone_hash": "payments (phone_hash) WHERE phone_hash IS NOT NULL",
    "ix_payments_phone_last_four": "payments (phone_last_four) WHERE phone_last_four IS NOT NULL",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, index in _NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {index}")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    for name in _NEW:
        op.execute(f"DROP INDEX {name}")
