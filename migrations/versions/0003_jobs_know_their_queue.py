"""A job knows its queue, so that each provider's work has its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("queue", sa.String(), nullable=True))
    # Until now every payment was Stripe's.
    op.execute("""
        UPDATE jobs SET queue = CASE split_part(kind, '.', 1)
            WHEN 'payment' THEN 'provider.stripe' WHEN 'notice' THEN 'notices' ELSE split_part(kind, '.', 1) END
    """)
    op.alter_column("jobs", "queue", nullable=False)
    op.create_index("ix_jobs_leased", "jobs", ["queue"], postgresql_where=sa.text("leased_until IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_jobs_leased", table_name="jobs")
    op.drop_column("jobs", "queue")
