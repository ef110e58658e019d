"""The public keys of the merchant's identity provider, fetched without letting it stop us."""

import threading
import time
from typing import Any

import jwt

from payproc.errors import PayprocError

_FETCH_SECONDS = 3
_KEYS_LIVE_SECONDS = 300
# After a failed fetch nobody asks again for this long: each try holds a thread, and anybody can cause one with a
# token that names an unknown key.
_REST_SECONDS = 30.0


class IdentityUnavailable(PayprocError):
    """The identity provider did not give its keys, so a token can be neither accepted nor refused."""

    code = "identity_unavailable"


class SigningKeys:
    """A JWKS address. One request at a time may fetch; the others are told to come back."""

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, timeout=_FETCH_SECONDS, lifespan=_KEYS_LIVE_SECONDS)
        self._asking = threading.Lock()
        self._rest_until = 0.0

    def key_for(self, token: str) -> Any:  # noqa: ANN401 (whatever key class PyJWT read)
        """Return the key a token names.

        Raises IdentityUnavailable, or PyJWTError for a token that names no key there.
        """
        if time.monotonic() < self._rest_until or not self._asking.acquire(blocking=False):
            raise IdentityUnavailable("The identity provider is not answering; try again shortly.")
        try:
            return self._client.get_signing_key_from_jwt(token).key
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError) as trouble:
            self._rest_until = time.monotonic() + _REST_SECONDS
            raise IdentityUnavailable("The identity provider is not answering; try again shortly.") from trouble
        finally:
            self._asking.release()
