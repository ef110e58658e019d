"""What a request may say about itself."""

from pydantic import BaseModel, Field


class StartHeader(BaseModel):
    """What may be said about the request itself."""

    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="The same key and body again are the same payment and the same answer, for 72 hours.",
        examples=["order-17-try-1"],
    )
    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: wait up to N seconds, at most 30, until the provider has answered.",
        examples=["wait=10"],
    )
