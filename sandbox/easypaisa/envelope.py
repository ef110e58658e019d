"""How REST v4 and v5 wrap their JSON: v4 not at all, v5 with an RSA signature over the exact text."""

import base64
import json
from collections.abc import Mapping
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from sandbox.easypaisa.codes import Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount

_KEY_BITS = 2048


class Envelope(Protocol):
    """A version's way to wrap."""

    def opened(self, raw: str) -> dict[str, object]:
        """Return the request inside; raises Refused."""

    def sealed(self, body: Mapping[str, object], *, forged: bool) -> str:
        """Return the text of the answer; a forged one is signed with somebody else's key."""


class Plain:
    """Version 4: TLS is all the proof there is."""

    def opened(self, raw: str) -> dict[str, object]:
        """Return the request; raises Refused."""
        return _object(raw)

    def sealed(self, body: Mapping[str, object], *, forged: bool) -> str:  # noqa: ARG002 (nothing is signed)
        """Return the text of the answer."""
        return compact(body)


class Signed:
    """Version 5: PKCS#1 v1.5 with SHA-256 over the compact text of the inner object, braces included."""

    def __init__(self, account: EasyPaisaAccount) -> None:
        self._theirs = _public_key(account.merchant_public_key_pem)
        self._ours = _private_key(account.gateway_private_key_pem)

    def opened(self, raw: str) -> dict[str, object]:
        """Return the request inside; raises Refused."""
        if self._theirs is None or self._ours is None:
            raise Refused(Code.KEY_NOT_UPLOADED)
        outer = _object(raw)
        inner, signature = outer.get("request"), outer.get("signature")
        if outer.keys() != {"request", "signature"} or not isinstance(inner, dict) or not isinstance(signature, str):
            raise Refused(Code.BAD_JSON)
        text = inner_text(raw, "request")
        if text != compact(inner):
            # The signature is over the text as it is sent; one with spaces in it is not what both sides agreed on.
            raise Refused(Code.SIGNATURE_ERROR)
        _verify(self._theirs, text, signature)
        return inner

    def sealed(self, body: Mapping[str, object], *, forged: bool) -> str:
        """Return the text of the answer with its signature."""
        if self._ours is None:
            return compact({"response": body, "signature": ""})
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS) if forged else self._ours
        text = compact(body)
        signature = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
        # Put together from text: what is signed and what is sent must be the same bytes.
        return f'{{"response":{text},"signature":"{signature}"}}'


def compact(body: Mapping[str, object]) -> str:
    """Return JSON without a space in it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def inner_text(raw: str, wanted: str) -> str:
    """Return the exact text of a member of the outer object; the JSON is known to be valid and to have it."""
    decoder = json.JSONDecoder()
    place = raw.index("{") + 1
    while True:
        name, place = decoder.raw_decode(raw, _skip(raw, place, ","))
        start = _skip(raw, place, ":")
        _, place = decoder.raw_decode(raw, start)
        if name == wanted:
            return raw[start:place]


def _skip(raw: str, place: int, mark: str) -> int:
    while raw[place].isspace() or raw[place] == mark:
        place += 1
    return place


def _object(raw: str) -> dict[str, object]:
    try:
        found = json.loads(raw)
    except ValueError:
        raise Refused(Code.BAD_JSON) from None
    if not isinstance(found, dict):
        raise Refused(Code.BAD_JSON)
    return found


def _verify(key: rsa.RSAPublicKey, text: str, signature: str) -> None:
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        raise Refused(Code.BAD_SIGNATURE) from None


def _public_key(pem: str) -> rsa.RSAPublicKey | None:
    key = load_pem_public_key(pem.encode()) if pem else None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _private_key(pem: str) -> rsa.RSAPrivateKey | None:
    key = load_pem_private_key(pem.encode(), password=None) if pem else None
    return key if isinstance(key, rsa.RSAPrivateKey) else None
