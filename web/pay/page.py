"""The hosted pay page: shows a payment, leads the customer to the wallet, and follows what becomes of it.

Whoever has the link sees the page, so it tells no more than the amount, what for, and how it stands, and it ends some
days after the payment.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import Payment, User
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.phrases import code
from payproc.domain.states import TERMINAL, PaymentStatus
from payproc.errors import Conflict, NotFound, ProviderError
from payproc.flows import checkout
from payproc.flows.cancel import request_cancel
from payproc.jobs import Kind
from payproc.operations.decline_reasons import nothing_was_charged, reason_of
from payproc.operations.next_steps import next_steps
from payproc.providers.answers import PostForm
from payproc.providers.base import Cancelling
from payproc.providers.requests import StartMode
from payproc.records import payments
from payproc.records.reviews import has_open_mismatch
from web.auth import application
from web.json import json_answer, text_of
from web.pay import browsers, formatting, links
from web.pay.languages import LANGUAGES
from web.pay.languages.vocabulary import Vocabulary
from web.pay.state import ASKED_ABOUT, PageState, follow, state_of
from web.request.log import about
from web.schemas.pay import PayStatusAnswer

blueprint = Blueprint(
    "pay", __name__, template_folder="templates", static_folder="static", static_url_path="/pay/assets"
)

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_LANGUAGE_COOKIE = "payproc_language"
_YEAR_SECONDS = 365 * 24 * 3600
_ASKING_SECONDS = 10


@blueprint.get("/pay/<token>")
def page(token: str) -> Response:
    """Show a payment to its customer."""
    try:
        with application().database.transaction() as session:
            payment = _payment_of(session, token)
            behind = _behind(session, payment)
    except NotFound:
        if not _wants_html():
            raise
        return _message(PageState.UNKNOWN_LINK, status=404)
    except PASSING_TROUBLE:
        if not _wants_html():
            raise
        return _message(PageState.OUT_OF_REACH, status=503)
    answer = _page("pay.html", form=behind.form, token=token, **_context(payment, behind))
    browsers.remember(answer, payment, token)
    return answer


@blueprint.get(f"{links.RETURNS}/<reference>")
def back(reference: str) -> AnyResponse:
    """Lead a browser that comes back from a wallet to the page it began with; tell any other one nothing."""
    payment_id = browsers.remembered_payment_id(reference)
    if payment_id is None:
        return _message(PageState.BACK, status=200)
    about(payment_id)
    return redirect(f"{links.path_of(payment_id)}?returned=1", 303)


@blueprint.get("/pay/<token>/status")
def status(token: str) -> Response:
    """Say how the payment stands, for the page that follows it."""
    with application().database.transaction() as session:
        payment = _payment_of(session, token)
        mismatch = has_open_mismatch(session, payment.id)
    return json_answer(text_of(PayStatusAnswer.of_row(payment, mismatch=mismatch)))


@blueprint.post("/pay/<token>/cancel")
def cancel(token: str) -> AnyResponse:
    """Call the payment off for its customer, where that can be done, and show the page again."""
    with application().database.transaction() as session:
        payment = _payment_of(session, token)
        owner = session.get_one(User, payment.user_id)
        # It may have ended since the page was drawn, which then says so.
        with suppress(Conflict):
            request_cancel(application(), session, payment.id, user=owner)
    return redirect(links.path_of(payment.id), 303)


def forward_page(form: PostForm, *, method: PaymentMethod) -> Response:
    """Return the page between two of a wallet's own: its form goes on by itself, or by its button."""
    wallet = _vocabulary().wallet(method)
    return _page("forward.html", form=form, wallet=wallet, state=PageState.FORWARD)


def form_of(payment: Payment, user: User) -> PostForm | None:
    """Draw the form that the customer's browser has to post; None where there is none, or it can be drawn no more."""
    if payment.next_action is None or payment.next_action["type"] != "post_form":
        return None
    try:
        return checkout.payment_form(application(), payment, user)
    except (Conflict, ProviderError):
        # It ended meanwhile, or the account it was made with is gone: an operator hears of that from the polls.
        return None


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, as a content security policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _payment_of(session: Session, token: str) -> Payment:
    payment_id = links.payment_id_of(token)
    about(payment_id)
    payment = session.get(Payment, payment_id)
    if payment is None or _link_is_over(session, payment):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return payment


def _link_is_over(session: Session, payment: Payment) -> bool:
    if payment.status not in TERMINAL:
        return False
    life = timedelta(days=application().settings.pay_link_days)
    return datetime.now(UTC) - payments.ended_at(session, payment) > life


def _start_mode(payment: Payment) -> StartMode | None:
    provider = application().providers.get(payment.payment_method)
    if provider is None:
        return None
    try:
        return provider.start_mode(payment.dialect)
    except ProviderError:
        return None


def _ringing_seconds(payment: Payment) -> int:
    """Return how long the wallet's call goes on waiting for an MPIN."""
    age = datetime.now(UTC) - payment.created_at
    return int((application().settings.push_timeout - age).total_seconds())


@dataclass(frozen=True, kw_only=True)
class _Behind:
    """What stands behind a payment: its form, the question whether it was paid otherwise, and what is due when."""

    form: PostForm | None
    mismatch: bool
    steps: Mapping[str, datetime]


def _behind(session: Session, payment: Payment) -> _Behind:
    return _Behind(
        form=form_of(payment, session.get_one(User, payment.user_id)),
        mismatch=has_open_mismatch(session, payment.id),
        steps=next_steps(session, payment.id),
    )


def _seconds_until_asked(behind: _Behind) -> int | None:
    due_at = behind.steps.get(Kind.INQUIRE_PAYMENT)
    return None if due_at is None else max(int((due_at - datetime.now(UTC)).total_seconds()), 0)


def _changes_in(state: PageState, *, rings: int, asked: int | None) -> int | None:
    """Return after how many seconds the page says something else, though the payment stands as it did."""
    if state is PageState.PUSH:
        return rings
    # A little later than the question, so that the next one is staged.
    return asked + _ASKING_SECONDS if asked is not None and state in ASKED_ABOUT else None


def _can_be_called_off(payment: Payment, behind: _Behind) -> bool:
    if payment.status is not PaymentStatus.PENDING or behind.mismatch:
        return False
    return isinstance(application().providers.get(payment.payment_method), Cancelling)


def _context(payment: Payment, behind: _Behind) -> dict[str, object]:
    rings, asked = _ringing_seconds(payment), _seconds_until_asked(behind)
    state = state_of(
        payment,
        mode=_start_mode(payment),
        form=behind.form,
        came_back="returned" in request.args,
        rings=rings > 0,
        mismatch=behind.mismatch,
    )
    action = payment.next_action or {}
    return {
        "mismatch": behind.mismatch,
        "can_be_called_off": _can_be_called_off(payment, behind),
        "being_called_off": Kind.CANCEL_PAYMENT in behind.steps,
        "asked_in": asked // 60 + 1 if asked is not None and state in ASKED_ABOUT else None,
        "payment": payment,
        "state": state,
        "follow": follow(state),
        "wallet": _vocabulary().wallet(payment.payment_method),
        "amount": formatting.amount(payment.money),
        "reason": reason_of(payment),
        "nothing_was_charged": nothing_was_charged(payment),
        "action": action,
        "changes_in": _changes_in(state, rings=rings, asked=asked),
        "success_url": _web_address(payment.success_url),
        "cancel_url": _web_address(payment.cancel_url),
        "provider_url": _web_address(action.get("url")),
    }


def _web_address(url: str | None) -> str | None:
    # Checked when the payment was made. A link that runs a script would be the end of every other care.
    return url if url is not None and urlsplit(url).scheme in ("http", "https") else None


def _message(state: PageState, *, status: int) -> Response:
    answer = _page("message.html", state=state)
    answer.status_code = status
    return answer


def _page(template: str, *, form: PostForm | None = None, **context: object) -> Response:
    vocabulary = _vocabulary()
    others = [spoken.language for spoken in LANGUAGES.values() if spoken is not vocabulary]
    html = render_template(
        template,
        vocabulary=vocabulary,
        others=others,
        PageState=PageState,
        say=formatting.say,
        formatting=formatting,
        code=code,
        merchant=_merchant(),
        form=form,
        **context,
    )
    answer = make_response(html)
    ours = "'self'" if context.get("can_be_called_off") else "'none'"
    allowed = " ".join(_targets(form)) if form else ours
    answer.headers["Content-Security-Policy"] = f"{_POLICY}; form-action {allowed}"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Cache-Control"] = "no-store"
    if request.args.get("lang") == vocabulary.language.locale:
        _remember_language(answer, vocabulary)
    return answer


def _merchant() -> dict[str, str | None]:
    settings = application().settings
    return {
        "name": settings.merchant_name,
        "contact": settings.merchant_contact,
        "zone": settings.merchant_time_zone,
    }


def _targets(form: PostForm) -> list[str]:
    """Return whom a form's post may reach: the wallet, and ourselves, where the wallet may send it straight back.

    Chromium holds every redirect that follows a post against form-action as well, and shows the customer nothing where
    one is refused.
    """
    urls = (form.url, application().settings.public_base_url, form.return_url)
    return list(dict.fromkeys(("'self'", *(origin_of(url) for url in urls if url), *form.sites)))


def _vocabulary() -> Vocabulary:
    """Return the language that was asked for: in the link, in an earlier one, or by the browser."""
    for asked in (request.args.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
        if asked in LANGUAGES:
            return LANGUAGES[asked]
    tags = list(LANGUAGES)
    return LANGUAGES[request.accept_languages.best_match(tags, default=tags[0])]


def _remember_language(answer: Response, vocabulary: Vocabulary) -> None:
    # The wallet sends the browser back without it.
    answer.set_cookie(
        _LANGUAGE_COOKIE,
        vocabulary.language.locale,
        max_age=_YEAR_SECONDS,
        secure=application().settings.public_base_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def _wants_html() -> bool:
    # Named, and not only admitted: a program says */*.
    return any(kind == "text/html" and quality > 0 for kind, quality in request.accept_mimetypes)
