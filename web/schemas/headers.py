"""What a request may say about itself."""

from pydantic import Field

from web.schemas.base import Described


class LookHeader(Described):
    """What may be said about a request that looks something up."""

    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: wait up to N seconds, at most 30, until the status is another one, or final.",
        examples=["wait=10"],
    )


class StartHeader(Described):
    """What may be said about the request itself."""

    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="A value of your own for each thing you ask for, such as order-17-try-1: with the same key and "
        "body it is the same payment and the same answer, for 72 hours.",
    )
    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: wait up to N seconds, at most 30, until the provider has answered.",
        examples=["wait=10"],
    )
