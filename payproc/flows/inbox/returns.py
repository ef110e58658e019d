"""The customer's browser coming back from a wallet's pages. It chooses what is shown, and decides nothing."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from payproc.application import Application
from payproc.database.held import find_named
from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import BadSignature, NotFound, NoticeMalformed
from payproc.flows.inbox import hints
from payproc.flows.inbox.accept import accept_notice
from payproc.providers.answers import PostForm
from payproc.providers.base import Returning
from payproc.providers.notices import Hint, RawNotice

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class CameBack:
    """A browser that came back, and from which payment; `proven` where it brought what the gateway signed about it."""

    payment: Payment
    proven: bool


def take_return(
    app: Application, method: PaymentMethod, raw: RawNotice, *, admits_hint: Callable[[], bool] = lambda: True
) -> PostForm | CameBack:
    """Return the form that the browser must post next, or the payment that it came back from.

    What a gateway signed is kept as a notice; anything else is a reason to ask, as a hint is, where the caller admits
    it. Raises NotFound for a return that names no payment of ours.
    """
    # What a return posts and what it names are one hint.
    admits_hint = functools.cache(admits_hint)
    provider = app.provider(method)
    if not isinstance(provider, Returning):
        raise NotFound(f"Nobody comes back from {method}.", code="payment_method_unavailable")
    form = provider.next_form(raw)
    if form is not None:
        return form
    proven = bool(raw.body) and _keep_what_is_signed(app, method, raw, admits_hint=admits_hint)
    hint = provider.returned(raw)
    payment = _payment_of(app, method, hint) if hint else None
    if payment is None or hint is None:
        raise NotFound("This return names no payment of ours.", code="payment_not_found")
    if admits_hint():
        hints.take_hint(app, method, hint, body=hint.reference.encode(), received_at=raw.received_at)
    return CameBack(payment=payment, proven=proven)


def _payment_of(app: Application, method: PaymentMethod, hint: Hint) -> Payment | None:
    # By our reference alone, which nobody guesses: a gateway's own ids may count.
    with app.database.transaction() as session:
        return find_named(session, (hint.reference, *hint.also), {}, method=method)


def _keep_what_is_signed(
    app: Application, method: PaymentMethod, raw: RawNotice, *, admits_hint: Callable[[], bool]
) -> bool:
    try:
        return accept_notice(app, method, raw, admits_hint=admits_hint).proven
    except (BadSignature, NoticeMalformed) as refused:
        # A customer can post what they like here; they are shown their payment as it is.
        log.warning("return not believed", provider=method, code=refused.code, reason=refused.message)
        return False
