"""What is asked and answered about disputes."""

from datetime import datetime

from pydantic import Field

from payproc.database.models import Dispute
from payproc.domain.states import DisputeStatus
from web.schemas.base import AmountOut, Answer, Id, PageQuery


class DisputesQuery(PageQuery):
    """Which disputes; newest first."""

    payment_id: Id | None = None
    is_open: bool | None = Field(default=None, description="Only those that are still open, or only the closed ones.")


class DisputeAnswer(Answer):
    """A dispute as it stands. It is answered in the provider's dashboard."""

    id: str = Field(examples=["dsp_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str
    provider: str
    provider_dispute_id: str = Field(examples=["dp_1PqX"])
    amount: AmountOut
    amount_minor: int
    currency: str
    status: DisputeStatus
    reason: str | None = Field(examples=["fraudulent"])
    charge_refundable: bool | None = Field(
        description="Whether the provider takes a refund beside it; null where it has not said."
    )
    evidence_due_at: datetime | None
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeAnswer":
        """Show a dispute."""
        return cls.of_row(dispute, amount=dispute.money.major)


class DisputesAnswer(Answer):
    """One page of disputes, newest first."""

    disputes: list[DisputeAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")
