"""What the pay page is answered while it waits."""

from typing import Literal

from pydantic import Field

from payproc.domain.states import PaymentStatus
from web.schemas.base import Answer


class NextAction(Answer):
    """What the customer does next: follow `url`, post a form, or act elsewhere (`token`: pay it at a shop)."""

    type: Literal["redirect", "post_form", "await_customer"]
    url: str | None = None
    token: str | None = None


class PayStatusAnswer(Answer):
    """What the pay page needs to know of its payment, and no more: whoever has the link may read it."""

    status: PaymentStatus
    next_action: NextAction | None
    failure_code: str | None
    mismatch: bool = Field(description="It was paid otherwise than asked for, and a person looks at it.")
