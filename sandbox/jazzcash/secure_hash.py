"""`pp_SecureHash`: one rule for requests, answers, the form back to the shop, notices and their acknowledgements."""

import hashlib
import hmac
from collections.abc import Mapping

FIELD = "pp_SecureHash"


def secure_hash(fields: Mapping[str, object], salt: str) -> str:
    """Return the digest over the values of the `pp` fields that are neither null nor blank, in byte order of names."""
    names = sorted(name for name in fields if name.startswith("pp") and name != FIELD)
    values = [str(fields[name]) for name in names if fields[name] is not None and str(fields[name]).strip()]
    message = "&".join([salt, *values])
    return hmac.new(salt.encode(), message.encode(), hashlib.sha256).hexdigest().upper()


def signed(fields: Mapping[str, object], salt: str) -> dict[str, object]:
    """Return the fields with their digest."""
    return {**fields, FIELD: secure_hash(fields, salt)}


def is_signed(fields: Mapping[str, object], salt: str) -> bool:
    """Tell whether the digest is there and right; its letters may be of either case."""
    given = fields.get(FIELD)
    if not isinstance(given, str) or not given.isascii():
        return False
    return hmac.compare_digest(given.upper(), secure_hash(fields, salt))


def guide_digest(*parts: str) -> str:
    """Return the digest of the integration guide's dialect.

    It has no key and nothing between the parts, so a digit moved from one to its neighbour goes unnoticed. That is
    the guide's own rule, kept as broken as it is.
    """
    return hashlib.sha256("".join(parts).encode()).hexdigest()
