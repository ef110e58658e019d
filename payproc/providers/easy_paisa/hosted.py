"""The hosted page: the customer's browser posts our form, comes back with a token, posts that, and comes back again.

Nothing that a browser brings is signed. Only an inquiry says whether the payment was made.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote

from payproc.domain.money import Money
from payproc.errors import NoticeMalformed, SettingsInvalid
from payproc.providers.answers import PostForm
from payproc.providers.easy_paisa import values
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig
from payproc.providers.easy_paisa.signature import HASHED_REQUEST, aes_key, merchant_hashed_req
from payproc.providers.notices import RawNotice
from payproc.providers.requests import StartRequest

# How long the form can be paid, from the payment's creation.
FORM_LIFE = timedelta(days=1)

# Between whose hosts the gateway moves the browser.
_SITES = ("https://*.easypaisa.com.pk",)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
_ORDER = re.compile(r"[A-Za-z0-9]{1,20}")
_PHONE = re.compile(r"03[0-9]{9}")


def check_settings(config: EasyPaisaConfig) -> None:
    """Find out at the start of the process, and not at a customer's, that no form can be drawn.

    Raises SettingsInvalid.
    """
    aes_key(config.hash_key)
    if "&" in config.return_url:
        # The form's hash joins its fields with this very letter, unescaped.
        raise SettingsInvalid(["EASY_PAISA_RETURN_URL must not contain '&'"])


def index_form(request: StartRequest, config: EasyPaisaConfig) -> PostForm:
    """Draw the form that begins the payment.

    Raises SettingsInvalid without a hash key that AES can use.
    """
    sent = {
        "storeId": config.store_id,
        "amount": amount_text(request.money),
        "postBackURL": config.return_url,
        "orderRefNum": request.reference,
        "expiryDate": values.pakistan_second(request.created_at + FORM_LIFE),
        "autoRedirect": "1",
        "paymentMethod": "MA_PAYMENT_METHOD",
        **_about_the_payer(request),
    }
    signed = sent | {HASHED_REQUEST: merchant_hashed_req(sent, aes_key(config.hash_key))}
    return _form("Index.jsf", signed, config)


def confirm_form(raw: RawNotice, config: EasyPaisaConfig) -> PostForm | None:
    """Draw the second form, which hands the gateway's token back; None where the browser brought none.

    Raises NoticeMalformed for a token that could not be the gateway's: it goes into a page.
    """
    tokens = list(_brought(raw, "auth_token"))
    if not tokens:
        return None
    if len(tokens) > 1 or not _TOKEN.fullmatch(tokens[0]):
        raise NoticeMalformed("The return's auth_token is none.")
    return _form("Confirm.jsf", {"auth_token": tokens[0], "postBackURL": config.return_url}, config)


def returned_reference(raw: RawNotice) -> str | None:
    """Return the order that the last return names. Anybody can write one into the address."""
    orders = list(_brought(raw, "orderRefNumber"))
    return orders[0] if len(orders) == 1 and _ORDER.fullmatch(orders[0]) else None


def amount_text(money: Money) -> str:
    """Write rupees with one decimal, as the gateway's guide wants them, and with two only where paisa need it."""
    return values.rupees_text(money).removesuffix("0")


def _form(page: str, fields: dict[str, str], config: EasyPaisaConfig) -> PostForm:
    url = f"{config.base_for(Dialect.HOSTED)}/easypay/{page}"
    return PostForm(url=url, fields=fields, sites=_SITES, return_url=config.return_url)


def _about_the_payer(request: StartRequest) -> dict[str, str]:
    known = {}
    if request.payer.phone and _PHONE.fullmatch(request.payer.phone):
        known["mobileNum"] = request.payer.phone
    if email := values.email(request.customer.email):
        known["emailAddr"] = email
    return known


def _brought(raw: RawNotice, wanted: str) -> Iterator[str]:
    # Not read as a form would be: a token may be base64, and a plus that is not escaped would become a space.
    for pair in raw.query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name) == wanted:
            yield unquote(value)
