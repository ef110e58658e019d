"""Both wallets played by the simulator, over the wire both ways: our calls to it, its notices to our front."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import requests

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.models import Payment, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.payment import PaymentRequest
from payproc.flows import checkout
from payproc.operations.circuit_status import CircuitStatusStore
from payproc.providers import registry
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.settings import Settings
from sandbox.demo.browser import follow
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.gateway import GatewayConfig, RunningGateway, start_gateway
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.stack.generated_secrets import GeneratedSecrets
from sandbox.wallets.config import WalletTimes
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.serving import Front
from tests.support.waiting import wait_until
from tests.support.world import World
from web.app import create_app

# Made up for the whole run: the keys take a second to find.
SECRETS = GeneratedSecrets()

JAZZ_CASH_DIALECTS = ("guide", "hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0")
EASY_PAISA_DIALECTS = ("guide", "rest-v4", "rest-v5-rsa", "hosted")
WALLETS = [(JAZZ_CASH, dialect) for dialect in JAZZ_CASH_DIALECTS] + [
    (EASY_PAISA, dialect) for dialect in EASY_PAISA_DIALECTS
]
PUSHES = [wallet for wallet in WALLETS if wallet[1] not in ("hosted", "hosted-1.1", "hosted-2.0")]
PUSHES.remove((JAZZ_CASH, "guide"))
FORMS = [wallet for wallet in WALLETS if wallet not in PUSHES]

APPROVED, DECLINED, POOR, PAID_LATER, NEVER, DEBITED_IN_SILENCE = (f"0300000000{number}" for number in range(1, 7))
HTML, TRUNCATED, WRONG_AMOUNT = (f"0300000000{number}" for number in range(7, 10))
TRIPLE_NOTICE, LATE_SUCCESS, LATE_FAILURE = (f"030000000{number}" for number in range(10, 13))

TIMES = WalletTimes(paid_after=0.2, late_after=0.3, hold=3, notice_retry_pause=0.1, notice_timeout=5)


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    running = Front()
    yield running
    running.stop()


def gateway_config(front_url: str, *, times: WalletTimes) -> GatewayConfig:
    """What the simulator is told so that it plays both wallets, and brings its notices to a front."""
    base = f"{front_url}/api/v1/payments"
    return GatewayConfig(
        webhook_secret=WEBHOOK_SECRET,
        wallet_times=times,
        jazz_cash=JazzCashAccount(
            merchant_id=SECRETS.jazz_cash_merchant_id,
            password=SECRETS.jazz_cash_password,
            integrity_salt=SECRETS.jazz_cash_integrity_salt,
            merchant_mpin=SECRETS.jazz_cash_merchant_mpin,
            return_url=f"{base}/jazz-cash/return",
            ipn_url=f"{base}/jazz-cash/notify",
        ),
        easy_paisa=EasyPaisaAccount(
            store_id=SECRETS.easy_paisa_store_id,
            store_password=SECRETS.easy_paisa_store_password,
            username=SECRETS.easy_paisa_username,
            password=SECRETS.easy_paisa_password,
            account_number=SECRETS.easy_paisa_account_number,
            hash_key=SECRETS.easy_paisa_hash_key,
            merchant_public_key_pem=SECRETS.merchant_keys["public"],
            gateway_private_key_pem=SECRETS.gateway_keys["private"],
            ipn_url=f"{base}/easy-paisa/notify",
        ),
    )


@pytest.fixture(scope="session")
def wallets(front: Front) -> Iterator[RunningGateway]:
    running = start_gateway(gateway_config(front.url, times=TIMES))
    yield running
    running.stop()


def wallet_settings(settings: Settings, gateway_url: str, front_url: str) -> dict[str, Any]:
    """What payproc is told so that it speaks to the simulator."""
    told = {
        "public_base_url": front_url,
        "jazz_cash_merchant_id": SECRETS.jazz_cash_merchant_id,
        "jazz_cash_password": SECRETS.jazz_cash_password,
        "jazz_cash_integrity_salt": SECRETS.jazz_cash_integrity_salt,
        "jazz_cash_merchant_mpin": SECRETS.jazz_cash_merchant_mpin,
        "jazz_cash_base_url": f"{gateway_url}/jazzcash",
        "jazz_cash_dialect": "guide",
        "easy_paisa_store_id": SECRETS.easy_paisa_store_id,
        "easy_paisa_store_password": SECRETS.easy_paisa_store_password,
        "easy_paisa_username": SECRETS.easy_paisa_username,
        "easy_paisa_password": SECRETS.easy_paisa_password,
        "easy_paisa_account_number": SECRETS.easy_paisa_account_number,
        "easy_paisa_hash_key": SECRETS.easy_paisa_hash_key,
        "easy_paisa_private_key": SECRETS.merchant_keys["private"],
        "easy_paisa_public_key": SECRETS.gateway_keys["public"],
        "easy_paisa_base_url": f"{gateway_url}/easypaisa",
        "easy_paisa_dialect": "guide",
        # Long enough for a machine that has much to do: a time-out here is a doubt, which is another story.
        # Tests ring few phones, often, as one customer.
        "pushes_per_phone": 1000,
        "pushes_per_user": 1000,
        "pushes_per_address": 1000,
        "push_timeout": timedelta(seconds=2),
        "provider_read_timeout": timedelta(seconds=2),
    }
    return {name: value for name, value in settings.model_dump().items() if name not in told} | told


@dataclass(frozen=True, kw_only=True)
class WalletWorld(World):
    """The application, both wallets, and short words for what tests do all the time."""

    front: Front

    def speaking(self, **dialects: Any) -> "WalletWorld":
        """The same world after a change of settings, such as `jazz_cash_dialect="hosted-1.1"`."""
        settings = settings_type()(**(self.app.settings.model_dump() | dialects))
        changed = replace(
            self.app,
            settings=settings,
            providers=registry.build(settings, status=CircuitStatusStore(self.app.database)),
        )
        self.front.app = create_app(changed)
        return replace(self, app=changed)

    def take(self, method: PaymentMethod, *, phone: str = APPROVED, amount_minor: int = 125050, **more: Any) -> Payment:
        """Take a payment of Rs 1,250.50."""
        request = PaymentRequest(
            money=Money.of(amount_minor, "pkr"), description="Two mangoes", phone=phone, cnic="345678", **more
        )
        return checkout.take_payment(self.app, request, user=self.customer, method=method)

    def begin(self, method: PaymentMethod, **more: Any) -> Payment:
        """Take a payment and bring it to the wallet: by our push, or by the customer's browser."""
        payment = self.take(method, **more)
        self.drain()
        payment = self.payment(payment.id)
        if payment.next_action and payment.next_action["type"] == "post_form":
            self.post_form(payment)
        return self.payment(payment.id)

    def post_form(self, payment: Payment) -> None:
        """Do what the customer's browser does with the form of the pay page, up to the wallet's own page."""
        form = checkout.payment_form(self.app, payment, self.customer)
        answer = requests.post(form.url, data=dict(form.fields), timeout=5, allow_redirects=False)
        assert answer.ok, answer.text

    def at_wallet(self, payment: Payment) -> dict[str, Any]:
        """What the wallet knows of a payment."""
        answer = requests.get(f"{self.wallet_url}/transactions/{payment.reference}", timeout=5)
        assert answer.ok, answer.text
        return dict(answer.json())

    def do(self, payment: Payment, action: str) -> None:
        """Approve, decline, expire…, on the wallet's page or by its clock."""
        answer = requests.post(f"{self.wallet_url}/transactions/{payment.reference}/{action}", timeout=10)
        assert answer.ok, answer.text
        onward = answer.json()["browser"]
        if onward is not None:
            follow(onward, until="/pay/")

    def break_wallet(self, operation: str, fault: str, **more: Any) -> None:
        self.break_stripe(operation, fault, **more)

    @property
    def wallet_url(self) -> str:
        return f"{self.gateway.base_url}/_sandbox/wallets"

    def becomes(self, payment: Payment, status: str) -> None:
        """Do what is due, time and again, until the payment has this status."""

        def look() -> bool:
            self.make_due()
            self.drain()
            return self.status(payment.id) == status

        wait_until(look, what=f"{payment.id} {status}")


@pytest.fixture
def wallet_world(app: Application, wallets: RunningGateway, front: Front, customer: User) -> Iterator[WalletWorld]:
    requests.post(f"{wallets.base_url}/_sandbox/reset", timeout=5)
    settings = settings_type()(**wallet_settings(app.settings, wallets.base_url, front.url))
    connected = replace(
        app, settings=settings, providers=registry.build(settings, status=CircuitStatusStore(app.database))
    )
    front.app = create_app(connected)
    yield WalletWorld(app=connected, gateway=wallets, customer=customer, front=front)
    front.clear()
    requests.delete(f"{wallets.base_url}/_sandbox/faults", timeout=5)


@pytest.fixture
def spoken(request: pytest.FixtureRequest, wallet_world: WalletWorld) -> tuple[WalletWorld, PaymentMethod]:
    """A world in which one wallet speaks one dialect: parametrize indirectly with a pair of WALLETS."""
    method, dialect = request.param
    return wallet_world.speaking(**{f"{method}_dialect": dialect}), method


def token() -> str:
    return secrets.token_hex(8)
