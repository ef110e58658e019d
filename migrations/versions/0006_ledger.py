"""The ledger: double entry, only ever added to, and the lines of the providers' balances."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JOURNALS = ("sale", "refund", "refund_undone", "line")
_ACCOUNTS = ("receivable", "sales", "fees", "refunds", "disputes", "payouts", "conversion", "suspense")
_LINES = ("charge", "refund", "refund_failure", "dispute", "fee", "payout", "other")

_PROVIDER_NAME = "provider ~ '^[a-z][a-z_]{1,31}$'"
_CURRENCY_LETTERS = "currency ~ '^[a-z]{3}$'"


def upgrade() -> None:
    _make_journals()
    _make_entries()
    _make_lines()
    # Before the triggers: rows that still wait for a deferred one would keep it from being made.
    _book_what_happened()
    _only_add()
    _balance_journals()
    _keep_lines()


def _make_journals() -> None:
    op.create_table(
        "journals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        _closed("kind", _JOURNALS),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_journals_payment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_journals"),
        sa.UniqueConstraint("key", name="uq_journals_key"),
    )
    op.create_index("ix_journals_payment_id", "journals", ["payment_id"])
    op.create_index("ix_journals_at", "journals", ["at", "id"])


def _make_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("journal_id", sa.String(), nullable=False),
        _closed("account", _ACCOUNTS),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name="ck_ledger_entries_amount_moves"),
        sa.CheckConstraint(_CURRENCY_LETTERS, name="ck_ledger_entries_currency_letters"),
        sa.CheckConstraint(_PROVIDER_NAME, name="ck_ledger_entries_provider_name"),
        sa.ForeignKeyConstraint(["journal_id"], ["journals.id"], name="fk_ledger_entries_journal_id"),
        sa.PrimaryKeyConstraint("number", name="pk_ledger_entries"),
    )
    op.create_index("ix_ledger_entries_journal_id", "ledger_entries", ["journal_id"])


def _make_lines() -> None:
    op.create_table(
        "settlement_lines",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("line_id", sa.String(), nullable=False),
        _closed("kind", _LINES),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("payout", sa.String(), nullable=True),
        sa.Column("exchange_rate", sa.Numeric(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("net = gross - fee", name="ck_settlement_lines_net_is_gross_less_fee"),
        sa.CheckConstraint(_CURRENCY_LETTERS, name="ck_settlement_lines_currency_letters"),
        sa.CheckConstraint(_PROVIDER_NAME, name="ck_settlement_lines_provider_name"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_settlement_lines_payment_id"),
        sa.PrimaryKeyConstraint("provider", "line_id", name="pk_settlement_lines"),
    )
    op.create_index("ix_settlement_lines_payment_id", "settlement_lines", ["payment_id"])
    op.create_index("ix_settlement_lines_payout", "settlement_lines", ["provider", "payout"])
    op.create_index("ix_settlement_lines_created_at", "settlement_lines", ["provider", "created_at"])


def _closed(name: str, words: tuple[str, ...]) -> "sa.Column[object]":
    checked = sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, checked, nullable=False)


def _book_what_happened() -> None:
    # As the payments and refunds say it happened: the books begin with the first sale, not with this release.
    op.execute("""
        INSERT INTO journals (id, key, kind, payment_id, evidence, at)
        SELECT 'jrn_' || id, 'sale:' || id, 'sale', id, reference, completed_at
        FROM payments WHERE completed_at IS NOT NULL
    """)
    op.execute("""
        INSERT INTO journals (id, key, kind, payment_id, evidence, at)
        SELECT 'jrn_' || id, 'refund:' || id, 'refund', payment_id, coalesce(provider_refund_id, id),
               coalesce(settled_at, created_at)
        FROM refunds WHERE status = 'succeeded'
    """)
    op.execute("""
        INSERT INTO ledger_entries (journal_id, account, provider, currency, amount_minor)
        SELECT j.id, side.account, p.payment_method, p.currency, side.sign * p.amount_minor
        FROM journals j
        JOIN payments p ON p.id = j.payment_id
        CROSS JOIN (VALUES ('receivable', 1), ('sales', -1)) AS side (account, sign)
        WHERE j.kind = 'sale'
        ORDER BY j.at, j.id, side.sign DESC
    """)
    op.execute("""
        INSERT INTO ledger_entries (journal_id, account, provider, currency, amount_minor)
        SELECT j.id, side.account, p.payment_method, f.currency, side.sign * f.amount_minor
        FROM journals j
        JOIN refunds f ON j.key = 'refund:' || f.id
        JOIN payments p ON p.id = f.payment_id
        CROSS JOIN (VALUES ('refunds', 1), ('receivable', -1)) AS side (account, sign)
        ORDER BY j.at, j.id, side.sign DESC
    """)


def _only_add() -> None:
    for table in ("journals", "ledger_entries"):
        op.execute(f"""
            CREATE TRIGGER rows_are_only_added BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change()
        """)
    for table in ("journals", "ledger_entries", "settlement_lines"):
        # No row trigger fires for a TRUNCATE.
        op.execute(f"""
            CREATE TRIGGER rows_are_never_truncated BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """)


def _balance_journals() -> None:
    # At the commit, when all entries of a journal are there. The trigger on entries asks about later ones, that on
    # journals about a journal without any.
    op.execute("""
        CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            journal text := to_jsonb(NEW) ->> TG_ARGV[0];
            off record;
        BEGIN
            IF NOT EXISTS (SELECT FROM ledger_entries WHERE journal_id = journal) THEN
                RAISE EXCEPTION 'journal % has no entries', journal USING ERRCODE = 'check_violation';
            END IF;
            SELECT currency, sum(amount_minor) AS amount INTO off FROM ledger_entries WHERE journal_id = journal
            GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'journal % does not balance: % % are left over', journal, off.amount, off.currency
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
    """)
    for table, column in (("journals", "id"), ("ledger_entries", "journal_id")):
        op.execute(f"""
            CREATE CONSTRAINT TRIGGER journal_balances AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION require_balance('{column}')
        """)


def _keep_lines() -> None:
    op.execute("""
        CREATE FUNCTION keep_settlement_line() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.payout IS NOT NULL OR to_jsonb(NEW) - 'payout' IS DISTINCT FROM to_jsonb(OLD) - 'payout' THEN
                RAISE EXCEPTION 'settlement line % is kept as it came', OLD.line_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER lines_are_kept BEFORE UPDATE ON settlement_lines
        FOR EACH ROW EXECUTE FUNCTION keep_settlement_line()
    """)
    op.execute("""
        CREATE TRIGGER rows_are_never_deleted BEFORE DELETE ON settlement_lines
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    # Sales and refunds are booked again on the way up; the providers still have the lines, and list them again.
    op.drop_table("settlement_lines")
    op.drop_table("ledger_entries")
    op.drop_table("journals")
    op.execute("DROP FUNCTION keep_settlement_line()")
    op.execute("DROP FUNCTION require_balance()")
