"""What somebody would send who wants goods without paying, or the gateway asked to death."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from payproc.database.models import Payment
from payproc.domain.states import PaymentStatus
from payproc.flows import checkout
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.signature import guide_form_digest, sign
from tests.support.waiting import wait_until
from tests.support.wallet_world import NEVER, SECRETS, WalletWorld

SALT = SECRETS.jazz_cash_integrity_salt
NOTIFY = "/api/v1/payments/jazz-cash/notify"
IPN = "/api/v1/payments/easy-paisa/notify"


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4")


def tell(world: WalletWorld, body: Any, *, path: str = NOTIFY) -> requests.Response:
    return requests.post(world.front.url + path, data=json.dumps(body), timeout=5)


def ipn(payment: Payment, **changes: str | None) -> dict[str, str | None]:
    """The notification of a payment that was paid, before it is signed."""
    return {
        "pp_Version": "2.0",
        "pp_TxnType": "MWALLET",
        "pp_BankID": "",
        "pp_ProductID": None,
        "pp_Password": SECRETS.jazz_cash_password,
        "pp_TxnRefNo": payment.reference,
        "pp_TxnDateTime": "20261124120000",
        "pp_ResponseCode": "121",
        "pp_ResponseMessage": "Transaction has been marked confirmed by Merchant.",
        "pp_AuthCode": "",
        "pp_SettlementExpiry": None,
        "pp_RetreivalReferenceNo": "261124123456",
    } | changes


def signed(fields: dict[str, str | None], *, salt: str = SALT) -> dict[str, str | None]:
    filled = {name: value for name, value in fields.items() if value}
    return fields | {"pp_SecureHash": sign(filled, salt)["pp_SecureHash"]}


def calls_to_wallet(world: WalletWorld) -> int:
    return len(requests.get(f"{world.wallet_url}/calls", timeout=5).json())


def unmoved(world: WalletWorld, payment: Payment) -> bool:
    world.drain()
    return world.status(payment.id) is PaymentStatus.PENDING


def test_success_that_names_nobody_completes_nobody(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    told = tell(world, {"pp_response_code": "000"})
    assert told.status_code == 400
    assert told.json()["code"] == "notice_malformed"
    assert unmoved(world, payment)


@pytest.mark.parametrize("given", ["", None, "0" * 64, "not a hash", "\u0660" * 64])
def test_a_notice_without_our_hash_is_refused_and_kept_nowhere(world: WalletWorld, given: str | None) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    assert tell(world, ipn(payment) | {"pp_SecureHash": given}).status_code == 403
    assert (world.notices(), unmoved(world, payment)) == ([], True)


def test_a_notice_whose_hash_is_missing_altogether_is_refused(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    assert tell(world, ipn(payment)).status_code == 403
    assert unmoved(world, payment)


def test_another_merchants_hash_is_refused(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    assert tell(world, signed(ipn(payment), salt="another8salt")).status_code == 403
    assert unmoved(world, payment)


@pytest.mark.parametrize("changed", [{"pp_ResponseCode": "121"}, {"pp_TxnRefNo": "P" + "A" * 19}, {"pp_Amount": "1"}])
def test_a_field_that_was_changed_after_signing_breaks_the_hash(world: WalletWorld, changed: dict[str, str]) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    truth = signed(ipn(payment, pp_ResponseCode="199", pp_Amount="125050"))
    assert tell(world, truth | changed).status_code == 403
    assert unmoved(world, payment)


def test_a_true_notice_is_acknowledged_and_applied_once_however_often_replayed(
    world: WalletWorld,
) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    truth = signed(ipn(payment))
    answers = [tell(world, truth) for _ in range(3)]
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [answer.json()["pp_ResponseCode"] for answer in answers] == ["000"] * 3
    assert len(world.notices()) == 1
    assert len(world.emails()) == 1


def test_a_hash_in_lower_case_is_the_same_hash(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    truth = signed(ipn(payment))
    assert tell(world, truth | {"pp_SecureHash": str(truth["pp_SecureHash"]).lower()}).status_code == 200
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED


def test_a_true_notice_of_another_amount_completes_nothing_and_asks_a_person(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    assert tell(world, signed(ipn(payment, pp_Amount="1", pp_TxnCurrency="PKR"))).status_code == 200
    assert unmoved(world, payment)
    assert [review.kind for review in world.reviews()] == ["paid_mismatch"]


def test_a_true_notice_about_a_payment_we_never_had_waits_and_is_not_lost(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    assert tell(world, signed(ipn(payment, pp_TxnRefNo="P" + "Z" * 19))).status_code == 200
    world.drain()
    assert [notice.state for notice in world.notices()] == ["parked"]


def test_a_true_notice_of_jazzcash_never_moves_another_providers_payment(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    assert tell(world, signed(ipn(payment))).status_code == 200
    assert unmoved(world, payment)


def test_a_payment_of_the_guides_dialect_is_not_moved_by_the_words_of_another(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="guide")
    payment = world.begin(JAZZ_CASH)
    assert tell(world, signed(ipn(payment))).status_code == 200
    assert unmoved(world, payment)
    assert [review.kind for review in world.reviews()] == ["paid_elsewhere"]


def test_a_digit_moved_across_the_guides_digest_is_found_out_by_asking(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="guide")
    payment = world.take(JAZZ_CASH)
    form = checkout.payment_form(world.app, payment, world.customer)
    fields = dict(form.fields)
    auth, amount = fields["pp_auth_code"], fields["pp_amount"]
    tampered = fields | {"pp_auth_code": auth + amount[0], "pp_amount": amount[1:]}
    account = {"merchant_id": SECRETS.jazz_cash_merchant_id, "password": SECRETS.jazz_cash_password}
    assert fields["pp_sign"] == guide_form_digest(auth_code=auth + amount[0], amount=amount[1:], **account)
    # The gateway cannot tell: the customer pays 250.50 for 1,250.50, and a success is told.
    assert requests.post(form.url, data=tampered, timeout=5).ok
    world.do(payment, "approve")
    world.make_due()
    assert unmoved(world, payment)
    assert [review.kind for review in world.reviews()] == ["paid_mismatch"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (NOTIFY, {"pp_txn_id": "P" + "Q" * 19, "pp_response_code": "000"}),
        (IPN, {"transactionId": "P" + "Q" * 19, "transactionStatus": "success"}),
    ],
)
def test_a_flood_of_guessed_ids_costs_no_row_no_job_and_no_call(world: WalletWorld, path: str, body: Any) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    before = calls_to_wallet(world)
    answers = {tell(world, body, path=path).text for _ in range(200)}
    world.drain()

    assert answers == {'{"status": "received"}'}
    assert (world.notices(), calls_to_wallet(world) - before) == ([], 0)
    assert unmoved(world, payment)


def test_a_flood_of_hints_about_one_payment_asks_the_gateway_once(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    world.drain()
    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).polled_at = None
    before = calls_to_wallet(world)
    for _ in range(50):
        tell(world, {"transactionId": payment.reference, "transactionStatus": "success"}, path=IPN)
        world.drain()

    assert calls_to_wallet(world) - before == 1
    assert len(world.notices()) <= 2  # one an interval of ten seconds
    assert unmoved(world, payment)


def test_one_address_is_looked_at_only_so_often_and_is_told_the_same(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4", hints_per_minute=5)
    first, last = (world.begin(EASY_PAISA, phone=NEVER) for _ in range(2))
    for _ in range(5):
        tell(world, {"transactionId": first.reference, "transactionStatus": "success"}, path=IPN)
    answer = tell(world, {"transactionId": last.reference, "transactionStatus": "success"}, path=IPN)

    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert {notice.payment_id for notice in world.notices()} == {first.id}


@dataclass
class Canary:
    """A server that nobody should ever call."""

    url: str
    visits: list[str]


@pytest.fixture
def canary() -> Iterator[Canary]:
    visits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Canary(url=f"http://127.0.0.1:{server.server_port}", visits=visits)
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_in_a_notice_is_never_fetched(world: WalletWorld, canary: Canary) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    account = SECRETS.easy_paisa_account_number
    path = f"/easypay-service/rest/v1/order-status/{account}/{payment.reference}"
    real = f"{world.gateway.base_url}/easypaisa"
    answers = {
        requests.get(world.front.url + IPN, params={"url": url}, timeout=5).text
        for url in (
            canary.url + path,
            f"{canary.url}/?https://easypay.easypaisa.com.pk{path}",
            f"https://easypay.easypaisa.com.pk@{canary.url.removeprefix('http://')}{path}",
            f"{real}{path.replace(account, '00000000')}",
            "file:///etc/passwd",
            "",
            f"{real}{path}",
        )
    }
    world.drain()

    assert answers == {'{"status": "received"}'}
    assert canary.visits == []
    assert world.at_wallet(payment)["status_fetches"] == 0
    # Only the true one named a payment of ours, and it did no more than make us ask.
    assert [notice.kind for notice in world.notices() if notice.payment_id] == ["easy_paisa.ipn"]
    assert unmoved(world, payment)


def test_what_a_customer_posts_on_the_return_decides_nothing(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1")
    payment = world.begin(JAZZ_CASH)
    forged = {"pp_TxnRefNo": payment.reference, "pp_ResponseCode": "000", "pp_Amount": "125050", "pp_SecureHash": "A1"}
    came = requests.post(
        world.front.url + "/api/v1/payments/jazz-cash/return", data=forged, timeout=5, allow_redirects=False
    )
    assert came.status_code == 303
    assert came.headers["Location"] == f"/pay/back/{payment.reference}"
    assert unmoved(world, payment)


def test_whoever_knows_a_reference_is_shown_no_payment_by_coming_back_with_it(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1", easy_paisa_dialect="hosted")
    for method, back in (
        (JAZZ_CASH, "jazz-cash/return?pp_txn_id={}"),
        (EASY_PAISA, "easy-paisa/return?orderRefNumber={}"),
    ):
        payment = world.begin(method)
        url = f"{world.front.url}/api/v1/payments/{back.format(payment.reference)}"
        shown = requests.get(url, timeout=5)
        assert shown.status_code == 200
        assert shown.url == f"{world.front.url}/pay/back/{payment.reference}"
        assert not shown.cookies
        for hidden in ("1,250.50", payment.description, payment.id, payment.reference, "/status"):
            assert hidden not in shown.text


def test_what_the_gateway_signed_leads_its_browser_to_the_payment(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1")
    payment = world.begin(JAZZ_CASH)
    approved = requests.post(f"{world.wallet_url}/transactions/{payment.reference}/approve", timeout=10).json()
    back = approved["browser"]
    came = requests.post(back["url"], data=back["fields"], timeout=5, allow_redirects=False)
    assert came.status_code == 303
    assert not came.headers["Location"].startswith("/pay/back/")
    assert "1,250.50" in requests.get(world.front.url + came.headers["Location"], timeout=5).text


def test_a_wallet_that_is_not_set_up_is_not_there(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(easy_paisa_store_id="")
    answer = tell(world, {"transactionId": "P" + "Q" * 19, "transactionStatus": "success"}, path=IPN)
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_method_unavailable")


def test_a_payment_of_another_environment_is_neither_asked_about_nor_moved(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).environment = "development"
    before = calls_to_wallet(world)
    tell(world, signed(ipn(payment)))
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert calls_to_wallet(world) == before
    assert {review.kind for review in world.reviews()} == {"paid_elsewhere", "job_dead"}
    wait_until(lambda: world.notices()[0].state == "applied")
