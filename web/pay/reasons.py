"""Why a payment failed, as far as its customer can use the answer: one closed table, and the rest is not explained."""

from collections.abc import Mapping
from enum import StrEnum

from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE


class Reason(StrEnum):
    """What a customer can be told."""

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
    Reason.LIMIT: "001 105 106 107",
    Reason.ACCOUNT: "002 003 063 066 067 103 108",
    Reason.LOW_BALANCE: "004 405",
    Reason.CARD: "014 015 016 102 104 404 408 411 415 416 419 423 424 425 426",
    Reason.PIN: "024 060 421",
    Reason.DECLINED: "059 095 117 156 402 409 414 422 453 459 922 923 925 926 929",
    Reason.DETAILS: "110",
    Reason.CANCELLED: "112 410 412",
    Reason.EXPIRED: "058 109 113 116 129 134 403",
}
# BLOCKED is missing on purpose: nobody has written down whether the money is held back then.
_EASY_PAISA = {
    Reason.CARD: "0009",
    Reason.PIN: "0011",
    Reason.NO_ANSWER: "0012",
    Reason.LOW_BALANCE: "0013",
    Reason.ACCOUNT: "0014",
    Reason.DETAILS: "0026 0027 0028",
    Reason.LIMIT: "0029",
    Reason.DECLINED: "FAILED failed",
}
# That a card was reported lost or stolen is told to the bank's customer by the bank, and to nobody else.
_STRIPE = {
    Reason.LOW_BALANCE: "insufficient_funds",
    Reason.LIMIT: "card_velocity_exceeded withdrawal_count_limit_exceeded",
    Reason.CARD: """
        expired_card card_not_supported currency_not_supported incorrect_cvc invalid_cvc incorrect_number
        invalid_number invalid_expiry_month invalid_expiry_year invalid_account incorrect_address incorrect_zip
    """,
    Reason.PIN: "incorrect_pin invalid_pin pin_try_exceeded offline_pin_required online_or_offline_pin_required",
    Reason.NO_ANSWER: "authentication_required payment_intent_authentication_failure",
    Reason.DECLINED: """
        card_declined generic_decline do_not_honor do_not_try_again call_issuer issuer_not_available fraudulent
        lost_card stolen_card pickup_card restricted_card security_violation service_not_allowed transaction_not_allowed
        not_permitted no_action_taken revocation_of_authorization revocation_of_all_authorizations
        stop_payment_order try_again_later reenter_transaction processing_error async_payment_failed
    """,
}
# Ours, whoever the provider is: a start that surely never left the house, and the facts themselves.
_OURS = {
    Reason.UNREACHABLE: "no_connection circuit_open rate_limited provider_unavailable",
    Reason.CANCELLED: "cancelled",
    Reason.EXPIRED: "expired",
}
# The bare fact "declined" is missing: it is also what becomes of money that was taken and has gone back.
_TABLES: Mapping[PaymentMethod, Mapping[Reason, str]] = {
    JAZZ_CASH: _JAZZ_CASH,
    EASY_PAISA: _EASY_PAISA,
    STRIPE: _STRIPE,
}

# What says for certain that no money moved: the provider declined, or never heard of it.
_CERTAIN = frozenset(Reason) - {Reason.CANCELLED, Reason.EXPIRED, Reason.UNKNOWN}


def _by_code(table: Mapping[Reason, str]) -> dict[str, Reason]:
    listed = (*table.items(), *_OURS.items())
    return {code: reason for reason, codes in listed for code in codes.split()}


_BY_CODE = {method: _by_code(table) for method, table in _TABLES.items()}
_BY_OUR_CODE = _by_code({})


def reason_of(payment: Payment) -> Reason:
    """Return why a payment failed or was called off; UNKNOWN for a code that is not listed."""
    known = _BY_CODE.get(payment.payment_method, _BY_OUR_CODE)
    return known.get(payment.failure_code or "", Reason.UNKNOWN)


def nothing_was_charged(payment: Payment) -> bool:
    """Tell whether a payment surely took no money. What is called off or run out may have been paid all the same."""
    return payment.status is PaymentStatus.FAILED and reason_of(payment) in _CERTAIN
