"""A shop's customers are found by its own reference of them, or by their address."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE users VALIDATE CONSTRAINT ck_users_role")
    op.execute("ALTER TABLE users VALIDATE CONSTRAINT ck_users_of_a_shop_is_a_customer")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, index in _NEW.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {index.format(name=name)}")
        # Under another name meanwhile, so that there is always one that holds.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_users_email")
        op.execute("ALTER INDEX uq_users_email_by_hand RENAME TO uq_users_email")
        op.execute("RESET lock_timeout")


_NEW = {
    "uq_users_shop_id_reference": (
        "UNIQUE INDEX CONCURRENTLY {name} ON users (shop_id, reference)"
        " WHERE shop_id IS NOT NULL AND reference IS NOT NULL"
    ),
    "uq_users_shop_id_email": (
        "UNIQUE INDEX CONCURRENTLY {name} ON users (shop_id, lower(email))"
        " WHERE shop_id IS NOT NULL AND reference IS NULL"
    ),
    "ix_users_shop_id_created_at": (
        "INDEX CONCURRENTLY {name} ON users (shop_id, created_at, id) WHERE shop_id IS NOT NULL"
    ),
    "uq_users_email_by_hand": (
        "UNIQUE INDEX CONCURRENTLY {name} ON users (lower(email)) WHERE token_subject IS NULL AND shop_id IS NULL"
    ),
}


def downgrade() -> None:
    # Two shops may know the same address, and the index of before knows no shops: theirs look like a token's.
    op.execute("UPDATE users SET token_subject = 'shop:' || id WHERE shop_id IS NOT NULL")
    op.execute("DROP INDEX uq_users_email")
    op.execute("CREATE UNIQUE INDEX uq_users_email ON users (lower(email)) WHERE token_subject IS NULL")
    for name in ("uq_users_shop_id_reference", "uq_users_shop_id_email", "ix_users_shop_id_created_at"):
        op.execute(f"DROP INDEX {name}")
