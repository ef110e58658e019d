"""Which amounts Stripe takes in which currency. All amounts are integers in the minor unit."""

import re

from sandbox.stripe.errors import RefusedError

MAXIMUM = 99_999_999

# An amount as it is typed, its thousands' commas taken out.
TYPED = re.compile(r"([0-9]{1,12})(?:\.([0-9]+))?")

# Tables of words: a list literal of these would be a page of quotation marks.
# ruff: noqa: SIM905 (see above)
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# Written with two decimals on the wire although nobody has a coin for them.
WHOLE_UNITS_ONLY = frozenset("isk ugx".split())

TWO_DECIMAL = frozenset(
    """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf
    cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr
    isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn
    nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb
    tjs top try ttd twd tzs uah ugx uyu uzs wst xcd yer zar zmw
    """.split()
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL

MINIMUMS = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50,
    "krw": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 200,
    "sek": 300, "sgd": 50, "thb": 1000, "zar": 50,
}  # fmt: skip


def exponent(currency: str) -> int:
    """Return how many decimals the currency's minor unit stands for on Stripe's wire."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """Return the amount as a customer reads it, for example `PKR 1,250.00`."""
    places = exponent(currency)
    whole, rest = divmod(abs(amount), 10**places)
    decimals = f".{rest:0{places}d}" if places else ""
    return f"{currency.upper()} {'-' if amount < 0 else ''}{whole:,}{decimals}"


def minor(text: str, currency: str) -> int:
    """Return the minor units of an amount as people type it, such as `1,250.50`; ValueError for anything else."""
    places = exponent(currency)
    found = TYPED.fullmatch(text.strip().replace(",", ""))
    if found is None or len(found[2] or "") > places:
        raise ValueError(f"{text!r} is no amount of {currency.upper()}")
    return int(found[1] + (found[2] or "").ljust(places, "0"))


def check_currency(currency: str, *, param: str) -> str:
    """Return the lower-case code, refusing what Stripe cannot charge in."""
    code = currency.lower()
    if code not in SUPPORTED:
        listed = ", ".join(sorted(SUPPORTED))
        raise RefusedError(
            f"Invalid currency: {code}. Stripe currently supports these currencies: {listed}",
            param=param,
        )
    return code


def check_step(amount: int, currency: str, *, param: str) -> None:
    """Refuse digits the currency's networks cannot carry, such as KWD 5.124 or half a UGX."""
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_ONLY else 1
    if amount % step:
        raise RefusedError(
            f"Invalid amount: {currency} amounts must be a multiple of {step} in the minor unit.",
            code="parameter_invalid_integer",
            param=param,
        )


def check_total(amount: int, currency: str) -> None:
    """Refuse a total below Stripe's minimum or above eight digits; zero is a free order."""
    if amount > MAXIMUM:
        raise RefusedError(
            f"The Checkout Session's total amount must be no more than {shown(MAXIMUM, currency)}.",
            code="amount_too_large",
        )
    minimum = MINIMUMS.get(currency, 0)
    if 0 < amount < minimum:
        raise RefusedError(
            f"The Checkout Session's total amount due must add up to at least {shown(minimum, currency)}.",
            code="amount_too_small",
        )
