"""Links to the pay page, as this process signs them."""

from payproc.domain.ids import Prefix, is_id
from payproc.errors import NotFound
from payproc.outgoing import pay_links
from web.auth import application

RETURNS = "/pay/back"


def url_of(row_id: str) -> str:
    """Return the absolute address of the pay page of a payment or an order."""
    return pay_links.url_of(application().settings, row_id)


def path_of(row_id: str) -> str:
    """Return the path of the pay page of a payment or an order."""
    return pay_links.path_of(application().settings, row_id)


def return_path_of(reference: str) -> str:
    """Return where a browser is sent that comes back from a wallet: it names the payment, and opens nothing."""
    return f"{RETURNS}/{reference}"


def named_by(token: str) -> str:
    """Return the id of the payment or order that a link names.

    Raises NotFound for a link that is not ours.
    """
    return pay_links.named_by(application().settings, token)


def payment_id_of(token: str) -> str:
    """Return the payment that a link names.

    Raises NotFound for a link that is not ours, or is an order's.
    """
    named = named_by(token)
    if not is_id(named, Prefix.PAYMENT):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return named
