"""The words of the guide's own dialect, byte for byte the guide's. The real gateway knows none of them.

The answer's `transactionId` is the gateway's own id, which the guide stores as `easy_paisa_reference` and finds notices
by. A gateway may as well repeat ours.
"""

from dataclasses import replace
from typing import Any

from payproc.domain.ids import is_reference
from payproc.domain.phrases import shortened
from payproc.domain.references import Reference
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
    "cancelled": Verdict.CANCELLED,
    "canceled": Verdict.CANCELLED,
}
_ENDED_UNPAID = frozenset({Verdict.DECLINED, Verdict.CANCELLED})
# It speaks of an id that nothing but an unsigned notice ties to our payment.
_UNTIED = "untied_answer"


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


def names(ref: PaymentRef) -> list[str]:
    """Return what the gateway may call a payment: the id it gave, or ours, or what an unsigned notice says."""
    known = ref.references.get(Reference.EASY_PAISA)
    return [known] if known else list(dict.fromkeys([ref.reference, ref.named or ref.reference]))


def inquiry_body(name: str, *, store_id: str) -> dict[str, str]:
    """Words of POST /api/Payment/GetTransactionStatus."""
    return {"storeId": store_id, "transactionId": name}


def start_result(reply: Json, parameters: Json) -> StartResult:
    """Read what InitiatePayment was answered with.

    Raises RequestRefused.
    """
    unaccepted = codes.unaccepted_start(_code(reply), reply, ours=_own_words(reply, parameters))
    if unaccepted is not None:
        return unaccepted
    references = values.references(reply)
    if not references:
        return codes.doubtful_start(Outcome(verdict=Verdict.UNKNOWN))
    return StartResult(next_action=AwaitCustomer(), references=references)


def _own_words(reply: Json, parameters: Json) -> Json:
    """Return what a reply to a start must not name differently: its id is the gateway's, unless it is one of ours."""
    ours = {"storeId": parameters["storeId"]}
    return ours | ({"transactionId": parameters["transactionId"]} if is_reference(reply.get("transactionId")) else {})


def inquiry_outcome(reply: Json, ref: PaymentRef, *, ours: Json) -> Outcome:
    """Read how a payment stands; `ours` is what we asked with.

    Raises RequestRefused.
    """
    # While the answer to the start, which has the gateway's id, was never seen, "no such" by ours proves nothing.
    known = Reference.EASY_PAISA in ref.references
    ref = ref if known else replace(ref, overdue=False)
    ended = codes.unanswered_inquiry(_code(reply), reply, ref, ours=ours)
    if ended is not None:
        return ended
    outcome = _status_outcome(reply)
    tied = known or ref.reference in (ours["transactionId"], reply.get("transactionRefId"))
    return outcome if tied else _untied(outcome, name=ours["transactionId"])


def _untied(outcome: Outcome, *, name: str) -> Outcome:
    if outcome.verdict is not Verdict.PAID:
        return Outcome(verdict=Verdict.UNKNOWN, failure_code=_UNTIED)
    doubt = f"the gateway says that its {name} is paid, and only an unsigned notice that it is this payment"
    return replace(outcome, references={}, doubt=doubt)


def _status_outcome(reply: Json) -> Outcome:
    status = values.text(reply.get("transactionStatus"))
    money = values.paisa(reply.get("amount"))
    verdict = _VERDICTS.get(status or "", Verdict.UNKNOWN).backed_by(money)
    return Outcome(
        verdict=verdict,
        references=values.references(reply),
        money=money,
        receipt=values.identifier(reply.get("transactionId")),
        failure_code=status if verdict in _ENDED_UNPAID else None,
    )


def _code(reply: Json) -> str | None:
    # The guide itself reads no code, so an answer without one is no refusal.
    return codes.code_of(reply) if "responseCode" in reply else codes.ACCEPTED
