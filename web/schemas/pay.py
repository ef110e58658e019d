"""What the pay page is answered while it waits."""

from typing import Literal

from pydantic import Field

from payproc.database.models import OrderStatus
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
    set_aside: bool = Field(description="Its order has ended, or is being paid in another way.")


class OrderStandingAnswer(Answer):
    """What the page of an order needs to know of it, and no more."""

    status: OrderStatus
    payment_status: PaymentStatus | None = Field(description="Of the newest payment of it.")
    state: str = Field(description="What its page says.")
