"""Easypaisa's response codes, as far as the simulator says them."""

from enum import StrEnum

from sandbox.wallets.transactions import Reason, State


class Code(StrEnum):
    """What `responseCode` may be."""

    SUCCESS = "0000"
    SYSTEM_ERROR = "0001"
    FIELD_MISSING = "0002"
    INVALID_ORDER = "0003"
    INVALID_ACCOUNT = "0004"
    INVALID_STORE = "0006"
    INVALID_CREDENTIALS = "0010"
    WRONG_PIN = "0011"
    PIN_NOT_ENTERED = "0012"
    LOW_BALANCE = "0013"
    BAD_EXPIRY = "0015"
    EXPIRY_OVER = "0016"
    BAD_METHOD = "0021"
    BAD_JSON = "0022"
    SIGNATURE_ERROR = "0023"
    BAD_SIGNATURE = "0024"
    KEY_NOT_UPLOADED = "0025"
    BAD_PHONE = "0026"
    BAD_EMAIL = "0027"
    BAD_AMOUNT = "0028"


DESCRIPTIONS = {
    Code.SUCCESS: "SUCCESS",
    Code.SYSTEM_ERROR: "SYSTEM ERROR",
    Code.FIELD_MISSING: "REQUIRED FIELD IS MISSING",
    Code.INVALID_ORDER: "INVALID ORDER ID",
    Code.INVALID_ACCOUNT: "MERCHANT ACCOUNT DOES NOT EXIST",
    Code.INVALID_STORE: "STORE DOES NOT EXIST",
    Code.INVALID_CREDENTIALS: "INVALID CREDENTIALS",
    Code.WRONG_PIN: "WRONG PIN",
    Code.PIN_NOT_ENTERED: "PIN NOT ENTERED",
    Code.LOW_BALANCE: "LOW BALANCE",
    Code.BAD_EXPIRY: "INVALID TOKEN EXPIRY",
    Code.EXPIRY_OVER: "TOKEN EXPIRY IS IN THE PAST",
    Code.BAD_METHOD: "INVALID PAYMENT METHOD",
    Code.BAD_JSON: "INVALID JSON",
    Code.SIGNATURE_ERROR: "SIGNATURE ERROR",
    Code.BAD_SIGNATURE: "INVALID SIGNATURE",
    Code.KEY_NOT_UPLOADED: "PUBLIC KEY NOT UPLOADED",
    Code.BAD_PHONE: "INVALID MOBILE NUMBER",
    Code.BAD_EMAIL: "INVALID EMAIL",
    Code.BAD_AMOUNT: "INVALID AMOUNT",
}

FAILURES = {
    Reason.DECLINED: Code.PIN_NOT_ENTERED,
    Reason.LOW_BALANCE: Code.LOW_BALANCE,
    Reason.CANCELLED: Code.PIN_NOT_ENTERED,
}

# `transactionStatus` of the real dialects.
STATUS_WORDS = {
    State.INITIATED: "PENDING",
    State.PENDING: "PENDING",
    State.PAID: "PAID",
    State.FAILED: "FAILED",
    State.DROPPED: "FAILED",
    State.EXPIRED: "EXPIRED",
    State.REVERSED: "REVERSED",
}


class Refused(Exception):
    """A call that is answered with a code and not executed."""

    def __init__(self, code: Code, detail: str = "") -> None:
        self.code = code
        self.description = f"{DESCRIPTIONS[code]}: {detail}" if detail else DESCRIPTIONS[code]
        super().__init__(self.description)

    def body(self) -> dict[str, object]:
        """Return the whole answer; the gateway says no more than this about a call it did not execute."""
        return {"responseCode": self.code, "responseDesc": self.description}
