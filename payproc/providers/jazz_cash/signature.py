"""The gateway's one secure hash, and the guide's two digests."""

import hashlib
import hmac
from collections.abc import Mapping

from payproc.providers.jazz_cash.values import is_plain

SECURE_HASH = "pp_SecureHash"
_PREFIX = "pp"  # of `ppmpf_…` and `ppmbf_…` too


def secure_hash(fields: Mapping[str, object], salt: str) -> str:
    """Hash every field whose name begins with `pp`: requests, replies, returns and notifications are all signed so.

    Values only, in ordinal order of their names: a locale's order would put pp_MerchantID before pp_MPIN.
    Raises ValueError for an empty salt, TypeError for a value that is no text.
    """
    if not salt:
        raise ValueError("an empty salt signs nothing")
    message = "&".join([salt, *signed_part(fields).values()])
    return hmac.new(salt.encode(), message.encode(), hashlib.sha256).hexdigest().upper()


def signed_part(fields: Mapping[str, object]) -> dict[str, str]:
    """Return what the hash covers, in its order.

    Raises TypeError for a value that is no text.
    """
    covered = {
        name: fields[name]
        for name in sorted(fields)
        if name.startswith(_PREFIX) and name != SECURE_HASH and fields[name] is not None
    }
    texts = {name: value for name, value in covered.items() if isinstance(value, str)}
    if len(texts) < len(covered):
        raise TypeError("a value is no text")
    return {name: value for name, value in texts.items() if value.strip()}


def sign(fields: Mapping[str, str], salt: str) -> dict[str, str]:
    """Return the fields with their hash behind them.

    Raises ValueError for a value that two parties could hash differently, or split: the border between two values
    is an ampersand, and the encoding of anything but ASCII is not agreed on.
    """
    strange = sorted(name for name, value in fields.items() if not is_plain(value))
    if strange:
        raise ValueError(f"cannot be signed: {', '.join(strange)}")
    return {**fields, SECURE_HASH: secure_hash(fields, salt)}


def verified(fields: Mapping[str, object], salt: str) -> bool:
    """Whether the holder of the salt signed these fields. An empty hash or salt proves nothing."""
    given = fields.get(SECURE_HASH)
    if not salt or not isinstance(given, str) or not given or not given.isascii():
        return False
    try:
        expected = secure_hash(fields, salt)
    except (TypeError, UnicodeEncodeError):
        # Numbers, nested values and half a surrogate pair: whatever they are, nobody has signed them.
        return False
    return hmac.compare_digest(given.upper(), expected)


def guide_form_digest(*, merchant_id: str, auth_code: str, amount: str, password: str) -> str:
    """Digest a form as the guide does.

    Kept as broken as it is: nothing separates the values, so a digit moved from the amount to the auth code leaves
    it valid. Therefore no amount of this dialect is believed until an inquiry has named it.
    """
    return hashlib.sha256(f"{merchant_id}{auth_code}{amount}{password}".encode()).hexdigest()


def guide_inquiry_digest(*, merchant_id: str, reference: str, password: str) -> str:
    """Digest an inquiry as the guide does."""
    return hashlib.sha256(f"{merchant_id}{reference}{password}".encode()).hexdigest()
