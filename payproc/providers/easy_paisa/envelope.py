"""The signed envelope of rest v5: `{"request": {…}, "signature": "…"}` out, `{"response": {…}, …}` in."""

import json
from collections.abc import Mapping
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from payproc.providers.easy_paisa import signature
from payproc.providers.transport import strict_json


class NotSigned(Exception):
    """A reply that the gateway's key did not sign as it came."""


class Envelope:
    """Our key to sign with, and the gateway's to believe."""

    def __init__(self, *, ours: rsa.RSAPrivateKey, theirs: rsa.RSAPublicKey) -> None:
        self._ours = ours
        self._theirs = theirs

    @classmethod
    def from_pem(cls, *, private_key: str, public_key: str) -> Self:
        """Make it from two PEM texts.

        Raises SettingsInvalid where one holds no such key.
        """
        return cls(ours=signature.private_key(private_key), theirs=signature.public_key(public_key))

    def sealed(self, inner: Mapping[str, Any]) -> bytes:
        """Return the body to send. The very text that was signed stands in it: nothing serialises it again."""
        text = json.dumps(inner, separators=(",", ":"))
        return f'{{"request":{text},"signature":"{signature.signed(text, self._ours)}"}}'.encode()

    def opened(self, text: str) -> dict[str, Any]:
        """Return the reply's inner object, parsed from exactly the text that its signature covers.

        Raises NotSigned.
        """
        try:
            members = strict_json.raw_members(text)
            inner, claimed = members["response"], json.loads(members["signature"])
            # Parsed apart: no other part of the reply can lend its fields to the signed one.
            fields = strict_json.parsed_object(inner)
        except (ValueError, KeyError):
            raise NotSigned("the reply is no signed envelope") from None
        if not isinstance(claimed, str) or not signature.verifies(inner, claimed, self._theirs):
            raise NotSigned("the reply's signature does not verify")
        return fields
