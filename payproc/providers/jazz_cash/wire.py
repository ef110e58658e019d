"""The gateway's own dialects. Pure; secrets, phone, CNIC and hash join a prepared call only as it is sent."""

from datetime import timedelta
from typing import Any

from payproc.domain.money import Money
from payproc.errors import Refusal, RequestRefused
from payproc.providers.jazz_cash import values
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.jazz_cash.signature import sign
from payproc.providers.requests import RefundRequest, StartRequest, StoredCall

# The gateway's 2026 guide: exactly one day after the transaction.
_OPEN_FOR = timedelta(days=1)
_PASS_THROUGH = ("ppmpf_1", "ppmpf_2", "ppmpf_3", "ppmpf_4", "ppmpf_5")
_WALLET = "MWALLET"


def hosted_fields(request: StartRequest, config: JazzCashConfig, dialect: Dialect) -> dict[str, str]:
    """Words of the hosted page's form. The password is among them: the gateway wants it through the browser."""
    fields = {
        "pp_Version": "1.1" if dialect is Dialect.HOSTED_1_1 else "2.0",
        "pp_TxnType": _WALLET,
        **_common(request, config),
        "pp_ReturnURL": config.return_url,
        "pp_Password": config.password,
        **dict.fromkeys(_PASS_THROUGH, ""),
    }
    if dialect is Dialect.HOSTED_2_0:
        fields |= {
            "pp_IsRegisteredCustomer": "No",
            "pp_TokenizedCardNumber": "",
            "pp_CustomerID": "",
            "pp_CustomerEmail": "",
            "pp_CustomerMobile": "",
        }
    return sign(fields, config.integrity_salt)


def push_parameters(request: StartRequest, config: JazzCashConfig, dialect: Dialect) -> dict[str, Any]:
    """Words of a wallet charge as they may be stored."""
    fields = _common(request, config)
    if dialect is Dialect.MWALLET_2_0:
        return fields | dict.fromkeys(_PASS_THROUGH, "")
    fields |= {
        "pp_Version": "1.1",
        "pp_TxnType": _WALLET,
        "pp_ReturnURL": config.return_url,
        **dict.fromkeys(_PASS_THROUGH[1:], ""),
    }
    # One live host refuses a charge without it; others do not know it, and the guide of 2.0 allows no extra field.
    return fields | ({"pp_SubMerchantName": config.sub_merchant_name} if config.sub_merchant_name else {})


def push_fields(call: StoredCall, config: JazzCashConfig, dialect: Dialect) -> dict[str, str]:
    """Words of a wallet charge as they are sent.

    Raises RequestRefused when we no longer know whom to charge.
    """
    phone = _still_known(call.payer.phone, "phone")
    payer = {"ppmpf_1": phone}
    if dialect is Dialect.MWALLET_2_0:
        payer = {"pp_MobileNumber": phone, "pp_CNIC": _still_known(call.payer.cnic, "cnic")}
    return sign({**call.parameters, **payer, "pp_Password": config.password}, config.integrity_salt)


def _still_known(value: str | None, name: str) -> str:
    if value is None:
        raise RequestRefused(f"The payer's {name} is no longer kept.", refusal=Refusal.INPUT, code=f"{name}_missing")
    return value


def _common(request: StartRequest, config: JazzCashConfig) -> dict[str, str]:
    return {
        "pp_Language": "EN",
        "pp_MerchantID": config.merchant_id,
        "pp_SubMerchantID": "",
        "pp_BankID": "",
        "pp_ProductID": "",
        "pp_TxnRefNo": request.reference,
        "pp_Amount": values.paisa(request.money),
        "pp_TxnCurrency": values.CURRENCY,
        # Of the payment, not of this moment: the same payment is always asked for in the same words.
        "pp_TxnDateTime": values.local_stamp(request.created_at),
        "pp_TxnExpiryDateTime": values.local_stamp(request.created_at + _OPEN_FOR),
        "pp_BillReference": request.reference,
        "pp_Description": values.description(request.description, reference=request.reference),
    }


def inquiry_fields(reference: str, config: JazzCashConfig) -> dict[str, str]:
    """Words of a status inquiry."""
    fields = {"pp_TxnRefNo": reference, "pp_MerchantID": config.merchant_id, "pp_Password": config.password}
    return sign(fields, config.integrity_salt)


def refund_parameters(request: RefundRequest, config: JazzCashConfig) -> dict[str, Any]:
    """Words of a refund as they may be stored."""
    return {
        "pp_TxnRefNo": request.payment.reference,
        "pp_Amount": values.paisa(request.money),
        "pp_TxnCurrency": values.CURRENCY,
        "pp_MerchantID": config.merchant_id,
    }


def refund_fields(call: StoredCall, config: JazzCashConfig) -> dict[str, str]:
    """Words of a refund as they are sent."""
    secrets = {"pp_Password": config.password, "pp_MerchantMPIN": config.merchant_mpin}
    return sign({**call.parameters, **secrets}, config.integrity_salt)


def asked(call: StoredCall) -> Money | None:
    """Return the amount that a stored call names."""
    return values.money_of(call.parameters.get("pp_Amount"))
