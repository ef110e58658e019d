"""Payments by whatever somebody has in hand: an id of anybody's, a receipt, an e-mail, a phone, digits, an amount.

What is written is read in every way that it can be meant, and each reading asks one index. A reading that many payments
fit, such as a popular amount, comes newest first and as long as its page.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session

from payproc.database.encryption import PhoneHasher
from payproc.database.models import Dispute, Order, Payment, Refund, User
from payproc.domain import money
from payproc.domain.ids import Prefix, is_id, is_reference
from payproc.domain.phones import normalised
from payproc.domain.reading import digits_of
from payproc.domain.references import Reference
from payproc.errors import InvalidRequest
from payproc.providers.stripe import STRIPE

# Of one address, or one number of an order, in different shops.
_MOST_NAMESAKES = 20
_LAST_DIGITS = re.compile(r"[0-9]{4}", re.ASCII)
_AMOUNT = re.compile(r"(?:(?P<before>[a-z]{3})\s*)?(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?)(?:\s*(?P<after>[a-z]{3}))?")
_WORD = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

Reading = ColumnElement[bool]


def readings(session: Session, text: str, *, phones: PhoneHasher) -> list[Reading]:
    """Return conditions of which each is one thing that `text` can mean; none where it can mean nothing."""
    text = text.strip()
    # A condition is neither true nor false by itself.
    if (ours := _by_our_id(text)) is not None:
        return [ours]
    if text.count("@") == 1:
        return list(_by_email(session, text))
    return [*_by_numbers(text, phones), *(_by_names(session, text) if _WORD.fullmatch(text) else ())]


def _by_our_id(text: str) -> Reading | None:
    if is_id(text, Prefix.PAYMENT):
        return Payment.id == text
    if is_id(text, Prefix.ORDER):
        return Payment.order_id == text
    if is_id(text, Prefix.REFUND):
        return Payment.id.in_(select(Refund.payment_id).where(Refund.id == text))
    if is_id(text, Prefix.DISPUTE):
        return Payment.id.in_(select(Dispute.payment_id).where(Dispute.id == text))
    if is_id(text, Prefix.USER):
        return Payment.user_id == text
    # As it is read out over the telephone.
    return Payment.reference == text.upper() if is_reference(text.upper()) else None


def _by_email(session: Session, text: str) -> Iterator[Reading]:
    found = select(User.id).where(func.lower(User.email) == text.lower()).limit(_MOST_NAMESAKES)
    for user_id in session.scalars(found):
        yield Payment.user_id == user_id


def _by_names(session: Session, text: str) -> Iterator[Reading]:
    """Read a word as what somebody else calls a payment, its refund, its dispute or its order."""
    for reference in Reference:
        yield getattr(Payment, reference.value) == text
    yield Payment.provider_receipt == text
    yield Payment.id.in_(select(Refund.payment_id).where(Refund.provider_refund_id == text))
    disputed = select(Dispute.payment_id).where(Dispute.provider == STRIPE, Dispute.provider_dispute_id == text)
    yield Payment.id.in_(disputed)
    for order_id in session.scalars(select(Order.id).where(Order.reference == text).limit(_MOST_NAMESAKES)):
        yield Payment.order_id == order_id


def _by_numbers(text: str, phones: PhoneHasher) -> Iterator[Reading]:
    with suppress(InvalidRequest):
        yield Payment.phone_hash == phones.hashed(normalised(text))
    digits = digits_of(text)
    if _LAST_DIGITS.fullmatch(digits):
        yield Payment.phone_last_four == digits
    if amount := _AMOUNT.fullmatch(text.lower()):
        yield from _by_amount(amount["number"].replace(",", ""), amount["before"] or amount["after"])


def _by_amount(number: str, currency: str | None) -> Iterator[Reading]:
    """Read an amount in the currency that is named, else in every one: 1999 is 199900 of most, and 1999 of yen."""
    codes = [currency] if currency in money.CURRENCIES else [] if currency else list(money.CURRENCIES)
    by_minor: dict[int, list[str]] = {}
    for code in codes:
        minor = Decimal(number).scaleb(money.CURRENCIES[code].exponent)
        if minor == minor.to_integral_value() and 0 < minor <= money.LARGEST_MINOR:
            by_minor.setdefault(int(minor), []).append(code)
    for amount_minor, of in by_minor.items():
        # Spelt out: PostgreSQL keeps which amounts many have, and walks through the newest payments for those alone.
        spelt = bindparam("amount_minor", amount_minor, Payment.amount_minor.type, unique=True, literal_execute=True)
        yield (Payment.amount_minor == spelt) & Payment.currency.in_(of)
