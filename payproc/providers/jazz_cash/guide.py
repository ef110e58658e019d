"""The guide's words, byte for byte. Nothing it says is signed: paid is only what an inquiry says with our amount.

The guide never says what a notification's `pp_txn_id` is, nor what an inquiry is to name: our bill reference, our auth
code, or an id of the gateway's own. So each is read and asked for, and what the gateway turns out to call it is kept.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from payproc.domain.phrases import shortened
from payproc.domain.references import Reference
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.jazz_cash import codes, values
from payproc.providers.jazz_cash.answers import FOREIGN, Json, absent, explained
from payproc.providers.jazz_cash.codes import Meaning
from payproc.providers.jazz_cash.settings import JazzCashConfig
from payproc.providers.jazz_cash.signature import guide_form_digest, guide_inquiry_digest
from payproc.providers.requests import PaymentRef, StartRequest

_LANGUAGE = "en"
# The guide's code is AUTH_ and the second, which two customers may share. Ours goes on with our reference, as a number
# of base 36 in decimal digits: unique because that is, and to be read back without a column of its own.
_BASE = 36
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER_LENGTH = 32  # 36 ** 20 is less than 10 ** 32
_AUTH_CODE = re.compile(r"AUTH_[0-9]{14}([0-9]{32})")
_TIED_BY = ("pp_txn_id", "pp_bill_reference", "pp_auth_code")
# It says "paid" of an id that nothing but an unsigned notice ties to our payment.
_UNTIED = "untied_answer"

Ask = Callable[[dict[str, str]], Json]


def auth_code(reference: str, created_at: datetime) -> str:
    """Return the auth code of the payment with our reference, made then."""
    return f"AUTH_{values.utc_stamp(created_at)}{int(reference, _BASE):0{_NUMBER_LENGTH}d}"


def reference_of(code: object) -> str | None:
    """Return our reference as one of our auth codes has it; None for anything else."""
    found = _AUTH_CODE.fullmatch(code) if isinstance(code, str) else None
    number, letters = int(found[1]) if found else 0, ""
    while number:
        number, digit = divmod(number, _BASE)
        letters = _DIGITS[digit] + letters
    return values.reference_of(letters)


def form_fields(request: StartRequest, config: JazzCashConfig) -> dict[str, str]:
    """Words of the form, in the guide's order."""
    stamp = values.utc_stamp(request.created_at)
    code = auth_code(request.reference, request.created_at)
    amount = values.paisa(request.money)
    return {
        "pp_merchant_id": config.merchant_id,
        "pp_auth_code": code,
        "pp_amount": amount,
        "pp_bill_reference": request.reference,
        "pp_description": shortened(request.description, values.LONGEST_TEXT),
        "pp_return_url": config.return_url,
        "pp_notify_url": config.notify_url,
        "pp_sign": guide_form_digest(
            merchant_id=config.merchant_id, auth_code=code, amount=amount, password=config.password
        ),
        "pp_txn_datetime": stamp,
        "pp_language": _LANGUAGE,
    }


def inquired(ref: PaymentRef, config: JazzCashConfig, ask: Ask) -> Outcome:
    """Ask by each name that the gateway may have for a payment, until it knows one, and say how the payment stands."""
    outcomes = []
    for name in _names(ref):
        answer = ask(inquiry_fields(name, config))
        outcome = inquiry_outcome(answer, ref, config, asked=name)
        if outcome.verdict is not Verdict.UNKNOWN and outcome.doubt is None and not _is_absent(answer):
            return outcome
        outcomes.append(outcome)
    # Never heard of by one name and doubtful by another is doubtful.
    return next((each for each in outcomes if each.doubt), None) or next(
        (each for each in outcomes if each.verdict is Verdict.UNKNOWN), outcomes[0]
    )


def _names(ref: PaymentRef) -> list[str]:
    known = ref.references.get(Reference.JAZZ_CASH)
    if known:
        return [known]
    ours = [ref.reference, auth_code(ref.reference, ref.created_at)]
    return list(dict.fromkeys([ref.named, *ours] if ref.named else ours))


def inquiry_fields(name: str, config: JazzCashConfig) -> dict[str, str]:
    """Words of a status inquiry."""
    digest = guide_inquiry_digest(merchant_id=config.merchant_id, reference=name, password=config.password)
    return {
        "pp_merchant_id": config.merchant_id,
        "pp_txn_id": name,
        "pp_language": _LANGUAGE,
        "pp_sign": digest,
    }


def inquiry_outcome(answer: Json, ref: PaymentRef, config: JazzCashConfig, *, asked: str) -> Outcome:
    """Read the answer to an inquiry about what we `asked` for.

    Only TLS vouches for it, and the form's digest binds no field: so "paid" counts with an amount alone, which the
    core holds against what we asked for, and only of what is tied to our payment: by a name of ours that the answer
    repeats, or by an id that an earlier answer tied to it.
    """
    ours = (ref.reference, auth_code(ref.reference, ref.created_at))
    told, billed = answer.get("pp_txn_id"), answer.get("pp_bill_reference")
    tied = any(answer.get(name) in ours for name in _TIED_BY)
    if billed not in (None, "", *ours) or (told not in (None, "", asked) and not tied):
        return Outcome(verdict=Verdict.UNKNOWN, failure_code=FOREIGN)
    if _is_absent(answer):
        return absent(ref)
    verdict, money = codes.verdict(_meaning(answer)), values.money_of(answer.get("pp_amount"))
    if money is None or not (tied or told):
        verdict = verdict.backed_by(None)
    outcome = Outcome(verdict=verdict, money=money, live_mode=config.live_mode)
    if not tied and asked not in (*ours, ref.references.get(Reference.JAZZ_CASH)):
        return _untied(outcome, asked=asked)
    outcome = replace(outcome, references={Reference.JAZZ_CASH: values.name_of(told) or asked})
    return explained(outcome, code=answer.get("pp_response_code"), message=answer.get("pp_response_message"))


def _untied(outcome: Outcome, *, asked: str) -> Outcome:
    """Return what is left of an answer about an id that nothing but an unsigned notice says is our payment's."""
    if outcome.verdict is not Verdict.PAID:
        return Outcome(verdict=Verdict.UNKNOWN, failure_code=_UNTIED)
    doubt = f"the gateway says that its {asked} is paid, and only an unsigned notice that it is this payment"
    return replace(outcome, doubt=doubt)


def _is_absent(answer: Json) -> bool:
    return _meaning(answer) is Meaning.ABSENT


def _meaning(answer: Json) -> Meaning:
    return codes.meaning_when_asked(values.code_of(answer.get("pp_response_code")))
