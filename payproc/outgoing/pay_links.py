"""Links to pay pages: the id of a payment or an order, signed, so that nobody can count through other people's."""

from functools import cache

from itsdangerous import BadSignature, URLSafeSerializer

from payproc.errors import NotFound
from payproc.settings import Settings

# Bound to its purpose: what else is signed under SECRET_KEY opens no page.
_PURPOSE = "payproc pay page"


@cache
def _signer_with(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=_PURPOSE)


def _signer(settings: Settings) -> URLSafeSerializer:
    return _signer_with(settings.secret_key.get_secret_value())


def url_of(settings: Settings, row_id: str) -> str:
    """Return the absolute address of the pay page of a payment or an order."""
    return f"{settings.public_base_url}{path_of(settings, row_id)}"


def path_of(settings: Settings, row_id: str) -> str:
    """Return the path of the pay page of a payment or an order."""
    return f"/pay/{_signer(settings).dumps(row_id)}"


def named_by(settings: Settings, token: str) -> str:
    """Return the id of the payment or order that a link names.

    Raises NotFound for a link that is not ours.
    """
    try:
        return str(_signer(settings).loads(token))
    except BadSignature:
        raise NotFound("There is no such payment page.", code="pay_link_invalid") from None
