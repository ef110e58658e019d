"""Each line of a provider's balance meets what it answers, once; people correct the books; differences are accepted.

Journals and lines stay as they are. What was booked together before this release is matched by what the books say: a
line and the sale or refund of its payment, after which the receivable had moved by the line's net. A line that had been
booked alone stays alone, and the next run of reconciliation lets it meet what it answers.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_JOURNALS_BELOW = ("sale", "refund", "refund_undone", "line")
_NEW_JOURNALS = ("sale_undone", "clearing", "adjustment", "reversal")
_LINES_BELOW = ("charge", "refund", "refund_failure", "dispute", "fee", "payout", "other")
_FINDINGS_BELOW = (
    "missed_event", "local_ahead", "missing_local", "missing_remote", "amount_mismatch", "currency_mismatch",
    "status_mismatch", "refund_missing_local", "refund_amount_mismatch", "refund_failed_late", "duplicate_charge",
    "dispute_unknown", "stuck", "ledger_imbalance", "fee_missing", "payout_sum_mismatch", "fx_unexplained",
    "livemode_mismatch", "unreadable",
)  # fmt: skip
_MAILS_BELOW = ("receipt", "failure", "refund", "refund_failed", "dispute", "digest")
_FACTS_BELOW = (
    "created", "started", "attempt_declined", "processing", "paid", "declined", "expired", "cancelled", "refunded",
    "refund_undone", "mismatch",
)  # fmt: skip
_NEW_FINDINGS = ("in_suspense", "payout_failed")


def upgrade() -> None:
    _allow("journals", (*_JOURNALS_BELOW, *_NEW_JOURNALS))
    _allow("settlement_lines", (*_LINES_BELOW, "charge_failure"))
    _allow("reconciliation_findings", (*_FINDINGS_BELOW, *_NEW_FINDINGS))
    _name_journals()
    op.add_column("settlement_lines", sa.Column("payment_source", sa.String(), nullable=True))
    op.create_index("ix_settlement_lines_payment_source", "settlement_lines", ["payment_source"])
    op.create_index("ix_settlement_lines_source", "settlement_lines", ["provider", "source"])
    op.create_index(
        "ix_ledger_entries_suspense",
        "ledger_entries",
        ["journal_id"],
        postgresql_where=sa.text("account = 'suspense'"),
    )
    _make_matches()
    _make_drafts()
    _accept_findings()
    op.add_column("reviews", sa.Column("paid", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    _mail_findings()
    _allow("payment_events", (*_FACTS_BELOW, "sale_undone"), column="fact")
    op.execute(_MATCH_PAIRS)
    op.execute(_MATCH_SUMS)
    _only_add()


def _allow(table: str, words: tuple[str, ...], *, column: str = "kind") -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN {words}")


def _name_journals() -> None:
    # The release below knows these as lines; their keys say what they are.
    op.execute("ALTER TABLE journals DISABLE TRIGGER rows_are_only_added")
    op.execute(f"""
        UPDATE journals SET kind = split_part(key, ':', 1)
        WHERE kind = 'line' AND split_part(key, ':', 1) IN {_NEW_JOURNALS}
    """)  # noqa: S608 (words of our own)
    op.execute("ALTER TABLE journals ENABLE TRIGGER rows_are_only_added")


def _make_matches() -> None:
    op.create_table(
        "settlement_matches",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("match", sa.String(), nullable=False),
        sa.Column("journal_id", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("line_id", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_nonnulls(journal_id, line_id) = 1", name="ck_settlement_matches_a_line_or_a_journal"),
        sa.CheckConstraint(
            "(provider IS NULL) = (line_id IS NULL)", name="ck_settlement_matches_line_has_its_provider"
        ),
        sa.ForeignKeyConstraint(["journal_id"], ["journals.id"], name="fk_settlement_matches_journal_id"),
        _line_key("fk_settlement_matches_line"),
        sa.PrimaryKeyConstraint("number", name="pk_settlement_matches"),
        sa.UniqueConstraint("journal_id", name="uq_settlement_matches_journal_id"),
        sa.UniqueConstraint("provider", "line_id", name="uq_settlement_matches_provider_line_id"),
    )
    op.create_index("ix_settlement_matches_match", "settlement_matches", ["match"])


def _make_drafts() -> None:
    kind = sa.Enum(*_JOURNALS_BELOW, *_NEW_JOURNALS, name="kind", native_enum=False, create_constraint=True, length=32)
    op.create_table(
        "ledger_drafts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("postings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("line_id", sa.String(), nullable=True),
        sa.Column("reverses", sa.String(), nullable=True),
        sa.Column("drafted_by", sa.String(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("journal_id", sa.String(), nullable=True),
        sa.CheckConstraint("approved_by <> drafted_by", name="ck_ledger_drafts_approved_by_another"),
        sa.CheckConstraint(
            "num_nonnulls(approved_by, approved_at, journal_id) IN (0, 3)", name="ck_ledger_drafts_booked_when_approved"
        ),
        sa.CheckConstraint("provider ~ '^[a-z][a-z_]{1,31}$'", name="ck_ledger_drafts_provider_name"),
        *(
            sa.ForeignKeyConstraint([column], [target], name=f"fk_ledger_drafts_{column}")
            for column, target in (
                ("payment_id", "payments.id"),
                ("reverses", "journals.id"),
                ("drafted_by", "users.id"),
                ("approved_by", "users.id"),
                ("journal_id", "journals.id"),
            )
        ),
        _line_key("fk_ledger_drafts_line"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_drafts"),
        sa.UniqueConstraint("journal_id", name="uq_ledger_drafts_journal_id"),
    )
    op.create_index("ix_ledger_drafts_line", "ledger_drafts", ["provider", "line_id"])
    op.create_index(
        "uq_ledger_drafts_reverses",
        "ledger_drafts",
        ["reverses"],
        unique=True,
        postgresql_where=sa.text("journal_id IS NOT NULL AND reverses IS NOT NULL"),
    )


def _line_key(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["provider", "line_id"], ["settlement_lines.provider", "settlement_lines.line_id"], name=name
    )


def _accept_findings() -> None:
    op.add_column("reconciliation_findings", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_reconciliation_findings_accepted_is_closed"),
        "reconciliation_findings",
        "accepted_at IS NULL OR closed_at IS NOT NULL",
    )
    op.create_index(
        "ix_reconciliation_findings_accepted",
        "reconciliation_findings",
        ["provider", "kind", "ours", "theirs"],
        postgresql_where=sa.text("accepted_at IS NOT NULL"),
    )


def _mail_findings() -> None:
    _allow("emails", (*_MAILS_BELOW, "finding"))
    op.drop_constraint(op.f("ck_emails_only_a_digest_has_no_payment"), "emails", type_="check")
    op.create_check_constraint(
        op.f("ck_emails_of_a_payment_or_of_the_shop"),
        "emails",
        "(kind IN ('digest', 'finding')) = (payment_id IS NULL)",
    )


def _mail_no_findings() -> None:
    # The release below cannot write one: nobody goes on trying.
    op.execute("""
        WITH dropped AS (DELETE FROM emails WHERE kind = 'finding' RETURNING id)
        UPDATE jobs SET state = 'done', finished_at = now(), leased_until = NULL, lease_token = NULL
        FROM dropped WHERE jobs.kind = 'mail.send' AND jobs.subject = dropped.id AND jobs.state <> 'done'
    """)
    op.drop_constraint(op.f("ck_emails_of_a_payment_or_of_the_shop"), "emails", type_="check")
    op.create_check_constraint(
        op.f("ck_emails_only_a_digest_has_no_payment"), "emails", "(kind = 'digest') = (payment_id IS NULL)"
    )
    _allow("emails", _MAILS_BELOW)


# What the books took from a line's net before they booked it: the amount of what it answers, in that one's currency.
# Nothing where it was booked alone. A refund of Stripe's is named by its line; a wallet's has no name.
_SIDES = """
    WITH own AS (
        SELECT j.id, j.payment_id, j.at, e.provider, e.currency, e.amount_minor, f.provider_refund_id AS name,
               CASE j.kind WHEN 'sale' THEN 'charge' WHEN 'sale_undone' THEN 'charge_failure'
                           WHEN 'refund' THEN 'refund' ELSE 'refund_failure' END AS kind
        FROM journals j
        JOIN ledger_entries e ON e.journal_id = j.id AND e.account = 'receivable'
        LEFT JOIN refunds f ON j.kind IN ('refund', 'refund_undone') AND f.id = split_part(j.key, ':', 2)
        WHERE j.kind IN ('sale', 'sale_undone', 'refund', 'refund_undone')
          AND NOT EXISTS (SELECT FROM settlement_matches x WHERE x.journal_id = j.id)
    ),
    booked AS (
        SELECT e.provider, substr(j.key, length(j.kind || '::' || e.provider) + 1) AS line_id, e.currency,
               max(j.payment_id) AS payment_id, sum(e.amount_minor) AS amount_minor
        FROM journals j JOIN ledger_entries e ON e.journal_id = j.id AND e.account = 'receivable'
        WHERE j.kind IN ('line', 'clearing')
        GROUP BY 1, 2, 3
    ),
    line AS (
        SELECT l.provider, l.line_id, l.kind, l.created_at, l.source,
               coalesce(l.payment_id, other.payment_id, same.payment_id) AS payment_id,
               coalesce(other.currency, l.currency) AS currency,
               coalesce(-other.amount_minor, l.net - coalesce(same.amount_minor, 0)) AS amount_minor
        FROM settlement_lines l
        LEFT JOIN booked same ON (same.provider, same.line_id, same.currency) = (l.provider, l.line_id, l.currency)
        LEFT JOIN booked other ON (other.provider, other.line_id) = (l.provider, l.line_id)
                              AND other.currency <> l.currency AND other.amount_minor <> 0
        WHERE l.kind IN ('charge', 'charge_failure', 'refund', 'refund_failure')
          AND NOT EXISTS (SELECT FROM settlement_matches x WHERE (x.provider, x.line_id) = (l.provider, l.line_id))
    )
"""

_MATCH_PAIRS = f"""
    {_SIDES},
    named_own AS (
        SELECT own.*, coalesce(named.source, '') AS label
        FROM own LEFT JOIN (SELECT DISTINCT source FROM line) named ON named.source = own.name
    ),
    named_line AS (
        SELECT line.*, coalesce(named.name, '') AS label
        FROM line LEFT JOIN (SELECT DISTINCT name FROM own) named ON named.name = line.source
        WHERE line.amount_minor <> 0
    ),
    numbered_own AS (
        SELECT *, row_number() OVER (
            PARTITION BY provider, payment_id, kind, currency, amount_minor, label ORDER BY at, id
        ) AS turn FROM named_own
    ),
    numbered_line AS (
        SELECT *, row_number() OVER (
            PARTITION BY provider, payment_id, kind, currency, amount_minor, label ORDER BY created_at, line_id
        ) AS turn FROM named_line
    ),
    pair AS (
        SELECT l.provider, l.line_id, o.id AS journal_id
        FROM numbered_line l JOIN numbered_own o
        USING (provider, payment_id, kind, currency, amount_minor, label, turn)
    )
    INSERT INTO settlement_matches (match, journal_id, provider, line_id)
    SELECT 'match_' || pair.journal_id, side.journal_id, side.provider, side.line_id
    FROM pair CROSS JOIN LATERAL (
        VALUES (pair.journal_id, NULL, NULL), (NULL, pair.provider, pair.line_id)
    ) AS side (journal_id, provider, line_id)
"""  # noqa: S608 (words of our own)

# What several answer together: all that is left of a payment, where the sums agree.
_MATCH_SUMS = f"""
    {_SIDES},
    total AS (
        SELECT provider, payment_id, kind, currency, l.amount_minor
        FROM (SELECT provider, payment_id, kind, currency, sum(amount_minor) AS amount_minor
              FROM line WHERE amount_minor <> 0 GROUP BY 1, 2, 3, 4) l
        JOIN (SELECT provider, payment_id, kind, currency, sum(amount_minor) AS amount_minor
              FROM own GROUP BY 1, 2, 3, 4) o USING (provider, payment_id, kind, currency, amount_minor)
    )
    INSERT INTO settlement_matches (match, journal_id, provider, line_id)
    SELECT 'match_' || t.kind || '_' || t.payment_id, o.id, NULL, NULL
    FROM total t JOIN own o USING (provider, payment_id, kind, currency)
    UNION ALL
    SELECT 'match_' || t.kind || '_' || t.payment_id, NULL, l.provider, l.line_id
    FROM total t JOIN line l USING (provider, payment_id, kind, currency)
    WHERE l.amount_minor <> 0
"""  # noqa: S608 (words of our own)


def _only_add() -> None:
    op.execute("""
        CREATE TRIGGER rows_are_only_added BEFORE UPDATE OR DELETE ON settlement_matches
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER rows_are_never_truncated BEFORE TRUNCATE ON settlement_matches
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    # Nothing that was booked is taken back. Matches follow from the books again on the way up.
    op.drop_table("settlement_matches")
    op.drop_table("ledger_drafts")
    op.drop_index("ix_ledger_entries_suspense", "ledger_entries")
    op.drop_index("ix_settlement_lines_source", "settlement_lines")
    op.drop_index("ix_settlement_lines_payment_source", "settlement_lines")
    op.drop_column("settlement_lines", "payment_source")
    _say_it_in_words_of_the_release_below()
    _mail_no_findings()
    _allow("payment_events", _FACTS_BELOW, column="fact")
    _allow("journals", _JOURNALS_BELOW)
    _allow("settlement_lines", _LINES_BELOW)
    _allow("reconciliation_findings", _FINDINGS_BELOW)
    op.drop_index("ix_reconciliation_findings_accepted", "reconciliation_findings")
    op.drop_column("reconciliation_findings", "accepted_at")
    op.drop_column("reviews", "paid")


def _say_it_in_words_of_the_release_below() -> None:
    op.execute("ALTER TABLE journals DISABLE TRIGGER rows_are_only_added")
    op.execute(f"UPDATE journals SET kind = 'line' WHERE kind IN {_NEW_JOURNALS}")  # noqa: S608 (words of our own)
    op.execute("ALTER TABLE journals ENABLE TRIGGER rows_are_only_added")
    # A sale that was undone ended a payment as one that did not arrive does.
    op.execute("ALTER TABLE payment_events DISABLE TRIGGER events_are_only_added")
    op.execute("UPDATE payment_events SET fact = 'declined' WHERE fact = 'sale_undone'")
    op.execute("ALTER TABLE payment_events ENABLE TRIGGER events_are_only_added")
    op.execute("ALTER TABLE settlement_lines DISABLE TRIGGER lines_are_kept")
    op.execute("UPDATE settlement_lines SET kind = 'other' WHERE kind = 'charge_failure'")
    op.execute("ALTER TABLE settlement_lines ENABLE TRIGGER lines_are_kept")
    op.execute(f"""
        UPDATE reviews SET resolution = 'the release below does not know it', resolved_at = now()
        WHERE kind = 'finding' AND resolved_at IS NULL
          AND subject IN (SELECT id FROM reconciliation_findings WHERE kind IN {_NEW_FINDINGS})
    """)  # noqa: S608 (words of our own)
    op.execute(f"DELETE FROM reconciliation_findings WHERE kind IN {_NEW_FINDINGS}")  # noqa: S608 (words of our own)
