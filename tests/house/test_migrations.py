"""A migration stops nobody: what would lock a table that is read and written for longer than a moment is refused.

Those of before are left as they are: they ran before there was anybody to stop.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.structure import ROOT

_FIRST_RULED = 16
_VERSIONS = ROOT / "migrations" / "versions"
# Each looks at every row while nobody may write; `NOT VALID`, and `VALIDATE` in the next migration, let them.
_CONSTRAINTS = ("create_check_constraint", "create_foreign_key", "create_unique_constraint", "create_primary_key")
# What processes of the release before still read and write.
_TAKES_AWAY = ("drop_column", "drop_table", "rename_table")


def stops(text: str) -> Iterator[str]:
    """Say what in a migration's way up would stop somebody."""
    upgrade = next(
        node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    new = {ast.unparse(call.args[0]) for call in calls if _name(call) == "create_table"}
    for call in calls:
        if problem := _problem(call, new):
            yield f"line {call.lineno}: {problem}"
    if len(locked := {_table(call) for call in calls} - new - {""}) > 1:
        yield f"{' and '.join(sorted(locked))} are locked one after the other: a migration each, or a payment deadlocks"


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _table(call: ast.Call) -> str:
    """Return the table that a call locks until its transaction ends."""
    words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if _name(call) in ("create_index", "drop_index") and words.get("postgresql_concurrently") == "True":
        return ""
    match _name(call):
        case "add_column" | "alter_column" | "drop_column" | "drop_table":
            return ast.unparse(call.args[0])
        case "create_index" | "drop_constraint" | "create_check_constraint" | "create_unique_constraint":
            return ast.unparse(call.args[1])
        case _:
            return ""


def _problem(call: ast.Call, new: set[str]) -> str | None:
    name = _name(call)
    words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    arguments = [ast.unparse(each) for each in call.args]
    if any(table in new for table in (*arguments[:2], words.get("table_name", ""))):
        return None
    if name in ("create_index", "drop_index") and words.get("postgresql_concurrently") != "True":
        return f"{name} without postgresql_concurrently=True, in an autocommit_block"
    if name in _CONSTRAINTS:
        return f"{name} reads every row under a lock: ADD CONSTRAINT … NOT VALID, and VALIDATE in the next migration"
    if name in _TAKES_AWAY or "new_column_name" in words:
        return f"{name} takes away what the release before still uses: a release later, and say so in its noqa"
    if name == "alter_column" and ("type_" in words or words.get("nullable") == "False"):
        return "alter_column rewrites or reads every row: a new column, or a CHECK that is validated first"
    if name == "add_column" and "nullable=False" in arguments[1] and "server_default" not in arguments[1]:
        return "add_column of what the release before does not write: nullable, or with a server_default"
    return None


def _ruled() -> list[Path]:
    return [path for path in sorted(_VERSIONS.glob("[0-9]*.py")) if int(path.name[:4]) >= _FIRST_RULED]


def test_no_migration_stops_who_is_at_work() -> None:
    assert [f"{path.name}: {found}" for path in _ruled() for found in stops(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "line",
    [
        'op.create_index("ix", "payments", ["status"])',
        'op.drop_index("ix", table_name="payments")',
        'op.create_check_constraint("ck", "payments", "amount_minor > 0")',
        'op.create_foreign_key("fk", "refunds", "payments", ["payment_id"], ["id"])',
        'op.drop_column("payments", "phone")',
        'op.alter_column("payments", "phone", new_column_name="telephone")',
        'op.alter_column("payments", "phone", nullable=False)',
        'op.alter_column("payments", "phone", type_=sa.Text())',
        'op.add_column("payments", sa.Column("shop", sa.String(), nullable=False))',
    ],
)
def test_what_would_stop_somebody_is_found(line: str) -> None:
    assert len(list(stops(f"def upgrade() -> None:\n    {line}\n"))) == 1


def test_two_tables_in_one_migration_are_found() -> None:
    lines = "".join(
        f'    op.add_column("{table}", sa.Column("shop", sa.String(), nullable=True))\n'
        for table in ("payments", "notices")
    )
    assert len(list(stops(f"def upgrade() -> None:\n{lines}"))) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ('op.create_index("ix", "payments", ["status"], postgresql_concurrently=True)',),
        ('op.create_table("shops", sa.Column("id"))', 'op.create_index("ix", "shops", ["id"])'),
        ('op.add_column("payments", sa.Column("shop", sa.String(), nullable=True))',),
        ('op.add_column("payments", sa.Column("shop", sa.String(), nullable=False, server_default=""))',),
        ('op.execute("ALTER TABLE payments ADD CONSTRAINT ck CHECK (amount_minor > 0) NOT VALID")',),
    ],
)
def test_what_stops_nobody_is_left_alone(lines: tuple[str, ...]) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    assert list(stops(f"def upgrade() -> None:\n{body}")) == []
