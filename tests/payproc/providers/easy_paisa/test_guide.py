import json
from decimal import Decimal
from typing import Any

import pytest

from payproc.domain.ids import new_reference
from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import guide
from payproc.providers.easy_paisa.settings import Dialect
from payproc.providers.requests import Customer
from tests.payproc.providers.easy_paisa.merchant import PHONE, REFERENCE, ref, request

WORDS = guide.start_parameters(
    request(Dialect.GUIDE), store_id="1234", notify_url="https://shop.example/easy-paisa/notify"
)
OURS = guide.inquiry_body(REFERENCE, store_id="1234")
GUIDE_BODY = (
    '{"storeId": "1234", "storeName": "MyStore", "amount": 125050, "mobileNumber": "03001234567", '
    f'"transactionId": "{REFERENCE}", "transactionDetails": "Payment for {REFERENCE}", '
    '"customerName": "Amina Khan", "customerEmail": "", '
    '"notificationURL": "https://shop.example/easy-paisa/notify", "transactionRefId": "", "sessionId": ""}'
)

NO_CODE: list[Any] = ["0001", "0003", "", None, 7, []]
NO_STATUS: list[Any] = ["", "SUCCESS", "PAID", "success ", None, True, 1, ["success"], {}]


def inquired(*, overdue: bool = False, **changes: Any) -> Outcome:
    reply = {"storeId": "1234", "transactionId": REFERENCE, "transactionStatus": "success", "amount": 125050}
    return guide.inquiry_outcome({**reply, **changes}, ref(Dialect.GUIDE, overdue=overdue), ours=OURS)


def test_a_payment_is_asked_for_in_the_guides_own_bytes() -> None:
    assert json.dumps(guide.initiate_body(WORDS, phone=PHONE)) == GUIDE_BODY


def test_a_name_is_no_longer_than_a_name() -> None:
    customer = Customer(user_id="usr_1", email="buyer@example.com", name="Amina " * 60)
    words = guide.start_parameters(request(Dialect.GUIDE, customer=customer), store_id="1234", notify_url="")
    assert words["customerName"] == ("Amina " * 10).strip()


def test_a_database_that_stored_the_words_in_another_order_changes_nothing() -> None:
    stored = {name: WORDS[name] for name in sorted(WORDS)}
    assert json.dumps(guide.initiate_body(stored, phone=PHONE)) == GUIDE_BODY
    assert PHONE not in str(stored)


def test_an_inquiry_is_in_the_guides_own_bytes() -> None:
    assert json.dumps(OURS) == f'{{"storeId": "1234", "transactionId": "{REFERENCE}"}}'


@pytest.mark.parametrize("code", [{}, {"responseCode": "0000"}])
def test_a_payment_that_began_waits_for_the_customer(code: dict[str, str]) -> None:
    result = guide.start_result({"transactionId": REFERENCE, **code}, WORDS)
    assert result == StartResult(next_action=AwaitCustomer(), references={Reference.EASY_PAISA: REFERENCE})


@pytest.mark.parametrize(
    "reply",
    [
        *({}, {"responseCode": "0000"}, {"transactionId": ""}, {"transactionId": None}, {"transactionId": []}),
        *({"transactionId": REFERENCE, "responseCode": code} for code in NO_CODE),
    ],
)
def test_a_beginning_that_we_cannot_read_is_asked_about(reply: dict[str, Any]) -> None:
    result = guide.start_result(reply, WORDS)
    assert result.outcome is not None
    assert (result.next_action, result.outcome.verdict) == (AwaitCustomer(), Verdict.UNKNOWN)


def test_an_answer_about_another_payment_of_ours_begins_and_ends_nothing() -> None:
    foreign = guide.start_result({"transactionId": new_reference(), "responseCode": "0013"}, WORDS)
    assert foreign.outcome is not None
    assert (foreign.outcome.verdict, foreign.references) == (Verdict.UNKNOWN, {})


def test_the_answers_id_is_the_gateways_own_and_is_what_it_is_asked_by() -> None:
    begun = guide.start_result({"transactionId": "EP-4711", "responseCode": "0000"}, WORDS)
    assert begun.references == {Reference.EASY_PAISA: "EP-4711"}
    assert guide.names(ref(Dialect.GUIDE, references=begun.references)) == ["EP-4711"]
    assert guide.names(ref(Dialect.GUIDE)) == [REFERENCE]
    assert guide.names(ref(Dialect.GUIDE, named="EP-4711")) == [REFERENCE, "EP-4711"]


@pytest.mark.parametrize(
    ("status", "echoed", "verdict", "is_doubted"),
    [
        ("success", {}, Verdict.PAID, True),
        ("success", {"transactionRefId": REFERENCE}, Verdict.PAID, False),
        ("failed", {}, Verdict.UNKNOWN, False),
    ],
)
def test_what_only_an_unsigned_notice_says_is_ours_pays_and_ends_nothing(
    status: str, echoed: dict[str, str], verdict: Verdict, is_doubted: bool
) -> None:
    reply = {"storeId": "1234", "transactionId": "EP-4711", "transactionStatus": status, "amount": 125050, **echoed}
    ours = guide.inquiry_body("EP-4711", store_id="1234")
    outcome = guide.inquiry_outcome(reply, ref(Dialect.GUIDE, named="EP-4711"), ours=ours)
    assert (outcome.verdict, outcome.doubt is not None) == (verdict, is_doubted)


def test_a_refusal_is_read_as_the_real_gateways() -> None:
    declined = guide.start_result({"responseCode": "0013", "responseDesc": "Low balance"}, WORDS).outcome
    assert declined is not None
    assert (declined.verdict, declined.failure_code) == (Verdict.DECLINED, "0013")
    with pytest.raises(RequestRefused) as refused:
        guide.start_result({"responseCode": "0010"}, WORDS)
    assert refused.value.refusal is Refusal.CONFIGURATION


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("success", Verdict.PAID),
        ("pending", Verdict.PENDING),
        ("failed", Verdict.DECLINED),
        ("expired", Verdict.EXPIRED),
        ("cancelled", Verdict.CANCELLED),
        ("canceled", Verdict.CANCELLED),
        *((status, Verdict.UNKNOWN) for status in NO_STATUS),
    ],
)
def test_a_status_means_what_the_table_says(status: Any, verdict: Verdict) -> None:
    assert inquired(transactionStatus=status).verdict is verdict


def test_what_was_paid_is_told_in_paisa() -> None:
    outcome = inquired()
    assert (outcome.money, outcome.receipt) == (Money.of(125050, "pkr"), REFERENCE)
    assert inquired(amount=100).money == Money.of(100, "pkr")


@pytest.mark.parametrize("amount", [None, "125050", "1250.50", 1250.5, Decimal("1250.50"), True, 0, -1, [], 10**12])
def test_paid_without_an_amount_we_can_read_is_not_known_to_be_paid(amount: Any) -> None:
    assert inquired(amount=amount).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("changes", [{"transactionId": "P9"}, {"storeId": "4321"}, {"transactionId": [REFERENCE]}])
def test_an_answer_about_somebody_else_tells_nothing(changes: dict[str, Any]) -> None:
    assert inquired(**changes) == Outcome(verdict=Verdict.UNKNOWN, failure_code="foreign_answer")


def test_a_transaction_that_is_not_there_yet_is_pending_until_nobody_can_begin_it() -> None:
    nothing: dict[str, Any] = {"transactionStatus": None, "responseCode": "0003"}
    assert inquired(**nothing).verdict is Verdict.PENDING
    assert inquired(**nothing, overdue=True).verdict is Verdict.PENDING, "it may know it by its own id alone"
    known = ref(Dialect.GUIDE, overdue=True, references={Reference.EASY_PAISA: "EP-4711"})
    unheard_of = guide.inquiry_outcome(
        {"responseCode": "0003"}, known, ours=guide.inquiry_body("EP-4711", store_id="1234")
    )
    assert unheard_of.verdict is Verdict.EXPIRED


@pytest.mark.parametrize("code", ["0001", "0013", "0026", "9999", "", None, 0])
def test_an_inquiry_that_did_not_work_tells_nothing(code: Any) -> None:
    assert inquired(responseCode=code).verdict is Verdict.UNKNOWN


def test_an_inquiry_with_wrong_credentials_is_an_operators_matter() -> None:
    with pytest.raises(RequestRefused) as refused:
        inquired(responseCode="0010")
    assert refused.value.refusal is Refusal.CONFIGURATION


def test_a_failure_has_its_status_for_a_code() -> None:
    assert inquired(transactionStatus="failed").failure_code == "failed"
    assert inquired().failure_code is None
