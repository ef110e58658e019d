import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from payproc.domain.money import LARGEST_MINOR, Money
from payproc.domain.settlement import RefundVerdict
from payproc.errors import (
    InvalidRequest,
    OperationNotSupported,
    OutcomeUncertain,
    PayprocError,
    ProviderUnavailable,
    RequestRefused,
)
from payproc.providers.answers import Verdict
from payproc.providers.base import FindingStarts, PostingForms, Provider, Refunding, Returning
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.jazz_cash.settings import Dialect
from payproc.providers.jazz_cash.signature import SECURE_HASH, verified
from payproc.providers.requests import Payer, PaymentRef, RefundMode, RefundRequest, StartMode, StartRequest, StoredCall
from payproc.providers.transport.circuit_breakers import CallTimedOut
from payproc.providers.transport.http import Call

REFERENCE = "T20260901120000001"
REJECTED = b"<html><title>Request Rejected</title>Your support ID is: 18446744073709551615</html>"

MakeProvider = Callable[..., JazzCashProvider]
CallOf = Callable[..., StoredCall]
RefIn = Callable[..., PaymentRef]
RequestIn = Callable[..., StartRequest]
Signed = Callable[[Mapping[str, str]], dict[str, str]]

REPLY = {"pp_ResponseCode": "000", "pp_ResponseMessage": "Thank you.", "pp_TxnRefNo": REFERENCE, "pp_Amount": "125050"}
INQUIRY = {"pp_ResponseCode": "000", "pp_PaymentResponseCode": "121", "pp_Status": "Completed"}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# Of a gateway that stays silent; whoever answers may take longer on a busy machine.
SOON = timedelta(seconds=0.3)


def whole_refund(ref: PaymentRef) -> RefundRequest:
    return RefundRequest(refund_id="ref_1", payment=ref, money=ref.money)


def test_it_is_what_the_core_expects(provider: JazzCashProvider) -> None:
    whole: Provider = provider
    assert isinstance(whole, PostingForms)
    assert isinstance(whole, Returning)
    assert isinstance(whole, Refunding)
    assert (whole.dialect, whole.live_mode) == ("mwallet-2.0", False)


@pytest.mark.parametrize(
    ("dialect", "mode"),
    [
        ("guide", StartMode.FORM_POST),
        ("hosted-1.1", StartMode.FORM_POST),
        ("hosted-2.0", StartMode.FORM_POST),
        ("mwallet-1.1", StartMode.SINGLE_SHOT),
        ("mwallet-2.0", StartMode.SINGLE_SHOT),
    ],
)
def test_a_dialect_begins_in_the_browser_or_by_one_call(
    provider: JazzCashProvider, dialect: str, mode: StartMode
) -> None:
    assert provider.start_mode(dialect) is mode


def test_a_dialect_that_nobody_speaks_is_not_supported(provider: JazzCashProvider, ref_in: RefIn) -> None:
    with pytest.raises(OperationNotSupported):
        provider.start_mode("mwallet-3.0")
    with pytest.raises(OperationNotSupported):
        provider.inquire(ref_in("checkout"))


def test_the_real_gateway_is_left_alone_for_ten_minutes_and_the_guides_is_not(
    provider: JazzCashProvider, make_provider: MakeProvider
) -> None:
    assert provider.poll_schedule("hosted-2.0") == (10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR)
    assert provider.poll_schedule("guide")[:3] == (timedelta(seconds=20), MINUTE, 3 * MINUTE)
    assert provider.poll_schedule("guide")[3:] == provider.poll_schedule("mwallet-1.1")
    assert make_provider(poll_schedule=(MINUTE,)).poll_schedule("guide") == (MINUTE,)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_complete_request_is_taken(provider: JazzCashProvider, request_in: RequestIn, dialect: str) -> None:
    provider.check(request_in(dialect))
    provider.check(request_in(dialect, money=Money.of(LARGEST_MINOR, "pkr")))


@pytest.mark.parametrize(
    ("dialect", "changes", "code"),
    [
        ("guide", {"money": Money.of(100, "usd")}, "currency_unsupported"),
        ("mwallet-2.0", {"money": Money.of(100, "usd")}, "currency_unsupported"),
        ("hosted-1.1", {"money": Money.of(0, "pkr")}, "amount_invalid"),
        ("hosted-1.1", {"money": Money.of(LARGEST_MINOR + 1, "pkr")}, "amount_invalid"),
        ("mwallet-1.1", {"payer": Payer()}, "phone_missing"),
        ("mwallet-1.1", {"payer": Payer(phone="")}, "phone_missing"),
        ("mwallet-1.1", {"payer": Payer(phone="+923123456789")}, "phone_invalid"),
        ("mwallet-1.1", {"payer": Payer(phone="03123456789\n")}, "phone_invalid"),
        ("mwallet-2.0", {"payer": Payer(cnic="345678")}, "phone_missing"),
        ("mwallet-2.0", {"payer": Payer(phone="03123456789")}, "cnic_missing"),
        ("mwallet-2.0", {"payer": Payer(phone="03123456789", cnic="4210112345678")}, "cnic_invalid"),
        (
            "mwallet-2.0",
            {"payer": Payer(phone="03123456789", cnic="\u0663\u0664\u0665\u0666\u0667\u0668")},
            "cnic_invalid",
        ),
    ],
)
def test_a_request_that_cannot_work_is_refused_before_anything_is_written(
    provider: JazzCashProvider, request_in: RequestIn, dialect: str, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidRequest) as invalid:
        provider.check(request_in(dialect, **changes))
    assert invalid.value.code == code
    assert "0312" not in invalid.value.message


@pytest.mark.parametrize("dialect", ["guide", "hosted-1.1", "hosted-2.0"])
def test_nobody_pays_by_form_and_call_at_once(
    make_provider: MakeProvider, call_of: CallOf, request_in: RequestIn, gateway: Any, dialect: str
) -> None:
    with pytest.raises(OperationNotSupported):
        make_provider(at=gateway).start(call_of("mwallet-2.0", dialect=dialect))
    with pytest.raises(OperationNotSupported):
        make_provider(at=gateway).prepare_start(request_in(dialect))
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("mwallet-1.1", "/ApplicationAPI/API/Payment/DoTransaction"),
        ("mwallet-2.0", "/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction"),
    ],
)
def test_a_charge_is_sent_signed_and_its_answer_is_paid(
    make_provider: MakeProvider, call_of: CallOf, signed: Signed, gateway: Any, dialect: str, path: str
) -> None:
    gateway.answers(signed(REPLY))
    result = make_provider(at=gateway).start(call_of(dialect))
    assert result.outcome is not None
    assert result.outcome.verdict is Verdict.PAID
    ((asked, content, body),) = gateway.asked
    assert (asked, content) == (path, "application/json")
    sent = json.loads(body)
    assert verified(sent, "TESTSALT01")
    assert all(isinstance(value, str) for value in sent.values())


def test_a_charge_in_doubt_cannot_be_looked_up_but_asked_about(provider: Provider, ref_in: RefIn) -> None:
    assert not isinstance(provider, FindingStarts)
    assert provider.can_inquire(ref_in("mwallet-2.0", references={}))


@pytest.mark.parametrize("dialect", ["hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0"])
def test_an_inquiry_names_our_reference_and_is_paid_by_the_payments_code(
    make_provider: MakeProvider, ref_in: RefIn, signed: Signed, gateway: Any, dialect: str
) -> None:
    gateway.answers(signed(INQUIRY))
    outcome = make_provider(at=gateway).inquire(ref_in(dialect))
    assert outcome.verdict is Verdict.PAID
    ((path, _, body),) = gateway.asked
    assert path == "/ApplicationAPI/API/PaymentInquiry/Inquire"
    assert set(json.loads(body)) == {"pp_TxnRefNo", "pp_MerchantID", "pp_Password", SECURE_HASH}


def test_an_older_payment_is_asked_about_in_the_dialect_it_was_made_in(
    make_provider: MakeProvider, ref_in: RefIn, gateway: Any
) -> None:
    gateway.answers({"pp_txn_id": REFERENCE, "pp_response_code": "000", "pp_amount": "125050"})
    outcome = make_provider(at=gateway, dialect=Dialect.MWALLET_2_0).inquire(ref_in("guide"))
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(125050, "pkr"))
    ((path, content, body),) = gateway.asked
    assert (path, content) == ("/ApplicationAPI/API/TransactionStatus.php", "application/x-www-form-urlencoded")
    assert parse_qs(body.decode()) == {
        "pp_merchant_id": ["MC00001"],
        "pp_txn_id": [REFERENCE],
        "pp_language": ["en"],
        "pp_sign": ["c04a565ecfe6b082e739dcc93612134b5e5dfb0b6ef5ea4fefa24b247cab75e2"],
    }


def test_a_refund_is_sent_with_the_mpin_and_compared(
    make_provider: MakeProvider, ref_in: RefIn, call_of: CallOf, signed: Signed, gateway: Any
) -> None:
    provider = make_provider(at=gateway)
    prepared = provider.prepare_refund(whole_refund(ref_in("mwallet-1.1")))
    gateway.answers(signed({"pp_ResponseCode": "000", "pp_RefundAmount": "125050"}))
    outcome = provider.refund(call_of("mwallet-1.1", parameters=prepared.parameters))
    assert outcome.verdict is RefundVerdict.SUCCEEDED
    ((path, _, body),) = gateway.asked
    assert path == "/ApplicationAPI/API/Purchase/domwalletrefundtransaction"
    assert json.loads(body)["pp_MerchantMPIN"] == "1234"


def test_a_refund_in_doubt_is_asked_about_through_its_payment(
    make_provider: MakeProvider, ref_in: RefIn, signed: Signed, gateway: Any
) -> None:
    gateway.answers(signed(INQUIRY | {"pp_PaymentResponseCode": "131"}))
    outcome = make_provider(at=gateway).inquire_refund(whole_refund(ref_in("mwallet-2.0")))
    assert outcome.verdict is RefundVerdict.SUCCEEDED


def test_only_a_wallet_charge_can_be_refunded_and_only_with_the_mpin(
    make_provider: MakeProvider, provider: JazzCashProvider, ref_in: RefIn, call_of: CallOf
) -> None:
    by_call = [dialect for dialect in Dialect if provider.refund_mode(dialect) is not RefundMode.MANUAL]
    assert by_call == ["mwallet-1.1", "mwallet-2.0"]
    without = make_provider(merchant_mpin="")
    assert {without.refund_mode(dialect) for dialect in Dialect} == {RefundMode.MANUAL}
    with pytest.raises(OperationNotSupported):
        without.prepare_refund(whole_refund(ref_in("mwallet-2.0")))
    with pytest.raises(OperationNotSupported):
        without.refund(call_of("mwallet-2.0"))
    with pytest.raises(OperationNotSupported):
        provider.prepare_refund(whole_refund(ref_in("hosted-2.0")))


class TestWhenTheGatewayIsSick:
    @pytest.fixture(autouse=True)
    def _calls(self, make_provider: MakeProvider, call_of: CallOf, ref_in: RefIn, gateway: Any) -> None:
        self.gateway = gateway
        self.provider = make_provider(at=gateway)
        self.impatient = make_provider(at=gateway, push_timeout=SOON, read_timeout=SOON)
        self.call, self.ref = call_of("mwallet-2.0"), ref_in("mwallet-2.0")
        words = self.provider.prepare_refund(whole_refund(self.ref)).parameters
        self.refund = call_of("mwallet-2.0", parameters=words)

    def uncertain(self) -> OutcomeUncertain:
        """Every call that changes something is in doubt now, and every inquiry is asked again."""
        with pytest.raises(OutcomeUncertain):
            self.provider.refund(self.refund)
        for dialect in ("mwallet-2.0", "guide"):
            with pytest.raises(ProviderUnavailable):
                self.provider.inquire(PaymentRef(**{**vars(self.ref), "dialect": dialect}))
        with pytest.raises(OutcomeUncertain) as uncertain:
            self.provider.start(self.call)
        return uncertain.value

    def test_a_charge_that_nobody_answers_has_timed_out(self) -> None:
        self.gateway.silent, self.provider = True, self.impatient
        assert isinstance(self.uncertain(), CallTimedOut)
        assert len([path for path, _, _ in self.gateway.asked if "DoMWallet" in path]) == 1

    def test_a_customer_who_takes_long_is_no_outage(self) -> None:
        self.gateway.silent = True
        for _ in range(6):
            with pytest.raises(CallTimedOut):
                self.impatient.start(self.call)

    def test_a_firewalls_page_with_status_200_is_in_doubt_and_names_its_support_id(self) -> None:
        self.gateway.body = REJECTED
        assert "18446744073709551615" in self.uncertain().message

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"000"', b"", b"{", b"\xff"])
    def test_what_is_no_object_is_in_doubt(self, body: bytes) -> None:
        self.gateway.body = body
        assert self.uncertain().code in ("unreadable_answer", "connection_lost")

    def test_an_error_of_the_server_is_in_doubt_even_if_it_reads_as_an_answer(self, signed: Signed) -> None:
        self.gateway.status = 500
        self.gateway.answers(signed(REPLY))
        assert self.uncertain().code == "unreadable_answer"

    def test_a_truncated_answer_is_in_doubt(self, signed: Signed) -> None:
        self.gateway.answers(signed(REPLY))
        self.gateway.said_length = len(self.gateway.body) + 10
        assert self.uncertain().code == "connection_lost"

    def test_an_answer_under_a_bad_hash_is_in_doubt(self) -> None:
        self.gateway.answers(REPLY | {SECURE_HASH: "0" * 64})
        with pytest.raises(OutcomeUncertain) as uncertain:
            self.provider.start(self.call)
        assert uncertain.value.code == "bad_signature"
        with pytest.raises(ProviderUnavailable) as unavailable:
            self.provider.inquire(self.ref)
        assert unavailable.value.code == "bad_signature"

    def test_a_no_with_status_400_is_an_answer(self, signed: Signed) -> None:
        self.gateway.status = 400
        self.gateway.answers(signed({"pp_ResponseCode": "101", "pp_ResponseMessage": "Invalid credentials"}))
        with pytest.raises(RequestRefused):
            self.provider.start(self.call)

    def test_too_many_requests_were_surely_not_executed(self) -> None:
        self.gateway.status = 429
        with pytest.raises(ProviderUnavailable):
            self.provider.start(self.call)

    def test_a_refused_connection_was_surely_not_executed(self, provider: JazzCashProvider) -> None:
        for attempt in (
            lambda: provider.start(self.call),
            lambda: provider.refund(self.refund),
            lambda: provider.inquire(self.ref),
        ):
            with pytest.raises(ProviderUnavailable) as unavailable:
                attempt()
            assert unavailable.value.code == "no_connection"

    def test_no_error_shows_a_secret_or_the_payer(self) -> None:
        self.gateway.body = REJECTED
        with pytest.raises(PayprocError) as error:
            self.provider.start(self.call)
        shown = repr(error.value) + repr(error.value.__cause__) + str(error.getrepr(style="short"))
        for secret in ("pw12345678", "TESTSALT01", "03123456789", "345678"):
            assert secret not in shown


def test_nothing_that_is_logged_by_accident_shows_a_secret_or_the_payer(
    provider: JazzCashProvider, call_of: CallOf, request_in: RequestIn
) -> None:
    call = call_of("mwallet-2.0")
    sent = Call(operation="push", url="http://h/", patience=MINUTE, json_body={"pp_Password": "pw12345678"})
    for thing in (provider, call, request_in("mwallet-2.0"), sent, provider.prepare_start(request_in("mwallet-2.0"))):
        for secret in ("pw12345678", "TESTSALT01", "03123456789", "345678", "'1234'"):
            assert secret not in repr(thing)
