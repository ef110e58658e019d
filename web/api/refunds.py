"""Give money back, and look up what became of it."""

from flask import Response
from sqlalchemy.orm import Session

from payproc.database.models import Payment, Refund
from payproc.domain.ids import Prefix
from payproc.domain.money import Money, parse_part_major, parse_part_minor
from payproc.domain.states import REFUND_OPEN, RefundStatus
from payproc.errors import InvalidRequest
from payproc.flows.request_refund import request_refund
from payproc.records import payments, refunds
from payproc.records.idempotency import Answer
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.api.locations import PAYMENTS, refund_location
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.request.idempotent import IdempotentRequest, fallback_answer, respond, respond_again
from web.request.log import about
from web.schemas.headers import StartHeader
from web.schemas.payments import PaymentPath
from web.schemas.refunds import RefundAnswer, RefundBody, RefundPath, RefundsAnswer

blueprint = authenticated("refunds", "Give money back.", prefix=PAYMENTS, refusals=problems(404, 409, 422, 503))


@blueprint.post(
    "/refund/<payment_id>",
    responses={"200": RefundAnswer, "202": RefundAnswer, **problems(400, 413, 415)},
)
@needs(Act.REFUND_PAYMENT)
def refund(path: PaymentPath, header: StartHeader, body: RefundBody) -> Response:
    """Give a payment's money back, all that is left or a part.

    Answers 202 while the refund is open; with `Prefer: wait=N` (at most 30 seconds) 200 once the provider has said how
    it ended. `pending` is on its way. `manual`: the provider has no call for it, and a person gives the money back in
    its portal. `requested`: an operator decides first. What only a person can end is answered at once. A refund that
    has succeeded can still fail, when a bank returns it; then it can be made again. `Idempotency-Key` makes a repeated
    request the same refund.
    """
    asked = IdempotentRequest.of(header)
    with application().database.transaction() as session:
        claim = asked.claim(session, Refund)
        if claim.replay is not None:
            return respond_again(claim.replay)
        made = claim.made or _request(session, path.payment_id, body, named=asked.named(Prefix.REFUND))
        answer = _refund_answer(made)
        waits = asked.wait > 0 and not _is_decided(made)
        asked.remember(session, made.id, None if waits else answer)
    if waits:
        with fallback_answer(), asked.waited(Refund, made.id, until=_is_decided) as (session, made):
            answer = _refund_answer(made)
            asked.remember(session, made.id, answer)
    return respond(answer)


def _request(session: Session, payment_id: str, body: RefundBody, *, named: str | None) -> Refund:
    payment = payments.visible_payment(session, payment_id, user=current_user())
    money = _money(body, payment)
    return request_refund(
        application(), session, payment.id, user=current_user(), money=money, reason=body.reason, named=named
    )


def _money(body: RefundBody, payment: Payment) -> Money | None:
    if body.amount is not None and body.amount_minor is not None:
        raise InvalidRequest("Say amount or amount_minor, not both.", code="amounts_differ", field="amount")
    if body.amount is not None:
        return parse_part_major(body.amount, payment.currency)
    if body.amount_minor is not None:
        return parse_part_minor(body.amount_minor, payment.currency)
    return None


def _is_decided(refund: Refund) -> bool:
    # What waits for a person does not end while a client does.
    return refund.status is not RefundStatus.PENDING


def _is_settled(refund: Refund) -> bool:
    return refund.status not in REFUND_OPEN


def _shown(refund: Refund) -> RefundAnswer:
    return RefundAnswer.of(refund, reader=current_user())


def _refund_answer(refund: Refund) -> Answer:
    status = 200 if _is_settled(refund) else 202
    return Answer(status=status, location=refund_location(refund.id), body=text_of(_shown(refund)))


@blueprint.get("/refund/<refund_id>", responses={"200": RefundAnswer})
@needs(Act.SEE_PAYMENT)
def show(path: RefundPath) -> Response:
    """Show a refund as we know it; nobody else is asked."""
    user = current_user()
    found = application().database.read(lambda session: refunds.visible_refund(session, path.refund_id, user=user))
    about(found.payment_id)
    return json_answer(text_of(_shown(found)))


@blueprint.get("/<payment_id>/refunds", responses={"200": RefundsAnswer})
@needs(Act.SEE_PAYMENT)
def list_of_payment(path: PaymentPath) -> Response:
    """List the refunds of a payment, oldest first, those made in the provider's dashboard among them."""
    user = current_user()

    def refunds_of(session: Session) -> list[Refund]:
        return refunds.refunds_of(session, payments.visible_payment(session, path.payment_id, user=user))

    found = application().database.read(refunds_of)
    return json_answer(text_of(RefundsAnswer(refunds=[_shown(each) for each in found])))
