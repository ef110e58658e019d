"""What bodies and answers are made of, as the OpenAPI document shows them: supersets of the guide's."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, field_validator

from payproc.domain.reading import digits_of, is_line, moment_of
from web.json import NumberText


class Described(BaseModel):
    """What a request is read into. flask-openapi asks for its schema at every request, to see what is a list."""

    @classmethod
    def model_json_schema(cls, *arguments: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (pydantic's own shape)
        """Return the schema; as it is asked for at a request, it is drawn once."""
        return super().model_json_schema(*arguments, **more) if arguments or more else _schema_of(cls)


@cache
def _schema_of(model: type[Described]) -> dict[str, Any]:
    return super(Described, model).model_json_schema()


class Asked(Described):
    """Whatever a request says, in its address, its headers or its body.

    Every text is read here, before its field's own type sees it: what a type may look past, such as one of several that
    a field has, would reach the database.
    """

    # Fields whose digits are pasted from anywhere, with what stands between them.
    pasted: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _read_text(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and info.field_name in cls.pasted:
            value = digits_of(value)
        return _line(value)


class Body(Asked):
    """A request's body. An unknown field is refused: a misspelt `order_id` must not become a free amount."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(Asked):
    """What stands behind the question mark. An unknown name is refused, as in a body."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """Which page of a list."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200, description="`next_cursor` of the page before.")


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of_row(cls, row: object, **fields: Any) -> Self:  # noqa: ANN401 (each field has its own type)
        """Show a row: the fields that are given, and every other one as its column of that name."""
        columns = {name: getattr(row, name) for name in cls.model_fields if name not in fields}
        return cls(**columns, **fields)


def _amount_text(value: object) -> object:
    # web.json hands numbers over as text or int; a bool is an int to Python, but no amount.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a number or a string such as 19.99")  # noqa: TRY004 (pydantic reports ValueError)
    return str(value)


def _no_fraction(value: object) -> object:
    if isinstance(value, NumberText):
        raise ValueError("must be a string, a whole number, true, false or null")  # noqa: TRY004 (pydantic's way)
    return _line(value)


def _line(value: object) -> object:
    if isinstance(value, str) and not is_line(value):
        raise ValueError("must not contain control characters, or halves of characters")
    return value


def _moment(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T23:59:59Z, with its offset")  # noqa: TRY004 (as above)
    return moment_of(value, name=info.field_name or "")


AmountIn = Annotated[
    str,
    BeforeValidator(_amount_text),
    Field(max_length=32),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}],
            "description": "Major units in the digits 0 to 9, read exactly; more decimals than the currency has are "
            "refused.",
            "examples": [19.99, "19.99"],
        }
    ),
]
# For reading: a JSON number with exactly the currency's decimals; a program computes with `amount_minor`.
AmountOut = Annotated[
    Decimal,
    WithJsonSchema({"type": "number", "description": "Major units, for reading.", "examples": [19.99]}),
]
Moment = Annotated[datetime, BeforeValidator(_moment)]
# Never empty: an order's id that is lost on the way must not become a freely chosen amount.
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
MetaKey = Annotated[str, BeforeValidator(_line), Field(min_length=1, max_length=40)]
MetaValue = Annotated[Annotated[str, Field(max_length=500)] | int | bool | None, BeforeValidator(_no_fraction)]
