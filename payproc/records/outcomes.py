"""What a provider said about a payment: the one door for a start, a notice, a poll, a cancellation and a list."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, assert_never

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.deferring import defer
from payproc.database.engine import rows_within
from payproc.database.held import find_by, held_payments
from payproc.database.models import Payment, ReviewKind
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance
from payproc.domain.references import Reference, References
from payproc.domain.states import OPEN, Fact
from payproc.errors import Conflict
from payproc.providers.answers import AwaitCustomer, NextAction, Outcome, PostForm, Redirect, StartResult, Verdict
from payproc.records import payments, remote_refunds
from payproc.records.reviews import close_if_open, has_open_mismatch, open_mismatch


def record_start(session: Session, payment_id: str, result: StartResult, *, provenance: Provenance) -> Payment:
    """Write down what the provider gave for a start: its ids, the customer's next step, until when, and its outcome.

    A webhook may have been here first: what it has settled stays settled.
    """
    payment = payments.locked(session, payment_id)
    # What another payment has already, a confused gateway says twice: neither is harmed by it.
    free = {name: id_ for name, id_ in result.references.items() if not _is_anothers(session, payment, name, id_)}
    _adopt_references(session, payment, free)
    payment.expires_at = result.expires_at
    if payment.status in OPEN and result.next_action is not None:
        payment.next_action = stored_action(result.next_action)
    # The wallet has been told: nobody needs to know the customer's phone any more.
    payment.encrypted_payer = None
    payments.move(session, payment, Fact.STARTED, provenance=provenance)
    if result.outcome is not None:
        return apply_outcome(session, payment_id, result.outcome, provenance=provenance)
    return payment


def stored_action(action: NextAction) -> dict[str, Any]:
    """Return what is kept of the customer's next step. A form's fields are drawn again: some of them are secrets."""
    match action:
        case Redirect():
            return {"type": "redirect", "url": action.url}
        case PostForm():
            return {"type": "post_form", "url": action.url}
        case AwaitCustomer():
            return {"type": "await_customer", "token": action.token}
        case _:
            assert_never(action)


def apply_outcome(session: Session, payment_id: str, outcome: Outcome, *, provenance: Provenance) -> Payment:
    """Apply what a provider said about a payment; the one door for every source.

    "Paid" counts only for the amount, currency, mode and session we asked for. Anything else stays where it is and
    opens a review: of its own kind where it is not about what we began, for then we go on asking about that. A
    completed payment that was reversed is a refund made elsewhere.
    """
    payment = payments.locked(session, payment_id)
    fact = _payment_fact(outcome)
    foreign = _foreign_reference(session, payment, outcome.references)
    if fact is Fact.PAID and (problem := foreign or outcome.doubt):
        # Whoever made that object may be a stranger: it asks a person, and stops nothing of ours.
        _report_mismatch(session, ReviewKind.PAID_ELSEWHERE, payment, problem, provenance=provenance, told=outcome)
        return payment
    if foreign is not None:
        # What became of another session that names our payment ends nothing here, and its ids are not ours.
        payments.move(session, payment, Fact.MISMATCH, provenance=provenance, detail=foreign)
        return payment
    if outcome.verdict is Verdict.REVERSED and payment.completed_at is not None:
        # Paid and given back, by whomever: nothing becomes of the payment itself but a refund made elsewhere.
        remote_refunds.record_reversal(session, payment, provenance=provenance)
        return payment
    if fact is Fact.PAID and (problem := _paid_mismatch(session, payment, outcome)):
        _report_mismatch(session, ReviewKind.PAID_MISMATCH, payment, problem, provenance=provenance, told=outcome)
        return payment
    _learn_references(session, payment, outcome.references)
    payment.provider_receipt = payment.provider_receipt or outcome.receipt
    if fact is not None:
        _move_payment(session, payment, fact, outcome, provenance=provenance)
    return payment


def _move_payment(session: Session, payment: Payment, fact: Fact, outcome: Outcome, *, provenance: Provenance) -> None:
    failure = payments.Failure(code=outcome.failure_code or fact, message=outcome.failure_message)
    payments.move(session, payment, fact, provenance=provenance, detail=outcome.failure_code, failure=failure)


def learn_references(session: Session, payment_id: str, references: References) -> None:
    """Keep ids of the provider's that we did not know; one that is known, or another payment's, is left alone."""
    payment = payments.locked(session, payment_id)
    if _foreign_reference(session, payment, references) is None:
        _learn_references(session, payment, references)


def note_mismatch(session: Session, payment_id: str, problem: str, *, provenance: Provenance) -> None:
    """Record that somebody spoke of a payment who cannot mean it, and ask a person; nothing else changes."""
    payment = payments.locked(session, payment_id)
    _report_mismatch(session, ReviewKind.PAID_ELSEWHERE, payment, problem, provenance=provenance)


def _payment_fact(outcome: Outcome) -> Fact | None:
    match outcome.verdict:
        case Verdict.PAID:
            return Fact.PAID
        case Verdict.PROCESSING:
            return Fact.PROCESSING
        case Verdict.DECLINED:
            return Fact.DECLINED
        case Verdict.CANCELLED:
            return Fact.CANCELLED
        case Verdict.EXPIRED:
            return Fact.EXPIRED
        case Verdict.REVERSED:
            # Taken and given back before we counted it: it was never ours to keep.
            return Fact.DECLINED
        case Verdict.PENDING:
            return Fact.ATTEMPT_DECLINED if outcome.failure_code else None
        case Verdict.UNKNOWN:
            return None
        case _:
            assert_never(outcome.verdict)


def _paid_mismatch(session: Session, payment: Payment, outcome: Outcome) -> str | None:
    asked = payment.money
    if outcome.money is not None and outcome.money != asked:
        return f"paid {outcome.money}, asked for {asked}"
    if outcome.live_mode is not None and outcome.live_mode is not payment.live_mode:
        return "paid in the other mode (live or test)"
    # A wallet's notice says "paid" without saying how much. It takes nothing back of a notice that did say, and said
    # something else.
    if outcome.money is None and payment.completed_at is None and has_open_mismatch(session, payment.id):
        return "the provider says once more that it is paid, and not how much"
    return None


def _foreign_reference(session: Session, payment: Payment, references: References) -> str | None:
    for reference, theirs in references.items():
        ours = getattr(payment, reference)
        if reference.names_one_payment and ours and theirs and ours != theirs:
            return f"the provider named {theirs}, and ours is {ours}"
        if theirs and ours != theirs and _is_anothers(session, payment, reference, theirs):
            return f"the provider named {theirs}, which is another payment's"
    return None


def _is_anothers(session: Session, payment: Payment, reference: Reference, value: str) -> bool:
    # No two have the same.
    other = find_by(session, reference, value)
    return other is not None and other.id != payment.id


def _report_mismatch(
    session: Session,
    kind: ReviewKind,
    payment: Payment,
    problem: str,
    *,
    provenance: Provenance,
    told: Outcome | None = None,
) -> None:
    payments.move(session, payment, Fact.MISMATCH, provenance=provenance, detail=problem)
    paid = None if told is None or told.money is None else _paid_words(told, told.money)
    much = f" ({told.money} was paid there)" if told and paid and kind is ReviewKind.PAID_ELSEWHERE else ""
    detail = f"{payment.id}: {problem}{much}. Nothing was fulfilled; decide whether to accept it or to refund it."
    open_mismatch(session, kind, payment.id, detail=detail, paid=paid)


def _paid_words(told: Outcome, money: Money) -> dict[str, Any]:
    amount = {"amount_minor": money.amount_minor, "currency": money.currency.code}
    return amount | {"references": dict(told.references), "receipt": told.receipt}


def accept_paid(
    session: Session, payment_id: str, paid: Mapping[str, Any], *, provenance: Provenance, detail: str
) -> Payment:
    """Complete a payment with what was paid instead of what was asked for, because a person accepts it.

    From then on that is its amount: what is sold, receipted, booked and can be given back. What was asked for stands in
    its events. The ids of what paid take the place of those of what did not. Raises Conflict where it was nothing.
    """
    payment = payments.locked(session, payment_id)
    if paid["amount_minor"] <= 0:
        raise Conflict(f"Nothing was paid of {payment_id}: cancel it.", code="paid_nothing", subject=payment_id)
    if payment.completed_at is None:
        payment.amount_minor, payment.currency = paid["amount_minor"], paid["currency"]
        for name, value in paid["references"].items():
            if not _is_anothers(session, payment, Reference(name), value):
                _name(session, payment, Reference(name), value)
        payment.provider_receipt = payment.provider_receipt or paid["receipt"]
    close_if_open(session, ReviewKind.PAID_MISMATCH, payment_id, resolution=detail)
    return payments.apply_fact(session, payment_id, Fact.PAID, provenance=provenance, detail=detail)


def _learn_references(session: Session, payment: Payment, references: References) -> None:
    if learned := _adopt_references(session, payment, references):
        defer(session, _wake_parked_notices, learned)


def _adopt_references(session: Session, payment: Payment, references: References) -> list[str]:
    # First come, first kept: an id never changes, and a second one for the same thing is no correction. A charge is of
    # one try, and until one has paid the next may come.
    may_change = {name for name in references if name.is_of_the_last_try and payment.completed_at is None}
    learned = {
        name: value
        for name, value in references.items()
        if value and value != (known := getattr(payment, name)) and (known is None or name in may_change)
    }
    for name, value in learned.items():
        _name(session, payment, name, value)
    return list(learned.values())


def _name(session: Session, payment: Payment, reference: Reference, value: str) -> None:
    setattr(payment, reference, value)
    held_payments(session).learn(payment, (reference, value))


# Whatever their state: of one that is no longer parked nothing waits. Asked for the parked alone, PostgreSQL may go
# through all that are not settled, and a flood makes them many.
_WAKE_PARKED = jobs.bringing_forward(
    jobs.Kind.APPLY_NOTICE, "SELECT id FROM notices WHERE awaits && CAST(%(ids)s AS varchar[])"
)


def _wake_parked_notices(session: Session, learned: Sequence[Sequence[str]]) -> None:
    """Make due now what waited for a payment by one of these ids: a failed refund must not wait out its back-off."""
    # One of this very batch may have begun to wait, and is written by now.
    rows_within(session, _WAKE_PARKED, {"ids": list(chain.from_iterable(learned))})
