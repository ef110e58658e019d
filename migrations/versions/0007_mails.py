"""Mails of six kinds, which may be withdrawn, and the language of their readers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KINDS = ("receipt", "failure", "refund", "refund_failed", "dispute", "digest")
_LOCALES = ("en", "ur")


def upgrade() -> None:
    op.add_column("emails", sa.Column("about", sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column("emails", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("emails", "payment_id", existing_type=sa.String(), nullable=True)
    _allow_kinds(f"kind IN {_KINDS}")
    op.create_check_constraint(
        op.f("ck_emails_only_a_digest_has_no_payment"), "emails", "(kind = 'digest') = (payment_id IS NULL)"
    )
    op.create_check_constraint(op.f("ck_emails_sent_or_withdrawn"), "emails", "sent_at IS NULL OR withdrawn_at IS NULL")
    op.drop_constraint(op.f("uq_emails_payment_id_kind"), "emails", type_="unique")
    op.create_unique_constraint(
        op.f("uq_emails_payment_id_kind_about"),
        "emails",
        ["payment_id", "kind", "about"],
        postgresql_nulls_not_distinct=True,
    )
    locale = sa.Enum(*_LOCALES, name="locale", native_enum=False, create_constraint=True, length=32)
    op.add_column("users", sa.Column("locale", locale, server_default="en", nullable=False))


def _allow_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_emails_kind"), "emails", type_="check")
    op.create_check_constraint(op.f("ck_emails_kind"), "emails", condition)


def downgrade() -> None:
    op.drop_column("users", "locale")
    _drop_what_only_this_release_tells()
    op.drop_constraint(op.f("uq_emails_payment_id_kind_about"), "emails", type_="unique")
    op.create_unique_constraint(op.f("uq_emails_payment_id_kind"), "emails", ["payment_id", "kind"])
    op.drop_constraint(op.f("ck_emails_sent_or_withdrawn"), "emails", type_="check")
    op.drop_constraint(op.f("ck_emails_only_a_digest_has_no_payment"), "emails", type_="check")
    _allow_kinds("kind IN ('receipt')")
    op.alter_column("emails", "payment_id", existing_type=sa.String(), nullable=False)
    op.drop_column("emails", "withdrawn_at")
    op.drop_column("emails", "about")


def _drop_what_only_this_release_tells() -> None:
    # The release below would send any mail as a receipt: what is none is not told, and nobody goes on trying.
    op.execute("""
        WITH dropped AS (DELETE FROM emails WHERE kind <> 'receipt' RETURNING id)
        UPDATE jobs SET state = 'done', finished_at = now(), leased_until = NULL, lease_token = NULL
        FROM dropped WHERE jobs.kind = 'mail.send' AND jobs.subject = dropped.id AND jobs.state <> 'done'
    """)
