"""The words of rest v4 and v5, both ways. Pure functions; v5 puts the same words into a signed envelope."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never

from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import codes, values
from payproc.providers.easy_paisa.settings import PaymentType
from payproc.providers.easy_paisa.values import Json
from payproc.providers.requests import PaymentRef, StartRequest

_PHONE_NAMES = {PaymentType.MOBILE_ACCOUNT: "mobileAccountNo", PaymentType.OVER_THE_COUNTER: "msisdn"}
# How long a token can be paid at a shop, from the payment's creation.
TOKEN_LIFE = timedelta(days=1)

# `settlementStatus` is not here and is never read: it says when the gateway pays us, and can be FAILED beside PAID.
_VERDICTS = {
    "PAID": Verdict.PAID,
    "PAID_AND_SETTLED": Verdict.PAID,
    "PENDING": Verdict.PENDING,
    "FAILED": Verdict.DECLINED,
    "BLOCKED": Verdict.DECLINED,
    "EXPIRED": Verdict.EXPIRED,
    "CANCELLED": Verdict.CANCELLED,
    "REVERSED": Verdict.REVERSED,
}


def start_parameters(
    request: StartRequest, *, store_id: str, payment_type: PaymentType, merchant_email: str
) -> dict[str, Any]:
    """Words of a charge; `initiate_body` adds the phone.

    An address must be there. Where the gateway would not take the customer's, it is the merchant's own.
    """
    parameters = {
        "orderId": request.reference,
        "storeId": store_id,
        "transactionAmount": values.rupees_text(request.money),
        "transactionType": payment_type.value,
        "emailAddress": values.email(request.customer.email) or merchant_email,
    }
    match payment_type:
        case PaymentType.MOBILE_ACCOUNT:
            return parameters
        case PaymentType.OVER_THE_COUNTER:
            return parameters | {"tokenExpiry": values.pakistan_second(request.created_at + TOKEN_LIFE)}
        case _:
            assert_never(payment_type)


def initiate_body(parameters: Json, *, phone: str) -> dict[str, Any]:
    """Words of POST initiate-ma-transaction or initiate-otc-transaction, which call the same phone differently."""
    return {**parameters, _PHONE_NAMES[payment_type_of(parameters)]: phone}


def payment_type_of(parameters: Json) -> PaymentType:
    """Return what a prepared charge is. What is configured now may be the other one."""
    return PaymentType(parameters["transactionType"])


def inquiry_body(ref: PaymentRef, *, store_id: str, account_number: str) -> dict[str, str]:
    """Words of POST inquire-transaction."""
    return {"orderId": ref.reference, "storeId": store_id, "accountNum": account_number}


def start_result(parameters: Json, reply: Json) -> StartResult:
    """Read what a charge was answered with.

    Raises RequestRefused.
    """
    ours = {name: parameters[name] for name in ("orderId", "storeId")}
    unaccepted = codes.unaccepted_start(codes.code_of(reply), reply, ours=ours)
    if unaccepted is not None:
        return unaccepted
    match payment_type_of(parameters):
        case PaymentType.MOBILE_ACCOUNT:
            # The gateway says 0000 after the customer typed the PIN, and some say also before. Only PAID is paid.
            accepted = Outcome(
                verdict=Verdict.UNKNOWN,
                references=values.references(reply),
                # The inquiry may leave it out, and it is what the customer's own statement shows.
                receipt=values.identifier(reply.get("transactionId")),
            )
            return codes.doubtful_start(accepted)
        case PaymentType.OVER_THE_COUNTER:
            return _token_to_pay(reply)
        case _ as never:
            assert_never(never)


def inquiry_outcome(reply: Json, ref: PaymentRef, *, ours: Json) -> Outcome:
    """Read how a payment stands; `ours` is what we asked with.

    `responseCode` 0000 says only that the inquiry worked: it also comes with FAILED.
    Raises RequestRefused.
    """
    return codes.unanswered_inquiry(codes.code_of(reply), reply, ref, ours=ours) or _status_outcome(reply)


def _token_to_pay(reply: Json) -> StartResult:
    token = values.identifier(reply.get("paymentToken"))
    if token is None:
        return codes.doubtful_start(Outcome(verdict=Verdict.UNKNOWN, references=values.references(reply)))
    return StartResult(
        next_action=AwaitCustomer(token=token),
        references=values.references(reply),
        expires_at=values.pakistan_minute(reply.get("paymentTokenExpiryDateTime")),
        outcome=Outcome(verdict=Verdict.PENDING, references=values.references(reply)),
    )


def _status_outcome(reply: Json) -> Outcome:
    status = values.text(reply.get("transactionStatus"))
    money = values.rupees(reply.get("transactionAmount"))
    verdict = _VERDICTS.get(status or "", Verdict.UNKNOWN).backed_by(money)
    outcome = Outcome(
        verdict=verdict,
        references=values.references(reply),
        money=money,
        receipt=values.identifier(reply.get("transactionId")),
    )
    if verdict is not Verdict.DECLINED:
        return outcome
    # `responseDesc` is no reason: it says that the inquiry was a success.
    return replace(
        outcome,
        failure_code=values.identifier(reply.get("errorCode")) or status,
        failure_message=values.message(reply.get("errorReason")),
    )
