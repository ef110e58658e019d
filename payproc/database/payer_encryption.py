"""What only the wallet may know of a customer, while it waits for its call: encrypted under SECRET_KEY."""

import json

from payproc.database.encryption import Cipher
from payproc.providers.requests import Payer
from payproc.settings import Settings


class PayerCipher:
    """Encrypts a payer for the row of the payment, and decrypts one for the call that needs it."""

    def __init__(self, settings: Settings) -> None:
        self._cipher = Cipher(settings.secret_key, purpose="payproc payer 1", what="The payer", code="payer_sealed")

    def encrypt(self, payer: Payer) -> str | None:
        """Return what may be stored; None where there is nothing to hide."""
        told = {name: value for name, value in (("phone", payer.phone), ("cnic", payer.cnic)) if value}
        return self._cipher.encrypt(json.dumps(told)) if told else None

    def decrypt(self, encrypted: str | None) -> Payer:
        """Return the payer again.

        Raises RequestRefused where SECRET_KEY is another one than it was encrypted under.
        """
        if encrypted is None:
            return Payer()
        return Payer(**json.loads(self._cipher.decrypt(encrypted)))
