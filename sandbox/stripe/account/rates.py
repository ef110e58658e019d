"""The exchange rates of an account that settles in one currency, in integers: a float is only printed."""

from dataclasses import dataclass

from sandbox.stripe.account.currencies import exponent

MILLION = 1_000_000

# What one whole unit costs, in millionths of a US dollar. Fixed, so that a test knows its sums by heart.
PRICES = {
    "usd": 1_000_000,
    "aed": 272_300,
    "aud": 650_000,
    "cad": 720_000,
    "chf": 1_250_000,
    "eur": 1_080_000,
    "gbp": 1_270_000,
    "inr": 12_000,
    "jpy": 6_700,
    "kwd": 3_250_000,
    "pkr": 3_600,
    "sar": 266_700,
}


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Money as it stands in the account's balance: minor units, and the millionths it was exchanged at."""

    amount: int
    currency: str
    millionths: int | None

    @property
    def exchange_rate(self) -> float | None:
        """What Stripe prints: whole units of the settlement currency for one whole unit of the charge's."""
        return None if self.millionths is None else self.millionths / MILLION


def settled(amount: int, currency: str, *, into: str) -> Settled:
    """Return a signed amount in the currency it settles in, rounded half away from zero to the minor unit.

    Money stays as it is when `into` is empty or the same, and when a currency has no price here.
    """
    if into in ("", currency) or currency not in PRICES or into not in PRICES:
        return Settled(amount=amount, currency=currency, millionths=None)
    millionths = _rounded(PRICES[currency] * MILLION, PRICES[into])
    size = _rounded(abs(amount) * millionths * 10 ** exponent(into), MILLION * 10 ** exponent(currency))
    return Settled(amount=size if amount > 0 else -size, currency=into, millionths=millionths)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
