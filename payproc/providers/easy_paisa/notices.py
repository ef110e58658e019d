"""Deliveries. Easypaisa signs none, so each is a hint at most: a reason to ask, never an answer.

The gateway's own notice (IPN) is a GET with an address that the merchant is told to fetch. It is never fetched:
anybody can send one, and our server would call whatever it names. The order is taken from its path instead.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from payproc.domain.references import Reference
from payproc.errors import NoticeMalformed
from payproc.providers.easy_paisa import hosted
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig, default_base_url
from payproc.providers.notices import Hint, Ignored, RawNotice
from payproc.providers.transport import strict_json

IPN = "easy_paisa.ipn"
GUIDE_NOTICE = "easy_paisa.guide"
RETURN = "easy_paisa.return"

# What the guide's notice may name a payment by: the gateway's id, or ours; and a field of the guide's for another one.
_NAMES = ("transactionId", "transactionRefId")

_ORDER_STATUS = "/easypay-service/rest/v1/order-status/"
_ORDER = "([A-Za-z0-9]{1,20})"
_LONGEST_QUERY = 2048
_MOST_PARAMETERS = 10
# A reference as any gateway could echo it; whether it is one of ours, the look-up says.
_REFERENCE = re.compile(r"[!-~]{1,64}")
_FIELD_NAME = re.compile(r"[A-Za-z_]{1,40}")
# What is kept of the guide's notice. All else is masked: a phone number can come under any name.
_KEPT = {
    "transactionId": _REFERENCE,
    "transactionStatus": re.compile(r"[A-Za-z_]{1,20}"),
    "responseCode": re.compile(r"[0-9]{1,4}"),
}


def read(raw: RawNotice, config: EasyPaisaConfig) -> Hint | Ignored:
    """Read a delivery of either kind.

    Raises NoticeMalformed for a body that is no notice of the guide's, and where there is nothing to read at all.
    """
    if raw.body:
        return _guide_hint(raw.body)
    if not raw.query:
        raise NoticeMalformed("There is neither a body nor a query.")
    order = _order_of(raw.query, config)
    if order is None:
        # Not NoticeMalformed: its 400 would tell a stranger which addresses, and with them which account, we take.
        # One key for all of them, so that a flood of nonsense fills one row.
        return Ignored(key=f"{IPN}.unusable", kind=IPN, reason="the address names no order of our account")
    return Hint(kind=IPN, reference=order)


def redacted(raw: RawNotice, config: EasyPaisaConfig) -> bytes:
    """Return what may be kept: of an IPN or a return its order, of the guide's notice what is about no person."""
    if not raw.body:
        order = _order_of(raw.query, config) or hosted.returned_reference(raw)
        return json.dumps({"orderId": order} if order else {}).encode()
    try:
        found = _body_object(raw.body)
    except NoticeMalformed:
        return b"{}"
    kept = {name: _kept(name, value) for name, value in found.items() if _FIELD_NAME.fullmatch(name)}
    return json.dumps(kept).encode()


def _guide_hint(body: bytes) -> Hint:
    found = _body_object(body)
    named = {
        name: value for name in _NAMES if isinstance(value := found.get(name), str) and _REFERENCE.fullmatch(value)
    }
    if not named:
        raise NoticeMalformed("The body names no transactionId.")
    first, *others = dict.fromkeys(named.values())
    return Hint(
        kind=GUIDE_NOTICE,
        reference=first,
        also=tuple(others),
        references={Reference.EASY_PAISA: named["transactionId"]} if "transactionId" in named else {},
        answer={"status": "received"},
    )


def _body_object(body: bytes) -> Mapping[str, Any]:
    try:
        # Decoded here: json would also take UTF-16 and UTF-32, which another reader would not.
        return strict_json.parsed_object(body.decode("utf-8"))
    except ValueError:
        raise NoticeMalformed("The body is not a JSON object.") from None


def _kept(name: str, value: object) -> str:
    pattern = _KEPT.get(name)
    return value if pattern and isinstance(value, str) and pattern.fullmatch(value) else "***"


def _order_of(query: str, config: EasyPaisaConfig) -> str | None:
    addresses = _addresses(query)
    if len(addresses) != 1 or not config.account_number:
        return None
    # Whole and literal: no parser that could see another host, port or path in it than its sender did.
    allowed = "|".join(re.escape(f"{base}{_ORDER_STATUS}{config.account_number}/") for base in _bases(config))
    found = re.fullmatch(f"(?:{allowed}){_ORDER}", addresses[0])
    return found[1] if found else None


def _addresses(query: str) -> list[str]:
    if len(query) > _LONGEST_QUERY:
        return []
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return []
    return [value for name, value in pairs if name == "url"]


def _bases(config: EasyPaisaConfig) -> set[str]:
    real = {default_base_url(Dialect.REST_V4, live=live) for live in (True, False)}
    if config.base_url is None:
        return real
    # A sandbox names itself, with or without the prefix it is mounted at.
    own = urlsplit(config.base_url)
    return real | {config.base_url.rstrip("/"), f"{own.scheme}://{own.netloc}"}
