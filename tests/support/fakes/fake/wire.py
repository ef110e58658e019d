"""The fake gateway's words and ours, both ways. Pure."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from payproc.domain.money import Money
from payproc.domain.settlement import RefundOutcome, RefundVerdict
from payproc.errors import BadSignature, InvalidRequest, NoticeMalformed, Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.notices import Notice, Proven, RawNotice, VerifiedNotice
from payproc.providers.requests import PaymentRef, RefundRequest, StartRequest

Json = Mapping[str, Any]

DIALECT = "plain"
SIGNATURE = "fake-signature"

_VERDICTS = {
    "paid": Verdict.PAID,
    "pending": Verdict.PENDING,
    "declined": Verdict.DECLINED,
    "reversed": Verdict.REVERSED,
}
_REFUNDS = {"refunded": RefundVerdict.SUCCEEDED, "too_much": RefundVerdict.FAILED}
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,64}")
_KEPT = ("id", "reference", "status", "amount", "currency")


def signed(body: bytes, key: str) -> str:
    """Sign exactly these bytes."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def charge_parameters(request: StartRequest) -> dict[str, Any]:
    """Words of a charge, without the phone."""
    money = request.money
    return {"reference": request.reference, "amount": money.amount_minor, "currency": money.currency.code}


def refund_parameters(request: RefundRequest) -> dict[str, Any]:
    """Words of a refund, which has an id of its own."""
    return {
        "id": request.refund_id,
        "reference": request.payment.reference,
        "amount": request.money.amount_minor,
    }


def start_result(answer: Json, *, reference: str) -> StartResult:
    """Read what a charge was answered with."""
    outcome = _outcome(answer, reference=reference)
    waits = outcome.verdict in (Verdict.PENDING, Verdict.UNKNOWN)
    return StartResult(next_action=AwaitCustomer() if waits else None, references={}, outcome=outcome)


def inquiry_outcome(answer: Json, ref: PaymentRef) -> Outcome:
    """Read how a payment stands."""
    if answer.get("error") == "no_such_reference":
        return Outcome(verdict=Verdict.EXPIRED if ref.overdue else Verdict.PENDING)
    return _outcome(answer, reference=ref.reference)


def refund_outcome(answer: Json, *, refund_id: str) -> RefundOutcome:
    """Read how a refund stands. A word that is not listed, and another refund's, is unknown."""
    word = _word(answer)
    ours = answer.get("id") == refund_id
    verdict = _REFUNDS.get(word or "", RefundVerdict.UNKNOWN) if ours else RefundVerdict.UNKNOWN
    return RefundOutcome(verdict=verdict, failure_code=None if verdict is RefundVerdict.SUCCEEDED else word)


def verified(raw: RawNotice, key: str) -> VerifiedNotice:
    """Verify a notice.

    Raises BadSignature or NoticeMalformed.
    """
    given = raw.headers.get(SIGNATURE, "")
    if not given.isascii() or not hmac.compare_digest(given, signed(raw.body, key)):
        raise BadSignature("The signature is missing or does not fit.")
    return believed(raw)


def believed(raw: RawNotice) -> VerifiedNotice:
    """Take a delivery for the gateway's own."""
    redacted = kept(raw.body)
    notice = parse_stored(redacted)
    return VerifiedNotice(
        notice=Proven(key=notice.key, kind=notice.kind, answer={"heard": notice.key}), redacted=redacted
    )


def kept(body: bytes) -> bytes:
    """Return what may be kept of a notice: nothing about the payer."""
    found = _object(body)
    return json.dumps({name: found[name] for name in _KEPT if name in found}).encode()


def parse_stored(body: bytes) -> Notice:
    """Read what was kept.

    Raises NoticeMalformed.
    """
    found = _object(body)
    key, reference = _plain(found.get("id")), _plain(found.get("reference"))
    if key is None or reference is None:
        raise NoticeMalformed("The body is no notice.")
    return Notice(
        key=key,
        kind="fake.notice",
        references={},
        reference=reference,
        outcome=_outcome(found, reference=reference),
        dialects=frozenset({DIALECT}),
    )


def _outcome(answer: Json, *, reference: str) -> Outcome:
    if answer.get("error") == "unauthorized":
        raise RequestRefused("the key is not known there", refusal=Refusal.CONFIGURATION, code="unauthorized")
    word = _word(answer)
    verdict = _VERDICTS.get(word or "", Verdict.UNKNOWN)
    money = _money(answer)
    if answer.get("reference") != reference or (verdict is Verdict.PAID and money is None):
        return Outcome(verdict=Verdict.UNKNOWN)
    return Outcome(
        verdict=verdict,
        money=money,
        failure_code=word if verdict in (Verdict.DECLINED, Verdict.UNKNOWN) else None,
    )


def _word(answer: Json) -> str | None:
    return _plain(answer.get("status") or answer.get("error"))


def _plain(value: object) -> str | None:
    # JSON also knows NUL and half a surrogate pair, which no database holds.
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def _money(answer: Json) -> Money | None:
    amount, currency = answer.get("amount"), answer.get("currency")
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(currency, str):
        return None
    try:
        return Money.of(amount, currency)
    except InvalidRequest:
        return None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NoticeMalformed("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise NoticeMalformed("The body is not a JSON object.")
    return found
