"""The rows of test_scenarios.py that wallets make harder: no idempotency keys, and notices that nobody signs."""

import json
import secrets
from collections.abc import Iterator

import pytest
import requests

from payproc.bootstrap import load_settings
from payproc.database.models import Payment, ReviewKind
from payproc.domain.states import PaymentStatus
from payproc.errors import SettingsInvalid
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.signature import sign
from tests.integration.scenarios.ground_rules import check_ground_rules
from tests.support.faults.crashes import live_and_die
from tests.support.wallet_world import APPROVED, NEVER, SECRETS, WalletWorld

PREFIX = "/api/v1/payments"
PUSH, INQUIRY = "jazzcash push", "jazzcash inquiry"


@pytest.fixture
def world(wallet_world: WalletWorld) -> Iterator[WalletWorld]:
    speaking = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4", circuit_rest="1m")
    yield speaking
    known = [payment for payment in speaking.rows(Payment) if reached(speaking, payment)]
    check_ground_rules(speaking, debited={each.id for each in known if speaking.at_wallet(each)["debits"]})
    assert all(speaking.at_wallet(each)["charge_calls"] <= 1 for each in known)


def reached(world: WalletWorld, payment: Payment) -> bool:
    return requests.get(f"{world.wallet_url}/transactions/{payment.reference}", timeout=30).ok


def calls(world: WalletWorld, operation: str) -> int:
    made = requests.get(f"{world.wallet_url}/calls", timeout=30).json()
    return sum(call["operation"] == operation for call in made)


# --- 3 ----------------------------------------------------------------------------------------------------------------


def test_provider_timeout_after_the_wallet_was_charged(world: WalletWorld) -> None:
    world.break_wallet(PUSH, "timeout_after", times=1, seconds=4)
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    world.drain_once()
    assert world.status(payment.id) is PaymentStatus.PENDING
    world.becomes(payment, "completed")


# --- 4 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", [3, 4, 5])
def test_sigkill_around_a_charge_that_knows_no_key(world: WalletWorld, commit: int, after: bool) -> None:
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    assert live_and_die(world, commit=commit, after=after)
    world.make_due()
    world.drain()
    if reached(world, payment):
        world.becomes(payment, "completed")
    else:
        assert world.status(payment.id) is PaymentStatus.PENDING, "written down and not sent: asked about, never sent"


# --- 7 ----------------------------------------------------------------------------------------------------------------


def signed(payment: Payment, *, salt: str = SECRETS.jazz_cash_integrity_salt, **changes: str) -> dict[str, str]:
    """A notice that a payment was paid."""
    fields = {
        "pp_Version": "2.0",
        "pp_TxnType": "MWALLET",
        "pp_Password": SECRETS.jazz_cash_password,
        "pp_TxnRefNo": payment.reference,
        "pp_TxnDateTime": "20261124120000",
        "pp_ResponseCode": "121",
        "pp_ResponseMessage": "Transaction has been marked confirmed by Merchant.",
        "pp_RetreivalReferenceNo": "261124123456",
    } | changes
    return fields | {"pp_SecureHash": sign(fields, salt)["pp_SecureHash"]}


def notify(world: WalletWorld, body: dict[str, str]) -> int:
    url = f"{world.front.url}{PREFIX}/jazz-cash/notify"
    return requests.post(url, data=json.dumps(body), timeout=30).status_code


def test_tampered_notify_of_a_wallet(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    truth = signed(payment)
    hostile = [
        signed(payment, salt="another8salt"),
        truth | {"pp_ResponseCode": "000"},
        truth | {"pp_Amount": "1"},
        {name: value for name, value in truth.items() if name != "pp_SecureHash"},
    ]
    assert [notify(world, body) for body in hostile] == [403] * len(hostile)
    assert world.notices() == []
    assert notify(world, signed(payment, pp_Amount="1", pp_TxnCurrency="PKR")) == 200
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [review.kind for review in world.reviews()] == [ReviewKind.PAID_MISMATCH]


def test_replayed_notify_of_a_wallet(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=APPROVED)
    truth = signed(payment)
    lower = truth | {"pp_SecureHash": truth["pp_SecureHash"].lower()}
    assert [notify(world, body) for body in (truth, truth, lower)] == [200] * 3
    world.becomes(payment, "completed")
    assert len(world.emails()) == 1


def test_an_empty_salt_refuses_to_start(world: WalletWorld) -> None:
    told = world.app.settings.model_dump() | {"jazz_cash_integrity_salt": ""}
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(**told)
    assert any("JAZZ_CASH_INTEGRITY_SALT" in problem for problem in invalid.value.problems)


# --- 8 ----------------------------------------------------------------------------------------------------------------


def test_unsigned_callback_flood(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    paying = world.begin(EASY_PAISA, phone=APPROVED)
    world.make_due()
    world.drain()
    before = calls(world, "easypaisa inquiry")
    guessed = [f"P{secrets.token_hex(9).upper()}" for _ in range(40)]
    for reference in (*guessed, *[payment.reference] * 40):
        body = {"transactionId": reference, "transactionStatus": "success"}
        assert requests.post(f"{world.front.url}{PREFIX}/easy-paisa/notify", json=body, timeout=30).ok
    world.make_due()
    world.drain()

    assert calls(world, "easypaisa inquiry") - before <= 1, "what was guessed costs no call, and what is ours one"
    assert world.status(payment.id) is PaymentStatus.PENDING, "nobody who signs nothing is believed"
    world.becomes(paying, "completed")


# --- 14 ---------------------------------------------------------------------------------------------------------------


def test_provider_outage_of_one_wallet_alone(world: WalletWorld) -> None:
    waiting = [world.begin(JAZZ_CASH, phone=NEVER) for _ in range(8)]
    world.break_wallet(INQUIRY, "drop_connection", times=None)
    for _ in range(3):
        world.make_due()
        world.drain_once()
    known = calls(world, INQUIRY)
    world.make_due()
    world.drain_once()
    assert calls(world, INQUIRY) == known, "it is left alone"
    well = world.begin(EASY_PAISA, phone=APPROVED)
    world.becomes(well, "completed")
    assert {world.status(each.id) for each in waiting} == {PaymentStatus.PENDING}
