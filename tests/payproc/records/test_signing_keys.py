"""The identity provider's keys: whoever names one that we have is let in, whatever others send or the provider does."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from payproc.records.identity.jwks import IdentityUnavailable, SigningKeys
from tests.support.serving import serving
from tests.support.waiting import wait_until


class IdentityProvider:
    """What an identity provider answers, and how often it was asked."""

    def __init__(self) -> None:
        self.private = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("old", "new")}
        self.published = ["old"]
        self.asked = 0
        self.answer: Callable[[], tuple[int, bytes]] = self.keys
        self.gate = threading.Event()
        self.gate.set()

    def keys(self) -> tuple[int, bytes]:
        algorithm = jwt.algorithms.ECAlgorithm
        public = {name: json.loads(algorithm.to_jwk(self.private[name].public_key())) for name in self.published}
        return 200, json.dumps({"keys": [key | {"kid": name, "alg": "ES256"} for name, key in public.items()]}).encode()

    def token(self, name: str, **header: Any) -> str:
        signer = self.private.get(name, self.private["old"])
        return jwt.encode({"sub": "1"}, signer, algorithm="ES256", headers={"kid": name} | header)


@pytest.fixture
def provider() -> IdentityProvider:
    return IdentityProvider()


@pytest.fixture
def address(provider: IdentityProvider) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            provider.gate.wait(10)
            status, body = provider.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with serving(Handler) as url:
        yield url
        provider.gate.set()


@pytest.fixture
def keys(address: str) -> SigningKeys:
    return SigningKeys(address)


def is_known(keys: SigningKeys, provider: IdentityProvider, name: str) -> bool:
    return bool(keys.key_for(provider.token(name)) == provider.private[name].public_key())


@pytest.fixture
def restless(address: str) -> SigningKeys:
    """Keys that may be fetched at any time."""
    return SigningKeys(address, rest=timedelta())


@pytest.fixture
def ageing(address: str) -> SigningKeys:
    """Keys that are old as soon as they are there, and may be fetched at any time."""
    return SigningKeys(address, rest=timedelta(), life=timedelta())


def test_a_strangers_unknown_key_is_refused_and_turns_nobody_away(
    keys: SigningKeys, provider: IdentityProvider
) -> None:
    assert is_known(keys, provider, "old")
    for _ in range(20):
        with pytest.raises(IdentityUnavailable):
            keys.key_for(provider.token("stranger"))
        assert is_known(keys, provider, "old")
    assert provider.asked == 1


def test_a_key_that_the_provider_does_not_have_is_refused(restless: SigningKeys, provider: IdentityProvider) -> None:
    assert is_known(restless, provider, "old")
    with pytest.raises(jwt.PyJWTError):
        restless.key_for(provider.token("stranger"))
    assert is_known(restless, provider, "old")


def test_a_known_key_waits_for_no_strangers_fetch(restless: SigningKeys, provider: IdentityProvider) -> None:
    assert is_known(restless, provider, "old")
    provider.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        stranger = pool.submit(restless.key_for, provider.token("stranger"))
        wait_until(lambda: provider.asked == 2)
        assert is_known(restless, provider, "old")
        with pytest.raises(IdentityUnavailable):
            restless.key_for(provider.token("another"))
        assert not stranger.done()
        provider.gate.set()
        with pytest.raises(jwt.PyJWTError):
            stranger.result()


@pytest.mark.parametrize(
    "answer", [(503, b""), (200, b"not json"), (200, b"[]"), (200, b'{"keys": []}'), (200, b'{"keys": [1]}')]
)
def test_an_old_set_is_served_while_a_new_one_cannot_be_had(
    ageing: SigningKeys, provider: IdentityProvider, answer: tuple[int, bytes]
) -> None:
    assert is_known(ageing, provider, "old")
    provider.answer = lambda: answer
    wait_until(lambda: is_known(ageing, provider, "old") and provider.asked >= 3)
    with pytest.raises((IdentityUnavailable, jwt.PyJWTError)):
        ageing.key_for(provider.token("stranger"))
    assert is_known(ageing, provider, "old")


def test_a_new_key_is_fetched_when_a_token_names_it(restless: SigningKeys, provider: IdentityProvider) -> None:
    assert is_known(restless, provider, "old")
    provider.published = ["old", "new"]
    assert is_known(restless, provider, "new")
    assert is_known(restless, provider, "old")
    assert provider.asked == 2


def test_a_key_that_was_taken_back_is_good_no_more_once_the_set_was_fetched(
    ageing: SigningKeys, provider: IdentityProvider
) -> None:
    assert is_known(ageing, provider, "old")
    provider.published = ["new"]

    def is_refused() -> bool:
        try:
            ageing.key_for(provider.token("old"))
        except (jwt.PyJWTError, IdentityUnavailable):
            return True
        return False

    wait_until(is_refused)
    assert is_known(ageing, provider, "new")


def test_those_who_come_while_the_first_set_is_fetched_wait_for_it(
    keys: SigningKeys, provider: IdentityProvider
) -> None:
    provider.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(is_known, keys, provider, "old") for _ in range(4)]
        wait_until(lambda: provider.asked == 1)
        provider.gate.set()
        assert [each.result() for each in waiting] == [True] * 4
    assert provider.asked == 1


def test_a_token_that_names_no_key_asks_nobody(restless: SigningKeys, provider: IdentityProvider) -> None:
    nameless = jwt.encode({"sub": "1"}, provider.private["old"], algorithm="ES256")
    for token in (nameless, "a.b.c", "..", provider.token("old")[:20] + ".."):
        with pytest.raises(jwt.PyJWTError):
            restless.key_for(token)
    assert provider.asked == 0
