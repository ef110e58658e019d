"""The form of JazzCash's hosted page, as its guide's samples make it: the limit and the plain service hand it out."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta


def signed_form(payment_id: str, amount_minor: int, description: str, *, salt: str) -> dict[str, str]:
    now = datetime.now(UTC) + timedelta(hours=5)
    fields = {
        "pp_Version": "1.1",
        "pp_TxnType": "MWALLET",
        "pp_Language": "EN",
        "pp_MerchantID": "MC12345",
        "pp_Password": "0123456789",
        "pp_TxnRefNo": f"T{payment_id[-19:]}",
        "pp_Amount": str(amount_minor),
        "pp_TxnCurrency": "PKR",
        "pp_TxnDateTime": f"{now:%Y%m%d%H%M%S}",
        "pp_TxnExpiryDateTime": f"{now + timedelta(days=1):%Y%m%d%H%M%S}",
        "pp_BillReference": payment_id,
        "pp_Description": description,
        "pp_ReturnURL": "https://shop.example.com/return",
    }
    text = "&".join([salt, *(fields[name] for name in sorted(fields) if fields[name])])
    return fields | {"pp_SecureHash": hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest().upper()}
