"""Which browser began a payment: the one that was shown its page.

A wallet sends a browser back by an address that names the payment and that anybody can write. Only who brings what we
gave it with the page, or what the gateway signed, is led to the page again.
"""

from flask import Response, request

from payproc.database.models import Payment
from payproc.domain.states import OPEN
from payproc.errors import NotFound
from web.auth import application
from web.pay import links

# As long as the hosted pages take a form.
_REMEMBERED_SECONDS = 24 * 3600


def remember(answer: Response, payment: Payment, token: str) -> None:
    """Let this browser keep the link of an open payment, for when it comes back."""
    if payment.status not in OPEN:
        return
    answer.set_cookie(
        _name(payment.reference),
        token,
        max_age=_REMEMBERED_SECONDS,
        path=links.RETURNS,
        secure=application().settings.public_base_url.startswith("https://"),
        httponly=True,
        # A wallet that posts the browser back brings no cookie, but the address that we then send it to does.
        samesite="Lax",
    )


def remembered_payment_id(reference: str) -> str | None:
    """Return the payment of this reference, if this browser was shown its page."""
    token = request.cookies.get(_name(reference))
    try:
        return links.payment_id_of(token) if token else None
    except NotFound:
        return None


def _name(reference: str) -> str:
    return f"payproc_pay_{reference}"
