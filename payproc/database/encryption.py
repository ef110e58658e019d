"""Texts that stand in rows encrypted under SECRET_KEY."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from payproc.errors import Refusal, RequestRefused

_KEY_BYTES = 32


class Cipher:
    """Encrypts texts of one purpose: what is made of SECRET_KEY for another must not decrypt them."""

    def __init__(self, secret_key: SecretStr, *, purpose: str, what: str, code: str) -> None:
        """Derive the key. `what` was encrypted, and the error's `code`, are for whoever meets another SECRET_KEY."""
        secret = secret_key.get_secret_value().encode()
        key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
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
