"""The gateways of all three providers, played by the simulator, and the merchant's accounts there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests

from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.gateway import GatewayConfig, RunningGateway, start_gateway
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.stack.generated_secrets import GeneratedSecrets
from sandbox.wallets.config import WalletTimes
from tests.support.contract.listener import Listener, listening
from tests.support.fakes.gateway import FakeGateway, fake_gateway

# Nobody's. Each is unlike anything else that is written down while a test runs.
WEBHOOK_SECRET = "whsec_contract_0123456789"
MERCHANT, MERCHANT_PASSWORD, SALT, MPIN = "MC73916", "pwcontract7", "saltcontract", "8642"
STORE, STORE_PASSWORD, USERNAME, PASSWORD = "73915", "store-contract-secret", "api-user", "api-contract-secret"
ACCOUNT_NUMBER, HASH_KEY = "73918264", "hashkeycontract7"
RETURN_URL = "https://shop.example/api/return"


@cache
def key_pairs() -> GeneratedSecrets:
    """The merchant's RSA keys and the gateway's, found once a run: it takes a second."""
    return GeneratedSecrets()


def jazz_cash_account(ipn_url: str = "") -> JazzCashAccount:
    return JazzCashAccount(
        merchant_id=MERCHANT,
        password=MERCHANT_PASSWORD,
        integrity_salt=SALT,
        merchant_mpin=MPIN,
        return_url=RETURN_URL,
        ipn_url=ipn_url,
    )


def easy_paisa_account(ipn_url: str = "") -> EasyPaisaAccount:
    return EasyPaisaAccount(
        store_id=STORE,
        store_password=STORE_PASSWORD,
        username=USERNAME,
        password=PASSWORD,
        account_number=ACCOUNT_NUMBER,
        hash_key=HASH_KEY,
        merchant_public_key_pem=key_pairs().merchant_keys["public"],
        gateway_private_key_pem=key_pairs().gateway_keys["private"],
        ipn_url=ipn_url,
    )


@dataclass(frozen=True, kw_only=True)
class Played:
    """The simulator, the fake provider's own gateway, and the merchant whom they tell."""

    gateway: RunningGateway
    fake: FakeGateway
    listener: Listener

    def control(self, path: str, **body: Any) -> Any:
        """Press one of the simulator's switches."""
        answer = requests.post(f"{self.gateway.base_url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def look(self, path: str) -> Any:
        answer = requests.get(f"{self.gateway.base_url}/_sandbox/{path}", timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def mend(self) -> None:
        requests.delete(f"{self.gateway.base_url}/_sandbox/faults", timeout=10)
        self.fake.loses_answers = 0


@contextmanager
def all_played() -> Iterator[Played]:
    with listening() as listener, fake_gateway() as fake:
        config = GatewayConfig(
            webhook_url=listener.url,
            webhook_secret=WEBHOOK_SECRET,
            wallet_times=WalletTimes(paid_after=0.1, late_after=0.1, hold=1, notice_retry_pause=60, notice_timeout=5),
            jazz_cash=jazz_cash_account(listener.url),
            easy_paisa=easy_paisa_account(listener.url),
        )
        gateway = start_gateway(config)
        yield Played(gateway=gateway, fake=fake, listener=listener)
        gateway.stop()
