"""Texts that stand in rows encrypted under SECRET_KEY; and phones, hashed under a key that is made of it."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from payproc.errors import Refusal, RequestRefused

_KEY_BYTES = 32
_TO_FIND_BY = "payproc phone 1"
# Half of SHA-256: two numbers of a country's will not share one, and an index holds twice as many.
_HASH_BYTES = 16


def _derived(secret_key: SecretStr, purpose: str) -> bytes:
    secret = secret_key.get_secret_value().encode()
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)


class PhoneHasher:
    """Makes of a phone what its payments are found by, and what nobody makes a phone of.

    There are few enough numbers to try them all, so a hash without a key would be the number itself.
    """

    def __init__(self, secret_key: SecretStr) -> None:
        self._key = _derived(secret_key, _TO_FIND_BY)

    def hashed(self, phone: str) -> bytes:
        """Return the hash of a normalised number."""
        return hmac.new(self._key, phone.encode(), hashlib.sha256).digest()[:_HASH_BYTES]


class Cipher:
    """Encrypts texts of one purpose: what is made of SECRET_KEY for another must not decrypt them."""

    def __init__(self, secret_key: SecretStr, *, purpose: str, what: str, code: str) -> None:
        """Derive the key. `what` was encrypted, and the error's `code`, are for whoever meets another SECRET_KEY."""
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(secret_key, purpose)))
        self._what, self._code = what, code

    def encrypt(self, text: str) -> str:
        """Return what may be stored."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Return the text again.

        Raises RequestRefused where SECRET_KEY is another one than it was encrypted under.
        """
        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except InvalidToken:
            raise RequestRefused(
                f"{self._what} was encrypted under another SECRET_KEY.",
                refusal=Refusal.CONFIGURATION,
                code=self._code,
            ) from None
