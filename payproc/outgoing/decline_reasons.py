"""Why a payment failed, in a closed list of our words: what its customer can use, and a shop can act upon."""

from collections.abc import Mapping
from enum import StrEnum

from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE


class DeclineReason(StrEnum):
    """What a customer can be told; `unknown` where the provider's word explains nothing."""

    LOW_BALANCE = "low_balance"
    PIN = "pin"
    NO_ANSWER = "no_answer"
    LIMIT = "limit"
    ACCOUNT = "account"
    CARD = "card"
    DETAILS = "details"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_JAZZ_CASH = {
    DeclineReason.LIMIT: "001 105 106 107",
    DeclineReason.ACCOUNT: "002 003 063 066 067 103 108",
    DeclineReason.LOW_BALANCE: "004 405",
    DeclineReason.CARD: "014 015 016 102 104 404 408 411 415 416 419 423 424 425 426",
    DeclineReason.PIN: "024 060 421",
    DeclineReason.DECLINED: "059 095 117 156 402 409 414 422 453 459 922 923 925 926 929",
    DeclineReason.DETAILS: "110",
    DeclineReason.CANCELLED: "112 410 412",
    DeclineReason.EXPIRED: "058 109 113 116 129 134 403",
}
# BLOCKED is missing on purpose: nobody has written down whether the money is held back then.
_EASY_PAISA = {
    DeclineReason.CARD: "0009",
    DeclineReason.PIN: "0011",
    DeclineReason.NO_ANSWER: "0012",
    DeclineReason.LOW_BALANCE: "0013",
    DeclineReason.ACCOUNT: "0014",
    DeclineReason.DETAILS: "0026 0027 0028",
    DeclineReason.LIMIT: "0029",
    DeclineReason.DECLINED: "FAILED failed",
}
# That a card was reported lost or stolen is told to the bank's customer by the bank, and to nobody else.
_STRIPE = {
    DeclineReason.LOW_BALANCE: "insufficient_funds",
    DeclineReason.LIMIT: "card_velocity_exceeded withdrawal_count_limit_exceeded",
    DeclineReason.CARD: """
        expired_card card_not_supported currency_not_supported incorrect_cvc invalid_cvc incorrect_number
        invalid_number invalid_expiry_month invalid_expiry_year invalid_account incorrect_address incorrect_zip
    """,
    DeclineReason.PIN: "incorrect_pin invalid_pin pin_try_exceeded offline_pin_required online_or_offline_pin_required",
    DeclineReason.NO_ANSWER: "authentication_required payment_intent_authentication_failure",
    DeclineReason.DECLINED: """
        card_declined generic_decline do_not_honor do_not_try_again call_issuer issuer_not_available fraudulent
        lost_card stolen_card pickup_card restricted_card security_violation service_not_allowed transaction_not_allowed
        not_permitted no_action_taken revocation_of_authorization revocation_of_all_authorizations
        stop_payment_order try_again_later reenter_transaction processing_error async_payment_failed
    """,
}
# Ours, whoever the provider is: a start that surely never left the house, and the facts themselves.
_OURS = {
    DeclineReason.UNREACHABLE: "no_connection circuit_open rate_limited provider_unavailable",
    DeclineReason.CANCELLED: "cancelled",
    DeclineReason.EXPIRED: "expired",
}
# The bare fact "declined" is missing: it is also what becomes of money that was taken and has gone back.
_TABLES: Mapping[PaymentMethod, Mapping[DeclineReason, str]] = {
    JAZZ_CASH: _JAZZ_CASH,
    EASY_PAISA: _EASY_PAISA,
    STRIPE: _STRIPE,
}

# What says for certain that no money moved: the provider declined, or never heard of it.
_CERTAIN = frozenset(DeclineReason) - {DeclineReason.CANCELLED, DeclineReason.EXPIRED, DeclineReason.UNKNOWN}


def _by_code(table: Mapping[DeclineReason, str]) -> dict[str, DeclineReason]:
    listed = (*table.items(), *_OURS.items())
    return {code: reason for reason, codes in listed for code in codes.split()}


_BY_CODE = {method: _by_code(table) for method, table in _TABLES.items()}
_BY_OUR_CODE = _by_code({})


def decline_reason(payment: Payment) -> DeclineReason | None:
    """Return why a payment failed or was called off, as the API tells it; None for one that did neither."""
    return reason_of(payment) if payment.status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED) else None


def reason_of(payment: Payment) -> DeclineReason:
    """Return why a payment failed or was called off; UNKNOWN for a code that is not listed."""
    known = _BY_CODE.get(payment.payment_method, _BY_OUR_CODE)
    return known.get(payment.failure_code or "", DeclineReason.UNKNOWN)


def nothing_was_charged(payment: Payment) -> bool:
    """Tell whether a payment surely took no money. What is called off or run out may have been paid all the same."""
    return payment.status is PaymentStatus.FAILED and reason_of(payment) in _CERTAIN
