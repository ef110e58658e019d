"""What is due is found without what lies ahead or is under way."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_jobs_unleased",
        "jobs",
        ["queue", "kind", "due_at"],
        postgresql_where=sa.text("state = 'ready' AND leased_until IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_unleased", table_name="jobs")
