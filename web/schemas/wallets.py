"""What is asked and answered about payments by wallet."""

from pydantic import ConfigDict, Field

from payproc.database.models import Payment
from payproc.outgoing.decline_reasons import DeclineReason, decline_reason
from web.schemas.base import Asked
from web.schemas.pay import NextAction
from web.schemas.payments import DECLINE_REASON, PAY_URL_EXAMPLE, AcceptedAnswer, PaymentBody

# A number of eleven digits with a mark before and behind each of them.
_LONGEST_PASTED = 64


class WalletBody(PaymentBody):
    """What to charge, for what, and whose wallet is asked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount": 1250.5,
                    "currency": "pkr",
                    "description": "Two mangoes",
                    "phone": "03001234567",
                    "cnic": "345678",
                }
            ]
        },
    )
    only_currency = "pkr"
    pasted = frozenset({"phone", "cnic"})

    currency: str | None = Field(
        default=None, min_length=3, max_length=3, description="pkr, which is all that wallets take."
    )
    description: str = Field(default="Payment", min_length=1, max_length=500, examples=["Two mangoes"])
    phone: str | None = Field(
        default=None,
        max_length=_LONGEST_PASTED,
        description="The customer's mobile number, as 03…, +92…, 0092…, 92… or 3…; digits of any script, with whatever "
        "spaces, dashes and unseen marks were pasted with them.",
        examples=["03001234567"],
    )
    cnic: str | None = Field(
        default=None,
        min_length=6,
        max_length=6,
        description="The last six digits of the customer's CNIC, where the wallet asks for them.",
        examples=["345678"],
    )
    success_url: str | None = Field(default=None, max_length=2000, examples=["https://example.com/thanks"])
    cancel_url: str | None = Field(default=None, max_length=2000, examples=["https://example.com/basket"])


class WalletQuery(Asked):
    """Where the guide's clients put the phone."""

    pasted = frozenset({"phone"})

    phone: str | None = Field(
        default=None, max_length=_LONGEST_PASTED, description="Instead of the body's, as the guide has it."
    )


class WalletAnswer(AcceptedAnswer):
    """A wallet payment that was written down.

    `form_url` and `payload` are there where the customer's browser begins it; `pay_url` is a page that does that, or
    tells the customer what to do on the phone, and follows what becomes of it.
    """

    pay_url: str = Field(examples=[PAY_URL_EXAMPLE])
    form_url: str | None = None
    payload: dict[str, str] | None = Field(
        default=None, description="Post these fields unchanged, in this order. They may hold the merchant's password."
    )
    next_action: NextAction | None = None
    provider_receipt: str | None = None
    decline_reason: DeclineReason | None = Field(default=None, description=DECLINE_REASON)
    failure_code: str | None = None
    failure_message: str | None = None

    @classmethod
    def of(cls, payment: Payment, *, pay_url: str) -> "WalletAnswer":
        """Show how a payment by wallet stands."""
        return cls.of_row(
            payment,
            payment_id=payment.id,
            pay_url=pay_url,
            form_url=None,
            payload=None,
            decline_reason=decline_reason(payment),
        )
