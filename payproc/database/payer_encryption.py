"""What only the wallet may know of a customer, while it waits for its call: encrypted under SECRET_KEY."""

import base64
import json

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from payproc.errors import Refusal, RequestRefused
from payproc.providers.requests import Payer
from payproc.settings import Settings

# Bound to its purpose: what else is made of SECRET_KEY must not decrypt a payer.
_PURPOSE = b"payproc payer 1"
_KEY_BYTES = 32


class PayerCipher:
    """Encrypts a payer for the row of the payment, and decrypts one for the call that needs it."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.secret_key.get_secret_value().encode()
        key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(secret)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, payer: Payer) -> str | None:
        """Return what may be stored; None where there is nothing to hide."""
        told = {name: value for name, value in (("phone", payer.phone), ("cnic", payer.cnic)) if value}
        return self._fernet.encrypt(json.dumps(told).encode()).decode() if told else None

    def decrypt(self, encrypted: str | None) -> Payer:
        """Return the payer again.

        Raises RequestRefused where SECRET_KEY is another one than it was encrypted under.
        """
        if encrypted is None:
            return Payer()
        try:
            return Payer(**json.loads(self._fernet.decrypt(encrypted.encode())))
        except InvalidToken:
            raise RequestRefused(
                "The payer was encrypted under another SECRET_KEY.", refusal=Refusal.CONFIGURATION, code="payer_sealed"
            ) from None
