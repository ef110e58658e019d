"""The words of the guide's own dialect, byte for byte the guide's. The real gateway knows none of them."""

from typing import Any

from payproc.domain.phrases import shortened
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import codes, values
from payproc.providers.easy_paisa.values import Json
from payproc.providers.requests import PaymentRef, StartRequest

_INITIATE_FIELDS = (
    *("storeId", "storeName", "amount", "mobileNumber", "transactionId", "transactionDetails"),
    *("customerName", "customerEmail", "notificationURL", "transactionRefId", "sessionId"),
)
# Nobody says how long it may be, and nobody is called longer.
_LONGEST_NAME = 64
_VERDICTS = {
    "success": Verdict.PAID,
    "pending": Verdict.PENDING,
    "failed": Verdict.DECLINED,
    "expired": Verdict.EXPIRED,
}


def start_parameters(request: StartRequest, *, store_id: str, notify_url: str) -> dict[str, Any]:
    """Words of InitiatePayment; `initiate_body` adds the phone. The amount is paisa, as nowhere else here."""
    return {
        "storeId": store_id,
        "storeName": "MyStore",
        "amount": request.money.amount_minor,
        "transactionId": request.reference,
        "transactionDetails": f"Payment for {request.reference}",
        "customerName": shortened(request.customer.name, _LONGEST_NAME),
        "customerEmail": "",
        "notificationURL": notify_url,
        "transactionRefId": "",
        "sessionId": "",
    }


def initiate_body(parameters: Json, *, phone: str) -> dict[str, Any]:
    """Words of POST /api/Payment/InitiatePayment, in the guide's order: what is stored comes back in another."""
    fields = {**parameters, "mobileNumber": phone}
    return {name: fields[name] for name in _INITIATE_FIELDS}


def inquiry_body(ref: PaymentRef, *, store_id: str) -> dict[str, str]:
    """Words of POST /api/Payment/GetTransactionStatus."""
    return {"storeId": store_id, "transactionId": ref.reference}


def start_result(reply: Json, parameters: Json) -> StartResult:
    """Read what InitiatePayment was answered with.

    Raises RequestRefused.
    """
    ours = {"transactionId": parameters["transactionId"]}
    unaccepted = codes.unaccepted_start(_code(reply), reply, ours=ours)
    if unaccepted is not None:
        return unaccepted
    references = values.references(reply)
    if not references:
        return codes.doubtful_start(Outcome(verdict=Verdict.UNKNOWN))
    return StartResult(next_action=AwaitCustomer(), references=references)


def inquiry_outcome(reply: Json, ref: PaymentRef, *, ours: Json) -> Outcome:
    """Read how a payment stands; `ours` is what we asked with.

    Raises RequestRefused.
    """
    return codes.unanswered_inquiry(_code(reply), reply, ref, ours=ours) or _status_outcome(reply)


def _status_outcome(reply: Json) -> Outcome:
    status = values.text(reply.get("transactionStatus"))
    money = values.paisa(reply.get("amount"))
    verdict = _VERDICTS.get(status or "", Verdict.UNKNOWN).backed_by(money)
    return Outcome(
        verdict=verdict,
        references=values.references(reply),
        money=money,
        receipt=values.identifier(reply.get("transactionId")),
        failure_code=status if verdict is Verdict.DECLINED else None,
    )


def _code(reply: Json) -> str | None:
    # The guide itself reads no code, so an answer without one is no refusal.
    return codes.code_of(reply) if "responseCode" in reply else codes.ACCEPTED
