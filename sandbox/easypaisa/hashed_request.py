"""`merchantHashedReq`: the hosted form's own fields once more, encrypted with the store's key."""

import base64
import binascii
from collections.abc import Mapping

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FIELD = "merchantHashedReq"
_BLOCK_BITS = 128


def plain_text(fields: Mapping[str, str]) -> str:
    """Return what is encrypted: `name=value` of every field that is not blank, in order of names, not URL-encoded."""
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != FIELD and fields[name])


def decrypted(text: str, key: str) -> str | None:
    """Return what was encrypted, or nothing when it was not with this key."""
    try:
        secret = base64.b64decode(text, validate=True)
        # The gateway's own choice, and weak: equal blocks look equal. Nothing secret is inside.
        decryptor = Cipher(algorithms.AES(key.encode()), modes.ECB()).decryptor()  # noqa: S305 (see above)
        padded = decryptor.update(secret) + decryptor.finalize()
        unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except (binascii.Error, ValueError):
        return None
