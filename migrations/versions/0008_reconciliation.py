"""Runs of reconciliation, and the differences they find."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LOOPS = ("events", "objects", "money", "wallets", "statement")
_STATES = ("running", "done", "abandoned")
_KINDS = (
    "missed_event",
    "local_ahead",
    "missing_local",
    "missing_remote",
    "amount_mismatch",
    "currency_mismatch",
    "status_mismatch",
    "refund_missing_local",
    "refund_amount_mismatch",
    "refund_failed_late",
    "duplicate_charge",
    "dispute_unknown",
    "stuck",
    "ledger_imbalance",
    "fee_missing",
    "payout_sum_mismatch",
    "fx_unexplained",
    "livemode_mismatch",
    "unreadable",
)


def upgrade() -> None:
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.String(), nullable=False),
        _closed("loop", _LOOPS),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _closed("state", _STATES),
        _time("window_begin"),
        _time("window_end"),
        sa.Column("position", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "sample", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _time("started_at", default="now()"),
        _time("touched_at", default="now()"),
        _time("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation_runs"),
        sa.UniqueConstraint("loop", "provider", "period", name="uq_reconciliation_runs_loop_provider_period"),
    )
    op.create_index(
        "uq_reconciliation_runs_running",
        "reconciliation_runs",
        ["loop", "provider"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "reconciliation_findings",
        sa.Column("id", sa.String(), nullable=False),
        _closed("kind", _KINDS),
        sa.Column("provider", sa.String(), nullable=False),
        _closed("loop", _LOOPS),
        sa.Column("ours", sa.String(), nullable=False),
        sa.Column("theirs", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        _time("subject_at"),
        sa.Column("run_id", sa.String(), nullable=False),
        _time("opened_at", default="now()"),
        _time("repaired_at", nullable=True),
        _time("closed_at", nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_reconciliation_findings_payment_id"),
        sa.ForeignKeyConstraint(["run_id"], ["reconciliation_runs.id"], name="fk_reconciliation_findings_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation_findings"),
    )
    op.create_index("ix_reconciliation_findings_payment_id", "reconciliation_findings", ["payment_id"])
    op.create_index("ix_reconciliation_findings_opened_at", "reconciliation_findings", ["opened_at"])
    op.create_index(
        "uq_reconciliation_findings_open",
        "reconciliation_findings",
        ["provider", "kind", "ours", "theirs"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "reconciliation_marks",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["reconciliation_runs.id"], name="fk_reconciliation_marks_run_id"),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_reconciliation_marks"),
    )


def _closed(name: str, words: tuple[str, ...]) -> "sa.Column[str]":
    checked = sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, checked, nullable=False)


def _json(name: str, *, default: str) -> "sa.Column[object]":
    kept = postgresql.JSONB(astext_type=sa.Text())
    return sa.Column(name, kept, server_default=sa.text(f"'{default}'::jsonb"), nullable=False)


def _time(name: str, *, nullable: bool = False, default: str | None = None) -> "sa.Column[object]":
    at = sa.DateTime(timezone=True)
    return sa.Column(name, at, server_default=sa.text(default) if default else None, nullable=nullable)


def downgrade() -> None:
    # What the findings asked of people stays asked; the release below knows the questions.
    op.drop_table("reconciliation_marks")
    op.drop_table("reconciliation_findings")
    op.drop_table("reconciliation_runs")
