"""The guide's words, byte for byte. Nothing it says is signed: paid is only what an inquiry says with our amount."""

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


def form_fields(request: StartRequest, config: JazzCashConfig) -> dict[str, str]:
    """Words of the form, in the guide's order."""
    stamp = values.utc_stamp(request.created_at)
    auth_code = f"AUTH_{stamp}"
    amount = values.paisa(request.money)
    return {
        "pp_merchant_id": config.merchant_id,
        "pp_auth_code": auth_code,
        "pp_amount": amount,
        "pp_bill_reference": request.reference,
        "pp_description": shortened(request.description, values.LONGEST_TEXT),
        "pp_return_url": config.return_url,
        "pp_notify_url": config.notify_url,
        "pp_sign": guide_form_digest(
            merchant_id=config.merchant_id, auth_code=auth_code, amount=amount, password=config.password
        ),
        "pp_txn_datetime": stamp,
        "pp_language": _LANGUAGE,
    }


def inquiry_fields(reference: str, config: JazzCashConfig) -> dict[str, str]:
    """Words of a status inquiry."""
    digest = guide_inquiry_digest(merchant_id=config.merchant_id, reference=reference, password=config.password)
    return {
        "pp_merchant_id": config.merchant_id,
        "pp_txn_id": reference,
        "pp_language": _LANGUAGE,
        "pp_sign": digest,
    }


def inquiry_outcome(answer: Json, ref: PaymentRef, config: JazzCashConfig) -> Outcome:
    """Read the answer to an inquiry.

    Only TLS vouches for it, and the form's digest binds no field: so "paid" counts with an amount alone, which the
    core holds against what we asked for.
    """
    named = answer.get("pp_txn_id")
    if named not in (None, "", ref.reference):
        return Outcome(verdict=Verdict.UNKNOWN, failure_code=FOREIGN)
    found = codes.meaning_when_asked(values.code_of(answer.get("pp_response_code")))
    if found is Meaning.ABSENT:
        return absent(ref)
    verdict = codes.verdict(found)
    money = values.money_of(answer.get("pp_amount"))
    if verdict is Verdict.PAID and (money is None or named != ref.reference):
        verdict = Verdict.UNKNOWN
    references = {Reference.JAZZ_CASH: ref.reference}
    outcome = Outcome(verdict=verdict, references=references, money=money, live_mode=config.live_mode)
    return explained(outcome, code=answer.get("pp_response_code"), message=answer.get("pp_response_message"))
