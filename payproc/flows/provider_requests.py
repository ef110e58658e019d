"""What a provider is asked about a payment."""

from datetime import UTC, datetime, timedelta

from payproc.application import Application
from payproc.database.models import Payment, User
from payproc.domain.references import Reference
from payproc.providers.base import Refunding
from payproc.providers.requests import Customer, Payer, PaymentRef, RefundMode, StartRequest

# Where a provider set no end itself. The hosted pages promise a day, and a wallet charge is over in minutes.
USUAL_LIFE = timedelta(hours=24)
# In the payload of an inquiry's job: what a hint said that the provider calls the payment.
NAMED = "named"
# After its end the provider may still be settling what was begun before it.
GRACE = timedelta(hours=1)


def payment_ref(payment: Payment, *, named: str | None = None) -> PaymentRef:
    """Return everything a provider needs to find the payment again; `named` as in PaymentRef."""
    known = {reference: getattr(payment, reference) for reference in Reference}
    return PaymentRef(
        payment_id=payment.id,
        reference=payment.reference,
        references={reference: value for reference, value in known.items() if value},
        dialect=payment.dialect,
        money=payment.money,
        created_at=payment.created_at,
        overdue=datetime.now(UTC) > end_of(payment) + GRACE,
        named=named,
    )


def end_of(payment: Payment) -> datetime:
    """Return until when the customer can begin to pay (UTC)."""
    return payment.expires_at or payment.created_at + USUAL_LIFE


def start_request(
    payment: Payment, user: User, *, payer: Payer | None = None, customer_id: str | None = None
) -> StartRequest:
    """Say what a provider is asked to begin by the payment's user; the same payment always gives the same request."""
    return StartRequest(
        payment_id=payment.id,
        reference=payment.reference,
        dialect=payment.dialect,
        money=payment.money,
        description=payment.description,
        customer=Customer(user_id=user.id, email=user.address or "", name=user.full_name, provider_id=customer_id),
        created_at=payment.created_at,
        payer=payer or Payer(),
        success_url=payment.success_url,
        cancel_url=payment.cancel_url,
        order_id=payment.order_id,
    )


def refund_mode_of(app: Application, payment: Payment) -> RefundMode:
    """Return how this payment's provider gives money back."""
    provider = app.provider_of(payment)
    return provider.refund_mode(payment.dialect) if isinstance(provider, Refunding) else RefundMode.MANUAL
