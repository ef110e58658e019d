"""Webhooks and returning browsers: verify, store once, answer, work later. No broker and no session of a user."""

from collections.abc import Callable, Iterable

import structlog
from flask import Response, redirect, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.wrappers import Response as AnyResponse

from payproc.domain.payment_methods import PaymentMethod, path_of
from payproc.errors import BadSignature, NoticeMalformed
from payproc.flows.inbox.accept import Accepted, accept_notice
from payproc.flows.inbox.returns import CameBack, take_return
from payproc.flows.push_quota import holder_of
from payproc.providers.notices import RawNotice
from payproc.providers.stripe import STRIPE
from web.api.blueprints import problems
from web.api.intake import TAKEN, answer_to, raw_notice
from web.api.locations import PAYMENTS
from web.auth import application
from web.json import json_answer
from web.pay import drawing, links
from web.request.log import about
from web.schemas.notices import ReceivedAnswer

log = structlog.get_logger()

View = Callable[[], AnyResponse]


class HintCap:
    """How many unsigned notices and returns one address may leave behind in a minute, by each process of the front.

    In memory on purpose: the front never talks to the broker, and a row per delivery would be the flood itself.
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def admits(self) -> bool:
        """Count this delivery, and tell whether it is looked at."""
        return self._limiter.hit(self._limit, holder_of(request.remote_addr or "unknown"))


def blueprint_of(methods: Iterable[PaymentMethod], *, hints_per_minute: int) -> APIBlueprint:
    """Make the routes on which these providers tell us things, and on which they send browsers back."""
    blueprint = APIBlueprint(
        "notices",
        __name__,
        url_prefix=PAYMENTS,
        abp_tags=[Tag(name="notices", description="What providers tell us.")],
        abp_responses=problems(400, 403, 404, 413, 503),
    )
    cap = HintCap(hints_per_minute)
    blueprint.post("/webhook/stripe", responses={"200": ReceivedAnswer})(_stripe_webhook(cap))
    for method in methods:
        for verb in (blueprint.post, blueprint.get):
            name = f"{verb.__name__}_{method}"
            verb(f"/{path_of(method)}/notify", responses={"200": ReceivedAnswer})(
                _named(_notify(method, cap), f"{name}_notify")
            )
            verb(f"/{path_of(method)}/return", responses={"303": None})(_named(_return(method, cap), f"{name}_return"))
    return blueprint


def _named(view: View, name: str) -> View:
    view.__name__ = name
    return view


def _stripe_webhook(cap: HintCap) -> View:
    view = _named(_notify(STRIPE, cap), "stripe_webhook")
    view.__doc__ = """Take a signed Stripe event.

    200 means it is stored, now or before. 400: not an event. 403: not signed by our secret within five minutes.
    503: not stored, deliver it again.
    """
    return view


def _notify(method: PaymentMethod, cap: HintCap) -> View:
    def notify() -> Response:
        """Take a notice of the provider.

        200 means it is stored, or was taken for a hint. 400: not a notice. 403: signed, and not by the provider. 503:
        not stored, deliver it again.
        """
        raw = _raw()
        try:
            accepted = _accepted(method, raw, cap)
        except (BadSignature, NoticeMalformed) as refused:
            log.warning(
                "notice refused", provider=method, code=refused.code, reason=refused.message, bytes=len(raw.body)
            )
            raise
        about(accepted.notice_id)
        return json_answer(answer_to(accepted))

    return notify


def _accepted(method: PaymentMethod, raw: RawNotice, cap: HintCap) -> Accepted:
    match request.environ.get(TAKEN):
        case Exception() as refused:
            raise refused
        case _:
            return accept_notice(application(), method, raw, admits_hint=cap.admits)


def _return(method: PaymentMethod, cap: HintCap) -> View:
    def returned() -> AnyResponse:
        """Take a browser back from the provider's pages, and show it its payment if it began it."""
        came = take_return(application(), method, _raw(), admits_hint=cap.admits)
        if isinstance(came, CameBack):
            about(came.payment.id)
            # A reference may be known to others: by itself it opens no page.
            shown = f"{links.path_of(came.payment.id)}?returned=1" if came.proven else None
            # 303: what was posted to us is not posted on.
            return redirect(shown or links.return_path_of(came.payment.reference), 303)
        return drawing.forward_page(came, method=method)

    return returned


def _raw() -> RawNotice:
    return raw_notice(request.environ, request.get_data(cache=False))
