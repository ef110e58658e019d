"""A mail for the owner of a webhook's endpoint that is disabled.

On the way down those mails go: the release below could not write one.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BELOW = "'receipt', 'failure', 'refund', 'refund_failed', 'dispute', 'digest', 'finding'"
_OF_NO_PAYMENT_BELOW = "'digest', 'finding'"


def upgrade() -> None:
    # Validated in a transaction of its own, which lets others write meanwhile; half of it done is done again.
    with op.get_context().autocommit_block():
        op.execute(f"""
            ALTER TABLE emails
                DROP CONSTRAINT ck_emails_kind,
                ADD CONSTRAINT ck_emails_kind CHECK (kind IN ({_BELOW}, 'webhook_disabled')) NOT VALID,
                DROP CONSTRAINT ck_emails_of_a_payment_or_of_the_shop,
                ADD CONSTRAINT ck_emails_of_a_payment_or_of_the_shop CHECK (
                    (kind IN ({_OF_NO_PAYMENT_BELOW}, 'webhook_disabled')) = (payment_id IS NULL)
                ) NOT VALID
        """)
        op.execute("ALTER TABLE emails VALIDATE CONSTRAINT ck_emails_kind")
        op.execute("ALTER TABLE emails VALIDATE CONSTRAINT ck_emails_of_a_payment_or_of_the_shop")


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE subject IN (SELECT id FROM emails WHERE kind = 'webhook_disabled')")
    op.execute("DELETE FROM emails WHERE kind = 'webhook_disabled'")
    op.execute(f"""
        ALTER TABLE emails
            DROP CONSTRAINT ck_emails_kind,
            ADD CONSTRAINT ck_emails_kind CHECK (kind IN ({_BELOW})),
            DROP CONSTRAINT ck_emails_of_a_payment_or_of_the_shop,
            ADD CONSTRAINT ck_emails_of_a_payment_or_of_the_shop CHECK (
                (kind IN ({_OF_NO_PAYMENT_BELOW})) = (payment_id IS NULL)
            )
    """)
