from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import wire
from payproc.providers.easy_paisa.codes import Meaning, meaning
from payproc.providers.easy_paisa.settings import PaymentType
from payproc.providers.requests import Customer
from tests.payproc.providers.easy_paisa.merchant import ACCOUNT, PHONE, REFERENCE, ref, request


def asked(payment_type: PaymentType, **changes: Any) -> dict[str, Any]:
    made = request(**changes)
    return wire.start_parameters(made, store_id="1234", payment_type=payment_type, merchant_email="pay@shop.example")


PUSH, CASH = asked(PaymentType.MOBILE_ACCOUNT), asked(PaymentType.OVER_THE_COUNTER)
OURS = wire.inquiry_body(ref(), store_id="1234", account_number=ACCOUNT)
EP_REFERENCE = {Reference.EASY_PAISA: "7001"}


def started(parameters: dict[str, Any] = PUSH, **changes: Any) -> StartResult:
    reply = {"orderId": REFERENCE, "storeId": "1234", "transactionId": "7001", "responseCode": "0000"}
    return wire.start_result(parameters, {**reply, "responseDesc": "A reason", **changes})


def inquired(*, overdue: bool = False, **changes: Any) -> Outcome:
    reply = {"orderId": REFERENCE, "storeId": "1234", "accountNum": ACCOUNT, "transactionId": 7001}
    said = {"responseCode": "0000", "responseDesc": "SUCCESS", "transactionAmount": Decimal("1250.50")}
    return wire.inquiry_outcome({**reply, **said, **changes}, ref(overdue=overdue), ours=OURS)


def test_a_push_is_asked_for_in_exactly_these_words() -> None:
    assert wire.initiate_body(PUSH, phone=PHONE) == {
        "orderId": REFERENCE,
        "storeId": "1234",
        "transactionAmount": "1250.50",
        "transactionType": "MA",
        "emailAddress": "buyer@example.com",
        "mobileAccountNo": PHONE,
    }


def test_a_token_is_asked_for_in_exactly_these_words() -> None:
    assert wire.initiate_body(CASH, phone=PHONE) == {
        "orderId": REFERENCE,
        "storeId": "1234",
        "transactionAmount": "1250.50",
        "transactionType": "OTC",
        "emailAddress": "buyer@example.com",
        "tokenExpiry": "20260902 120000",
        "msisdn": PHONE,
    }


@pytest.mark.parametrize(
    "email", ["buyer@localhost", "", "آمنہ@example.com", f"{'a' * 65}@example.com", "a b@example.com"]
)
def test_an_address_that_the_gateway_would_refuse_is_replaced_by_the_merchants(email: str) -> None:
    customer = Customer(user_id="usr_1", email=email, name="Amina")
    assert asked(PaymentType.MOBILE_ACCOUNT, customer=customer)["emailAddress"] == "pay@shop.example"


@pytest.mark.parametrize("words", [PUSH, CASH])
def test_what_is_stored_has_no_phone(words: dict[str, Any]) -> None:
    assert PHONE not in str(words)


def test_an_inquiry_names_order_store_and_account() -> None:
    assert OURS == {"orderId": REFERENCE, "storeId": "1234", "accountNum": ACCOUNT}


# --- Codes ------------------------------------------------------------------------------------------------------------

CODES: dict[Meaning, list[str | None]] = {
    Meaning.ACCEPTED: ["0000"],
    Meaning.NO_SUCH_ORDER: ["0003"],
    Meaning.DECLINED: ["0009", "0011", "0012", "0013", "0014"],
    Meaning.INPUT: ["0026", "0027", "0028", "0029"],
    Meaning.CONFIGURATION: [f"{code:04}" for code in (2, *range(4, 9), 10, *range(15, 26))],
    Meaning.UNKNOWN: ["0001", *(f"{code:04}" for code in range(30, 36)), "9999", "", "0", "000", "00000", "PAID", None],
}
ALL = [(code, means) for means, listed in CODES.items() for code in listed]


def codes_of(*meanings: Meaning) -> list[str | None]:
    return [code for code, means in ALL if means in meanings]


@pytest.mark.parametrize(("code", "means"), ALL)
def test_every_code_means_what_the_table_says(code: str | None, means: Meaning) -> None:
    assert meaning(code) is means


@given(st.text())
def test_a_code_that_is_not_listed_is_unknown(code: str) -> None:
    assert meaning(code) is Meaning.UNKNOWN or code in {listed for listed, _ in ALL}


def test_a_push_that_was_accepted_is_asked_about_at_once() -> None:
    assert started() == StartResult(
        next_action=AwaitCustomer(),
        references=EP_REFERENCE,
        outcome=Outcome(verdict=Verdict.UNKNOWN, references=EP_REFERENCE, receipt="7001"),
    )


def test_a_token_is_shown_until_it_expires() -> None:
    result = started(CASH, paymentToken="123456789012", paymentTokenExpiryDateTime="02/09/2026 12:00 PM")
    assert result.next_action == AwaitCustomer(token="123456789012")
    assert result.expires_at == datetime(2026, 9, 2, 7, tzinfo=UTC)
    assert result.outcome == Outcome(verdict=Verdict.PENDING, references=EP_REFERENCE)


def test_a_tokens_expiry_that_cannot_be_read_is_left_out() -> None:
    result = started(CASH, paymentToken=123456789012, paymentTokenExpiryDateTime="soon")
    assert (result.next_action, result.expires_at) == (AwaitCustomer(token="123456789012"), None)


@pytest.mark.parametrize("token", [None, "", [], "<b>1</b>"])
def test_a_token_that_did_not_come_is_asked_about(token: Any) -> None:
    result = started(CASH, paymentToken=token)
    assert result.outcome is not None
    assert (result.next_action, result.outcome.verdict) == (AwaitCustomer(), Verdict.UNKNOWN)


@pytest.mark.parametrize("parameters", [PUSH, CASH])
@pytest.mark.parametrize("code", codes_of(Meaning.DECLINED))
def test_a_decline_ends_the_payment_and_says_why(parameters: dict[str, Any], code: str) -> None:
    result = started(parameters, responseCode=code, responseDesc="Low balance of 03001234567")
    outcome = result.outcome
    assert outcome is not None
    assert (result.next_action, outcome.verdict, outcome.failure_code) == (None, Verdict.DECLINED, code)
    assert outcome.failure_message == "Low balance of ***"


@pytest.mark.parametrize("code", codes_of(Meaning.INPUT))
def test_what_the_payment_brought_is_refused(code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        started(responseCode=code)
    assert (refused.value.refusal, refused.value.code) == (Refusal.INPUT, code)


@pytest.mark.parametrize("code", codes_of(Meaning.CONFIGURATION))
def test_our_own_settings_are_refused_whatever_was_called(code: str) -> None:
    for call in (started, inquired):
        with pytest.raises(RequestRefused) as refused:
            call(responseCode=code)
        assert (refused.value.refusal, refused.value.code) == (Refusal.CONFIGURATION, code)


@pytest.mark.parametrize("parameters", [PUSH, CASH])
@pytest.mark.parametrize("code", [*codes_of(Meaning.UNKNOWN, Meaning.NO_SUCH_ORDER), 0, True, [], {}])
def test_any_other_answer_to_a_charge_is_asked_about(parameters: dict[str, Any], code: Any) -> None:
    result = started(parameters, responseCode=code)
    assert result.outcome is not None
    assert (result.next_action, result.outcome.verdict) == (AwaitCustomer(), Verdict.UNKNOWN)


@pytest.mark.parametrize("changes", [{"orderId": "P9"}, {"storeId": "4321"}, {"orderId": ["P9"]}])
@pytest.mark.parametrize("code", ["0000", "0013", "0010", "0026"])
def test_a_charges_answer_about_another_order_tells_nothing(changes: dict[str, Any], code: str) -> None:
    result = started(responseCode=code, **changes)
    assert result.references == {}
    assert result.outcome == Outcome(verdict=Verdict.UNKNOWN, failure_code="foreign_answer")


# --- Inquiries --------------------------------------------------------------------------------------------------------

NO_STATUS: list[Any] = ["", "paid", "PAID ", "SUCCESS", "0000", None, 1, True, ["PAID"], {}]
STATUSES: list[tuple[Any, Verdict]] = [
    ("PAID", Verdict.PAID),
    ("PAID_AND_SETTLED", Verdict.PAID),
    ("PENDING", Verdict.PENDING),
    ("FAILED", Verdict.DECLINED),
    ("BLOCKED", Verdict.DECLINED),
    ("EXPIRED", Verdict.EXPIRED),
    ("CANCELLED", Verdict.CANCELLED),
    ("REVERSED", Verdict.REVERSED),
    *((status, Verdict.UNKNOWN) for status in NO_STATUS),
]


@pytest.mark.parametrize(("status", "verdict"), STATUSES)
def test_a_status_means_what_the_table_says(status: Any, verdict: Verdict) -> None:
    outcome = inquired(transactionStatus=status)
    assert outcome.verdict is verdict
    assert outcome.money == Money.of(125050, "pkr")


@given(st.text())
def test_a_status_that_is_not_listed_is_unknown(status: str) -> None:
    listed = {text for text, verdict in STATUSES if verdict is not Verdict.UNKNOWN}
    assert status in listed or inquired(transactionStatus=status).verdict is Verdict.UNKNOWN


def test_a_paid_payment_has_its_receipt() -> None:
    outcome = inquired(transactionStatus="PAID")
    assert (outcome.receipt, outcome.references) == ("7001", EP_REFERENCE)


def test_an_inquiry_that_leaves_the_transaction_out_takes_nothing_back() -> None:
    outcome = inquired(transactionStatus="PAID", transactionId=None)
    assert (outcome.verdict, outcome.receipt, outcome.references) == (Verdict.PAID, None, {})


def test_the_inquirys_own_success_is_not_the_payments() -> None:
    outcome = inquired(transactionStatus="FAILED", errorCode="0013", errorReason="Low balance")
    assert (outcome.verdict, outcome.failure_code) == (Verdict.DECLINED, "0013")
    assert outcome.failure_message == "Low balance"
    assert inquired(transactionStatus="BLOCKED").failure_code == "BLOCKED"
    assert inquired(transactionStatus="BLOCKED").failure_message is None


@pytest.mark.parametrize("settlement", ["FAILED", "RECON_FAILED", "PAID", "SETTLED"])
def test_the_settlement_is_not_read(settlement: str) -> None:
    assert inquired(transactionStatus="PAID", settlementStatus=settlement).verdict is Verdict.PAID
    assert inquired(transactionStatus="PENDING", settlementStatus=settlement).verdict is Verdict.PENDING


@pytest.mark.parametrize("amount", [None, "", "abc", 1250.5, Decimal("1250.505"), Decimal("NaN"), True, 0, -1])
def test_paid_without_an_amount_we_can_read_is_not_known_to_be_paid(amount: Any) -> None:
    assert inquired(transactionStatus="PAID", transactionAmount=amount).verdict is Verdict.UNKNOWN


def test_another_amount_is_told_as_it_is() -> None:
    outcome = inquired(transactionStatus="PAID", transactionAmount=125050)
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(12505000, "pkr"))


@pytest.mark.parametrize(
    "changes",
    [
        *({"orderId": "P9"}, {"orderId": REFERENCE.lower()}, {"orderId": [REFERENCE]}, {"storeId": 4321}),
        *({"storeId": "01234"}, {"accountNum": "30303030"}, {"accountNum": True}),
    ],
)
@pytest.mark.parametrize("status", ["PAID", "FAILED", "REVERSED"])
def test_an_answer_about_somebody_else_tells_nothing(changes: dict[str, Any], status: str) -> None:
    assert inquired(transactionStatus=status, **changes) == Outcome(
        verdict=Verdict.UNKNOWN, failure_code="foreign_answer"
    )


@pytest.mark.parametrize("changes", [{"orderId": None, "storeId": None, "accountNum": ""}, {"storeId": 1234}])
def test_names_that_are_left_out_or_written_as_numbers_are_no_difference(changes: dict[str, Any]) -> None:
    assert inquired(transactionStatus="PAID", **changes).verdict is Verdict.PAID


def test_an_order_that_is_not_there_yet_is_pending_until_nobody_can_begin_it() -> None:
    assert inquired(responseCode="0003", transactionStatus=None).verdict is Verdict.PENDING
    assert inquired(responseCode="0003", transactionStatus=None, overdue=True).verdict is Verdict.EXPIRED


@pytest.mark.parametrize("code", [*codes_of(Meaning.DECLINED, Meaning.INPUT, Meaning.UNKNOWN), 0, [], {}])
def test_an_inquiry_that_did_not_work_tells_nothing_whatever_the_status(code: Any) -> None:
    for status in ("PAID", "FAILED", "EXPIRED"):
        assert inquired(responseCode=code, transactionStatus=status, overdue=True).verdict is Verdict.UNKNOWN


def test_an_answer_of_a_code_alone_is_enough() -> None:
    answer = {"responseCode": "0001", "responseDesc": "System error"}
    outcome = wire.inquiry_outcome(answer, ref(), ours=OURS)
    assert (outcome.verdict, outcome.failure_code) == (Verdict.UNKNOWN, "0001")
    assert outcome.failure_message == "System error"
    assert wire.inquiry_outcome({}, ref(), ours=OURS).verdict is Verdict.UNKNOWN
