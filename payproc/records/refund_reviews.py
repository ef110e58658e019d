"""What a refund asks of a person."""

from sqlalchemy.orm import Session

from payproc.database.models import Payment, Refund, ReviewKind
from payproc.records.reviews import close_if_open, open_review

# Reviews of a refund that close by themselves when it ends.
_OF_AN_OPEN_ONE = (
    ReviewKind.REFUND_APPROVAL,
    ReviewKind.REFUND_MANUAL,
    ReviewKind.REFUND_UNSETTLED,
    ReviewKind.REFUND_WAITS,
)


def close_when_ended(session: Session, refund: Refund) -> None:
    """Close what was asked about a refund while it was open."""
    for kind in _OF_AN_OPEN_ONE:
        close_if_open(session, kind, refund.id, resolution=f"the refund is {refund.status}")


def ask_for_approval(session: Session, payment: Payment, refund: Refund) -> None:
    """Ask an operator to decide about what an owner asks for."""
    money = refund.money
    open_review(
        session,
        ReviewKind.REFUND_APPROVAL,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"The owner of {payment.id} asks for {money} back ({refund.reason or 'no reason given'}): resolve this "
            "with --as approved or rejected."
        ),
    )


def ask_for_refund_by_hand(session: Session, payment: Payment, refund: Refund) -> None:
    """Ask a person to give money back in the provider's portal."""
    open_review(
        session,
        ReviewKind.REFUND_MANUAL,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"{payment.payment_method} gives nothing back by a call: return "
            f"{refund.money} of {payment.reference} in its portal, then resolve this "
            "with --as refunded (or not_refunded)."
        ),
    )


def ask_for_balance(session: Session, payment: Payment, refund: Refund) -> None:
    """Ask whoever can to top up the balance that a refund is to be paid from."""
    open_review(
        session,
        ReviewKind.REFUND_WAITS,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"The refund of {refund.money} of {payment.id} is held back by {payment.payment_method} "
            f"({refund.pending_reason}): top up the balance there, and it goes on by itself."
        ),
    )


def report_failed(session: Session, payment: Payment, refund: Refund) -> None:
    """Ask a person to keep what the letter about a failed refund promises."""
    open_review(
        session,
        ReviewKind.REFUND_FAILED,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"The refund of {refund.money} of {payment.id} could not be made, and the customer was told that we will "
            "be in touch. Agree with them how to pay it back; a new refund can be made."
        ),
    )


def report_undone(session: Session, payment: Payment, refund: Refund) -> None:
    """Ask a person to pay back otherwise what a customer had been told they got."""
    money = refund.money
    open_review(
        session,
        ReviewKind.REFUND_UNDONE,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"The refund of {money} of {payment.id} had succeeded and is now {refund.status}: the customer did not get "
            "it. Agree with them how to pay it back; a new refund can be made."
        ),
    )
