"""Starting a payment by wallet over HTTP: what may be sent, and what is answered."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from payproc.database.models import Payment, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.records import payments
from payproc.records.identity.users import issue_key
from tests.support.waiting import wait_until
from tests.support.wallet_world import APPROVED, DECLINED, NEVER, POOR, WalletWorld

SPELLINGS = (
    *("03001234567", "+923001234567", "00923001234567", "923001234567", "3001234567", "0300-123 4567"),
    *("\u206603001234567\u2069", "+92\u00a0(0)300\u00a01234567", "۰۳۰۰۱۲۳۴۵۶۷", "03001234567\n"),
)
NOT_PHONES = ("", "0301765432", "030176543210", "04001234567", "+1 300 1234567", "03017654321x", "0300\x001234567")


@pytest.fixture
def key(wallet_world: WalletWorld) -> str:
    with wallet_world.app.database.transaction() as session:
        return issue_key(session, wallet_world.customer)


def initiate(
    world: WalletWorld, key: str, wallet: str, body: Any, *, query: str = "", **headers: str
) -> requests.Response:
    return requests.post(
        f"{world.front.url}/api/v1/payments/{wallet}/initiate{query}",
        json=body,
        headers={"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()},
        timeout=10,
    )


def body(**changes: Any) -> dict[str, Any]:
    made = {"amount": "1250.50", "phone": APPROVED, "cnic": "345678", "description": "Two mangoes"} | changes
    return {name: value for name, value in made.items() if value is not ...}


def only_payment(world: WalletWorld) -> Payment:
    [payment] = world.rows(Payment)
    assert isinstance(payment, Payment)
    return payment


@pytest.mark.parametrize("phone", SPELLINGS)
def test_every_spelling_of_a_phone_is_the_same_phone_and_shown_masked(
    wallet_world: WalletWorld, key: str, phone: str
) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4")
    assert initiate(world, key, "easy-paisa", body(phone=phone)).status_code == 202
    payment = only_payment(world)
    assert payment.phone == "0300****567"
    assert world.app.payer_cipher.decrypt(payment.encrypted_payer).phone == "03001234567"


@pytest.mark.parametrize("cnic", ["345678", "۳۴۵۶۷۸", "34567-8", "\u200e345678\u00a0"])
def test_every_spelling_of_a_cnics_end_is_the_same_six_digits(wallet_world: WalletWorld, key: str, cnic: str) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0")
    assert initiate(world, key, "jazz-cash", body(cnic=cnic)).status_code == 202
    assert world.app.payer_cipher.decrypt(only_payment(world).encrypted_payer).cnic == "345678"


@pytest.mark.parametrize("phone", NOT_PHONES)
def test_what_is_no_pakistani_mobile_is_422_and_not_repeated(wallet_world: WalletWorld, key: str, phone: str) -> None:
    answer = initiate(wallet_world, key, "easy-paisa", body(phone=phone))
    assert (answer.status_code, answer.json()["field"]) == (422, "phone")
    assert not phone or phone not in answer.text
    assert wallet_world.rows(Payment) == []


@pytest.mark.parametrize(
    ("wallet", "changes", "code"),
    [
        ("jazz-cash", {"currency": "usd"}, "currency_unsupported"),
        ("easy-paisa", {"currency": "usd"}, "currency_unsupported"),
        ("easy-paisa", {"phone": ...}, "phone_missing"),
        ("jazz-cash", {"phone": ...}, "phone_missing"),
        ("jazz-cash", {"cnic": ...}, "cnic_missing"),
        ("jazz-cash", {"cnic": "12345"}, "invalid_request"),
        ("jazz-cash", {"cnic": "35202-1234567-8"}, "invalid_request"),
        ("jazz-cash", {"amount": "۱۲۵۰"}, "amount_invalid"),
        ("jazz-cash", {"cnic": "12345x"}, "cnic_invalid"),
        ("jazz-cash", {"amount": "0"}, "amount_not_positive"),
        ("jazz-cash", {"amount": "1.005"}, "amount_too_precise"),
        ("jazz-cash", {"amount": "1e3"}, "amount_invalid"),
        ("jazz-cash", {"amount": ...}, "amount_missing"),
        ("jazz-cash", {"mpin": "1234"}, "invalid_request"),
        ("jazz-cash", {"success_url": "https://evil.test/"}, "redirect_refused"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_422_and_writes_nothing(
    wallet_world: WalletWorld, key: str, wallet: str, changes: dict[str, Any], code: str
) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4")
    answer = initiate(world, key, wallet, body(**changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert world.rows(Payment) == []


@pytest.mark.parametrize(("usual", "status"), [(None, 202), ("pkr", 202), ("usd", 422)])
def test_an_amount_in_no_currency_is_rupees_unless_the_settings_say_another(
    wallet_world: WalletWorld, key: str, usual: str | None, status: int
) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4", default_currency=usual)
    assert initiate(world, key, "easy-paisa", body()).status_code == status
    assert [(each.amount_minor, each.currency) for each in world.rows(Payment)] == [(125050, "pkr")] * (status == 202)


def test_the_phone_may_stand_in_the_query_as_in_the_guide(wallet_world: WalletWorld, key: str) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4")
    asked = initiate(world, key, "easy-paisa", body(phone=...), query="?phone=03001234567")
    assert asked.status_code == 202
    same = initiate(world, key, "easy-paisa", body(phone="+92 (0)300 1234567"), query="?phone=03001234567")
    assert same.status_code == 202
    differ = initiate(world, key, "easy-paisa", body(phone=NEVER), query="?phone=03001234567")
    assert (differ.status_code, differ.json()["code"]) == (422, "phones_differ")


def test_a_hosted_dialect_answers_with_its_form_and_the_same_under_the_same_key(
    wallet_world: WalletWorld, key: str
) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-2.0")
    first = initiate(world, key, "jazz-cash", body(), Idempotency_Key="order-7")
    again = initiate(world, key, "jazz-cash", body(), Idempotency_Key="order-7")

    assert first.status_code == 201
    assert first.json()["payload"]["pp_Amount"] == "125050"
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert initiate(world, key, "jazz-cash", body(amount="1"), Idempotency_Key="order-7").status_code == 422
    only_payment(world)


def test_a_form_is_not_handed_out_again_once_its_payment_has_ended(wallet_world: WalletWorld, key: str) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-2.0")
    started = initiate(world, key, "jazz-cash", body(), Idempotency_Key="order-8")
    payment = only_payment(world)
    world.post_form(payment)
    world.do(payment, "approve")
    world.becomes(payment, "completed")
    again = initiate(world, key, "jazz-cash", body(), Idempotency_Key="order-8")
    assert (again.json()["payment_id"], again.json()["form_url"]) == (started.json()["payment_id"], None)


@pytest.mark.parametrize(
    ("wallet", "dialect", "phone", "reason"),
    [
        ("easy-paisa", "rest-v4", DECLINED, "no_answer"),
        ("easy-paisa", "rest-v4", POOR, "low_balance"),
        ("jazz-cash", "mwallet-2.0", DECLINED, "declined"),
        ("jazz-cash", "mwallet-2.0", POOR, "low_balance"),
    ],
)
def test_a_decline_known_within_the_wait_is_an_answer_and_says_why(
    wallet_world: WalletWorld, key: str, wallet: str, dialect: str, phone: str, reason: str
) -> None:
    world = wallet_world.speaking(**{f"{wallet.replace('-', '_')}_dialect": dialect})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(initiate, world, key, wallet, body(phone=phone), Prefer="wait=8", Idempotency_Key="order-9")
        wait_until(lambda: world.rows(Payment), what="the payment")
        world.drain()
        answer = asked.result()
    told = answer.json()
    assert (answer.status_code, told["status"], told["decline_reason"]) == (201, "failed", reason)
    assert told["failure_code"]
    assert initiate(world, key, wallet, body(phone=phone), Idempotency_Key="order-9").json() == told


def test_a_refund_that_a_person_makes_is_answered_at_once(wallet_world: WalletWorld, key: str) -> None:
    payment = wallet_world.take(EASY_PAISA)
    with wallet_world.app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment.id, Fact.PAID, provenance=told)
    began = time.monotonic()
    answer = requests.post(
        f"{wallet_world.front.url}/api/v1/payments/refund/{payment.id}",
        json={},
        headers={"Authorization": f"Bearer {key}", "Prefer": "wait=9"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "manual")
    assert time.monotonic() - began < 5


def test_a_payment_by_wallet_cannot_be_called_off(wallet_world: WalletWorld, key: str) -> None:
    payment = wallet_world.take(JAZZ_CASH)
    answer = requests.post(
        f"{wallet_world.front.url}/api/v1/payments/{payment.id}/cancel",
        headers={"Authorization": f"Bearer {key}"},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "cancel_not_supported")


def test_the_list_is_narrowed_by_wallet_and_knows_no_other(wallet_world: WalletWorld, key: str) -> None:
    payment = wallet_world.take(JAZZ_CASH)
    url, headers = f"{wallet_world.front.url}/api/v1/payments", {"Authorization": f"Bearer {key}"}
    for method, found in (("jazz_cash", [payment.id]), ("easy_paisa", [])):
        page = requests.get(url, params={"payment_method": method}, headers=headers, timeout=5).json()
        assert [shown["id"] for shown in page["payments"]] == found
    assert requests.get(url, params={"payment_method": "cash"}, headers=headers, timeout=5).status_code == 422


def test_figures_are_for_operators_and_name_the_sick(wallet_world: WalletWorld, key: str, operator: User) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", circuit_rest="1m")
    with world.app.database.transaction() as session:
        staff = issue_key(session, operator)
    world.begin(JAZZ_CASH, phone=NEVER)
    world.break_wallet("jazzcash inquiry", "drop_connection", times=None)
    for _ in range(6):
        world.make_due()
        world.drain_once()
    url = f"{world.front.url}/metrics"
    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=5).status_code == 403
    figures = requests.get(url, headers={"Authorization": f"Bearer {staff}"}, timeout=5).text
    assert 'payproc_circuit{operation="inquiry",provider="jazz_cash"} 2.0' in figures
    assert 'payproc_open_payments{payment_method="jazz_cash",status="pending"} 1.0' in figures
