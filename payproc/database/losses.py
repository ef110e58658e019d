"""What a step of the tables loses: rows and values are counted before and after it, in one transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, literal_column, select, table, text
from sqlalchemy.orm import Session

# By PostgreSQL's own numbers, so that what is given another name is not taken for lost.
_COLUMNS = text("""
    SELECT pg_class.oid, relname, attnum, attname
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname <> 'alembic_version'
      AND attnum > 0 AND NOT attisdropped
    ORDER BY relname, attnum
""")


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How many rows a table holds, and how many of them hold something in a column; columns by their number."""

    name: str
    rows: int = 0
    columns: Mapping[int, tuple[str, int]] = field(default_factory=dict)


def fillings(session: Session) -> dict[int, Filling]:
    """Count every table, by its number, with its writers kept out until the transaction ends.

    Each is read as a whole: no statement of this transaction is held to the time of one of ours from here on.
    """
    session.execute(text("SET LOCAL statement_timeout = 0"))
    found: dict[int, tuple[str, dict[int, str]]] = {}
    for oid, name, number, column in session.execute(_COLUMNS):
        found.setdefault(oid, (name, {}))[1][number] = column
    if found:
        names = ", ".join(f'"{name}"' for name, _ in found.values())
        session.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
    return {oid: _filling(session, name, columns) for oid, (name, columns) in found.items()}


def _filling(session: Session, name: str, columns: Mapping[int, str]) -> Filling:
    counts = [func.count(literal_column(f'"{column}"')) for column in columns.values()]
    rows, *filled = session.execute(select(func.count(), *counts).select_from(table(name))).one()
    numbered = zip(columns.items(), filled, strict=True)
    return Filling(name=name, rows=rows, columns={number: (column, count) for (number, column), count in numbered})


def losses(before: Mapping[int, Filling], after: Mapping[int, Filling]) -> list[str]:
    """Name what was there before and is not after, with how many rows held it."""
    return [loss for oid, filling in before.items() for loss in _losses_of(filling, after.get(oid))]


def _losses_of(before: Filling, after: Filling | None) -> Iterator[str]:
    kept = 0 if after is None else after.rows
    if before.rows > kept:
        yield f"{before.name} ({before.rows - kept} of {before.rows} rows)"
    if after is None:
        return
    for number, (column, filled) in before.columns.items():
        if filled and number not in after.columns:
            yield f"{before.name}.{column} (of {filled} rows)"
