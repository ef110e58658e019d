from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import RefundVerdict
from payproc.errors import OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, Verdict
from payproc.providers.jazz_cash import answers, guide
from payproc.providers.jazz_cash.settings import JazzCashConfig
from payproc.providers.jazz_cash.signature import SECURE_HASH
from payproc.providers.requests import PaymentRef, RefundRequest, StoredCall

REFERENCE = "T20260901120000001"
ASKED = Money.of(125050, "pkr")

Signed = Callable[[Mapping[str, str]], dict[str, str]]
CallOf = Callable[..., StoredCall]
RefIn = Callable[..., PaymentRef]

# What the guide's sample reply echoes, the password included.
REPLY = {
    "pp_Amount": "125050",
    "pp_AuthCode": "",
    "pp_BankID": "",
    "pp_BillReference": REFERENCE,
    "pp_CNIC": "345678",
    "pp_MobileNumber": "03123456789",
    "pp_Language": "EN",
    "pp_MerchantID": "MC00001",
    "pp_Password": "pw12345678",
    "pp_ResponseCode": "000",
    "pp_ResponseMessage": "Thank you for using JazzCash.",
    "pp_RetreivalReferenceNo": "260901718258",
    "pp_TxnCurrency": "PKR",
    "pp_TxnDateTime": "20260901120000",
    "pp_TxnRefNo": REFERENCE,
}
INQUIRY = {
    "pp_ResponseCode": "000",
    "pp_ResponseMessage": "Thank you for using JazzCash.",
    "pp_PaymentResponseCode": "121",
    "pp_PaymentResponseMessage": "Transaction has been marked confirmed by Merchant.",
    "pp_Status": "Completed",
    "pp_RetrievalReferenceNo": "260901718258",
}


def without(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in names}


class TestChargeReply:
    @pytest.fixture(autouse=True)
    def _account(self, signed: Signed, call_of: CallOf, config: JazzCashConfig) -> None:
        self.signed, self.call, self.config = signed, call_of("mwallet-2.0"), config

    def read(self, fields: Mapping[str, Any]) -> Any:
        return answers.start_result(fields, self.call, self.config)

    def outcome(self, **changes: str) -> Outcome:
        outcome: Outcome = self.read(self.signed(REPLY | changes)).outcome
        return outcome

    def test_000_with_our_amount_is_paid(self) -> None:
        result = self.read(self.signed(REPLY))
        assert result.next_action is None
        assert result.references == {Reference.JAZZ_CASH: REFERENCE}
        assert result.expires_at == datetime(2026, 9, 2, 7, tzinfo=UTC)
        assert result.outcome == Outcome(
            verdict=Verdict.PAID,
            references={Reference.JAZZ_CASH: REFERENCE},
            money=ASKED,
            live_mode=False,
            receipt="260901718258",
        )

    def test_000_without_an_amount_is_paid(self) -> None:
        result = self.read(self.signed(without(REPLY, "pp_Amount", "pp_TxnCurrency", "pp_MerchantID", "pp_TxnRefNo")))
        assert (result.outcome.verdict, result.outcome.money) == (Verdict.PAID, None)

    def test_another_amount_or_currency_is_told_as_it_is(self) -> None:
        assert self.outcome(pp_Amount="25050").money == Money.of(25050, "pkr")
        assert self.outcome(pp_Amount="000125050").money == ASKED
        assert self.outcome(pp_TxnCurrency="USD").money == Money.of(125050, "usd")

    @pytest.mark.parametrize("amount", ["1250.50", "-1", "1e5", "9" * 20])
    def test_paid_with_an_amount_that_cannot_be_read_is_not_known(self, amount: str) -> None:
        assert self.outcome(pp_Amount=amount).verdict is Verdict.UNKNOWN

    def test_paid_in_a_currency_that_is_none_is_not_known(self) -> None:
        assert self.outcome(pp_TxnCurrency="XYZ").verdict is Verdict.UNKNOWN
        assert self.outcome(pp_TxnCurrency="XYZ", pp_Amount="").verdict is Verdict.UNKNOWN
        assert self.outcome(pp_TxnCurrency="USD", pp_Amount="").verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("code", ["124", "157", "210", "013"])
    def test_pending_waits_for_the_customer_and_is_no_failed_try(self, code: str) -> None:
        result = self.read(self.signed(REPLY | {"pp_ResponseCode": code}))
        assert result.next_action == AwaitCustomer()
        assert (result.outcome.verdict, result.outcome.failure_code) == (Verdict.PENDING, None)

    def test_a_decline_is_told_with_its_code_and_without_the_payers_number(self) -> None:
        outcome = self.outcome(pp_ResponseCode="059", pp_ResponseMessage="Wallet 03123456789 has too little.")
        assert outcome.verdict is Verdict.DECLINED
        assert (outcome.failure_code, outcome.failure_message) == ("059", "Wallet *** has too little.")

    @pytest.mark.parametrize("code", ["199", "999", "121", "109", "132", "555", "", "0", "PAID"])
    def test_what_is_ambiguous_or_not_listed_is_not_known(self, code: str) -> None:
        assert self.outcome(pp_ResponseCode=code).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"pp_ResponseCode": "101"}, Refusal.CONFIGURATION),
            ({"pp_ResponseCode": "111"}, Refusal.CONFIGURATION),
            ({"pp_ResponseCode": "115"}, Refusal.CONFIGURATION),
            ({"pp_ResponseCode": "118"}, Refusal.CONFIGURATION),
            ({"pp_ResponseCode": "110", "pp_ResponseMessage": "Invalid pp_TxnExpiryDateTime"}, Refusal.CONFIGURATION),
            ({"pp_ResponseCode": "110", "pp_ResponseMessage": "Invalid pp_MobileNumber"}, Refusal.INPUT),
            ({"pp_ResponseCode": "110", "pp_ResponseMessage": "provide valid ppmpf_1"}, Refusal.INPUT),
            ({"pp_ResponseCode": "110", "pp_ResponseMessage": "provide valid value for pp_CNIC."}, Refusal.INPUT),
        ],
    )
    def test_a_fault_of_our_words_is_refused(self, changes: dict[str, str], refusal: Refusal) -> None:
        with pytest.raises(RequestRefused) as refused:
            self.read(self.signed(REPLY | changes))
        assert refused.value.refusal is refusal
        assert refused.value.code == changes["pp_ResponseCode"]

    @pytest.mark.parametrize("message", ["pp_TxnRefNo already exists", "Duplicate transaction", ""])
    def test_a_used_reference_is_no_refusal_since_the_first_sending_may_be_paid(self, message: str) -> None:
        assert self.outcome(pp_ResponseCode="110", pp_ResponseMessage=message).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("given_hash", ["0" * 64, "é", 7])
    def test_a_refusal_may_be_unsigned_but_not_wrongly_signed(self, given_hash: object) -> None:
        refused = REPLY | {"pp_ResponseCode": "101"}
        for nothing in ({}, {SECURE_HASH: ""}, {SECURE_HASH: None}):
            with pytest.raises(RequestRefused):
                self.read(refused | nothing)
        with pytest.raises(OutcomeUncertain):
            self.read(refused | {SECURE_HASH: given_hash})

    @pytest.mark.parametrize("message", ["pp_TxnRefNo already exists", "Duplicate transaction", ""])
    def test_an_unsigned_refusal_of_a_used_reference_is_uncertain(self, message: str) -> None:
        with pytest.raises(OutcomeUncertain):
            self.read(REPLY | {"pp_ResponseCode": "110", "pp_ResponseMessage": message, SECURE_HASH: ""})

    @pytest.mark.parametrize("given_hash", ["", "0" * 64, "é", None, 7, []])
    @pytest.mark.parametrize("code", ["000", "059", "199", "157"])
    def test_a_reply_under_a_bad_hash_is_uncertain_and_says_its_code(self, given_hash: object, code: str) -> None:
        with pytest.raises(OutcomeUncertain) as uncertain:
            self.read(REPLY | {"pp_ResponseCode": code, SECURE_HASH: given_hash})
        assert uncertain.value.code == "bad_signature"
        assert code in uncertain.value.message

    @pytest.mark.parametrize("changes", [{"pp_TxnRefNo": "T1"}, {"pp_MerchantID": "MC2"}])
    def test_a_reply_about_somebody_else_is_uncertain(self, changes: dict[str, str]) -> None:
        with pytest.raises(OutcomeUncertain) as uncertain:
            self.read(self.signed(REPLY | changes))
        assert uncertain.value.code == "foreign_answer"


class TestInquiry:
    @pytest.fixture(autouse=True)
    def _account(self, signed: Signed, ref_in: RefIn, config: JazzCashConfig) -> None:
        self.signed, self.config = signed, config
        self.ref, self.overdue = ref_in("mwallet-2.0"), ref_in("mwallet-2.0", overdue=True)

    def read(self, fields: Mapping[str, Any], *, ref: PaymentRef | None = None) -> Outcome:
        return answers.inquiry_outcome(fields, ref or self.ref, self.config)

    def verdict(self, **changes: str) -> Verdict:
        return self.read(self.signed(INQUIRY | changes)).verdict

    def test_paid_is_the_payments_code_and_not_the_inquirys(self) -> None:
        outcome = self.read(self.signed(INQUIRY))
        assert (outcome.verdict, outcome.money, outcome.receipt) == (Verdict.PAID, None, "260901718258")
        assert self.verdict(pp_PaymentResponseCode="000") is Verdict.PAID
        assert self.verdict(pp_PaymentResponseCode="157", pp_Status="Pending") is Verdict.PENDING

    @pytest.mark.parametrize(
        ("code", "status", "wanted"),
        [
            ("121", "", Verdict.PAID),
            ("121", "Pending", Verdict.UNKNOWN),
            ("121", "Failed", Verdict.UNKNOWN),
            ("121", "Settled", Verdict.UNKNOWN),
            ("", "", Verdict.UNKNOWN),
            ("", "Completed", Verdict.UNKNOWN),
            ("", "Pending", Verdict.PENDING),
            ("059", "", Verdict.DECLINED),
            ("059", "Failed", Verdict.DECLINED),
            ("059", "Completed", Verdict.UNKNOWN),
            ("059", "Pending", Verdict.UNKNOWN),
            ("112", "Failed", Verdict.CANCELLED),
            ("129", "Dropped", Verdict.EXPIRED),
            ("134", "Dropped", Verdict.EXPIRED),
            ("199", "", Verdict.UNKNOWN),
            ("199", "Failed", Verdict.DECLINED),
            ("199", "Dropped", Verdict.EXPIRED),
            ("110", "Validation Failed", Verdict.DECLINED),
            ("110", "", Verdict.UNKNOWN),
            ("999", "Pending", Verdict.PENDING),
            ("999", "Completed", Verdict.UNKNOWN),
            ("131", "Completed", Verdict.REVERSED),
            ("122", "", Verdict.REVERSED),
            ("131", "Pending", Verdict.UNKNOWN),
            ("119", "", Verdict.UNKNOWN),
            ("157", "", Verdict.PENDING),
            ("157", "Completed", Verdict.UNKNOWN),
        ],
    )
    def test_code_and_status_must_agree(self, code: str, status: str, wanted: Verdict) -> None:
        assert self.verdict(pp_PaymentResponseCode=code, pp_Status=status) is wanted

    def test_000_without_a_code_of_the_payment_is_not_known(self) -> None:
        fields = without(INQUIRY, "pp_PaymentResponseCode", "pp_Status")
        assert self.read(self.signed(fields)).verdict is Verdict.UNKNOWN

    def test_the_payments_own_message_is_told(self) -> None:
        changes = {"pp_PaymentResponseCode": "059", "pp_PaymentResponseMessage": "Too little.", "pp_Status": "Failed"}
        outcome = self.read(self.signed(INQUIRY | changes))
        assert (outcome.failure_code, outcome.failure_message) == ("059", "Too little.")

    def test_amounts_are_told_where_the_host_has_them(self) -> None:
        assert self.read(self.signed(INQUIRY | {"pp_Amount": "25050"})).money == Money.of(25050, "pkr")
        assert self.verdict(pp_Amount="250.50") is Verdict.UNKNOWN

    @pytest.mark.parametrize("code", ["199", "101", "115", "999", ""])
    def test_an_inquiry_that_failed_may_be_unsigned_and_says_nothing_of_the_payment(self, code: str) -> None:
        outcome = self.read(INQUIRY | {"pp_ResponseCode": code, SECURE_HASH: ""})
        assert outcome.verdict is Verdict.UNKNOWN
        assert outcome.failure_code == (code or None)
        assert self.verdict(pp_ResponseCode=code) is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        "changes",
        [
            {SECURE_HASH: ""},
            {SECURE_HASH: "0" * 64},
            {SECURE_HASH: "0" * 64, "pp_ResponseCode": "199"},
            {SECURE_HASH: "0" * 64, "pp_ResponseCode": "109"},
            {},
        ],
    )
    def test_an_answer_under_a_bad_hash_is_asked_for_again(self, changes: dict[str, str]) -> None:
        with pytest.raises(ProviderUnavailable) as unavailable:
            self.read(INQUIRY | changes)
        assert unavailable.value.code == "bad_signature"

    @pytest.mark.parametrize(
        "changes", [{"pp_ResponseCode": "109"}, {"pp_PaymentResponseCode": "109", "pp_Status": ""}]
    )
    def test_no_such_transaction_is_pending_until_the_payment_is_overdue(self, changes: dict[str, str]) -> None:
        fields = self.signed(INQUIRY | changes)
        assert self.read(fields) == Outcome(verdict=Verdict.PENDING)
        late = self.read(fields, ref=self.overdue)
        assert (late.verdict, late.failure_code) == (Verdict.EXPIRED, "109")

    @pytest.mark.parametrize("changes", [{"pp_TxnRefNo": "T1"}, {"pp_MerchantID": "MC2"}])
    def test_an_answer_about_somebody_else_is_not_known(self, changes: dict[str, str]) -> None:
        outcome = self.read(self.signed(INQUIRY | changes))
        assert (outcome.verdict, outcome.failure_code) == (Verdict.UNKNOWN, "foreign_answer")
        assert not outcome.references


class TestGuideInquiry:
    @pytest.fixture(autouse=True)
    def _account(self, ref_in: RefIn, config: JazzCashConfig) -> None:
        self.ref, self.overdue, self.config = ref_in("guide"), ref_in("guide", overdue=True), config

    def read(self, **changes: Any) -> Outcome:
        said = {"pp_txn_id": REFERENCE, "pp_response_code": "000", "pp_amount": "125050", "pp_response_message": "Ok."}
        return guide.inquiry_outcome(said | changes, self.ref, self.config, asked=REFERENCE)

    def test_paid_counts_with_an_amount(self) -> None:
        outcome = self.read()
        assert (outcome.verdict, outcome.money) == (Verdict.PAID, ASKED)
        assert outcome.references == {Reference.JAZZ_CASH: REFERENCE}

    @pytest.mark.parametrize("amount", [None, "", 125050, "1250.50", ["125050"]])
    def test_paid_without_an_amount_is_not_known(self, amount: object) -> None:
        assert self.read(pp_amount=amount).verdict is Verdict.UNKNOWN

    def test_the_amount_of_a_tampered_form_comes_to_light(self) -> None:
        outcome = self.read(pp_amount="25050")
        assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(25050, "pkr"))
        assert outcome.money != self.ref.money

    @pytest.mark.parametrize("named", ["T1", 7, ["T1"]])
    def test_an_answer_about_another_payment_is_not_known(self, named: object) -> None:
        outcome = self.read(pp_txn_id=named)
        assert (outcome.verdict, outcome.failure_code) == (Verdict.UNKNOWN, "foreign_answer")

    @pytest.mark.parametrize("named", [None, ""])
    def test_paid_without_naming_the_payment_is_not_known(self, named: object) -> None:
        assert self.read(pp_txn_id=named).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        ("code", "wanted"),
        [
            ("157", Verdict.PENDING),
            ("059", Verdict.DECLINED),
            ("112", Verdict.CANCELLED),
            ("129", Verdict.EXPIRED),
            ("131", Verdict.REVERSED),
            ("199", Verdict.UNKNOWN),
            (None, Verdict.UNKNOWN),
            (0, Verdict.UNKNOWN),
        ],
    )
    def test_other_codes_mean_what_they_mean_to_the_real_gateway(self, code: object, wanted: Verdict) -> None:
        assert self.read(pp_response_code=code).verdict is wanted

    def test_no_such_transaction_is_pending_until_the_payment_is_overdue(self) -> None:
        said = {"pp_response_code": "109"}
        assert guide.inquiry_outcome(said, self.ref, self.config, asked=REFERENCE).verdict is Verdict.PENDING
        assert guide.inquiry_outcome(said, self.overdue, self.config, asked=REFERENCE).verdict is Verdict.EXPIRED

    def told(self, ref: PaymentRef, answers: dict[str, dict[str, str]]) -> tuple[Outcome, list[str]]:
        """Ask a gateway that knows these names; return what came of it, and what was asked for."""
        asked: list[str] = []

        def ask(fields: dict[str, str]) -> dict[str, str]:
            asked.append(fields["pp_txn_id"])
            return answers.get(asked[-1], {"pp_txn_id": asked[-1], "pp_response_code": "109"})

        return guide.inquired(ref, self.config, ask), asked

    def test_it_is_asked_by_each_name_the_gateway_may_have_until_it_knows_one(self) -> None:
        ref = replace(self.ref, references={}, named="GW-1")
        code = guide.auth_code(REFERENCE, ref.created_at)
        said = {"pp_txn_id": code, "pp_response_code": "000", "pp_amount": "125050"}
        outcome, asked = self.told(ref, {code: said})
        assert (outcome.verdict, outcome.references) == (Verdict.PAID, {Reference.JAZZ_CASH: code})
        assert asked == ["GW-1", REFERENCE, code]
        known = replace(ref, references={Reference.JAZZ_CASH: code})
        assert self.told(known, {code: said})[1] == [code]

    def test_nobody_knows_it_by_any_name(self) -> None:
        assert self.told(replace(self.ref, references={}), {})[0].verdict is Verdict.PENDING
        assert self.told(replace(self.overdue, references={}), {})[0].verdict is Verdict.EXPIRED

    def test_a_name_that_only_an_unsigned_notice_ties_to_us_asks_a_person(self) -> None:
        ref = replace(self.ref, references={}, named="GW-1")
        said = {"pp_txn_id": "GW-1", "pp_response_code": "000", "pp_amount": "125050"}
        outcome, _ = self.told(ref, {"GW-1": said})
        assert (outcome.verdict, outcome.references) == (Verdict.PAID, {})
        assert outcome.doubt is not None
        declined, _ = self.told(ref, {"GW-1": said | {"pp_response_code": "059"}})
        assert declined.verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("tie", ["pp_bill_reference", "pp_auth_code"])
    def test_a_name_of_ours_in_the_answer_ties_it_to_us(self, tie: str) -> None:
        ref = replace(self.ref, references={}, named="GW-1")
        ours = {"pp_bill_reference": REFERENCE, "pp_auth_code": guide.auth_code(REFERENCE, ref.created_at)}[tie]
        said = {"pp_txn_id": "GW-1", "pp_response_code": "000", "pp_amount": "125050", tie: ours}
        outcome, _ = self.told(ref, {"GW-1": said})
        assert (outcome.verdict, outcome.doubt) == (Verdict.PAID, None)
        assert outcome.references == {Reference.JAZZ_CASH: "GW-1"}

    def test_an_answer_that_bills_another_payment_tells_nothing(self) -> None:
        ref = replace(self.ref, references={}, named="GW-1")
        said = {"pp_txn_id": "GW-1", "pp_response_code": "000", "pp_amount": "125050", "pp_bill_reference": "P2"}
        outcome, _ = self.told(ref, {"GW-1": said})
        assert (outcome.verdict, outcome.failure_code, outcome.references) == (Verdict.UNKNOWN, "foreign_answer", {})


class TestRefund:
    @pytest.fixture(autouse=True)
    def _account(self, signed: Signed, call_of: CallOf, ref_in: RefIn, config: JazzCashConfig) -> None:
        self.signed, self.config = signed, config
        words = {"pp_TxnRefNo": REFERENCE, "pp_Amount": "5000", "pp_TxnCurrency": "PKR", "pp_MerchantID": "MC00001"}
        self.call, self.ref = call_of("mwallet-2.0", parameters=words), ref_in("mwallet-2.0")

    def read(self, **changes: str) -> tuple[RefundVerdict, str | None]:
        said = {"pp_ResponseCode": "131", "pp_ResponseMessage": "Refunded.", "pp_RefundAmount": "5000"}
        outcome = answers.refund_outcome(self.signed(said | changes), self.call, self.config)
        return outcome.verdict, outcome.failure_code

    def standing(self, *, money: int, **changes: str) -> RefundVerdict:
        request = RefundRequest(refund_id="ref_1", payment=self.ref, money=Money.of(money, "pkr"))
        said = self.signed(INQUIRY | {"pp_PaymentResponseCode": "131"} | changes)
        return answers.refund_standing(said, request, self.config).verdict

    @pytest.mark.parametrize("code", ["000", "131"])
    @pytest.mark.parametrize("amount", ["5000", "", "0005000"])
    def test_our_amount_given_back_has_succeeded(self, code: str, amount: str) -> None:
        assert self.read(pp_ResponseCode=code, pp_RefundAmount=amount) == (RefundVerdict.SUCCEEDED, None)

    @pytest.mark.parametrize("amount", ["500", "50.00", "-5000"])
    def test_another_amount_given_back_is_a_question(self, amount: str) -> None:
        assert self.read(pp_RefundAmount=amount)[0] is RefundVerdict.UNKNOWN

    @pytest.mark.parametrize("code", ["132", "451", "452", "454", "455"])
    def test_a_listed_refusal_has_failed(self, code: str) -> None:
        assert self.read(pp_ResponseCode=code) == (RefundVerdict.FAILED, code)

    def test_a_refusal_may_be_unsigned_but_nothing_else(self) -> None:
        for code, wanted in (("455", RefundVerdict.FAILED), ("110", RefundVerdict.UNKNOWN)):
            said = {"pp_ResponseCode": code, SECURE_HASH: ""}
            assert answers.refund_outcome(said, self.call, self.config).verdict is wanted
            with pytest.raises(OutcomeUncertain):
                answers.refund_outcome(said | {SECURE_HASH: "0" * 64}, self.call, self.config)

    @pytest.mark.parametrize("code", ["101", "110", "119", "121", "157", "199", "999", ""])
    def test_everything_else_is_not_known(self, code: str) -> None:
        assert self.read(pp_ResponseCode=code) == (RefundVerdict.UNKNOWN, code or None)

    def test_a_reply_under_a_bad_hash_or_about_another_payment_is_uncertain(self) -> None:
        with pytest.raises(OutcomeUncertain):
            answers.refund_outcome({"pp_ResponseCode": "131", SECURE_HASH: ""}, self.call, self.config)
        with pytest.raises(OutcomeUncertain):
            self.read(pp_TxnRefNo="T1")

    def test_a_reversal_seen_later_is_this_refund_only_if_it_is_the_only_one_and_whole(self) -> None:
        assert self.standing(money=125050) is RefundVerdict.SUCCEEDED
        assert self.standing(money=5000) is RefundVerdict.UNKNOWN

    @pytest.mark.parametrize("code", ["121", "000", "132", "199", ""])
    def test_a_payment_that_is_not_reversed_proves_nothing(self, code: str) -> None:
        assert self.standing(money=125050, pp_PaymentResponseCode=code) is RefundVerdict.UNKNOWN

    def test_a_reversal_that_is_awaited_is_pending(self) -> None:
        assert self.standing(money=5000, pp_PaymentResponseCode="119") is RefundVerdict.PENDING

    def test_an_inquiry_that_did_not_work_or_names_another_payment_proves_nothing(self) -> None:
        assert self.standing(money=125050, pp_ResponseCode="199") is RefundVerdict.UNKNOWN
        assert self.standing(money=125050, pp_TxnRefNo="T1") is RefundVerdict.UNKNOWN


names = st.sampled_from(
    [*REPLY, *INQUIRY, SECURE_HASH, "pp_RefundAmount", "pp_txn_id", "pp_response_code", "pp_amount", "other"]
)
leaves = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["000", "121", "131", REFERENCE, "1"])
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3))


@given(st.dictionaries(names, anything))
def test_whatever_is_answered_unsigned_pays_nothing_and_raises_only_our_errors(
    config: JazzCashConfig, call_of: CallOf, ref_in: RefIn, said: dict[str, Any]
) -> None:
    with pytest.raises((OutcomeUncertain, RequestRefused)):
        answers.start_result(said, call_of("mwallet-2.0"), config)
    ref = ref_in("mwallet-2.0")
    with suppress(ProviderUnavailable):
        assert answers.inquiry_outcome(said, ref, config).verdict in (Verdict.UNKNOWN, Verdict.PENDING)
    outcome = guide.inquiry_outcome(said, replace(ref, dialect="guide"), config, asked=REFERENCE)
    assert outcome.verdict is not Verdict.PAID or outcome.money is not None
