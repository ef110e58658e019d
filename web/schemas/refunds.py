"""What is asked and answered about refunds."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from payproc.database.models import Refund, User
from payproc.domain.states import RefundStatus
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from web.schemas.base import AmountIn, AmountOut, Answer, Asked, Body

_REFUND_CODES: dict[RefundStatus, Literal["refund_requested", "refund_pending", "refund_manual"]] = {
    RefundStatus.REQUESTED: "refund_requested",
    RefundStatus.PENDING: "refund_pending",
    RefundStatus.MANUAL: "refund_manual",
}


class RefundBody(Body):
    """How much to give back, and why. Everything may be left out: then all that is left goes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "1.00", "reason": "One mango was not ripe"}]})

    amount: AmountIn | None = None
    amount_minor: int | None = Field(default=None, description="Minor units, instead of amount.", examples=[1000])
    reason: str | None = Field(default=None, max_length=500, examples=["The mangoes were not ripe"])


class RefundPath(Asked):
    """Which refund."""

    refund_id: str = Field(max_length=64, examples=["ref_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class RefundAnswer(Answer):
    """A refund as it stands."""

    refund_id: str = Field(examples=["ref_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str
    amount: AmountOut
    amount_minor: int
    currency: str
    status: RefundStatus
    code: Literal["refund_requested", "refund_pending", "refund_manual"] | None = Field(
        description="What an open refund waits for. refund_manual: a person gives it back in the provider's portal."
    )
    reason: str | None = Field(description="As its customer gave it; staff see theirs too.")
    provider_refund_id: str | None = Field(description="The provider's id of it.", examples=["re_3PqX"])
    pending_reason: str | None = Field(
        description="What a pending refund waits for, in the provider's word.", examples=["insufficient_funds"]
    )
    failure_code: str | None
    failure_message: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, refund: Refund, *, reader: User) -> "RefundAnswer":
        """Show a refund to somebody who may see it."""
        # What the staff noted, or Stripe's dashboard ("fraudulent"), was not written for the customer.
        theirs = refund.requested_by == reader.id or permissions.reaches_all(Act.SEE_WORKINGS, user=reader)
        return cls.of_row(
            refund,
            refund_id=refund.id,
            amount=refund.money.major,
            code=_REFUND_CODES.get(refund.status),
            reason=refund.reason if theirs else None,
        )


class RefundsAnswer(Answer):
    """The refunds of a payment, oldest first."""

    refunds: list[RefundAnswer]
