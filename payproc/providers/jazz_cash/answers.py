"""The gateway's answers in our words. Pure.

What moves money is believed only under a hash that fits. The wire itself is TLS; the hash proves besides that the
answer comes from who holds our salt, and not from a proxy in between. A refusal may come without one: the gateway
does not sign what it does not execute, and where our merchant id is wrong it could not.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import RefundOutcome, RefundVerdict
from payproc.errors import OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.jazz_cash import codes, values, wire
from payproc.providers.jazz_cash.codes import Meaning
from payproc.providers.jazz_cash.settings import JazzCashConfig
from payproc.providers.jazz_cash.signature import SECURE_HASH, verified
from payproc.providers.requests import PaymentRef, RefundRequest, StoredCall

Json = Mapping[str, Any]

FOREIGN = "foreign_answer"
_BAD_HASH = "bad_signature"
_INQUIRY_WORKED = "000"

# What a refusal may name, and the fields among them that this one payment brought.
_FIELD_NAME = re.compile(r"pp_[A-Za-z]+|ppmpf_[1-5]")
_OF_THE_PAYMENT = frozenset(
    {"pp_MobileNumber", "ppmpf_1", "pp_CNIC", "pp_Amount", "pp_Description", "pp_BillReference"}
)

# Which meanings of the payment's code a status allows beside it; anything else is a contradiction.
_ALLOWED = {
    "Completed": frozenset({Meaning.PAID, Meaning.REVERSED}),
    "Pending": frozenset({Meaning.PENDING}),
    "Dropped": frozenset({Meaning.DECLINED, Meaning.CANCELLED, Meaning.EXPIRED}),
    "Failed": frozenset({Meaning.DECLINED, Meaning.CANCELLED, Meaning.EXPIRED, Meaning.REVERSED}),
    "Validation Failed": frozenset({Meaning.DECLINED, Meaning.CANCELLED, Meaning.EXPIRED}),
}
# What a status means beside a code that says nothing. "Completed" is missing: paid is said by a code or not at all.
_BY_STATUS = {
    "Pending": Meaning.PENDING,
    "Dropped": Meaning.EXPIRED,
    "Failed": Meaning.DECLINED,
    "Validation Failed": Meaning.DECLINED,
}


def start_result(answer: Json, call: StoredCall, config: JazzCashConfig) -> StartResult:
    """Read the answer to a wallet charge.

    Raises OutcomeUncertain where it is not the gateway's or not about this payment, RequestRefused where it is about
    our words and not about the money.
    """
    code = values.code_of(answer.get("pp_ResponseCode"))
    reference = str(call.parameters["pp_TxnRefNo"])
    message = values.message_of(answer.get("pp_ResponseMessage"))
    refusal = _refusal(code, message)
    if refusal is None or answer.get(SECURE_HASH):
        _believe(answer, "push", code=code, reference=reference, config=config)
    if refusal is not None:
        raise RequestRefused(f"push: refused with {code}: {message}", refusal=refusal, code=code)
    found = codes.meaning(code, paid=codes.PAID_AT_ONCE)
    return StartResult(
        next_action=AwaitCustomer() if found is Meaning.PENDING else None,
        references={Reference.JAZZ_CASH: reference},
        expires_at=values.moment_of(call.parameters["pp_TxnExpiryDateTime"]),
        outcome=outcome_of(answer, found, reference=reference, live_mode=config.live_mode),
    )


def _believe(answer: Json, operation: str, *, code: str | None, reference: str, config: JazzCashConfig) -> None:
    if not verified(answer, config.integrity_salt):
        raise OutcomeUncertain(_not_signed(operation, code), code=_BAD_HASH)
    if named := foreign_name(answer, reference=reference, merchant_id=config.merchant_id):
        raise OutcomeUncertain(f"{operation}: the answer names another {named}", code=FOREIGN)


def _not_signed(operation: str, code: str | None) -> str:
    # With a wrong salt of ours every answer ends here, and its code tells an operator more than "bad hash" does.
    return f"{operation}: answered {code or 'no code'} under no hash that fits"


def foreign_name(fields: Json, *, reference: str, merchant_id: str) -> str | None:
    """Return the name of the field that speaks of another payment or merchant than ours, if one does."""
    ours = {"pp_TxnRefNo": reference, "pp_MerchantID": merchant_id}
    return next((name for name, value in ours.items() if _filled(fields, name) not in (None, value)), None)


def _refusal(code: str | None, message: str | None) -> Refusal | None:
    if not _is_fault(code):
        return None
    if code != codes.BAD_FIELD:
        return Refusal.CONFIGURATION
    named = set(_FIELD_NAME.findall(message or ""))
    if not named or "pp_TxnRefNo" in named:
        # The reference was used: an earlier sending of this very charge has arrived, and may have been paid.
        return None
    return Refusal.INPUT if named & _OF_THE_PAYMENT else Refusal.CONFIGURATION


def _is_fault(code: str | None) -> bool:
    return codes.meaning(code, paid=codes.PAID_AT_ONCE) is Meaning.FAULT


def outcome_of(fields: Json, found: Meaning, *, reference: str, live_mode: bool, said: str = "pp_Response") -> Outcome:
    """Say what fields that were proven make of a payment; `said` begins the names of its code and message.

    An amount is held against ours by the core, so it only has to be readable here.
    """
    verdict = codes.verdict(found)
    amount, currency = _filled(fields, "pp_Amount"), _filled(fields, "pp_TxnCurrency") or values.CURRENCY
    money = values.money_of(amount, currency)
    unreadable = money is None and (amount is not None or currency != values.CURRENCY)
    if verdict is Verdict.PAID and unreadable:
        verdict = Verdict.UNKNOWN
    receipt = _filled(fields, "pp_RetreivalReferenceNo") or _filled(fields, "pp_RetrievalReferenceNo")
    outcome = Outcome(
        verdict=verdict,
        references={Reference.JAZZ_CASH: reference},
        money=money,
        live_mode=live_mode,
        receipt=values.receipt_of(receipt),
    )
    return explained(outcome, code=fields.get(f"{said}Code"), message=fields.get(f"{said}Message"))


def explained(outcome: Outcome, *, code: object, message: object) -> Outcome:
    """Add why a payment is not paid; nothing while it still may be, for a code there would count as a failed try."""
    if outcome.verdict in (Verdict.PAID, Verdict.PENDING, Verdict.REVERSED):
        return outcome
    return replace(outcome, failure_code=values.code_of(code), failure_message=values.message_of(message))


def inquiry_outcome(answer: Json, ref: PaymentRef, config: JazzCashConfig) -> Outcome:
    """Read the answer to an inquiry, which has two codes: whether the inquiry worked, and how the payment stands.

    Raises ProviderUnavailable for a hash that does not fit, so that it is asked again.
    """
    code = _inquiry_code(answer, config)
    if foreign_name(answer, reference=ref.reference, merchant_id=config.merchant_id):
        return Outcome(verdict=Verdict.UNKNOWN, failure_code=FOREIGN)
    if code == codes.NO_SUCH_TRANSACTION:
        return absent(ref)
    if code != _INQUIRY_WORKED:
        return explained(Outcome(verdict=Verdict.UNKNOWN), code=code, message=answer.get("pp_ResponseMessage"))
    found = _standing(answer)
    if found is Meaning.ABSENT:
        return absent(ref)
    return outcome_of(answer, found, reference=ref.reference, live_mode=config.live_mode, said="pp_PaymentResponse")


def _inquiry_code(answer: Json, config: JazzCashConfig) -> str | None:
    code = values.code_of(answer.get("pp_ResponseCode"))
    # An inquiry that did not work is answered with an empty hash. No money hangs on such an answer: at most an
    # overdue payment ends as expired, and a later success lifts it.
    unsigned = not answer.get(SECURE_HASH) and code != _INQUIRY_WORKED
    if not unsigned and not verified(answer, config.integrity_salt):
        raise ProviderUnavailable(_not_signed("inquiry", code), code=_BAD_HASH)
    return code


def _standing(answer: Json) -> Meaning:
    found = codes.meaning_when_asked(values.code_of(answer.get("pp_PaymentResponseCode")))
    status = _filled(answer, "pp_Status")
    if status is None or found in _ALLOWED.get(status, frozenset()):
        return found
    if found in (Meaning.UNKNOWN, Meaning.FAULT):
        return _BY_STATUS.get(status, Meaning.UNKNOWN)
    return Meaning.UNKNOWN


def absent(ref: PaymentRef) -> Outcome:
    """Say what it means that the gateway never heard of a payment: too early to tell, until it is overdue."""
    if not ref.overdue:
        return Outcome(verdict=Verdict.PENDING)
    return Outcome(
        verdict=Verdict.EXPIRED,
        failure_code=codes.NO_SUCH_TRANSACTION,
        failure_message="The gateway never heard of this payment.",
    )


def refund_outcome(answer: Json, call: StoredCall, config: JazzCashConfig) -> RefundOutcome:
    """Read the answer to a refund.

    Raises OutcomeUncertain where it is not the gateway's or not about this payment.
    """
    code = values.code_of(answer.get("pp_ResponseCode"))
    refused = code in codes.REFUND_REFUSED
    if answer.get(SECURE_HASH) or not (refused or _is_fault(code)):
        _believe(answer, "refund", code=code, reference=str(call.parameters["pp_TxnRefNo"]), config=config)
    why = values.message_of(answer.get("pp_ResponseMessage"))
    if refused:
        return RefundOutcome(verdict=RefundVerdict.FAILED, failure_code=code, failure_message=why)
    if code in codes.REFUNDED and _refunded(answer, asked=wire.asked(call)):
        return RefundOutcome(verdict=RefundVerdict.SUCCEEDED)
    return RefundOutcome(verdict=RefundVerdict.UNKNOWN, failure_code=code, failure_message=why)


def _refunded(answer: Json, *, asked: Money | None) -> bool:
    told = _filled(answer, "pp_RefundAmount")
    return told is None or values.money_of(told) == asked


def refund_standing(answer: Json, request: RefundRequest, config: JazzCashConfig) -> RefundOutcome:
    """Read a refund off the inquiry of its payment, as far as that can be done.

    Raises ProviderUnavailable for a hash that does not fit.
    """
    code = _inquiry_code(answer, config)
    payment = request.payment
    foreign = foreign_name(answer, reference=payment.reference, merchant_id=config.merchant_id)
    if code != _INQUIRY_WORKED or foreign:
        return RefundOutcome(verdict=RefundVerdict.UNKNOWN, failure_code=FOREIGN if foreign else code)
    payment_code = values.code_of(answer.get("pp_PaymentResponseCode"))
    if payment_code == codes.REVERSAL_AWAITED:
        return RefundOutcome(verdict=RefundVerdict.PENDING)
    # The gateway knows no refund by itself, only that something of the payment went back. That this refund did can
    # be concluded only where it is the whole payment; after or beside a part, the other one may be meant. A person
    # then compares with the portal: giving back twice is worse than waiting.
    whole = request.money == payment.money
    if whole and _standing(answer) is Meaning.REVERSED:
        return RefundOutcome(verdict=RefundVerdict.SUCCEEDED)
    return RefundOutcome(verdict=RefundVerdict.UNKNOWN, failure_code=payment_code)


def _filled(fields: Json, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value.strip() else None
