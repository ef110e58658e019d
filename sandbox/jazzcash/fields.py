"""Which fields each call of JazzCash takes, and what may stand in them."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from sandbox.jazzcash.codes import Code, Refused, bad_value
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.secure_hash import is_signed
from sandbox.wallets.service import KARACHI

Fields = Mapping[str, str]

_PASS_THROUGH = frozenset(f"ppmpf_{number}" for number in range(1, 6))
_COMMON = frozenset(
    {
        *(
            "pp_Amount",
            "pp_BankID",
            "pp_BillReference",
            "pp_Description",
            "pp_Language",
            "pp_MerchantID",
            "pp_Password",
        ),
        *("pp_ProductID", "pp_SecureHash", "pp_SubMerchantID", "pp_TxnCurrency", "pp_TxnDateTime"),
        *("pp_TxnExpiryDateTime", "pp_TxnRefNo"),
    }
)
PUSH_1_1 = _COMMON | _PASS_THROUGH | {"pp_Version", "pp_TxnType", "pp_ReturnURL"}
PUSH_2_0 = _COMMON | _PASS_THROUGH | {"pp_MobileNumber", "pp_CNIC"}
PUSH_OPTIONAL = frozenset({"pp_SubMerchantName"})

INQUIRY = frozenset({"pp_TxnRefNo", "pp_MerchantID", "pp_Password", "pp_SecureHash"})
INQUIRY_OPTIONAL = frozenset({"pp_Version"})
REFUND = INQUIRY | {"pp_Amount", "pp_TxnCurrency", "pp_MerchantMPIN"}

HOSTED = _COMMON - {"pp_BankID", "pp_ProductID", "pp_SubMerchantID"} | {"pp_Version", "pp_ReturnURL"}
_HOSTED_1_1_OPTIONAL = _PASS_THROUGH | {
    *("pp_TxnType", "pp_SubMerchantID", "pp_BankID", "pp_ProductID"),
    *("pp_DiscountedAmount", "pp_DiscountBank", "pp_MerchantProductItems"),
}
HOSTED_OPTIONAL = {
    "1.1": _HOSTED_1_1_OPTIONAL,
    "2.0": _HOSTED_1_1_OPTIONAL
    | {
        *("pp_IsRegisteredCustomer", "pp_TokenizedCardNumber", "pp_CustomerID", "pp_CustomerEmail"),
        *("pp_CustomerMobile", "pp_ShouldTokenizeCardNumber"),
    },
}

PHONE = re.compile(r"03[0-9]{9}")
# Amounts are whole paisa; a point, a sign or a leading zero is a mistake of the merchant's.
_AMOUNT = re.compile(r"[1-9][0-9]{0,11}")
_STAMP = re.compile(r"[0-9]{14}")

SHAPES = {
    "pp_Amount": _AMOUNT,
    "pp_BillReference": re.compile(r"[A-Za-z0-9]{1,20}"),
    "pp_CNIC": re.compile(r"[0-9]{6}"),
    # These the gateway turns into spaces before it hashes, which no merchant's own hash survives.
    "pp_Description": re.compile(r"""[^<>\\*=%/:'|"{}\x00-\x1f\x7f-\U0010ffff]{1,200}"""),
    "pp_IsRegisteredCustomer": re.compile(r"Yes|No|"),
    "pp_Language": re.compile(r"EN"),
    "pp_MerchantMPIN": re.compile(r"[0-9]{4}"),
    "pp_MobileNumber": PHONE,
    "pp_SubMerchantName": re.compile(r"[A-Za-z]{1,50}"),
    "pp_TxnCurrency": re.compile(r"PKR"),
    "pp_TxnDateTime": _STAMP,
    "pp_TxnExpiryDateTime": _STAMP,
    "pp_TxnRefNo": re.compile(r"[A-Za-z0-9]{1,20}"),
}

# A form may be drawn a while before it is posted; UTC is five hours behind Pakistan and must not pass for it.
_CLOCK_TOLERANCE = timedelta(hours=4)
_LONGEST_VALIDITY = timedelta(days=93)


def check_names(fields: Mapping[str, object], required: frozenset[str], optional: frozenset[str]) -> Fields:
    """Return the fields if the names are right and every value is text; raises Refused naming the first that is not."""
    for name in sorted(required - fields.keys()):
        raise bad_value(name, "It is missing.")
    for name in sorted(fields.keys() - required - optional):
        raise bad_value(name, "There is no such field.")
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    for name in sorted(fields.keys() - texts.keys()):
        raise bad_value(name, "It is no string.")
    return texts


def check_merchant(fields: Fields, account: JazzCashAccount) -> None:
    """Raise Refused unless the call is this merchant's own, whole and unchanged."""
    if (fields["pp_MerchantID"], fields["pp_Password"]) != (account.merchant_id, account.password):
        raise Refused(Code.MERCHANT_UNKNOWN)
    if not is_signed(fields, account.integrity_salt):
        raise Refused(Code.BAD_HASH)


def check_shapes(fields: Fields) -> None:
    """Raise Refused naming the first value that cannot be."""
    for name in sorted(fields.keys() & SHAPES.keys()):
        if not SHAPES[name].fullmatch(fields[name]):
            raise bad_value(name)


def check_times(fields: Fields, now: datetime) -> None:
    """Raise Refused unless the payment is begun now and not over; times on the wire are Pakistan's."""
    begun, over = _stamp(fields, "pp_TxnDateTime"), _stamp(fields, "pp_TxnExpiryDateTime")
    if abs(now - begun) > _CLOCK_TOLERANCE:
        raise bad_value("pp_TxnDateTime", "It is not the time in Pakistan.")
    if over <= now or over <= begun:
        raise bad_value("pp_TxnExpiryDateTime", "It is over.")
    if over - begun > _LONGEST_VALIDITY:
        raise bad_value("pp_TxnExpiryDateTime", "It is too far away.")


def _stamp(fields: Fields, name: str) -> datetime:
    try:
        return datetime.strptime(fields[name], "%Y%m%d%H%M%S").replace(tzinfo=KARACHI)
    except ValueError:
        raise bad_value(name) from None
