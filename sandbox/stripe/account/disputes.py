"""What customers take back through their bank: who moves next, what money moves, and which events tell of it."""

from enum import StrEnum

from sandbox.store import Json
from sandbox.stripe.account import after_payment
from sandbox.stripe.account.ledger import DISPUTE_FEE, Category, LineType, Movement, less, line
from sandbox.stripe.account.outcomes import NotPossibleError
from sandbox.stripe.account.refunds import Tell, fail_pending_refunds
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import Kind

# How long the merchant may take to answer, in seconds.
ANSWER_TIME = 7 * 24 * 3600


class Status(StrEnum):
    """How a dispute stands. An inquiry is what begins with `warning_`: no money has moved."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


class Step(StrEnum):
    """What can happen to a dispute."""

    ESCALATE = "escalate"
    SUBMIT = "submit"
    WIN = "win"
    LOSE = "lose"
    CLOSE = "close"


INQUIRY = (Status.WARNING_NEEDS_RESPONSE, Status.WARNING_UNDER_REVIEW)
CHARGEBACK = (Status.NEEDS_RESPONSE, Status.UNDER_REVIEW)
# The bank of the customer has the money, or may yet take it for good.
NOT_REFUNDABLE = (*CHARGEBACK, Status.LOST)

# What becomes of a dispute by each step, from every status the step is possible in.
BECOMES = {
    Step.ESCALATE: dict.fromkeys(INQUIRY, Status.NEEDS_RESPONSE),
    Step.SUBMIT: {
        Status.WARNING_NEEDS_RESPONSE: Status.WARNING_UNDER_REVIEW,
        Status.NEEDS_RESPONSE: Status.UNDER_REVIEW,
    },
    Step.WIN: dict.fromkeys(CHARGEBACK, Status.WON),
    Step.LOSE: dict.fromkeys(CHARGEBACK, Status.LOST),
    Step.CLOSE: dict.fromkeys(INQUIRY, Status.WARNING_CLOSED) | dict.fromkeys(CHARGEBACK, Status.LOST),
}
REASONS = frozenset(
    {
        "credit_not_processed",
        "duplicate",
        "fraudulent",
        "general",
        "product_not_received",
        "product_unacceptable",
        "subscription_canceled",
        "unrecognized",
    }
)


def inquire(simulator: Simulator, charge: Json, *, amount: int, reason: str) -> Json:
    """Let the customer's bank ask about a charge; amounts are in its minor unit. No money moves."""
    return _open(simulator, charge, amount=amount, reason=reason, status=Status.WARNING_NEEDS_RESPONSE)


def charge_back(simulator: Simulator, charge: Json, *, amount: int, reason: str) -> Json:
    """Let the customer's bank take money back, and the fee with it; amounts are in the charge's minor unit."""
    return _open(simulator, charge, amount=amount, reason=reason, status=Status.NEEDS_RESPONSE)


def warn_of_fraud(simulator: Simulator, charge: Json, *, actionable: bool) -> Json:
    """Let the card's network warn of a charge, or say later that a refund would avert nothing any more."""
    warning = after_payment.fraud_warning(charge, actionable=actionable, created=simulator.now())
    simulator.emit(f"radar.early_fraud_warning.{'created' if actionable else 'updated'}", warning)
    simulator.postman.notify()
    return warning


def advance(simulator: Simulator, dispute_id: str, step: Step, *, tell: Tell | None = None) -> Json:
    """Let a dispute take a step, or raise NotPossibleError; a missing one raises LookupError."""
    with simulator.store.transaction():
        dispute = simulator.store.get(Kind.DISPUTE, dispute_id)
        if dispute is None:
            raise LookupError(dispute_id)
        becomes = BECOMES[step].get(dispute["status"])
        if becomes is None:
            raise NotPossibleError(f"Cannot {step} a dispute that is {dispute['status']}")
        _become(dispute, becomes)
        _step(simulator, dispute, step, tell or simulator.emit)
    simulator.postman.notify()
    return dispute


def disputable(simulator: Simulator, intent_id: str) -> Json:
    """Return the charge that an intent collected; LookupError without one, NotPossibleError if it was not."""
    intent = simulator.store.get(Kind.PAYMENT_INTENT, intent_id)
    if intent is None:
        raise LookupError(intent_id)
    charge = simulator.store.get(Kind.CHARGE, intent["latest_charge"] or "")
    if charge is None or charge["status"] != "succeeded":
        raise NotPossibleError(f"Cannot dispute a payment that is {intent['status']}")
    return charge


def _open(simulator: Simulator, charge: Json, *, amount: int, reason: str, status: Status) -> Json:
    if not 0 < amount <= charge["amount"]:
        raise NotPossibleError(f"Cannot dispute {amount} of {charge['amount']}")
    if reason not in REASONS:
        raise NotPossibleError(f"No reason {reason!r}; there are {', '.join(sorted(REASONS))}")
    now = simulator.now()
    dispute = after_payment.dispute(charge, amount=amount, reason=reason, created=now, due_by=now + ANSWER_TIME)
    _become(dispute, status)
    with simulator.store.transaction():
        charge["disputed"] = True
        simulator.save(charge)
        if status is Status.NEEDS_RESPONSE:
            # Already in the first event, as at Stripe: the money is gone by the time anybody is told.
            _move(simulator, dispute, Category.DISPUTE)
        _tell(simulator, dispute, simulator.emit, "charge.dispute.created")
        if status is Status.NEEDS_RESPONSE:
            _tell(simulator, dispute, simulator.emit, "charge.dispute.funds_withdrawn")
            fail_pending_refunds(simulator, charge["id"])
    simulator.postman.notify()
    return dispute


def _step(simulator: Simulator, dispute: Json, step: Step, tell: Tell) -> None:
    match step:
        case Step.ESCALATE:
            _move(simulator, dispute, Category.DISPUTE)
            _tell(simulator, dispute, tell, "charge.dispute.updated", "charge.dispute.funds_withdrawn")
            fail_pending_refunds(simulator, dispute["charge"])
        case Step.SUBMIT:
            details = dispute["evidence_details"]
            details.update(has_evidence=True, submission_count=details["submission_count"] + 1)
            _tell(simulator, dispute, tell, "charge.dispute.updated")
        case Step.WIN:
            _move(simulator, dispute, Category.DISPUTE_REVERSAL)
            _tell(simulator, dispute, tell, "charge.dispute.closed", "charge.dispute.funds_reinstated")
        case Step.LOSE | Step.CLOSE:
            _tell(simulator, dispute, tell, "charge.dispute.closed")


def _become(dispute: Json, status: Status) -> None:
    dispute.update(status=status, is_charge_refundable=status not in NOT_REFUNDABLE)


def _move(simulator: Simulator, dispute: Json, category: Category) -> None:
    leaves = category is Category.DISPUTE
    movement = Movement(
        type=LineType.ADJUSTMENT,
        category=category,
        amount=-dispute["amount"] if leaves else dispute["amount"],
        currency=dispute["currency"],
        source=dispute["id"],
        description=f"Chargeback {'withdrawal' if leaves else 'reversal'} for {dispute['charge']}",
    )
    body = line(movement, settlement=simulator.config.settlement_currency, created=simulator.now())
    body = less(body, DISPUTE_FEE) if leaves else body
    simulator.save(body)
    dispute["balance_transactions"].append(body)


def _tell(simulator: Simulator, dispute: Json, tell: Tell, *event_types: str) -> None:
    simulator.save(dispute)
    for event_type in event_types:
        tell(event_type, dispute)
