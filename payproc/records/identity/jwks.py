"""The public keys of the merchant's identity provider: kept, and fetched without letting that stop us.

Anybody can send a token under a key that nobody has heard of, and only a fetch tells whether there is one. So the fetch
is what one request does at a time, and what rests; whoever names a key that we have needs neither.
"""

import threading
import time
from datetime import timedelta
from typing import Any

import jwt
import structlog

from payproc.errors import PayprocError

log = structlog.get_logger()

_FETCH_SECONDS = 3
_KEYS_LIVE = timedelta(minutes=5)
# From one fetch to the next, however many tokens ask for one: each holds a thread for as long as the provider likes.
_REST = timedelta(seconds=10)


class IdentityUnavailable(PayprocError):
    """The identity provider did not give its keys, so a token can be neither accepted nor refused."""

    code = "identity_unavailable"


class SigningKeys:
    """A JWKS address, and the keys that it gave when it last gave any.

    `rest` is the least time between two fetches, and `life` how old a set may be before it is fetched anew.
    """

    def __init__(self, url: str, *, rest: timedelta = _REST, life: timedelta = _KEYS_LIVE) -> None:
        self._rest_seconds, self._life_seconds = rest.total_seconds(), life.total_seconds()
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_FETCH_SECONDS)
        # Replaced as a whole, so that whoever reads it needs no lock.
        self._keys: dict[str, Any] = {}
        self._fetching = threading.Lock()
        self._asked_at = self._given_at = float("-inf")

    def key_for(self, token: str) -> Any:  # noqa: ANN401 (whatever key class PyJWT read)
        """Return the key a token names.

        Raises IdentityUnavailable where it is not known whether there is such a key, or PyJWTError for a token that
        names none.
        """
        name = jwt.get_unverified_header(token).get("kid")
        if name is None:
            raise jwt.InvalidTokenError("it names no key")
        key = self._keys.get(name)
        if key is None:
            return self._fetched_key(name)
        self._renew_when_old()
        return key

    def _fetched_key(self, name: str) -> Any:  # noqa: ANN401 (as above)
        # While nothing is known nobody can be let in, and the first answer is worth waiting for.
        fetched = False
        if self._fetching.acquire(timeout=0 if self._keys else _FETCH_SECONDS):
            try:
                fetched = not self._rests() and self._fetch()
            finally:
                self._fetching.release()
        if (key := self._keys.get(name)) is not None:
            return key
        if fetched:
            raise jwt.InvalidTokenError("the identity provider has no such key")
        # A set that is a moment old may lack a key that has just been made: not known is not refused.
        raise IdentityUnavailable("It is not known yet whether this token's key is good; try again shortly.")

    def _renew_when_old(self) -> None:
        """Have the set fetched beside the requests that go on with the one we have."""
        old = time.monotonic() - self._given_at > self._life_seconds
        if old and not self._rests() and self._fetching.acquire(blocking=False):
            threading.Thread(target=self._fetch_and_release, name="signing-keys", daemon=True).start()

    def _fetch_and_release(self) -> None:
        try:
            self._fetch()
        finally:
            self._fetching.release()

    def _rests(self) -> bool:
        return time.monotonic() - self._asked_at < self._rest_seconds

    def _fetch(self) -> bool:
        """Fetch the set, and tell whether there was one; where there was none the old one stays."""
        self._asked_at = time.monotonic()
        try:
            given = self._client.get_signing_keys(refresh=True)
        except Exception as trouble:  # noqa: BLE001 (whatever came in place of a set of keys)
            log.warning("the identity provider gave no keys", error=type(trouble).__name__, known=len(self._keys))
            return False
        self._keys = {str(key.key_id): key.key for key in given}
        self._given_at = time.monotonic()
        return True
