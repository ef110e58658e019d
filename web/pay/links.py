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


def is_ours(url: str) -> bool:
    """Tell whether an address is that of a pay page of ours."""
    return url.startswith(f"{application().settings.public_base_url}/pay/")


def names_an_order(token: str) -> bool:
    """Tell whether a link is an order's.

    Raises NotFound for a link that is not ours.
    """
    return is_id(named_by(token), Prefix.ORDER)


def order_id_of(token: str) -> str:
    """Return the order that a link names.

    Raises NotFound for a link that is not ours, or is a payment's.
    """
    named = named_by(token)
    if not is_id(named, Prefix.ORDER):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return named


def payment_id_of(token: str) -> str:
    """Return the payment that a link names.

    Raises NotFound for a link that is not ours, or is an order's.
    """
    named = named_by(token)
    if not is_id(named, Prefix.PAYMENT):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return named
