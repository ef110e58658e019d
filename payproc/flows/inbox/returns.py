"""The customer's browser coming back from a wallet's pages. It chooses what is shown, and decides nothing."""

import structlog

from payproc.application import Application
from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import BadSignature, NotFound, NoticeMalformed
from payproc.flows.inbox import hints
from payproc.flows.inbox.accept import accept_notice
from payproc.providers.answers import PostForm
from payproc.providers.base import Returning
from payproc.providers.notices import Hint, RawNotice
from payproc.records import payments

log = structlog.get_logger()


def take_return(app: Application, method: PaymentMethod, raw: RawNotice) -> PostForm | Payment:
    """Return the form that the browser must post next, or the payment whose page it is shown.

    What a gateway signed is kept as a notice; anything else is a reason to ask, as a hint is. Raises NotFound for a
    return that names no payment of ours.
    """
    provider = app.provider(method)
    if not isinstance(provider, Returning):
        raise NotFound(f"Nobody comes back from {method}.", code="payment_method_unavailable")
    form = provider.next_form(raw)
    if form is not None:
        return form
    if raw.body:
        _keep_what_is_signed(app, method, raw)
    reference = provider.returned_reference(raw)
    with app.database.transaction() as session:
        payment = payments.find_by_our_reference(session, reference, method=method)
    if payment is None or not reference:
        raise NotFound("This return names no payment of ours.", code="payment_not_found")
    hint = Hint(kind=f"{method}.return", reference=reference)
    hints.take_hint(app, method, hint, body=reference.encode(), received_at=raw.received_at)
    return payment


def _keep_what_is_signed(app: Application, method: PaymentMethod, raw: RawNotice) -> None:
    try:
        accept_notice(app, method, raw)
    except (BadSignature, NoticeMalformed) as refused:
        # A customer can post what they like here; they are shown their payment as it is.
        log.warning("return not believed", provider=method, code=refused.code, reason=refused.message)
