"""JazzCash's response codes, as far as the simulator says them."""

from enum import StrEnum

from sandbox.wallets.transactions import Reason, State, Transaction


class Code(StrEnum):
    """What `pp_ResponseCode` may be."""

    SUCCESS = "000"
    LOW_BALANCE = "004"
    BAD_PIN = "024"
    REJECTED = "095"
    MERCHANT_UNKNOWN = "101"
    NO_SUCH_TRANSACTION = "109"
    BAD_VALUE = "110"
    CANCELLED = "112"
    BAD_HASH = "115"
    EXPIRED = "116"
    CONFIRMED = "121"
    REVERSED = "122"
    AWAITING_CASH = "124"
    DROPPED = "129"
    REFUNDED = "131"
    NOT_REFUNDABLE = "132"
    PENDING = "157"
    OVER_REFUND = "452"
    NO_PARTIAL_REFUND = "454"
    NOT_SETTLED = "455"
    FAILED = "999"


MESSAGES = {
    Code.SUCCESS: "Thank you for Using JazzCash, your transaction was successful.",
    Code.LOW_BALANCE: "Low Balance",
    Code.BAD_PIN: "Bad PIN",
    Code.REJECTED: "Transaction Rejected",
    Code.MERCHANT_UNKNOWN: "Invalid merchant credentials",
    Code.NO_SUCH_TRANSACTION: "Transaction does not exist",
    Code.BAD_VALUE: "Please provide a valid value",
    Code.CANCELLED: "Transaction Cancelled By User.",
    Code.BAD_HASH: "Please provide a valid value for pp_SecureHash",
    Code.EXPIRED: "Transaction Expired",
    Code.CONFIRMED: "Transaction has been marked confirmed by Merchant.",
    Code.REVERSED: "Transaction has been reversed",
    Code.AWAITING_CASH: "Order is placed and waiting for financials to be received over the counter.",
    Code.DROPPED: "Transaction is Dropped",
    Code.REFUNDED: "Transaction has been refunded.",
    Code.NOT_REFUNDABLE: "Sorry! The selected transaction cannot be refunded.",
    Code.PENDING: "Transaction is Pending",
    Code.OVER_REFUND: "Refund amount exceeds what is left of the transaction",
    Code.NO_PARTIAL_REFUND: "Partial refund is not allowed",
    Code.NOT_SETTLED: "Transaction is not settled yet",
    Code.FAILED: "Transaction failed",
}

_FAILURES = {
    Reason.DECLINED: Code.REJECTED,
    Reason.LOW_BALANCE: Code.LOW_BALANCE,
    Reason.CANCELLED: Code.CANCELLED,
}

# The words of `pp_Status` in the answer to an inquiry.
STATUS_WORDS = {
    State.INITIATED: "Pending",
    State.PENDING: "Pending",
    State.PAID: "Completed",
    State.FAILED: "Failed",
    State.DROPPED: "Dropped",
    State.EXPIRED: "Failed",
    State.REVERSED: "Failed",
}

OVER_THE_COUNTER = "OTC"


class Refused(Exception):
    """A call that is answered with a code and not executed."""

    def __init__(self, code: Code, message: str | None = None) -> None:
        super().__init__(message or MESSAGES[code])
        self.code = code
        self.message = message or MESSAGES[code]


def bad_value(name: str, why: str = "") -> Refused:
    """Return the refusal that names a field."""
    return Refused(Code.BAD_VALUE, f"Please provide a valid value for {name}.{' ' if why else ''}{why}")


def told_code(transaction: Transaction) -> Code:
    """Return what the gateway says of the payment now; 000 is for payments, 121 for confirmed ones."""
    match transaction.state:
        case State.INITIATED | State.PENDING:
            return Code.AWAITING_CASH if transaction.method == OVER_THE_COUNTER else Code.PENDING
        case State.PAID:
            return Code.REFUNDED if transaction.refunded >= transaction.amount else Code.SUCCESS
        case State.FAILED:
            return Code.FAILED if transaction.reason is None else _FAILURES[transaction.reason]
        case State.DROPPED:
            return Code.DROPPED
        case State.EXPIRED:
            return Code.EXPIRED
        case State.REVERSED:
            return Code.REVERSED


def confirmed_code(transaction: Transaction) -> Code:
    """Return the code of notices and inquiries, where paid is 121 and not 000."""
    code = told_code(transaction)
    return Code.CONFIRMED if code is Code.SUCCESS else code
