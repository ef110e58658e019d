"""What a run has come across is told by columns, no longer by a name with separators in it.

The release below goes on while this one begins, and may hand it a run half done: until it is gone, a trigger writes
each form from the other. The column `name` and the trigger go with the next migration of this table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = ("kind", "ours", "theirs")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("reconciliation_marks", sa.Column(name, sa.String(), server_default="", nullable=False))
    op.add_column("reconciliation_marks", sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.alter_column("reconciliation_marks", "name", server_default="")
    op.execute(_FUNCTION)
    op.execute("""
        CREATE TRIGGER marks_in_both_forms BEFORE INSERT OR UPDATE ON reconciliation_marks
        FOR EACH ROW EXECUTE FUNCTION write_mark_in_both_forms()
    """)
    op.execute("UPDATE reconciliation_marks SET name = name")
    op.drop_constraint("pk_reconciliation_marks", "reconciliation_marks")
    op.create_primary_key("pk_reconciliation_marks", "reconciliation_marks", ["run_id", *_COLUMNS])


# A name was the id of a row of ours, `line:` and what a line of the balance is of, or parts with `|` between them: of a
# statement's lines (`line|id`, `sale|payment|id`, `refund|payment|[all of the line]`), else of a finding.
_FUNCTION = """
    CREATE FUNCTION write_mark_in_both_forms() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        told jsonb;
    BEGIN
        IF NEW.kind = '' THEN
            NEW.kind := split_part(NEW.name, '|', 1);
            NEW.ours := split_part(NEW.name, '|', 2);
            NEW.theirs := split_part(NEW.name, '|', 3);
            IF NEW.name LIKE 'line:%' THEN
                NEW.kind := 'source';
                NEW.theirs := substr(NEW.name, 6);
            ELSIF NEW.name NOT LIKE '%|%' THEN
                NEW.kind := 'row';
                NEW.ours := NEW.name;
            ELSIF NEW.kind = 'line' THEN
                NEW.theirs := NEW.ours;
                NEW.ours := '';
            ELSIF NEW.kind = 'refund' THEN
                told := substr(NEW.name, length('refund||') + length(NEW.ours) + 1)::jsonb;
                NEW.theirs := (told ->> 2) || '\\:refund';
                NEW.payload := jsonb_build_object(
                    'number', told -> 0, 'reference', told -> 1, 'transaction_id', told -> 2, 'at', told -> 3,
                    'gross', told -> 4, 'fee', told -> 5, 'net', told -> 6
                );
            END IF;
        ELSIF NEW.name = '' THEN
            told := NEW.payload;
            NEW.name := CASE NEW.kind
                WHEN 'row' THEN NEW.ours
                WHEN 'source' THEN 'line:' || NEW.theirs
                WHEN 'line' THEN 'line|' || NEW.theirs
                WHEN 'refund' THEN 'refund|' || NEW.ours || '|' || jsonb_build_array(
                    told -> 'number', told -> 'reference', told -> 'transaction_id', told -> 'at',
                    told -> 'gross', told -> 'fee', told -> 'net'
                )::text
                ELSE concat_ws('|', NEW.kind, NEW.ours, NEW.theirs)
            END;
        END IF;
        RETURN NEW;
    END $$
"""


def downgrade() -> None:
    op.execute("DROP TRIGGER marks_in_both_forms ON reconciliation_marks")
    op.execute("DROP FUNCTION write_mark_in_both_forms()")
    op.drop_constraint("pk_reconciliation_marks", "reconciliation_marks")
    op.create_primary_key("pk_reconciliation_marks", "reconciliation_marks", ["run_id", "name"])
    op.alter_column("reconciliation_marks", "name", server_default=None)
    for name in (*_COLUMNS, "payload"):
        op.drop_column("reconciliation_marks", name)
