from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.gateway import GatewayConfig, RunningGateway, start_gateway
from sandbox.jazzcash.config import JazzCashAccount
from tests.sandbox.wallets.merchant import (
    ACCOUNT_NUMBER,
    HASH_KEY,
    MERCHANT,
    MPIN,
    PASSWORD,
    QUICK,
    RETURN_URL,
    SALT,
    STORE,
    STORE_PASSWORD,
    USER,
    USER_PASSWORD,
    Listener,
    Merchant,
    listen,
)


@pytest.fixture(scope="session")
def merchant_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def gateway_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    server = listen(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def jazz_cash(listener: Listener) -> JazzCashAccount:
    return JazzCashAccount(
        merchant_id=MERCHANT,
        password=PASSWORD,
        integrity_salt=SALT,
        merchant_mpin=MPIN,
        return_url=RETURN_URL,
        ipn_url=listener.url,
    )


@pytest.fixture
def easy_paisa(listener: Listener, merchant_key: rsa.RSAPrivateKey, gateway_key: rsa.RSAPrivateKey) -> EasyPaisaAccount:
    public = merchant_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = gateway_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return EasyPaisaAccount(
        store_id=STORE,
        store_password=STORE_PASSWORD,
        username=USER,
        password=USER_PASSWORD,
        account_number=ACCOUNT_NUMBER,
        hash_key=HASH_KEY,
        merchant_public_key_pem=public.decode(),
        gateway_private_key_pem=private.decode(),
        ipn_url=listener.url,
    )


@pytest.fixture
def wallet_gateway(jazz_cash: JazzCashAccount, easy_paisa: EasyPaisaAccount) -> Iterator[RunningGateway]:
    running = start_gateway(GatewayConfig(jazz_cash=jazz_cash, easy_paisa=easy_paisa, wallet_times=QUICK))
    yield running
    running.stop()


@pytest.fixture
def merchant(wallet_gateway: RunningGateway) -> Merchant:
    return Merchant(wallet_gateway)
