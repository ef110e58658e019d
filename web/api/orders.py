"""Orders: made by a shop or the staff, and paid by whoever has their link."""

from flask import Response
from sqlalchemy.orm import Session

from payproc.database.models import Order
from payproc.errors import InvalidRequest
from payproc.flows.orders import make_order
from payproc.records import orders
from payproc.records.idempotency import Answer
from payproc.records.identity import permissions
from payproc.records.identity.customers import named_customer
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.api.locations import ORDERS, order_location
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.pay import links
from web.request.idempotent import IdempotentRequest, respond, respond_again
from web.request.log import about
from web.schemas.headers import StartHeader
from web.schemas.orders import OrderAnswer, OrderBody, OrderPath, OrdersAnswer, OrdersQuery, OrderWithPayments

blueprint = authenticated(
    "orders", "Have something paid by a link.", prefix=ORDERS, refusals=problems(404, 409, 422, 503)
)


@blueprint.post("/", responses={"201": OrderAnswer, **problems(400, 413, 415)})
@needs(Act.MAKE_ORDER)
def create(header: StartHeader, body: OrderBody) -> Response:
    """Make an order; `pay_url` is the page where its customer chooses how to pay it.

    Any number of attempts may be made to pay it; when one is paid the others are called off. `Idempotency-Key` makes a
    repeated request the same order; without one the same `reference` a second time is 409, and names the first.
    """
    asked = IdempotentRequest.of(header)
    with application().database.transaction() as session:
        claim = asked.claim(session, Order)
        if claim.replay is not None:
            return respond_again(claim.replay)
        made = claim.made or _made(session, body)
        answer = Answer(status=201, location=order_location(made.id), body=text_of(_shown(made)))
        asked.remember(session, made.id, answer)
    return respond(answer)


def _made(session: Session, body: OrderBody) -> Order:
    user, core = current_user(), application()
    if body.amount is None and body.amount_minor is None:
        raise InvalidRequest("Say amount or amount_minor.", code="amount_missing", field="amount")
    wanted = body.request(usual_currency=core.settings.default_currency)
    payer = user
    if body.customer is not None:
        payer = named_customer(session, body.customer.request(), by=user, cipher=core.payer_cipher)
    return make_order(core, session, wanted, payer=payer, by=user)


@blueprint.get("/", responses={"200": OrdersAnswer})
@needs(Act.SEE_ORDER)
def list_orders(query: OrdersQuery) -> Response:
    """List orders, newest first: one's own, or everybody's for staff."""
    user = current_user()

    def page_of(session: Session) -> OrdersAnswer:
        page = orders.page_of_orders(session, user=user, status=query.status, limit=query.limit, cursor=query.cursor)
        return OrdersAnswer(orders=[_shown(order) for order in page.orders], next_cursor=page.next_cursor)

    return json_answer(text_of(application().database.read(page_of)))


@blueprint.get("/<order>", responses={"200": OrderWithPayments})
@needs(Act.SEE_ORDER)
def show(path: OrderPath) -> Response:
    """Show an order by its id or its shop's reference, with what was tried to pay it."""
    user = current_user()

    def shown(session: Session) -> OrderWithPayments:
        order = orders.visible_order(session, path.order, user=user)
        return OrderWithPayments.showing(order, orders.payments_of(session, order), pay_url=links.url_of(order.id))

    return json_answer(text_of(application().database.read(shown)))


@blueprint.post("/<order>/close", responses={"200": OrderAnswer})
@needs(Act.CLOSE_ORDER)
def close(path: OrderPath) -> Response:
    """End an order that nobody has paid. What of it is open is called off, and may have been paid a moment ago."""
    user = current_user()
    with application().database.transaction() as session:
        order = orders.visible_order(session, path.order, user=user)
        about(order.id)
        permissions.check_owner(Act.CLOSE_ORDER, user=user, owners=order.owners)
        order = orders.close(session, order.id)
    return json_answer(text_of(_shown(order)))


def _shown(order: Order) -> OrderAnswer:
    return OrderAnswer.of(order, pay_url=links.url_of(order.id))
