"""What operators decide, who look at the gateway first, mostly; by the functions that the command line calls."""

from typing import Any

from payproc.database.models import FindingKind, Job, Loop, Payment, ReconciliationFinding, Refund, Review, ReviewKind
from payproc.domain.states import OPEN
from payproc.operations import actions
from payproc.operations.actions import OperatorAction
from payproc.providers.stripe import STRIPE
from sandbox.stripe.account.outcomes import Action as AtPage
from tests.simulation import staff, truth
from tests.simulation.actions.choosing import NothingToDo, one_of, one_of_the_newest, possible
from tests.simulation.shop import Shop
from tests.simulation.truth import Standing


def settle_a_question(shop: Shop, who: int, how: int) -> None:
    settle(shop, one_of(shop.open_reviews(), who), how)


def decide_about_a_refund(shop: Shop, who: int, how: int) -> None:
    """Answer what is asked about a refund: whether it may be made, and whether it was."""
    settle(shop, one_of([each for each in shop.open_reviews() if each.kind in _ABOUT_REFUNDS], who), how)


_ABOUT_REFUNDS = (ReviewKind.REFUND_APPROVAL, ReviewKind.REFUND_MANUAL, ReviewKind.REFUND_UNSETTLED)


def settle(shop: Shop, review: Review, how: int) -> None:
    """Answer a review as an operator does who has looked at the gateway first."""
    decision = _decision(shop, review, how)
    with shop.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="looked at it", decision=decision)


def _decision(shop: Shop, review: Review, how: int) -> OperatorAction | None:
    match review.kind:
        case ReviewKind.REFUND_APPROVAL:
            return (OperatorAction.APPROVED, OperatorAction.REJECTED)[how % 2]
        case ReviewKind.REFUND_MANUAL:
            return _done_by_hand(shop, shop.one(Refund, review.subject), how)
        case ReviewKind.REFUND_UNSETTLED:
            return _looked_up(shop, shop.one(Refund, review.subject))
        case ReviewKind.FINDING:
            _explain(shop, shop.one(ReconciliationFinding, review.subject))
            return None
        case ReviewKind.PAID_ELSEWHERE | ReviewKind.PAID_MISMATCH | ReviewKind.PAID_LATE:
            return _of_a_payment(shop, shop.one(Payment, review.payment_id or ""), review, how)
        case ReviewKind.UNSETTLED | ReviewKind.JOB_DEAD if review.payment_id is not None:
            return _of_a_payment(shop, shop.one(Payment, review.payment_id), review, how)
        case _:
            return None


def _of_a_payment(shop: Shop, payment: Payment, review: Review, how: int) -> OperatorAction | None:
    standing = truth.standing(shop, payment)
    if payment.status not in OPEN:
        if review.kind is ReviewKind.PAID_ELSEWHERE:
            _give_back_what_is_beside_ours(shop, payment)
        return None
    if review.paid is not None:
        if how % 2:
            return OperatorAction.COMPLETED
        _give_back_what_is_beside_ours(shop, payment)
        return None if review.kind is ReviewKind.PAID_ELSEWHERE else _stop(shop, payment)
    match standing:
        case Standing.PAID:
            # Asked once more, the gateway says that it was another amount.
            return OperatorAction.COMPLETED if truth.is_of_our_amount(shop, payment) else None
        case Standing.OVER:
            return OperatorAction.CANCELLED
        case Standing.OPEN:
            # A hasty one calls off what can still be paid.
            return OperatorAction.CANCELLED if how % 4 == 0 else None


def _stop(shop: Shop, payment: Payment) -> OperatorAction | None:
    """Give a wallet's payment back in its portal, of which another amount was taken, and call it off."""
    if payment.payment_method == STRIPE:
        return None
    truth.reverse(shop, payment)
    return OperatorAction.CANCELLED


def _give_back_what_is_beside_ours(shop: Shop, payment: Payment) -> None:
    for charge in truth.charges_beside(shop, payment):
        if left := charge["amount"] - charge["amount_refunded"]:
            shop.give_back_at_stripe(charge["id"], left)


def _done_by_hand(shop: Shop, refund: Refund, how: int) -> OperatorAction:
    """Give back in the wallet's portal what it has no call for; now and then it refuses."""
    if how % 3 == 0:
        return OperatorAction.NOT_REFUNDED
    return OperatorAction.REFUNDED if truth.give_back_by_hand(shop, refund) else OperatorAction.NOT_REFUNDED


def _looked_up(shop: Shop, refund: Refund) -> OperatorAction:
    return OperatorAction.REFUNDED if truth.is_given_back(shop, refund) else OperatorAction.NOT_REFUNDED


def _explain(shop: Shop, finding: ReconciliationFinding) -> None:
    """Undo what was completed by mistake, give back what was taken twice; accept what a statement got wrong.

    Whatever else was found stays a question: where the gateway is right nobody here can settle it by a word.
    """
    payment = shop.one(Payment, finding.payment_id) if finding.payment_id else None
    wrong = {each.id for each in staff.mistaken(shop)}
    match finding.kind:
        case FindingKind.LOCAL_AHEAD if payment is not None and payment.id in wrong:
            staff.undo(shop, payment)
        case FindingKind.DUPLICATE_CHARGE if payment is not None and payment.payment_method == STRIPE:
            _give_back_what_is_beside_ours(shop, payment)
        case FindingKind.MISSED_EVENT | FindingKind.IN_SUSPENSE | FindingKind.FEE_MISSING:
            pass
        case _ if finding.loop is Loop.STATEMENT and finding.theirs in shop.lied_about:
            pass
        case _:
            raise NothingToDo


def requeue(shop: Shop, who: int, _: int) -> None:
    job = one_of(shop.dead_jobs(), who)
    with shop.app.database.transaction() as session:
        actions.requeue_job(session, session.merge(job, load=True))


def bury(shop: Shop, who: int, _: int) -> None:
    """Set a payment's or a refund's work aside by hand, which asks a person about it."""
    subjects = {each.id for each in shop.payments()} | {each.id for each in shop.refunds()}
    _bury(shop, one_of_the_newest([job for job in shop.ready_jobs() if job.subject in subjects], who))


def _bury(shop: Shop, job: Job) -> None:
    with shop.app.database.transaction() as session:
        actions.bury_job(session, session.merge(job, load=True), reason="it is in the way")


def cancel_by_hand(shop: Shop, who: int, how: int) -> None:
    """Call an open payment off for good, whatever its gateway is at: bury its work, and answer the question.

    Now and then a bank, or the customer, says no after that.
    """
    payment = one_of_the_newest(_with_work(shop), who)
    _decide_at_once(shop, payment, OperatorAction.CANCELLED)
    if how % 2 == 0 and truth.standing(shop, payment) is Standing.OPEN:
        truth.decline(shop, payment)


def _with_work(shop: Shop) -> list[Payment]:
    busy = {job.subject for job in shop.ready_jobs()}
    return [each for each in shop.payments() if each.status in OPEN and each.id in busy]


def _decide_at_once(shop: Shop, payment: Payment, decision: OperatorAction) -> None:
    _bury(shop, next(job for job in shop.ready_jobs() if job.subject == payment.id))
    asked = [each for each in shop.open_reviews() if each.payment_id == payment.id]
    review = one_of([each for each in asked if each.kind is ReviewKind.JOB_DEAD], -1)
    with shop.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="the customer said so", decision=decision)


def complete_by_mistake(shop: Shop, who: int, how: int) -> None:
    """Take a declined card for a paid one, and complete its payment; to be undone by two people."""
    open_pages: dict[str, Any] = {
        each["id"]: each for each in shop.listed("checkout.session") if each["status"] == "open"
    }
    payable = [each for each in _with_work(shop) if each.stripe_session_id in open_pages]
    payment = one_of_the_newest(payable, who)
    if how % 4:
        shop.at_gateway(f"sessions/{payment.stripe_session_id}/{AtPage.DECLINE}")
    shop.mistaken.add(payment.id)
    _decide_at_once(shop, payment, OperatorAction.COMPLETED)


def undo_a_mistake(shop: Shop, who: int, _: int) -> None:
    staff.undo(shop, one_of(staff.mistaken(shop), who))


def give_back_by_the_wallet(shop: Shop, who: int, _: int) -> None:
    """Have a wallet's merchant give a payment back in the portal, whole, with nobody here asking for it."""
    paid = [each for each in shop.payments() if each.payment_method != STRIPE and each.completed_at is not None]
    possible(truth.reverse(shop, one_of_the_newest(paid, who)))
