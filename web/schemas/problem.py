"""The one shape of every answer that is an error."""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from web.schemas.base import Answer


class Problem(Answer):
    """What went wrong (RFC 9457, application/problem+json). What does not apply is left out."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}

    type: str = Field(
        description="A page that says what the code means and what to do about it.",
        examples=["https://pay.example.com/problems/amount_too_precise"],
    )
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="For people.", examples=["USD has 2 decimals; 19.999 has more."])
    code: str = Field(description="For programs; stable.", examples=["amount_too_precise"])
    field: str | None = Field(default=None, description="The part of the request to change.")
    subject: str | None = Field(default=None, description="The payment or order it is about.")
    request_id: str | None = Field(
        default=None, description="The request's `X-Request-Id`.", examples=["req_5f3a1c7e9b2d4f60a8c1"]
    )
    errors: list[dict[str, str]] | None = Field(default=None, description="Every field that is wrong.")


class Explanation(Answer):
    """What a code means, at the address that is its problem's `type`."""

    code: str
    statuses: list[int]
    means: str
    do: str
