"""The gateway's two signatures: the hosted form's encrypted fields, and RSA over the text of a JSON object."""

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from payproc.errors import SettingsInvalid

HASHED_REQUEST = "merchantHashedReq"

_AES_KEY_BYTES = (16, 24, 32)
_LEAST_RSA_BITS = 2048


def aes_key(text: str) -> bytes:
    """Return the portal's hash key as the raw bytes that it is used as.

    Raises SettingsInvalid where AES has no such key.
    """
    key = text.encode()
    if len(key) not in _AES_KEY_BYTES:
        raise SettingsInvalid(["EASY_PAISA_HASH_KEY must be 16, 24 or 32 bytes"])
    return key


def merchant_hashed_req(fields: Mapping[str, str], hash_key: bytes) -> str:
    """Encrypt the form's fields that are not blank, sorted by name and joined as `k=v&k=v` without escaping.

    Raises ValueError for a value with `&` in it: it could pass for one more field.
    """
    signed = {name: value for name, value in fields.items() if value and name != HASHED_REQUEST}
    if any("&" in value for value in signed.values()):
        raise ValueError("a field of the hosted form contains '&'")
    plain = "&".join(f"{name}={signed[name]}" for name in sorted(signed)).encode()
    padder = PKCS7(algorithms.AES.block_size).padder()
    encryptor = Cipher(algorithms.AES(hash_key), modes.ECB()).encryptor()  # noqa: S305 (the gateway's choice, not ours)
    encrypted = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return base64.b64encode(encrypted).decode()


def private_key(pem: str) -> rsa.RSAPrivateKey:
    """Load our own key.

    Raises SettingsInvalid, without a word of the text, where it is none.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _LEAST_RSA_BITS:
        raise SettingsInvalid(["EASY_PAISA_PRIVATE_KEY must be an RSA private key of 2048 bits or more, as plain PEM"])
    return key


def public_key(pem: str) -> rsa.RSAPublicKey:
    """Load the gateway's key.

    Raises SettingsInvalid where it is none.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_RSA_BITS:
        raise SettingsInvalid(["EASY_PAISA_PUBLIC_KEY must be an RSA public key of 2048 bits or more, as PEM"])
    return key


def signed(text: str, key: rsa.RSAPrivateKey) -> str:
    """Sign exactly this text: PKCS#1 v1.5, SHA-256, base64."""
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(text: str, signature: str, key: rsa.RSAPublicKey) -> bool:
    """Whether the signature is of exactly this text."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
