"""Money is an integer of minor units and a currency. No float is accepted or produced here.

The table is Stripe's, not ISO 4217's: ISK and UGX are sent with two decimals that must be zero, and the
three-decimal currencies must end in zero (Stripe's "Supported currencies", November 2026). A library's ISO table would
be wrong for both groups.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from payproc.errors import InvalidRequest

# The API reference caps an amount at eight digits. Cards allow twelve, but not every method does.
LARGEST_MINOR = 99_999_999


@dataclass(frozen=True, kw_only=True)
class Currency:
    """One currency as it travels on the wire.

    `exponent`: decimals of the minor unit. `step`: every amount is a multiple of it, in minor units.
    `least`: smallest charge in minor units where the card scheme publishes one, else 1.
    """

    code: str
    exponent: int = 2
    step: int = 1
    least: int = 1


_ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_TWO_DECIMALS_THAT_ARE_ZERO = "isk ugx"
_THREE_DECIMAL = "bhd jod kwd omr tnd"
_TWO_DECIMAL = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny
    cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr jmd
    kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok
    npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top
    try ttd twd tzs uah usd uyu uzs wst xcd xcg yer zar zmw
"""
# Its "Minimum and maximum charge amounts": they hold exactly when the charge is settled in its own currency. With
# conversion Stripe may still answer `amount_too_small`; then the payment fails with that code.
_LEAST = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50,
    "krw": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50,
    "sek": 300, "sgd": 50, "thb": 1000, "zar": 50,
}  # fmt: skip


CURRENCIES = {
    code: Currency(code=code, exponent=exponent, step=step, least=_LEAST.get(code, step))
    for codes, exponent, step in (
        (_ZERO_DECIMAL, 0, 1),
        (_TWO_DECIMALS_THAT_ARE_ZERO, 2, 100),
        (_THREE_DECIMAL, 3, 10),
        (_TWO_DECIMAL, 2, 1),
    )
    for code in codes.split()
}

# ASCII digits and one point only: `Decimal` alone would let in `1e3` and `1_000`. Other scripts' digits are refused as
# well, where a pasted phone's are read: an amount is written by the shop's program, and a program that writes Urdu's
# digits writes its separators after them, which mean a fraction to one reader and thousands to another.
_PLAIN_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?", re.ASCII)


def currency(code: str) -> Currency:
    """Return the currency by its three letters, in either case.

    Raises InvalidRequest when it is not in the table.
    """
    found = CURRENCIES.get(code.lower())
    if found is None:
        raise InvalidRequest(f"Currency {code!r} is not supported.", code="currency_unsupported", field="currency")
    return found


@dataclass(frozen=True, kw_only=True)
class Money:
    """An exact amount: `amount_minor` minor units of `currency`.

    It adds and compares only with its own currency, and multiplies with nothing.
    """

    amount_minor: int
    currency: Currency

    @classmethod
    def of(cls, amount_minor: int, code: str) -> Self:
        """Make money from what the database stores."""
        return cls(amount_minor=amount_minor, currency=currency(code))

    @property
    def major(self) -> Decimal:
        """The amount in major units, exactly: 1999 usd is Decimal('19.99')."""
        return Decimal(self.amount_minor).scaleb(-self.currency.exponent)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(amount_minor=self.amount_minor + other.amount_minor, currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(amount_minor=self.amount_minor - other.amount_minor, currency=self.currency)

    @property
    def digits(self) -> str:
        """The amount as people read it, without its currency: 1,250.50."""
        return f"{self.major:,.{self.currency.exponent}f}"

    def __str__(self) -> str:
        return f"{self.digits} {self.currency.code.upper()}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise TypeError(f"{self.currency.code} and {other.currency.code} do not mix")


def parse_major(text: str, code: str) -> Money:
    """Read an amount to charge in major units, as a client writes it: '19.99' with 'usd' is 1999 minor units.

    Nothing is rounded: more decimals than the currency has is an error, unless they are zeros.
    Raises InvalidRequest for anything but ASCII digits with at most one point.
    """
    return parse_minor(_minor(text, code), code)


def parse_part_major(text: str, code: str) -> Money:
    """Read a part of what was charged, as `parse_major` does: it may be less than the least that can be charged."""
    return parse_part_minor(_minor(text, code), code)


def parse_signed_major(text: str, code: str) -> Money:
    """Read an amount of the books, as `parse_part_major` does, with a minus before it where it is a credit."""
    unsigned = parse_part_major(text.removeprefix("-"), code)
    return Money(amount_minor=-unsigned.amount_minor, currency=unsigned.currency) if text[:1] == "-" else unsigned


def _minor(text: str, code: str) -> int:
    unit = currency(code)
    if not _PLAIN_AMOUNT.fullmatch(text):
        raise _refused(
            "amount_invalid", "The amount must be a plain positive number such as 19.99, in the digits 0 to 9."
        )
    minor = Decimal(text).scaleb(unit.exponent)
    if minor != minor.to_integral_value():
        raise _refused("amount_too_precise", f"{unit.code.upper()} has {unit.exponent} decimals; {text} has more.")
    return int(minor)


def parse_minor(amount_minor: int, code: str) -> Money:
    """Check an amount to charge, in minor units, against its currency's step and limits.

    Raises InvalidRequest when it is not positive, not a multiple of the step, or out of bounds.
    """
    money = parse_part_minor(amount_minor, code)
    least = money.currency.least
    if amount_minor < least:
        raise _refused("amount_too_small", f"The least that can be charged is {Money.of(least, code)}.")
    if amount_minor > LARGEST_MINOR:
        raise _refused("amount_too_large", f"The most that can be charged is {Money.of(LARGEST_MINOR, code)}.")
    return money


def parse_part_minor(amount_minor: int, code: str) -> Money:
    """Check a part of what was charged, in minor units: only its currency's step binds it.

    Raises InvalidRequest when it is not positive, or not a multiple of the step.
    """
    money = Money.of(amount_minor, code)
    step = money.currency.step
    if amount_minor <= 0:
        raise _refused("amount_not_positive", "The amount must be more than zero.")
    if amount_minor % step:
        raise _refused("amount_too_precise", f"{code.upper()} amounts must be multiples of {Money.of(step, code)}.")
    return money


def _refused(code: str, sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, code=code, field="amount")
