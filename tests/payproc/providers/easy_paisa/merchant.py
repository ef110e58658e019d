"""A merchant's settings, a payment of theirs, and what they know of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from payproc.domain.money import Money
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.easy_paisa.provider import EasyPaisaProvider
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig
from payproc.providers.notices import RawNotice
from payproc.providers.requests import Customer, Payer, PaymentRef, StartRequest, StoredCall
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.providers.transport.http import Http

NOW = datetime(2026, 9, 1, 7, tzinfo=UTC)  # noon in Pakistan
REFERENCE = "P23456789ABCDEFGHJKL"
PHONE = "03001234567"
ACCOUNT = "20202020"
SECRETS = ("store-secret", "api-user", "api-secret", ACCOUNT, "ABCDEFGHIJKLMNOP", "PRIVATE KEY")
REST = [Dialect.REST_V4, Dialect.REST_V5_RSA]

OUR_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GATEWAY_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def config(dialect: Dialect = Dialect.REST_V4, **changes: Any) -> EasyPaisaConfig:
    made: dict[str, Any] = {
        "dialect": dialect,
        "store_id": "1234",
        "store_password": "store-secret",
        "username": "api-user",
        "password": "api-secret",
        "account_number": ACCOUNT,
        "hash_key": "ABCDEFGHIJKLMNOP",
        "private_key_pem": private_pem(OUR_KEY),
        "public_key_pem": public_pem(GATEWAY_KEY),
        "return_url": "https://shop.example/pay/easypaisa/return",
        "notify_url": "https://shop.example/easy-paisa/notify",
        "merchant_email": "pay@shop.example",
        "live_mode": False,
        "read_timeout": timedelta(seconds=5),
        "push_timeout": timedelta(seconds=5),
    }
    return EasyPaisaConfig(**made | changes)


def provider(settings: EasyPaisaConfig) -> EasyPaisaProvider:
    breakers = CircuitBreakers(EASY_PAISA, longest_rest=timedelta(seconds=30))
    return EasyPaisaProvider(settings, Http(connect_timeout=timedelta(seconds=1), breakers=breakers))


def request(dialect: Dialect = Dialect.REST_V4, **changes: Any) -> StartRequest:
    made: dict[str, Any] = {
        "payment_id": "pay_1",
        "reference": REFERENCE,
        "dialect": dialect.value,
        "money": Money.of(125050, "pkr"),
        "description": "Two chairs",
        "customer": Customer(user_id="usr_1", email="buyer@example.com", name="Amina Khan"),
        "created_at": NOW,
        "payer": Payer(phone=PHONE),
    }
    return StartRequest(**made | changes)


def stored(parameters: dict[str, Any], dialect: Dialect, *, phone: str | None = PHONE) -> StoredCall:
    return StoredCall(
        parameters=parameters,
        idempotency_key="key_1",
        first_sent_at=NOW,
        dialect=dialect.value,
        payer=Payer(phone=phone),
    )


def ref(dialect: Dialect = Dialect.REST_V4, **changes: Any) -> PaymentRef:
    made: dict[str, Any] = {
        "payment_id": "pay_1",
        "reference": REFERENCE,
        "references": {},
        "dialect": dialect.value,
        "money": Money.of(125050, "pkr"),
        "created_at": NOW,
    }
    return PaymentRef(**made | changes)


def delivered(body: bytes = b"", *, query: str = "") -> RawNotice:
    return RawNotice(body=body, headers={}, received_at=NOW, query=query)
