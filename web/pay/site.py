"""The hosted pay pages: a payment's, an order's, and the way back from a wallet to either."""

import math
from contextlib import suppress
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import User
from payproc.domain.ids import Prefix, is_id
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.reading import digits_of
from payproc.errors import Conflict, InvalidRequest, NotFound, TooManyRequests
from payproc.flows.cancel import request_cancel
from payproc.flows.orders.attempts import NONE, make_room
from payproc.flows.orders.pay import Choice, pay_order
from web.auth import application
from web.json import json_answer, text_of
from web.pay import browsers, drawing, links, order_page, page
from web.pay.order_page import Refused
from web.pay.state import PageState
from web.request.log import about
from web.request.same_site import check_same_site

blueprint = Blueprint(
    "pay", __name__, template_folder="templates", static_folder="static", static_url_path="/pay/assets"
)


_LONGEST_PHONE = 40
_CNIC_DIGITS, _CNIC_TAIL = 13, 6


@blueprint.get("/pay/<token>")
def show(token: str) -> Response:
    """Show a payment, or an order, to its customer."""
    try:
        return order_page.show(token) if links.names_an_order(token) else page.show(token)
    except NotFound:
        if not drawing.wants_html():
            raise
        return drawing.message(PageState.UNKNOWN_LINK, status=404)
    except PASSING_TROUBLE:
        if not drawing.wants_html():
            raise
        return drawing.message(PageState.OUT_OF_REACH, status=503)


@blueprint.get(f"{links.RETURNS}/<reference>")
def back(reference: str) -> AnyResponse:
    """Lead a browser that comes back from a wallet to the page it began with; tell any other one nothing."""
    payment_id = browsers.remembered_payment_id(reference)
    if payment_id is None:
        return drawing.message(PageState.BACK, status=200)
    about(payment_id)
    return redirect(f"{links.path_of(payment_id)}?returned=1", 303)


@blueprint.get("/pay/<token>/status")
def status(token: str) -> Response:
    """Say how the payment or the order stands, for the page that follows it."""
    said = order_page.standing(token) if links.names_an_order(token) else page.standing(token)
    answer = json_answer(text_of(said))
    # A shop's own page may ask (clients/js): whoever has the link may see how it stands, and nothing more is sent.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@blueprint.post("/pay/<token>")
def begin(token: str) -> AnyResponse:
    """Begin to pay an order in the way that was chosen on its page."""
    check_same_site()
    with application().database.transaction() as session:
        order = order_page.order_of(session, token)
    choice = _choice()
    try:
        payment_id = pay_order(application(), order.id, choice)
    except Conflict:
        # It was paid, has ended or is being paid: its page says which.
        return redirect(links.path_of(order.id), 303)
    except (InvalidRequest, TooManyRequests) as refused:
        return _refused(token, choice, refused)
    return redirect(links.path_of(payment_id), 303)


def _choice() -> Choice:
    after, cnic = request.form.get("after", ""), digits_of(request.form.get("cnic", ""))
    return Choice(
        method=PaymentMethod(request.form.get("method", "")),
        after=after if is_id(after, Prefix.PAYMENT) else NONE,
        phone=request.form.get("phone", "").strip()[:_LONGEST_PHONE] or None,
        # Who copies the whole number means its end; no more of it is kept than that.
        cnic=(cnic[-_CNIC_TAIL:] if len(cnic) == _CNIC_DIGITS else cnic[:_CNIC_DIGITS]) or None,
        address=request.remote_addr,
    )


def _refused(token: str, choice: Choice, refused: InvalidRequest | TooManyRequests) -> Response:
    at = refused.field if isinstance(refused, InvalidRequest) else None
    shown = Refused(method=choice.method, code=refused.code, at=at, phone=choice.phone or "")
    answer = order_page.show(token, refused=shown)
    answer.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(refused, TooManyRequests):
        answer.status_code = HTTPStatus.TOO_MANY_REQUESTS
        answer.headers["Retry-After"] = str(math.ceil(refused.retry_after.total_seconds()))
    return answer


@blueprint.post("/pay/<token>/cancel")
def cancel(token: str) -> AnyResponse:
    """Call a payment off for its customer, or what is open of an order, where that can be done; show the page again."""
    check_same_site()
    if links.names_an_order(token):
        return _make_room(token)
    with application().database.transaction() as session:
        payment = page.payment_of(session, token)
        owner = session.get_one(User, payment.user_id)
        # It may have ended since the page was drawn, which then says so.
        with suppress(Conflict):
            request_cancel(application(), session, payment.id, user=owner)
    return redirect(links.path_of(payment.id), 303)


def _make_room(token: str) -> AnyResponse:
    with application().database.transaction() as session:
        order = order_page.order_of(session, token)
        # What has ended since the page was drawn needs no calling off, and the page says so.
        with suppress(Conflict):
            make_room(application(), session, order)
    return redirect(links.path_of(order.id), 303)
