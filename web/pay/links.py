"""Links to the pay page: a payment's id, signed, so that nobody can count through other people's."""

from functools import cache

from itsdangerous import BadSignature, URLSafeSerializer

from payproc.errors import NotFound
from web.auth import application

RETURNS = "/pay/back"

_PURPOSE = "payproc pay page"


def _signer() -> URLSafeSerializer:
    return _signer_with(application().settings.secret_key.get_secret_value())


@cache
def _signer_with(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=_PURPOSE)


def url_of(payment_id: str) -> str:
    """Return the absolute address of a payment's pay page."""
    return f"{application().settings.public_base_url}{path_of(payment_id)}"


def path_of(payment_id: str) -> str:
    """Return the path of a payment's pay page."""
    return f"/pay/{_signer().dumps(payment_id)}"


def return_path_of(reference: str) -> str:
    """Return where a browser is sent that comes back from a wallet: it names the payment, and opens nothing."""
    return f"{RETURNS}/{reference}"


def payment_id_of(token: str) -> str:
    """Return the payment that a link names.

    Raises NotFound for a link that is not ours.
    """
    try:
        return str(_signer().loads(token))
    except BadSignature:
        raise NotFound("There is no such payment page.", code="pay_link_invalid") from None
