"""Mapped rows read without the ORM's session, where its work is several times that of the statement itself."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Enum
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import manager_of_class

from payproc.database.models.base import Base, UtcTime

Model = TypeVar("Model", bound=Base)


class RowReader(Generic[Model]):
    """What a statement selects of a mapped class, and the object that comes of it: of no session."""

    def __init__(self, model: type[Model]) -> None:
        self._manager = manager_of_class(model)
        mapped = [(each.key, each.columns[0]) for each in model.__mapper__.column_attrs]
        assert all(isinstance(column, Column) for _, column in mapped)
        self.columns = ", ".join(f"{model.__tablename__}.{column.name}" for _, column in mapped)
        self.width = len(mapped)
        self._names = [name for name, _ in mapped]
        self._types = [(name, read) for name, column in mapped if (read := _reader_of(column)) is not None]

    def read(self, row: Sequence[Any]) -> Model:
        """Make the object of the row's first values, which are those of `columns`."""
        values = dict(zip(self._names, row, strict=False))
        for name, read in self._types:
            if values[name] is not None:
                values[name] = read(values[name])
        # As if a session had read it and was closed. Its constructor would note each value as a change.
        made: Model = self._manager.new_instance()
        made.__dict__.update(values)
        make_transient_to_detached(made)
        return made


def _reader_of(column: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 (SQLAlchemy's column of any type)
    """Return what the column's type makes of psycopg's value; None where that is it."""
    if isinstance(column.type, Enum):
        return column.type.enum_class
    return _as_utc if isinstance(column.type, UtcTime) else None


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
