"""Payments by wallet: a route for each provider that is not Stripe, all alike."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from payproc.database.models import Payment, Role
from payproc.domain.payment_methods import PaymentMethod, path_of
from payproc.domain.phones import normalised
from payproc.domain.requests.payment import PaymentRequest
from payproc.errors import InvalidRequest
from payproc.flows.checkout import has_begun
from payproc.operations.refund_balances import payment_with_balance
from payproc.records.idempotency import Answer
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.api.locations import PAYMENTS, payment_location
from web.auth import application, current_user, needs
from web.json import text_of
from web.pay import links, page
from web.request.idempotent import IdempotentRequest, respond, respond_again
from web.schemas.headers import StartHeader
from web.schemas.wallets import WalletAnswer, WalletBody, WalletQuery

_REFUSALS = problems(400, 404, 409, 413, 415, 422, 429, 503)
_BY_HAND = "Answers 201 with `form_url` and `payload` where the customer's browser begins the payment by posting them"

View = Callable[..., Response]


def blueprint_of(methods: Iterable[PaymentMethod]) -> APIBlueprint:
    """Make `POST /<provider>/initiate` for each of these providers."""
    blueprint = authenticated("wallets", "Take a payment by wallet.", prefix=PAYMENTS, refusals=_REFUSALS)
    for method in methods:
        described = blueprint.post(
            f"/{path_of(method)}/initiate",
            summary=f"Start a payment by {method}.",
            operation_id=f"initiate_{method}",
            responses={"201": WalletAnswer, "202": WalletAnswer},
        )
        described(needs(Act.START_PAYMENT)(_view(method)))
    return blueprint


def _view(method: PaymentMethod) -> View:
    def initiate(header: StartHeader, query: WalletQuery, body: WalletBody) -> Response:
        wanted = body.request(phone=_one_phone(body, query), cnic=body.cnic)
        if current_user().role is not Role.SHOP:
            # All of a shop's customers come from its server.
            wanted = replace(wanted, address=request.remote_addr)
        return _initiate(wanted, method, IdempotentRequest.of(header))

    initiate.__name__ = f"initiate_{method}"
    initiate.__doc__ = (
        f"{_BY_HAND}; otherwise 202, and the customer approves on the phone. With `Prefer: wait=N` (at most 30 "
        "seconds) the answer is held until the wallet has said something, and is 201 then: a decline as well as a yes. "
        "`pay_url` is a page that leads the customer through. 429 where too many are being rung already, for one "
        "phone, one user or one address: after `Retry-After` the same again."
    )
    return initiate


def _one_phone(body: WalletBody, query: WalletQuery) -> str | None:
    # The guide has it in the query; in a body it does not end up in anybody's access log.
    if body.phone and query.phone and normalised(body.phone) != normalised(query.phone):
        raise InvalidRequest("phone in the query and in the body differ.", code="phones_differ", field="phone")
    return body.phone or query.phone


def _initiate(wanted: PaymentRequest, method: PaymentMethod, asked: IdempotentRequest) -> Response:
    def answered(payment: Payment) -> Answer:
        return _wallet_answer(payment, asked.wait)

    claim = asked.take(wanted, method, answered=answered)
    if claim.replay is not None:
        shown = WalletAnswer.model_validate_json(claim.replay.body)
        return respond_again(_with_form(claim.replay, shown, _payment_of(shown)))
    answer = asked.answer(claim, answered=answered)
    payment = claim.made
    return respond(answer if payment is None else _with_form(answer, _shown(payment), payment))


def _payment_of(shown: WalletAnswer) -> Payment:
    found, _ = payment_with_balance(application().database, shown.payment_id, user=current_user())
    return found


def _wallet_answer(payment: Payment, wait: int) -> Answer:
    by_form = payment.next_action is not None and payment.next_action["type"] == "post_form"
    status = 201 if by_form or (wait and has_begun(payment)) else 202
    return Answer(status=status, location=payment_location(payment.id), body=text_of(_shown(payment)))


def _shown(payment: Payment) -> WalletAnswer:
    return WalletAnswer.of(payment, pay_url=links.url_of(payment.id))


def _with_form(answer: Answer, shown: WalletAnswer, payment: Payment) -> Answer:
    """Add the form to an answer, drawn anew: some of its fields are secrets that must not be stored with it."""
    form = page.form_of(payment, current_user())
    if form is None:
        return answer
    with_form = shown.model_copy(update={"form_url": form.url, "payload": dict(form.fields)})
    return replace(answer, body=text_of(with_form))
