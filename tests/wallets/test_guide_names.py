"""What a gateway of the guide's dialect calls a payment: the guide does not say, and each way is understood."""

from typing import Any

import pytest
import requests

from payproc.database.models import Job, JobState, Payment, ReviewKind
from payproc.domain.payment_methods import PaymentMethod, path_of
from payproc.domain.states import PaymentStatus
from payproc.flows import checkout
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from tests.support.waiting import wait_until
from tests.support.wallet_world import NEVER, WalletWorld

JAZZ_CASH_NOTIFY = "/api/v1/payments/jazz-cash/notify"


def named(world: WalletWorld, gateway: str, naming: str) -> WalletWorld:
    told = requests.post(f"{world.wallet_url}/naming", json={"gateway": gateway, "naming": naming}, timeout=5)
    assert told.ok, told.text
    return world.speaking(jazz_cash_dialect="guide", easy_paisa_dialect="guide")


def form_of(world: WalletWorld, payment: Payment) -> dict[str, str]:
    return dict(checkout.payment_form(world.app, payment, world.customer).fields)


def notices(world: WalletWorld) -> list[dict[str, Any]]:
    return list(requests.get(f"{world.wallet_url}/notices", timeout=5).json())


def all_told(world: WalletWorld) -> bool:
    states = {notice["state"] for notice in notices(world)}
    return bool(states) and states <= {"acknowledged", "dropped"}


def asked_for(world: WalletWorld) -> list[str]:
    """What the gateway was asked about, by its names, oldest first."""
    calls = requests.get(f"{world.wallet_url}/calls", timeout=5).json()
    fields = [call["fields"] for call in calls if call["operation"].endswith("inquiry")]
    return [told.get("pp_txn_id") or told.get("transactionId") for told in fields]


def test_two_payments_of_one_second_have_two_auth_codes_and_are_both_taken(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "jazzcash", "auth_code")
    first, second = world.take(JAZZ_CASH), world.take(JAZZ_CASH)
    with world.app.database.transaction() as session:
        session.get_one(Payment, second.id).created_at = first.created_at
    codes = {form_of(world, world.payment(payment.id))["pp_auth_code"] for payment in (first, second)}
    assert len(codes) == 2
    for payment in (first, second):
        world.post_form(world.payment(payment.id))
        world.do(payment, "approve")
        world.becomes(payment, "completed")


@pytest.mark.parametrize("naming", ["reference", "auth_code", "own"])
def test_whatever_jazzcash_calls_a_payment_its_notice_is_taken_and_its_name_kept(
    wallet_world: WalletWorld, naming: str
) -> None:
    world = named(wallet_world, "jazzcash", naming)
    payment = world.begin(JAZZ_CASH)
    name = {
        "reference": payment.reference,
        "auth_code": form_of(world, payment)["pp_auth_code"],
        "own": world.at_wallet(payment)["gateway_id"],
    }[naming]
    world.do(payment, "approve")
    wait_until(lambda: all_told(world), what="the notice taken")
    world.becomes(payment, "completed")
    assert world.payment(payment.id).jazz_cash_reference == name
    assert asked_for(world)[-1] == name


def test_a_payment_whose_name_never_came_stays_open_until_its_notice_does(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "jazzcash", "own")
    payment = world.begin(JAZZ_CASH)
    world.break_wallet("jazzcash ipn", "drop")
    # The browser does not come back either.
    requests.post(f"{world.wallet_url}/transactions/{payment.reference}/approve", timeout=10)
    world.make_due()
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert asked_for(world) == [payment.reference, form_of(world, payment)["pp_auth_code"]]

    [notice] = notices(world)
    requests.post(f"{world.wallet_url}/notices/{notice['id']}/resend", timeout=5)
    wait_until(lambda: notices(world)[0]["state"] == "acknowledged", what="the notice taken")
    world.becomes(payment, "completed")
    assert world.payment(payment.id).jazz_cash_reference == notice["letter"]["body"]["pp_txn_id"]


def test_another_payments_name_beside_our_reference_pays_nothing(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "jazzcash", "own")
    paid, unpaid = world.begin(JAZZ_CASH), world.begin(JAZZ_CASH)
    world.do(paid, "approve")
    name = world.at_wallet(paid)["gateway_id"]
    body = {"pp_txn_id": name, "pp_bill_reference": unpaid.reference, "pp_response_code": "000"}
    answer = requests.post(f"{world.front.url}{JAZZ_CASH_NOTIFY}", json=body, timeout=5)
    assert answer.json() == {"status": "received"}
    world.becomes(paid, "completed")
    world.make_due()
    world.drain()
    assert world.status(unpaid.id) is PaymentStatus.PENDING
    assert world.payment(unpaid.id).jazz_cash_reference is None


def test_what_nothing_but_an_unsigned_notice_ties_to_us_is_a_persons_to_decide(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "jazzcash", "bare")
    payment = world.begin(JAZZ_CASH)
    world.do(payment, "approve")
    wait_until(lambda: all_told(world), what="the notice taken")
    world.make_due()
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    [review] = world.reviews()
    assert (review.kind, review.payment_id) == ("paid_elsewhere", payment.id)
    assert world.at_wallet(payment)["gateway_id"] in review.detail


@pytest.mark.parametrize(
    ("gateway", "naming", "method"), [("jazzcash", "bare", JAZZ_CASH), ("easypaisa", "own", EASY_PAISA)]
)
def test_a_strangers_word_that_another_sale_is_ours_does_not_stop_our_asking(
    wallet_world: WalletWorld, gateway: str, naming: str, method: PaymentMethod
) -> None:
    """Whoever knows an id that was paid sends the guide's unsigned notice with it beside our reference."""
    world = named(wallet_world, gateway, naming)
    phone = {} if method is JAZZ_CASH else {"phone": NEVER}
    theirs, ours = world.begin(method, **phone), world.begin(method, **phone)
    world.do(theirs, "approve")
    name = world.at_wallet(theirs)["gateway_id"]
    with world.app.database.transaction() as session:
        session.get_one(Payment, theirs.id).payment_method = STRIPE  # a sale of another system's on this account
        session.get_one(Payment, ours.id).easy_paisa_reference = None  # the answer to its start was lost
    hint(world, method, name=name, reference=ours.reference)
    world.make_due()
    world.drain()
    assert [each.kind for each in world.reviews() if each.payment_id == ours.id] == [ReviewKind.PAID_ELSEWHERE]
    assert world.status(ours.id) is PaymentStatus.PENDING
    waiting = [job for job in world.rows(Job) if job.subject == ours.id and job.state is JobState.READY]
    assert [job.kind for job in waiting] == ["payment.inquire"]


def hint(world: WalletWorld, method: PaymentMethod, *, name: str, reference: str) -> None:
    bodies = {
        JAZZ_CASH: {"pp_txn_id": name, "pp_bill_reference": reference, "pp_response_code": "000"},
        EASY_PAISA: {"transactionId": name, "transactionRefId": reference, "transactionStatus": "success"},
    }
    path = f"{world.front.url}/api/v1/payments/{path_of(method)}/notify"
    answer = requests.post(path, json=bodies[method], timeout=5)
    assert answer.json() == {"status": "received"}


def test_easypaisas_own_id_is_kept_and_finds_the_payment_of_its_notice(
    wallet_world: WalletWorld,
) -> None:
    world = named(wallet_world, "easypaisa", "own")
    payment = world.begin(EASY_PAISA, phone=NEVER)
    name = world.at_wallet(payment)["gateway_id"]
    assert world.payment(payment.id).easy_paisa_reference == name
    world.do(payment, "approve")
    wait_until(lambda: all_told(world), what="the notice taken")
    assert [notice.payment_id for notice in world.notices()] == [payment.id]
    world.becomes(payment, "completed")
    assert set(asked_for(world)) == {name}


def test_a_customer_who_cancels_at_easypaisa_has_cancelled(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "easypaisa", "reference")
    payment = world.begin(EASY_PAISA, phone=NEVER)
    world.do(payment, "cancel")
    world.becomes(payment, "cancelled")
    assert world.payment(payment.id).failure_code == "cancelled"


def test_a_return_that_names_a_gateways_own_id_alone_shows_nobodys_page(wallet_world: WalletWorld) -> None:
    world = named(wallet_world, "jazzcash", "own")
    payment = world.begin(JAZZ_CASH)
    world.do(payment, "approve")
    world.becomes(payment, "completed")
    name = world.payment(payment.id).jazz_cash_reference
    back = f"{world.front.url}/api/v1/payments/jazz-cash/return"
    assert requests.get(back, params={"pp_txn_id": name}, timeout=5, allow_redirects=False).status_code == 404
    beside = {"pp_txn_id": name, "pp_bill_reference": payment.reference}
    assert requests.get(back, params=beside, timeout=5, allow_redirects=False).status_code < 400
