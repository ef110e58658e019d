"""What the answer about a payment that does not exist says of our credentials. Pure."""

from collections.abc import Mapping
from typing import Any

from payproc.providers.inspection import Finding, fine, missing, note
from payproc.providers.jazz_cash import codes, values
from payproc.providers.jazz_cash.settings import JazzCashConfig
from payproc.providers.jazz_cash.signature import SECURE_HASH, verified

Json = Mapping[str, Any]

_KNOWS_US = frozenset({"000", codes.NO_SUCH_TRANSACTION})
_BAD_HASH = "115"
_TRY_A_PAYMENT = "pay a test payment: its answer is signed"


def of_inquiry(answer: Json, config: JazzCashConfig) -> Finding:
    """Judge an answer of the gateway's own dialects."""
    code = values.code_of(answer.get("pp_ResponseCode"))
    if code == codes.CREDENTIALS:
        return missing(
            f"JazzCash refuses the credentials ({code})",
            to_do="compare JAZZ_CASH_MERCHANT_ID and JAZZ_CASH_PASSWORD with the portal, and with the environment",
        )
    if code == _BAD_HASH:
        return missing(
            f"JazzCash refuses our signature ({code})", to_do="compare JAZZ_CASH_INTEGRITY_SALT with the portal"
        )
    if answer.get(SECURE_HASH) and not verified(answer, config.integrity_salt):
        return missing(
            f"JazzCash answered {code or 'no code'} under a hash that our salt does not make",
            to_do="compare JAZZ_CASH_INTEGRITY_SALT with the portal",
        )
    if code not in _KNOWS_US:
        said = f"JazzCash answered {code or 'no code'}, which says nothing of our credentials"
        return note(said, to_do=_TRY_A_PAYMENT)
    if not answer.get(SECURE_HASH):
        return note(f"JazzCash knows us ({code}), and did not sign that", to_do=_TRY_A_PAYMENT)
    return fine(f"JazzCash knows us; register there {config.return_url} and {config.notify_url}")


def of_guide_inquiry(answer: Json, config: JazzCashConfig) -> Finding:
    """Judge an answer of the integration guide's dialect, which signs nothing."""
    code = values.code_of(answer.get("pp_response_code"))
    match codes.meaning_when_asked(code):
        case codes.Meaning.FAULT:
            return missing(
                f"the gateway refuses us ({code})",
                to_do="compare JAZZ_CASH_MERCHANT_ID and JAZZ_CASH_PASSWORD with what you were given",
            )
        case codes.Meaning.ABSENT:
            return fine(f"the gateway knows us; it is told {config.notify_url} with each payment")
        case _:
            return note(f"the gateway answered {code or 'no code'}, which says nothing of our credentials")
