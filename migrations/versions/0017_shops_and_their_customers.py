"""A role for a shop's server, and the customers that a shop names.

On the way down a shop becomes a customer, who sees what is its own alone, and its customers keep their payments.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a scan: a column that is added empty holds nothing that could point nowhere.
    op.execute("""
        ALTER TABLE users
            ADD COLUMN shop_id VARCHAR CONSTRAINT fk_users_shop_id_users REFERENCES users (id),
            ADD COLUMN reference VARCHAR,
            ADD COLUMN phone VARCHAR,
            ADD COLUMN encrypted_phone VARCHAR,
            ADD COLUMN erased_at TIMESTAMPTZ,
            DROP CONSTRAINT ck_users_role,
            ADD CONSTRAINT ck_users_role CHECK (role IN ('customer', 'shop', 'operator', 'admin')) NOT VALID,
            ADD CONSTRAINT ck_users_of_a_shop_is_a_customer
                CHECK (shop_id IS NULL OR role = 'customer') NOT VALID
    """)


def downgrade() -> None:
    op.execute("UPDATE users SET role = 'customer' WHERE role = 'shop'")
    op.execute("""
        ALTER TABLE users
            DROP CONSTRAINT ck_users_of_a_shop_is_a_customer,
            DROP CONSTRAINT ck_users_role,
            ADD CONSTRAINT ck_users_role CHECK (role IN ('customer', 'operator', 'admin'))
    """)
    op.execute("""
        ALTER TABLE users
            DROP COLUMN erased_at, DROP COLUMN encrypted_phone, DROP COLUMN phone, DROP COLUMN reference,
            DROP COLUMN shop_id
    """)
