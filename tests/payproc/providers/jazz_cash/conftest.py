"""An account, a payment in each dialect, and a gateway on loopback that answers what it is told to."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.endpoints import Preset, endpoints_of
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.jazz_cash.signature import sign
from payproc.providers.notices import RawNotice
from payproc.providers.requests import Customer, Payer, PaymentRef, StartRequest, StoredCall
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.providers.transport.http import Http
from tests.payproc.providers.jazz_cash.gateway import Gateway, listening

REFERENCE = "T20260901120000001"
# Noon in Karachi.
CREATED = datetime(2026, 9, 1, 7, tzinfo=UTC)

MakeRaw = Callable[[Mapping[str, Any]], RawNotice]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with listening() as running:
        yield running


@pytest.fixture(scope="session")
def config() -> JazzCashConfig:
    return JazzCashConfig(
        dialect=Dialect.MWALLET_2_0,
        merchant_id="MC00001",
        password="pw12345678",
        integrity_salt="TESTSALT01",
        merchant_mpin="1234",
        sub_merchant_name="Shop",
        # The discard port: nobody listens there.
        endpoints=endpoints_of(Preset.CLASSIC, live=False, base_url="http://127.0.0.1:9"),
        return_url="https://shop.example/pay/jazzcash/return",
        notify_url="https://shop.example/pay/jazzcash/notify",
        live_mode=False,
        push_timeout=timedelta(seconds=5),
        read_timeout=timedelta(seconds=5),
    )


@pytest.fixture(scope="session")
def make_provider(config: JazzCashConfig) -> Callable[..., JazzCashProvider]:
    def make(*, at: Gateway | None = None, **changes: Any) -> JazzCashProvider:
        if at is not None:
            changes["endpoints"] = endpoints_of(Preset.CLASSIC, live=False, base_url=at.url)
        breakers = CircuitBreakers(JAZZ_CASH, longest_rest=timedelta(seconds=1))
        return JazzCashProvider(
            replace(config, **changes), Http(connect_timeout=timedelta(seconds=1), breakers=breakers)
        )

    return make


@pytest.fixture(scope="session")
def provider(make_provider: Callable[..., JazzCashProvider]) -> JazzCashProvider:
    return make_provider()


@pytest.fixture(scope="session")
def request_in() -> Callable[..., StartRequest]:
    def make(dialect: str, **changes: Any) -> StartRequest:
        made = StartRequest(
            payment_id="pay_1",
            reference=REFERENCE,
            dialect=dialect,
            money=Money.of(125050, "pkr"),
            description="Order 42",
            customer=Customer(user_id="usr_1", email="amina@example.com", name="Amina"),
            created_at=CREATED,
            payer=Payer(phone="03123456789", cnic="345678"),
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def call_of(provider: JazzCashProvider, request_in: Callable[..., StartRequest]) -> Callable[..., StoredCall]:
    def make(planned_in: str, **changes: Any) -> StoredCall:
        request = request_in(planned_in)
        made = StoredCall(
            parameters=provider.prepare_start(request).parameters,
            idempotency_key="key_1",
            first_sent_at=CREATED,
            dialect=planned_in,
            payer=request.payer,
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def ref_in() -> Callable[..., PaymentRef]:
    def make(dialect: str, **changes: Any) -> PaymentRef:
        made = PaymentRef(
            payment_id="pay_1",
            reference=REFERENCE,
            references={Reference.JAZZ_CASH: REFERENCE},
            dialect=dialect,
            money=Money.of(125050, "pkr"),
            created_at=CREATED,
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def signed(config: JazzCashConfig) -> Callable[[Mapping[str, str]], dict[str, str]]:
    def make(fields: Mapping[str, str]) -> dict[str, str]:
        return sign(fields, config.integrity_salt)

    return make


@pytest.fixture(scope="session")
def as_json() -> MakeRaw:
    def make(fields: Mapping[str, Any]) -> RawNotice:
        headers = {"content-type": "application/json"}
        return RawNotice(body=json.dumps(fields).encode(), headers=headers, received_at=CREATED)

    return make


@pytest.fixture(scope="session")
def as_form() -> MakeRaw:
    def make(fields: Mapping[str, Any]) -> RawNotice:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return RawNotice(body=urlencode(fields).encode(), headers=headers, received_at=CREATED)

    return make
